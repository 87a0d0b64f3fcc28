"""What fits into the time: at how many pixels pictures are encoded, and how many rows."""

from typing import NamedTuple

PIXELS = (224, 160, 128, 96)
NO_PICTURES: list[int | None] = [None]
ENCODING = 0.4  # of the time
SEARCHING = 0.5  # of what is left then; the rest is for the final trainings and their report
THREADS = 8  # of one stage, at most
LEAST = 500  # rows


class Fit(NamedTuple):
    """pixels: of pictures, None without an encoder of them; share: of the rows; seconds: of encoding."""

    pixels: int | None
    share: float
    seconds: float


def fit(rows: int, texts_each: float, picture: float | None, text: float | None, side: int, seconds: float) -> Fit:
    """How to encode `rows` within ENCODING of `seconds`.

    picture, text: seconds of one, the picture at 128 pixels; None: it is not encoded. side: of the pictures, beyond
    which there is little to see.

    >>> fit(6000, 5, 0.01, 0.005, 128, 600)
    Fit(pixels=128, share=1.0, seconds=210.0)
    >>> fit(100_000, 1, None, 0.02, 0, 600)
    Fit(pixels=None, share=0.12, seconds=240.0)
    """
    limit = ENCODING * seconds
    of_texts = texts_each * (text or 0.0)
    wanted = [each for each in PIXELS if each <= max(128, 1.75 * side)] if picture is not None else []
    for pixels in [*wanted] or NO_PICTURES:
        each = of_texts + (0.0 if pixels is None else (picture or 0.0) * (pixels / 128) ** 2)
        if rows * each <= limit:
            return Fit(pixels, 1.0, round(rows * each, 1))
    share = max(limit / each, LEAST) / rows
    return Fit(pixels, min(1.0, share), round(min(1.0, share) * rows * each, 1))
