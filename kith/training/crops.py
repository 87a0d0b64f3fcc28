"""Random parts of training pictures: where each is looked at, drawn before it is decoded."""

import math
from dataclasses import dataclass

import numpy as np

from kith.data.images import Box
from kith.store.photos import Parts
from kith.training.options import Augment, check_augment

ATTEMPTS = 10  # at a rectangle that fits
RATIO = (3 / 4, 4 / 3)  # widths over heights
DRAWS = 2 * ATTEMPTS + 2  # uniform numbers in 0…1 that a picture takes


@dataclass(frozen=True)
class Crops:
    """Parts that come out as squares of `side` pixels.

    resized: the least and the largest share of the picture's area in a rectangle of random proportions (Szegedy et al.,
    CVPR 2015). zoom: the least and the largest number of pixels to which the shorter side is brought before a square
    is cut out (Barz & Denzler, WACV 2019). One of them is given.
    """

    side: int
    resized: tuple[float, float] | None = None
    zoom: tuple[int, int] | None = None

    @staticmethod
    def of(options: Augment, size: int) -> "Crops | None":
        """Those that the options ask for; None where pictures are taken whole. size: the side that methods see.

        Raises ValueError for options that contradict each other.
        """
        check_augment(vars(options))
        if options.resized_crop is None and options.zoom is None:
            return None
        return Crops(options.crop or size, options.resized_crop, options.zoom)

    def parts(self, draws: np.ndarray) -> Parts:
        """The rectangles of a batch, by (n, DRAWS) numbers that are uniform in 0…1.

        >>> draws = np.full((1, DRAWS), 0.5)
        >>> Crops(4, zoom=(8, 8)).parts(draws)(0, 32, 16)
        (12.0, 4.0, 20.0, 12.0)
        """
        rows = draws.tolist()

        def part(place: int, width: int, height: int) -> Box:
            if self.zoom is not None:
                return _zoomed(rows[place], width, height, self.side, *self.zoom)
            assert self.resized is not None
            return _resized(rows[place], width, height, *self.resized)

        return part


def _zoomed(draws: list[float], width: int, height: int, side: int, least: int, most: int) -> Box:
    """A square of `side` in the picture as large as was drawn, in pixels of the picture as it is."""
    short = least + int(draws[0] * (most - least + 1))
    scale = short / min(width, height)
    across, down = max(side, round(width * scale)), max(side, round(height * scale))
    left, top = int(draws[1] * (across - side + 1)), int(draws[2] * (down - side + 1))
    x, y = width / across, height / down
    return left * x, top * y, (left + side) * x, (top + side) * y


def _resized(draws: list[float], width: int, height: int, least: float, most: float) -> Box:
    """A rectangle of drawn area and proportions; if none of the attempts fits, the largest in the middle that does."""
    low, high = math.log(RATIO[0]), math.log(RATIO[1])
    for attempt in range(ATTEMPTS):
        area = width * height * (least + (most - least) * draws[2 * attempt])
        ratio = math.exp(low + (high - low) * draws[2 * attempt + 1])
        across, down = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < across <= width and 0 < down <= height:
            left, top = int(draws[-2] * (width - across + 1)), int(draws[-1] * (height - down + 1))
            return left, top, left + across, top + down
    across, down = min(width, round(height * RATIO[1])), min(height, round(width / RATIO[0]))
    left, top = (width - across) // 2, (height - down) // 2
    return left, top, left + across, top + down
