"""The objective of a method: published losses, summed with weights."""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith import losses
from kith.losses.metric_terms import Found, MetricTerms, Moment
from kith.models import DualEncoder
from kith.terms import CLASS_TERMS, METRIC_TERMS, NEIGHBOR_TERMS


@dataclass
class Classes:
    """The pictures of a batch whose class is known.

    features: (n, d) embeddings before the projection; label: (n,) class numbers; hidden, logits: (n, d) and (n, C)
    of the model's classifier, if it has one; targets: (C, d) class embeddings, if it has any.
    """

    features: Tensor
    label: Tensor
    hidden: Any = None
    logits: Any = None
    targets: Any = None

    @classmethod
    def of(cls, model: DualEncoder, features: Tensor, label: Tensor) -> "Classes":
        """features (B, d) and label (B,), −1 where unknown, of all pictures of a batch."""
        hidden = logits = None
        known = label >= 0
        if model.classifier is not None:
            # Batch norm sees the whole batch.
            hidden = model.classifier.hidden(features)[known]
            logits = model.classifier.output(hidden)
        return cls(features[known], label[known], hidden, logits, model.targets)


@dataclass
class Batch:
    """Embeddings of a batch. image, text: (B, d) unit rows; text is None without a text side; group: (B,) integers.

    neighbors: for each neighbour drawn, (image (B, d), text (B, d)); has_neighbor: (B,) bool;
    correlations: (d,) canonical correlations of the batch, where the model has a CCA layer;
    classes: for objectives with class terms.
    """

    image: Tensor
    text: Any
    group: Tensor
    neighbors: list[tuple[Tensor, Tensor]]
    has_neighbor: Tensor
    correlations: Tensor | None = None
    classes: Classes | None = None


class Objective(nn.Module):
    """terms: name of a loss → its parameters with `weight`, as `methods.<name>.losses` in params.yaml.

    Called with a Batch, it returns the weighted sum and the value of each term; of mined terms also `active`, the
    share of pairs or triplets that are above zero among those that could have been found, and `mined`, their number
    in the batch. Learned temperatures, class centres and label embeddings are its parameters; for these it is told the
    width of the embeddings before the projection and the number of classes. Terms that need neighbours, or labels, see
    only the items that have one, and are 0 where there is none. `moment` is set by the training loop.
    """

    def __init__(self, terms: dict[str, dict[str, Any]], dim: int = 0, classes: int = 0):
        super().__init__()
        self.terms = terms
        self.moment = Moment()
        self.log_scale = nn.ParameterDict()
        self.bias = nn.ParameterDict()
        for name, options in terms.items():
            if "temperature" in options and name not in CLASS_TERMS:
                start = torch.tensor(-math.log(options["temperature"]))
                self.log_scale[name] = nn.Parameter(start, requires_grad=options["learn_temperature"])
        if "siglip" in terms:
            self.bias["siglip"] = nn.Parameter(torch.tensor(-10.0))
        if "center" in terms and terms["center"]["learned"]:
            self.centers = nn.Parameter(torch.zeros(classes, dim))
        if "label_embedding" in terms:
            self.second_output = nn.Linear(dim, classes)
            self.label_table = nn.Parameter(torch.eye(classes))
        self.metric = MetricTerms(terms, dim, classes)

    @property
    def uses_neighbors(self) -> bool:
        return not set(self.terms).isdisjoint(NEIGHBOR_TERMS)

    @property
    def uses_texts(self) -> bool:
        return not set(self.terms) <= set(CLASS_TERMS)

    @property
    def uses_classes(self) -> bool:
        return not set(self.terms).isdisjoint(CLASS_TERMS)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        found: list[Found] = []
        values = {name: self._value(name, batch, options, found) for name, options in self.terms.items()}
        total = torch.stack([self.terms[name]["weight"] * value for name, value in values.items()]).sum()
        return total, values | _shares(found, total)

    def _value(self, name: str, batch: Batch, options: dict[str, Any], found: list[Found]) -> Tensor:
        if name not in CLASS_TERMS:
            return getattr(self, f"_{name}")(batch, options)
        known = batch.classes
        if known is None or not len(known.label):
            return batch.image.new_zeros(())
        if name not in METRIC_TERMS:
            return getattr(self, f"_{name}")(known, options)
        value, mined = self.metric(name, known.features, known.label, self.moment)
        found += [] if mined is None else [mined]
        return value

    def _scale(self, name: str) -> Tensor:
        # CLIP bounds the scale at 100, so that the logits cannot run away.
        return self.log_scale[name].clamp(max=math.log(100)).exp()

    def _info_nce(self, batch: Batch, options: dict[str, Any]) -> Tensor:
        return losses.info_nce(batch.image, batch.text, self._scale("info_nce"), _twins(batch.group))

    def _siglip(self, batch: Batch, options: dict[str, Any]) -> Tensor:
        scale, bias = self._scale("siglip"), self.bias["siglip"]
        return losses.siglip(batch.image, batch.text, scale, bias, _twins(batch.group))

    def _pairwise_hinge(self, batch: Batch, options: dict[str, Any]) -> Tensor:
        # From random weights the hardest negatives alone pull everything into one point.
        negatives: Any = "all" if self.moment.epoch <= options["warmup_epochs"] else options["negatives"]
        shape = {name: options[name] for name in ("reduction", "symmetric", "distance")}
        twins = _twins(batch.group)
        return losses.pairwise_hinge(batch.image, batch.text, options["margin"], negatives, twins, **shape)

    def _squared_distance(self, batch: Batch, options: dict[str, Any]) -> Tensor:
        return losses.squared_distance(batch.image, batch.text)

    def _trace_norm(self, batch: Batch, options: dict[str, Any]) -> Tensor:
        if batch.correlations is not None:
            return losses.trace_norm(batch.correlations)
        # Outside training the layer looks at no batch: held-out correlations of its columns.
        return losses.trace_norm(column_correlations(batch.image, batch.text))

    def _angular_cross(self, batch: Batch, options: dict[str, Any]) -> Tensor:
        return _angular(batch.image, batch.text, batch.text, batch, options)

    def _angular_symmetric(self, batch: Batch, options: dict[str, Any]) -> Tensor:
        return _angular(batch.text, batch.image, batch.image, batch, options, own_counts=True)

    def _angular_image(self, batch: Batch, options: dict[str, Any]) -> Tensor:
        values = [
            _angular(batch.image, image, batch.image, batch, options, batch.has_neighbor, own_counts=True)
            for image, _ in batch.neighbors
        ]
        return torch.stack(values).mean() if values else batch.image.new_zeros(())

    def _angular_text(self, batch: Batch, options: dict[str, Any]) -> Tensor:
        values = [
            _angular(batch.text, text, batch.text, batch, options, batch.has_neighbor) for _, text in batch.neighbors
        ]
        return torch.stack(values).mean() if values else batch.text.new_zeros(())

    def _cross_entropy(self, known: Classes, options: dict[str, Any]) -> Tensor:
        return losses.cross_entropy(known.logits, known.label, options["smoothing"])

    def _class_embedding(self, known: Classes, options: dict[str, Any]) -> Tensor:
        return getattr(losses, options["similarity"])(known.features, known.targets[known.label])

    def _devise(self, known: Classes, options: dict[str, Any]) -> Tensor:
        return losses.devise(known.features, known.label, known.targets, options["margin"])

    def _center(self, known: Classes, options: dict[str, Any]) -> Tensor:
        return losses.center_loss(known.features, known.label, self.centers if options["learned"] else known.targets)

    def _label_embedding(self, known: Classes, options: dict[str, Any]) -> Tensor:
        second, rows = self.second_output(known.hidden.detach()), self.label_table[known.label]
        shape = (options["temperature"], options["alpha"], options["beta"])
        return losses.label_embedding(known.logits, second, rows, known.label, *shape)


def _angular(
    anchor: Tensor,
    positive: Tensor,
    negatives: Tensor,
    batch: Batch,
    options: dict[str, Any],
    anchors: Tensor | None = None,
    own_counts: bool = False,
) -> Tensor:
    """The angular loss with the batch's other items as negatives, for the rows in `anchors`.

    As published, negatives count B times, and in the terms whose negatives are the batch's own pictures
    (`own_counts`) the anchor's picture is among them.
    """
    mask = batch.group[:, None] != batch.group[None, :]
    repeats = 1
    if options["as_published"]:
        repeats = len(anchor)
        mask = torch.ones_like(mask) if own_counts else mask
    if anchors is not None:
        if not anchors.any():
            return anchor.new_zeros(())
        anchor, positive, mask = anchor[anchors], positive[anchors], mask[anchors]
    return losses.angular(anchor, positive, negatives, mask, options["angle"], repeats)


def column_correlations(first: Tensor, second: Tensor) -> Tensor:
    """(d,) Pearson correlations of the paired columns of two (n, d) matrices; 0 for a constant column."""
    first, second = (F.normalize(rows - rows.mean(dim=0), dim=0) for rows in (first, second))
    return (first * second).sum(dim=0)


def _shares(found: list[Found], like: Tensor) -> dict[str, Tensor]:
    if not found:
        return {}
    active, candidates = (sum(counts) for counts in zip(*found, strict=True))
    return {"active": like.new_tensor(active / max(1, candidates)), "mined": like.new_tensor(float(active))}


def _twins(group: Tensor) -> Tensor:
    """(B, B) true where two different rows are the same thing: neither a pair nor negatives."""
    same = group[:, None] == group[None, :]
    return same.fill_diagonal_(False)
