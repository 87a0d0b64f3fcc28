"""Rank the methods of a study, with intervals over the queries and tests against the best."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kith.errors import KithError
from kith.metrics.gallery import DIRECTIONS
from kith.metrics.statistics import Resamples, holm, paired_test, percentile_interval
from stages import cli, files, leaderboard, params, tracking

DECIMALS = 6
QUERY = ["split", "direction", "row", "text"]  # what names a query
SUMMARY = {  # name in metrics/<method>.json → figures of the leaderboard, averaged
    "R@1 t2i": ["text_to_image/R@1"],
    "R@10 t2i": ["text_to_image/R@10"],
    "R@1 i2t": ["image_to_text/R@1"],
    "R@10 i2t": ["image_to_text/R@10"],
    "MRR": ["mean/mrr"],
    "median rank": ["text_to_image/median_rank", "image_to_text/median_rank"],
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
    page = leaderboard.document(settings, board, done[0].splits, dataset, quality)
    files.write_text(out / "leaderboard.md", page)
    files.write_text(out / "leaderboard.csv", board.to_csv(index=False, lineterminator="\n"))
    with files.replacing(out / "metrics") as folder:
        for method, figures in summary(board, settings.study.methods).items():
            files.write_json(folder / f"{method}.json", figures)
    files.write_text(out / "curves.csv", curves(done).to_csv(index=False, lineterminator="\n"))
    tracking.log_comparison(out)


def read(study: params.Study, folder: Path) -> list[Run]:
    """Every run of the study, method by method; all must have answered the same queries."""
    done = []
    for method in study.methods:
        for seed in study.seeds:
            run, item = folder / f"{method}-{seed}", f"@{method}-{seed}"
            splits = _load(run / "metrics.json", files.read_json, f"evaluate{item}")["splits"]
            queries = _load(run / "queries.parquet", _read_queries, f"evaluate{item}")
            history = _load(run / "history.parquet", pd.read_parquet, f"train{item}")
            done.append(Run(method, seed, splits, queries, history))
            if not queries[QUERY].equals(done[0].queries[QUERY]) or figures(splits) != figures(done[0].splits):
                first = f"{done[0].method}-{done[0].seed}"
                raise KithError(f"{run}: other queries or figures than {folder / first}; run `dvc repro evaluate`")
    return done


def _read_queries(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path, columns=[*QUERY, "group", "reciprocal_rank"])


def figures(splits: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Split → names of its figures."""
    return {split: list(content["metrics"]) for split, content in splits.items()}


def rank(done: list[Run], settings: params.Params) -> pd.DataFrame:
    """The leaderboard: one row a method and split; test comes first, and its mean/mrr orders the methods.

    Columns: split, method, seeds, mean/mrr, its bootstrap interval low and high, p (Holm-corrected, of the paired
    test against the best of the split, which has none), then every other figure. Figures are means over the seeds;
    with more than one, "<figure> sd" columns hold their standard deviations.
    """
    boards = []
    splits = sorted(done[0].splits, key=lambda split: split != "test")
    for split in splits:
        board = _means(done, split, settings.study)
        board[["low", "high", "p"]] = _certainty(done, split, board["mean/mrr"].to_numpy(), settings)
        boards.append(board)
    order = boards[0].sort_values("mean/mrr", ascending=False, kind="stable").index
    board = pd.concat([board.loc[order] for board in boards], ignore_index=True)
    head = ["split", "method", "seeds", "mean/mrr", "low", "high", "p"]
    return board[head + [name for name in board.columns if name not in head]].round(DECIMALS)


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


def _certainty(done: list[Run], split: str, means: np.ndarray, settings: params.Params) -> pd.DataFrame:
    """Low and high of mean/mrr and p against the best, one row a method, from reciprocal ranks averaged over seeds.

    Each direction has half the weight, however many its queries are; what is resampled, and what changes sides, is
    a group with all its queries.
    """
    queries = done[0].queries
    here = (queries["split"] == split).to_numpy()
    ranks = np.array([run.queries["reciprocal_rank"].to_numpy()[here] for run in done])
    reciprocal = ranks.reshape(len(settings.study.methods), len(settings.study.seeds), -1).mean(axis=1)
    directions = queries["direction"].to_numpy()[here]
    groups = np.unique(queries["group"].to_numpy(dtype=str)[here], return_inverse=True)[1]
    options = settings.evaluate
    resamples = Resamples(int(groups.max()) + 1, options.bootstrap, options.seed)
    there, back = (resamples.means(reciprocal[:, directions == d].T, groups[directions == d]) for d in DIRECTIONS)
    low, high = percentile_interval((there + back) / 2, options.confidence)
    share = np.select([directions == d for d in DIRECTIONS], [1 / np.sum(directions == d) for d in DIRECTIONS])
    return pd.DataFrame({"low": low, "high": high, "p": _against_best(reciprocal * share, groups, means, settings)})


def _against_best(values: np.ndarray, groups: np.ndarray, means: np.ndarray, settings: params.Params) -> np.ndarray:
    """Holm-corrected p of each method (methods, queries) against the best; NaN for the best itself."""
    best = int(means.argmax())
    options = settings.compare
    p = np.full(len(values), np.nan)
    rest = np.flatnonzero(np.arange(len(values)) != best)
    tests = [paired_test(values[best], values[i], groups, options.permutations, options.seed) for i in rest]
    p[rest] = holm(np.array(tests))
    return p


def summary(board: pd.DataFrame, methods: list[str]) -> dict[str, dict[str, float]]:
    """The few figures of the first split that `dvc metrics show` and `diff` print: a line for each method."""
    first = board[board["split"] == board["split"].iloc[0]].set_index("method")
    wanted = {name: columns for name, columns in SUMMARY.items() if set(columns) <= set(board.columns)}
    return {
        method: {name: round(float(first.loc[method, columns].mean()), 4) for name, columns in wanted.items()}
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
