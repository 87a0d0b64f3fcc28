"""The registry of sources: every module here that has SOURCES adds them, and nothing else needs to know.

The schema of `fetch`, the stages download, fetch and prepare, and the table of docs/data-sets.md follow from it.
"""

import difflib
import pkgutil
from importlib import import_module

from kith.data.source import Source
from kith.errors import KithError

FIRST = ("glyphs", "table")  # named first where all are listed


def _collected() -> dict[str, Source]:
    modules = (import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__))
    every = [source for module in modules for source in getattr(module, "SOURCES", ())]
    found = {each.name: each for each in sorted(every, key=lambda each: (each.name not in FIRST, each.name))}
    if len(found) < len(every):
        raise ValueError("two sources have the same name")
    return found


SOURCES: dict[str, Source] = _collected()


def find(name: str) -> Source:
    """The source `name`. Raises KithError with the nearest known name.

    >>> find("cub").recipe.licence
    'non-commercial research and education (photographs of Flickr users)'
    >>> sorted(find("cifar100").options - find("cifar10").options)
    ['variant']
    >>> find("cifar")
    Traceback (most recent call last):
        ...
    kith.errors.KithError: no source 'cifar'; did you mean 'cifar10'?
    """
    if name in SOURCES:
        return SOURCES[name]
    close = difflib.get_close_matches(name, SOURCES, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(SOURCES)}"
    raise KithError(f"no source '{name}'; {hint}")


def table_row(source: Source) -> str:
    """The line of the source in the tables of docs/data-sets.md.

    >>> table_row(find("ilsvrc")).split(" | ")[0]
    '| `ilsvrc`'
    """
    return f"| `{source.name}` | {source.layout} | {source.terms} | {source.origin} |"
