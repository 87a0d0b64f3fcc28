"""What is wrong with a study, and where."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from kith.errors import KithError


class Fault(NamedTuple):
    """key: the parameter. here: whether the study is as it should be, and this computer lacks something for it."""

    key: str
    message: str
    here: bool = False

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"


@contextmanager
def noted(found: list[Fault], key: str) -> Iterator[None]:
    """Note what is raised in the block as a fault of `key`, in one line."""
    try:
        yield
    except (KithError, ValueError, OSError) as error:
        found.append(Fault(key, str(error).splitlines()[0]))
