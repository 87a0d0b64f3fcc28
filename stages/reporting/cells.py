"""What the cells of the leaderboard's tables say, and how a table is written in Markdown."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kith.evaluation.catalogue import Ranking
from kith.evaluation.describe import describe
from stages import params


def free(text: str) -> str:
    r"""A text of the user's in Markdown: on one line, without tags, links and pictures, which a browser would obey.

    >>> print(free("free for <b>all</b>,\n![x](http://a.example)"))
    free for &lt;b>all&lt;/b>, !\[x](http://a.example)
    """
    line = " ".join(str(text).split()).replace("\\", "\\\\")
    return line.replace("[", "\\[").replace("<", "&lt;")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [[cell.replace("|", "\\|") for cell in line] for line in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def plain(board: pd.DataFrame, names: list[str], *more: list[str]) -> str:
    """A table of the metrics `names` and no more, of the methods that have any; `more` are rows below them."""
    known = board[board[names].notna().any(axis=1)]
    rows = [[line["method"], *values(line, names)] for _, line in known.iterrows()]
    return table(["method", *heads(names)], [*rows, *more])


def heads(names: Sequence[str]) -> list[str]:
    """The heads of columns: "t→i hard 5-way"."""
    return [describe(name).full_head for name in names]


def method(line: pd.Series, name: str, settings: params.Params) -> str:
    """The name of a method, marked if it cannot be told apart from the best by the metric `name`, or is the best: but
    of one training each, none is called so."""
    if np.isnan(line[_ranking(name).columns[-1]]):
        return f"**{line['method']}**" if len(settings.study.seeds) > 1 else line["method"]
    p = line[_ranking(name).columns[-1]]
    return f"≈ {line['method']}" if p > settings.compare.significance else line["method"]


def standing(line: pd.Series, name: str) -> list[str]:
    """p of a method against the best by the metric `name`, the places that it may have, and its letters."""
    low, high, letters = (line[each] for each in _ranking(name).places)
    if pd.isna(low):
        return [p_value(line, name), "", ""]
    return [p_value(line, name), f"{low:.0f}" if low == high else f"{low:.0f}–{high:.0f}", letters]


STANDING = ["p", "place", "group"]  # heads of these columns


def interval(line: pd.Series, name: str) -> str:
    """A metric that methods are ranked by, with its interval where it has one."""
    low, high, _ = _ranking(name).columns
    if np.isnan(line[low]):
        return value(line, name)
    return f"{value(line, name)} [{line[low]:.3f}, {line[high]:.3f}]"


def p_value(line: pd.Series, name: str) -> str:
    """p of a method against the best by the metric `name`; nothing for the best."""
    p = line[_ranking(name).columns[-1]]
    return "" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def values(line: pd.Series, names: Sequence[str]) -> list[str]:
    """The metrics `names` of a method, a cell each."""
    return [value(line, name) for name in names]


def value(line: pd.Series, name: str) -> str:
    """One metric of a method, with its standard deviation over seeds."""
    if pd.isna(line[name]):
        return "–"
    shown, spread = describe(name).shown, line.get(f"{name} sd")
    return shown(line[name]) + ("" if spread is None else f" ± {shown(spread)}")


def levels(chance: dict[str, float], names: Sequence[str]) -> list[str]:
    """Metrics at the level of chance; nothing where it is not known."""
    return [describe(name).shown(chance[name]) if name in chance else "" for name in names]


def _ranking(name: str) -> Ranking:
    ranking = describe(name).ranking
    assert ranking is not None, name
    return ranking
