"""The nearest found by products in float32 are those of float64, equals and all."""

import numpy as np
import pytest

from kith.metrics import closest
from kith.metrics.closest import closest_items, closest_lists
from kith.metrics.ordering import ranked_lists
from kith.similarity import unit_rows

RANDOM = np.random.default_rng(0)
ROWS = {
    "normal": RANDOM.standard_normal((300, 12)),
    "single": RANDOM.standard_normal((300, 12)).astype(np.float32),
    "twins": np.repeat(RANDOM.standard_normal((100, 5)), 3, axis=0),
    "many the same": np.repeat(RANDOM.standard_normal((6, 5)), 50, axis=0),
    "a grid": RANDOM.integers(0, 20, (300, 2)).astype(float),
    "nearer than float32 sees": np.vstack([RANDOM.integers(0, 50, (299, 3)) / 2**30, [[1, 0, 0]]]),
    "far from the origin": 1e4 + RANDOM.standard_normal((300, 4)),
    "large": 1e150 * RANDOM.standard_normal((300, 4)),
    "zeros": np.zeros((300, 3)),
}


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("name", ROWS)
def test_lists_and_their_equals_are_those_of_whole_rows(name, normalize):
    rows, asked = ROWS[name], np.arange(0, 300, 2)
    found = list(closest_lists(rows, asked, 7, normalize))
    wanted = list(ranked_lists(rows, asked, 7, normalize))
    assert np.concatenate([each.queries for each in found]).tolist() == asked.tolist()
    order, whole = (np.concatenate([each.order for each in lists]) for lists in (found, wanted))
    if normalize and name in ("nearer than float32 sees", "a grid"):  # cosines that differ by their rounding alone
        unit = unit_rows(rows.astype(np.float64))
        cosines = unit[asked] @ unit.T
        near = (np.take_along_axis(cosines, each, axis=1) for each in (order, whole))
        np.testing.assert_allclose(*near, rtol=0, atol=1e-15)
        return
    np.testing.assert_array_equal(order, whole)
    tied, others = (
        {
            int(block.queries[each.row]): (each.order.tolist(), each.starts.tolist())
            for block in lists
            for each in block.tied
        }
        for lists in (found, wanted)
    )
    assert tied == others


@pytest.mark.parametrize("block", [1 << 9, 1 << 18])
@pytest.mark.parametrize("name", ROWS)
def test_items_are_in_the_order_of_exact_distances_then_of_their_rows(name, block, monkeypatch):
    monkeypatch.setattr(closest, "CACHED", block)
    rows = ROWS[name].astype(np.float64)
    queries = rows[:40] + (0.25 if name == "a grid" else 0)
    keys = np.square(rows).sum(axis=1) - 2 * np.einsum("qd,nd->qn", queries, rows)
    wanted = np.argsort(keys, axis=1, kind="stable")[:, :6]
    found = closest_items(queries, rows, 6)
    # Where two keys differ by rounding alone, either order is right.
    near = np.take_along_axis(keys, found, axis=1), np.take_along_axis(keys, wanted, axis=1)
    np.testing.assert_allclose(*near, rtol=0, atol=1e-13 * np.abs(keys).max())
    if name in ("normal", "single", "a grid", "zeros", "large"):
        np.testing.assert_array_equal(found, wanted)


def test_an_item_does_not_find_itself():
    rows = ROWS["twins"]
    found = closest_items(rows, rows, 2, itself=True)
    groups = np.arange(300) // 3
    assert (groups[found] == groups[:, None]).all()
    assert (found != np.arange(300)[:, None]).all()
