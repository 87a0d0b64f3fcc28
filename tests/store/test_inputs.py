import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kith.store.inputs import ArrayInput, TokenInput

NOBODY = np.random.default_rng(0)


def test_items_of_an_array_have_a_row_or_none():
    view = ArrayInput(np.arange(12, dtype=np.float32).reshape(3, 4), np.array([2, -1, 0, 1]))
    items = np.array([3, 1, 0])
    np.testing.assert_array_equal(view.has(items), [True, False, True])
    rows, owner = view.all_of(items)
    np.testing.assert_array_equal(rows, [1, 2])
    np.testing.assert_array_equal(owner, [3, 0])
    (taken,) = view.take(view.one_of(np.array([0, 3]), NOBODY))
    np.testing.assert_array_equal(taken, view.array[[2, 1]])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.data())
def test_items_have_any_number_of_texts(counts, data):
    start = np.r_[0, np.cumsum(counts)]
    view = TokenInput(np.zeros((start[-1], 3), np.int32), np.ones(start[-1], np.int32), start)
    items = np.array(data.draw(st.permutations(range(len(counts)))))
    rows, owner = view.all_of(items)
    expected = [(row, item) for item in items for row in range(start[item], start[item + 1])]
    assert list(zip(rows, owner, strict=True)) == expected
    filled = items[view.has(items)]
    assert all(counts[item] for item in filled)
    drawn = view.one_of(filled, np.random.default_rng(0))
    assert ((drawn >= start[filled]) & (drawn < start[filled + 1])).all()


def test_tokens_are_cut_to_the_longest_text():
    tokens = np.array([[1, 2, 3, 0], [4, 0, 0, 0], [5, 6, 0, 0]], np.int32)
    view = TokenInput(tokens, np.array([3, 1, 2]), np.arange(4))
    taken, lengths = view.take(np.array([2, 1]))
    np.testing.assert_array_equal(taken, [[5, 6], [4, 0]])
    np.testing.assert_array_equal(lengths, [2, 1])
