"""Every figure: tables and arrays in, matplotlib figures out, all in one style."""

from kith.plots.style import DIRECTIONS, leaderboard, looks, png, recall_at_k, styled, svg, wrap

__all__ = ["DIRECTIONS", "leaderboard", "looks", "png", "recall_at_k", "styled", "svg", "wrap"]
