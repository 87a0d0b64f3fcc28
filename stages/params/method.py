"""A method: losses, what they look at, and how it is trained."""

from typing import Literal

from pydantic import model_validator

from kith.losses import Needs
from kith.training.options import DrawNeighbors
from stages.params.base import Section
from stages.params.derived import section
from stages.params.losses import Losses
from stages.params.training import Train


class Method(Section):
    """targets: the class embeddings of the terms class_embedding and devise: those of the stage class_embedding, one
    dimension a class, or word vectors of the class names."""

    losses: Losses
    targets: Literal["hierarchy", "onehot", "words"] = "hierarchy"
    neighbors: section(DrawNeighbors) = section(DrawNeighbors)()  # type: ignore[valid-type]
    train: Train

    @property
    def needs(self) -> Needs:
        """What the losses need together."""
        return Needs.of(self.losses.terms())

    @model_validator(mode="after")
    def fits_together(self) -> "Method":
        train, needs = self.train, self.needs
        if train.head == "none" and needs.texts:
            raise ValueError("train.head: none is for methods that look at pictures alone")
        if train.head == "none" and train.codes:
            raise ValueError("train.codes needs head: linear; a tower's own output seldom has both signs")
        if not needs.texts and train.projection.kind != "unit":
            raise ValueError(f"train.projection.kind: {train.projection.kind} needs a loss of pictures and texts")
        if train.select in ("ahp", "accuracy") and not needs.classes:
            raise ValueError(f"train.select: {train.select} needs a loss of classes, such as cross_entropy")
        if train.sampler == "balanced" and not needs.classes:
            raise ValueError("train.sampler: balanced needs a loss of classes, such as triplet")
        if train.l2 and train.optimizer == "adamw":
            raise ValueError("train.l2 is for the optimizers adam and sgd; with adamw use train.weight_decay")
        if train.projection.kind == "cca" and train.batch_size <= train.dim:
            raise ValueError(
                "a CCA layer needs a batch larger than its dimension: "
                f"train.batch_size {train.batch_size}, train.dim {train.dim}"
            )
        if "trace_norm" in self.losses.terms() and train.projection.kind != "cca":
            raise ValueError("losses.trace_norm needs train.projection.kind: cca")
        return self
