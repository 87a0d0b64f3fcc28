"""How fast training is, where a step's time goes, and how near that is to the network alone.

python -m benchmarks.training [--networks resnet:10:16 plain-11 …] [--batch 128] [--pictures 2560] [--precision 32]
                              [--compile] [--json out.json]

Made-up pictures of ten classes, cross-entropy, SGD, flips and shifts: whole epochs of the real loop, on a GPU where
there is one. "alone" is the same network on one batch that stays where it is: forward, backward and update, nothing
else. Parts are timed by themselves, each waiting for the device, so that they may add up to more than a step.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

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

CLASSES, HELD_OUT = 10, 64
LOSSES: dict[str, dict[str, Any]] = {"cross_entropy": {"head": "linear"}}
COLUMNS = ("reading", "augmenting", "forward", "backward", "update", "step", "alone")


def made_up(count: int, side: int) -> TrainingData:
    random = np.random.default_rng(0)
    array = random.integers(256, size=(count + HELD_OUT, side, side, 3), dtype=np.uint8)
    everyone = np.arange(count + HELD_OUT)
    return TrainingData(
        ArrayInput(array, everyone), None, everyone, everyone[:count], everyone[count:], labels=everyone % CLASSES
    )


def network(name: str, side: int) -> DualEncoder:
    tower, depth, width = (*name.split(":"), 10, 16)[:3]
    image = {"tower": tower, "depth": int(depth), "width": int(width), "channels": 3, "size": side, "fit": "pad"}
    image |= {"mean": [0.5] * 3, "std": [0.3] * 3}
    names = [str(number) for number in range(CLASSES)]
    classes = {"names": names, "shown": names, "classifier": "linear", "targets": None}
    return DualEncoder({"dim": 128, "image": image, "text": None, "projection": {"kind": "unit"}, "classes": classes})


def milliseconds(work: Callable[[], Any], fabric: Fabric, repeats: int) -> float:
    """The median time of `work`, waiting for the device, after a first try that does not count."""
    times = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        work()
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - begun))
    return median(times[1:])


def epoch(name: str, data: TrainingData, config: TrainingConfig, fabric: Fabric, side: int) -> float:
    """Milliseconds of a step in whole epochs, validation of a few pictures among it; the first does not count."""
    torch.manual_seed(0)
    times = [time.perf_counter()]
    fit(
        network(name, side),
        Objective(LOSSES, 128, CLASSES),
        data,
        config,
        fabric,
        on_epoch=lambda record: times.append(time.perf_counter()),
    )
    return 1000 * median(np.diff(times)[1:]) / len(batches_of(data, config).epoch(1))


def parts(name: str, data: TrainingData, config: TrainingConfig, fabric: Fabric, options: Any) -> dict[str, float]:
    """Milliseconds of the parts of a step, by themselves."""
    torch.manual_seed(0)
    model = network(name, options.side)
    image: Any = model.image_tower
    if fabric.device.type == "cuda":
        image.to(memory_format=torch.channels_last)
    task = Task(model, Objective(LOSSES, 128, CLASSES), labelled=True)
    (task, optimizer) = fabric.setup(task, optimizer_of(task, config))
    batches = [*batches_of(data, config).epoch(1)[:1]] * options.repeats
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

    few = options.repeats
    return {
        "reading": milliseconds(lambda: list(read(data, batches, False, config, fabric, 1)), fabric, 3) / few,
        "augmenting": milliseconds(lambda: augment(model.prepare(images), random, flip=True, shift=0.1), fabric, few),
        "forward": milliseconds(forward, fabric, few),
        "backward": milliseconds(backward, fabric, few),
        "update": milliseconds(optimizer.step, fabric, few),
        "alone": milliseconds(alone, fabric, few),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["resnet:10:16", "plain-11"], help="tower[:depth[:width]]")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--pictures", type=int, default=2560)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=["auto", "32", "bf16"], default="auto")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    fabric = devices.fabric(threads=options.threads, device="auto", devices=1, precision=options.precision)
    config = TrainingConfig(
        epochs=options.epochs,
        batch_size=options.batch,
        augment=Augment(flip=True, shift=0.1),
        optimizer="sgd",
        schedule="constant",
        select="loss",
        compile=True if options.compile else None,
    )
    data, found = made_up(options.pictures, options.side), {}
    chip = torch.cuda.get_device_name() if fabric.device.type == "cuda" else f"CPU, {options.threads} thread"
    print(f"{chip}; {options.side} × {options.side} pictures, batches of {options.batch}; milliseconds, medians.")
    print(
        f"| network | {' | '.join(COLUMNS)} | step / alone | pictures/s |\n|{'---|' * (len(COLUMNS) + 3)}", flush=True
    )
    for name in options.networks:
        row = parts(name, data, config, fabric, options) | {"step": epoch(name, data, config, fabric, options.side)}
        found[name] = row
        shown = " | ".join(f"{row[column]:.2f}" for column in COLUMNS)
        rate = 1000 * options.batch / row["step"]
        print(f"| {name} | {shown} | {row['step'] / row['alone']:.2f} | {rate:,.0f} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"chip": chip, "options": vars(options) | {"json": None}, "ms": found}))


if __name__ == "__main__":
    main()
