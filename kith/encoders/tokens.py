"""The tokenizer that an encoder was trained with, by the library tokenizers."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import numpy as np

from kith.errors import KithError
from kith.text.pretrained import opened, unknown_piece
from kith.text.tokenizer import Tokenizer

UNBOUNDED = 10**6  # transformers writes a far larger number where a tokenizer knows no longest text


class EncoderTokenizer(Tokenizer):
    """Cuts texts as an encoder expects it, with the marks that it wants around them, and its own numbers of both.

    content: the text of a tokenizer.json, which is all of it; pad: the number that fills short texts up; longest: the
    most tokens, as far as the tokenizer says so.
    """

    KIND: ClassVar[str] = "encoder"  # as a saved model calls it

    def __init__(self, content: str, pad: int, longest: int | None = None):
        super().__init__([])
        self.content, self.pad, self.longest = content, pad, longest
        self._tokenizer, self._lock = opened(content), Lock()
        self._unknown = unknown_piece(self._tokenizer)  # asked once: it reads the whole vocabulary

    @classmethod
    def read(cls, folder: Path) -> "EncoderTokenizer":
        """That of a folder in the format of Hugging Face. Raises KithError where there is none."""
        from transformers import AutoTokenizer

        try:
            found = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            content = found.backend_tokenizer.to_str()
        except Exception as error:  # transformers raises nearly anything on missing or broken files
            reason = str(error).strip().splitlines()[0]
            raise KithError(f"{folder}: its tokenizer cannot be loaded ({reason}); get its files again") from None
        longest = found.model_max_length
        return cls(content, found.pad_token_id or 0, longest if longest < UNBOUNDED else None)

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def pieces(self, text: str) -> list[str]:
        return self._tokenizer.encode(text, add_special_tokens=False).tokens

    def numbers(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def unknown_words(self, text: str) -> list[str]:
        cut = self._tokenizer.encode(text, add_special_tokens=False)
        spans = [place for piece, place in zip(cut.tokens, cut.offsets, strict=True) if piece == self._unknown]
        return list(dict.fromkeys(text[start:stop].strip() for start, stop in spans))

    def knows(self, text: str) -> bool:
        return any(piece != self._unknown for piece in self.pieces(text))

    def state(self) -> dict[str, Any]:
        return {"vocabulary": [], "tokenizer": self.KIND, "tokenizer_json": self.content, "pad": self.pad}

    def encode(self, texts: Sequence[str], max_tokens: int = 64) -> tuple[np.ndarray, np.ndarray]:
        """Numbers (n, longest) int32, filled up with `pad`, and lengths (n,) int32, marks included; longer texts are
        cut so that their last mark stays."""
        with self._lock:  # runs that are searched at once share an encoder
            self._tokenizer.enable_truncation(max_tokens)
            numbers = [each.ids for each in self._tokenizer.encode_batch(list(texts))]
            self._tokenizer.no_truncation()
        lengths = np.array([len(each) for each in numbers], dtype=np.int32)
        tokens = np.full((len(numbers), int(lengths.max(initial=1))), self.pad, dtype=np.int32)
        for row, each in zip(tokens, numbers, strict=True):
            row[: len(each)] = each
        return tokens, lengths
