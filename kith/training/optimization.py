"""How a training is set up: the parameters of the loop, and its optimizer."""

from dataclasses import dataclass
from typing import Any

import torch

from kith.training.task import Task


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
