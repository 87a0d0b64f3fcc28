"""How time grows with the number of vectors, measured at a few sizes and carried on to others."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kith.errors import KithError
from kith.similarity import unit_rows

NOISE = 0.5  # length of what is added to a unit vector: the cosine with it falls to .89
AT_ONCE = 1 << 24  # numbers that are drawn at once


Shape = Literal["n", "n log n", "log n"]
SHAPES: dict[Shape, Callable[[float], float]] = {
    "n": lambda n: n,
    "n log n": lambda n: n * math.log(n),
    "log n": math.log,
}


@dataclass(frozen=True)
class Growth:
    """time(n) = time(last) + slope · (f(n) − f(last)), f being the shape."""

    shape: Shape
    last: int
    time: float
    slope: float

    def at(self, n: int) -> float:
        """The time that this gives for n vectors: an extrapolation, if n is not among what was measured."""
        f = SHAPES[self.shape]
        return self.time + self.slope * (f(n) - f(self.last))


def growth(measured: Mapping[int, float], shape: Shape) -> Growth:
    """How times by number of vectors grow: the slope by least squares, over n for a search that looks at all, over log
    n for one through a graph, over n log n for building that; and through the time at the largest number, which is
    nearest to where this goes.

    Where times do not rise, as noise can have it, those that grow with n are taken to be proportional to it, and those
    that grow with log n to stay. Raises KithError for fewer than two sizes, and for times that are not above 0.

    >>> found = growth({1000: 1.5, 2000: 2.5, 4000: 4.5}, "n")
    >>> round(found.slope, 6), round(found.at(8000), 6)
    (0.001, 8.5)
    """
    if len(measured) < 2 or min(measured) < 2:
        raise KithError(f"growth needs times at two numbers of vectors at least, not at {sorted(measured)}")
    if not all(np.isfinite(time) and time > 0 for time in measured.values()):
        raise KithError(f"growth needs times above 0, not {sorted(measured.values())}")
    sizes = sorted(measured)
    last, f = sizes[-1], SHAPES[shape]
    x, times = np.array([f(size) for size in sizes]), np.array([measured[size] for size in sizes])
    slope = float(((x - x.mean()) * (times - times.mean())).sum() / ((x - x.mean()) ** 2).sum())
    if slope <= 0:
        slope = 0.0 if shape == "log n" else measured[last] / f(last)
    return Growth(shape, last, measured[last], slope)


def memory(bytes_an_item: float, fixed: int, n: int) -> float:
    """Bytes of an index of n vectors: arithmetic, no extrapolation.

    >>> memory(256, 100, 1_000_000)
    256000100
    """
    return bytes_an_item * n + fixed


def enlarged(vectors: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """`count` unit rows (count, d) float32 that lie as `vectors` (n, d) do: rows of these in a random order and, where
    more are wanted, rows drawn again, each moved by noise so that no two are equal.

    >>> enlarged(np.eye(3), 5).shape
    (5, 3)
    """
    if not len(vectors):
        raise KithError("there are no vectors to draw more of")
    random = np.random.default_rng(seed)
    own = random.permutation(len(vectors))[:count]
    found = np.empty((count, vectors.shape[1]), dtype=np.float32)
    found[: len(own)] = unit_rows(np.asarray(vectors, dtype=np.float32)[own])
    step = max(1, AT_ONCE // vectors.shape[1])
    for start in range(len(own), count, step):
        part = found[start : min(start + step, count)]
        noise = random.standard_normal(part.shape, dtype=np.float32) * np.float32(NOISE / vectors.shape[1] ** 0.5)
        rows = unit_rows(np.asarray(vectors[random.integers(len(vectors), size=len(part))], dtype=np.float32))
        part[:] = unit_rows(rows + noise)
    return found
