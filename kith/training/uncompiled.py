"""Training without the machinery of torch.compile, whose import takes longer than all the rest of a start.

Every optimizer of torch imports torch._dynamo, to tell a compiler what to leave alone, and Lightning does, to know
whether a module is compiled. Where nothing is compiled there is nothing to tell: a stand-in answers both. Whoever
compiles loads the real one first, or outside of the block, and has it ever after.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"


class StandIn(ModuleType):
    """What an optimizer and Lightning ask of torch._dynamo; for anything else the real one is loaded."""

    class OptimizedModule:
        """There are no compiled modules."""

    @staticmethod
    def disable(fn: Callable[..., Any], recursive: bool = True, **options: Any) -> Callable[..., Any]:
        """There is no compiler to keep away from it."""
        return fn

    @staticmethod
    def graph_break() -> None:
        """There is no graph."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python's own: this one is no package, and has no file
            raise AttributeError(name)
        sys.modules.pop(NAME, None)
        return getattr(import_module(NAME), name)


_STAND_IN = StandIn(NAME)


@contextmanager
def uncompiled() -> Iterator[None]:
    """Within the block torch._dynamo is not loaded; where it is already, nothing changes.

    To be held around the steps of an optimizer alone, and around what makes, saves and loads it; also as a decorator.

    >>> import torch
    >>> with uncompiled():
    ...     torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1).step()
    """
    if NAME in sys.modules:
        yield
        return
    sys.modules[NAME] = _STAND_IN
    try:
        yield
    finally:
        if sys.modules.get(NAME) is _STAND_IN:
            del sys.modules[NAME]
