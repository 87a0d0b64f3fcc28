"""In which script texts are written."""

import unicodedata
from collections import Counter
from functools import cache

# Scripts that are mixed within one language.
TOGETHER = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "FULLWIDTH": "LATIN", "HALFWIDTH": "CJK"}


@cache
def _script(letter: str) -> str:
    """As the Unicode name of a letter begins; "" for what is no letter."""
    if not unicodedata.category(letter).startswith("L"):
        return ""
    first = unicodedata.name(letter, "").split(" ")[0]
    return TOGETHER.get(first, first)


def script_of(text: str) -> str:
    """The script of most letters of a text, in Unicode's words; "" where it has no letter.

    >>> script_of("Ein roter Fuchs"), script_of("Красная лиса (fox)"), script_of("赤いキツネ"), script_of("123")
    ('LATIN', 'CYRILLIC', 'CJK', '')
    """
    if text.isascii():
        return "LATIN" if any(map(str.isalpha, text)) else ""
    counts = Counter(filter(None, map(_script, text)))
    return max(sorted(counts), key=counts.__getitem__) if counts else ""
