"""Choices among methods by their metrics on the validation split, and what the chosen one reaches on the test split."""

import pandas as pd

from kith.errors import KithError
from kith.evaluation.describe import describe, rankings
from stages import params
from stages.reporting import cells

VALIDATION = "val"


def chosen(boards: dict[str, pd.DataFrame], settings: params.Params) -> list[str]:
    """Which method of each choice the validation split prefers, and what that one reaches on the test split."""
    lines = choices(boards, settings)
    if lines.empty:
        return []
    rows = []
    for _, line in lines.iterrows():
        best = not pd.isna(line["test"])
        name = f"**{line['method']}**" if best else line["method"]
        metric = describe(line["by"])
        test = metric.shown(line["test"]) if best else ""
        rows.append([line["choice"], metric.full_head, name, metric.shown(line["val"]), test])
    note = "The **best** of each choice by the validation split alone; of the test split only its figure counts."
    return ["## Chosen on validation", note, cells.table(["choice", "by", "method", "val", "test"], rows)]


def choices(boards: dict[str, pd.DataFrame], settings: params.Params) -> pd.DataFrame:
    """One row a method of each choice that params.yaml asks for (compare.choose), if it is in the study.

    `boards`: the leaderboard by split. Columns: choice, by (the metric), method, val, test: the latter of the best
    by validation alone, of equal ones the first named. Raises KithError where there is no metric of the validation
    split to choose by.
    """
    rows = []
    for name, choice in settings.compare.choose.items():
        methods = [method for method in choice.methods if method in settings.study.methods]
        if not methods:
            continue
        metric = choice.by or _metric(boards, methods)
        values = _values(boards, VALIDATION, metric, methods)
        if values is None:
            raise KithError(
                f"params.yaml: compare.choose.{name}: there is no {metric or 'metric'} of all its methods on the "
                "validation split; name val in embed.splits, and see leaderboard.csv for metrics"
            )
        best = methods[int(values.to_numpy().argmax())]
        tested = _values(boards, "test", metric, [best])
        for method in methods:
            test = float(tested[best]) if tested is not None and method == best else float("nan")
            rows.append({"choice": name, "by": metric, "method": method, "val": float(values[method]), "test": test})
    return pd.DataFrame(rows, columns=["choice", "by", "method", "val", "test"])


def _metric(boards: dict[str, pd.DataFrame], methods: list[str]) -> str:
    """The first of the metrics that methods are ranked by which all these have; "" without one."""
    known = rankings(boards.get(VALIDATION, pd.DataFrame()))
    return next((name for name in known if _values(boards, VALIDATION, name, methods) is not None), "")


def _values(boards: dict[str, pd.DataFrame], split: str, metric: str, methods: list[str]) -> pd.Series | None:
    """The metric of each of the methods, None unless all have it."""
    if split not in boards or metric not in boards[split]:
        return None
    found = boards[split].set_index("method")[metric].reindex(methods)
    return None if found.isna().any() else found
