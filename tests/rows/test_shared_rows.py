"""What is sent to another process, and opened there, reads and makes what this one would."""

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kith import models, processes
from kith.data.digests import sha256
from kith.data.shards import PLACE, SHARDS
from kith.encoding import EncoderUse
from kith.errors import KithError
from kith.models.embed import embed_and_score, embed_texts
from kith.rows.embedded import SharedEmbedding
from kith.rows.encoding import folder_of
from kith.rows.shared import EncodingWork, SharedRows
from kith.rows.sources import PictureRows, WrittenRows
from kith.store.inputs import ArrayInput, PhotoInput, TokenInput
from kith.store.photos import Photos
from tests.made_encoders import write_encoder
from tests.made_photos import jpeg
from tests.made_search import make_data, make_run


@pytest.fixture(scope="module")
def encoding(tmp_path_factory) -> EncoderUse:
    pytest.importorskip("transformers")
    return EncoderUse(write_encoder("clip", tmp_path_factory.mktemp("encoders") / "clip"), precision="bf16")


def mapped(folder: Path, count: int = 11) -> np.ndarray:
    pixels = np.random.default_rng(1).integers(0, 256, (count, 20, 20, 3), dtype=np.uint8)
    np.save(folder / "images.npy", pixels)
    return np.load(folder / "images.npy", mmap_mode="r")


def photos(folder: Path, count: int = 5) -> Photos:
    index, content = np.zeros(count, dtype=PLACE), [jpeg(seed=row) for row in range(count)]
    for row, each in enumerate(content):
        index[row] = (0, sum(map(len, content[:row])), len(each), hashlib.sha256(each).digest())
    (folder / SHARDS.format(0)).write_bytes(b"".join(content))
    np.save(folder / "images-index.npy", index)
    return Photos(folder, np.load(folder / "images-index.npy", mmap_mode="r"), 20, fit="crop")


def rows_of(kind: str, encoding: EncoderUse, folder: Path) -> WrittenRows | PictureRows:
    if kind == "texts":
        return WrittenRows(encoding.opened("text"), ["a red bar", "blue", "the cross is green", "a red square"], 2)
    if kind == "photos":
        found = photos(folder)
        return PictureRows(encoding.opened("image"), PhotoInput(found, np.arange(len(found))), {"fit": "crop"}, 4)
    found = mapped(folder)
    return PictureRows(encoding.opened("image"), ArrayInput(found, np.arange(len(found))), {}, 4)


def work_of(encoding: EncoderUse, rows: WrittenRows | PictureRows) -> EncodingWork:
    with encoding.computing("cpu"):
        return EncodingWork.of(encoding, rows, folder_of(Path(), rows.frozen, rows, rows.batch).name)


@pytest.mark.parametrize("kind", ["texts", "array", "photos"])
def test_another_process_encodes_the_same_bits_and_says_what_it_read(encoding, tmp_path, kind):
    rows = rows_of(kind, encoding, tmp_path)
    sent = pickle.dumps(work_of(encoding, rows))
    assert len(sent) < 2000  # names, not arrays
    work, every = pickle.loads(sent)(0), rows.keys()
    seen = []
    for part in rows.parts(np.arange(len(rows))):
        keys, vectors = work(pickle.loads(pickle.dumps(part)))
        with encoding.computing("cpu"):
            assert vectors.tobytes() == rows.vectors(part).tobytes()
        assert keys.tolist() == every[part.rows].tolist()
        seen += part.rows.tolist()
    assert sorted(seen) == list(range(len(rows)))


def test_one_that_would_compute_otherwise_is_refused(encoding, tmp_path):
    work = work_of(encoding, rows_of("array", encoding, tmp_path))
    with pytest.raises(KithError, match=r"process 2 \(cpu\) would compute otherwise"):
        replace(work, encoding=replace(encoding, precision=None))(1)


def test_pictures_that_were_changed_meanwhile_are_noticed(encoding, tmp_path, monkeypatch):
    rows = rows_of("array", encoding, tmp_path)
    shared = SharedRows(rows, work_of(encoding, rows), 2, "clip")
    rows.keys()
    np.save(tmp_path / "other.npy", rows.pictures.array[::-1])
    (tmp_path / "other.npy").replace(tmp_path / "images.npy")

    def at_once(opened, here, parts, count, name):
        work = opened(0)
        return ((part, work(part)) for part in parts)

    monkeypatch.setattr("kith.rows.shared.shared", at_once)
    with encoding.computing("cpu"), pytest.raises(KithError, match="clip: a process has read other rows"):
        list(shared.encode(np.arange(len(rows))))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("made")
    make_data(root)
    return make_run(root, "small")


def test_two_processes_embed_the_bytes_of_one(run, monkeypatch):
    monkeypatch.setattr(processes, "FEW", 1)
    model, vocabulary, _ = models.load(run / "model.pt", "cpu")
    array = np.load(run.parents[2] / "data/made/prepared/images.npy", mmap_mode="r")
    pictures, shuffled = ArrayInput(array, np.arange(len(array))), np.random.default_rng(0).permutation(len(array))
    texts = [f"A red {shape} and {count} blue" for shape in ("bar", "square") for count in range(9)]
    tokens, lengths = vocabulary.encode(texts, 12)
    written = TokenInput(tokens, lengths, np.arange(len(texts) + 1))
    two = SharedEmbedding(model, run / "model.pt", sha256(run / "model.pt"), 7, 2, "small")
    vectors, scores = two.images(pictures, shuffled)
    expected, of_one = embed_and_score(model, pictures, shuffled, 7)
    assert vectors.tobytes() == expected.tobytes()
    assert {name: each.tobytes() for name, each in scores.items()} == {k: v.tobytes() for k, v in of_one.items()}
    order = np.arange(len(texts))[::-1]
    assert two.texts(written, order).tobytes() == embed_texts(model, written, order, 7).tobytes()
    with pytest.raises(KithError, match=r"model\.pt: was changed meanwhile"):
        replace(two, checksum="0" * 64).images(pictures, shuffled)
