"""The optimizer of a training."""

from typing import Any

import torch
from torch import nn

from kith.training.options import TrainingConfig
from kith.training.task import Task
from kith.training.uncompiled import uncompiled

FACTOR = "lr_factor"  # of a group whose rates are a share of those of the rest


@uncompiled()
def optimizer_of(task: Task, config: TrainingConfig, gpu: bool = False) -> torch.optim.Optimizer:
    """Weight decay on the model's matrices and kernels only, as is usual; not on biases, norms, temperatures, and
    what the objective knows of the classes, but with `decay_all`.

    `l2` adds l2·Σw² over every parameter to the objective (Dorfer et al.), here as its gradient 2·l2·w. Towers that
    have a factor are in groups of their own, behind the others. gpu: whether it will run on one; a step of SGD is then
    one kernel, which rounds otherwise.
    """
    towers: dict[str, Any] = {"image": task.model.image_tower, "text": task.model.text_tower}
    apart = {side: set(towers[side].parameters()) for side in config.lr_factors}
    rest = set(task.parameters()).difference(*apart.values())
    groups = _groups(task, rest, config)
    for side, own in apart.items():
        factor = config.lr_factors[side]
        groups += [group | {"lr": config.lr * factor, FACTOR: factor} for group in _groups(task, own, config)]
    if config.optimizer == "sgd":
        one_kernel = {"fused": True} if gpu else {}
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov, **one_kernel)
    if config.optimizer == "adagrad":
        return torch.optim.Adagrad(groups, lr=config.lr)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind(groups, lr=config.lr, fused=True)


def _groups(task: Task, chosen: set[nn.Parameter], config: TrainingConfig) -> list[dict[str, Any]]:
    """Matrices and kernels, then the rest, of the chosen parameters."""
    decays = {True: config.weight_decay, False: config.weight_decay if config.decay_all else 0.0}
    if config.l2:
        decays = dict.fromkeys(decays, 2 * config.l2)
    matrices = {p for p in task.model.parameters() if p.ndim >= 2}
    return [
        {
            "params": [p for p in task.parameters() if p.requires_grad and p in chosen and (p in matrices) == matrix],
            "weight_decay": decay,
        }
        for matrix, decay in decays.items()
    ]


def set_rates(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Of all groups, by the factor that each has."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get(FACTOR, 1.0)
