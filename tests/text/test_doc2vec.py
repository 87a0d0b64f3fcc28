import os
import subprocess
import sys

import numpy as np
import pytest

from kith.text import doc2vec

SEA, FOREST = ["wave", "ship", "sail", "tide", "harbour", "gull"], ["tree", "leaf", "moss", "fern", "oak", "squirrel"]


def documents(count: int = 200) -> list[list[str]]:
    random = np.random.default_rng(0)
    return [list(random.choice(SEA if i % 2 else FOREST, size=8)) for i in range(count)]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("algorithm", ["dbow", "dm"])
def test_documents_of_one_topic_are_nearer(algorithm):
    model = doc2vec.train(documents(), algorithm=algorithm, dim=16, epochs=200, window=4)
    for vectors in (model.dv.vectors, doc2vec.infer(model, documents(60), seed=1)):
        similarity = unit(vectors) @ unit(vectors).T
        same = np.arange(len(vectors))[:, None] % 2 == np.arange(len(vectors)) % 2
        assert similarity[same].mean() > similarity[~same].mean() + 0.3


def test_inference_does_not_depend_on_order_and_skips_unknown_words():
    model = doc2vec.train(documents(), dim=8, epochs=5)
    some = documents(6)
    forward, backward = doc2vec.infer(model, some), doc2vec.infer(model, some[::-1])
    np.testing.assert_array_equal(forward, backward[::-1])
    assert not doc2vec.infer(model, [["zeppelin"], []]).any()


def test_empty_documents_are_refused():
    with pytest.raises(ValueError, match="must have a word"):
        doc2vec.train([["sea"], []])


def test_same_bytes_under_any_hash_seed():
    script = (
        "import hashlib; from tests.text.test_doc2vec import *; m = doc2vec.train(documents(), dim=8, epochs=3);"
        "print(hashlib.sha256(m.dv.vectors.tobytes() + doc2vec.infer(m, documents(9)).tobytes()).hexdigest())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
