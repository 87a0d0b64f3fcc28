"""How a loss declares itself: its name, its options with defaults and bounds, what it needs, and how it is computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_type_hints

from torch import nn

from kith.constraints import NonNegative
from kith.losses.batch import Batch, LabelledRows, LossValue, TrainingStep

Need = Literal["text", "class", "targets", "neighbours", "classifier", "random texts"]
LOSSES: dict[str, type["Loss"]] = {}  # by name, in the order in which kith.losses imports them


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """What every loss has: the weight of its value in the sum."""

    weight: NonNegative = 1.0


class Loss(nn.Module):
    """A loss as a term of an objective; what it learns, such as a temperature, are its parameters.

    A subclass that is given a `name` is known to params.yaml by it. It annotates `options` with a frozen dataclass.
    needs: what it needs, each with the option values under which it does: {"targets": {"learned": False}}. of_several:
    whether it takes several vectors an item. Built with its options, the width of embeddings before the projection and
    the number of classes."""

    name: ClassVar[str]
    needs: ClassVar[Mapping[Need, Mapping[str, Any]]] = {"text": {}}
    of_several: ClassVar[bool] = False
    options: LossOptions

    def __init_subclass__(
        cls, name: str | None = None, needs: Mapping[Need, Mapping[str, Any]] | None = None, **more: Any
    ):
        super().__init_subclass__(**more)
        if needs is not None:
            cls.needs = needs
        if name is not None:
            cls.name = name
            LOSSES[name] = cls

    def __init__(self, options: Any, dim: int = 0, classes: int = 0):
        super().__init__()
        self.options = options

    @classmethod
    def options_type(cls) -> type[LossOptions]:
        return get_type_hints(cls)["options"]

    @classmethod
    def classifier(cls, options: Any) -> str | None:
        """The kind of classifier that it trains, see kith.models.classifier, if any: a linear one, if nothing else."""
        return "linear" if "classifier" in cls.needs else None

    @classmethod
    def takes_sets(cls, options: Any) -> bool:
        """Whether its pictures may have several labels each: a loss that needs classes says so."""
        return "class" not in cls.needs

    def forward(self, batch: Batch, step: TrainingStep) -> LossValue:
        """The value, without its weight; of mined losses also what mining has found."""
        raise NotImplementedError


class ClassLoss(Loss, needs={"class": {}}):
    """A loss of pictures whose class is known; 0 where there is none in the batch."""

    def forward(self, batch: Batch, step: TrainingStep) -> LossValue:
        known = batch.classes
        if known is None or not len(known.label):
            return batch.image.sum() * 0  # with a gradient, for there may be no other loss
        return self.of_classes(known, step)

    def of_classes(self, known: LabelledRows, step: TrainingStep) -> LossValue:
        raise NotImplementedError


@dataclass(frozen=True)
class Needs:
    """What the losses of a method need together; classifier: the kind that is trained, if any; random_texts: texts of
    the training split beside the batch's own."""

    texts: bool
    classes: bool
    targets: bool
    neighbors: bool
    classifier: str | None
    random_texts: bool = field(default=False, repr=False)

    @classmethod
    def of(cls, terms: Mapping[str, Mapping[str, Any]]) -> "Needs":
        """terms: name of a loss → its options, as `methods.<name>.losses` in params.yaml; defaults may be left out.

        >>> Needs.of({"info_nce": {}, "angular_image": {"weight": 0.1}})
        Needs(texts=True, classes=False, targets=False, neighbors=True, classifier=None)
        """
        built = [(LOSSES[name], LOSSES[name].options_type()(**options)) for name, options in terms.items()]
        needed = {
            need
            for loss, options in built
            for need, when in loss.needs.items()
            if all(getattr(options, option) == value for option, value in when.items())
        }
        kinds = [kind for loss, options in built if (kind := loss.classifier(options)) is not None]
        # With two kinds asked for, the one that is not by default serves both.
        kind = next((each for each in ("tower", "hidden") if each in kinds), next(iter(kinds), None))
        known = "text" in needed, "class" in needed, "targets" in needed, "neighbours" in needed
        return cls(*known, kind, "random texts" in needed)


def of_one_label(terms: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The losses of a method that need pictures of one label each; terms as of `Needs.of`.

    >>> of_one_label({"dpsh": {}, "cross_entropy": {}, "triplet": {"bank": 64}})
    ['cross_entropy', 'triplet']
    """
    built = {name: LOSSES[name].options_type()(**options) for name, options in terms.items()}
    return [name for name, options in built.items() if not LOSSES[name].takes_sets(options)]
