"""How a network is trained, whatever it is made of: batches, augmentation, the optimizer and its schedule.

Each option stands here once, with its default and its bounds; params.yaml has them in its section `train`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from kith.constraints import (
    AboveZero,
    AtLeastOne,
    Between,
    Count,
    NonNegative,
    NotAll,
    Positive,
    Several,
    Share,
    SomeOrAll,
)


@dataclass(frozen=True)
class Refine:
    """The schedule `refine`: after `patience` epochs without a better validation MRR, back to the best weights at
    `multiplier` times the learning rate, `steps` times; from then on with `later_patience`."""

    patience: Positive = 15
    steps: Count = 3
    multiplier: Between = 0.1
    later_patience: Positive = 10


@dataclass(frozen=True)
class Sgdr:
    """The schedule `sgdr`: cycles of `base` epochs, each `multiplier` times as long as the one before, from `lr` down
    to `minimum`; with `final`, rates also fall steadily to that share of themselves."""

    base: Positive = 12
    multiplier: Positive = 2
    minimum: NonNegative = 1e-6
    final: SomeOrAll | None = None


@dataclass(frozen=True)
class Cyclical:
    """The schedule `cyclical`: from `minimum` to `lr` in `half_cycle` epochs, and back."""

    half_cycle: AboveZero = 4.0
    minimum: NonNegative = 1e-5


@dataclass(frozen=True)
class OneCycle:
    """The schedule `one_cycle`: up to `lr` over the share `rise` of all steps, from its `start`-th part; then down."""

    rise: Between = 0.3
    start: AtLeastOne = 25
    final: AtLeastOne = 1e4


@dataclass(frozen=True)
class Augment:
    """Applied to training pictures; shift is a share of the side, rotate in degrees, scale a share; crop is the side
    of a square cut out at a random place (from the middle in evaluation); erase is the share of pictures of which a
    rectangle becomes noise. resized_crop: a rectangle at a random place, with a random share of the picture's area in
    this range, is brought to the side of `crop`, or of the picture; zoom: the shorter side is brought to a random
    number of pixels in this range before `crop`. Both look at a photograph as it is stored."""

    flip: bool = False
    shift: NotAll = 0.0
    rotate: Annotated[float, Ge(0), Le(180)] = 0.0
    scale: NotAll = 0.0
    crop: Positive | None = None
    erase: Share = 0.0
    resized_crop: tuple[SomeOrAll, SomeOrAll] | None = None
    zoom: tuple[Positive, Positive] | None = None


def check_augment(options: Mapping[str, Any]) -> None:
    """Raise ValueError where options of `Augment` contradict each other.

    >>> check_augment({"crop": 224, "zoom": (256, 480), "resized_crop": None})
    """
    crop, zoom, resized = options["crop"], options["zoom"], options["resized_crop"]
    for name, bounds in (("zoom", zoom), ("resized_crop", resized)):
        if bounds is not None and bounds[0] > bounds[1]:
            raise ValueError(f"augment.{name}: {bounds[0]} is more than {bounds[1]}; give the smaller number first")
    if zoom is not None and resized is not None:
        raise ValueError("augment.zoom and augment.resized_crop are two ways to cut out a part; leave one out")
    if zoom is not None and (crop is None or crop > zoom[0]):
        raise ValueError(f"augment.zoom needs augment.crop, the side of what is cut out, of at most {zoom[0]} pixels")


@dataclass(frozen=True)
class Finetuning:
    """How a tower that is an encoder is trained: `lr_factor` times the learning rates of the rest; with
    `checkpointing`, what lies within its blocks is computed twice, which saves memory."""

    lr_factor: AboveZero = 0.1
    checkpointing: bool = False


@dataclass(frozen=True)
class PictureFinetuning(Finetuning):
    """Also `batch_norm`: frozen keeps the statistics that came with the encoder, for small batches. size, crop: the
    pixels of a side that it sees, and the share of the resized side that is looked at; by default its own, and all of
    what `augment.crop` leaves."""

    batch_norm: Literal["frozen", "trained"] = "frozen"
    size: Positive | None = None
    crop: SomeOrAll | None = None


@dataclass(frozen=True)
class Batches:
    """What a step sees. `sampler: balanced` makes batches of `classes_per_batch` classes, by default as many as
    `batch_size` has room for, with `items_per_class` pictures each; `pairs` and `triplets` draw partners of
    each picture, for losses whose mining is `given`. With 0 epochs nothing is trained: encoders are taken as they are,
    and a CCA layer, or a head of codes, is fitted to the training split."""

    epochs: Count
    batch_size: Several = 128
    sampler: Literal["shuffled", "balanced", "pairs", "triplets"] = "shuffled"
    classes_per_batch: Several | None = None
    items_per_class: Several = 4
    items_per_group: Positive | None = None
    fill_batches: bool = False


@dataclass(frozen=True)
class Augmentation:
    """How training pictures are varied."""

    augment: Augment = Augment()


@dataclass(frozen=True)
class Optimization:
    """The optimizer, its schedule, and which epoch is kept. decay_all: weights decay on every parameter, biases and
    norms among them. `l2` is the weight of Σw² over every parameter, in place of `weight_decay`, for the optimizers
    adam and sgd. In the first `head_epochs` the towers stay as they are, and the heads alone are trained: so a
    pretrained tower is unfrozen only when they have settled. max_decay: whatever the schedule, but refine, rates also
    fall steadily to that share of themselves; plateau_minimum: plateau goes no lower. select: which epoch is kept, by a
    figure of the validation or by its loss; angular: by the term angular_cross alone, its negatives counted once, which
    plateau then looks at as well."""

    head_epochs: Count = 0
    optimizer: Literal["adam", "adamw", "sgd", "adagrad"] = "adamw"
    momentum: NotAll = 0.9
    nesterov: bool = True
    lr: AboveZero = 1e-3
    weight_decay: NonNegative = 1e-4
    decay_all: Literal[True] | None = None
    l2: NonNegative = 0.0
    clip_norm: AboveZero | None = None
    schedule: Literal["constant", "cosine", "plateau", "refine", "sgdr", "steps", "resnet", "cyclical", "one_cycle"] = (
        "cosine"
    )
    warmup: Share = 0.05
    sgdr: Sgdr = Sgdr()
    steps: list[tuple[Count, AboveZero]] = field(default_factory=list)
    cyclical: Cyclical = Cyclical()
    one_cycle: OneCycle = OneCycle()
    plateau_patience: Positive = 5
    plateau_minimum: NonNegative | None = None
    max_decay: SomeOrAll | None = None
    refine: Refine = Refine()
    early_stopping: Positive | None = None
    select: Literal["mrr", "loss", "ahp", "accuracy", "angular", "map"] = "mrr"


@dataclass(frozen=True)
class DrawNeighbors:
    """For each training item, `count` neighbours are drawn from its `among` nearest in meaning. separate: they go
    through the towers by themselves, so that batch norm sees the batch alone."""

    count: Positive = 1
    among: Positive = 10
    separate: Literal[True] | None = None


@dataclass(frozen=True)
class TrainingConfig(Optimization, Augmentation, Batches):
    """All that `fit` goes by. lr_factors: of towers that learn by other rates than the rest, their share of these.
    workers: threads that read and decode batches ahead; 0: none; None: one for each core where pictures have to be
    decoded or cut, else none. Results do not depend on them. compile: on a GPU, compile the towers first.
    sync_batch_norm: batch norm of the towers sees the batches of all processes.

    >>> TrainingConfig(epochs=2, lr=0.01).schedule
    'cosine'
    """

    neighbors: DrawNeighbors = DrawNeighbors()
    lr_factors: Mapping[Literal["image", "text"], float] = field(default_factory=dict)
    seed: int = 0
    workers: Count | None = None
    compile: Literal[True] | None = None
    sync_batch_norm: Literal[True] | None = None
