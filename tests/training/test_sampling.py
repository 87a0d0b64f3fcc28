from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kith.training.loop import _as_in_validation
from kith.training.samplers import NeighborSampler, PairSampler, generator


@given(st.integers(1, 200), st.integers(1, 50), st.integers(0, 5))
def test_an_epoch_covers_every_item_once_in_even_batches(n, batch_size, epoch):
    batches = PairSampler(np.arange(n) * 3, np.arange(n), batch_size).epoch(epoch)
    assert sorted(np.concatenate(batches)) == [3 * i for i in range(n)]
    sizes = [len(batch) for batch in batches]
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


def test_items_per_group():
    groups = np.repeat(np.arange(10), 7)
    sampler = PairSampler(np.arange(70), groups, 16, items_per_group=2)
    rows = np.concatenate(sampler.epoch(1))
    np.testing.assert_array_equal(np.bincount(groups[rows]), np.full(10, 2))
    assert len(set(rows)) == 20
    assert set(rows) != set(np.concatenate(sampler.epoch(2)))


@given(st.integers(1, 60), st.integers(1, 50))
def test_filled_batches_are_of_one_size_and_still_cover_every_item(n, batch_size):
    batches = PairSampler(np.arange(n) * 3, np.arange(n), batch_size, fill_batches=True).epoch(1)
    assert {len(batch) for batch in batches} == {batch_size}
    assert len(batches) == -(-n // batch_size)
    assert set(np.concatenate(batches)) == {3 * i for i in range(n)}


def test_epochs_differ_and_repeat():
    sampler = PairSampler(np.arange(50), np.arange(50), 8, seed=3)
    first, again, second = (np.concatenate(sampler.epoch(e)) for e in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != second).any()


def test_neighbors_come_from_the_nearest_groups():
    groups = np.array([0, 0, 1, 1, 2, 3, -1])
    near = np.array([[2, 1, 3], [0, -1, -1], [-1, -1, -1], [1, 0, 2]])
    sampler = NeighborSampler(near, groups)
    rows = np.arange(6)
    drawn = np.stack([sampler.draw(rows, 2, generator(0, i)) for i in range(200)])
    assert set(drawn[:, 0]) == {2, 3, 4}  # groups 2 and 1
    assert set(drawn[:, 2]) == {0, 1}  # group 0
    assert set(drawn[:, 4]) == {-1}  # none
    assert set(drawn[:, 5]) == {0, 1, 2, 3}
    assert 6 not in drawn


def test_what_is_seen_is_measured_on_as_many_items_and_groups_as_what_is_not():
    groups = np.concatenate([np.repeat(np.arange(50), 7), np.arange(50, 60)])
    data = SimpleNamespace(groups=groups, train=np.arange(350), val=np.arange(350, 360))
    seen = _as_in_validation(data, seed=0)
    assert len(seen) == len(np.unique(groups[seen])) == 10
    assert np.all(seen < 350)
    assert np.array_equal(seen, _as_in_validation(data, seed=0))
    pairs = SimpleNamespace(groups=groups, train=np.arange(280), val=np.arange(280, 350))
    assert len(_as_in_validation(pairs, seed=0)) == 70
