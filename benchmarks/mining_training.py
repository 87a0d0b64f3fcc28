"""What losses and mining cost in training: whole steps by method, against cross-entropy on the same batches."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from lightning_fabric import Fabric

from benchmarks.table import Case
from benchmarks.training import CLASSES, PerStep, made_up, network, seconds_of_epochs
from kith.training.loop import batches_of, fit
from kith.training.objective import Objective
from kith.training.options import TrainingConfig
from stages import params
from stages.params.losses import Losses

TITLE = "Training by method"
ABOUT = """Seconds of one step of the real loop, n pictures of it: 32 × 32 pixels at random, ten classes, a
ResNet-10, forward, loss, backward and update. The limit is the same with cross-entropy."""
SIDE, HELD_OUT, DIM = 32, 20, 128
METHODS = (
    *("classifier", "contrastive", "hoffer_ailon", "triplet_all", "triplet_random", "triplet_semihard"),
    *("triplet_hardest", "batch_hard", "proxy_anchor", "multi_similarity", "supcon", "dtsh"),
)


def step(name: str, batch: int, per_class: int, pictures: int, width: int, epochs: int) -> Callable[[], Any]:
    data = made_up(pictures, SIDE, HELD_OUT)
    losses = Losses(**params.presets()[name]["losses"]).terms()
    torch.manual_seed(0)
    model = network(f"resnet:10:{width}", SIDE, DIM, losses.get("cross_entropy", {}).get("head"))
    config = TrainingConfig(
        epochs=epochs,
        batch_size=batch,
        sampler="balanced",
        items_per_class=per_class,
        optimizer="adamw",
        schedule="constant",
    )
    steps = len(batches_of(data, config).epoch(1))
    fabric, objective = Fabric(accelerator="cpu", devices=1), Objective(losses, DIM, CLASSES)
    return lambda: seconds_of_epochs(lambda note: fit(model, objective, data, config, fabric, on_epoch=note), steps)


def cases(
    quick: bool,
    *,
    batch: int = 120,
    per_class: int = 12,
    pictures: int = 1200,
    width: int = 16,
    epochs: int = 3,
    methods: tuple[str, ...] = METHODS,
) -> Iterator[Case]:
    if quick:
        pictures, epochs = 2 * batch, 2
    for name in methods:
        how = (batch, per_class, pictures, width, epochs)
        first = ("cross-entropy", PerStep(step, ("classifier", *how)))
        yield Case(name, batch, PerStep(step, (name, *how)), limit=None if name == "classifier" else first)
