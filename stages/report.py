"""Draw the figures of a study and write its report: one page that needs nothing else."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from kith import plots
from kith.errors import KithError, listed, reading
from kith.evaluation.certainty import DIFFERENCES
from kith.evaluation.compare import merged_splits
from kith.evaluation.describe import rankings
from kith.store.classes import Classes
from kith.store.prepared import Prepared
from stages import cli, compare, files, params, tracking
from stages.params.inputs import NONE, named
from stages.reporting import audited as audit_section
from stages.reporting import charts, encoders, examples, spaces
from stages.reporting import cost as cost_section
from stages.reporting import page as report_page

NOTHING = Path(NONE)  # what a study without an audit, or without costs, names
AGAIN = "make it again with `dvc repro -f compare`"


def main(
    *,
    data: Path,
    neighbors: Path,
    taxonomy: Path,
    runs: Path,
    compared: Path,
    figures: Path,
    page: Path,
    audited: Path = NOTHING,
    cost: Path = NOTHING,
) -> None:
    """Write the figures (PNG) into --figures and the report to --page; beside the figure of hierarchical precision, its
    numbers (CSV), HP@k of every k."""
    inputs = {"data": data, "neighbors": neighbors, "taxonomy": taxonomy, "runs": runs, "compared": compared}
    write(params.load(), {}, **inputs, figures=figures, page=page, audited=audited, cost=cost)
    tracking.log_report(figures, page, runs)


def write(
    settings: params.Params,
    missing: Mapping[str, str],
    *,
    data: Path,
    neighbors: Path,
    taxonomy: Path,
    runs: Path,
    compared: Path,
    figures: Path,
    page: Path,
    audited: Path = NOTHING,
    cost: Path = NOTHING,
) -> None:
    """As `main`, of the methods of `settings`. missing: other methods that are named, and why they are not ranked."""
    board = read_leaderboard(compared / "leaderboard.csv")
    differences = read_differences(compared / "differences.csv", board)
    split, method = board["split"].iloc[0], board["method"].iloc[0]
    first = board[board["split"] == split]
    run, by_class = (runs / f"{best}-{settings.study.seeds[0]}" for best in (method, report_page.best_by_class(board)))
    prepared = Prepared(data)
    measured = merged_splits(compare.read_runs(settings, runs, prepared.checksum))
    classes = Classes(taxonomy, prepared)
    drawn = charts.of_methods(settings.study, first, runs)
    curves = charts.class_curves(settings, first, runs, prepared, classes)
    drawn |= charts.of_classes(settings, first, curves)
    drawn |= charts.of_codes(settings.study, first, runs)
    drawn |= charts.of_taxonomy(settings.taxonomy, prepared, classes)
    drawn |= spaces.one_run(settings.report, split, run, prepared)
    drawn |= spaces.all_methods(settings, first, runs, prepared, classes)
    drawn |= examples.draw(settings.report, split, run, by_class, prepared, neighbors)
    pictures = {name: plots.png(figure) for name, figure in drawn.items()}
    with files.replacing_folder(figures, "*.png", "*.csv") as folder:
        for name, content in pictures.items():
            (folder / f"{name}.png").write_bytes(content)
        if not curves.precision.empty:
            curves.precision.to_csv(folder / "hierarchical_precision.csv", index=False, lineterminator="\n")
    quality = compare.read_quality(neighbors, prepared.checksum, settings)
    used = encoders.of_runs(settings.study, runs)
    faults = [] if named(audited) is None else audit_section.section(audited, prepared, run)
    costs = None if named(cost) is None else cost_section.section(cost, prepared.checksum, runs)
    known = prepared.dataset, quality, used, missing, faults, costs
    files.write_text(page, report_page.render(settings, board, differences, measured, pictures, *known))


def read_leaderboard(path: Path) -> pd.DataFrame:
    """leaderboard.csv, the test split first; within a split the order of the file."""
    with reading(path, AGAIN):
        board = pd.read_csv(path, dtype={"split": str, "method": str})
    first = next(iter(rankings(board).values()), None)
    needed = {"split", "method", "seeds", *((*first.columns, *first.places) if first else ())}
    missing = needed - set(board)
    if missing or board.empty:
        problem = f"no column {', '.join(sorted(missing))}" if missing else "no rows"
        raise KithError(f"{path}: {problem}; {AGAIN}")
    letters = [name for ranking in rankings(board).values() if (name := ranking.places[-1]) in board]
    for name in board.columns.drop(["split", "method", *letters]):
        if not pd.api.types.is_numeric_dtype(board[name]):
            raise KithError(f"{path}: column '{name}' holds what is no number; {AGAIN}")
    return board.sort_values("split", key=lambda split: split != "test", kind="stable", ignore_index=True)


def read_differences(path: Path, board: pd.DataFrame) -> pd.DataFrame:
    """differences.csv. Raises KithError where it is not of the methods of the leaderboard."""
    with reading(path, AGAIN):
        table = pd.read_csv(path, dtype=dict.fromkeys(("split", "metric", "first", "second"), str))
    if list(table) != DIFFERENCES:
        raise KithError(f"{path}: expected the columns {', '.join(DIFFERENCES)}; {AGAIN}")
    if unknown := sorted({*table["first"], *table["second"]} - {*board["method"]}):
        raise KithError(f"{path}: names {listed(unknown)}, which leaderboard.csv does not; {AGAIN}")
    return table


if __name__ == "__main__":
    cli.run(main)
