"""Indexes as files: what they find, and that they are of the data at hand."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from kith.errors import KithError
from kith.indexes import build
from kith.indexes.exported import OF_FORMAT, Exported, write_index
from kith.store.provenance import note

VECTORS = np.random.default_rng(0).normal(size=(500, 20)).astype(np.float32)
IDS = [f"item/{place}" for place in range(500)]
EVERY = [(form, f"{kind}4" if kind == "pq" else kind) for form, kinds in OF_FORMAT.items() for kind in kinds]


def written(folder: Path, form: str, kind: str) -> Path:
    path = folder / f"image.{form}"
    told = write_index(VECTORS, IDS, path, form, kind)
    path.with_suffix(".json").write_text(json.dumps(note([path], data="these", **told)))
    return path


@pytest.mark.parametrize(("form", "kind"), EVERY)
def test_an_exported_index_finds_what_the_index_finds(form, kind, tmp_path):
    exported = Exported(written(tmp_path, form, kind), "these")
    ids, similarities = exported.search(VECTORS[:30], 3)
    direct = build(kind, VECTORS).search(VECTORS[:30], 3)
    assert ids[:, 0].tolist() == [IDS[row] for row in direct[0][:, 0]]
    np.testing.assert_allclose(similarities, direct[1], atol=1e-5)
    assert (exported.kind, exported.dim) == (kind, 20)


@pytest.mark.parametrize("form", OF_FORMAT)
def test_what_a_graph_does_not_find_has_no_id(form, tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    centres = 8 * random.normal(size=(40, 20))
    tight = centres[random.integers(0, 40, 4000)] + random.normal(size=(4000, 20)) / 20
    monkeypatch.setattr("tests.indexes.test_exported.VECTORS", tight.astype(np.float32))
    monkeypatch.setattr("tests.indexes.test_exported.IDS", [f"item/{place}" for place in range(4000)])
    ids, similarities = Exported(written(tmp_path, form, "hnsw"), "these").search(tight[:5], 1000)
    for found, values in zip(ids, similarities, strict=True):
        there = [each for each in found if each is not None]
        assert len(set(there)) == len(there) == np.isfinite(values).sum()
    if form == "faiss":  # whose graph does not lead from one of such clusters to the next
        assert None in ids


def test_what_does_not_belong_together_is_refused(tmp_path):
    path = written(tmp_path, "faiss", "float32")
    with pytest.raises(KithError, match="was made of other data"):
        Exported(path, "others")
    noted = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(noted | {"ids": IDS[1:]}))
    with pytest.raises(KithError, match="holds 500 vectors, and there are 499 ids"):
        Exported(path, "these")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(KithError, match="is not the file that the export stage noted"):
        Exported(path, "these")
    path.with_suffix(".json").unlink()
    with pytest.raises(KithError, match="no such file"):
        Exported(path, "these")


def test_what_a_format_does_not_have_is_refused(tmp_path):
    for form, kind, problem in [
        ("usearch", "int8", "usearch files hold hnsw, signs, not 'int8'"),
        ("faiss", "itq", "faiss files hold float32, .*, not 'itq'"),
        ("usearch", "pq4", "usearch files hold"),
    ]:
        with pytest.raises(KithError, match=problem):
            write_index(VECTORS, IDS, tmp_path / "index", form, kind)
    with pytest.raises(KithError, match="500 vectors cannot have 499 ids"):
        write_index(VECTORS, IDS[1:], tmp_path / "index", "faiss", "float32")
    assert not list(tmp_path.iterdir())


def test_queries_of_another_width_are_refused(tmp_path):
    with pytest.raises(KithError, match="rows of 5 numbers, but the index has vectors of 20"):
        Exported(written(tmp_path, "usearch", "hnsw"), "these").search(VECTORS[:, :5], 1)


@pytest.mark.parametrize(("form", "module"), [("faiss", "faiss"), ("usearch", "usearch.index")])
def test_without_its_library_it_is_said_what_to_install(form, module, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(KithError, match=rf"--format {form} is of .*pip install -r requirements-indexes.txt"):
        write_index(VECTORS, IDS, tmp_path / "index", form, "hnsw" if form == "usearch" else "float32")
