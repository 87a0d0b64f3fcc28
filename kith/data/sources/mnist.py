"""MNIST, and whatever else comes in its four IDX files (Fashion-MNIST, KMNIST), or as a folder of pictures.

LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from kith.data.kinds import Labelled
from kith.data.listing import Entry, Listing, first_there
from kith.data.source import File, Recipe
from kith.data.sources.folders import image_folder
from kith.errors import KithError

PARTS = {"train": "train", "t10k": "test"}
UNSIGNED_BYTES = 8  # of the kinds of numbers that IDX files have
FOLDERS = {"training": "train", "testing": "test"}


def mnist(path: Path) -> Listing:
    """train-images-idx3-ubyte, train-labels-idx1-ubyte, and the same of t10k, which is the test split; each plain or as
    .gz, with a dot or a dash before idx; also in MNIST/raw, as torchvision has them. Or, where the first is not there,
    a folder of pictures: see `image_folder`, whose splits may be called training and testing. The label is the digit.
    """
    below = (path / inner for inner in (".", "raw", "MNIST/raw"))
    path = next((each for each in below if _file(each, "train", "images", 3).is_file()), path)
    if (
        not _file(path, "train", "images", 3).is_file()
        and path.is_dir()
        and any(each.is_dir() for each in path.iterdir())
    ):
        return image_folder(path, splits=FOLDERS)
    return Listing([entry for part in PARTS for entry in _entries(path, part)], path, load=_grey)


def _entries(path: Path, part: str) -> Iterator[Entry]:
    file = _file(path, part, "images", 3)
    labels, pictures = _idx(_file(path, part, "labels", 1), 1), _idx(file, 3)
    if len(labels) != len(pictures):
        raise KithError(f"{file}: {len(pictures):,} pictures, but {len(labels):,} labels; get both files again")
    for row, label in enumerate(labels.tolist()):
        yield Entry(f"{part}/{row}", PARTS[part], (file, row), f"{file.name}, row {row}", str(label))


def _grey(entries: Iterable[Entry]) -> Iterator[np.ndarray]:
    """(height, width, 3) uint8, one file after the other."""
    for file, group in groupby(entries, key=lambda entry: entry.image[0]):
        pictures = _idx(file, 3)
        yield from (np.repeat(pictures[entry.image[1], :, :, None], 3, axis=2) for entry in group)


def _file(path: Path, part: str, what: str, axes: int) -> Path:
    """The file of a part that is there, or how it is called by its publisher."""
    names = [f"{part}-{what}{mark}idx{axes}-ubyte{end}" for end in (".gz", "") for mark in "-."]
    return first_there(path, *names)


def _idx(file: Path, axes: int) -> np.ndarray:
    """Unsigned bytes with so many axes. The file begins with two zeros, the kind of numbers and the number of axes, and
    the length of each axis in four bytes."""
    try:
        content = file.read_bytes()
        content = gzip.decompress(content) if file.suffix == ".gz" else content
    except FileNotFoundError:
        raise KithError(f"{file}: no such file; mend fetch.path, or add the file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise KithError(f"{file}: cannot be read ({error}); get it again") from None
    if content[:4] != bytes([0, 0, UNSIGNED_BYTES, axes]):
        raise KithError(f"{file}: is no IDX file of bytes with {axes} axes; get it again")
    head = 4 + 4 * axes
    if len(content) < head:
        raise KithError(f"{file}: ends within its head; get it again")
    shape = tuple(np.frombuffer(content[4:head], dtype=">u4").tolist())
    if len(content) - head != np.prod(shape, dtype=np.int64):
        raise KithError(f"{file}: says that it holds {shape}, and has {len(content):,} bytes; get it again")
    return np.frombuffer(content, dtype=np.uint8, offset=head).reshape(shape)


MIRROR = "https://storage.googleapis.com/cvdf-datasets/mnist/"
FILES = {  # the checksums are those that torchvision verifies
    "train-images-idx3-ubyte.gz": ("f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
    "train-labels-idx1-ubyte.gz": ("d53e105ee54ea40749a09fcbcd1e9432", 28_881),
    "t10k-images-idx3-ubyte.gz": ("9fb629c4189551a2d022fa330f9573f3", 1_648_877),
    "t10k-labels-idx1-ubyte.gz": ("ec29112dd5afa0611ce80d1b7f02629c", 4_542),
}
SOURCES = (
    Labelled(
        name="mnist",
        read=mnist,
        lists=("*",),
        layout="`{train,t10k}-{images-idx3,labels-idx1}-ubyte`, maybe `.gz`; or folders of pictures",
        recipe=Recipe(
            "CC BY-SA 3.0 (LeCun and Cortes)",
            "https://yann.lecun.com/exdb/mnist/",
            tuple(
                File(f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}", f"md5:{md5}", size, (MIRROR + name,))
                for name, (md5, size) in FILES.items()
            ),
        ),
    ),
)
