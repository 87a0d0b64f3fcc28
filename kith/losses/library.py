"""The losses of pytorch-metric-learning, by name."""

import inspect
from typing import Any

from torch import nn

from kith.errors import KithError

# Those that take other losses or two views of each item, and so do not fit embeddings with labels.
NOT_BY_NAME = ("BaseMetricLossFunction", "CrossBatchMemory", "MultipleLosses", "SelfSupervisedLoss", "VICRegLoss")


def library_loss(name: str, options: dict[str, Any] | None = None, dim: int = 0, classes: int = 0) -> nn.Module:
    """A module that is called with (B, dim) embeddings and (B,) labels below `classes`; it may have weights.

    name: with or without its ending Loss: ProxyAnchor, MultiSimilarity, SupCon, NTXent, ArcFace, …; options: those of
    the library's class. Raises KithError where the package, the name or an option is unknown.
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
