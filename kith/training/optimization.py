"""How a training is set up: the parameters of the loop, and its optimizer and schedule."""

from dataclasses import dataclass
from typing import Any

import torch

from kith.training import schedules
from kith.training.schedules import Refinement
from kith.training.task import Task

PER_EPOCH = ("plateau", "refine")  # schedules that look at what an epoch has reached; all others count steps


@dataclass(frozen=True)
class TrainingConfig:
    """Parameters of the loop; stages.params.Train says what each means."""

    epochs: int
    batch_size: int = 128
    items_per_group: int | None = None
    fill_batches: bool = False
    sampler: str = "shuffled"
    classes_per_batch: int | None = None
    items_per_class: int = 4
    neighbor_count: int = 1
    neighbor_among: int = 10
    augment: dict[str, Any] | None = None
    head_epochs: int = 0
    optimizer: str = "adamw"
    momentum: float = 0.9
    nesterov: bool = True
    lr: float = 1e-3
    weight_decay: float = 1e-4
    l2: float = 0.0
    clip_norm: float | None = None
    schedule: str = "cosine"
    warmup: float = 0.05
    sgdr: dict[str, Any] | None = None
    steps: list[tuple[int, float]] | None = None
    cyclical: dict[str, Any] | None = None
    one_cycle: dict[str, Any] | None = None
    plateau_patience: int = 5
    refine: dict[str, Any] | None = None
    early_stopping: int | None = None
    select: str = "mrr"
    seed: int = 0


def optimizer_of(task: Task, config: TrainingConfig) -> torch.optim.Optimizer:
    """Weight decay on the model's matrices and kernels only, as is usual; not on biases, norms, temperatures, and
    what the objective knows of the classes.

    `l2` adds l2·Σw² over every parameter to the objective (Dorfer et al.), here as its gradient 2·l2·w.
    """
    decays = {True: config.weight_decay, False: 0.0}
    if config.l2:
        decays = dict.fromkeys(decays, 2 * config.l2)
    matrices = {p for p in task.model.parameters() if p.ndim >= 2}
    groups = [
        {
            "params": [p for p in task.parameters() if p.requires_grad and (p in matrices) == matrix],
            "weight_decay": decay,
        }
        for matrix, decay in decays.items()
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov)
    if config.optimizer == "adagrad":
        return torch.optim.Adagrad(groups, lr=config.lr)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind(groups, lr=config.lr, fused=True)


def schedule_of(optimizer: torch.optim.Optimizer, config: TrainingConfig, steps_per_epoch: int) -> Any:
    """Per epoch: reduction on a plateau of val_loss, or refinement. Per step: a function of the step alone."""
    if config.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=config.plateau_patience)
    if config.schedule == "refine":
        return Refinement(**(config.refine or {}))
    rate = schedules.of(
        config.schedule,
        config.lr,
        steps_per_epoch=steps_per_epoch,
        epochs=config.epochs,
        warmup=config.warmup,
        options=getattr(config, config.schedule, None),
    )
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step) / config.lr)
