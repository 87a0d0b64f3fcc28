"""Train one method with one seed; a training that was cut off goes on from its last epoch."""

import hashlib
import io
import json
import os
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from kith.data.digests import sha256
from kith.errors import KithError, listed
from kith.models import DualEncoder, save, start_from
from kith.models.features import TfidfTower
from kith.models.image import load_weights
from kith.models.text import load_inverse_frequency, load_word_vectors
from kith.store.classes import Classes, class_vectors
from kith.store.inputs import TokenView, image_input, text_input
from kith.store.prepared import Prepared
from kith.store.provenance import note, parameters
from kith.store.semantic import neighbor_table
from kith.text.tokens import Vocabulary
from kith.training import devices
from kith.training.data import TrainingData
from kith.training.loop import batches_of, fit
from kith.training.objective import Objective
from kith.training.optimization import TrainingConfig
from kith.training.samplers import BalancedSampler, NeighborSampler
from stages import cli, files, params, tracking
from stages.params.method import Method

CHECKPOINTS = Path("checkpoints")


def main(
    *,
    method: str,
    seed: int,
    data: Path,
    text: Path,
    neighbors: Path,
    taxonomy: Path,
    class_embedding: Path,
    model: Path,
    history: Path,
    trained: Path,
) -> None:
    """Write the trained --model and its --history, one row an epoch; --trained notes what they are made of."""
    values = params.load()
    settings = values.method(method)
    fabric = devices.fabric(settings.train)
    prepared = Prepared(data)
    vocabulary = _vocabulary(prepared, settings.train.text)
    classes = Classes(taxonomy, prepared)
    learned = _training_data(settings, prepared, vocabulary, classes, neighbors)
    targets = _targets(settings, len(classes), class_embedding, prepared)
    torch.manual_seed(seed)
    try:
        encoder = DualEncoder(architecture(settings, prepared.dataset, vocabulary, classes, targets))
        _initialize(encoder, vocabulary, settings.train, text, learned, targets)
    except (ValueError, FileNotFoundError) as error:
        raise KithError(f"params.yaml: train: {error}") from None
    objective = Objective(settings.losses.terms(), encoder.dim, len(classes))
    config = _config(settings, seed)
    _say_small_classes(learned, config, classes.labels)
    if objective.needs.neighbors and learned.neighbors is None:
        raise KithError(
            f"method {method}: its losses draw neighbours, and {neighbors / 'neighbors.parquet'} has none; "
            "choose another text.backend than none, or a method without angular_image and angular_text"
        )
    # dataset.json holds the checksums of items and pictures.
    inputs = [data / "dataset.json", neighbors / "neighbors.parquet", text / "word_vectors.parquet"]
    inputs += [taxonomy / "similarity.npz", class_embedding / "embedding.npy", class_embedding / "words.npy"]
    inputs += [path for path in (settings.train.start, settings.train.image.weights) if path is not None]
    fingerprint = _fingerprint(settings, seed, *inputs)
    checkpoint = Checkpoint(CHECKPOINTS / values.study.name / f"{method}-{seed}.pt", fingerprint)
    told = {
        "method": method,
        "seed": seed,
        "parameters": settings.model_dump(mode="json", exclude_none=True),
    }

    tracked = settings.model_dump(exclude_none=True)
    with tracking.training(method, seed, tracked, fingerprint, fabric.is_global_zero) as run:
        clock = [time.perf_counter()]

        def on_epoch(record: dict[str, float]) -> None:
            clock.append(time.perf_counter())
            run.epoch(record | {"seconds": clock[-1] - clock[-2]})  # not in the history, whose bytes are to repeat
            fabric.print(json.dumps({name: round(value, 4) for name, value in record.items()}), flush=True)

        try:
            records = fit(
                encoder,
                objective,
                learned,
                config,
                fabric,
                resume=checkpoint.read(),
                on_epoch=on_epoch,
                on_checkpoint=checkpoint.write if fabric.is_global_zero else lambda state: None,
            )
        except FloatingPointError as error:
            raise KithError(f"method {method}, seed {seed}: {error}; lower the learning rate, or clip_norm") from None
        if fabric.is_global_zero:
            files.write_bytes(model, save(encoder, vocabulary, settings.train.text.max_tokens, told))
            files.write_parquet(history, pd.DataFrame(records))
            made_of = {"data": prepared.checksum, "parameters": parameters(told["parameters"])}
            files.write_json(trained, note([model, history], method=method, seed=seed, **made_of))
            run.finish(model, history, records)
            checkpoint.remove()


class Checkpoint:
    """The state of an unfinished training, kept outside the stage's outputs, which both engines clear.

    The fingerprint is of all that the training depends on: with other data or parameters it is ignored.
    """

    def __init__(self, path: Path, fingerprint: str):
        self.path = path
        self.fingerprint = fingerprint

    def read(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        content = torch.load(self.path, map_location="cpu", weights_only=False)
        if content["fingerprint"] != self.fingerprint:
            return None
        print(f"resuming after epoch {len(content['state']['history'])}")
        return content["state"]

    def write(self, state: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save({"fingerprint": self.fingerprint, "state": state}, buffer)
        files.write_bytes(self.path, buffer.getvalue())

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _fingerprint(settings: Method, seed: int, *inputs: Path) -> str:
    known = [settings.model_dump_json(), str(seed), *map(sha256, filter(Path.exists, inputs))]
    return hashlib.sha256(" ".join(known).encode()).hexdigest()


def _vocabulary(data: Prepared, options: params.TextTower) -> Vocabulary:
    train = data.table[data.splits == "train"].drop_duplicates("group")
    texts = [text for each in train["texts"] for text in each]
    return Vocabulary.build(texts, options.min_count, options.max_words)


def _training_data(
    settings: Method, data: Prepared, vocabulary: Vocabulary, classes: Classes, neighbors: Path
) -> TrainingData:
    """Items that have all that the method's losses compare: a picture, and a text, or a class, or both."""
    image = image_input(data)
    everyone = np.arange(len(data))
    usable, needs = image.has(everyone), ["a picture"]
    text = labels = similarity = near = None
    if settings.needs.texts:
        text = text_input(data, vocabulary, settings.train.text.max_tokens)
        usable, needs = usable & text.has(everyone), [*needs, "a text"]
    if settings.needs.classes:
        labels, similarity = classes.numbers(data.table), classes.similarity("lcsh")
        if not settings.needs.texts:  # else items without a class still teach what goes together
            usable, needs = usable & (labels >= 0), [*needs, "a label"]
    train, val = (rows[usable[rows]] for rows in map(data.rows_of, ("train", "val")))
    for name, rows in (("train", train), ("val", val)):
        if len(rows) < 2:
            raise KithError(
                f"{data.folder / 'items.parquet'}: split '{name}' has {len(rows)} items with {' and '.join(needs)}; "
                "2 are needed"
            )
    if settings.needs.texts:
        table = neighbor_table(neighbors, data)
        near = _neighbor_sampler(table, data.groups, train) if len(table) else None
    return TrainingData(image, text, data.groups, train, val, near, labels, similarity)


def _targets(settings: Method, classes: int, class_embedding: Path, data: Prepared) -> torch.Tensor | None:
    """(classes, d) float32, what the method's class terms draw pictures towards."""
    if not settings.needs.targets:
        return None
    if settings.targets == "onehot":
        return torch.eye(classes)
    name = "embedding.npy" if settings.targets == "hierarchy" else "words.npy"
    return torch.from_numpy(class_vectors(class_embedding, name, data)).float()


def _neighbor_sampler(table: pd.DataFrame, groups: np.ndarray, train: np.ndarray) -> NeighborSampler:
    """Neighbour rows to neighbour groups, of the groups that are trained on."""
    trained = np.full(len(groups), -1, dtype=np.int64)
    trained[train] = groups[train]
    near = np.full((int(groups.max()) + 1, int(table["rank"].max()) + 1), -1)
    near[groups[table["row"]], table["rank"]] = trained[table["neighbor"]]
    return NeighborSampler(near, trained)


def architecture(
    settings: Method,
    dataset: dict[str, Any],
    vocabulary: Vocabulary,
    classes: Classes,
    targets: torch.Tensor | None,
) -> dict[str, Any]:
    """The config of DualEncoder."""
    options = settings.train
    return {
        "dim": options.dim if targets is None else targets.shape[1],
        "image": _image_side(options, dataset),
        "text": _text_side(options, dataset, vocabulary) if settings.needs.texts else None,
        "head": options.head,
        "codes": options.codes,
        "projection": options.projection.options(),
        "classes": {
            "names": classes.labels,
            "shown": classes.names,
            "classifier": settings.needs.classifier,
            "targets": None if targets is None else targets.shape[1],
        }
        if settings.needs.classes
        else None,
    }


def _image_side(options: params.Train, dataset: dict[str, Any]) -> dict[str, Any]:
    if (features := _features(dataset, "image")) is not None:
        if len(features["shape"]) != 3 and any(options.augment.model_dump().values()):
            raise ValueError("augment is for pictures and maps, not for vectors; leave it out")
        return features | options.image.model_dump(include={"tower", "hidden", "layers", "width"})
    pictures = dataset["image"]
    image = options.image.model_dump(include={"tower", "depth", "width"})
    image |= {"channels": pictures["channels"], "size": pictures["height"], "fit": pictures["fit"]}
    image["crop"] = options.augment.crop
    if options.augment.crop is not None and options.augment.crop > pictures["height"]:
        raise ValueError(f"augment.crop: {options.augment.crop} is more than the {pictures['height']} pixels of a side")
    return image | {"mean": dataset["mean"], "std": dataset["std"]}


def _text_side(options: params.Train, dataset: dict[str, Any], vocabulary: Vocabulary) -> dict[str, Any]:
    if (features := _features(dataset, "text")) is not None:
        return features | options.text.model_dump(include={"tower", "hidden", "layers", "width"})
    text = options.text.model_dump(include={"tower", "embedding", "hidden", "layers", "dropout"})
    return text | {"words": len(vocabulary)}


def _features(dataset: dict[str, Any], side: str) -> dict[str, Any] | None:
    """Shape, shift and scale of the features of a side ("image", "text"); None where it has none."""
    return (dataset.get("features") or {}).get(side)


def _initialize(
    encoder: DualEncoder,
    vocabulary: Vocabulary,
    options: params.Train,
    text: Path,
    learned: TrainingData,
    targets: torch.Tensor | None,
) -> None:
    if options.image.weights is not None:
        load_weights(encoder.image_tower, str(options.image.weights))
    if options.text.pretrained_words and encoder.text_tower is not None:
        words = pd.read_parquet(text / "word_vectors.parquet")
        vectors = {word: torch.tensor(vector) for word, vector in zip(words["word"], words["vector"], strict=True)}
        known = load_word_vectors(encoder.text_tower, vocabulary, vectors)
        print(f"{known} of {len(vocabulary)} words start from their Doc2Vec vectors")
    if isinstance(learned.text, TokenView) and isinstance(encoder.text_tower, TfidfTower):
        load_inverse_frequency(encoder.text_tower, learned.text.tokens[learned.text.all_of(learned.train)[0]])
    if options.start is not None:
        taken, left = start_from(encoder, options.start)
        print(f"{taken} tensors start from {options.start}, {left} do not fit it")
    if targets is not None and encoder.targets is not None:
        encoder.targets.copy_(targets)


def _say_small_classes(learned: TrainingData, config: TrainingConfig, names: list[str]) -> None:
    sampler = batches_of(learned, config)
    if isinstance(sampler, BalancedSampler) and len(sampler.small):
        few = listed([names[number] for number in sampler.small])
        print(f"of {few} there are fewer than {config.items_per_class} pictures: some come twice in a batch")


def _config(settings: Method, seed: int) -> TrainingConfig:
    """The loop's share of the parameters."""
    train = settings.train.model_dump()
    shared = {field.name: train[field.name] for field in fields(TrainingConfig) if field.name in train}
    return TrainingConfig(
        **shared, neighbor_count=settings.neighbors.count, neighbor_among=settings.neighbors.among, seed=seed
    )


if __name__ == "__main__":
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts: deterministic matrix products
    cli.run(main)
