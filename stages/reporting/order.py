"""How sure the order of methods is, in words: what leaderboard.md and report.html both say."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from kith.evaluation.describe import describe, rankings
from kith.evaluation.needed import POWER
from stages import params

TOLD = 3  # pairs of methods, for which it is said what would tell them apart


class Order(NamedTuple):
    """Of one metric: its head, the groups of methods that cannot be told apart, and sentences."""

    metric: str
    groups: dict[str, list[str]]
    sentences: list[str]


def orders(board: pd.DataFrame, differences: pd.DataFrame, settings: params.Params) -> list[Order]:
    """For each metric that several methods of one split are ranked by."""
    found, split = [], board["split"].iloc[0]
    of_split = differences[differences["split"] == split]
    for name, ranking in rankings(board).items():
        letters, pairs = board.set_index("method")[ranking.places[-1]].dropna(), of_split[of_split["metric"] == name]
        if pairs.empty:
            continue
        ordered = board.set_index("method")[name].sort_values(ascending=False, kind="stable").index
        named = [method for method in ordered if method in letters.index]
        groups = {each: [m for m in named if each in letters[m]] for each in dict.fromkeys("".join(letters[named]))}
        found.append(Order(describe(name).head, groups, _sentences(pairs, settings)))
    return found


def meaning(settings: params.Params) -> str:
    """What interval, p, place and group are, and what they know nothing of."""
    level, seeds = settings.compare.significance, settings.study.seeds
    told = (
        "p is of the difference from the first, adjusted for all pairs of methods. Place: where a method may stand; "
        f"all places hold together at {100 * (1 - level):g} %. Methods of one group cannot be told apart at the "
        f"{level:g} level; ≈ marks those of the group of the first. The queries of one group of items count together"
    )
    if len(seeds) == 1:
        return (
            f"**One training a method (seed {seeds[0]}).** Intervals, p, places and groups know the luck of the "
            "queries and not that of training: another seed can change the order of methods that are near. So no "
            f"method is called the best here. Three seeds tell more (`study.seeds: [0, 1, 2]`). {told}."
        )
    return f"Intervals, p, places and groups are over queries and the {len(seeds)} seeds together. {told}."


def _sentences(pairs: pd.DataFrame, settings: params.Params) -> list[str]:
    """What it takes to tell the first method from those of its group."""
    near = pairs[(pairs["first"] == pairs["first"].iloc[0]) & (pairs["p"] > settings.compare.significance)]
    return [needed(line) for _, line in near.head(TOLD).iterrows()]


def needed(line: pd.Series) -> str:
    """To tell two methods apart.

    >>> needed(pd.Series({"first": "a", "second": "b", "difference": 0.0123, "queries": 31234.0, "seeds": 4.0}))
    'To tell a from b at this difference (0.012), about 31,000 queries and 4 seeds are needed.'
    >>> needed(pd.Series({"first": "a", "second": "b", "difference": 0.0123, "queries": np.nan, "seeds": np.nan}))
    'How many queries tell a from b cannot be said: too few were asked, or drawn (compare.permutations).'
    """
    pair = f"{line['first']} from {line['second']}"
    if pd.isna(line["queries"]):
        return f"How many queries tell {pair} cannot be said: too few were asked, or drawn (compare.permutations)."
    if not np.isfinite(line["queries"]):
        return f"No number of queries tells {pair} at this difference ({line['difference']:.3f})."
    queries = float(f"{line['queries']:.2g}")
    seeds = "" if pd.isna(line["seeds"]) else f" and {line['seeds']:.0f} seeds"
    told = (
        f"To tell {pair} at this difference ({line['difference']:.3f}), about {queries:,.0f} queries{seeds} are needed"
    )
    return f"{told}." if seeds else f"{told}, if these trainings are all that counts."


def power() -> str:
    return f"Numbers needed are for one pair, found in {100 * POWER:.0f} of 100 repetitions."
