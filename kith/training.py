"""The one training loop: any towers, any objective, one process or several, exact resume."""

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
from kith.models.embed import embed_images, embed_texts
from kith.objective import Batch, Objective
from kith.sampling import NeighborSampler, PairSampler, generator

State = dict[str, Any]
Record = dict[str, float]


@dataclass(frozen=True)
class PairData:
    """Pictures with their texts.

    images: (n_images, H, W, C) uint8, may be memory-mapped; image_row: (n_items,) row in `images`;
    tokens: (n_texts, L) int32; lengths: (n_texts,); text_start: (n_items + 1,), the texts of item i are rows
    text_start[i] to text_start[i + 1]; groups: (n_items,) integers, equal for items that are the same thing.
    train, val: item rows. neighbors: needed by objectives with neighbourhood terms.
    """

    images: np.ndarray
    image_row: np.ndarray
    tokens: np.ndarray
    lengths: np.ndarray
    text_start: np.ndarray
    groups: np.ndarray
    train: np.ndarray
    val: np.ndarray
    neighbors: NeighborSampler | None = None

    def pictures(self, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(self.images[self.image_row[rows]]))

    def texts(self, texts: np.ndarray) -> tuple[Tensor, Tensor]:
        """Tokens, cut to the longest of these texts, and lengths."""
        lengths = self.lengths[texts]
        return torch.from_numpy(self.tokens[texts, : lengths.max()]).long(), torch.from_numpy(lengths).long()

    def text_of(self, rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """One text of each item, drawn from `random`."""
        start, stop = self.text_start[rows], self.text_start[rows + 1]
        return start + (random.random(len(rows)) * (stop - start)).astype(np.int64)

    def all_texts(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Every text of the items `rows`, and the item each belongs to."""
        counts = self.text_start[rows + 1] - self.text_start[rows]
        owner = np.repeat(rows, counts)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.text_start[owner] + within, owner


@dataclass(frozen=True)
class TrainingConfig:
    """Parameters of the loop; stages.params.Train says what each means."""

    epochs: int
    batch_size: int = 128
    items_per_group: int | None = None
    neighbor_count: int = 1
    neighbor_among: int = 10
    augment: dict[str, Any] | None = None
    optimizer: str = "adamw"
    lr: float = 1e-3
    weight_decay: float = 1e-4
    clip_norm: float | None = None
    schedule: str = "cosine"
    warmup: float = 0.05
    plateau_patience: int = 5
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
        self, images: Tensor, tokens: Tensor, lengths: Tensor, group: Tensor, has_neighbor: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The first len(group) rows are the batch; any further ones are its neighbours, batch after batch."""
        size = len(group)
        image, *neighbor_images = map(_gather, self.model.embed_images(images).split(size))
        text, *neighbor_texts = map(_gather, self.model.embed_texts(tokens, lengths).split(size))
        neighbors = list(zip(neighbor_images, neighbor_texts, strict=True))
        # The sums of exponentials need float32 whatever precision the towers run in.
        with torch.autocast(image.device.type, enabled=False):
            return self.objective(Batch(image, text, _gather(group), neighbors, _gather(has_neighbor)))


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
    After every epoch `on_checkpoint` gets a state; given back as `resume`, training goes on as if it had not
    stopped: all randomness comes from (seed, epoch), so the result is the same bytes.
    Raises FloatingPointError when the loss is not finite.
    """
    task = PairTask(model, objective)
    optimizer = _optimizer(task, config)
    wrapped, stepper = fabric.setup(task, optimizer)
    sampler = PairSampler(data.train, data.groups[data.train], config.batch_size, config.items_per_group, config.seed)
    schedule = _schedule(optimizer, config, len(sampler.epoch(1)))
    history: list[Record] = []
    best: State = {"score": -np.inf, "epoch": 0, "model": None}
    if resume is not None:
        task.load_state_dict(resume["task"])
        optimizer.load_state_dict(resume["optimizer"])
        schedule.load_state_dict(resume["schedule"])
        fabric.strategy.precision.load_state_dict(resume["precision"])
        history, best = list(resume["history"]), resume["best"]

    while len(history) < config.epochs and not _exhausted(len(history), best["epoch"], config):
        epoch = objective.epoch = len(history) + 1
        record: Record = {"epoch": epoch, "lr": float(optimizer.param_groups[0]["lr"])}
        record |= _train_epoch(wrapped, stepper, schedule, sampler, data, config, fabric, epoch)
        record |= _validate(wrapped, data, config, fabric)
        if config.schedule == "plateau":
            schedule.step(record["val_loss"])
        history.append(record)
        score = record["val_mrr"] if config.select == "mrr" else -record["val_loss"]
        if score > best["score"]:
            weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
            best = {"score": score, "epoch": epoch, "model": weights}
        on_epoch(record)
        on_checkpoint(
            {
                "task": task.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "precision": fabric.strategy.precision.state_dict(),
                "history": history,
                "best": best,
            }
        )
    model.load_state_dict(best["model"])
    return history


def _exhausted(epoch: int, best: int, config: TrainingConfig) -> bool:
    return config.early_stopping is not None and epoch - best >= config.early_stopping


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
        if config.schedule != "plateau":
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
) -> tuple[Tensor, ...]:
    """This process's share of a batch: pictures, tokens, lengths, groups, and who has a neighbour.

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
    texts = [data.text_of(each, random) for each in drawn]
    share = slice(fabric.global_rank, len(rows) - len(rows) % fabric.world_size, fabric.world_size)
    images = data.pictures(np.concatenate([each[share] for each in drawn]))
    tokens, lengths = data.texts(np.concatenate([each[share] for each in texts]))
    group = torch.from_numpy(data.groups[rows[share]])
    return fabric.to_device((images, tokens, lengths, group, torch.from_numpy(has_neighbor[share])))


def _validate(task: Any, data: PairData, config: TrainingConfig, fabric: Fabric) -> Record:
    """Loss and retrieval, averaged over both directions, on the whole validation split."""
    task.eval()
    model: DualEncoder = task.model
    texts, owner = data.all_texts(data.val)
    with fabric.autocast():
        image = embed_images(model, data.images, data.image_row[data.val], config.batch_size)
        text = embed_texts(model, data.tokens[texts], data.lengths[texts], config.batch_size)
    image_group, text_group = data.groups[data.val], data.groups[owner]
    both = [
        cross_modal_retrieval(text, image, text_group[:, None] == image_group[None, :]),
        cross_modal_retrieval(image, text, image_group[:, None] == text_group[None, :]),
    ]
    names = {"mrr": "val_mrr", "R@1": "val_R@1", "R@10": "val_R@10", "median_rank": "val_median_rank"}
    record = {name: float(np.mean([result[key] for result in both])) for key, name in names.items()}
    first = np.searchsorted(owner, data.val)
    return {"val_loss": _validation_loss(task, data, image, text[first], config, fabric), **record}


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
    """Weight decay on matrices and kernels only, as is usual; not on biases, norms and temperatures."""
    parameters = [p for p in task.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind(groups, lr=config.lr, fused=True)


def _schedule(optimizer: torch.optim.Optimizer, config: TrainingConfig, steps_per_epoch: int) -> Any:
    """Per step: linear warm-up, then constant or half a cosine. Per epoch: reduction on a plateau of val_loss."""
    if config.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=config.plateau_patience)
    steps = config.epochs * steps_per_epoch
    warm = max(1, round(config.warmup * steps))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return (
            0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) if config.schedule == "cosine" else 1.0
        )

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
