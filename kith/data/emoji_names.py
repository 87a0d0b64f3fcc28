"""What is known of emoji in words: their names, their place in Unicode's groups, and which are forms of one."""

import functools
import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from kith.data.colour_font import SELECTOR
from kith.errors import KithError

GROUPS = Path(__file__).with_name("emoji_groups.tsv")
LICENCE_OF_NAMES = Path(__file__).with_name("LICENSE_UNICODE")
ROOT = "Emoji"
ENGLISH = "en"
MAIN = "emoji.json"  # names in English, and since which version of Unicode's emoji each is there
OLD = 14.0  # versions up to this one are in the Unicode tables of every Python since 3.11

JOINER = "\N{ZERO WIDTH JOINER}"
FORMS = frozenset("♀♂➡🦰🦱🦲🦳")  # joined to others: gender, direction, hair
PEOPLE = str.maketrans("👨👩👦👧", "🧑🧑🧒🧒")  # man, woman → person; boy, girl → child


@functools.cache
def groups() -> dict[str, tuple[str, str]]:
    """Emoji → its group and subgroup, in Unicode's order; without skin tones and flags of countries.

    >>> groups()["👍"], groups()["🐢"]
    (('People & Body', 'hand-fingers-closed'), ('Animals & Nature', 'animal-reptile'))
    """
    lines = [line for line in GROUPS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows = [line.split("\t") for line in lines]
    return {emoji: (group, subgroup) for group, subgroup, members in rows for emoji in members.split(" ")}


def family(emoji: str) -> str:
    r"""What an emoji has in common with its forms of another gender, hair or direction.

    >>> family("👩\u200d🚒") == family("👨\u200d🚒") == family("🧑\u200d🚒")
    True
    >>> family("🏃\u200d♀\ufe0f\u200d➡\ufe0f")
    '🏃'
    """
    parts = emoji.replace(SELECTOR, "").translate(PEOPLE).split(JOINER)
    return JOINER.join([parts[0], *(part for part in parts[1:] if part not in FORMS)])


def file_of(language: str) -> str:
    """The file with the names in a language.

    >>> file_of("en"), file_of("de")
    ('emoji.json', 'emoji_de.json')
    """
    return MAIN if language == ENGLISH else f"emoji_{language}.json"


class Names:
    """The names of emoji in `languages`, from the files of the package emoji in `folder`.

    Raises KithError where a file is missing.
    """

    def __init__(self, folder: Path, languages: Sequence[str]) -> None:
        main = _read(folder / MAIN)
        self._since = {emoji: known["E"] for emoji, known in main.items()}
        self._names = [
            {emoji: known[ENGLISH] for emoji, known in main.items()}
            if language == ENGLISH
            else _read(folder / file_of(language))
            for language in languages
        ]
        self._english = ENGLISH in languages

    def texts(self, emoji: str) -> list[str]:
        """Its name in each language, then what Unicode calls the character, if English is among them; each once."""
        found = [names[emoji].strip(":").replace("_", " ") for names in self._names if emoji in names]
        character = emoji.replace(SELECTOR, "")
        if self._english and len(character) == 1 and self._since.get(emoji, OLD + 1) <= OLD:
            found.append(unicodedata.name(character).lower())
        once: dict[str, str] = {}
        for text in found:
            once.setdefault(text.casefold(), text)
        return list(once.values())


def _read(path: Path) -> dict:
    if not path.exists():
        raise KithError(f"{path}: no such file; run the fetch stage again")
    return json.loads(path.read_text(encoding="utf-8"))
