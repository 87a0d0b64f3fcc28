"""How it is trained: as kith.training declares it, and the networks, the start and the machine besides."""

from pathlib import Path
from typing import Literal

from kith.training.options import Augmentation, Batches, Optimization
from stages.params.base import Count, Positive, Section
from stages.params.derived import section
from stages.params.towers import Attention, ImageTower, ProjectionOptions, TextTower


class Networks(Section):
    """What is trained. `dim` is the width of the embeddings; a method with class embeddings as targets has theirs.
    `head: none` leaves what the towers give as it is, without a last layer; itq and random make codes of the features
    of a frozen encoder, fitted and not trained; attention adds to the whole of an item what it finds among its parts,
    as `attention` says. `codes`: the embeddings of pictures are also evaluated as binary codes of `dim` bits, their
    signs."""

    dim: Positive = 256
    head: Literal["linear", "none", "itq", "random", "attention"] = "linear"
    attention: Attention | None = None
    codes: bool = False
    image: ImageTower = ImageTower()
    text: TextTower = TextTower()
    projection: ProjectionOptions = ProjectionOptions()


class Start(Section):
    """`start` is a Kith model, of which all layers that fit are taken over."""

    start: Path | None = None


class Machine(Section):
    """Where it is computed, and in which precision. `workers` are threads that read and decode pictures ahead of the
    steps: null takes one for each core where pictures have to be decoded or cut, 0 reads them in the step. `compile`:
    on a GPU the towers are compiled, which takes a minute and pays in a long training. `sync_batch_norm`: batch norm of
    the towers sees the batches of all processes, not each its own; in one process it changes nothing."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Positive = 1
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    threads: Positive = 2
    workers: Count | None = None
    compile: Literal[True] | None = None
    sync_batch_norm: Literal[True] | None = None


# Fields stand in the order of the bases from the last to the first.
class Train(Machine, section(Optimization), Start, section(Augmentation), Networks, section(Batches)):  # type: ignore[misc]
    """Shared by all methods; a method may override any of it under its own `train` key."""
