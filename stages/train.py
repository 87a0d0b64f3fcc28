"""Train one method with one seed; a training that was cut off goes on from its last epoch."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from kith.encoders.names import SIDES, Side
from kith.errors import KithError, listed
from kith.losses import Needs, of_one_label
from kith.models import DualEncoder, save, start_from
from kith.models.features import TfidfTower
from kith.models.image import load_weights
from kith.models.text import load_inverse_frequency, load_word_vectors
from kith.store.classes import Classes, class_vectors
from kith.store.encoded import Encoded, encoded_sides
from kith.store.inputs import TokenInput
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, note, parameters
from kith.store.semantic import word_vectors
from kith.text import coverage
from kith.text.kinds import OF_WORDS
from kith.text.pretrained import tokenizer_file
from kith.text.tokenizer import Tokenizer
from kith.training import devices
from kith.training.architecture import architecture
from kith.training.checkpoint import Checkpoint, fingerprint
from kith.training.data import TrainingData, training_data, training_tokenizer
from kith.training.finetuning import StartingEncoder, start_from_encoders, starting_encoder, tokenizer_of
from kith.training.fitting import fit_inputs
from kith.training.lightning import Fabric
from kith.training.loop import batches_of, fit
from kith.training.objective import Objective
from kith.training.options import TrainingConfig
from kith.training.samplers import BalancedSampler
from stages import cli, files, params, tracking
from stages.params.derived import options_of
from stages.params.inputs import NONE, named
from stages.params.method import Method
from stages.params.towers import ENCODER, ImageTower, TextTower

CHECKPOINTS = Path("checkpoints")

Opened = Callable[[str, int, Any, str, Prepared, bool], AbstractContextManager[Any]]


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
    encoded_image: Path = Path(NONE),
    encoded_text: Path = Path(NONE),
) -> None:
    """Write the trained --model and its --history, one row an epoch; --trained notes what they are made of."""
    made = {"text": text, "neighbors": neighbors, "taxonomy": taxonomy, "class_embedding": class_embedding}
    encoded = {"encoded_image": encoded_image, "encoded_text": encoded_text}
    written = {"model": model, "history": history, "trained": trained}
    train(params.load(), tracking.training, method=method, seed=seed, data=data, **made, **encoded, **written)


def train(
    values: params.Params,
    opened: Opened,
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
    encoded_image: Path,
    encoded_text: Path,
) -> None:
    """Train a method of the study `values` as `main` does; opened: opens the run that it is recorded in."""
    settings = values.method(method)
    fabric = devices.fabric(**settings.train.model_dump(include={"threads", "device", "devices", "precision"}))
    prepared, starts = Prepared(data), _encoders(settings)
    vocabulary, longest = _tokenizer(prepared, settings.train.text, starts)
    classes = Classes(taxonomy, prepared)
    encoded = encoded_sides(prepared, named(encoded_image), named(encoded_text if settings.needs.texts else Path(NONE)))
    needs = _needs(settings, classes)
    learned = training_data(prepared, needs, vocabulary, longest, classes, neighbors, encoded, _tests(values, prepared))
    targets = _targets(settings, len(classes), class_embedding, prepared)
    torch.manual_seed(seed)
    with _named("params.yaml: train"):
        encoder = DualEncoder(_architecture(settings, needs, prepared, vocabulary, classes, targets, encoded, starts))
        _initialize(encoder, vocabulary, settings.train, text, prepared, learned, targets, starts)
    objective, config = _objective(settings, encoder, classes), _config(settings, seed, starts)
    _check_labels(method, settings, learned)
    _check(method, objective, learned, config, classes.labels, neighbors)
    _tell(learned, prepared, vocabulary, longest)
    inputs = _inputs(settings.train, data, text, neighbors, taxonomy, class_embedding, encoded)
    used = {f"{side}_encoder": known for side, known in _references(encoded, starts).items()}
    made_by = fingerprint(settings.model_dump_json(), str(seed), json.dumps(used), files=inputs)
    checkpoint = Checkpoint(CHECKPOINTS / values.study.name / f"{method}-{seed}.pt", made_by, files.write_bytes)
    told = {"method": method, "seed": seed, "parameters": settings.model_dump(mode="json", exclude_none=True)}
    with opened(method, seed, told["parameters"], made_by, prepared, fabric.is_global_zero) as run:
        place = _place(values.study, method, seed)
        records = _fit(place, encoder, objective, learned, config, fabric, checkpoint, run.epoch)
        if fabric.is_global_zero:
            files.write_bytes(model, save(encoder, vocabulary, longest, told))
            files.write_parquet(history, pd.DataFrame(records))
            files.write_json(trained, note([model, history], **_made_of(values, told, prepared), **used))
            run.finish(model, history, records)
            checkpoint.remove()


def _objective(settings: Method, encoder: DualEncoder, classes: Classes) -> Objective:
    return Objective(settings.losses.terms(), encoder.dim, len(classes), settings.losses.matryoshka)


def _made_of(values: params.Params, told: dict[str, Any], data: Prepared) -> dict[str, Any]:
    """What the model is of, in trained.json; told: what the model itself tells."""
    noted = {"data": data.checksum, "parameters": parameters(told["parameters"])}
    return told | noted | {"trained_with": params.trained_with(values, told["method"])}


def _tests(values: params.Params, data: Prepared) -> list[str]:
    """The splits that the model will be measured on."""
    return [split for split in values.embed.splits or data.held_out if split.startswith("test")]


def _place(study: params.Study, method: str, seed: int) -> str:
    """Which of the study's trainings it is."""
    if method not in study.methods or seed not in study.seeds:
        return f"method {method}, seed {seed}"
    of_seeds = f" ({study.seeds.index(seed) + 1} of {len(study.seeds)})" if len(study.seeds) > 1 else ""
    return f"method {method} ({study.methods.index(method) + 1} of {len(study.methods)}), seed {seed}{of_seeds}"


@contextmanager
def _named(place: str) -> Iterator[None]:
    """What does not fit together is said with the place where it is set."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        raise KithError(f"{place}: {error}") from None


def _fit(
    place: str,
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

    def kept(state: dict[str, Any]) -> None:
        cli.if_interrupted(f"the same command goes on after epoch {len(state['history'])}")

    def on_checkpoint(state: dict[str, Any]) -> None:
        if fabric.is_global_zero:
            checkpoint.write(state)
            kept(state)

    if (resumed := checkpoint.read()) is not None:
        kept(resumed)
    try:
        return fit(
            encoder,
            objective,
            learned,
            config,
            fabric,
            name=place,
            resume=resumed,
            on_epoch=on_epoch,
            on_checkpoint=on_checkpoint,
        )
    except FloatingPointError as error:
        raise KithError(f"{place}: {error}; lower the learning rate, or clip_norm") from None


def _inputs(
    options: params.Train,
    data: Path,
    text: Path,
    neighbors: Path,
    taxonomy: Path,
    class_embedding: Path,
    encoded: Mapping[str, Encoded],
) -> list[Path]:
    """Files that decide what is learned; dataset.json holds the checksums of items and pictures."""
    inputs = [Path(__file__), *(each.folder / NOTE for each in encoded.values())]
    inputs += [data / "dataset.json", neighbors / "neighbors.parquet", text / "word_vectors.parquet"]
    inputs += [taxonomy / "similarity.npz", class_embedding / "embedding.npy", class_embedding / "words.npy"]
    tokenizer = options.text.tokenizer
    inputs += [] if tokenizer in (None, *OF_WORDS) else [tokenizer_file(tokenizer)]
    return inputs + [path for path in (options.start, options.image.weights) if path is not None]


def _encoders(settings: Method) -> dict[Side, StartingEncoder]:
    """The encoders that are trained on, by side. They are opened before the seed is set: some draw what they lack."""
    train, sides = settings.train, SIDES if settings.needs.texts else SIDES[:1]
    towers: dict[Side, ImageTower | TextTower] = {"image": train.image, "text": train.text}
    trained = {side: towers[side] for side in sides if towers[side].tower == ENCODER}
    cropped = train.augment.crop is not None
    return {
        side: starting_encoder(str(tower.encoder), side, tower.finetuning, cropped=cropped)
        for side, tower in trained.items()
    }


def _references(encoded: Mapping[str, Encoded], starts: Mapping[Side, StartingEncoder]) -> dict[str, dict[str, Any]]:
    """By side, what is noted of its encoder, frozen or trained on."""
    frozen = {side: each.reference(side) for side, each in encoded.items()}
    return frozen | {side: each.reference for side, each in starts.items()}


def _tokenizer(data: Prepared, words: TextTower, starts: Mapping[Side, StartingEncoder]) -> tuple[Tokenizer, int]:
    """What cuts the texts, and the longest that they may be, in its pieces."""
    if "text" in starts:
        return tokenizer_of(starts["text"], words.max_tokens)
    selection = None if words.tokens is None else words.tokens.selection
    ordered = words.tower == "gru"
    known = training_tokenizer(data, words.tokenizer, words.min_count, words.max_words, ordered, selection)
    return known, words.max_tokens


def _needs(settings: Method, classes: Classes) -> Needs:
    """What the losses need; without any, of pictures alone, their classes, as far as there are some to measure by."""
    needs = settings.needs
    return replace(needs, classes=len(classes) > 0) if not settings.train.epochs and not needs.texts else needs


def _targets(settings: Method, classes: int, class_embedding: Path, data: Prepared) -> torch.Tensor | None:
    """(classes, d) float32, what the method's class terms draw pictures towards."""
    if not settings.needs.targets:
        return None
    if settings.targets == "onehot":
        return torch.eye(classes)
    name = "embedding.npy" if settings.targets == "hierarchy" else "words.npy"
    return torch.from_numpy(class_vectors(class_embedding, name, data)).float()


def _architecture(
    settings: Method,
    needs: Needs,
    data: Prepared,
    vocabulary: Tokenizer,
    classes: Classes,
    targets: torch.Tensor | None,
    encoded: Mapping[str, Encoded],
    starts: Mapping[Side, StartingEncoder],
) -> dict[str, Any]:
    options = settings.train.model_dump() | {"projection": settings.train.projection.options()}
    known: dict[str, Any] = {"labels": classes.labels, "names": classes.names, "words": len(vocabulary)}
    known["several"] = "labels" in data.table
    width = None if targets is None else targets.shape[1]
    references = {side: each.reference(side) for side, each in encoded.items()}
    networks = {side: each.network for side, each in starts.items()}
    return architecture(options, data.dataset, needs, **known, targets=width, encoders=references, networks=networks)


def _initialize(
    encoder: DualEncoder,
    vocabulary: Tokenizer,
    options: params.Train,
    text: Path,
    data: Prepared,
    learned: TrainingData,
    targets: torch.Tensor | None,
    starts: Mapping[Side, StartingEncoder],
) -> None:
    start_from_encoders(encoder, starts)
    if options.image.weights is not None:
        load_weights(encoder.image_tower, str(options.image.weights))
    if options.text.pretrained_words and encoder.text_tower is not None:
        vectors = {word: torch.tensor(vector) for word, vector in word_vectors(text, data).items()}
        known = load_word_vectors(encoder.text_tower, vocabulary, vectors)
        print(f"{known} of {len(vocabulary)} words start from their Doc2Vec vectors")
    if isinstance(learned.text, TokenInput) and isinstance(encoder.text_tower, TfidfTower):
        load_inverse_frequency(encoder.text_tower, learned.text.tokens[learned.text.all_of(learned.train)[0]])
    if options.start is not None:
        taken, left = start_from(encoder, vocabulary, options.start)
        print(f"{taken} tensors start from {options.start}, {left} do not fit it")
    if targets is not None and encoder.targets is not None:
        encoder.targets.copy_(targets)
    fit_inputs(encoder, learned)


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


def _check_labels(method: str, settings: Method, learned: TrainingData) -> None:
    """Refuse losses of one label a picture where pictures have several."""
    several = learned.labels is not None and learned.labels.ndim == 2
    if several and (alone := of_one_label(settings.losses.terms())):
        raise KithError(
            f"method {method}: {listed(alone)} need pictures of one label each, and these have several; take losses of "
            "pairs, such as dpsh, or binary_cross_entropy"
        )


def _tell(learned: TrainingData, data: Prepared, vocabulary: Tokenizer, max_tokens: int) -> None:
    """Say where texts share no words, or are cut."""
    if not isinstance(learned.text, TokenInput):
        return
    known = [row[row > Tokenizer.END].tolist() for row in learned.text.tokens]
    splits = np.repeat(data.splits, np.diff(data.text_start))
    lines = coverage.remarks(coverage.by_split(known, splits))
    full = np.flatnonzero(learned.text.lengths == max_tokens)
    if cut := sum(vocabulary.is_cut(data.texts[row], max_tokens) for row in full):
        lines.append(
            f"of {len(known):,} texts {cut:,} are longer than train.text.max_tokens, {max_tokens}, and are cut"
        )
    for line in lines:
        print(f"train: {line}", file=sys.stderr)


def _config(settings: Method, seed: int, starts: Mapping[Side, StartingEncoder]) -> TrainingConfig:
    """The loop's share of the parameters."""
    factors = {side: each.options.lr_factor for side, each in starts.items()}
    besides = {"neighbors": settings.neighbors.model_dump(), "seed": seed, "lr_factors": factors}
    return options_of(TrainingConfig, settings.train.model_dump() | besides)


if __name__ == "__main__":
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts: deterministic matrix products
    cli.run(main)
