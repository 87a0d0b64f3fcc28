"""ERR and RBP against their definitions, averaged over every order of what ties."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kith.errors import KithError
from kith.metrics.cascade import expected_reciprocal_rank, rank_biased_precision, stopping_chance


def err(relevance):
    total, reached = 0.0, 1.0
    for place, chance in enumerate(relevance, start=1):
        total += reached * chance / place
        reached *= 1 - chance
    return total


def rbp(relevance, p):
    return (1 - p) * sum(chance * p**place for place, chance in enumerate(relevance))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.sampled_from([0, 0.25, 0.75, 1])), min_size=1, max_size=5)
)
def test_both_are_their_expectations(candidates):
    scores, relevance = (np.array(column, dtype=float) for column in zip(*candidates, strict=True))
    orders = permutations(range(len(scores)))
    lists = [relevance[list(o)] for o in orders if all(scores[a] >= scores[b] for a, b in pairwise(o))]
    found = (
        expected_reciprocal_rank(scores[None], relevance[None]),
        rank_biased_precision(scores[None], relevance[None]),
    )
    assert found[0] == pytest.approx([np.mean([err(each) for each in lists])])
    assert found[1] == pytest.approx([np.mean([rbp(each, 0.8) for each in lists])])


def test_many_equals_are_worth_what_drawn_orders_are():
    rng = np.random.default_rng(0)
    relevance = stopping_chance(rng.integers(0, 3, 300) * (rng.random(300) < 0.05), highest=2)
    drawn = [err(rng.permutation(relevance)) for _ in range(600)]
    found = expected_reciprocal_rank(np.zeros((1, 300)), relevance[None])
    assert found[0] == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / np.sqrt(600))


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    scores, relevance = rng.integers(0, 4, (9, 6)), rng.random((9, 6))
    whole = expected_reciprocal_rank(scores, relevance), rank_biased_precision(scores, relevance, 0.5)
    monkeypatch.setattr("kith.similarity.BLOCK", 12)
    assert np.array_equal(whole[0], expected_reciprocal_rank(scores, relevance))
    assert np.array_equal(whole[1], rank_biased_precision(scores, relevance, 0.5))


@pytest.mark.parametrize(
    ("scores", "relevance", "message"),
    [
        ([[0.5, 0.1]], [[1.0]], r"the shape \(1, 2\), relevance \(1, 1\)"),
        ([[0.5, np.nan]], [[1.0, 0.0]], "scores: row 0 has a NaN"),
        ([[0.5, 0.1]], [[1.5, 0.0]], "relevance: row 0 is not from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_refused(scores, relevance, message):
    with pytest.raises(KithError, match=message):
        expected_reciprocal_rank(scores, relevance)


def test_parameters_out_of_range_are_refused():
    with pytest.raises(KithError, match="p: 1 is not"):
        rank_biased_precision([[0.5]], [[1.0]], p=1)
    with pytest.raises(KithError, match="from 0 to 2"):
        stopping_chance([3], highest=2)
