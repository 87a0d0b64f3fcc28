"""A method: losses, what they look at, and how it is trained."""

from dataclasses import replace
from typing import Literal

from pydantic import model_validator

from kith.errors import KithError
from kith.losses import LOSSES, Needs
from kith.losses.nested import check_terms, check_widths
from kith.training.options import DrawNeighbors, check_augment
from stages.params.base import Section
from stages.params.derived import section
from stages.params.losses import Losses
from stages.params.towers import ENCODER
from stages.params.training import Train

FITTED = ("itq", "random")  # heads


class Method(Section):
    """targets: the class embeddings of the terms class_embedding and devise: those of the stage class_embedding, one
    dimension a class, or word vectors of the class names."""

    losses: Losses = Losses()
    targets: Literal["hierarchy", "onehot", "words"] = "hierarchy"
    neighbors: section(DrawNeighbors) = section(DrawNeighbors)()  # type: ignore[valid-type]
    train: Train

    @property
    def needs(self) -> Needs:
        """What the losses need together; without any, texts where they have an encoder."""
        needs = Needs.of(self.losses.terms())
        return needs if self.losses.terms() else replace(needs, texts=self.train.text.encoder is not None)

    @model_validator(mode="after")
    def fits_together(self) -> "Method":
        train, needs = self.train, self.needs
        _fits_augment(train)
        _fits_epochs(self)
        _fits_matryoshka(self)
        _fits_schedule(train)
        encoded = train.image.encoder is not None and (train.text.encoder is not None or not needs.texts)
        if train.head == "none" and needs.texts and not encoded:
            raise ValueError(
                "train.head: none is for methods that look at pictures alone, or have encoders of both sides"
            )
        if train.head == "none" and train.codes and not encoded:
            raise ValueError("train.codes needs head: linear; a tower's own output seldom has both signs")
        if not needs.texts and train.projection.kind != "unit":
            raise ValueError(f"train.projection.kind: {train.projection.kind} needs a loss of pictures and texts")
        if train.epochs and train.select in ("ahp", "accuracy", "map") and not needs.classes:
            raise ValueError(f"train.select: {train.select} needs a loss of classes, such as cross_entropy")
        if train.epochs and train.select == "angular" and "angular_cross" not in self.losses.terms():
            raise ValueError("train.select: angular needs losses.angular_cross; take mrr, or loss")
        _fits_sampler(self)
        _fits_attention(self)
        if train.head_epochs and not (_has_head(train) or needs.classifier or "metric_learning" in self.losses.terms()):
            raise ValueError("train.head_epochs: in these epochs heads alone are trained, and head: none has none")
        if train.l2 and train.optimizer == "adamw":
            raise ValueError("train.l2 is for the optimizers adam and sgd; with adamw use train.weight_decay")
        if train.epochs and train.projection.kind == "cca" and train.batch_size <= train.dim:
            raise ValueError(
                "a CCA layer needs a batch larger than its dimension: "
                f"train.batch_size {train.batch_size}, train.dim {train.dim}"
            )
        if "trace_norm" in self.losses.terms() and train.projection.kind != "cca":
            raise ValueError("losses.trace_norm needs train.projection.kind: cca")
        return self


def _fits_sampler(method: Method) -> None:
    """Tuples that are drawn before come in batches of them, in a single process, which keeps their order."""
    train = method.train
    if train.sampler != "shuffled" and not method.needs.classes:
        raise ValueError(f"train.sampler: {train.sampler} needs a loss of classes, such as triplet")
    for name, options in method.losses.terms().items():
        if options.get("mining") != "given":
            continue
        wanted = "pairs" if name == "contrastive" else "triplets"
        if train.sampler != wanted:
            raise ValueError(f"losses.{name}.mining: given takes what is drawn before; take train.sampler: {wanted}")
        if train.devices > 1:
            raise ValueError(f"losses.{name}.mining: given is for one device; take train.devices: 1")
        if options.get("bank"):
            raise ValueError(f"losses.{name}.bank is for triplets that are mined; leave it out, or mining: given")


def _fits_attention(method: Method) -> None:
    """Several vectors an item are for losses that compare them so."""
    train, terms = method.train, method.losses.terms()
    if train.head != "attention":
        if train.attention is not None:
            raise ValueError("train.attention is for train.head: attention; leave it out, or take that head")
        if "diversity" in terms:
            raise ValueError("losses.diversity looks at what attention adds; take train.head: attention")
        return
    if method.needs.classes or not method.needs.texts or train.codes or train.projection.kind != "unit":
        raise ValueError(
            "train.head: attention is for losses of pictures and texts alone, without train.codes, and with "
            "train.projection.kind: unit"
        )
    several = train.attention is not None and train.attention.vectors > 1
    if "diversity" in terms and not several:
        raise ValueError("losses.diversity tells several vectors of an item apart; take train.attention: {vectors: 2}")
    if several and (other := [name for name in terms if not LOSSES[name].of_several]):
        able = ", ".join(name for name, loss in LOSSES.items() if loss.of_several)
        raise ValueError(f"losses.{other[0]} compares one vector an item; with train.attention.vectors take {able}")


def _fits_matryoshka(method: Method) -> None:
    """Without a head the width is that of the towers, which is known only when they are built."""
    widths = method.losses.matryoshka
    if widths is None:
        return
    if not method.train.epochs:
        raise ValueError("train.epochs: 0 trains nothing; leave losses.matryoshka out")
    if method.train.attention is not None and method.train.attention.vectors > 1:
        raise ValueError("losses.matryoshka is for one vector an item; leave train.attention.vectors out")
    try:
        check_widths(widths, method.train.dim if method.train.head != "none" else widths[-1] + 1)
        check_terms(method.losses.terms())
    except KithError as error:
        raise ValueError(str(error)) from None


def _has_head(train: Train) -> bool:
    return train.head != "none" or train.projection.kind == "learned"


def _fits_schedule(train: Train) -> None:
    if train.max_decay is not None and train.schedule == "refine":
        raise ValueError(
            "train.max_decay: the schedule refine goes back to earlier epochs at a rate of its own; leave one out"
        )
    if train.max_decay is not None and train.schedule == "sgdr" and train.sgdr.final is not None:
        raise ValueError("train.max_decay and train.sgdr.final are the same thing; leave one out")
    if train.plateau_minimum is not None and train.plateau_minimum > train.lr:
        raise ValueError(f"train.plateau_minimum: {train.plateau_minimum} is above train.lr: {train.lr}; give less")


def _fits_augment(train: Train) -> None:
    augment = train.augment.model_dump()
    check_augment(augment)
    frozen = train.image.encoder is not None and train.image.tower != ENCODER
    if train.epochs and any(augment.values()) and frozen:
        raise ValueError(
            "train.augment varies pictures, and this method sees the features of a frozen encoder; leave it out, or "
            "set what other methods have to nothing, as in augment: {flip: false, shift: 0}"
        )


def _fits_epochs(method: Method) -> None:
    """Without epochs nothing may be left untrained; with some there has to be a loss."""
    train, losses = method.train, method.losses.terms()
    if train.epochs and not losses:
        raise ValueError(f"losses: name at least one of {', '.join(LOSSES)}")
    if train.epochs and train.head in FITTED:
        raise ValueError(f"train.head: {train.head} is fitted, not trained; take train.epochs: 0")
    if not train.epochs:
        if losses:
            raise ValueError("train.epochs: 0 trains nothing; leave the losses out")
        if train.image.encoder is None:
            raise ValueError("train.epochs: 0 needs an encoder that comes pretrained; name one: train.image.encoder")
        if train.head == "linear" or train.projection.kind == "learned" or train.image.tower != "linear":
            raise ValueError("train.epochs: 0 trains no tower, head or projection; take tower: linear and head: none")
        if train.head in FITTED and method.needs.texts:
            raise ValueError(f"train.head: {train.head} is for pictures alone; leave the encoder of texts out")
