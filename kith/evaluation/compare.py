"""Rank the methods of a study, with intervals and tests over queries and trainings."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kith.evaluation.catalogue import IMAGES, SUMMARY, Ranking
from kith.evaluation.certainty import DIFFERENCES, Answers, CompareOptions, certainty
from kith.evaluation.describe import describe, rankings
from kith.evaluation.results import DECIMALS

QUERY = ["split", "direction", "row", "text"]  # what names a query


class MethodRun(NamedTuple):
    """What one method reached with one seed: split → its entry of metrics.json, and queries.parquet."""

    method: str
    seed: int
    splits: dict[str, dict[str, Any]]
    queries: pd.DataFrame


class Ranked(NamedTuple):
    """What `rank` finds. board: one row a method and split. differences: one row a pair of methods, split and metric
    that methods are ranked by, see `kith.evaluation.certainty.differences`."""

    board: pd.DataFrame
    differences: pd.DataFrame


def rank(runs: Sequence[MethodRun], options: CompareOptions) -> Ranked:
    """The leaderboard: one row a method and split; test comes first, and its metrics order the methods.

    runs: method by method, each with the same seeds, and with the same queries where they answer any of a direction.

    Columns: split, method, seeds; then each metric that methods are ranked by (see `rankings`), its interval low and
    high, p against the best of the split, which has none, the places low and high that the method may have, and
    letters, which methods share that cannot be told apart; the six with the metric's prefix; then every other metric.
    Empty for methods that a metric does not apply to: those that know no texts come last. Values are means over the
    seeds; with more than one, columns "<metric> sd" hold their standard deviations. With one seed, intervals, p, places
    and letters are those of these trainings, and know nothing of the luck of training.

    >>> directions = ["text_to_image", "image_to_text"]
    >>> queries = pd.DataFrame({"split": "test", "direction": directions * 2, "group": list("aabb")})
    >>> queries = queries.assign(ahp=np.nan, hamming_ap=np.nan)
    >>> entry = {"test": {"metrics": {"mean/mrr": {"value": 0.5}}}}
    >>> runs = [MethodRun(name, 0, entry, queries.assign(reciprocal_rank=0.5)) for name in ("one", "other")]
    >>> board = rank(runs, CompareOptions(bootstrap=10, permutations=10)).board
    >>> board[["method", "mean/mrr", "low", "p", "letters"]].values.tolist()
    [['one', 0.5, 0.5, nan, 'a'], ['other', 0.5, 0.5, 1.0, 'a']]
    """
    ranked = rankings(_names(runs)).items()
    there = [each for each in ranked if any(_answers(run, *each) for run in runs)]
    boards, pairs = [], [pd.DataFrame(columns=DIFFERENCES)]
    for split in sorted(merged_splits(runs), key=lambda split: split != "test"):
        board = _means(runs, split, options.details)
        for metric, ranking in there:
            answers = _answered(runs, split, metric, ranking)
            if answers is None:
                board = board.assign(**dict.fromkeys(ranking.columns + ranking.places, np.nan))
                continue
            known, differences = certainty(answers, ranking, options)
            board = board.join(known, on="method")
            pairs.append(differences.assign(split=split, metric=metric))
        boards.append(board)
    leading = [metric for metric, _ in there if metric in boards[0]]
    order = boards[0].sort_values(leading, ascending=False, kind="stable").index
    board = pd.concat([board.loc[order] for board in boards], ignore_index=True)
    head = ["split", "method", "seeds"]
    head += [name for metric, ranking in there for name in (metric, *ranking.columns, *ranking.places)]
    board = board[head + [name for name in board.columns if name not in head]].round(DECIMALS)
    together = [each for each in pairs if len(each)] or pairs
    return Ranked(board, pd.concat(together, ignore_index=True)[DIFFERENCES].round(DECIMALS))


def merged_splits(runs: Iterable[MethodRun]) -> dict[str, dict[str, Any]]:
    """All that the runs say of each split: numbers of queries and candidates, chance levels, names of metrics. Where
    several say the same thing, the last one counts.

    >>> entries = [{"test": {"chance": {"x": 1}}}, {"test": {"chance": {"y": 2}}}]
    >>> merged_splits(MethodRun("infonce", seed, each, pd.DataFrame()) for seed, each in enumerate(entries))
    {'test': {'chance': {'x': 1, 'y': 2}}}
    """
    splits: dict[str, dict[str, Any]] = {}
    for run in runs:
        for split, content in run.splits.items():
            known = splits.setdefault(split, {})
            for name, value in content.items():
                known[name] = known.get(name, {}) | value if isinstance(value, dict) else value
    return splits


def metrics_asked(splits: dict[str, dict[str, Any]], direction: str) -> set[tuple[str, str]]:
    """Splits and names of the metrics of one direction.

    >>> metrics_asked({"test": {"metrics": {"text_to_image/mrr": 0.5, "mean/mrr": 0.5}}}, "text_to_image")
    {('test', 'text_to_image/mrr')}
    """
    return {(s, name) for s, each in splits.items() for name in each["metrics"] if name.startswith(f"{direction}/")}


def _names(runs: Iterable[MethodRun]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for each in run.splits.values() for name in each["metrics"]))


def _answers(run: MethodRun, metric: str, ranking: Ranking) -> bool:
    asked = run.queries.loc[run.queries[describe(metric).column].notna(), "direction"]
    return set(ranking.directions) <= set(asked)


def _answered(runs: Sequence[MethodRun], split: str, metric: str, ranking: Ranking) -> Answers | None:
    """What the runs that answer this metric's queries reached in a split; None where no query has a right answer."""
    able = [run for run in runs if _answers(run, metric, ranking)]
    methods = list(dict.fromkeys(run.method for run in able))
    asked = [
        run.queries[(run.queries["split"] == split) & run.queries["direction"].isin(ranking.directions)] for run in able
    ]
    values = np.array([queries[describe(metric).column] for queries in asked], dtype=np.float64)
    applies = ~np.isnan(values).any(axis=0)  # a query without a right answer has none for every method
    if not applies.any():
        return None
    values = values[:, applies].reshape(len(methods), len(able) // len(methods), -1)
    directions = np.unique(asked[0]["direction"].to_numpy(dtype=str)[applies], return_inverse=True)[1]
    clusters = np.unique(asked[0]["group"].to_numpy(dtype=str)[applies], return_inverse=True)[1]
    return Answers(methods, values, directions, clusters)


def _means(runs: Sequence[MethodRun], split: str, details: bool) -> pd.DataFrame:
    """Mean, and with several seeds the standard deviation, of every metric of a split: one row a method."""
    found = [run.splits[split]["metrics"].items() for run in runs]
    each = pd.DataFrame(
        {name: measured["value"] for name, measured in metrics if details or not describe(name).detail}
        for metrics in found
    ).groupby([run.method for run in runs], sort=False)
    board, seeds = each.mean(), len({run.seed for run in runs})
    if seeds > 1:
        board = board.join(each.std(ddof=1).add_suffix(" sd"))
    named = {"split": split, "method": board.index, "seeds": seeds}
    return board.assign(**named).reset_index(drop=True)


def summary(board: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Method → the few metrics of the first split that `dvc metrics show` and `diff` print.

    >>> board = pd.DataFrame({"split": ["test"], "method": ["infonce"], "mean/mrr": [0.71234]})
    >>> summary(board)
    {'infonce': {'MRR': 0.7123}}
    """
    first = board[board["split"] == board["split"].iloc[0]].set_index("method")
    wanted = {name: list(columns) for name, columns in SUMMARY.items() if set(columns) <= set(board.columns)}
    wanted |= {describe(name).head: [name] for name in rankings(board) if name.startswith(f"{IMAGES}/")}
    return {
        str(method): {
            name: round(float(first.loc[method, columns].mean()), 4)
            for name, columns in wanted.items()
            if first.loc[method, columns].notna().all()
        }
        for method in first.index
    }


def curves(histories: dict[tuple[str, int], pd.DataFrame]) -> pd.DataFrame:
    """What all histories record, epoch by epoch, one under the other. histories: by method and seed.

    >>> curves({("infonce", 0): pd.DataFrame({"epoch": [1, 2], "val_mrr": [0.1, 0.2]})})["run"].tolist()
    ['infonce-0', 'infonce-0']
    """
    first = next(iter(histories.values()))
    shared = [name for name in first if all(name in history for history in histories.values())]
    tables = [
        history[shared].assign(method=method, seed=seed, run=f"{method}-{seed}")
        for (method, seed), history in histories.items()
    ]
    return pd.concat(tables, ignore_index=True)[["method", "seed", "run", *shared]]
