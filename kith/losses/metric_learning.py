"""The losses of pytorch-metric-learning, by name."""

import inspect
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from kith.errors import KithError
from kith.losses.batch import TrainingStep
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import MetricLoss

# Those that take other losses or two views of each item, and so do not fit embeddings with labels.
NOT_BY_NAME = ("BaseMetricLossFunction", "CrossBatchMemory", "MultipleLosses", "SelfSupervisedLoss", "VICRegLoss")


def library_loss(name: str, options: dict[str, Any] | None = None, dim: int = 0, classes: int = 0) -> nn.Module:
    """A module that is called with (B, dim) embeddings and (B,) labels below `classes`; it may have weights.

    name: with or without its ending Loss: ProxyAnchor, MultiSimilarity, SupCon, NTXent, ArcFace, …; options: those of
    the library's class. Raises KithError where the package, the name or an option is unknown.

    >>> import torch
    >>> loss = library_loss("SupCon", {"temperature": 0.5})
    >>> loss(torch.eye(4), torch.tensor([0, 0, 1, 1])).shape
    torch.Size([])
    """
    try:
        from pytorch_metric_learning import losses
    except ImportError as error:
        raise KithError(
            f"losses.metric_learning: {name} is of pytorch-metric-learning, which cannot be imported ({error}); "
            "pip install -r requirements.txt"
        ) from None
    known: dict[str, Any] = {
        each.removesuffix("Loss"): kind
        for each, kind in vars(losses).items()
        if inspect.isclass(kind) and issubclass(kind, losses.BaseMetricLossFunction) and each not in NOT_BY_NAME
    }
    kind = known.get(name.removesuffix("Loss"))
    if kind is None:
        raise KithError(f"losses.metric_learning.name: no loss '{name}'; there are {', '.join(sorted(known))}")
    taken = inspect.signature(kind.__init__).parameters
    sizes = {"num_classes": classes, "embedding_size": dim}
    given = {key: value for key, value in sizes.items() if key in taken} | (options or {})
    try:
        return kind(**given)
    except (TypeError, ValueError, AssertionError) as error:
        raise KithError(
            f"losses.metric_learning.options: {name} does not take {options}: {error}; "
            f"it has {', '.join(key for key in taken if key not in ('self', 'kwargs', *sizes))}"
        ) from None


@dataclass(frozen=True, kw_only=True)
class MetricLearningOptions(LossOptions):
    """A loss of pytorch-metric-learning: ProxyAnchor, MultiSimilarity, SupCon, NTXent, ArcFace, …, with its options.
    Most bring rows to length 1 by themselves."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    normalize: bool = True


class MetricLearningLoss(MetricLoss, name="metric_learning"):
    """A loss of pytorch-metric-learning by its name; it may learn proxies of the classes."""

    options: MetricLearningOptions

    def __init__(self, options: Any, dim: int = 0, classes: int = 0):
        super().__init__(options, dim, classes)
        self.library = library_loss(options.name, options.options, dim, classes)

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> Tensor:
        return self.library(rows, label)
