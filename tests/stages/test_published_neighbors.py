"""Neighbours as the program of Thomas & Kovashka finds them: inferred vectors of any length, by Euclidean distance."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from kith.neighbors import euclidean_graph
from kith.training.loop import _score
from stages import neighbors, params, text
from stages.params.method import Method
from stages.params.semantic import Doc2Vec, Neighbors
from tests.stages.test_train_stage import DATA, INPUTS, edit, outputs
from tests.stages.test_train_stage import train as train_stage


def test_the_nearest_by_distance_are_those_of_a_loop():
    random = np.random.default_rng(0)
    rows = random.normal(size=(9, 3)) * random.uniform(0.1, 5, size=(9, 1))
    rows[4] = 0  # has no meaning, and is near to nothing
    indices, similarities = euclidean_graph(rows, k=3)
    for row in (*range(4), *range(5, 9)):
        apart = {other: np.linalg.norm(rows[row] - rows[other]) for other in range(9) if other not in (4, row)}
        expected = sorted(apart, key=apart.get)[:3]
        assert indices[row].tolist() == expected
        np.testing.assert_allclose(similarities[row], [-apart[other] for other in expected], rtol=1e-6)
    assert indices[4].tolist() == [-1, -1, -1]


def test_inferred_vectors_keep_their_lengths(study):
    before = np.load("data/shapes/text/vectors.npy")
    np.testing.assert_allclose(np.linalg.norm(before, axis=1), 1, rtol=1e-5)
    edit(text={"doc2vec": {"dim": 12, "epochs": 5, "as_published": True}}, neighbors={"distance": "euclidean"})
    text.main(**DATA, out=Path("data/shapes/text"))
    neighbors.main(**DATA, text=Path("data/shapes/text"), out=Path("data/shapes/neighbors"))
    vectors = np.load("data/shapes/text/vectors.npy")
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    same = {tuple(texts): vector for texts, vector in zip(items["texts"], vectors, strict=True)}
    for texts, vector in zip(items["texts"], vectors, strict=True):  # of equal texts, whatever the split
        np.testing.assert_array_equal(same[tuple(texts)], vector)
    assert np.ptp(np.linalg.norm(vectors, axis=1)) > 0.01
    found = pd.read_parquet("data/shapes/neighbors/neighbors.parquet")
    first = found[found["rank"] == 0].iloc[0]
    distance = np.linalg.norm(vectors[int(first["row"])] - vectors[int(first["neighbor"])])
    assert first["similarity"] == pytest.approx(-distance, abs=1e-4)
    assert json.loads(Path("data/shapes/neighbors/quality.json").read_text())["recall"] == 1.0


def test_what_is_not_set_leaves_no_trace():
    assert "distance" not in Neighbors().model_dump()
    assert "as_published" not in Doc2Vec().model_dump()
    assert Neighbors(distance="euclidean").model_dump()["distance"] == "euclidean"
    with pytest.raises(ValidationError, match="is searched exactly; take method: exact"):
        Neighbors(distance="euclidean", method="hnsw")


def test_the_epoch_is_chosen_by_the_term_alone(study):
    edit(methods={"neighborhood": {"train": {"select": "angular", "schedule": "plateau"}}})
    train_stage.main(method="neighborhood", seed=0, **INPUTS, **outputs("neighborhood-0"))
    history = pd.read_parquet("runs/shapes/neighborhood-0/history.parquet")
    assert (history["val_angular"] < history["val_loss"]).all()  # one of two terms of the validation
    assert _score({"val_angular": 0.25}, "angular") == -0.25
    assert params.load().method("neighborhood").train.select == "angular"
    with pytest.raises(ValueError, match=r"select: angular needs losses\.angular_cross"):
        Method(losses={"info_nce": {}}, train={"epochs": 1, "select": "angular"})
