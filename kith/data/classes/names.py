"""How classes are called: files that give each id a readable name."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from kith.data.classes.textlists import content
from kith.errors import KithError


def read(path: Path) -> dict[str, str]:
    """{id: name} of the file at `path`, of classes and, if they are in it, of inner nodes of a taxonomy.

    Either a text with an id, white space and a name a line, or JSON: {id: name}, or {number: [id, name]} as
    Keras writes it for ImageNet. Raises KithError that names the file and the line or key.
    """
    text = content(path, "fetch.class_names")
    names: dict[str, str] = {}
    for place, key, name in _json(path, text) if path.suffix.lower() == ".json" else _lines(path, text):
        if names.setdefault(key, name) != name:
            raise KithError(f"{path}: {place}: '{key}' has two names, '{names[key]}' and '{name}'; keep one")
    if not names:
        raise KithError(f"{path}: has no names")
    return names


def readable(ids: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """{id: name}, unique: a name that several ids share is followed by the id, and an id without one names itself."""
    called = {each: names.get(each) or each for each in ids}
    shared = {name for name, count in Counter(called.values()).items() if count > 1}
    return {each: f"{name} ({each})" if name in shared else name for each, name in called.items()}


def _lines(path: Path, text: str) -> Iterable[tuple[str, str, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split(maxsplit=1)
        if len(words) == 1:
            raise KithError(f"{path}: line {number}: expected an id and a name, found '{words[0]}'")
        if words:
            yield f"line {number}", words[0], words[1].strip()


def _json(path: Path, text: str) -> Iterable[tuple[str, str, str]]:
    try:
        known = json.loads(text)
    except json.JSONDecodeError as error:
        raise KithError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(known, dict):
        raise KithError(f"{path}: expected an object in braces, {{id: name}}")
    for key, value in known.items():
        pair = value if isinstance(value, list) else [key, value]
        if len(pair) != 2 or not all(isinstance(each, str | int) for each in pair):
            raise KithError(f"{path}: key '{key}': expected a name, or a list of id and name")
        yield f"key '{key}'", str(pair[0]), str(pair[1]).strip()
