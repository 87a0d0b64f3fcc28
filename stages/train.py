"""Train one method with one seed; a training that was cut off goes on from its last epoch."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning.fabric import Fabric

from kith.errors import KithError, listed
from kith.models import DualEncoder, save, start_from
from kith.models.features import TfidfTower
from kith.models.image import load_weights
from kith.models.text import load_inverse_frequency, load_word_vectors
from kith.store.classes import Classes, class_vectors
from kith.store.inputs import TokenInput
from kith.store.prepared import Prepared
from kith.store.provenance import note, parameters
from kith.store.semantic import word_vectors
from kith.text.tokens import Vocabulary
from kith.training import devices
from kith.training.architecture import architecture
from kith.training.checkpoint import Checkpoint, fingerprint
from kith.training.data import TrainingData, training_data, training_vocabulary
from kith.training.loop import batches_of, fit
from kith.training.objective import Objective
from kith.training.options import TrainingConfig
from kith.training.samplers import BalancedSampler
from stages import cli, files, params, tracking
from stages.params.derived import options_of
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
    fabric = devices.fabric(**settings.train.model_dump(include={"threads", "device", "devices", "precision"}))
    prepared, words = Prepared(data), settings.train.text
    vocabulary = training_vocabulary(prepared, words.min_count, words.max_words)
    classes = Classes(taxonomy, prepared)
    learned = training_data(prepared, settings.needs, vocabulary, words.max_tokens, classes, neighbors)
    targets = _targets(settings, len(classes), class_embedding, prepared)
    torch.manual_seed(seed)
    try:
        encoder = DualEncoder(_architecture(settings, prepared, vocabulary, classes, targets))
        _initialize(encoder, vocabulary, settings.train, text, prepared, learned, targets)
    except (ValueError, FileNotFoundError) as error:
        raise KithError(f"params.yaml: train: {error}") from None
    objective = Objective(settings.losses.terms(), encoder.dim, len(classes))
    config = _config(settings, seed)
    _check(method, objective, learned, config, classes.labels, neighbors)
    inputs = _inputs(settings.train, data, text, neighbors, taxonomy, class_embedding)
    made_by = fingerprint(settings.model_dump_json(), str(seed), files=[*inputs, Path(__file__)])
    checkpoint = Checkpoint(CHECKPOINTS / values.study.name / f"{method}-{seed}.pt", made_by, files.write_bytes)
    tracked = settings.model_dump(exclude_none=True)
    with tracking.training(method, seed, tracked, made_by, fabric.is_global_zero) as run:
        try:
            records = _fit(encoder, objective, learned, config, fabric, checkpoint, run.epoch)
        except FloatingPointError as error:
            raise KithError(f"method {method}, seed {seed}: {error}; lower the learning rate, or clip_norm") from None
        if fabric.is_global_zero:
            told = {"method": method, "seed": seed, "parameters": settings.model_dump(mode="json", exclude_none=True)}
            files.write_bytes(model, save(encoder, vocabulary, words.max_tokens, told))
            files.write_parquet(history, pd.DataFrame(records))
            made_of = {"data": prepared.checksum, "parameters": parameters(told["parameters"])}
            files.write_json(trained, note([model, history], method=method, seed=seed, **made_of))
            run.finish(model, history, records)
            checkpoint.remove()


def _fit(
    encoder: DualEncoder,
    objective: Objective,
    learned: TrainingData,
    config: TrainingConfig,
    fabric: Fabric,
    checkpoint: Checkpoint,
    track: Callable[[dict[str, float]], None],
) -> list[dict[str, float]]:
    """Train from the checkpoint on, if there is one; every epoch is printed and tracked, with its seconds."""
    clock = [time.perf_counter()]

    def on_epoch(record: dict[str, float]) -> None:
        clock.append(time.perf_counter())
        track(record | {"seconds": clock[-1] - clock[-2]})  # not in the history, whose bytes are to repeat
        fabric.print(json.dumps({name: round(value, 4) for name, value in record.items()}), flush=True)

    return fit(
        encoder,
        objective,
        learned,
        config,
        fabric,
        resume=checkpoint.read(),
        on_epoch=on_epoch,
        on_checkpoint=checkpoint.write if fabric.is_global_zero else lambda state: None,
    )


def _inputs(
    options: params.Train, data: Path, text: Path, neighbors: Path, taxonomy: Path, class_embedding: Path
) -> list[Path]:
    """Files that decide what is learned; dataset.json holds the checksums of items and pictures."""
    inputs = [data / "dataset.json", neighbors / "neighbors.parquet", text / "word_vectors.parquet"]
    inputs += [taxonomy / "similarity.npz", class_embedding / "embedding.npy", class_embedding / "words.npy"]
    return inputs + [path for path in (options.start, options.image.weights) if path is not None]


def _targets(settings: Method, classes: int, class_embedding: Path, data: Prepared) -> torch.Tensor | None:
    """(classes, d) float32, what the method's class terms draw pictures towards."""
    if not settings.needs.targets:
        return None
    if settings.targets == "onehot":
        return torch.eye(classes)
    name = "embedding.npy" if settings.targets == "hierarchy" else "words.npy"
    return torch.from_numpy(class_vectors(class_embedding, name, data)).float()


def _architecture(
    settings: Method, data: Prepared, vocabulary: Vocabulary, classes: Classes, targets: torch.Tensor | None
) -> dict[str, Any]:
    options = settings.train.model_dump() | {"projection": settings.train.projection.options()}
    known: dict[str, Any] = {"labels": classes.labels, "names": classes.names, "words": len(vocabulary)}
    width = None if targets is None else targets.shape[1]
    return architecture(options, data.dataset, settings.needs, **known, targets=width)


def _initialize(
    encoder: DualEncoder,
    vocabulary: Vocabulary,
    options: params.Train,
    text: Path,
    data: Prepared,
    learned: TrainingData,
    targets: torch.Tensor | None,
) -> None:
    if options.image.weights is not None:
        load_weights(encoder.image_tower, str(options.image.weights))
    if options.text.pretrained_words and encoder.text_tower is not None:
        vectors = {word: torch.tensor(vector) for word, vector in word_vectors(text, data).items()}
        known = load_word_vectors(encoder.text_tower, vocabulary, vectors)
        print(f"{known} of {len(vocabulary)} words start from their Doc2Vec vectors")
    if isinstance(learned.text, TokenInput) and isinstance(encoder.text_tower, TfidfTower):
        load_inverse_frequency(encoder.text_tower, learned.text.tokens[learned.text.all_of(learned.train)[0]])
    if options.start is not None:
        taken, left = start_from(encoder, options.start)
        print(f"{taken} tensors start from {options.start}, {left} do not fit it")
    if targets is not None and encoder.targets is not None:
        encoder.targets.copy_(targets)


def _check(
    method: str,
    objective: Objective,
    learned: TrainingData,
    config: TrainingConfig,
    names: list[str],
    neighbors: Path,
) -> None:
    """Refuse losses that draw neighbours where there are none; say which classes have few pictures."""
    if objective.needs.neighbors and learned.neighbors is None:
        raise KithError(
            f"method {method}: its losses draw neighbours, and {neighbors / 'neighbors.parquet'} has none; "
            "choose another text.backend than none, or a method without angular_image and angular_text"
        )
    sampler = batches_of(learned, config)
    if isinstance(sampler, BalancedSampler) and len(sampler.small):
        few = listed([names[number] for number in sampler.small])
        print(f"of {few} there are fewer than {config.items_per_class} pictures: some come twice in a batch")


def _config(settings: Method, seed: int) -> TrainingConfig:
    """The loop's share of the parameters."""
    drawn = settings.neighbors.model_dump()
    return options_of(TrainingConfig, settings.train.model_dump() | {"neighbors": drawn, "seed": seed})


if __name__ == "__main__":
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts: deterministic matrix products
    cli.run(main)
