"""R-precision and mAP@R against their definitions, averaged over every order of what ties."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kith.errors import KithError
from kith.metrics.at_r import retrieval_at_r


def definitions(right):
    """Of one list: as ECCV Caption's program has them."""
    r = sum(right)
    precisions = [sum(right[:k]) / k if right[k - 1] else 0.0 for k in range(1, r + 1)]
    return sum(right[:r]) / r, sum(precisions) / r


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.booleans()), min_size=2, max_size=5))
def test_both_are_their_expectations(candidates):
    cosines, right = zip(*candidates, strict=True)
    vectors = [[cosine, float(cosine == 0)] for cosine in cosines]
    if not any(right):
        with pytest.raises(KithError, match="query 0 has no right candidate"):
            retrieval_at_r([[2.0, 0.0]], vectors, np.array([right]))
        return
    found = retrieval_at_r([[2.0, 0.0]], vectors, np.array([right]))
    orders = permutations(range(len(right)))
    orders = [o for o in orders if all(cosines[a] >= cosines[b] for a, b in pairwise(o))]
    expected = np.mean([definitions([right[i] for i in order]) for order in orders], axis=0)
    assert (found["r_precision"][0], found["map@r"][0]) == pytest.approx(tuple(expected))


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    queries, candidates, right = rng.standard_normal((12, 3)), rng.standard_normal((9, 3)), rng.random((12, 9)) < 0.4
    right[:, 0] = True
    whole = retrieval_at_r(queries, candidates, right)
    monkeypatch.setattr("kith.similarity.BLOCK", 20)
    parts = retrieval_at_r(queries, candidates, right)
    assert all(np.array_equal(parts[name], values) for name, values in whole.items())
