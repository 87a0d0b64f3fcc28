"""How it is trained: batches, augmentation, the optimizer and its schedule."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from stages.params.base import Count, NonNegative, Positive, Section, Share
from stages.params.towers import ImageTower, ProjectionOptions, TextTower


class Refine(Section):
    """The schedule `refine`: after `patience` epochs without a better validation MRR, back to the best weights at
    `multiplier` times the learning rate, `steps` times; from then on with `later_patience`."""

    patience: Positive = 15
    steps: Count = 3
    multiplier: Annotated[float, Field(gt=0, lt=1)] = 0.1
    later_patience: Positive = 10


class Sgdr(Section):
    """The schedule `sgdr`: cycles of `base` epochs, each `multiplier` times as long as the one before, from `lr` down
    to `minimum`; with `final`, rates also fall steadily to that share of themselves."""

    base: Positive = 12
    multiplier: Positive = 2
    minimum: NonNegative = 1e-6
    final: Annotated[float, Field(gt=0, le=1)] | None = None


class Cyclical(Section):
    """The schedule `cyclical`: from `minimum` to `lr` in `half_cycle` epochs, and back."""

    half_cycle: Annotated[float, Field(gt=0)] = 4.0
    minimum: NonNegative = 1e-5


class OneCycle(Section):
    """The schedule `one_cycle`: up to `lr` over the share `rise` of all steps, from its `start`-th part; then down."""

    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    start: Annotated[float, Field(ge=1)] = 25
    final: Annotated[float, Field(ge=1)] = 1e4


class Augment(Section):
    """Applied to training pictures; shift is a share of the side, rotate in degrees, scale a share; crop is the side
    of a square cut out at a random place (from the middle in evaluation); erase is the share of pictures of which a
    rectangle becomes noise."""

    flip: bool = False
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.0
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    crop: Positive | None = None
    erase: Share = 0.0


class Train(Section):
    """Shared by all methods; a method may override any of it under its own `train` key.

    `l2` is the weight of Σw² over every parameter, in place of `weight_decay`, for the optimizers adam and sgd.
    `dim` is the width of the embeddings; a method with class embeddings as targets has theirs. `head: none` leaves the
    image tower's output as it is, without a last layer. `codes`: the embeddings of pictures are also evaluated as
    binary codes of `dim` bits, their signs. `start` is a Kith model, of which all layers that fit are taken over; in
    the first `head_epochs` the towers then stay as they are. `sampler: balanced` makes batches of
    `classes_per_batch` classes, by default as many as `batch_size` has room for, with `items_per_class` pictures each.
    """

    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)] = 128
    sampler: Literal["shuffled", "balanced"] = "shuffled"
    classes_per_batch: Annotated[int, Field(ge=2)] | None = None
    items_per_class: Annotated[int, Field(ge=2)] = 4
    items_per_group: Positive | None = None
    fill_batches: bool = False
    dim: Positive = 256
    head: Literal["linear", "none"] = "linear"
    codes: bool = False
    image: ImageTower = ImageTower()
    text: TextTower = TextTower()
    projection: ProjectionOptions = ProjectionOptions()
    augment: Augment = Augment()
    start: Path | None = None
    head_epochs: Count = 0
    optimizer: Literal["adam", "adamw", "sgd", "adagrad"] = "adamw"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    lr: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: NonNegative = 1e-4
    l2: NonNegative = 0.0
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    schedule: Literal["constant", "cosine", "plateau", "refine", "sgdr", "steps", "resnet", "cyclical", "one_cycle"] = (
        "cosine"
    )
    warmup: Share = 0.05
    sgdr: Sgdr = Sgdr()
    steps: list[tuple[Count, Annotated[float, Field(gt=0)]]] = []
    cyclical: Cyclical = Cyclical()
    one_cycle: OneCycle = OneCycle()
    plateau_patience: Positive = 5
    refine: Refine = Refine()
    early_stopping: Positive | None = None
    select: Literal["mrr", "loss", "ahp", "accuracy"] = "mrr"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Positive = 1
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    threads: Positive = 2
