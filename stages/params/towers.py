"""What is trained: a tower for each modality, and what follows them."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from stages.params.base import NonNegative, Positive, Section


class ImageTower(Section):
    """Pictures: cnn, resnet (`depth`, `width`), vgg, or a published network by its whole name, such as plain-11,
    resnet-110-wfc, wrn-28-10, pyramidnet-272-200, densenet-bc-100-12, resnet-50, timm:<name>. Features: linear, mlp (of
    `layers` with `hidden` units), vgg (maps)."""

    tower: Annotated[str, Field(pattern=r"^(cnn|resnet|vgg|linear|mlp|[a-z]+(-[a-z0-9]+)+|timm:\S+)$")] = "cnn"
    depth: Literal[10, 18, 34, 50, 101, 152] = 18
    width: Positive = 32
    hidden: Positive = 1024
    layers: Positive = 2
    weights: Path | None = None


class TextTower(Section):
    """Texts: gru, bag, tfidf. Features: linear, mlp, vgg (maps). tfidf and mlp have `layers` hidden layers."""

    tower: Literal["gru", "bag", "tfidf", "linear", "mlp", "vgg"] = "gru"
    embedding: Positive = 200
    hidden: Positive = 512
    layers: Positive = 2
    width: Positive = 32
    pretrained_words: bool = False
    min_count: Positive = 1
    max_words: Positive | None = None
    max_tokens: Positive = 64
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class ProjectionOptions(Section):
    """What follows the towers: rows of length 1 (unit), a learned linear layer, or a CCA layer.

    alpha: share of the batch in its running statistics. Of the CCA layer: r1, r2, rT: ridges; power: canonical
    directions are weighted by correlation ** power in the projection that is refitted after each epoch.
    """

    kind: Literal["unit", "learned", "cca"] = "unit"
    alpha: Annotated[float, Field(gt=0, le=1)] = 1.0
    r1: NonNegative = 1e-3
    r2: NonNegative = 1e-3
    rT: NonNegative = 1e-3
    power: NonNegative = 0.0

    def options(self) -> dict[str, Any]:
        """What the layer is built with."""
        known = {"unit": ["kind"], "learned": ["kind", "alpha"]}.get(self.kind)
        return self.model_dump(include=set(known) if known else None)
