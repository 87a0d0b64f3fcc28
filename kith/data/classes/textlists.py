"""Text files of one entry a line, as image data sets list their pictures."""

from collections.abc import Iterator
from pathlib import Path

from kith.errors import KithError


def content(path: Path, parameter: str = "fetch.path") -> str:
    """The whole text. Raises KithError, which names the parameter to mend, where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise KithError(f"{path}: cannot be opened ({error.strerror}); mend {parameter}, or add the file") from None
    except UnicodeDecodeError as error:
        raise KithError(f"{path}: cannot be read as UTF-8 text: {error}") from None


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, content) of the lines that are not blank. Raises KithError where there are none."""
    every = enumerate(content(path).split("\n"), start=1)
    numbered = [(number, line.strip()) for number, line in every if line.strip()]
    if not numbered:
        raise KithError(f"{path}: is empty")
    yield from numbered


def keyed(path: Path) -> dict[str, tuple[int, str]]:
    """{key: (line, value)} of lines of a key, white space and a value. Raises KithError for keys that come again."""
    found: dict[str, tuple[int, str]] = {}
    for number, line in lines(path):
        key, *value = line.split(maxsplit=1)
        if not value:
            raise KithError(f"{path}: line {number}: expected an id and a value, found '{line}'")
        if key in found:
            raise KithError(f"{path}: line {number}: id '{key}' is already in line {found[key][0]}; keep one")
        found[key] = number, value[0]
    return found
