"""What somebody may have meant who typed words that no text has."""

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np

TEXTS = 50_000  # that are read, spread evenly over all
OF_A_LENGTH = 2_000  # commonest words of a length that are compared with
MENDED = 4  # words of a text, at most
SHORT = 4  # letters; shorter words resemble too many others
LIKE = 0.75  # of difflib's ratio
WORD = re.compile(r"\w+")


class Spelling:
    """The words of texts, to mend others by.

    >>> spelling = Spelling(["a red fox", "two dogs running", "a running fox"])
    >>> spelling.mended("runing fxo", lambda word: True), spelling.mended("red fox", lambda word: True)
    ('running fxo', None)
    """

    def __init__(self, texts: Sequence[str]):
        rows = np.unique(np.linspace(0, len(texts) - 1, min(len(texts), TEXTS)).astype(int)) if len(texts) else ()
        self._counts = Counter(word for row in rows for word in WORD.findall(texts[row].casefold()))
        self._of_length: dict[int, list[str]] = defaultdict(list)
        for word, _ in self._counts.most_common():
            if len(self._of_length[len(word)]) < OF_A_LENGTH and not word.isdigit():
                self._of_length[len(word)].append(word)

    def mended(self, text: str, known: Callable[[str], bool]) -> str | None:
        """`text` with each word that no text has exchanged for the most similar one that is `known`; None where that
        changes nothing."""
        left = MENDED

        def mend(found: re.Match[str]) -> str:
            nonlocal left
            word = found[0].casefold()
            if not left or len(word) < SHORT or len(word) > 40 or word.isdigit() or word in self._counts:
                return found[0]
            left -= 1
            return self._nearest(word, known) or found[0]

        mended = WORD.sub(mend, text)
        return None if mended == text else mended

    def _nearest(self, word: str, known: Callable[[str], bool]) -> str | None:
        candidates = [
            other for length in range(len(word) - 2, len(word) + 3) for other in self._of_length.get(length, ())
        ]
        close = [other for other in difflib.get_close_matches(word, candidates, n=3, cutoff=LIKE) if known(other)]
        return close[0] if close else None
