"""Pictures that show nothing, or hardly anything."""

from typing import Any

import numpy as np

BLOCK = 1024
DULL = 3.0  # deviation of grey levels below which a picture shows nothing
DARK, LIGHT = 6, 249  # of 255: nearly black, nearly white
TINY, LONG = 16, 5.0  # pixels of the shorter side, and how often it goes into the longer one


def odd_pictures(pictures: Any, rows: np.ndarray) -> dict[int, str]:
    """What is odd about pictures, by their row: of one colour, nearly so, black or white.

    pictures: (N, H, W, C) uint8, an array or what is indexed like one; read in blocks.

    >>> odd_pictures(np.zeros((1, 4, 4, 3), np.uint8), np.array([0]))
    {0: 'black'}
    """
    found: dict[int, str] = {}
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        grey = np.asarray(pictures[block], dtype=np.float32).reshape(len(block), -1)
        deviation, mean = grey.std(axis=1), grey.mean(axis=1)
        middle = np.quantile(grey, (0.01, 0.99), axis=1)
        for place in np.flatnonzero((deviation < DULL) | (middle[1] <= DARK) | (middle[0] >= LIGHT)):
            found[int(block[place])] = _said(deviation[place], mean[place])
    return found


def _said(deviation: float, mean: float) -> str:
    where = "black" if mean <= DARK else "white" if mean >= LIGHT else "one colour"
    return where if deviation == 0 else f"nearly {where}"


def odd_shape(width: int, height: int) -> str:
    """What is odd about the size of a picture as it is stored; "" for nothing.

    >>> odd_shape(8, 8), odd_shape(600, 100), odd_shape(640, 480)
    ('tiny: 8×8 pixels', 'very long: 600×100 pixels', '')
    """
    short, long = sorted((width, height))
    if long >= LONG * short:
        return f"very long: {width}×{height} pixels"
    return f"tiny: {width}×{height} pixels" if short < TINY else ""
