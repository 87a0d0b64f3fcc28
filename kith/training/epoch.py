"""One epoch of training: batches drawn from (seed, epoch, step) alone, gradients, and steps of the optimizer."""

from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor
from tqdm import tqdm

from kith.losses import TrainingStep
from kith.models import DualEncoder
from kith.training.augment import augment
from kith.training.data import TrainingData
from kith.training.options import TrainingConfig
from kith.training.samplers import BalancedSampler, PairSampler, generator
from kith.training.scheduling import Schedule


def train_epoch(
    task: Any,
    optimizer: Any,
    schedule: Schedule,
    sampler: PairSampler | BalancedSampler,
    data: TrainingData,
    config: TrainingConfig,
    fabric: Fabric,
    epoch: int,
) -> dict[str, float]:
    """Train `task` for an epoch; returns the mean of the loss and of what the objective tells, as train_<name>.

    task, optimizer: as Fabric has wrapped them. Raises FloatingPointError when the loss is not finite.
    """
    task.train()
    torch.manual_seed(int(generator(config.seed, epoch, 1).integers(2**62)))  # dropout
    model: DualEncoder = task.model
    totals: dict[str, Tensor] = {}
    batches = sampler.epoch(epoch)
    bar = tqdm(
        batches,
        desc=f"epoch {epoch}/{config.epochs}",
        leave=False,
        disable=None if fabric.is_global_zero else True,
    )
    for step, rows in enumerate(bar):
        images, *rest = _batch(data, rows, task.objective.needs.neighbors, config, fabric, epoch, step)
        key = int(generator(config.seed, epoch, step, 3 + fabric.global_rank).integers(2**62))
        random = torch.Generator().manual_seed(key)
        images = augment(model.prepare(images), random, **vars(config.augment))
        task.objective.step = training_step(config, epoch, step)
        loss, terms = task(images, *rest)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} in epoch {epoch}, batch {step + 1} of {len(batches)}")
        optimizer.zero_grad()
        fabric.backward(loss)
        if epoch <= config.head_epochs:
            _keep_towers(model)
        if config.clip_norm is not None:
            fabric.clip_gradients(task, optimizer, max_norm=config.clip_norm)
        optimizer.step()
        schedule.after_step()
        for name, value in {"loss": loss, **terms}.items():
            totals[name] = totals.get(name, 0) + value.detach()
    return {f"train_{name}": float(total) / len(batches) for name, total in totals.items()}


def _keep_towers(model: DualEncoder) -> None:
    """Without gradients the optimizer leaves the towers as they are."""
    for tower in (model.image_tower, model.text_tower):
        for parameter in tower.parameters() if tower is not None else ():
            parameter.grad = None


def _batch(
    data: TrainingData,
    rows: np.ndarray,
    neighbors: bool,
    config: TrainingConfig,
    fabric: Fabric,
    epoch: int,
    step: int,
) -> tuple[Any, ...]:
    """This process's share of a batch: pictures, texts, groups, who has a neighbour, and classes.

    Every process draws for the whole batch, then takes its rows, so the draws do not depend on their number.
    """
    random = generator(config.seed, epoch, step, 2)
    drawn = [rows]
    has_neighbor = np.zeros(len(rows), dtype=bool)
    if neighbors and data.neighbors is not None:
        for _ in range(config.neighbors.count):
            near = data.neighbors.draw(rows, config.neighbors.among, random)
            has_neighbor = near >= 0
            drawn.append(np.where(has_neighbor, near, rows))
    share = slice(fabric.global_rank, len(rows) - len(rows) % fabric.world_size, fabric.world_size)
    (images,), texts = (
        side.take(np.concatenate([side.one_of(each, random)[share] for each in drawn])) if side is not None else ()
        for side in (data.image, data.text)
    )
    of_items = [data.groups[rows], has_neighbor] + ([] if data.labels is None else [data.labels[rows]])
    of_rows = (torch.from_numpy(each[share]) for each in of_items)
    return fabric.to_device((images, texts, *of_rows))


def training_step(config: TrainingConfig, epoch: int, step: int | None = None) -> TrainingStep:
    """Of a step, or of the validation after an epoch; every process draws the same, for the whole batch."""
    key = generator(config.seed, epoch, 0 if step is None else step, 2, 1 if step is None else 2)
    return TrainingStep(torch.Generator().manual_seed(int(key.integers(2**62))), epoch, config.epochs)
