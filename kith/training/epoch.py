"""One epoch of training: batches drawn from (seed, epoch, step) alone, gradients, and steps of the optimizer."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import torch
from torch import Tensor

from kith.losses import TrainingStep
from kith.models import DualEncoder
from kith.models.encoder_tower import EncoderTower
from kith.progress import Progress
from kith.training.augment import augment
from kith.training.data import TrainingData
from kith.training.lightning import Fabric
from kith.training.options import Augment, TrainingConfig
from kith.training.reading import Tensors, crops_of, read
from kith.training.samplers import Sampler, generator
from kith.training.scheduling import Schedule
from kith.training.uncompiled import uncompiled

SETTLED = 50  # steps after which a GPU is asked whether all is finite


def train_epoch(
    task: Any,
    optimizer: Any,
    schedule: Schedule,
    sampler: Sampler,
    data: TrainingData,
    config: TrainingConfig,
    fabric: Fabric,
    epoch: int,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Train `task` for an epoch; returns the mean of the loss and of what the objective tells, as train_<name>.

    task, optimizer: as Fabric has wrapped them. Raises FloatingPointError when embeddings or the loss are not finite.
    """
    task.train()
    model: DualEncoder = task.model
    _rest(model, epoch <= config.head_epochs, fabric)
    torch.manual_seed(int(generator(config.seed, epoch, 1).integers(2**62)))  # dropout
    totals: dict[str, Tensor] = {}
    batches = sampler.epoch(epoch)
    whole = crops_of(data, config) is None
    needs = task.objective.needs
    with closing(read(data, batches, needs.neighbors, config, fabric, epoch, needs.random_texts)) as tensors:
        for step, batch in enumerate(tensors):
            images, *rest = fabric.to_device(batch)
            key = int(generator(config.seed, epoch, step, 3 + fabric.global_rank).integers(2**62))
            random = torch.Generator().manual_seed(key)
            images = augment(model.prepare(images), random, **_amounts(config.augment, whole))
            task.objective.step = training_step(config, epoch, step)
            loss, terms = _loss(task, (images, *rest), f"epoch {epoch}, batch {step + 1} of {len(batches)}")
            with uncompiled():
                optimizer.zero_grad()
            fabric.backward(loss)
            if epoch <= config.head_epochs:
                _keep_towers(model)
            _step(task, optimizer, config.clip_norm, fabric)
            schedule.after_step()
            if (step + 1) % SETTLED == 0 or step + 1 == len(batches):
                with _at(f"epoch {epoch}, by batch {step + 1} of {len(batches)}"):
                    task.watch.settle()
            for name, value in {"loss": loss, **terms}.items():
                totals[name] = totals.get(name, 0) + value.detach()
            if progress is not None:
                progress.step(1, f"epoch {epoch} of {config.epochs}, batch {step + 1} of {len(batches)}")
    return {f"train_{name}": float(total) / len(batches) for name, total in totals.items()}


def _loss(task: Any, given: Tensors, place: str) -> tuple[Tensor, dict[str, Tensor]]:
    """What the objective says of a batch. Raises FloatingPointError that names the place."""
    with _at(place):
        try:
            loss, terms = task(*given)
        except (ValueError, FloatingPointError):  # such as of mining, before a GPU has told what is not finite
            task.watch.settle()
            raise
        task.watch.see(f"the loss is {loss.item()}" if loss.device.type == "cpu" else "the loss is not finite", loss)
    return loss, terms


def _step(task: Any, optimizer: Any, clip_norm: float | None, fabric: Fabric) -> None:
    """Change the weights by their gradients, whose norm is at most clip_norm."""
    if clip_norm is not None:
        # Asking whether the norm is finite waits for the GPU; the loss is watched anyway.
        refused = fabric.device.type == "cpu"
        fabric.clip_gradients(task, optimizer, max_norm=clip_norm, error_if_nonfinite=refused)
    with uncompiled():
        optimizer.step()


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Name the place where something is not finite."""
    try:
        yield
    except FloatingPointError as error:
        raise FloatingPointError(f"{error} in {place}") from None


def _amounts(options: Augment, whole: bool) -> dict[str, Any]:
    """What is left for `augment`; pictures that were read in part are cropped already."""
    left = {name: value for name, value in vars(options).items() if name not in ("resized_crop", "zoom")}
    return left if whole else left | {"crop": None}


def _rest(model: DualEncoder, resting: bool, fabric: Fabric) -> None:
    """Encoders that rest are used as they came: without dropout, with the statistics that they have, and in a single
    process without computing gradients, which several have to agree on."""
    for tower in (model.image_tower, model.text_tower):
        if isinstance(tower, EncoderTower):
            tower.requires_grad_(not resting or fabric.world_size > 1)
            tower.train(not resting)


def _keep_towers(model: DualEncoder) -> None:
    """Without gradients the optimizer leaves the towers as they are."""
    for tower in (model.image_tower, model.text_tower):
        for parameter in tower.parameters() if tower is not None else ():
            parameter.grad = None


def training_step(config: TrainingConfig, epoch: int, step: int | None = None) -> TrainingStep:
    """Of a step, or of the validation after an epoch; every process draws the same, for the whole batch."""
    key = generator(config.seed, epoch, 0 if step is None else step, 2, 1 if step is None else 2)
    return TrainingStep(torch.Generator().manual_seed(int(key.integers(2**62))), epoch, config.epochs)
