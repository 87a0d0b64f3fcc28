"""How fast training is, where a step's time goes, and how near that is to the network alone."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.measuring import Way
from benchmarks.table import Case
from kith.models import DualEncoder
from kith.store.inputs import ArrayInput
from kith.training import devices
from kith.training.augment import augment
from kith.training.data import TrainingData
from kith.training.loop import batches_of, fit
from kith.training.objective import Objective
from kith.training.optimization import optimizer_of
from kith.training.options import Augment, TrainingConfig
from kith.training.reading import read
from kith.training.task import Task

TITLE = "Training"
ABOUT = """Made-up pictures of ten classes, cross-entropy, SGD, flips and shifts, batches of 128; seconds are of
one step, n is the pictures of it. "a step": whole epochs of the real loop, on a GPU where there is one (then wall
seconds count); its limit, "alone": the same network on one batch that stays where it is: forward, backward and
update, nothing else. An epoch also validates 64 pictures, and as many that were trained on. The parts are measured by
themselves, each waiting for the device, so that they may add up to more than a step."""
CLASSES, HELD_OUT = 10, 64
LOSSES: dict[str, dict[str, Any]] = {"cross_entropy": {"head": "linear"}}
PARTS = ("reading", "augmenting", "forward and loss", "backward", "update")


def made_up(count: int, side: int, held_out: int = HELD_OUT) -> TrainingData:
    random = np.random.default_rng(0)
    array = random.integers(256, size=(count + held_out, side, side, 3), dtype=np.uint8)
    everyone = np.arange(count + held_out)
    return TrainingData(
        ArrayInput(array, everyone), None, everyone, everyone[:count], everyone[count:], labels=everyone % CLASSES
    )


def network(name: str, side: int, dim: int = 128, classifier: str | None = "linear") -> DualEncoder:
    """name: tower[:depth[:width]]."""
    tower, depth, width = (*name.split(":"), 10, 16)[:3]
    image = {"tower": tower, "depth": int(depth), "width": int(width), "channels": 3, "size": side, "fit": "pad"}
    image |= {"mean": [0.5] * 3, "std": [0.3] * 3}
    names = [str(number) for number in range(CLASSES)]
    classes = {"names": names, "shown": names, "classifier": classifier, "targets": None}
    return DualEncoder({"dim": dim, "image": image, "text": None, "projection": {"kind": "unit"}, "classes": classes})


def config_of(batch: int, compiled: bool, epochs: int = 1) -> TrainingConfig:
    return TrainingConfig(
        epochs=epochs,
        batch_size=batch,
        augment=Augment(flip=True, shift=0.1),
        optimizer="sgd",
        schedule="constant",
        select="loss",
        compile=True if compiled else None,
    )


def seconds_of_epochs(run: Callable[[Callable[[Any], None]], Any], steps: int) -> dict[str, float]:
    """Of a training: CPU and wall seconds of a step, in the fastest epoch but the first."""
    cpu, wall = [time.process_time()], [time.perf_counter()]

    def note(record: Any) -> None:
        cpu.append(time.process_time())
        wall.append(time.perf_counter())

    run(note)
    later = slice(1, None) if len(cpu) > 2 else slice(0, None)
    return {name: float(np.diff(of)[later].min()) / steps for name, of in (("cpu", cpu), ("wall", wall))}


def step(
    name: str, batch: int, pictures: int, side: int, precision: Any, compiled: bool, threads: int
) -> Callable[[], Any]:
    fabric = devices.fabric(threads=threads, device="auto", devices=1, precision=precision)
    data, config = made_up(pictures, side), config_of(batch, compiled, epochs=3)
    torch.manual_seed(0)
    model, objective = network(name, side), Objective(LOSSES, 128, CLASSES)
    steps = len(batches_of(data, config).epoch(1))
    return lambda: seconds_of_epochs(lambda note: fit(model, objective, data, config, fabric, on_epoch=note), steps)


def part(
    which: str, name: str, batch: int, side: int, precision: Any, compiled: bool, threads: int
) -> Callable[[], Any]:
    """One part of a step, by itself; "alone": all that has to be done."""
    fabric = devices.fabric(threads=threads, device="auto", devices=1, precision=precision)
    data, config = made_up(batch, side), config_of(batch, compiled)
    torch.manual_seed(0)
    model = network(name, side)
    image: Any = model.image_tower
    if fabric.device.type == "cuda":
        image.to(memory_format=torch.channels_last)
    task = Task(model, Objective(LOSSES, 128, CLASSES), labelled=True)
    (task, optimizer) = fabric.setup(task, optimizer_of(task, config))
    batches = batches_of(data, config).epoch(1)[:1]
    random = torch.Generator().manual_seed(0)
    images, *rest = fabric.to_device(next(iter(read(data, batches, False, config, fabric, 1))))
    given = augment(model.prepare(images), random, flip=True, shift=0.1)
    held: dict[str, Any] = {}

    def forward() -> None:
        held["loss"] = task(given, *rest)[0]

    def backward() -> None:
        optimizer.zero_grad()
        fabric.backward(held["loss"], retain_graph=True)

    def alone() -> None:
        with fabric.autocast():
            hidden = model.classifier(model.image_head(image(given)).float())
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(hidden, rest[-1]).backward()
        optimizer.step()

    forward()
    backward()
    of = {
        "reading": lambda: list(read(data, batches, False, config, fabric, 1)),
        "augmenting": lambda: augment(model.prepare(images), random, flip=True, shift=0.1),
        "forward and loss": forward,
        "backward": backward,
        "update": optimizer.step,
        "alone": alone,
    }

    def work() -> None:
        of[which]()
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()

    return work


class PerStep(Way):
    """A way whose answer says what a step took."""

    def measure(self) -> Any:
        found = super().measure()
        if not found.failed:
            found.cpu, found.wall = found.answer["cpu"], found.answer["wall"]
        return found


def cases(
    quick: bool,
    *,
    networks: tuple[str, ...] = ("resnet:10:16", "plain-11"),
    batch: int = 128,
    pictures: int = 1280,
    side: int = 32,
    precision: str = "auto",
    compiled: int = 0,
    threads: int = 1,
) -> Iterator[Case]:
    for name in networks[:1] if quick else networks:
        how = (name, batch, side, precision, bool(compiled), threads)
        whole = PerStep(step, (name, batch, pictures, *how[2:]))
        yield Case(f"{name}: a step", batch, whole, limit=("alone", Way(part, ("alone", *how))))
        for which in PARTS:
            yield Case(f"{name}: {which}", batch, Way(part, (which, *how)))
