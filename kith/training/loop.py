"""The one training loop: any towers, any objective, one process or several, exact resume."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kith.errors import KithError
from kith.models import DualEncoder
from kith.models.embed import encode_pairs
from kith.models.projections import UnitLayer
from kith.progress import Progress
from kith.training.compiling import compile_towers
from kith.training.data import TrainingData
from kith.training.epoch import train_epoch, training_step
from kith.training.fitting import fit_projection
from kith.training.lightning import Fabric
from kith.training.objective import Objective
from kith.training.optimization import optimizer_of
from kith.training.options import TrainingConfig
from kith.training.reading import crops_of, with_workers
from kith.training.resident import resident
from kith.training.samplers import BalancedSampler, PairSampler, Sampler, TupleSampler, generator, occurrence
from kith.training.scheduling import schedule_of
from kith.training.state import Record, State, TrainingState
from kith.training.synchronised import synchronise
from kith.training.task import Task, check_finite
from kith.training.validation import validate


def fit(
    model: DualEncoder,
    objective: Objective,
    data: TrainingData,
    config: TrainingConfig,
    fabric: Fabric,
    *,
    name: str = "training",
    resume: State | None = None,
    on_epoch: Callable[[Record], None] = lambda record: None,
    on_checkpoint: Callable[[State], None] = lambda state: None,
) -> list[Record]:
    """Train `model` in place, ending with the weights of its best epoch; returns one record an epoch.

    The best epoch is that of the highest validation figure that config.select names, or the lowest validation loss.
    A projection that is learned from data is fitted to the epoch's items before each validation.
    Without epochs, what can be fitted in closed form is, and the only record is of epoch 0.
    After every epoch `on_checkpoint` gets a state; given back as `resume`, training goes on as if it had not
    stopped: all randomness comes from (seed, epoch), so the result is the same bytes. name: of its progress. Raises
    FloatingPointError when embeddings or the loss are not finite, unless a refinement is left, which comes at once.
    """
    task, data = _task(model, objective, data, config), _placed(data, config, fabric)
    if not config.epochs:
        return [_as_it_is(task.to(fabric.device), data, config, fabric, on_epoch)]
    optimizer = _suited(task, config, fabric)
    (wrapped, stepper), sampler = fabric.setup(task, optimizer), batches_of(data, config)
    batches, seen = len(sampler.epoch(1)), _as_in_validation(data, config.seed)
    state = TrainingState(task, optimizer, schedule_of(optimizer, config, batches), fabric.strategy.precision)
    if resume is not None:
        state.load(resume)
    left = (config.epochs - len(state.history)) * batches
    with Progress(name, left, "batches", shown=fabric.is_global_zero) as progress:
        while len(state.history) < config.epochs and not state.ended:
            epoch = len(state.history) + 1
            record: Record = {"epoch": epoch, "lr": float(optimizer.param_groups[0]["lr"])}
            try:
                given = data, config, fabric, epoch
                record |= train_epoch(wrapped, stepper, state.schedule, sampler, *given, progress=progress)
                score = _measured(record, wrapped, sampler, seen, *given)
            except FloatingPointError:
                if state.recover():
                    continue
                raise
            state.add(record, score, config.early_stopping)
            progress.clear()
            on_epoch(record)
            on_checkpoint(state.save())
    model.load_state_dict(state.best["model"])
    return state.history


def _task(model: DualEncoder, objective: Objective, data: TrainingData, config: TrainingConfig) -> Task:
    measured = np.concatenate([data.train, data.val])
    labels = None if data.labels is None else data.labels[measured]
    known = labels is not None and (labels >= 0 if labels.ndim == 1 else labels.any(axis=1))
    labelled = labels is not None and bool(np.all(known))
    return Task(model, objective, data.similarity, config.neighbors.separate is True, labelled)


def _placed(data: TrainingData, config: TrainingConfig, fabric: Fabric) -> TrainingData:
    """The data where steps take them from: on a GPU, where they fit, else read ahead of the steps."""
    data = with_workers(data, config, fabric.world_size)
    return data if crops_of(data, config) is not None else resident(data, fabric.device)


def _suited(task: Task, config: TrainingConfig, fabric: Fabric) -> torch.optim.Optimizer:
    """The optimizer, and the towers for where they are trained: with the batch norm of all processes, if it is wanted
    (the classifier behind them sees all rows anyway), and what makes a GPU fast: kernels in the order in which pictures
    come, channels last, and compiled towers."""
    device = fabric.device
    on_gpu, text = device.type == "cuda", task.model.text_tower
    image: Any = task.model.image_tower
    if config.sync_batch_norm and fabric.world_size > 1:
        for tower in filter(None, (image, text)):
            synchronise(tower)
    if on_gpu:
        image.to(memory_format=torch.channels_last)
    if on_gpu and config.compile:
        compile_towers([tower for tower in (image, text) if tower is not None], device)
    return optimizer_of(task, config, on_gpu)


def _as_it_is(
    task: Task, data: TrainingData, config: TrainingConfig, fabric: Fabric, on_epoch: Callable[[Record], None]
) -> Record:
    """A model that is not trained: what can be fitted in closed form is, and it is measured once, as epoch 0."""
    fit_projection(task.model, data, config.batch_size)
    seen = _as_in_validation(data, config.seed)
    record = {"epoch": 0, "lr": 0.0, **validate(task, data, seen, config.batch_size, fabric)}
    on_epoch(record)
    return record


def _measured(
    record: Record,
    task: Any,
    sampler: Sampler,
    seen: np.ndarray,
    data: TrainingData,
    config: TrainingConfig,
    fabric: Fabric,
    epoch: int,
) -> float:
    """Fit the projection after an epoch, add to `record` what the validation finds, and return the epoch's score."""
    with _after(epoch):
        task.objective.step = training_step(config, epoch)
        _refit(task, data, np.concatenate(sampler.epoch(epoch)), config, fabric, epoch)
        record |= validate(task, data, seen, config.batch_size, fabric, config.select)
        return _score(record, config.select)


def _score(record: Record, select: str) -> float:
    """What the best epoch is chosen by; the higher, the better."""
    if f"val_{select}" not in record:
        raise KithError(f"train.select: {select}: there is no such figure of these data; take mrr, or loss")
    score = -record[f"val_{select}"] if select in ("loss", "angular") else record[f"val_{select}"]
    if np.isnan(score):
        raise FloatingPointError(f"val_{select} is not a number")
    return score


@contextmanager
def _after(epoch: int) -> Iterator[None]:
    """Name the epoch after which something is not finite."""
    try:
        yield
    except FloatingPointError as error:
        raise FloatingPointError(f"{error} after epoch {epoch}") from None


def batches_of(data: TrainingData, config: TrainingConfig) -> Sampler:
    """What puts training items together. Raises ValueError for batches of classes where these are lacking."""
    groups = data.groups[data.train]
    if config.sampler == "shuffled":
        sizes = config.batch_size, config.items_per_group, config.fill_batches
        return PairSampler(data.train, groups, *sizes, config.seed)
    labels = np.full(len(data.groups), -1) if data.labels is None else data.labels
    if labels.ndim == 2:
        raise KithError(f"train.sampler: {config.sampler} is for items of one label each; take shuffled")
    if config.sampler != "balanced":
        of_items = data.train, labels[data.train], config.sampler
        return TupleSampler(*of_items, config.batch_size, config.seed, groups, config.items_per_group)
    each = config.items_per_class
    many = config.classes_per_batch or max(2, config.batch_size // each)
    return BalancedSampler(data.train, labels[data.train], many, each, config.seed, groups, config.items_per_group)


def _as_in_validation(data: TrainingData, seed: int) -> np.ndarray:
    """Training items of as many groups as there are in validation, and of each about as many, the same in every epoch:
    what is seen and what is not can then be compared."""
    groups = np.unique(data.groups[data.train])
    count = len(np.unique(data.groups[data.val]))
    random = generator(seed, 0, 4)
    chosen = data.train[np.isin(data.groups[data.train], random.permutation(groups)[:count])]
    drawn = random.permutation(chosen)
    return np.sort(drawn[occurrence(data.groups[drawn]) < -(-len(data.val) // max(1, count))])


def _refit(
    task: Any, data: TrainingData, items: np.ndarray, config: TrainingConfig, fabric: Fabric, epoch: int
) -> None:
    """Fit the projection to all of the epoch's items, in place of the last batch (Dorfer et al., IJMIR 2018)."""
    layer = task.model.projection
    if isinstance(layer, UnitLayer) or data.text is None:
        return
    task.eval()
    random = generator(config.seed, epoch, 0, 5)
    image_rows, text_rows = (side.one_of(items, random) for side in (data.image, data.text))
    with fabric.autocast():
        pairs = encode_pairs(task.model, data.image, image_rows, data.text, text_rows, config.batch_size)
        layer.refit(_finite(pairs))


def _finite(pairs: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    for pair in pairs:
        check_finite(*pair)
        yield pair
