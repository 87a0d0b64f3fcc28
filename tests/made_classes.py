"""Small made-up image classification data sets in the official layouts."""

import io
import json
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from kith.data import labelled, sources
from kith.data.store import ImageWriter
from kith.errors import KithError


def build(source: str, path: Path, own: dict | None = None, size: int = 8, mode: str = "RGB", **options):
    """Items and pictures."""
    listing = sources.find(source).listing(path, own or {})
    file = path.parent / "images.npy"
    with ImageWriter(file, size, mode) as pictures:
        dataset = labelled.build(path, listing, pictures, **options)
    return dataset.items.to_pandas(), np.load(file), dataset


def fault(source: str, path: Path, own: dict | None = None, **options) -> str:
    with pytest.raises(KithError) as caught:
        build(source, path, own, **options)
    return str(caught.value)


def picture(path: Path, level: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 8), (level, 255 - level, 7)).save(path)


def write(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


# CIFAR


def python2_pickle(value: Any) -> bytes:
    """`value` as Python 2.7's cPickle wrote it (protocol 2): bytes are its strings."""
    return b"\x80\x02" + _pickled(value) + b"."


def _pickled(value: Any) -> bytes:
    if isinstance(value, dict):
        return b"}(" + b"".join(_pickled(each) for pair in value.items() for each in pair) + b"u"
    if isinstance(value, list | tuple):
        begin, end = (b"](", b"e") if isinstance(value, list) else (b"(", b"t")
        return begin + b"".join(map(_pickled, value)) + end
    if isinstance(value, bytes):
        return (b"U" + bytes([len(value)]) if len(value) < 256 else b"T" + struct.pack("<i", len(value))) + value
    if isinstance(value, np.ndarray):
        made = _name("numpy.core.multiarray", "_reconstruct")
        made += b"(" + _name("numpy", "ndarray") + _pickled((0,)) + _pickled(b"b") + b"tR"
        kind = _name("numpy", "dtype") + _pickled((value.dtype.str[1:].encode(), 0, 1)) + b"R"
        kind += _pickled((3, b"|", None, None, None, -1, -1, 0)) + b"b"
        state = [_pickled(1), _pickled(value.shape), kind, b"\x89", _pickled(value.tobytes())]
        return made + b"(" + b"".join(state) + b"tb"
    return b"N" if value is None else b"J" + struct.pack("<i", value)


def _name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def colours(labels: list[int], seed: int) -> np.ndarray:
    """(n, 3072) uint8: the label as the level of red, and noise."""
    data = np.random.default_rng(seed).integers(0, 256, (len(labels), 3, 1024), dtype=np.uint8)
    data[:, 0] = np.array(labels)[:, None]
    return data.reshape(len(labels), 3072)


def cifar_members(classes: int, parts: dict[str, list[int]]) -> dict[str, dict]:
    """The content of an archive of 10 or of 100 `classes`; parts: member → labels."""
    names = [f"class {i}".encode() for i in range(classes)]
    fine = classes == 100
    members: dict[str, dict] = {"meta": {b"fine_label_names": names}} if fine else {}
    if not fine:
        members["batches.meta"] = {b"num_cases_per_batch": 4, b"label_names": names, b"num_vis": 3072}
    for seed, (member, labels) in enumerate(parts.items()):
        key = b"fine_labels" if fine else b"labels"
        members[member] = {b"batch_label": member.encode(), key: labels, b"data": colours(labels, seed)}
    return members


def tar(path: Path, members: dict[str, bytes], folder: str) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def cifar10(path: Path, per_class: int = 4) -> Path:
    """Five batches and a test batch, each with `per_class` pictures of every class."""
    labels = list(range(10)) * per_class
    parts = {**{f"data_batch_{i}": labels for i in (4, 1, 5, 2, 3)}, "test_batch": labels}
    members = {name: python2_pickle(content) for name, content in cifar_members(10, parts).items()}
    return tar(path, members | {"readme.html": b"<html>"}, "cifar-10-batches-py")


def cifar100(path: Path, per_class: int = 4) -> Path:
    parts = {"train": list(range(100)) * per_class, "test": list(range(100))}
    members = {name: python2_pickle(content) for name, content in cifar_members(100, parts).items()}
    return tar(path, members, "cifar-100-python")


# Folders and lists


def class_folders(path: Path, classes: tuple[str, ...] = ("cat", "dog"), each: int = 5, suffix: str = ".png") -> Path:
    for number, name in enumerate(classes):
        for i in range(each):
            picture(path / name / f"{i}{suffix}", 20 * number + i)
    return path


def birds(path: Path, classes: tuple[int, ...] = (1, 2), each: int = 6) -> Path:
    """CUB's lists: of each class the last two pictures are for the test."""
    rows = [(c, i, f"{c:03d}.Bird_{c}/{i}.jpg") for c in classes for i in range(each)]
    for number, (c, i, name) in enumerate(rows):
        picture(path / "images" / name, 10 * c + i)
        rows[number] = (c, i, name)
    write(path / "images.txt", *(f"{n} {name}" for n, (_, _, name) in enumerate(rows, start=1)))
    write(path / "image_class_labels.txt", *(f"{n} {c}" for n, (c, _, _) in enumerate(rows, start=1)))
    write(path / "train_test_split.txt", *(f"{n} {int(i < each - 2)}" for n, (_, i, _) in enumerate(rows, start=1)))
    write(path / "classes.txt", *(f"{c} {c:03d}.Bird_{c}" for c in classes))
    return path


def ilsvrc(path: Path, wnids: tuple[str, ...] = ("n02119789", "n01440764")) -> Path:
    class_folders(path / "ILSVRC2012_img_train", wnids, suffix=".JPEG")
    class_folders(path / "ILSVRC2012_img_val", wnids, each=2, suffix=".JPEG")
    return path


def image_lists(path: Path, root: str = ".", names: tuple[str, str] = ("train.txt", "test.txt")) -> Path:
    class_folders(path / root, ("airport", "bakery"), suffix=".tif")
    for name, numbers in zip(names, (range(4), range(4, 5)), strict=True):
        write(path / name, *(f"{c}/{i}.tif" for c in ("airport", "bakery") for i in numbers))
    return path


# MATLAB and JSON


def cars(
    path: Path, labels: tuple[int, ...] = (1, 2, 1, 2, 1, 2), names: tuple[str, ...] = ("AM General", "BMW")
) -> Path:
    """The last two pictures are for the test."""
    fields = [(name, object) for name in ("relative_im_path", "bbox_x1", "class", "test")]
    table = np.empty((1, len(labels)), dtype=fields)
    for i, label in enumerate(labels):
        name = f"car_ims/{i + 1:06d}.jpg"
        picture(path / name, 30 * i)
        table[0, i] = (name, 1, label, int(i >= len(labels) - 2))
    savemat(path / "cars_annos.mat", {"annotations": table, "class_names": np.array([names], dtype=object)})
    return path


def flowers(path: Path) -> Path:
    labels = [77, 77, 77, 1, 1, 1, 1, 77]
    for i in range(8):
        picture(path / "jpg" / f"image_{i + 1:05d}.jpg", 30 * i)
    savemat(path / "imagelabels.mat", {"labels": np.array([labels], dtype=np.uint8)})
    savemat(path / "setid.mat", {"trnid": [[4, 1]], "valid": [[5, 2]], "tstid": [[8, 7, 3, 6]]})
    return path


def inat(path: Path, year: int = 2018) -> Path:
    """Two categories of two supercategories; pictures 0…7 for training, 8…11 for validation."""
    kinds = {3: "Aves", 12: "Insecta"}
    categories = [{"id": node, "name": f"species {node}", "supercategory": kinds[node]} for node in kinds]
    for part, numbers in (("train", range(8)), ("val", range(8, 12))):
        names = {i: f"train_val{year}/{kinds[(3, 12)[i % 2]]}/{(3, 12)[i % 2]}/{i:x}.jpg" for i in numbers}
        for i, name in names.items():
            picture(path / name, 20 * i)
        content = {
            "images": [{"id": i, "file_name": name, "width": 12, "height": 8} for i, name in names.items()],
            "annotations": [{"id": i, "image_id": i, "category_id": (3, 12)[i % 2]} for i in reversed(names)],
            "categories": categories,
        }
        (path / f"{part}{year}.json").write_text(json.dumps(content))
    return path
