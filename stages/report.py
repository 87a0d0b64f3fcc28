"""Draw the figures of a study and write its report: one page that needs nothing else."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from kith import plots
from kith.errors import KithError
from kith.evaluation.compare import CERTAINTY, merged_splits
from kith.plots import training as training_plots
from stages import cli, compare, contract, files, params, tracking
from stages.reporting import classes as report_classes
from stages.reporting import codes as report_codes
from stages.reporting import examples as report_examples
from stages.reporting import page as report_page
from stages.reporting import spaces as report_spaces


def main(*, data: Path, neighbors: Path, taxonomy: Path, runs: Path, compared: Path, figures: Path, page: Path) -> None:
    """Write the figures (PNG) into --figures and the report to --page."""
    settings = params.load()
    board = leaderboard(compared / "leaderboard.csv")
    split, method = board["split"].iloc[0], board["method"].iloc[0]
    first = board[board["split"] == split]
    run, by_class = (runs / f"{best}-{settings.study.seeds[0]}" for best in (method, report_page.best_by_class(board)))
    drawn = charts(settings.study, first, runs)
    drawn |= report_classes.charts(settings, first, runs, data, taxonomy)
    drawn |= report_codes.charts(settings.study, first, runs)
    drawn |= report_spaces.one_run(settings.report, split, run, data)
    drawn |= report_spaces.all_methods(settings, first, runs, data, taxonomy)
    drawn |= report_examples.draw(settings.report, split, run, by_class, data, neighbors)
    pictures = {name: plots.png(figure) for name, figure in drawn.items()}
    if (taxonomy / "taxonomy.png").exists():
        pictures["taxonomy"] = (taxonomy / "taxonomy.png").read_bytes()
    with files.replacing(figures) as folder:
        folder.mkdir()
        for name, content in pictures.items():
            (folder / f"{name}.png").write_bytes(content)
    measured = merged_splits(compare.read_runs(settings.study, runs))
    quality = files.read_json(neighbors / "quality.json")
    dataset = contract.dataset(data)
    files.write_text(page, report_page.render(settings, board, measured, pictures, dataset, quality))
    tracking.log_report(figures, page)


def leaderboard(path: Path) -> pd.DataFrame:
    """leaderboard.csv, the test split first; within a split the order of the file."""
    board = pd.read_csv(path, dtype={"split": str, "method": str})
    needed = {"split", "method", "seeds"}
    needed |= set(CERTAINTY) if "mean/mrr" in board else {f"ahp {end}" for end in CERTAINTY}
    missing = needed - set(board)
    if missing or board.empty:
        problem = f"no column {', '.join(sorted(missing))}" if missing else "no rows"
        raise KithError(f"{path}: {problem}; make it again with `dvc repro -f compare`")
    return board.sort_values("split", key=lambda split: split != "test", kind="stable", ignore_index=True)


def charts(study: params.Study, board: pd.DataFrame, runs: Path) -> dict[str, Figure]:
    """What compares the methods on one split: the leaderboard in its order, the others in the study's."""
    history, queries, scores = [], [], []
    split = board["split"].iloc[0]
    for method in study.methods:
        for seed in study.seeds:
            run, named = runs / f"{method}-{seed}", {"method": method, "seed": seed}
            history.append(pd.read_parquet(run / "history.parquet").assign(**named))
            metrics = files.read_json(run / "metrics.json")["splits"][split]["metrics"]
            if not all(f"{direction}/mrr" in metrics for direction in plots.DIRECTIONS):
                continue
            asked = pd.read_parquet(run / "queries.parquet", columns=["split", "direction", "rank"])
            queries.append(asked[asked["split"] == split].assign(**named))
            scores += [{"method": method, "direction": d, **metrics[f"{d}/mrr"]} for d in plots.DIRECTIONS]
    drawn = {"curves": training_plots.curves(pd.concat(history), study.methods)}
    if scores:
        # Several seeds: the mean of their figures and of the ends of their intervals.
        means = pd.DataFrame(scores).groupby(["method", "direction"]).mean()
        order = [method for method in board["method"] if method in means.index]
        drawn |= {
            "leaderboard": plots.leaderboard(means.loc[order].reset_index(), study.methods),
            "recall_at_k": plots.recall_at_k(pd.concat(queries), study.methods),
        }
    if all("train_mrr" in each for each in history):  # histories of old trainings have none
        drawn["evolution"] = training_plots.evolution(pd.concat(history), study.methods)
    return drawn


if __name__ == "__main__":
    cli.run(main)
