"""The kinds of tokenizers: made of training texts, or as a model's file has them."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from kith.errors import KithError, reading
from kith.text.pretrained import Pretrained, tokenizer_file
from kith.text.scripts import Rule
from kith.text.selected import SelectedWords, Selection
from kith.text.tokenizer import Tokenizer
from kith.text.tokens import Vocabulary

OF_WORDS = ("words", "spaced")  # names of tokenizers that need no file
STATE = ("vocabulary", "tokenizer", "tokenizer_json", "pad", "selection")  # keys of what `Tokenizer.state` gives


def learned(
    texts: Sequence[str],
    name: str | None = None,
    min_count: int = 1,
    max_words: int | None = None,
    ordered: bool = False,
    selection: Selection | None = None,
) -> Tokenizer:
    """A tokenizer that knows what occurs in `texts`: words, or the pieces of the pretrained one called `name`.

    name: see `pretrained.tokenizer_file`; "words", or None: words; "spaced": words between spaces in every script.
    Pieces that are known: see `tokenizer.commonest`.
    ordered: for a tower that sees the order of words: of scripts without spaces it gets units alone.
    selection: what of the texts is read, where that is not all of them; for words alone.
    Raises KithError where the pretrained one, or the package tokenizers, is missing.

    >>> len(learned(["red fox", "red dog"], min_count=2))
    5
    """
    if name is None or name in OF_WORDS:
        rule: Rule = "spaced" if name == "spaced" else "units" if ordered else "pairs"
        if selection is not None:
            return SelectedWords.select(texts, selection, min_count, max_words, rule)
        return Vocabulary.build(texts, min_count, max_words, rule)
    path = tokenizer_file(name)
    with reading(path, "train.text.tokenizer takes a tokenizer.json; get it again"):
        content = path.read_text(encoding="utf-8")
    try:
        return Pretrained.build(texts, content, min_count, max_words)
    except KithError as error:
        raise KithError(f"{path}: {error}") from None


def tokenizer_of(state: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer whose `state()` this is; without the key "tokenizer" a plain Vocabulary of words. That
    of an encoder is read in kith.models.

    Raises KithError for a kind that is not known.

    >>> tokenizer_of({"vocabulary": ["red", "fox"]}).encode(["a red fox"])[0].tolist()
    [[2, 1, 4, 5, 3]]
    """
    words, kind = state["vocabulary"], state.get("tokenizer")
    if kind in (None, *get_args(Rule)):
        return Vocabulary(words, kind or "plain")
    if kind == SelectedWords.KIND:
        return SelectedWords.of_state(state)
    if kind == "pretrained":
        return Pretrained(words, state["tokenizer_json"])
    raise KithError(f"the tokenizer '{kind}' is not known; a newer Kith has made this file")
