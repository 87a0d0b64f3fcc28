"""Words of a part of a text: of its first sentences, and without short words and stop words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kith.text.scripts import Rule
from kith.text.tokenizer import commonest
from kith.text.tokens import Vocabulary, tokenize


@dataclass(frozen=True)
class Selection:
    """What of a text is read: its first `sentences`, all by default, and of their words those that have `min_length`
    letters and are not among `stop_words`."""

    sentences: int | None = None
    min_length: int = 1
    stop_words: frozenset[str] = frozenset()

    def words(self, text: str, rule: Rule = "pairs") -> list[str]:
        """As `tokens.tokenize` finds them.

        >>> Selection(sentences=1, min_length=3, stop_words=frozenset(["the"])).words("The fox is red. It ran.")
        ['fox', 'red']
        """
        return tokenize(text, rule=rule, **vars(self))


class SelectedWords(Vocabulary):
    """The words of a selection, numbered by falling frequency; what is not selected has no number at all.

    >>> words = SelectedWords.select(["The red fox. It ran."], Selection(sentences=1, stop_words=frozenset(["the"])))
    >>> words.words, words.pieces("The fox? It ran."), words.unknown_words("The dog")
    (['fox', 'red'], ['fox'], ['dog'])
    """

    KIND = "selected"

    def __init__(self, words: Sequence[str], selection: Selection, rule: Rule = "pairs"):
        """`words` without the marks, in order."""
        super().__init__(words, rule)
        self.selection = selection

    @classmethod
    def select(
        cls,
        texts: Iterable[str],
        selection: Selection,
        min_count: int = 1,
        max_words: int | None = None,
        rule: Rule = "pairs",
    ) -> "SelectedWords":
        """The selected words of `texts` that `commonest` keeps."""
        words = (word for text in texts for word in selection.words(text, rule))
        return cls(commonest(words, min_count, max_words), selection, rule)

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "SelectedWords":
        """Of what `state` gives."""
        selection, rule = dict(state["selection"]), state["selection"]["rule"]
        del selection["rule"]
        selection["stop_words"] = frozenset(selection["stop_words"])
        return cls(state["vocabulary"], Selection(**selection), rule)

    def pieces(self, text: str) -> list[str]:
        return self.selection.words(text, self.rule)  # type: ignore[arg-type]  # never plain

    def state(self) -> dict[str, Any]:
        """Stop words are listed, in order: who reads texts later needs no other list."""
        told = asdict(self.selection) | {"stop_words": sorted(self.selection.stop_words), "rule": self.rule}
        return {"vocabulary": self.words, "tokenizer": self.KIND, "selection": told}
