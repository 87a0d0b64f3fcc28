"""Batches of classes, random pairs and triplets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from kith.errors import KithError
from kith.training.samplers import BalancedSampler, TupleSampler, random_pairs, random_triplets


def sampler(sizes, many, each, **options):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return BalancedSampler(100 + np.arange(len(labels)), labels, many, each, **options)


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=9),
    many=st.integers(1, 10),
    each=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_an_epoch_covers_all_items_in_the_fewest_balanced_batches(sizes, many, each, seed):
    made = sampler(sizes, many, each, seed=seed)
    batches = made.epoch(3)
    assert len(batches) == len(made)
    assert set(np.concatenate(batches)) == set(made.rows)
    for rows in batches:
        of = made.labels[rows - 100].reshape(-1, each)
        assert (of == of[:, :1]).all()
        assert len(set(of[:, 0])) == len(of) == min(many, len(sizes))
        for turn, label in zip(rows.reshape(-1, each), of[:, 0], strict=True):
            assert len(set(turn)) == min(each, sizes[label]) or sizes[label] < each
    # No turn more than the items ask for, but where batches would lack classes.
    turns = [-(-size // each) for size in sizes]
    assert len(batches) == max(-(-sum(turns) // min(many, len(sizes))), max(turns))
    assert made.small.tolist() == [label for label, size in enumerate(sizes) if size < each]


def test_an_epoch_is_a_function_of_seed_and_number():
    made = sampler([9, 7, 12, 3], 2, 4, seed=1)
    first, again, next_one = made.epoch(1), made.epoch(1), made.epoch(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, next_one, strict=True))
    other = sampler([9, 7, 12, 3], 2, 4, seed=2).epoch(1)
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_classes_meet_in_every_combination():
    met = set()
    made = sampler([4] * 6, 2, 2)
    for epoch in range(60):
        met |= {tuple(sorted(set(made.labels[rows - 100]))) for rows in made.epoch(epoch)}
    assert len(met) == 15


def test_unknown_classes_take_no_part_and_groups_are_thinned():
    labels = np.array([-1, 5, 5, 5, 9, 9, -1])
    made = BalancedSampler(np.arange(7), labels, 2, 2)
    assert set(np.concatenate(made.epoch(1))) == {1, 2, 3, 4, 5}
    groups = np.array([0, 1, 1, 2, 3, 3, 4])
    thin = BalancedSampler(np.arange(7), labels, 2, 1, groups=groups, items_per_group=1)
    epochs = [np.concatenate(thin.epoch(epoch)) for epoch in range(1, 20)]
    assert all({1, 2} - set(rows) and {4, 5} - set(rows) and 3 in rows for rows in epochs)
    assert set(np.concatenate(epochs)) == {1, 2, 3, 4, 5}
    assert len(thin) == len(thin.epoch(1)) == 2
    with pytest.raises(ValueError, match="need items whose class is known"):
        BalancedSampler(np.arange(2), np.full(2, -1), 2, 2)


def test_triplets_and_pairs_are_of_the_right_classes_and_uniform():
    labels = np.array([2, 0, 2, 1, -1, 0, 2, 7])
    seen, random = [], np.random.default_rng(0)
    for _ in range(900):
        anchor, positive, negative = random_triplets(labels, random)
        assert anchor.tolist() == [0, 1, 2, 5, 6]
        assert (labels[anchor] == labels[positive]).all()
        assert (anchor != positive).all()
        assert (labels[anchor] != labels[negative]).all()
        assert (labels[negative] >= 0).all()
        seen.append((positive[0], negative[0]))
    _, counts = np.unique(seen, axis=0, return_counts=True)
    assert len(counts) == 2 * 4
    assert chisquare(counts).pvalue > 0.001
    first, second, same = random_pairs(labels, random)
    assert np.array_equal(labels[first] == labels[second], same)
    assert same.sum() == 5
    for alike in (np.zeros(3, int), np.arange(3)):
        with pytest.raises(ValueError, match="two items of one class and one of another"):
            random_triplets(alike, random)


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(-1, 3), min_size=3, max_size=40).filter(
        lambda given: any(given.count(x) > 1 and set(given) - {x, -1} for x in set(given) - {-1})
    ),
    size=st.integers(2, 12),
    of=st.sampled_from(["pairs", "triplets"]),
)
def test_tuples_are_of_the_right_classes_and_every_item_comes_first_once(labels, size, of):
    labels, rows = np.array(labels), 100 + np.arange(len(labels))
    made = TupleSampler(rows, labels, of, size, seed=2)
    width = 2 if of == "pairs" else 3
    batches = made.epoch(1)
    assert all(len(batch) % width == 0 and len(batch) <= max(size, width) for batch in batches)
    tuples = np.concatenate(batches).reshape(-1, width)
    usable = [100 + i for i, label in enumerate(labels) if label >= 0 and (labels == label).sum() > 1]
    assert sorted(tuples[:, 0]) == usable
    of_rows = labels[tuples - 100]
    assert (of_rows >= 0).all()
    assert (tuples[:, 0] != tuples[:, 1]).all()
    if of == "triplets":
        assert (of_rows[:, 0] == of_rows[:, 1]).all()
        assert (of_rows[:, 0] != of_rows[:, 2]).all()
    assert all(np.array_equal(a, b) for a, b in zip(batches, made.epoch(1), strict=True))


def test_half_of_the_pairs_are_of_one_class():
    labels = np.arange(400) % 8
    made = TupleSampler(np.arange(400), labels, "pairs", 64)
    same = [len(set(labels[pair])) == 1 for batch in made.epoch(1) for pair in batch.reshape(-1, 2)]
    assert len(same) == 400
    assert 160 < sum(same) < 240
    thin = TupleSampler(np.arange(400), labels, "pairs", 64, groups=np.arange(400) // 4, items_per_group=1)
    assert sum(map(len, thin.epoch(1))) == 200
    assert not np.array_equal(made.epoch(1)[0], made.epoch(2)[0])
    with pytest.raises(
        KithError, match="pairs need two training items of one class and one of another; there are none"
    ):
        TupleSampler(np.arange(3), np.zeros(3, dtype=int), "pairs", 2)
    labels = np.array([0, 0, 1, 1])
    with pytest.raises(KithError, match="of another, of 1 items a group; there are none"):
        TupleSampler(np.arange(4), labels, "triplets", 4, groups=np.zeros(4, dtype=int), items_per_group=1)
