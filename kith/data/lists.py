"""The files in which data sets list what they hold, text of one entry a line or JSON, read with messages that say
where they are wrong."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def read_json(file: Path) -> Any:
    """The content of `file`. Raises KithError where it cannot be opened or is not JSON."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise KithError(f"{file}: cannot be opened ({error.strerror}); mend fetch.path, or add the file") from None
    except (ValueError, RecursionError) as error:
        raise KithError(f"{file}: not valid JSON: {error}") from None


def json_lists(file: Path, *names: str) -> dict[str, Any]:
    """The object in `file`, which has the lists `names`. Raises KithError where it has not."""
    found = read_json(file)
    for name in names:
        if not isinstance(found, dict) or not isinstance(found.get(name), list):
            raise KithError(f"{file}: no list '{name}'")
    return found


def json_field(file: Path, table: str, row: int, each: Any, name: str) -> Any:
    """The value `name`, a number or a text, of `each`, which is row `row` of `table`. Raises KithError."""
    if not isinstance(each, dict) or name not in each:
        raise KithError(f"{file}: {table}: row {row}: no '{name}'")
    if not isinstance(each[name], str | int):
        raise KithError(f"{file}: {table}: row {row}: '{name}' is {each[name]!r}, not an id or a name")
    return each[name]
