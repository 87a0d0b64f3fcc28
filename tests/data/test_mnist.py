"""MNIST: IDX files, plain or compressed, and folders of pictures."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kith.data.sources import mnist
from kith.errors import KithError
from stages import params
from tests.documentation import ROOT
from tests.made_params import write_params
from tests.stages.test_prepare import OUT, run


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def files(folder: Path, end: str = "", mark: str = "-") -> dict[str, np.ndarray]:
    """Twenty digits to train on and ten to test, 28 pixels wide."""
    folder.mkdir(parents=True)
    found = {}
    for part, count in (("train", 20), ("t10k", 10)):
        labels = np.arange(count, dtype=np.uint8) % 10
        pictures = np.random.default_rng(count).integers(256, size=(count, 28, 28), dtype=np.uint8)
        for name, array in ((f"labels{mark}idx1", labels), (f"images{mark}idx3", pictures)):
            content = idx(array)
            content = gzip.compress(content, mtime=0) if end else content
            (folder / f"{part}-{name}-ubyte{end}").write_bytes(content)
        found[part] = pictures
    return found


@pytest.mark.parametrize(("end", "mark"), [("", "-"), (".gz", "-"), ("", ".")])
def test_idx_files(tmp_path, end, mark):
    made = files(tmp_path / "mnist", end, mark)
    listing = mnist.mnist(tmp_path / "mnist")
    assert [entry.split for entry in listing.entries] == ["train"] * 20 + ["test"] * 10
    assert [entry.label for entry in listing.entries][8:12] == ["8", "9", "0", "1"]
    for entry, pixels in zip(listing.entries, listing.load(listing.entries), strict=True):
        part, row = entry.id.split("/")
        assert (pixels == made[part][int(row)][:, :, None]).all()
        assert pixels.shape == (28, 28, 3)


@pytest.mark.parametrize("below", ["raw", "MNIST/raw"])
def test_files_where_torchvision_has_them(tmp_path, below):
    files(tmp_path / below)
    assert len(mnist.mnist(tmp_path).entries) == 30


def test_a_folder_of_pictures(tmp_path):
    for split in ("training", "testing"):
        for digit in "01":
            (tmp_path / split / digit).mkdir(parents=True)
            Image.new("L", (28, 28), 40).save(tmp_path / split / digit / "a.png")
    entries = mnist.mnist(tmp_path).entries
    assert sorted((entry.split, entry.label) for entry in entries) == [
        *(("test", "0"), ("test", "1"), ("train", "0"), ("train", "1"))
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t10k-labels-idx1-ubyte", None, "t10k-labels-idx1-ubyte.gz: no such file; mend fetch.path"),
        (
            "train-labels-idx1-ubyte",
            b"\0\0\x08\x03abcd",
            "train-labels-idx1-ubyte: is no IDX file of bytes with 1 axes",
        ),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03abcd", "train-images-idx3-ubyte: ends within its head"),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03ab", "train-images-idx3-ubyte: ends within its head"),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03" + b"\0\0\0\x09" * 3, "says that it holds (9, 9, 9)"),
        ("train-labels-idx1-ubyte", idx(np.zeros(3, np.uint8)), "20 pictures, but 3 labels; get both files again"),
        ("train-labels-idx1-ubyte.gz", b"junk", "train-labels-idx1-ubyte.gz: cannot be read (Not a gzipped file"),
    ],
)
def test_faults(tmp_path, name, content, message):
    files(tmp_path / "mnist")
    file = tmp_path / "mnist" / name
    file.write_bytes(content) if content is not None else file.unlink()
    with pytest.raises(KithError) as caught:
        mnist.mnist(tmp_path / "mnist")
    assert message in str(caught.value)


def test_the_study_reads_the_official_layout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = params.parse((ROOT / "studies/mnist.yaml").read_text(encoding="utf-8"))
    made = files(Path(content["fetch"]["path"]), ".gz")
    write_params(content)
    assert run()["counts"] == {"train": 20 - 10, "val": 10, "test": 10}
    assert np.load(OUT / "images.npy").shape == (30, 28, 28, 1)
    assert (np.load(OUT / "images.npy")[-1, :, :, 0] == made["t10k"][-1]).all()
