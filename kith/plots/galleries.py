"""Pictures of a report that show single items: queries and answers, neighbourhoods.

Right answers have a green frame and a tick, wrong ones a vermillion frame and a cross.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle

from kith.plots.style import COLOURS, OTHER, WIDTH, styled, wrap


@dataclass(frozen=True)
class Match:
    """A query and its best answers, texts or H×W×C uint8 pictures; `right` says which are relevant."""

    query: Any
    answers: Sequence[Any]
    similarities: Sequence[float]
    right: Sequence[bool]


@styled
def picture_gallery(matches: Sequence[Match]) -> Figure:
    """A row a query: its text (or picture), then the pictures found, framed and marked right or wrong."""
    columns = 1 + max(len(match.answers) for match in matches)
    figure = Figure((WIDTH, 1.05 * len(matches)), layout="constrained")
    grid = figure.subplots(len(matches), columns, squeeze=False, width_ratios=[1.75] + [1] * (columns - 1))
    for row, match in zip(_blank(grid), matches, strict=True):
        if isinstance(match.query, str):
            row[0].text(0, 0.5, wrap(match.query, 16, 5), va="center", fontsize=9)
        else:
            _picture(row[0], match.query, OTHER)
        answers = zip(match.answers, match.similarities, match.right, strict=True)
        for ax, (picture, similarity, right) in zip(row[1:], answers, strict=False):
            mark, colour = _verdict(right)
            _picture(ax, picture, colour)
            ax.set_xlabel(f"{mark} {similarity:.2f}", color=colour, fontweight="bold", fontsize=10)
    return figure


@styled
def text_gallery(matches: Sequence[Match]) -> Figure:
    """A row a picture query: the picture, then a line a text found, framed and marked right or wrong."""
    figure = Figure((WIDTH, 1.3 * len(matches)), layout="constrained")
    grid = figure.subplots(len(matches), 2, squeeze=False, width_ratios=[1, 3.6])
    for (left, ax), match in zip(_blank(grid), matches, strict=True):
        _picture(left, match.query, OTHER)
        ax.set(xlim=(0, 1), ylim=(len(match.answers), 0))
        answers = zip(match.answers, match.similarities, match.right, strict=True)
        for line, (text, similarity, right) in enumerate(answers):
            mark, colour = _verdict(right)
            ax.add_patch(Rectangle((0, line + 0.1), 1, 0.8, fill=False, ec=colour, lw=1.4, clip_on=False))
            ax.text(0.02, line + 0.5, mark, color=colour, fontweight="bold", va="center")
            ax.text(0.165, line + 0.5, f"{similarity:.2f}", va="center", ha="right", fontsize=9)
            ax.text(0.19, line + 0.5, wrap(text, 45, 1), va="center", fontsize=9, clip_on=True)
    return figure


@styled
def neighbors(rows: Sequence[Sequence[tuple[np.ndarray | None, str, float]]]) -> Figure:
    """A row an item: first the item, then its neighbours, each as (picture, text, similarity to the item)."""
    columns = max(map(len, rows))
    figure = Figure((WIDTH, 2.2 * len(rows)), layout=ConstrainedLayoutEngine(hspace=0.08))
    for axes, row in zip(_blank(figure.subplots(len(rows), columns, squeeze=False)), rows, strict=True):
        for place, (ax, (picture, text, similarity)) in enumerate(zip(axes, row, strict=False)):
            _picture(ax, picture, OTHER if place else COLOURS[0])
            ax.set_title(f"{similarity:.2f}" if place else "item", fontsize=10, loc="center")
            ax.set_xlabel(wrap(text, 16, 4), fontsize=9)
    return figure


def _verdict(right: bool) -> tuple[str, str]:
    return ("✓", COLOURS[2]) if right else ("✗", COLOURS[1])


def _blank(grid: np.ndarray) -> np.ndarray:
    for ax in grid.flat:
        ax.grid(False)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    return grid


def _picture(ax: Axes, picture: np.ndarray | None, colour: str) -> None:
    """Small pictures are enlarged pixel by pixel; None leaves a grey card."""
    if picture is None:
        picture = np.full((1, 1, 1), 235, dtype=np.uint8)
    pixels = picture[..., 0] if picture.shape[-1] == 1 else picture
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest" if len(pixels) <= 64 else "auto")
    ax.spines[:].set(visible=True, color=colour, linewidth=2.2)
