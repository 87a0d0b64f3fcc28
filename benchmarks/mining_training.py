"""What mining costs in training: CPU time of whole training steps by method, against cross-entropy on the same batches.

python -m benchmarks.mining_training [--batch 120] [--per-class 12] [--methods classifier triplet_all …] [--width 16]
Pictures of 32 × 32 pixels at random, ten classes; a ResNet-10, forward, loss, backward and update in the real loop.
"""

import argparse
import time
from statistics import median

import numpy as np
import torch
from lightning_fabric import Fabric

from kith.models import DualEncoder
from kith.store.inputs import ArrayInput
from kith.training.data import TrainingData
from kith.training.loop import batches_of, fit
from kith.training.objective import Objective
from kith.training.options import TrainingConfig
from stages import params
from stages.params.losses import Losses

CLASSES, SIDE, HELD_OUT = 10, 32, 20
METHODS = (
    *("classifier", "contrastive", "hoffer_ailon", "triplet_all", "triplet_random", "triplet_semihard"),
    *("triplet_hardest", "batch_hard", "proxy_anchor", "multi_similarity", "supcon", "dtsh"),
)


def made_up(count: int) -> TrainingData:
    random = np.random.default_rng(0)
    array = random.integers(256, size=(count + HELD_OUT, SIDE, SIDE, 3), dtype=np.uint8)
    everyone = np.arange(count + HELD_OUT)
    view = ArrayInput(array, everyone)
    return TrainingData(view, None, everyone, everyone[:count], everyone[count:], labels=everyone % CLASSES)


def network(dim: int, width: int, objective: str | None) -> DualEncoder:
    image = {"tower": "resnet", "depth": 10, "width": width, "channels": 3, "size": SIDE, "fit": "pad"}
    image |= {"mean": [0.5] * 3, "std": [0.3] * 3}
    names = [str(number) for number in range(CLASSES)]
    classes = {"names": names, "shown": names, "classifier": objective, "targets": None}
    return DualEncoder({"dim": dim, "image": image, "text": None, "projection": {"kind": "unit"}, "classes": classes})


def seconds(name: str, options: argparse.Namespace, data: TrainingData) -> float:
    """CPU seconds of one step of the method, the median over epochs."""
    preset = params.presets()[name]
    losses = Losses(**preset["losses"]).terms()
    torch.manual_seed(0)
    head = losses.get("cross_entropy", {}).get("head")
    model = network(options.dim, options.width, head)
    config = TrainingConfig(
        epochs=options.epochs,
        batch_size=options.batch,
        sampler="balanced",
        items_per_class=options.per_class,
        optimizer="adamw",
        schedule="constant",
    )
    steps = len(batches_of(data, config).epoch(1))
    times = [time.process_time()]
    fabric = Fabric(accelerator="cpu", devices=1)
    objective = Objective(losses, options.dim, CLASSES)
    fit(model, objective, data, config, fabric, on_epoch=lambda record: times.append(time.process_time()))
    return median(np.diff(times)) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=120)
    parser.add_argument("--per-class", type=int, default=12)
    parser.add_argument("--pictures", type=int, default=1200)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = made_up(options.pictures)
    print(f"One thread; batches of {options.batch}, {options.per_class} of a class; median of {options.epochs} epochs.")
    print("| method | CPU ms a step | ratio to cross-entropy |\n|---|---|---|", flush=True)
    first = seconds("classifier", options, data)
    for name in options.methods:
        each = first if name == "classifier" else seconds(name, options, data)
        print(f"| {name} | {1000 * each:.1f} | {each / first:.2f} |", flush=True)


if __name__ == "__main__":
    main()
