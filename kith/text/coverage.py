"""Whether texts share words at all: without that, nothing that is learned from some of them is of use to others."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

Text = Sequence[Hashable]  # its words, or their numbers

MANY = 0.1  # share of a split's texts that are worth a line
ADVICE = "put spaces between words, or choose another train.text.tokenizer"


def remarks(texts: Mapping[str, Sequence[Text]]) -> list[str]:
    """What is to be said of texts, given by split as their words; nothing where they are fit to learn from.

    >>> remarks({"train": [["redfox"], ["reddog"]], "test": [["bluedog"]]})[0]
    'of 2 words in the training texts 2 occur once: little that is said of one item is said of another'
    >>> remarks({"train": [[], [], ["red"]]})[0]
    'of 3 training texts 2 have no word: they look the same'
    """
    trained = texts.get("train", ())
    counts = Counter(word for text in trained for word in text)
    if len(trained) > 1 and counts and len(set(map(tuple, trained))) == 1:
        return [
            f"all {len(trained):,} training texts have the same words: nothing is said that tells one item from another"
        ]
    total, once = counts.total(), sum(count == 1 for count in counts.values())
    lines, empty = [], sum(not text for text in trained)
    if empty and empty >= MANY * len(trained):
        lines.append(f"of {len(trained):,} training texts {empty:,} have no word: they look the same")
    if once > total / 2:
        lines.append(
            f"of {total:,} words in the training texts {once:,} occur once: little that is said of one item is said of "
            "another"
        )
    for split, held_out in texts.items():
        strange = sum(not any(word in counts for word in text) for text in held_out)
        if split != "train" and counts and strange and strange >= MANY * len(held_out):
            lines.append(f"of {len(held_out):,} {split} texts {strange:,} have no word that the training texts have")
    return [*lines, ADVICE] if lines else []


def by_split(texts: Sequence[Text], splits: Sequence[str] | np.ndarray) -> dict[str, list[Text]]:
    """Texts by their splits, in the order of both.

    >>> by_split([["red"], ["blue"], ["fox"]], ["train", "test", "train"])
    {'train': [['red'], ['fox']], 'test': [['blue']]}
    """
    found: dict[str, list[Text]] = {}
    for text, split in zip(texts, splits, strict=True):
        found.setdefault(str(split), []).append(text)
    return found
