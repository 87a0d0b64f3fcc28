"""Places of methods that hold together, and letters for those that cannot be told apart."""

from itertools import combinations
from string import ascii_letters

import numpy as np


def places(means: np.ndarray, differ: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last place (M,) that each method may have, 1 for the best: so many methods are surely better or worse.

    differ: (M, M) bool, which pairs are told apart. If these hold together at a level, so do all places (Mogstad,
    Romano, Shaikh & Wilhelm, Review of Economic Studies 2024; Al Mohamad, Goeman & van Zwet, Biometrics 2022).

    >>> first, last = places(np.array([3.0, 2.0, 1.0]), np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], bool))
    >>> first.tolist(), last.tolist()
    ([1, 1, 2], [2, 3, 3])
    """
    better = differ & (means > means[:, None])
    worse = differ & (means < means[:, None])
    return 1 + better.sum(axis=1), len(means) - worse.sum(axis=1)


def letters(means: np.ndarray, differ: np.ndarray) -> list[str]:
    """A compact letter display: two methods share a letter just where they are not told apart; "a" has the best.

    By inserting and absorbing (Piepho, Journal of Computational and Graphical Statistics 2004).

    >>> letters(np.array([1.0, 3.0, 2.0]), np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], bool))
    ['b', 'a', 'ab']
    """
    order = np.argsort(-means, kind="stable")
    sets = [frozenset(range(len(order)))]  # of places in the order
    for i, j in combinations(range(len(order)), 2):
        if differ[order[i], order[j]]:
            parted = [each - {one} if {i, j} <= each else each for each in sets for one in (i, j)]
            sets = [each for each in dict.fromkeys(parted) if not any(each < other for other in parted)]
    sets.sort(key=sorted)
    found = [""] * len(order)
    for place, method in enumerate(order):
        found[method] = "".join(name_of(number) for number, each in enumerate(sets) if place in each)
    return found


def name_of(number: int) -> str:
    """One letter: small ones, then capitals, then those of Latin with marks.

    >>> name_of(0), name_of(26), name_of(52)
    ('a', 'A', 'Ā')
    """
    return ascii_letters[number] if number < len(ascii_letters) else chr(0x100 + number - len(ascii_letters))
