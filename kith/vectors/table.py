"""Sets of vectors that were measured, side by side: as lines to read, as Markdown, as CSV, and their curves."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from kith.data.cells import lines_of_csv
from kith.evaluation.describe import describe
from kith.evaluation.results import DECIMALS
from kith.vectors.measures import Measured

COUNTS = ("queries", "candidates")


class Measurement(NamedTuple):
    """What was measured, by the name that it goes by."""

    label: str
    measured: Measured


def head(name: str) -> str:
    """What a metric is called here: as in the leaderboard, with its unit; those of codes say so.

    >>> head("metric_learning/R@1"), head("hamming/map"), head("nDCG@10")
    ('R@1 (%)', 'Hamming mAP', 'nDCG@10')
    """
    if "/" not in name:
        return name
    metric = describe(name)
    unit = " (%)" if metric.scale.percent else ""
    return f"{'Hamming ' * name.startswith('hamming/')}{metric.head}{unit}"


def shown(name: str, value: float) -> str:
    """A value in the digits that it is shown with."""
    return describe(name).shown(value) if "/" in name else f"{value:.4f}"


def grid(measurements: Sequence[Measurement]) -> list[list[str]]:
    """A line a metric, a column a set; the first line names the sets, the first column the metrics.

    >>> grid([Measurement("mine", Measured(2, 3, {"nDCG@10": 0.5}))])
    [['', 'mine'], ['queries', '2'], ['candidates', '3'], ['nDCG@10', '0.5000']]
    """
    lines = [["", *(each.label for each in measurements)]]
    lines += [[count, *(f"{getattr(each.measured, count):,}" for each in measurements)] for count in COUNTS]
    for name in _names(measurements):
        values = [each.measured.values.get(name) for each in measurements]
        lines.append([head(name), *("" if value is None else shown(name, value) for value in values)])
    return lines


def text(measurements: Sequence[Measurement]) -> str:
    """The grid with its columns below each other."""
    lines = grid(measurements)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    return "".join("  ".join(line).rstrip() + "\n" for line in padded)


def markdown(measurements: Sequence[Measurement]) -> str:
    """The grid as a table of Markdown."""
    first, *others = ([cell.replace("|", "\\|") for cell in line] for line in grid(measurements))
    lines = [first, ["---", *["---:"] * (len(first) - 1)], *others]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def as_csv(measurements: Sequence[Measurement]) -> str:
    """One row a set, one column a metric, unrounded but for the last digits."""
    names = _names(measurements)
    rows: list[list[Any]] = [["label", *COUNTS, *map(head, names)]]
    for label, measured in measurements:
        values = [measured.values.get(name) for name in names]
        counts = [getattr(measured, count) for count in COUNTS]
        rows.append([label, *counts, *("" if value is None else round(value, DECIMALS) for value in values)])
    return lines_of_csv(rows)


def curves(measurements: Sequence[Measurement]) -> pd.DataFrame:
    """Columns method, seed, k and value of all sets that have a curve; empty where none has."""
    found = [pd.DataFrame({"method": label, "value": of.curve}) for label, of in measurements if of.curve is not None]
    if not found:
        return pd.DataFrame({"method": [], "seed": [], "k": [], "value": []})
    return pd.concat([each.assign(seed=0, k=range(1, len(each) + 1)) for each in found], ignore_index=True)


def _names(measurements: Sequence[Measurement]) -> list[str]:
    return list(dict.fromkeys(name for each in measurements for name in each.measured.values))
