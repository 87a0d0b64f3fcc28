"""Frozen encoders that come pretrained, and what of their features a tower sees."""

from typing import Annotated, Literal

from pydantic import Field

from stages.params.base import Positive, Section

EncoderName = Annotated[str, Field(pattern=r"^\S+$")]


class EncoderOptions(Section):
    """One way of encoding: an encoder of kith.encoders (lite0, minilm, hf:<id or folder>, timm:<name>,
    resnet-50:<file>), and, where they are not to be its own, the side of the pictures that it sees, and the share of
    the resized side that is looked at (1: all of it); or how many tokens of a text it reads, fewer than it could.
    precision: auto computes in bfloat16 where the processor has it, in half of the time; by default float32."""

    encoder: EncoderName
    size: Positive | None = None
    crop: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=3)] | None = None
    precision: Literal["auto", "bf16"] | None = None

    def parameters(self) -> list[str]:
        absent = {name for name in ("max_tokens", "precision") if getattr(self, name) is None}
        return [name for name in super().parameters() if name not in absent]


class Encode(Section):
    """How many pictures or texts a frozen encoder reads at a time; keep: GB of encoded rows that are kept under
    data/encoded, by default 20, beyond which those go that were used least lately."""

    batch_size: Positive = 32
    keep: Positive | None = None

    def parameters(self) -> list[str]:
        return [name for name in super().parameters() if name != "keep" or self.keep]


class EncodedInput(Section):
    """What a tower sees of the features of a frozen encoder: log1p: sign(x) · log(1 + |x|); standardize: mean 0 and
    deviation 1 over the training split; pca: so many whitened principal components of it."""

    log1p: bool = False
    standardize: bool = True
    pca: Positive | None = None
