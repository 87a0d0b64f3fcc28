"""What every tokenizer does: texts to rows of numbers, and back to the words that it does not know."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

WHOLE = 10**6  # more than any text has


class Tokenizer(ABC):
    """Cuts texts into pieces, which it knows by number; the first four numbers are marks.

    PAD fills short texts, UNKNOWN stands for pieces that are not known, START and END enclose a text.

    >>> from kith.text.tokens import Vocabulary
    >>> tokenizer: Tokenizer = Vocabulary(["red", "dog", "fox"])
    >>> len(tokenizer), tokenizer.pieces("A red fox"), tokenizer.unknown_words("A red fox")
    (7, ['a', 'red', 'fox'], ['a'])
    >>> [each.tolist() for each in tokenizer.encode(["red cat"])]
    [[[2, 4, 1, 3]], [4]]
    """

    PAD, UNKNOWN, START, END = range(4)
    MARKS = ("<pad>", "<unk>", "<s>", "</s>")

    def __init__(self, words: Sequence[str]):
        """`words`: the pieces that are known, without the marks, in order of their numbers."""
        self.words = list(words)
        self.index = {word: i for i, word in enumerate(self.words, start=len(self.MARKS))}

    @abstractmethod
    def pieces(self, text: str) -> list[str]:
        """What a text is cut into."""

    @abstractmethod
    def unknown_words(self, text: str) -> list[str]:
        """The words of a text that are not known, or not as a whole; each once."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Plain values that `kinds.tokenizer_of` makes the same tokenizer of."""

    def numbers(self, text: str) -> list[int]:
        """Of its pieces, without the marks."""
        return [self.index.get(piece, self.UNKNOWN) for piece in self.pieces(text)]

    def knows(self, text: str) -> bool:
        """Whether any of its pieces is known: all other texts look the same."""
        return any(number != self.UNKNOWN for number in self.numbers(text))

    def is_cut(self, text: str, max_tokens: int) -> bool:
        """Whether `encode` leaves out the end of a text.

        >>> from kith.text.tokens import Vocabulary
        >>> [Vocabulary([]).is_cut("a red fox", most) for most in (4, 5)]
        [True, False]
        """
        return int(self.encode([text], WHOLE)[1][0]) > max_tokens

    def __len__(self) -> int:
        return len(self.MARKS) + len(self.words)

    def encode(self, texts: Sequence[str], max_tokens: int = 64) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of each text's pieces between START and END.

        Returns tokens (n, longest) int32 padded with PAD, and lengths (n,) int32, marks included.
        Texts longer than `max_tokens` (marks included) are cut.
        """
        encoded = [[self.START, *self.numbers(text)][: max_tokens - 1] + [self.END] for text in texts]
        lengths = np.array([len(numbers) for numbers in encoded], dtype=np.int32)
        tokens = np.full((len(encoded), int(lengths.max(initial=1))), self.PAD, dtype=np.int32)
        for row, numbers in zip(tokens, encoded, strict=True):
            row[: len(numbers)] = numbers
        return tokens, lengths


def commonest(pieces: Iterable[str], min_count: int = 1, max_words: int | None = None) -> list[str]:
    """Those that occur at least `min_count` times, at most the `max_words` commonest of them; ties of frequency in
    alphabetical order.

    >>> commonest(["red", "fox", "red", "dog"])
    ['red', 'dog', 'fox']
    """
    counts = Counter(pieces)
    kept = [piece for piece, count in counts.items() if count >= min_count]
    return sorted(kept, key=lambda piece: (-counts[piece], piece))[:max_words]
