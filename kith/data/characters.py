"""What Unicode says of a character, in words: its texts, and its place in a taxonomy of characters."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fontTools import unicodedata as scripts

CATEGORIES = {"L": "Letters", "N": "Numbers", "P": "Punctuation", "S": "Symbols"}
KINDS = {
    "Lu": "uppercase letter",
    "Ll": "lowercase letter",
    "Lt": "titlecase letter",
    "Lm": "modifier letter",
    "Lo": "letter without case",
    "Nd": "decimal digit",
    "Nl": "letter number",
    "No": "number form",
    "Pc": "connector",
    "Pd": "dash",
    "Ps": "opening bracket",
    "Pe": "closing bracket",
    "Pi": "opening quotation mark",
    "Pf": "closing quotation mark",
    "Po": "punctuation mark",
    "Sm": "mathematical symbol",
    "Sc": "currency symbol",
    "Sk": "modifier symbol",
    "So": "graphic symbol",
}
FORMS = {
    "<font>": "font variant of",
    "<noBreak>": "no-break form of",
    "<initial>": "initial form of",
    "<medial>": "medial form of",
    "<final>": "final form of",
    "<isolated>": "isolated form of",
    "<circle>": "circled",
    "<super>": "superscript",
    "<sub>": "subscript",
    "<vertical>": "vertical form of",
    "<wide>": "wide form of",
    "<narrow>": "narrow form of",
    "<small>": "small form of",
    "<square>": "squared",
    "<fraction>": "fraction of",
    "<compat>": "variant of",
}
ROOT = "Characters"
RARE = 5


class Place(NamedTuple):
    """Where a character stands below the root: category, script, kind, label."""

    category: str
    script: str
    kind: str
    label: str


def printable(character: str) -> bool:
    r"""Whether it is a letter, number, punctuation mark or symbol; controls, marks and blanks are none.

    >>> [printable(character) for character in "a!\x00"]
    [True, True, False]
    """
    return unicodedata.category(character) in KINDS


def texts(character: str) -> list[str]:
    """Its Unicode name, as one looks for it, and its description."""
    return [unicodedata.name(character).capitalize(), describe(character)]


def describe(character: str) -> str:
    """Its Unicode name as a sentence, then one of its kind, its script (or block) and its composition."""
    _, script, kind = _above(character)
    if script == "Common" and unicodedata.category(character)[0] == "L":
        script = _above(_base(character))[1]
    where = f"{scripts.block(character)} block" if script == "Common" else f"{script} script"
    second = ", ".join(filter(None, [kind.capitalize(), where, _composition(character)]))
    return f"{unicodedata.name(character).capitalize()}. {second}."


def places(characters: Sequence[str]) -> dict[str, Place]:
    """The place of each character, with labels that at least RARE of `characters` share wherever possible.

    A letter or digit is labelled by its base ("Latin small letter e"); where too few share that, and for
    punctuation and symbols, by family and kind ("Arrows (mathematical symbol)"); then by kind alone.
    """
    found: dict[str, Place] = {}
    for level in zip(*(_candidates(character) for character in characters), strict=True):
        count = Counter(place for character, place in zip(characters, level, strict=True) if character not in found)
        for character, place in zip(characters, level, strict=True):
            if character not in found and count[place] >= RARE:
                found[character] = place
    return {character: found.get(character) or _candidates(character)[-1] for character in characters}


def edges(found: Sequence[Place]) -> Iterator[tuple[str, str, str]]:
    """(parent, child, name) of the taxonomy over `found`, sorted. Labels are leaves, named by their label."""
    unique: set[tuple[str, str, str]] = set()
    for category, script, kind, label in found:
        inner = [category, f"{category}/{script}", f"{category}/{script}/{kind}"]
        unique.update(zip([ROOT, *inner], [*inner, label], [category, script, kind, label], strict=True))
    yield from sorted(unique)


def _candidates(character: str) -> tuple[Place, Place, Place]:
    """From the most telling label to the most general."""
    base = _base(character)
    name = unicodedata.name(base).capitalize()
    category, script, kind = _above(character)
    family = _family(character, script)
    general = Place(category, "Various", kind, f"Other ({kind})")
    by_family = Place(category, script, kind, f"{family} ({kind})")
    return (Place(*_above(base), name) if category in ("Letters", "Numbers") else by_family, by_family, general)


def _above(character: str) -> tuple[str, str, str]:
    kind = unicodedata.category(character)
    return CATEGORIES[kind[0]], scripts.script_name(scripts.script(character)), KINDS[kind]


def _family(character: str, script: str) -> str:
    """The script; for symbols and numbers of all scripts, the block with its supplements."""
    if script != "Common" or unicodedata.category(character) not in ("Sm", "So", "No"):
        return script
    return re.sub(r"^Supplemental |( Supplement)?(-[A-Z])?$", "", scripts.block(character))


def _base(character: str, seen: tuple[str, ...] = ()) -> str:
    """The plain letter or digit that it is a form of: é → e, ø → o, turned m → m; itself where none."""
    name = unicodedata.name(character)
    script, *words = name.split(" WITH ")[0].split()
    case = [word for word in words if word in ("CAPITAL", "SMALL")][:1]
    plain = " ".join([script, *case, "LETTER", *words[-1:]])
    stripped = [part for part in unicodedata.normalize("NFKD", character) if unicodedata.category(part)[0] != "M"]
    named = [_lookup(" ".join([script, *words])), _lookup(plain)]
    for base in [*(stripped if len(stripped) == 1 else []), *filter(None, named)]:
        # Some names lead in a circle (the Hangul choseong); `seen` breaks it.
        if base not in (character, *seen) and unicodedata.category(base)[0] == unicodedata.category(character)[0]:
            return _base(base, (*seen, character))
    return character


def _lookup(name: str) -> str | None:
    try:
        return unicodedata.lookup(name)
    except KeyError:
        return None


def _composition(character: str) -> str:
    """Its decomposition in words, "e with combining acute accent"; empty where it has none."""
    form, *codes = unicodedata.decomposition(character).split() or [""]
    if form.startswith("<"):
        parts = [_short(chr(int(code, 16))) for code in codes]
        return f"{'made of' if form == '<compat>' and len(parts) > 1 else FORMS[form]} {' and '.join(parts)}"
    base, *marks = list(unicodedata.normalize("NFD", character))
    if base == character:
        return ""
    return f"{_short(base)} with {' and '.join(map(_short, marks))}" if marks else f"same as {_short(base)}"


def _short(character: str) -> str:
    """Its name without script and case."""
    return re.sub(r"^.* LETTER (?=.)", "", unicodedata.name(character, "")).lower()
