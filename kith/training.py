"""The one training loop: any towers, any objective, one process or several, exact resume."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, distributed, nn
from tqdm import tqdm

from kith.augment import augment
from kith.metrics.cross_modal import cross_modal_retrieval
from kith.models import DualEncoder
from kith.models.dual_encoder import UnitLayer
from kith.models.embed import embed_images, embed_texts, encode_pairs
from kith.objective import Batch, Objective
from kith.refinement import Refinement
from kith.sampling import NeighborSampler, PairSampler, generator
from kith.views import View

PER_STEP = ("constant", "cosine")  # schedules that count steps, not epochs
State = dict[str, Any]
Record = dict[str, float]


@dataclass(frozen=True)
class PairData:
    """The two sides of all items; rows of both are found by the number of the item.

    groups: (n_items,) integers, equal for items that are the same thing; train, val: items with both sides.
    neighbors: needed by objectives with neighbourhood terms.
    """

    image: View
    text: View
    groups: np.ndarray
    train: np.ndarray
    val: np.ndarray
    neighbors: NeighborSampler | None = None


@dataclass(frozen=True)
class TrainingConfig:
    """Parameters of the loop; stages.params.Train says what each means."""

    epochs: int
    batch_size: int = 128
    items_per_group: int | None = None
    fill_batches: bool = False
    neighbor_count: int = 1
    neighbor_among: int = 10
    augment: dict[str, Any] | None = None
    optimizer: str = "adamw"
    lr: float = 1e-3
    weight_decay: float = 1e-4
    l2: float = 0.0
    clip_norm: float | None = None
    schedule: str = "cosine"
    warmup: float = 0.05
    plateau_patience: int = 5
    refine: dict[str, Any] | None = None
    early_stopping: int | None = None
    select: str = "mrr"
    seed: int = 0


class PairTask(nn.Module):
    """Model and objective as one module, so that both are moved, wrapped and trained together."""

    def __init__(self, model: DualEncoder, objective: Objective):
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(
        self, images: Tensor, texts: tuple[Tensor, ...], group: Tensor, has_neighbor: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The first len(group) rows are the batch; any further ones are its neighbours, batch after batch."""
        size = len(group)
        image, *neighbor_images = map(_gather, self.model.encode_images(images).split(size))
        text, *neighbor_texts = map(_gather, self.model.encode_texts(*texts).split(size))
        # The sums of exponentials need float32 whatever precision the towers run in.
        with torch.autocast(image.device.type, enabled=False):
            space = self.model.projection.project(image, text)
            neighbors = [
                (space.first(a), space.second(b)) for a, b in zip(neighbor_images, neighbor_texts, strict=True)
            ]
            batch = Batch(
                space.first(image),
                space.second(text),
                _gather(group),
                neighbors,
                _gather(has_neighbor),
                space.correlations,
            )
            return self.objective(batch)


def _gather(rows: Tensor) -> Tensor:
    """The rows of all processes, with gradients, so that negatives come from the whole batch."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return rows
    return _AllGather.apply(rows)


class _AllGather(torch.autograd.Function):
    """Concatenate the rows of all processes; each gets back the sum of all gradients for its own rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        distributed.all_reduce(total)
        return total.chunk(distributed.get_world_size())[distributed.get_rank()]


def fit(
    model: DualEncoder,
    objective: Objective,
    data: PairData,
    config: TrainingConfig,
    fabric: Fabric,
    *,
    resume: State | None = None,
    on_epoch: Callable[[Record], None] = lambda record: None,
    on_checkpoint: Callable[[State], None] = lambda state: None,
) -> list[Record]:
    """Train `model` in place, ending with the weights of its best epoch; returns one record an epoch.

    The best epoch is that of the highest validation MRR (config.select "mrr") or the lowest validation loss.
    A projection that is learned from data is fitted to the epoch's items before each validation.
    After every epoch `on_checkpoint` gets a state; given back as `resume`, training goes on as if it had not
    stopped: all randomness comes from (seed, epoch), so the result is the same bytes.
    Raises FloatingPointError when the loss is not finite, unless a refinement is left, which then comes at once.
    """
    task = PairTask(model, objective)
    optimizer = _optimizer(task, config)
    wrapped, stepper = fabric.setup(task, optimizer)
    sampler = PairSampler(
        data.train, data.groups[data.train], config.batch_size, config.items_per_group, config.fill_batches, config.seed
    )
    schedule = _schedule(optimizer, config, len(sampler.epoch(1)))
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
        epoch = objective.epoch = len(history) + 1
        record: Record = {"epoch": epoch, "lr": float(optimizer.param_groups[0]["lr"])}
        try:
            record |= _train_epoch(wrapped, stepper, schedule, sampler, data, config, fabric, epoch)
        except FloatingPointError:
            if best["model"] is None or not isinstance(schedule, Refinement) or schedule.refine() == "end":
                raise
            _back_to_best(task, optimizer, best, config.lr * schedule.factor)
            continue
        _refit(wrapped, data, np.concatenate(sampler.epoch(epoch)), config, fabric, epoch)
        record |= _validate(wrapped, data, seen, config, fabric)
        history.append(record)
        score = record["val_mrr"] if config.select == "mrr" else -record["val_loss"]
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


def _back_to_best(task: PairTask, optimizer: torch.optim.Optimizer, best: State, lr: float) -> None:
    task.model.load_state_dict(best["model"])
    task.objective.load_state_dict(best["objective"])
    optimizer.load_state_dict(copy.deepcopy(best["optimizer"]))
    for group in optimizer.param_groups:
        group["lr"] = lr


def _copy(state: State) -> State:
    """The tensors of a nested state as they are now, on the CPU."""
    return torch.utils._pytree.tree_map_only(Tensor, lambda x: x.detach().cpu().clone(), state)


def _as_many_groups(data: PairData, seed: int) -> np.ndarray:
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
    sampler: PairSampler,
    data: PairData,
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
        images, *rest = _batch(data, rows, task.objective.uses_neighbors, config, fabric, epoch, step)
        key = int(generator(config.seed, epoch, step, 3 + fabric.global_rank).integers(2**62))
        random = torch.Generator().manual_seed(key)
        images = augment(model.prepare(images), random, **(config.augment or {}))
        loss, terms = task(images, *rest)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} in epoch {epoch}, batch {step + 1} of {len(batches)}")
        optimizer.zero_grad()
        fabric.backward(loss)
        if config.clip_norm is not None:
            fabric.clip_gradients(task, optimizer, max_norm=config.clip_norm)
        optimizer.step()
        if config.schedule in PER_STEP:
            schedule.step()
        for name, value in {"loss": loss, **terms}.items():
            totals[name] = totals.get(name, 0) + value.detach()
    return {f"train_{name}": float(total) / len(batches) for name, total in totals.items()}


def _batch(
    data: PairData,
    rows: np.ndarray,
    neighbors: bool,
    config: TrainingConfig,
    fabric: Fabric,
    epoch: int,
    step: int,
) -> tuple[Any, ...]:
    """This process's share of a batch: pictures, texts, groups, and who has a neighbour.

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
        view.take(np.concatenate([view.one_of(each, random)[share] for each in drawn]))
        for view in (data.image, data.text)
    )
    group = torch.from_numpy(data.groups[rows[share]])
    return fabric.to_device((images, texts, group, torch.from_numpy(has_neighbor[share])))


def _refit(task: Any, data: PairData, items: np.ndarray, config: TrainingConfig, fabric: Fabric, epoch: int) -> None:
    """Fit the projection to all of the epoch's items, in place of the last batch (Dorfer et al., IJMIR 2018)."""
    layer = task.model.projection
    if isinstance(layer, UnitLayer):
        return
    task.eval()
    random = generator(config.seed, epoch, 0, 5)
    image_rows, text_rows = (view.one_of(items, random) for view in (data.image, data.text))
    with fabric.autocast():
        layer.refit(encode_pairs(task.model, data.image, image_rows, data.text, text_rows, config.batch_size))


def _validate(task: Any, data: PairData, seen: np.ndarray, config: TrainingConfig, fabric: Fabric) -> Record:
    """Loss, distance of the pairs and retrieval on the whole validation split; distance and MRR on seen items."""
    task.eval()
    trained, _, _ = _retrieval(task.model, data, seen, config, fabric)
    record, image, text = _retrieval(task.model, data, data.val, config, fabric)
    return {
        "val_loss": _validation_loss(task, data, image, text, config, fabric),
        **{f"val_{name}": value for name, value in record.items()},
        **{f"train_{name}": trained[name] for name in ("mrr", "distance")},
    }


def _retrieval(
    model: DualEncoder, data: PairData, items: np.ndarray, config: TrainingConfig, fabric: Fabric
) -> tuple[Record, np.ndarray, np.ndarray]:
    """Retrieval among `items`, averaged over both directions, and the vectors of each item and its first text."""
    (image_rows, _), (text_rows, owner) = (view.all_of(items) for view in (data.image, data.text))
    with fabric.autocast():
        image = embed_images(model, data.image, image_rows, config.batch_size)
        text = embed_texts(model, data.text, text_rows, config.batch_size)
    image_group, text_group = data.groups[items], data.groups[owner]
    both = [
        cross_modal_retrieval(text, image, text_group[:, None] == image_group[None, :]),
        cross_modal_retrieval(image, text, image_group[:, None] == text_group[None, :]),
    ]
    names = ("mrr", "R@1", "R@10", "median_rank")
    record = {name: float(np.mean([result[name] for result in both])) for name in names}
    first = text[np.searchsorted(owner, items)]
    record["distance"] = float(np.mean(1 - np.einsum("ij,ij->i", image, first)))
    return record, image, first


@torch.no_grad()
def _validation_loss(
    task: Any, data: PairData, image: np.ndarray, text: np.ndarray, config: TrainingConfig, fabric: Fabric
) -> float:
    """The objective without its neighbourhood terms, each item with its first text."""
    losses, sizes = [], []
    for start in range(0, len(image), config.batch_size):
        part = slice(start, start + config.batch_size)
        group = torch.from_numpy(data.groups[data.val[part]])
        tensors = torch.from_numpy(image[part]), torch.from_numpy(text[part]), group, group < 0
        image_part, text_part, group, nobody = fabric.to_device(tensors)
        losses.append(float(task.objective(Batch(image_part, text_part, group, [], nobody))[0]))
        sizes.append(len(group))
    return float(np.average(losses, weights=sizes))


def _optimizer(task: PairTask, config: TrainingConfig) -> torch.optim.Optimizer:
    """Weight decay on matrices and kernels only, as is usual; not on biases, norms and temperatures.

    `l2` adds l2·Σw² over every parameter to the objective (Dorfer et al.), here as its gradient 2·l2·w.
    """
    parameters = [p for p in task.parameters() if p.requires_grad]
    decays = {True: config.weight_decay, False: 0.0}
    if config.l2:
        decays = dict.fromkeys(decays, 2 * config.l2)
    groups = [
        {"params": [p for p in parameters if (p.ndim >= 2) == matrix], "weight_decay": decay}
        for matrix, decay in decays.items()
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind(groups, lr=config.lr, fused=True)


def _schedule(optimizer: torch.optim.Optimizer, config: TrainingConfig, steps_per_epoch: int) -> Any:
    """Per step: linear warm-up, then constant or half a cosine. Per epoch: reduction on a plateau of val_loss, or
    refinement."""
    if config.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=config.plateau_patience)
    if config.schedule == "refine":
        return Refinement(**(config.refine or {}))
    steps = config.epochs * steps_per_epoch
    warm = max(1, round(config.warmup * steps))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return (
            0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) if config.schedule == "cosine" else 1.0
        )

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
