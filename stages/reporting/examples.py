"""What the report shows of single items: questions with their answers, and neighbourhoods."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kith import plots
from kith.evaluation.catalogue import IMAGES
from kith.plots import galleries
from kith.store.photos import pictures
from kith.store.prepared import Prepared
from kith.store.semantic import neighbor_table
from stages import files
from stages.params import Report
from stages.reporting.spaces import Space

ITEMS, NEIGHBORS = 5, 3  # of the figure of neighbourhoods


def draw(options: Report, split: str, run: Path, by_class: Path, data: Prepared, neighbors: Path) -> dict[str, Figure]:
    """What `run` finds on `split` by texts and `by_class` by pictures, neighbourhoods of training items.

    No figure without content.
    """
    shown = Appearances(data)
    drawn = {}
    for direction in (*plots.DIRECTIONS, IMAGES):
        folder = by_class if direction == IMAGES else run
        asked = files.read_parquet(folder / "queries.parquet", "evaluate again")
        asked = asked.query("split == @split and direction == @direction")
        if len(asked) and shown.has_pictures:
            found = matches(asked, options, data.table, shown, Space(folder, data))
            lines = direction == "image_to_text" and not shown.text_maps
            drawn[f"gallery_{direction}"] = (galleries.text_gallery if lines else galleries.picture_gallery)(found)
    rows = neighborhoods(neighbor_table(neighbors, data), shown, options.seed)
    return drawn | ({"neighbors": galleries.neighbors(rows)} if rows and shown.has_pictures else {})


class Appearances:
    """What stands for an item in a figure: a picture on the image side; a text, or else its id, on the text side.

    Features that are maps (1, H, W) are grey pictures, from black, the data set's lowest value, to white, its highest.
    """

    def __init__(self, data: Prepared) -> None:
        self.ids, self.texts, self.image_rows = (data.table[name].to_numpy() for name in ("id", "texts", "image_row"))
        features = data.features("image")
        self.image_maps, self.text_maps = _maps(features), _maps(data.features("text"))
        self.images = pictures(data) if features is None else None
        self.has_pictures = bool(self.images is not None and len(self.images)) or self.image_maps is not None

    def image(self, row: int) -> np.ndarray | None:
        """(H, W, C) uint8; None for an item without a picture."""
        if self.image_maps is not None:
            return self.image_maps[row]
        place = self.image_rows[row]
        return self.images[place] if self.images is not None and place >= 0 else None

    def text(self, row: int, place: int = 0) -> Any:
        """The item's text at `place`, a picture of its features, or its id."""
        if self.text_maps is not None:
            return self.text_maps[row]
        return self.words(row, place)

    def words(self, row: int, place: int = 0) -> str:
        """The item's text at `place`, or else its id."""
        return self.texts[row][place] if len(self.texts[row]) else self.ids[row]


class Maps:
    """Maps (N, 1, H, W) as grey pictures (H, W, 1)."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.low, self.high = array, float(array.min()), float(array.max())

    def __getitem__(self, row: int) -> np.ndarray:
        share = (self.array[row, 0] - self.low) / max(self.high - self.low, 1e-12)
        return np.rint(255 * share).astype(np.uint8)[..., None]


def _maps(features: np.ndarray | None) -> Maps | None:
    return Maps(features) if features is not None and is_map(features.shape[1:]) else None


def is_map(shape: Sequence[int]) -> bool:
    """Whether features of this shape (of one item) can be shown as a grey picture."""
    return len(shape) == 3 and shape[0] == 1


def matches(
    queries: pd.DataFrame, options: Report, items: pd.DataFrame, shown: Appearances, space: Space
) -> list[galleries.Match]:
    """A drawn half of queries with a right best answer, then a half with a wrong one."""
    found = []
    right = right_answers(items, (queries["direction"] == IMAGES).all())
    best = queries["hits"].str[0].to_numpy(dtype=np.int64)
    first = np.array([right(row, hit[None])[0] for row, hit in zip(queries["row"], best, strict=True)])
    for query in queries.iloc[mixed(first, options.queries, options.seed)].itertuples():
        if query.direction == "image_to_text":
            which = space.nearest_texts(query.row, query.hits)
            asked = shown.image(query.row)
            answers = [shown.text(hit, place) for hit, place in zip(query.hits, which, strict=True)]
        else:
            asked = shown.image(query.row) if query.direction == IMAGES else shown.text(query.row, query.text)
            answers = [shown.image(hit) for hit in query.hits]
        found.append(galleries.Match(asked, answers, query.similarities, [*right(query.row, query.hits)]))
    return found


def right_answers(items: pd.DataFrame, by_class: bool) -> Callable[[int, np.ndarray], np.ndarray]:
    """Which of some items are right for an item, (n,) bool: those of its class, or that share a label with it where
    items have several; or else those of its group."""
    if by_class and "labels" in items:
        sets = [frozenset(labels) for labels in items["labels"]]
        return lambda row, hits: np.array([bool(sets[row] & sets[hit]) for hit in hits], dtype=bool)
    what = items["label_name" if by_class else "group"].to_numpy()
    return lambda row, hits: what[hits] == what[row]


def mixed(right: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Up to `count` drawn places, half of them right as far as there are; the right ones first."""
    rng = np.random.default_rng(seed)
    yes, no = rng.permutation(np.flatnonzero(right)), rng.permutation(np.flatnonzero(~right))
    wrong = min(len(no), max(count // 2, count - len(yes)))
    return np.concatenate([yes[: count - wrong], no[:wrong]])


def neighborhoods(
    table: pd.DataFrame, shown: Appearances, seed: int
) -> list[list[tuple[np.ndarray | None, str, float]]]:
    """A few drawn items, each followed by its nearest neighbours: picture, text, similarity."""
    table = table[table["rank"] < NEIGHBORS].sort_values(["row", "rank"])
    rows = table["row"].unique()
    drawn = np.random.default_rng(seed).permutation(rows)[:ITEMS]

    def cell(row: int, similarity: float) -> tuple[np.ndarray | None, str, float]:
        return shown.image(row), shown.words(row), similarity

    near = table.groupby("row")
    return [
        [cell(row, 1.0), *(cell(n.neighbor, n.similarity) for n in near.get_group(row).itertuples())] for row in drawn
    ]
