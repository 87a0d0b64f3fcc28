"""The optimizer of a training."""

import torch

from kith.training.options import Optimization
from kith.training.task import Task


def optimizer_of(task: Task, config: Optimization) -> torch.optim.Optimizer:
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
