"""YAML as both engines read it, version 1.2: 1e-3 is a number, a key stands once, and comments can be kept."""

import copy
import functools
import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from kith.errors import KithError, line_of, reading


def read(text: str, name: str) -> Any:
    """The content of a YAML text, in plain lists and mappings; `name` of the file is for messages.

    Raises KithError with file, line and column for what is no YAML, a key given twice and a tab among them.
    """
    return copy.deepcopy(_read(text, name))


@functools.lru_cache(maxsize=4)  # params.yaml is asked for again and again
def _read(text: str, name: str) -> Any:
    return _load(YAML(typ="safe", pure=True), text, name)


def text_of(path: Path) -> str:
    """The text of a YAML file. Raises KithError where it is missing, or not saved as UTF-8."""
    with reading(path, "name a file that is there"):
        content = path.read_bytes()
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise KithError(f"{path}: line {line}: is not UTF-8 text; save the file as UTF-8") from None


def read_with_comments(text: str, name: str) -> Any:
    """As `read`, in mappings that keep comments and styles for `write`."""
    return _load(_round_trip(), text, name)


def write(content: Any) -> str:
    """The YAML text of `content`: the same content, the same text."""
    stream = io.StringIO()
    _round_trip().dump(content, stream)
    return stream.getvalue()


def _round_trip() -> YAML:
    yaml = YAML()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(type(None), _null)
    yaml.representer.add_representer(float, _number)
    return yaml


def _null(representer: Any, value: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _number(representer: Any, value: float) -> Any:
    """With a point, as readers of version 1.1 want it: 1.0e-06."""
    text = repr(value)
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    special = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}
    return representer.represent_scalar("tag:yaml.org,2002:float", special.get(text, text))


def _load(yaml: YAML, text: str, name: str) -> Any:
    try:
        return yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise KithError(f"{name}: not valid YAML: {place}{error.problem or error.context}") from None
    except (YAMLError, ValueError, RecursionError) as error:
        said = line_of(error).replace('in "<unicode string>", ', "at ")
        raise KithError(f"{name}: not valid YAML: {said}") from None
