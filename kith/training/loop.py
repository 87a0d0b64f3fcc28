"""The one training loop: any towers, any objective, one process or several, exact resume."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor
from tqdm import tqdm

from kith.losses import TrainingStep
from kith.models import DualEncoder
from kith.models.dual_encoder import UnitLayer
from kith.models.embed import encode_pairs
from kith.training.augment import augment
from kith.training.data import TrainingData
from kith.training.objective import Objective
from kith.training.optimization import PER_EPOCH, TrainingConfig, optimizer_of, schedule_of
from kith.training.samplers import BalancedSampler, PairSampler, generator
from kith.training.schedules import Refinement
from kith.training.task import Task
from kith.training.validation import validate

State = dict[str, Any]
Record = dict[str, float]


def fit(
    model: DualEncoder,
    objective: Objective,
    data: TrainingData,
    config: TrainingConfig,
    fabric: Fabric,
    *,
    resume: State | None = None,
    on_epoch: Callable[[Record], None] = lambda record: None,
    on_checkpoint: Callable[[State], None] = lambda state: None,
) -> list[Record]:
    """Train `model` in place, ending with the weights of its best epoch; returns one record an epoch.

    The best epoch is that of the highest validation figure that config.select names, or the lowest validation loss.
    A projection that is learned from data is fitted to the epoch's items before each validation.
    After every epoch `on_checkpoint` gets a state; given back as `resume`, training goes on as if it had not
    stopped: all randomness comes from (seed, epoch), so the result is the same bytes.
    Raises FloatingPointError when the loss is not finite, unless a refinement is left, which then comes at once.
    """
    task = Task(model, objective)
    optimizer = optimizer_of(task, config)
    wrapped, stepper = fabric.setup(task, optimizer)
    sampler = batches_of(data, config)
    schedule = schedule_of(optimizer, config, len(sampler.epoch(1)))
    seen = _as_many_groups(data, config.seed)
    history: list[Record] = []
    best: State = {"score": -np.inf, "epoch": 0, "model": None}
    ended = False
    if resume is not None:
        task.load_state_dict(resume["task"])
        optimizer.load_state_dict(resume["optimizer"])
        schedule.load_state_dict(resume["schedule"])
        fabric.strategy.precision.load_state_dict(resume["precision"])
        history, best, ended = list(resume["history"]), resume["best"], resume["ended"]

    while len(history) < config.epochs and not ended:
        epoch = len(history) + 1
        record: Record = {"epoch": epoch, "lr": float(optimizer.param_groups[0]["lr"])}
        try:
            record |= _train_epoch(wrapped, stepper, schedule, sampler, data, config, fabric, epoch)
        except FloatingPointError:
            if best["model"] is None or not isinstance(schedule, Refinement) or schedule.refine() == "end":
                raise
            _back_to_best(task, optimizer, best, config.lr * schedule.factor)
            continue
        objective.step = _step(config, epoch)
        _refit(wrapped, data, np.concatenate(sampler.epoch(epoch)), config, fabric, epoch)
        record |= validate(wrapped, data, seen, config.batch_size, fabric)
        history.append(record)
        score = -record["val_loss"] if config.select == "loss" else record[f"val_{config.select}"]
        improved = score > best["score"] or (config.schedule == "refine" and score == best["score"])
        if improved:
            best = {"score": score, "epoch": epoch, **_copy({"model": model.state_dict()})}
            if config.schedule == "refine":
                best |= _copy({"objective": objective.state_dict(), "optimizer": optimizer.state_dict()})
        ended = config.early_stopping is not None and epoch - best["epoch"] >= config.early_stopping
        if isinstance(schedule, Refinement):
            verdict = schedule.epoch(improved)
            ended = ended or verdict == "end"
            if verdict == "refine":
                _back_to_best(task, optimizer, best, config.lr * schedule.factor)
        elif config.schedule == "plateau":
            schedule.step(record["val_loss"])
        on_epoch(record)
        on_checkpoint(
            {
                "task": task.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "precision": fabric.strategy.precision.state_dict(),
                "history": history,
                "best": best,
                "ended": ended,
            }
        )
    model.load_state_dict(best["model"])
    return history


def batches_of(data: TrainingData, config: TrainingConfig) -> PairSampler | BalancedSampler:
    """What puts training items together. Raises ValueError for balanced batches without classes."""
    groups = data.groups[data.train]
    if config.sampler == "shuffled":
        sizes = config.batch_size, config.items_per_group, config.fill_batches
        return PairSampler(data.train, groups, *sizes, config.seed)
    labels = np.full(len(data.groups), -1) if data.labels is None else data.labels
    each = config.items_per_class
    many = config.classes_per_batch or max(2, config.batch_size // each)
    return BalancedSampler(data.train, labels[data.train], many, each, config.seed, groups, config.items_per_group)


def _step(config: TrainingConfig, epoch: int, step: int | None = None) -> TrainingStep:
    """Of a step, or of the validation after an epoch; every process draws the same, for the whole batch."""
    key = generator(config.seed, epoch, 0 if step is None else step, 2, 1 if step is None else 2)
    return TrainingStep(torch.Generator().manual_seed(int(key.integers(2**62))), epoch, config.epochs)


def _back_to_best(task: Task, optimizer: torch.optim.Optimizer, best: State, lr: float) -> None:
    task.model.load_state_dict(best["model"])
    task.objective.load_state_dict(best["objective"])
    optimizer.load_state_dict(copy.deepcopy(best["optimizer"]))
    for group in optimizer.param_groups:
        group["lr"] = lr


def _copy(state: State) -> State:
    """The tensors of a nested state as they are now, on the CPU."""
    return torch.utils._pytree.tree_map_only(Tensor, lambda x: x.detach().cpu().clone(), state)


def _as_many_groups(data: TrainingData, seed: int) -> np.ndarray:
    """Training items of as many groups as there are in validation, the same in every epoch: what is seen and
    what is not can then be compared."""
    groups = np.unique(data.groups[data.train])
    count = len(np.unique(data.groups[data.val]))
    chosen = generator(seed, 0, 4).permutation(groups)[:count]
    return data.train[np.isin(data.groups[data.train], chosen)]


def _train_epoch(
    task: Any,
    optimizer: Any,
    schedule: Any,
    sampler: PairSampler | BalancedSampler,
    data: TrainingData,
    config: TrainingConfig,
    fabric: Fabric,
    epoch: int,
) -> Record:
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
        images = augment(model.prepare(images), random, **(config.augment or {}))
        task.objective.step = _step(config, epoch, step)
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
        if config.schedule not in PER_EPOCH:
            schedule.step()
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
        for _ in range(config.neighbor_count):
            near = data.neighbors.draw(rows, config.neighbor_among, random)
            has_neighbor = near >= 0
            drawn.append(np.where(has_neighbor, near, rows))
    share = slice(fabric.global_rank, len(rows) - len(rows) % fabric.world_size, fabric.world_size)
    (images,), texts = (
        view.take(np.concatenate([view.one_of(each, random)[share] for each in drawn])) if view is not None else ()
        for view in (data.image, data.text)
    )
    of_items = [data.groups[rows], has_neighbor] + ([] if data.labels is None else [data.labels[rows]])
    of_rows = (torch.from_numpy(each[share]) for each in of_items)
    return fabric.to_device((images, texts, *of_rows))


def _refit(
    task: Any, data: TrainingData, items: np.ndarray, config: TrainingConfig, fabric: Fabric, epoch: int
) -> None:
    """Fit the projection to all of the epoch's items, in place of the last batch (Dorfer et al., IJMIR 2018)."""
    layer = task.model.projection
    if isinstance(layer, UnitLayer) or data.text is None:
        return
    task.eval()
    random = generator(config.seed, epoch, 0, 5)
    image_rows, text_rows = (view.one_of(items, random) for view in (data.image, data.text))
    with fabric.autocast():
        layer.refit(encode_pairs(task.model, data.image, image_rows, data.text, text_rows, config.batch_size))
