"""Labels as users write them, names or numbers, as numbers with names."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")


def numbered(values: Sequence[Any]) -> tuple[np.ndarray, list[str]]:
    """(n,) int64 labels and their names.

    Whole numbers (also written as strings, if all are) stay as they are and name themselves. Anything else
    is a name; names are numbered from 0 in sorted order. None, an empty string and -1 are unknown: -1 and "".
    """
    names = ["" if value is None else _name(value) for value in values]
    if all(INTEGER.fullmatch(name) for name in names if name):
        labels = np.array([int(name) if name else -1 for name in names], dtype=np.int64)
        return labels, ["" if label == -1 else str(label) for label in labels.tolist()]
    number = {name: index for index, name in enumerate(sorted(set(names) - {""}))}
    return np.array([number.get(name, -1) for name in names], dtype=np.int64), names


def _name(value: Any) -> str:
    # A column of integers with gaps may arrive as floats, with NaN in the gaps.
    if isinstance(value, float) and (np.isnan(value) or value.is_integer()):
        return "" if np.isnan(value) else str(int(value))
    return str(value).strip()
