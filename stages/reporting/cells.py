"""What the cells of the leaderboard's tables say, and how a table is written in Markdown."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kith.evaluation.catalogue import IMAGES
from stages import params

DIRECTIONS = {"text_to_image": "t→i", "image_to_text": "i→t"}
MEASURES = {"r_precision": "R-precision", "map@r": "MAP@R", "nmi": "NMI", "ami": "AMI"}
PREDICTORS = {"classifier": "classifier", "nearest": "nearest class embedding", "svm": "linear SVM"}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [[cell.replace("|", "\\|") for cell in line] for line in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def plain(board: pd.DataFrame, names: list[str], *more: list[str]) -> str:
    """A table of the figures `names` and no more, of the methods that have any; `more` are rows below them."""
    known = board[board[names].notna().any(axis=1)]
    rows = [[line["method"], *figures(line, names)] for _, line in known.iterrows()]
    return table(["method", *map(title, names)], [*rows, *more])


def method(line: pd.Series, settings: params.Params, p: str = "p") -> str:
    """The name of a method, marked if it is the best or, by the test in the column `p`, does not differ from it."""
    if np.isnan(line[p]):
        return f"**{line['method']}**"
    return f"≈ {line['method']}" if line[p] > settings.compare.significance else line["method"]


def interval(line: pd.Series, name: str, bounds: str = "") -> str:
    """A figure with its bootstrap interval, which is in the columns "low" and "high" after `bounds`."""
    return f"{figure(line, name)} [{line[f'{bounds}low']:.3f}, {line[f'{bounds}high']:.3f}]"


def figures(line: pd.Series, names: Sequence[str]) -> list[str]:
    """The figures `names` of a method, a cell each."""
    return [figure(line, name) for name in names]


def levels(chance: dict[str, float], names: Sequence[str]) -> list[str]:
    """Figures at the level of chance; nothing where it is not known."""
    return [number(chance[name], name) if name in chance else "" for name in names]


def figure(line: pd.Series, name: str) -> str:
    """One figure of a method, with its standard deviation over seeds."""
    if pd.isna(line[name]):
        return "–"
    spread = line.get(f"{name} sd")
    return number(line[name], name) + ("" if spread is None else f" ± {number(spread, name)}")


def number(value: float, name: str) -> str:
    """A value in the digits that its figure is shown with."""
    percent = "R@" in name or name.endswith(("way", "knn_accuracy")) or name.partition("/")[0] in PREDICTORS
    return f"{value:.1f}" if percent or name.endswith("rank") else f"{value:.3f}"


def p_value(p: float) -> str:
    return "" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def title(name: str) -> str:
    """Column title of a figure: "text_to_image/hard_5way" → "t→i hard 5-way"."""
    place, figure = name.split("/")
    if place == "metric_learning":
        return MEASURES.get(figure, figure)
    if place == "hamming":
        return figure.replace("map", "mAP").replace("precision_radius", "P@radius ").replace("precision@", "P@")
    if figure.endswith("_wup"):
        return f"{figure.removesuffix('_wup')} (WUP)"
    if place == IMAGES:
        return figure.replace("map", "mAP")
    figure = figure.replace("way", "-way").replace("_", " ").replace("mrr", "MRR").replace("ndcg", "nDCG")
    return f"{DIRECTIONS[place]} {figure}" if place in DIRECTIONS else figure
