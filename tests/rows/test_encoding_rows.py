"""Rows are encoded once, and a row's bits are its own."""

import numpy as np
import pytest
import torch

from kith.encoders.frozen import Frozen
from kith.encoders.registry import load
from kith.rows import encoding
from kith.rows.kept import KeptRows
from kith.rows.shapes import padded, size_of
from kith.rows.sources import PictureRows, WrittenRows
from kith.store.inputs import ArrayInput
from tests.made_encoders import WORDS, write_encoder

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory) -> dict[str, Frozen]:
    name = write_encoder("clip", tmp_path_factory.mktemp("encoders") / "clip")
    return {side: Frozen(load(name, side)) for side in ("image", "text")}


def texts(count: int) -> list[str]:
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS[4:], random.integers(1, 12))) + f" {row % 7}" for row in range(count)]


def written(frozen, given: list[str], batch: int = 8) -> WrittenRows:
    return WrittenRows(frozen["text"], given, batch)


def drawn(frozen, count: int, batch: int = 8) -> PictureRows:
    pixels = np.random.default_rng(1).integers(0, 256, (count, 20, 20, 3), dtype=np.uint8)
    return PictureRows(frozen["image"], ArrayInput(pixels, np.arange(count)), {}, batch)


def encoded(rows, root, width: int = 8) -> tuple[np.ndarray, encoding.Counted]:
    folder = encoding.folder_of(root, rows.frozen, rows, rows.batch)
    assert encoding.stands_alone(folder, rows)
    features = np.full((len(rows), width), np.nan, dtype=np.float16)
    steps = []
    counted = encoding.encode(rows, KeptRows(folder, (width,), np.float16), features, steps.append)
    assert sum(steps) == len(rows)
    return features, counted


@pytest.mark.parametrize("kind", ["texts", "pictures"])
def test_only_new_rows_are_encoded_and_the_bytes_are_those_of_a_run_from_nothing(frozen, tmp_path, kind):
    whole = texts(60)
    make = {"texts": lambda n: written(frozen, whole[:n]), "pictures": lambda n: drawn(frozen, n)}[kind]
    _, before = encoded(make(41), tmp_path / "kept")
    grown, after = encoded(make(60), tmp_path / "kept")
    clean, _ = encoded(make(60), tmp_path / "empty")
    assert grown.tobytes() == clean.tobytes()
    assert np.isfinite(grown).all()
    assert after.encoded <= 19
    assert after.known == before.encoded
    assert after.rows == after.known + after.same + after.encoded
    _, again = encoded(make(60), tmp_path / "kept")
    assert again.encoded == 0


def test_rows_that_are_gone_or_in_another_order_are_not_encoded(frozen, tmp_path):
    whole = sorted(set(texts(50)))
    before, _ = encoded(written(frozen, whole), tmp_path)
    left, counted = encoded(written(frozen, whole[::-2]), tmp_path)
    assert counted.encoded == 0
    np.testing.assert_array_equal(left, before[::-2])


def test_equal_rows_are_encoded_once(frozen, tmp_path):
    features, counted = encoded(written(frozen, ["a red bar", "a blue bar", "a red bar", "a red bar"]), tmp_path)
    assert counted == (4, 0, 2, 2)
    assert (features[[2, 3]] == features[0]).all()
    assert (features[1] != features[0]).any()


def test_the_vectors_are_those_of_the_encoder(frozen, tmp_path):
    whole = texts(20)
    features, _ = encoded(written(frozen, whole), tmp_path)
    singly = np.concatenate([frozen["text"].texts([text]) for text in whole])
    np.testing.assert_allclose(features, singly, atol=2e-3)
    rows = drawn(frozen, 9)
    pictures, _ = encoded(rows, tmp_path)
    np.testing.assert_allclose(pictures, frozen["image"].images(torch.from_numpy(rows.pictures.array)), atol=2e-3)


def test_other_settings_are_kept_apart(frozen, tmp_path):
    rows = written(frozen, ["a red bar"])
    folders = {encoding.folder_of(tmp_path, frozen["text"], rows, batch) for batch in (8, 16)}
    folders.add(encoding.folder_of(tmp_path, frozen["image"], drawn(frozen, 3), 8))
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    folders.add(encoding.folder_of(tmp_path, frozen["text"], rows, 8))
    torch.set_num_threads(threads)
    assert len(folders) == 4


def test_an_encoder_that_looks_at_the_whole_batch_is_found_out(frozen, tmp_path, monkeypatch):
    own = Frozen.images
    monkeypatch.setattr(Frozen, "images", lambda self, x: own(self, x) - own(self, x).mean(axis=0))
    assert not encoding.stands_alone(tmp_path, drawn(frozen, 3))
    monkeypatch.undo()
    assert not encoding.stands_alone(tmp_path, drawn(frozen, 3))  # as was noted


def test_as_many_texts_of_a_length_are_encoded_together_however_few_there_are(frozen, monkeypatch):
    shapes, own = [], WrittenRows._vectors
    monkeypatch.setattr(
        WrittenRows, "_vectors", lambda self, *given: shapes.append(given[0].shape) or own(self, *given)
    )
    for count in (3, 90):
        list(written(frozen, texts(count), batch=64).encode(np.arange(count)))
    cores = torch.get_num_threads()
    assert {length: size for size, length in shapes} == {length: size_of(length, 64, cores) for _, length in shapes}
    assert len(set(shapes)) == len({length for _, length in shapes}) > 1


def test_texts_are_filled_up_by_an_eighth_or_three_tokens_at_most():
    lengths = np.arange(1, 2000)
    found = padded(lengths, 4096)
    assert (found >= lengths).all()
    assert (found - lengths <= np.maximum(3, lengths // 8)).all()
    assert (np.diff(found) >= 0).all()
    assert padded(np.array([500]), 505).tolist() == [505]


def test_the_code_of_what_cuts_texts_is_of_what_decides_a_vector():
    files = (path for pattern in encoding.SOURCES for path in encoding.LIBRARY.glob(pattern))
    named = {path.relative_to(encoding.LIBRARY).as_posix() for path in files}
    assert {"encoders/tokens.py", "text/pretrained.py", "store/photos.py", "store/inputs.py"} <= named
