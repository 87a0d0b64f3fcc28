"""What comes out of it, in a sentence: which method is best on the test split, how sure that is, and by how much."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from kith.errors import KithError
from kith.evaluation.describe import describe, rankings
from stages import files

SURE = 0.05


def sentences(study: str, untrained: Collection[str] = ()) -> list[str]:
    """One for each thing that the methods of a study are compared by, of its leaderboard; untrained: methods that are
    the encoders as they are, of which it says how far they come.

    Raises KithError where there is none.
    """
    table, dataset = board(study), files.read_json(Path("data", study, "prepared", "dataset.json"))
    said = [_sentence(table, metric, untrained) for metric in _metrics(table)]
    if dataset.get("of") == "texts":
        said = [each.replace("pictures", "texts").replace("Pictures", "Texts") for each in said]
    return said


def best_runs(study: str, untrained: Collection[str] = ()) -> list[Path]:
    """The runs to search with: of the best method in each thing that methods are compared by, and behind them of the
    encoders as they are: what is trained for classes puts all of a class together, and these tell its items apart. The
    validation items say which is best, where they were measured: those of test choose nothing."""
    table = board(study, "val")
    best = [table["method"][table[metric].idxmax()] for metric in _metrics(table)]
    best += [method for method in table["method"] if method in untrained]
    return [Path("runs", study, f"{method}-0") for method in dict.fromkeys(best)]


def board(study: str, split: str | None = None) -> pd.DataFrame:
    """A split of the leaderboard of a study; by default, and where it was not measured, the first: test.

    Raises KithError where there is none.
    """
    path = Path("reports", study, "leaderboard.csv")
    if not path.is_file():
        raise KithError(f"{path}: no such file; run the study: snakemake --cores 2")
    table = pd.read_csv(path, dtype={"split": str, "method": str})
    chosen = split if split in set(table["split"]) else table["split"].iloc[0]
    return table[table["split"] == chosen].reset_index(drop=True)


def _metrics(table: pd.DataFrame) -> list[str]:
    return [name for name, each in rankings(table.columns).items() if each.task and table[name].notna().any()]


def _sentence(table: pd.DataFrame, metric: str, untrained: Collection[str]) -> str:
    ranking = rankings(table.columns)[metric]
    low, high, p = ranking.columns
    rows = table[table[metric].notna()].sort_values(metric, ascending=False, kind="stable")
    best, measure = rows.iloc[0], ranking.measure or describe(metric).head

    def value(row: pd.Series) -> str:
        return f"{row[metric]:.3f} [{row[low]:.3f}, {row[high]:.3f}]"

    said = f"{ranking.task[0].upper()}{ranking.task[1:]} best by {best['method']}: {measure} {value(best)}"
    said += f" on the split {best['split']}"
    if len(rows) < 2:
        return f"{said}."
    other = rows.iloc[1]
    sure = f"p = {other[p]:.3f}" if other[p] >= 0.001 else "p < 0.001"
    doubt = "" if other[p] < SURE else ": these two cannot be told apart"
    said += f", {best[metric] - other[metric]:.3f} more than {other['method']}, {value(other)} ({sure}){doubt}."
    as_they_are = rows[rows["method"].isin(untrained)]
    if best["method"] in untrained:
        return f"{said} Training gained nothing here over the encoders without it."
    if other["method"] in untrained or not len(as_they_are):
        return said
    return f"{said} Without training, {as_they_are.iloc[0]['method']}: {value(as_they_are.iloc[0])}."
