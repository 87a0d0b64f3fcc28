"""`kith evaluate` on vectors whose rows have several labels each, however these are written."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kith.errors import KithError
from kith.metrics.hashing import hamming_retrieval
from kith.metrics.label_sets import shared_hamming, shared_retrieval
from stages.evaluate_vectors import main

RANDOM = np.random.default_rng(0)
VECTORS, CODES = RANDOM.normal(size=(20, 6)), RANDOM.choice([-1, 1], (20, 6)).astype(np.int8)
SETS = RANDOM.random((20, 4)) < 0.4
SETS[:2] = [[True, True, False, False], [False] * 4]
NAMES = np.array(["bird", "cat", "dog", "sky"])
LISTS = [NAMES[row].tolist() for row in SETS]
IDS = np.array([f"i{row}" for row in range(20)])


def measured(**options) -> dict[str, float]:
    """The row that is written, by the heads of its columns."""
    main(out=[Path("out.csv")], **options)
    return pd.read_csv("out.csv").iloc[0].drop("label").astype(float).to_dict()


def write(kind: str, vectors: np.ndarray = VECTORS) -> dict:
    if kind == "npz":
        np.savez("mine.npz", vectors=vectors, ids=IDS, labels=SETS.astype(np.int64))
        return {"vectors": ["mine.npz"]}
    if kind == "parquet":
        pd.DataFrame({"id": IDS, "vector": list(vectors), "labels": LISTS}).to_parquet("mine.parquet")
        return {"vectors": ["mine.parquet"]}
    if kind == "npy":
        np.save("mine.npy", vectors)
        np.save("labels.npy", SETS)
        return {"vectors": ["mine.npy"], "classes": Path("labels.npy")}
    np.savez("mine.npz", vectors=vectors, ids=IDS)
    lines = [json.dumps({"id": name, "labels": own}) for name, own in zip(IDS.tolist(), LISTS, strict=True)]
    Path("labels.jsonl").write_text("\n".join(lines))
    return {"vectors": ["mine.npz"], "classes": Path("labels.jsonl")}


@pytest.mark.parametrize("kind", ["npz", "parquet", "npy", "table"])
def test_vectors_look_for_what_shares_a_label(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found = measured(**write(kind), k=[1, 5])
    known = SETS.any(axis=1)
    wanted = shared_retrieval(VECTORS[known], SETS[known], ks=(1, 5))
    for name, head in (("map", "mAP"), ("WAP",) * 2, ("ACG@5",) * 2, ("NDCG@5", "nDCG@5"), ("precision@5", "P@5")):
        assert found[head] == pytest.approx(np.nanmean(wanted[name]), abs=1e-5), name
    told = capsys.readouterr()
    assert f"{(~known).sum()} vectors without a label are left out" in told.err
    assert "nDCG@5" in told.out


def test_codes_and_a_database(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = measured(**write("npz", CODES), k=[5])
    known = SETS.any(axis=1)
    codes, sets = CODES[known], SETS[known]
    plain = hamming_retrieval(codes, codes, sets, sets, ks=(5,), exclude_self=True)
    graded = shared_hamming(codes, codes, sets, sets, (5,), exclude_self=True)
    assert found["Hamming mAP"] == pytest.approx(plain["map"], abs=1e-5)
    assert found["Hamming P@radius 2"] == pytest.approx(plain["precision_radius2"], abs=1e-5)
    assert found["Hamming nDCG@5"] == pytest.approx(np.nanmean(graded["NDCG@5"]), abs=1e-5)
    np.savez("asks.npz", vectors=CODES[:8], ids=[f"q{row}" for row in range(8)], labels=SETS[:8])
    found = measured(**write("npz", CODES), queries=["asks.npz"], match="class", k=[5])
    asked = known[:8]
    wanted = hamming_retrieval(CODES[:8][asked], codes, SETS[:8][asked], sets, ks=(5,))
    assert found["Hamming mAP"] == pytest.approx(wanted["map"], abs=1e-5)
    assert 0 < found["mAP"] <= 1
    assert "k-NN accuracy (%)" not in found


def test_what_needs_one_label_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tree.txt").write_text("a bird\na cat\na dog\na sky\n")
    with pytest.raises(KithError, match="--taxonomy: is for vectors of one label each"):
        main(**write("parquet"), taxonomy=Path("tree.txt"))
    with pytest.raises(KithError, match="--similarity euclidean: is for vectors of one label each"):
        main(**write("parquet"), similarity="euclidean")
    np.savez("mine.npz", vectors=VECTORS, labels=SETS * 2)
    with pytest.raises(KithError, match="row 0, column 0 is 2, not 0 or 1"):
        main(vectors=["mine.npz"])
