"""What is trained, as one module; in several processes the objective sees the rows of all."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn

from kith.losses import Batch, LabelledRows
from kith.models import DualEncoder
from kith.models.polysemous import PolysemousLayer
from kith.training.finite import FiniteWatch
from kith.training.objective import Objective

NOT_FINITE = "the embeddings are not finite"


class Task(nn.Module):
    """Model and objective as one module, so that both are moved, wrapped and trained together.

    similarity: (classes, classes), of the classes in their taxonomy, where it is known. separate: whether neighbours,
    and random texts, go through the towers by themselves, as in the program of Thomas & Kovashka: batch norm then sees
    the batch alone. labelled: whether the class of every picture that comes is known. watch: of what is not finite.
    """

    similarity: Tensor | None

    def __init__(
        self,
        model: DualEncoder,
        objective: Objective,
        similarity: np.ndarray | None = None,
        separate: bool = False,
        labelled: bool = False,
    ):
        super().__init__()
        self.separate, self.labelled, self.watch = separate, labelled, FiniteWatch()
        self.model = model
        self.objective = objective
        known = None if similarity is None else torch.from_numpy(similarity).float()
        self.register_buffer("similarity", known, persistent=False)

    def forward(
        self,
        images: Tensor,
        texts: tuple[Tensor, ...],
        group: Tensor,
        has_neighbor: Tensor,
        label: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The first len(group) rows are the batch; any further ones are its neighbours, batch after batch, and of texts
        at last random ones."""
        image, *neighbor_images = self._encoded(self.model.encode_images, (images,), len(group))
        text, *other_texts = self._encoded(self.model.encode_texts, texts, len(group)) if texts else [None]
        neighbor_texts, random = other_texts[: len(neighbor_images)], other_texts[len(neighbor_images) :]
        # The sums of exponentials need float32 whatever precision the towers run in.
        with torch.autocast(image.device.type, enabled=False):
            space: Any = self.model.projection
            if text is not None:
                space = space.project(image, text)
            neighbors = [
                (space.first(a), space.second(b)) for a, b in zip(neighbor_images, neighbor_texts, strict=True)
            ]
            batch = Batch(
                space.first(image),
                None if text is None else space.second(text),
                gather(group),
                neighbors,
                gather(has_neighbor),
                space.correlations,
                None if label is None else labelled_rows(self, image, gather(label)),
                space.second(random[0]) if random else None,
                self._added(image, text),
            )
            self.watch.see(NOT_FINITE, batch.image, batch.text)
            return self.objective(batch)

    def _added(self, image: Tensor, text: Tensor | None) -> tuple[Tensor, Tensor] | None:
        layer = self.model.projection
        if not isinstance(layer, PolysemousLayer) or text is None:
            return None
        return layer.added(image), layer.added(text)

    def _encoded(self, encode: Callable[..., Tensor], given: tuple[Tensor, ...], size: int) -> Iterator[Tensor]:
        """What the towers make of each part of so many rows, of all processes."""
        if self.separate:
            parts = (encode(*part) for part in zip(*(each.split(size) for each in given), strict=True))
            return map(gather, parts)
        return map(gather, encode(*given).split(size))


def check_finite(*sides: Tensor | None) -> None:
    """Raise FloatingPointError for embeddings that are not finite: a loss may be 0 by them.

    >>> check_finite(torch.tensor([[1.0, float("nan")]]), None)
    Traceback (most recent call last):
    ...
    FloatingPointError: the embeddings are not finite
    """
    FiniteWatch(at_once=True).see(NOT_FINITE, *sides)


def labelled_rows(task: Task, features: Tensor, label: Tensor) -> LabelledRows:
    """features (B, d), as the model encodes pictures, and label of all pictures of a batch: (B,), −1 where unknown, or
    (B, C) of 0 and 1 where pictures have several, all 0 where unknown."""
    hidden = logits = None
    # Choosing rows by a mask waits for the GPU.
    known, model = slice(None) if task.labelled else _known(label), task.model
    if model.classifier is not None:
        # Batch norm sees the whole batch.
        hidden = model.classifier.hidden(features)[known]
        logits = model.classifier.output(hidden)
    return LabelledRows(model.embedded(features)[known], label[known], hidden, logits, model.targets, task.similarity)


def _known(label: Tensor) -> Tensor:
    return label >= 0 if label.ndim == 1 else label.bool().any(dim=1)


def gather(rows: Tensor) -> Tensor:
    """The rows of all processes, with gradients: so negatives come from the whole batch."""
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
