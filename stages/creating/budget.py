"""What fits into the time: at how many pixels pictures are encoded, how many tokens of texts, and how many rows."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

PIXELS = (224, 160, 128, 96)
TOKENS = (256, 128, 64)
ENOUGH = 128  # pixels, and tokens: before less of one side is read, so much of the other is given up
ENCODING = 0.4  # of the time
AT_LEAST = 0.4  # of the time for what comes after it, where it has taken longer than was thought
SEARCHING = 0.5  # of what is left then; the rest is for the final trainings and their report
THREADS = 8  # of one stage, at most
LEAST = 500  # rows
NEARLY = 0.75  # of the rows: then all are taken, for a little more time


class Fit(NamedTuple):
    """pixels: of pictures, tokens: of texts, None without an encoder of them; share: of the rows; seconds: of
    encoding."""

    pixels: int | None
    tokens: int | None
    share: float
    seconds: float


def fit(
    rows: int,
    texts_each: float,
    picture: float | None,
    text: Callable[[int], float] | None,
    side: int,
    seconds: float,
    *,
    at_once: bool = False,
) -> Fit:
    """How to encode `rows` within ENCODING of `seconds`.

    picture: seconds of one at 128 pixels; text: seconds of one of which so many tokens are read; None: it is not
    encoded. side: of the pictures, beyond which there is little to see. at_once: whether both are encoded at a time.

    >>> fit(6000, 5, 0.01, lambda tokens: 0.005, 128, 600)
    Fit(pixels=128, tokens=256, share=1.0, seconds=210.0)
    >>> fit(6000, 5, 0.01, lambda tokens: 0.005, 128, 600, at_once=True)
    Fit(pixels=224, tokens=256, share=1.0, seconds=183.8)
    >>> fit(10_000, 1, None, lambda tokens: tokens / 8192, 0, 600)
    Fit(pixels=None, tokens=128, share=1.0, seconds=156.2)
    >>> fit(100_000, 1, None, lambda tokens: 0.02, 0, 600)
    Fit(pixels=None, tokens=256, share=0.12, seconds=240.0)
    """
    limit, found = ENCODING * seconds, []
    for pixels, tokens in _ways(side if picture is not None else None, text is not None):
        shares = (picture or 0.0) * ((pixels or 0) / 128) ** 2, texts_each * text(tokens) if text and tokens else 0.0
        each = max(shares) if at_once else sum(shares)
        if rows * each <= limit:
            return Fit(pixels, tokens, 1.0, round(rows * each, 1))
        found.append((each, -(tokens or 0), pixels, tokens))
    # Of what takes as little, what reads most.
    each, _, pixels, tokens = min(found, key=lambda way: (round(way[0], 4), way[1]))
    share = min(1.0, max(limit / each, LEAST) / rows)
    share = 1.0 if share >= NEARLY else share
    return Fit(pixels, tokens, share, round(share * rows * each, 1))


def _ways(side: int | None, texts: bool) -> Iterator[tuple[int | None, int | None]]:
    """The most first: pixels and tokens, None where there is none of it to be read."""
    pixels: list[int | None] = [None] if side is None else [each for each in PIXELS if each <= max(128, 1.75 * side)]
    tokens: list[int | None] = list(TOKENS) if texts else [None]
    ways = [(p, t) for t in tokens for p in pixels]
    yield from (way for way in ways if all(each is None or each >= ENOUGH for each in way))
    yield from (way for way in ways if any(each is not None and each < ENOUGH for each in way))
