"""Rank the methods of a study, with intervals over the queries and tests against the best."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kith.errors import KithError
from kith.evaluation.gallery import DIRECTIONS, IMAGES
from kith.evaluation.statistics import Resamples, holm, paired_test, percentile_interval
from stages import cli, files, params, tracking
from stages.reporting import markdown as leaderboard

DECIMALS = 6
QUERY = ["split", "direction", "row", "text"]  # what names a query
CERTAINTY = ("low", "high", "p")


class Task(NamedTuple):
    """What methods are compared by: a figure, the directions whose queries it is the mean of, the column of
    queries.parquet that holds its value for each, and how the columns of its interval and test begin."""

    figure: str
    directions: tuple[str, ...]
    value: str
    prefix: str


SUMMARY = {  # name in metrics/<method>.json → figures of the leaderboard, averaged
    "R@1 t2i": ["text_to_image/R@1"],
    "R@10 t2i": ["text_to_image/R@10"],
    "R@1 i2t": ["image_to_text/R@1"],
    "R@10 i2t": ["image_to_text/R@10"],
    "MRR": ["mean/mrr"],
    "median rank": ["text_to_image/median_rank", "image_to_text/median_rank"],
    "mAP i2i": ["image_to_image/map"],
    "mAP codes": ["hamming/map"],
    "accuracy": ["classifier/accuracy"],
}


class Run(NamedTuple):
    """What one method reached with one seed."""

    method: str
    seed: int
    splits: dict[str, dict[str, Any]]
    queries: pd.DataFrame
    history: pd.DataFrame


def main(*, data: Path, neighbors: Path, runs: Path, out: Path) -> None:
    """Write leaderboard.md, leaderboard.csv, curves.csv and metrics/<method>.json to --out."""
    settings = params.load()
    done = read(settings.study, runs)
    board = rank(done, settings)
    quality = _load(neighbors / "quality.json", files.read_json, "neighbors")
    dataset = _load(data / "dataset.json", files.read_json, "prepare")
    page = leaderboard.document(settings, board, together(done), dataset, quality)
    files.write_text(out / "leaderboard.md", page)
    files.write_text(out / "leaderboard.csv", board.to_csv(index=False, lineterminator="\n"))
    with files.replacing(out / "metrics") as folder:
        for method, figures in summary(board, settings.study.methods, settings.evaluate.clip).items():
            files.write_json(folder / f"{method}.json", figures)
    files.write_text(out / "curves.csv", curves(done).to_csv(index=False, lineterminator="\n"))
    tracking.log_comparison(out)


def tasks(options: params.Evaluate) -> list[Task]:
    """Texts find pictures and pictures texts; pictures find those of near classes, and by codes those of their own."""
    return [
        Task("mean/mrr", DIRECTIONS, "reciprocal_rank", ""),
        Task(f"{IMAGES}/AHP@{options.clip}", (IMAGES,), "ahp", "ahp "),
        Task("hamming/map", (IMAGES,), "hamming_ap", "hamming "),
    ]


def read(study: params.Study, folder: Path) -> list[Run]:
    """Every run of the study, method by method; those that answer a kind of query must have answered the same ones."""
    done: list[Run] = []
    first: dict[str, tuple[str, pd.DataFrame, set[tuple[str, str]]]] = {}
    for method in study.methods:
        for seed in study.seeds:
            name, item = f"{method}-{seed}", f"@{method}-{seed}"
            run = folder / name
            splits = _load(run / "metrics.json", files.read_json, f"evaluate{item}")["splits"]
            queries = _load(run / "queries.parquet", _read_queries, f"evaluate{item}")
            history = _load(run / "history.parquet", pd.read_parquet, f"train{item}")
            done.append(Run(method, seed, splits, queries, history))
            for direction, asked in queries.groupby("direction"):
                known = asked[QUERY].reset_index(drop=True), figures(splits, str(direction))
                other, *wanted = first.setdefault(str(direction), (name, *known))
                if not known[0].equals(wanted[0]) or known[1] != wanted[1]:
                    raise KithError(f"{run}: other queries or figures than {folder / other}; run `dvc repro evaluate`")
    return done


def _read_queries(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path, columns=[*QUERY, "group", "reciprocal_rank", "ahp", "hamming_ap"])


def figures(splits: dict[str, dict[str, Any]], direction: str) -> set[tuple[str, str]]:
    """Splits and names of the figures of one direction."""
    return {(s, name) for s, each in splits.items() for name in each["metrics"] if name.startswith(f"{direction}/")}


def together(done: list[Run]) -> dict[str, dict[str, Any]]:
    """All that the runs say of each split: numbers of queries and candidates, chance levels, names of figures. Where
    several say the same thing, the last one counts."""
    splits: dict[str, dict[str, Any]] = {}
    for run in done:
        for split, content in run.splits.items():
            known = splits.setdefault(split, {})
            for name, value in content.items():
                known[name] = known.get(name, {}) | value if isinstance(value, dict) else value
    return splits


def rank(done: list[Run], settings: params.Params) -> pd.DataFrame:
    """The leaderboard: one row a method and split; test comes first, and its figures order the methods.

    Columns: split, method, seeds; mean/mrr, its bootstrap interval low and high, p (Holm-corrected, of the paired
    test against the best of the split, which has none); the same for AHP, which begin with "ahp ", and for the mAP of
    binary codes, which begin with "hamming "; then every other figure. Empty for methods that a figure does not apply
    to: those that know no texts come last. Figures are means over the seeds; with more than one, "<figure> sd" columns
    hold their standard deviations.
    """
    boards = []
    there = [task for task in tasks(settings.evaluate) if any(_answers(run, task) for run in done)]
    splits = sorted(together(done), key=lambda split: split != "test")
    for split in splits:
        board = _means(done, split, settings.study)
        for task in there:
            board = board.join(_certainty(done, split, task, board, settings), on="method")
        boards.append(board)
    leading = [task.figure for task in there if task.figure in boards[0]]
    order = boards[0].sort_values(leading, ascending=False, kind="stable").index
    board = pd.concat([board.loc[order] for board in boards], ignore_index=True)
    head = ["split", "method", "seeds"]
    head += [name for task in there for name in (task.figure, *(task.prefix + end for end in CERTAINTY))]
    return board[head + [name for name in board.columns if name not in head]].round(DECIMALS)


def _answers(run: Run, task: Task) -> bool:
    asked = run.queries.loc[run.queries[task.value].notna(), "direction"]
    return set(task.directions) <= set(asked)


def _means(done: list[Run], split: str, study: params.Study) -> pd.DataFrame:
    """Mean, and with several seeds the standard deviation, of every figure of a split: one row a method."""
    each = pd.DataFrame(
        {name: figure["value"] for name, figure in run.splits[split]["metrics"].items()} for run in done
    ).groupby([run.method for run in done], sort=False)
    board = each.mean()
    if len(study.seeds) > 1:
        board = board.join(each.std(ddof=1).add_suffix(" sd"))
    named = {"split": split, "method": board.index, "seeds": len(study.seeds)}
    return board.assign(**named).reset_index(drop=True)


def _certainty(done: list[Run], split: str, task: Task, board: pd.DataFrame, settings: params.Params) -> pd.DataFrame:
    """Low and high of the task's figure and p against the best, by method, from values averaged over seeds.

    Each direction has half the weight, however many its queries are; what is resampled, and what changes sides, is
    a group with all its queries.
    """
    able = [run for run in done if _answers(run, task)]
    methods = list(dict.fromkeys(run.method for run in able))
    asked = [
        run.queries[(run.queries["split"] == split) & run.queries["direction"].isin(task.directions)] for run in able
    ]
    values = np.array([queries[task.value] for queries in asked])
    values = values.reshape(len(methods), len(settings.study.seeds), -1).mean(axis=1)
    applies = ~np.isnan(values).any(axis=0)  # a query without a right answer has none for every method
    if not applies.any():
        return pd.DataFrame(index=methods, columns=[task.prefix + end for end in CERTAINTY], dtype=float)
    values, directions = values[:, applies], asked[0]["direction"].to_numpy()[applies]
    groups = np.unique(asked[0]["group"].to_numpy(dtype=str)[applies], return_inverse=True)[1]
    options = settings.evaluate
    resamples = Resamples(int(groups.max()) + 1, options.bootstrap, options.seed)
    drawn = [resamples.means(values[:, directions == d].T, groups[directions == d]) for d in task.directions]
    low, high = percentile_interval(np.mean(drawn, axis=0), options.confidence)
    share = np.select(
        [directions == d for d in task.directions], [1 / np.sum(directions == d) for d in task.directions]
    )
    means = board.set_index("method").loc[methods, task.figure].to_numpy()
    p = _against_best(values * share, groups, means, settings)
    return pd.DataFrame(dict(zip((task.prefix + end for end in CERTAINTY), (low, high, p), strict=True)), index=methods)


def _against_best(values: np.ndarray, groups: np.ndarray, means: np.ndarray, settings: params.Params) -> np.ndarray:
    """Holm-corrected p of each method (methods, queries) against the best; NaN for the best itself."""
    best = int(means.argmax())
    options = settings.compare
    p = np.full(len(values), np.nan)
    rest = np.flatnonzero(np.arange(len(values)) != best)
    tests = [paired_test(values[best], values[i], groups, options.permutations, options.seed) for i in rest]
    p[rest] = holm(np.array(tests))
    return p


def summary(board: pd.DataFrame, methods: list[str], clip: int) -> dict[str, dict[str, float]]:
    """The few figures of the first split that `dvc metrics show` and `diff` print: a line for each method."""
    first = board[board["split"] == board["split"].iloc[0]].set_index("method")
    known = SUMMARY | {f"AHP@{clip}": [f"{IMAGES}/AHP@{clip}"]}
    wanted = {name: columns for name, columns in known.items() if set(columns) <= set(board.columns)}
    return {
        method: {
            name: round(float(first.loc[method, columns].mean()), 4)
            for name, columns in wanted.items()
            if first.loc[method, columns].notna().all()
        }
        for method in methods
    }


def curves(done: list[Run]) -> pd.DataFrame:
    """What all histories record, epoch by epoch, one under the other."""
    shared = [name for name in done[0].history if all(name in run.history for run in done)]
    tables = [
        run.history[shared].assign(method=run.method, seed=run.seed, run=f"{run.method}-{run.seed}") for run in done
    ]
    return pd.concat(tables, ignore_index=True)[["method", "seed", "run", *shared]]


def _load(path: Path, reader: Callable[[Path], Any], stage: str) -> Any:
    if not path.exists():
        raise KithError(f"{path}: no such file; make it with `dvc repro {stage}`")
    try:
        return reader(path)
    except ValueError as error:
        raise KithError(f"{path}: cannot be read ({error}); make it again with `dvc repro -f {stage}`") from None


if __name__ == "__main__":
    cli.run(main)
