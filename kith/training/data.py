"""What a training learns from: the sides of all items, and what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kith.errors import KithError
from kith.losses import Needs
from kith.store.classes import Classes
from kith.store.encoded import Encoded
from kith.store.inputs import ModalityInput, image_input, text_input
from kith.store.prepared import Prepared
from kith.store.semantic import neighbor_table
from kith.text.kinds import learned
from kith.text.selected import Selection
from kith.text.tokenizer import Tokenizer
from kith.training.samplers import NeighborSampler

LEAST = 2  # items of a split: one alone has nothing to be told from


@dataclass(frozen=True)
class TrainingData:
    """The sides of all items; rows of both are found by the number of the item.

    text: None for objectives that need no texts. groups: (n_items,) integers, equal for items that are the same
    thing; train, val: items with all that the objective needs. neighbors: needed by objectives with neighbourhood
    terms; labels: (n_items,) class numbers, −1 where unknown, or (n_items, classes) uint8 of items with several labels,
    needed by those with class terms; similarity: (classes, classes), of the classes, for hierarchical measures, where
    items have one label each.
    """

    image: ModalityInput
    text: ModalityInput | None
    groups: np.ndarray
    train: np.ndarray
    val: np.ndarray
    neighbors: NeighborSampler | None = None
    labels: np.ndarray | None = None
    similarity: np.ndarray | None = None


def training_tokenizer(
    data: Prepared,
    name: str | None,
    min_count: int,
    max_words: int | None,
    ordered: bool,
    selection: Selection | None = None,
) -> Tokenizer:
    """One that knows the training texts; items of a group that have the same ones count once. See `kinds.learned`."""
    train = data.table[data.splits == "train"]
    kept = dict.fromkeys((group, tuple(own)) for group, own in zip(train["group"], train["texts"], strict=True))
    texts = [text for _, own in kept for text in own]
    return learned(texts, name, min_count, max_words, ordered, selection)


def training_data(
    data: Prepared,
    needs: Needs,
    vocabulary: Tokenizer,
    max_tokens: int,
    classes: Classes,
    neighbors: Path,
    encoded: Mapping[str, Encoded] | None = None,
    measured: Sequence[str] = (),
) -> TrainingData:
    """Items that have all that the losses compare, which have these needs: a picture, and a text, or a class, or both.

    max_tokens: of a text; neighbors: the folder that the neighbors stage has written; encoded: what frozen encoders
    made of a side, by its name; measured: the other splits that the trained model will be measured on. Raises KithError
    for a split with fewer than two such items: before the training, and not after it.
    """
    encoded = encoded or {}
    image = image_input(data, encoded.get("image"))
    everyone = np.arange(len(data))
    usable, having = image.has(everyone), ["a picture"]
    parts = {"a picture": usable}
    text = labels = similarity = near = None
    if needs.texts:
        text = text_input(data, vocabulary, max_tokens, encoded.get("text"))
        parts["a text"] = text.has(everyone)
        usable, having = usable & parts["a text"], [*having, "a text"]
    if needs.classes:
        labels, known, similarity = _labels(data, classes)
        if not needs.texts:  # else items without a class still teach what goes together
            usable, having = usable & known, [*having, "a label"]
            parts = {"a picture and a label": usable}
    train, val = (rows[usable[rows]] for rows in map(data.rows_of, ("train", "val")))
    for name, rows in (("train", train), ("val", val)):
        if len(rows) < LEAST:
            raise KithError(
                f"{data.folder / 'items.parquet'}: split '{name}' has {len(rows)} items with {' and '.join(having)}; "
                f"{LEAST} are needed"
            )
    _check_measured(data, parts, measured)
    if needs.texts:
        table = neighbor_table(neighbors, data)
        near = _neighbor_sampler(table, data.groups, train) if len(table) else None
    return TrainingData(image, text, data.groups, train, val, near, labels, similarity)


def _labels(data: Prepared, classes: Classes) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Labels, (n_items,) bool whether an item has any, and the similarity of classes, as of TrainingData."""
    sets: Any = classes.sets(data.table)
    if sets is not None:
        return sets.astype(np.uint8), sets.any(axis=1), None
    labels = classes.numbers(data.table)
    return labels, labels >= 0, classes.similarity("lcsh")


def _check_measured(data: Prepared, parts: Mapping[str, np.ndarray], splits: Sequence[str]) -> None:
    """Raise KithError where a split has too few of one of `parts`, (n_items,) bool; in groups, one item may have the
    picture and another the text."""
    for split in splits:
        for having, items in parts.items():
            if (count := int(items[data.rows_of(split)].sum())) < LEAST:
                place, noun = data.folder / "items.parquet", "item" if count == 1 else "items"
                raise KithError(
                    f"{place}: split '{split}' has {count} {noun} with {having}, and will be measured; {LEAST} are "
                    "needed: give it more, or leave it out of embed.splits"
                )


def _neighbor_sampler(table: pd.DataFrame, groups: np.ndarray, train: np.ndarray) -> NeighborSampler:
    """Neighbour rows to neighbour groups, of the groups that are trained on."""
    trained = np.full(len(groups), -1, dtype=np.int64)
    trained[train] = groups[train]
    near = np.full((int(groups.max()) + 1, int(table["rank"].max()) + 1), -1)
    near[groups[table["row"]], table["rank"]] = trained[table["neighbor"]]
    return NeighborSampler(near, trained)
