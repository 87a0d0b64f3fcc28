"""Retrieval between texts and pictures, as tables of the leaderboard."""

from typing import Any

import pandas as pd

from kith.evaluation.catalogue import DIRECTIONS
from stages import params
from stages.reporting import cells

MAIN = ("R@1", "R@10", "mrr", "median_rank")


def pairs(boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]], settings: params.Params) -> list[str]:
    """Retrieval between texts and pictures: the methods that know both."""
    able = {name: board[board["mean/mrr"].notna()] for name, board in boards.items()}
    first = next(iter(able))
    return [
        f"## Split {first}",
        ranking(able[first], splits[first], settings),
        legend(settings, splits[first]),
        *other_splits({name: board for name, board in able.items() if name != first}, splits, settings),
    ]


def ranking(board: pd.DataFrame, split: dict[str, Any], settings: params.Params) -> str:
    """The methods of one split in their order, and chance."""
    names = [f"{d}/{name}" for d in DIRECTIONS for name in MAIN if f"{d}/{name}" in board]
    rows = []
    for _, line in board.iterrows():
        method, interval = cells.method(line, "mean/mrr", settings), cells.interval(line, "mean/mrr")
        rows.append([method, interval, *cells.values(line, names), *cells.standing(line, "mean/mrr")])
    rows.append(["chance", *cells.levels(split["chance"], ["mean/mrr", *names]), "", "", ""])
    return cells.table(["method", "MRR", *cells.heads(names), *cells.STANDING], rows)


def legend(settings: params.Params, split: dict[str, Any]) -> str:
    """What the columns of the ranking mean."""
    queries = {d.replace("_to_", " → "): n for d, n in split["queries"].items() if d in DIRECTIONS}
    notes = [
        f"Queries: {' and '.join(f'{n:,} {direction}' for direction, n in queries.items())}",
        "t→i finds pictures by text, i→t texts by picture; R@k in percent",
        f"MRR is the mean of both directions, with its {100 * settings.evaluate.confidence:g} % interval",
        "p, place and group: see *How sure is the order*",
    ]
    if len(settings.study.seeds) > 1:
        notes.append("± is the standard deviation over seeds")
    return ". ".join(notes) + "."


def other_splits(
    boards: dict[str, pd.DataFrame], splits: dict[str, dict[str, Any]], settings: params.Params
) -> list[str]:
    """A narrower table for the splits that do not decide."""
    if not boards:
        return []
    rows = []
    for split, board in boards.items():
        names = [f"{d}/R@1" for d in DIRECTIONS if f"{d}/R@1" in board]
        for _, line in board.iterrows():
            method, interval = cells.method(line, "mean/mrr", settings), cells.interval(line, "mean/mrr")
            rows.append([split, method, interval, *cells.values(line, names), *cells.standing(line, "mean/mrr")])
        rows.append([split, "chance", *cells.levels(splits[split]["chance"], ["mean/mrr", *names]), "", "", ""])
    return ["## Other splits", cells.table(["split", "method", "MRR", *cells.heads(names), *cells.STANDING], rows)]


def details(board: pd.DataFrame, split: dict[str, Any]) -> list[str]:
    """N-way accuracy and semantic neighbourhoods, where they were measured."""
    ways = [name for name in split["metrics"] if name.endswith("way")]
    near = [name for name in split["metrics"] if name.startswith("neighborhood/")]
    sections = []
    if ways:
        chance = ["chance", *cells.levels(split["chance"], ways)]
        note = (
            "Percent of queries whose partner comes first among N candidates: drawn at random, or nearest in meaning."
        )
        sections += ["## N-way accuracy", note, cells.plain(board, ways, chance)]
    if near:
        left = split["without_meaning"]
        note = "How far the nearest pictures, and texts, of an item are those nearest in meaning"
        note += f" ({left:,} items without usable words are left out)." if left else "."
        sections += ["## Semantic neighbourhoods", note, cells.plain(board, near)]
    return sections
