"""The one exception that a user is meant to read."""

from collections.abc import Sequence
from typing import Any


class KithError(Exception):
    """Something the user can mend: the message names the file, row and field, and says what to do.

    Stages print the message without a traceback and exit with status 1.
    """


def listed(names: Sequence[Any], most: int = 5) -> str:
    """'a', 'b' and 7 more.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
