"""What is trained: a tower for each modality, and what follows them."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, model_validator

from kith.text.kinds import OF_WORDS
from kith.training.options import Finetuning, PictureFinetuning
from kith.training.statistics import PUBLISHED
from stages.params.base import NonNegative, Positive, Section
from stages.params.derived import options_of, section
from stages.params.encoders import EncodedInput, EncoderName
from stages.params.semantic import Tokens

OF_ENCODED = ("linear", "residual", "mlp")  # towers that take the features of a frozen encoder
ENCODER = "encoder"  # the tower that is an encoder itself, which is trained on


class ImageTower(Section):
    """Pictures: cnn, resnet (`depth`, `width`), vgg, or a published network by its whole name, such as plain-11,
    resnet-110-wfc, wrn-28-10, pyramidnet-272-200, densenet-bc-100-12, resnet-50, timm:<name>. Features: linear, mlp (of
    `layers` with `hidden` units), residual (the same, beside a linear layer), vgg (maps). encoder: a frozen one of
    study.encoders, or of kith.encoders, whose features stand in for the pictures; encoded: what is seen of them;
    dropout: of the towers linear, residual and encoder. The tower encoder is an encoder of kith.encoders itself, which
    sees pictures with its own size and statistics and is trained on, as `finetune` says (null: by its defaults).
    statistics: pictures are standardised by published ones in the place of those of the training split: ilsvrc,
    cifar100, nabirds, cub, or caffe, with blue first and values up to 255."""

    tower: Annotated[
        str, Field(pattern=r"^(cnn|resnet|vgg|linear|mlp|residual|encoder|[a-z]+(-[a-z0-9]+)+|timm:\S+)$")
    ] = "cnn"
    depth: Literal[10, 18, 34, 50, 101, 152, 200] = 18
    width: Positive = 32
    hidden: Positive = 1024
    layers: Positive = 2
    weights: Path | None = None
    statistics: Literal[tuple(PUBLISHED)] | None = None  # type: ignore[valid-type]
    encoder: EncoderName | None = None
    encoded: EncodedInput | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    finetune: section(PictureFinetuning) | None = None  # type: ignore[valid-type]

    @property
    def finetuning(self) -> PictureFinetuning:
        """How its encoder is trained on."""
        return options_of(PictureFinetuning, {} if self.finetune is None else self.finetune.model_dump())

    @model_validator(mode="after")
    def fits_encoder(self) -> "ImageTower":
        if self.finetuning.checkpointing and self.finetuning.batch_norm == "trained":
            raise ValueError("finetune: checkpointing would count batches twice in batch_norm: trained; take frozen")
        if self.statistics is not None and self.encoder is not None:
            raise ValueError(f"statistics: an encoder has its own; leave {self.statistics} out")
        return _fits_encoder(self)


class TextTower(Section):
    """Texts: gru, bag, tfidf. Features: linear, mlp, residual, vgg (maps). tfidf, mlp and residual have `layers` hidden
    layers. encoder: as a tower and by its features, encoded and finetune: as of pictures.

    tokenizer: what texts are cut into: words (or null), words between spaces in every script (spaced), or pieces of
    words by a pretrained tokenizer: minilm, a tokenizer.json of the library tokenizers, or a folder with one. tokens:
    what of the words is read, as `text.tokens` says it for the neighbours; null: all.
    """

    tower: Literal["gru", "bag", "tfidf", "linear", "mlp", "residual", "vgg", "encoder"] = "gru"
    embedding: Positive = 200
    hidden: Positive = 512
    layers: Positive = 2
    width: Positive = 32
    pretrained_words: bool = False
    min_count: Positive = 1
    max_words: Positive | None = None
    max_tokens: Positive = 64
    tokenizer: str | None = None
    tokens: Tokens | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    encoder: EncoderName | None = None
    encoded: EncodedInput | None = None
    finetune: section(Finetuning) | None = None  # type: ignore[valid-type]

    @property
    def finetuning(self) -> Finetuning:
        """How its encoder is trained on."""
        return options_of(Finetuning, {} if self.finetune is None else self.finetune.model_dump())

    @model_validator(mode="after")
    def fits_encoder(self) -> "TextTower":
        if self.encoder is not None and (self.tokenizer is not None or self.tokens is not None):
            raise ValueError("an encoder cuts texts by its own tokenizer; leave tokenizer and tokens out")
        return _fits_encoder(self)

    @model_validator(mode="after")
    def fits_tokenizer(self) -> "TextTower":
        if self.pretrained_words and self.tower == ENCODER:
            raise ValueError("pretrained_words starts from vectors of words, and an encoder has its own; leave it out")
        if self.pretrained_words and self.tokenizer not in (None, *OF_WORDS):
            raise ValueError("pretrained_words starts from vectors of words; leave it out, or the tokenizer")
        if self.tokens is not None and self.tokenizer not in (None, *OF_WORDS):
            raise ValueError("tokens chooses among words; leave it out, or the tokenizer")
        return self

    def parameters(self) -> list[str]:
        return [name for name in super().parameters() if name != "tokens" or name in self.model_fields_set]


class ProjectionOptions(Section):
    """What follows the towers: rows of length 1 (unit), a learned linear layer, or a CCA layer.

    alpha: share of the batch in its running statistics. Of the CCA layer: r1, r2, rT: ridges; relative: whether r1 and
    r2 are shares of the views' mean variances, whatever their units; null: they are added as they are, as published.
    power: canonical directions are weighted by correlation ** power in the projection that is refitted after each
    epoch.
    """

    kind: Literal["unit", "learned", "cca"] = "unit"
    alpha: Annotated[float, Field(gt=0, le=1)] = 1.0
    r1: NonNegative = 1e-3
    r2: NonNegative = 1e-3
    rT: NonNegative = 1e-3
    relative: Literal[True] | None = True
    power: NonNegative = 0.0

    def parameters(self) -> list[str]:
        return [name for name in super().parameters() if name != "relative" or self.kind == "cca"]

    @model_validator(mode="after")
    def only_of_cca(self) -> "ProjectionOptions":
        """Nothing of it is saved with a model that has no such layer."""
        if self.kind != "cca":
            object.__setattr__(self, "relative", None)
        return self

    def options(self) -> dict[str, Any]:
        """What the layer is built with."""
        known = {"unit": ["kind"], "learned": ["kind", "alpha"]}.get(self.kind)
        return self.model_dump(include=set(known) if known else None, exclude_none=True)


class Attention(Section):
    """Of `head: attention` (Song & Soleymani, CVPR 2019): how many `vectors` an item has, each the whole of it and what
    one head of attention finds among its parts; hidden: units of the attention, half of the numbers of a part by
    default; dropout: of the whole and of what is added."""

    vectors: Positive = 1
    hidden: Positive | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


Tower = TypeVar("Tower", ImageTower, TextTower)


def _fits_encoder(tower: Tower) -> Tower:
    if tower.encoder is not None and tower.tower not in (*OF_ENCODED, ENCODER):
        raise ValueError(
            f"the {tower.tower} tower does not take the features of an encoder; take linear, residual or mlp, or "
            "encoder to train the encoder itself"
        )
    if tower.tower == ENCODER and tower.encoder is None:
        raise ValueError("the tower encoder is a network that comes pretrained; name one: encoder: lite0")
    if tower.encoded is not None and (tower.encoder is None or tower.tower == ENCODER):
        raise ValueError("encoded is for the features of a frozen encoder, and there is none; leave it out")
    if tower.finetune is not None and tower.tower != ENCODER:
        raise ValueError("finetune is for the tower encoder; leave it out, or take tower: encoder")
    return tower
