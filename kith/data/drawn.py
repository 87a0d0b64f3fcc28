"""What sources that draw their characters have in common: characters taken by chance, and enough for every split."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from kith.errors import KithError

Character = TypeVar("Character", int, str)


def sample(characters: Sequence[Character], count: int | None, generator: np.random.Generator) -> list[Character]:
    """`count` of `characters`, drawn by chance, in their order; all of them where `count` is None.

    Raises KithError where there are fewer.
    """
    if count is None:
        return list(characters)
    if count > len(characters):
        raise KithError(
            f"prepare.glyphs.characters: {count:,} asked for, but the fonts draw {len(characters):,}; "
            "ask for fewer, or for all with null"
        )
    return [characters[place] for place in sorted(generator.choice(len(characters), count, replace=False).tolist())]


def check_enough(characters: int, test: int, val: int) -> None:
    """Raise KithError unless some of so many `characters` are left to train on."""
    if test + val >= characters:
        raise KithError(
            f"prepare.glyphs: {characters:,} characters cannot give {test:,} for test, {val:,} for val and "
            "some to train on; lower prepare.glyphs.test and val, or raise characters"
        )
