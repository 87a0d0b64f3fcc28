"""Train one method with one seed; a training that was cut off goes on from its last epoch."""

import hashlib
import io
import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from kith.errors import KithError
from kith.models import DualEncoder, save
from kith.models.features import TfidfTower
from kith.models.image import load_weights
from kith.models.text import load_inverse_frequency, load_word_vectors
from kith.objective import Objective
from kith.sampling import NeighborSampler
from kith.text import Vocabulary
from kith.training import PairData, TrainingConfig, fit
from kith.views import TokenView
from stages import cli, contract, devices, files, params, tracking, views

CHECKPOINTS = Path("checkpoints")


def main(*, method: str, seed: int, data: Path, text: Path, neighbors: Path, model: Path, history: Path) -> None:
    """Write the trained --model and its --history, one row an epoch."""
    settings = params.load().method(method)
    fabric = devices.fabric(settings.train)
    items = contract.items(data)
    vocabulary = _vocabulary(items, settings.train.text)
    pairs = _pair_data(items, data, neighbors, vocabulary, settings.train.text.max_tokens)
    objective = Objective(settings.losses.terms())
    if objective.uses_neighbors and pairs.neighbors is None:
        raise KithError(
            f"method {method}: its losses draw neighbours, and {neighbors / 'neighbors.parquet'} has none; "
            "choose another text.backend than none, or a method without angular_image and angular_text"
        )
    torch.manual_seed(seed)
    try:
        encoder = DualEncoder(_architecture(settings.train, contract.dataset(data), vocabulary))
        _initialize(encoder, vocabulary, settings.train, text, pairs)
    except (ValueError, FileNotFoundError) as error:
        raise KithError(f"params.yaml: train: {error}") from None
    # dataset.json holds the checksums of items and pictures.
    inputs = data / "dataset.json", neighbors / "neighbors.parquet", text / "word_vectors.parquet"
    fingerprint = _fingerprint(settings, seed, *inputs)
    checkpoint = Checkpoint(CHECKPOINTS / f"{method}-{seed}.pt", fingerprint)
    trained = {
        "method": method,
        "seed": seed,
        "parameters": settings.model_dump(mode="json", exclude_none=True),
    }

    tracked = settings.model_dump(exclude_none=True)
    with tracking.training(method, seed, tracked, fingerprint, fabric.is_global_zero) as run:

        def on_epoch(record: dict[str, float]) -> None:
            run.epoch(record)
            fabric.print(json.dumps({name: round(value, 4) for name, value in record.items()}), flush=True)

        try:
            records = fit(
                encoder,
                objective,
                pairs,
                _config(settings, seed),
                fabric,
                resume=checkpoint.read(),
                on_epoch=on_epoch,
                on_checkpoint=checkpoint.write if fabric.is_global_zero else lambda state: None,
            )
        except FloatingPointError as error:
            raise KithError(f"method {method}, seed {seed}: {error}; lower the learning rate, or clip_norm") from None
        if fabric.is_global_zero:
            files.write_bytes(model, save(encoder, vocabulary, settings.train.text.max_tokens, trained))
            files.write_parquet(history, pd.DataFrame(records))
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


def _fingerprint(settings: params.Method, seed: int, *inputs: Path) -> str:
    known = [settings.model_dump_json(), str(seed), *map(files.sha256, filter(Path.exists, inputs))]
    return hashlib.sha256(" ".join(known).encode()).hexdigest()


def _vocabulary(items: pd.DataFrame, options: params.TextTower) -> Vocabulary:
    train = items[items["split"] == "train"].drop_duplicates("group")
    return Vocabulary.build(contract.all_texts(train), options.min_count, options.max_words)


def _pair_data(items: pd.DataFrame, data: Path, neighbors: Path, vocabulary: Vocabulary, max_tokens: int) -> PairData:
    image, text = views.images(items, data), views.texts(items, data, vocabulary, max_tokens)
    groups = contract.group_codes(items)
    everyone = np.arange(len(items))
    paired = image.has(everyone) & text.has(everyone)
    train, val = (rows[paired[rows]] for rows in (contract.rows_of(items, s) for s in ("train", "val")))
    for name, rows in (("train", train), ("val", val)):
        if len(rows) < 2:
            raise KithError(
                f"{data / 'items.parquet'}: split '{name}' has {len(rows)} items with both sides; 2 are needed"
            )
    table = pd.read_parquet(neighbors / "neighbors.parquet")
    near = _neighbor_sampler(table, groups, train) if len(table) else None
    return PairData(image, text, groups, train, val, near)


def _neighbor_sampler(table: pd.DataFrame, groups: np.ndarray, train: np.ndarray) -> NeighborSampler:
    """Neighbour rows to neighbour groups, of the groups that are trained on."""
    trained = np.full(len(groups), -1, dtype=np.int64)
    trained[train] = groups[train]
    near = np.full((int(groups.max()) + 1, int(table["rank"].max()) + 1), -1)
    near[groups[table["row"]], table["rank"]] = trained[table["neighbor"]]
    return NeighborSampler(near, trained)


def _architecture(options: params.Train, dataset: dict[str, Any], vocabulary: Vocabulary) -> dict[str, Any]:
    """The config of DualEncoder."""
    image = options.image.model_dump(include={"tower", "depth", "width"})
    if (features := views.features(dataset, "image")) is not None:
        if len(features["shape"]) != 3 and any(options.augment.model_dump().values()):
            raise ValueError("augment is for pictures and maps, not for vectors; leave it out")
        image = features | options.image.model_dump(include={"tower", "hidden", "layers", "width"})
    else:
        pictures = dataset["image"]
        image |= {"channels": pictures["channels"], "size": pictures["height"], "fit": pictures["fit"]}
        image |= {"mean": dataset["mean"], "std": dataset["std"]}
    text = options.text.model_dump(include={"tower", "embedding", "hidden", "layers", "dropout"})
    if (features := views.features(dataset, "text")) is not None:
        text = features | options.text.model_dump(include={"tower", "hidden", "layers", "width"})
    else:
        text["words"] = len(vocabulary)
    return {"dim": options.dim, "image": image, "text": text, "projection": options.projection.options()}


def _initialize(
    encoder: DualEncoder, vocabulary: Vocabulary, options: params.Train, text: Path, pairs: PairData
) -> None:
    if options.image.weights is not None:
        load_weights(encoder.image_tower, str(options.image.weights))
    if options.text.pretrained_words:
        words = pd.read_parquet(text / "word_vectors.parquet")
        vectors = {word: torch.tensor(vector) for word, vector in zip(words["word"], words["vector"], strict=True)}
        known = load_word_vectors(encoder.text_tower, vocabulary, vectors)
        print(f"{known} of {len(vocabulary)} words start from their Doc2Vec vectors")
    if isinstance(pairs.text, TokenView) and isinstance(encoder.text_tower, TfidfTower):
        load_inverse_frequency(encoder.text_tower, pairs.text.tokens[pairs.text.all_of(pairs.train)[0]])


def _config(settings: params.Method, seed: int) -> TrainingConfig:
    """The loop's share of the parameters."""
    train = settings.train.model_dump()
    shared = {field.name: train[field.name] for field in fields(TrainingConfig) if field.name in train}
    return TrainingConfig(
        **shared, neighbor_count=settings.neighbors.count, neighbor_among=settings.neighbors.among, seed=seed
    )


if __name__ == "__main__":
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts: deterministic matrix products
    cli.run(main)
