"""JSON files that data sets come with, read with messages that say where they are wrong."""

import json
from pathlib import Path
from typing import Any

from kith.errors import KithError


def read(file: Path) -> Any:
    """The content of `file`. Raises KithError where it cannot be opened or is not JSON."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise KithError(f"{file}: cannot be opened ({error.strerror}); mend fetch.path, or add the file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise KithError(f"{file}: not valid JSON: {error}") from None


def lists(file: Path, *names: str) -> dict[str, Any]:
    """The object in `file`, which has the lists `names`. Raises KithError where it has not."""
    content = read(file)
    for name in names:
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            raise KithError(f"{file}: no list '{name}'")
    return content


def field(file: Path, table: str, row: int, each: Any, name: str) -> Any:
    """The value `name`, a number or a text, of `each`, which is row `row` of `table`. Raises KithError."""
    if not isinstance(each, dict) or name not in each:
        raise KithError(f"{file}: {table}: row {row}: no '{name}'")
    if not isinstance(each[name], str | int):
        raise KithError(f"{file}: {table}: row {row}: '{name}' is {each[name]!r}, not an id or a name")
    return each[name]
