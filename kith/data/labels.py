"""Labels as users write them, names or numbers, as numbers with names; and how classes are called."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kith.data.lists import content
from kith.errors import KithError

INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
POINT = re.compile(r"(-?(?:0|[1-9][0-9]{0,17}))\.0+")
# As R writes 100000; spreadsheets write long numbers in capitals, and lose digits.
EXPONENT = re.compile(r"-?[1-9](?:\.[0-9]*[1-9])?e\+(?:0[1-9]|1[0-7])")
SHORTENED = re.compile(r"-?[0-9](?:[.,][0-9]+)?E\+[0-9]{2,3}")


def numbered(values: Sequence[Any]) -> tuple[np.ndarray, list[str]]:
    """(n,) int64 labels and their names.

    Whole numbers (also written as strings, if all are) stay as they are and name themselves. Anything else
    is a name; names are numbered from 0 in sorted order. None, an empty string and -1 are unknown: -1 and "".

    >>> labels, names = numbered(["dog", "cat", None, "dog"])
    >>> labels.tolist(), names
    ([1, 0, -1, 1], ['dog', 'cat', '', 'dog'])
    >>> numbered(["7", "3"])[0].tolist()
    [7, 3]
    """
    names = [word(value) for value in values]
    if all(INTEGER.fullmatch(name) for name in names if name):
        labels = np.array([int(name) if name else -1 for name in names], dtype=np.int64)
        return labels, ["" if label == -1 else str(label) for label in labels.tolist()]
    number = {name: index for index, name in enumerate(sorted(set(names) - {""}))}
    return np.array([number.get(name, -1) for name in names], dtype=np.int64), names


def word(value: Any) -> str:
    """A single value as text, without white space around it; empty for None and NaN.

    A column of integers with gaps may arrive as floats, so 3.0 is "3". Bytes are UTF-8 text, or else hex digits.
    Letters with accents are one character each (Unicode's NFC), whichever system has written them.

    >>> word(3.0), word(" a "), len(word("e\u0301"))
    ('3', 'a', 1)
    """
    if value is None:
        return ""
    if isinstance(value, float) and (np.isnan(value) or value.is_integer()):
        return "" if np.isnan(value) else str(int(value))
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return value.hex()
    text = str(value).strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def alike(names: Iterable[str]) -> list[str]:
    """What is to be said of names that differ in capitals, width or white space alone.

    >>> alike(["Shoe", "shoe", "hat"])
    ["classes 'Shoe' and 'shoe' differ in capitals, width or white space alone; if they are one, write them alike"]
    """
    first: dict[str, str] = {}
    told = []
    for name in sorted(set(names)):
        plain = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        if (other := first.setdefault(plain, name)) != name:
            told.append((other, name))
    if not told:
        return []
    more = f" (and {len(told) - 1:,} more such pairs)" if len(told) > 1 else ""
    one, other = told[0]
    return [
        f"classes '{one}' and '{other}'{more} differ in capitals, width or white space alone; if they are one, write "
        "them alike"
    ]


def are_whole(words: Iterable[str]) -> bool:
    """Whether all words that are not empty are whole numbers, maybe with a point or an exponent.

    >>> are_whole(["3.0", "", "4", "1e+05"]), are_whole(["3.5"]), are_whole(["1.23e+01"])
    (True, False, False)
    """
    return all(INTEGER.fullmatch(each) or POINT.fullmatch(each) or _power(each) for each in words if each)


def whole(words: Sequence[str]) -> dict[str, str]:
    """{"3.0": "3"} of a column whose values are all whole numbers, some of them written so; else nothing.

    pandas writes whole numbers like this into a CSV file where others of the column are missing, and R some as 1e+05.

    >>> whole(["3.0", "", "12.0", "4"]), whole(["3.0", "cat"]), whole(["1e+05", "7"])
    ({'3.0': '3', '12.0': '12'}, {}, {'1e+05': '100000'})
    """
    if not are_whole(words):
        return {}
    found = {each: match[1] if (match := POINT.fullmatch(each)) else _power(each) for each in words}
    return {each: number for each, number in found.items() if number}


def _power(text: str) -> str:
    """The whole number that is written with an exponent; empty where it is none.

    >>> _power("1.2e+07"), _power("1.23e+01"), _power("7")
    ('12000000', '', '')
    """
    if EXPONENT.fullmatch(text) is None:
        return ""
    digits, _, power = text.partition("e+")
    digits, _, fraction = digits.partition(".")
    return digits + fraction.ljust(int(power), "0") if len(fraction) <= int(power) else ""


def shortened(words: Sequence[str]) -> list[str]:
    """The words that a spreadsheet has cut short, such as 4.00638E+12, in a column of whole numbers; else none.

    >>> shortened(["4.00638E+12", "7"]), shortened(["1.5E+02", "cat"])
    (['4.00638E+12'], [])
    """
    cut = [each for each in words if SHORTENED.fullmatch(each)]
    return cut if cut and are_whole([each for each in words if not SHORTENED.fullmatch(each)]) else []


def readable(ids: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """{id: name}, unique: a name that several ids share is followed by the id, and an id without one names itself.

    >>> readable(["1", "2", "3"], {"1": "crane", "2": "crane"})
    {'1': 'crane (1)', '2': 'crane (2)', '3': '3'}
    """
    called = {each: names.get(each) or each for each in ids}
    shared = {name for name, count in Counter(called.values()).items() if count > 1}
    return {each: f"{name} ({each})" if name in shared else name for each, name in called.items()}


def read_names(path: Path) -> dict[str, str]:
    """{id: name} of the file at `path`, of classes and, if they are in it, of inner nodes of a taxonomy.

    Either a text with an id, white space and a name a line, or JSON: {id: name}, or {number: [id, name]} as
    Keras writes it for ImageNet. Raises KithError that names the file and the line or key.
    """
    text = unicodedata.normalize("NFC", content(path, "fetch.class_names"))
    names: dict[str, str] = {}
    for place, key, name in _json(path, text) if path.suffix.lower() == ".json" else _lines(path, text):
        if names.setdefault(key, name) != name:
            raise KithError(f"{path}: {place}: '{key}' has two names, '{names[key]}' and '{name}'; keep one")
    if not names:
        raise KithError(f"{path}: has no names")
    return names


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
    except (ValueError, RecursionError) as error:
        raise KithError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(known, dict):
        raise KithError(f"{path}: expected an object in braces, {{id: name}}")
    for key, value in known.items():
        pair = value if isinstance(value, list) else [key, value]
        if len(pair) != 2 or not all(isinstance(each, str | int) for each in pair):
            raise KithError(f"{path}: key '{key}': expected a name, or a list of id and name")
        yield f"key '{key}'", str(pair[0]), str(pair[1]).strip()
