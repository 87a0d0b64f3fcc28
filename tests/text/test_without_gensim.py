"""Without gensim, or NMSLIB, which have no builds for the newest Python, a sentence says what to do."""

import sys
from pathlib import Path

import numpy as np
import pytest

from kith.errors import KithError
from kith.neighbors import neighbor_graph
from stages import text
from tests.made_params import write_params

TABLE = {"source": "table", "path": "t.csv", "columns": {"id": "name", "texts": ["title"]}}


def test_doc2vec_needs_gensim(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_params({"study": {"name": "s", "methods": ["infonce"]}, "fetch": TABLE, "train": {"epochs": 1}})
    monkeypatch.setattr(text, "find_spec", lambda name: None)
    with pytest.raises(KithError, match=r"gensim, which is not installed .*--set text\.backend=tfidf"):
        text.main(data=Path("data"), out=Path("out"))


def test_a_graph_needs_nmslib_and_exact_search_does_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "nmslib", None)
    vectors = np.eye(4, dtype=np.float32)
    with pytest.raises(KithError, match=r"nmslib, which is not installed .*neighbors\.method: exact"):
        neighbor_graph(vectors, 2, "hnsw")
    assert neighbor_graph(vectors, 2, "exact")[0].shape == (4, 2)
