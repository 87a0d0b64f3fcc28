"""Choices among methods by their validation figures, and what the chosen one reaches on the test split."""

import pandas as pd

from kith.errors import KithError
from kith.evaluation.catalogue import IMAGES
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
        test = cells.number(line["test"], line["by"]) if best else ""
        rows.append([line["choice"], cells.title(line["by"]), name, cells.number(line["val"], line["by"]), test])
    note = "The **best** of each choice by the validation split alone; of the test split only its figure counts."
    return ["## Chosen on validation", note, cells.table(["choice", "by", "method", "val", "test"], rows)]


def choices(boards: dict[str, pd.DataFrame], settings: params.Params) -> pd.DataFrame:
    """One row a method of each choice that params.yaml asks for (compare.choose), if it is in the study.

    `boards`: the leaderboard by split. Columns: choice, by (the figure), method, val, test: the latter of the best
    by validation alone, of equal ones the first named. Raises KithError where there is no figure of the validation
    split to choose by.
    """
    rows = []
    for name, choice in settings.compare.choose.items():
        methods = [method for method in choice.methods if method in settings.study.methods]
        if not methods:
            continue
        figure = choice.by or _figure(boards, methods, settings.evaluate)
        values = _values(boards, VALIDATION, figure, methods)
        if values is None:
            raise KithError(
                f"params.yaml: compare.choose.{name}: there is no {figure or 'figure'} of all its methods on the "
                "validation split; name val in embed.splits, and see leaderboard.csv for figures"
            )
        best = methods[int(values.to_numpy().argmax())]
        tested = _values(boards, "test", figure, [best])
        for method in methods:
            test = float(tested[best]) if tested is not None and method == best else float("nan")
            rows.append({"choice": name, "by": figure, "method": method, "val": float(values[method]), "test": test})
    return pd.DataFrame(rows, columns=["choice", "by", "method", "val", "test"])


def _figure(boards: dict[str, pd.DataFrame], methods: list[str], options: params.Evaluate) -> str:
    """The figure that the methods are ranked by."""
    known = ("mean/mrr", f"{IMAGES}/AHP@{options.clip}")
    return next((each for each in known if _values(boards, VALIDATION, each, methods) is not None), "")


def _values(boards: dict[str, pd.DataFrame], split: str, figure: str, methods: list[str]) -> pd.Series | None:
    """The figure of each of the methods, None unless all have it."""
    if split not in boards or figure not in boards[split]:
        return None
    found = boards[split].set_index("method")[figure].reindex(methods)
    return None if found.isna().any() else found
