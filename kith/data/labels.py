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
    names = [word(value) for value in values]
    if all(INTEGER.fullmatch(name) for name in names if name):
        labels = np.array([int(name) if name else -1 for name in names], dtype=np.int64)
        return labels, ["" if label == -1 else str(label) for label in labels.tolist()]
    number = {name: index for index, name in enumerate(sorted(set(names) - {""}))}
    return np.array([number.get(name, -1) for name in names], dtype=np.int64), names


def word(value: Any) -> str:
    """A single value as text, without white space around it; empty for None and NaN.

    A column of integers with gaps may arrive as floats, so 3.0 is "3". Bytes are UTF-8 text, or else hex digits.
    """
    if value is None:
        return ""
    if isinstance(value, float) and (np.isnan(value) or value.is_integer()):
        return "" if np.isnan(value) else str(int(value))
    if isinstance(value, bytes):
        try:
            return value.decode().strip()
        except UnicodeDecodeError:
            return value.hex()
    return str(value).strip()
