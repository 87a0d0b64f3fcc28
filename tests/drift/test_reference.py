"""Which items are held out to compare new rows with."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kith.drift.reference import _independent


def data(*rows: tuple[str, str, int]) -> SimpleNamespace:
    """Of (split, group, image_row)."""
    table = pd.DataFrame(rows, columns=["split", "group", "image_row"])
    return SimpleNamespace(table=table, splits=table["split"].to_numpy())


def test_one_item_of_each_group_and_of_each_picture_is_compared():
    rows = [("test", "a", 0), ("test", "a", 1), ("val", "b", 2), ("val", "c", 2), ("test", "d", -1), ("test", "e", -1)]
    order = np.array([5, 4, 3, 2, 1, 0])
    assert _independent(data(*rows), order).tolist() == [5, 4, 3, 1]


@pytest.mark.parametrize(
    ("splits", "taken"),
    [
        (["train", "val", "test_typeface", "test", "database"], [1, 3]),
        (["train", "test_typeface", "test_black"], [1, 2]),
        (["train", "val", "test_typeface"], [1]),
    ],
)
def test_a_further_test_set_is_of_another_kind(splits, taken):
    found = _independent(data(*((split, str(row), row) for row, split in enumerate(splits))), np.arange(len(splits)))
    assert found.tolist() == taken
