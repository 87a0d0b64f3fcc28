"""Pictures and texts as a user has them, brought into the form that a model takes: the one way in for all of them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kith.data.depths import Conversion
from kith.data.loader import Loader, Unusable
from kith.data.rows import SURROGATE, listed_texts, utf8
from kith.encoders.encoder import TextEncoder
from kith.encoders.frozen import BATCH, Frozen, reads_texts
from kith.encoding import as_noted
from kith.text.tokenizer import WHOLE, Tokenizer

Arrays = tuple[np.ndarray, ...]
Reader = Callable[[Any], Any]  # a cell to one picture, text or feature, or to Unusable


class RawInputs:
    """Reads cells and stacks what they hold for a model with this `config`.

    A cell of the image side is a path, encoded bytes, or colours (H, W, 3) uint8, and a string where that side is of
    texts; of the text side a string; of a side
    of features nested lists, or an array, of their shape. max_tokens: the longest text, in
    words; the rest is cut off. root: the folder that paths are relative to; within: the folders that files have to lie
    in, if there are any. A model that was trained on features of a frozen encoder gets those of the pictures and texts
    given: the encoder is loaded when it is first needed.

    >>> from kith.text.tokens import Vocabulary
    >>> raw = RawInputs({"image": {"shape": [2]}, "text": None}, Vocabulary([]), max_tokens=8)
    >>> [each.tolist() for each in raw.arrays("image", [raw.reader("image")([1, 2])])]
    [[[1.0, 2.0]]]
    """

    def __init__(
        self,
        config: dict[str, Any],
        vocabulary: Tokenizer,
        max_tokens: int,
        root: Path = Path(),
        within: tuple[Path, ...] = (),
    ) -> None:
        self.config, self.vocabulary, self.max_tokens = config, vocabulary, max_tokens
        self.root, self.within = root, within

    def takes_features(self, side: str) -> bool:
        """Whether a side ("image", "text") is of features of the user's, in place of pictures or texts."""
        return is_of_features(self.config[side] or {})

    @property
    def reads_texts(self) -> bool:
        """Whether the image side is of texts: what a frozen encoder of texts makes of them."""
        return reads_texts((self.config.get("image") or {}).get("encoder") or {})

    @property
    def pictures(self) -> dict[str, Any]:
        """size, channels and fit of the pictures that the image side takes."""
        return pictures_of(self.config["image"])

    @property
    def tokenizer(self) -> Tokenizer:
        """What cuts texts: that of a frozen encoder of texts, or else the model's own."""
        side = "image" if self.reads_texts else "text"
        if "encoder" not in (self.config[side] or {}):
            return self.vocabulary
        encoder = self._frozen(side).encoder
        assert isinstance(encoder, TextEncoder)
        return encoder.tokenizer

    def reader(self, side: str) -> Reader:
        """Reads a cell of this side, to an array or text, or to Unusable that says why not."""
        options = self.config[side]
        if self.takes_features(side):
            return lambda cell: features(cell, tuple(options["shape"]))
        if side == "text" or self.reads_texts:
            _ = self.tokenizer  # loaded here, once: threads read with it
            return self._known
        kept = self.pictures
        mode, choices = "L" if kept["channels"] == 1 else "RGB", Conversion.of(kept)
        return Loader(self.root, kept["size"], mode, kept["fit"], within=self.within, choices=choices)

    def arrays(self, side: str, values: Sequence[Any]) -> Arrays:
        """What the model's side takes of n ≥ 1 values that its reader gave: pictures (n, size, size, C) uint8, features
        (n, …) float32, or word numbers (n, L) int32 and lengths (n,)."""
        if "encoder" in self.config[side]:
            return (self._encoded(side, values),)
        if side == "text" and not self.takes_features("text"):
            return self.vocabulary.encode(list(values), self.max_tokens)
        return (np.stack(values),)

    def cut(self, text: str) -> tuple[int, int] | None:
        """Of a text that is longer than the model reads, how many of its pieces are read, and how many there are."""
        pieces = len(self.tokenizer.pieces(text))
        read, whole = (int(self.tokenizer.encode([text], most)[1][0]) for most in (self.longest, WHOLE))
        return (pieces - (whole - read), pieces) if read < whole else None

    @property
    def longest(self) -> int:
        """How many tokens of a text are read, its marks among them."""
        side = self.config["image" if self.reads_texts else "text"]
        return side["encoder"]["max_tokens"] if "encoder" in side else self.max_tokens

    def _known(self, cell: Any) -> str | Unusable:
        """The text in a cell; one of whose words none is known would get the vector of any other such text."""
        found = text(cell)
        if isinstance(found, str) and not self.tokenizer.knows(found):
            return Unusable("unknown_text", "has no word that this model knows")
        return found

    def _encoded(self, side: str, values: Sequence[Any]) -> np.ndarray:
        """(n, width) float32 features, as exact as those that were stored."""
        frozen = self._frozen(side)
        parts = [values[at : at + BATCH] for at in range(0, len(values), BATCH)]
        if isinstance(frozen.encoder, TextEncoder):
            return np.concatenate([frozen.texts(part) for part in parts]).astype(np.float32)
        return np.concatenate([frozen.images(torch.from_numpy(np.stack(part))) for part in parts]).astype(np.float32)

    @cache  # noqa: B019  # lives as long as its encoders are in use
    def _frozen(self, side: str) -> Frozen:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return as_noted(self.config[side]["encoder"], device)


def is_of_features(side: Mapping[str, Any]) -> bool:
    """Whether a side of a model's config takes features of the user's, not those of a frozen encoder.

    >>> is_of_features({"shape": [8]}), is_of_features({"shape": [8], "encoder": {"name": "lite0"}})
    (True, False)
    """
    return "shape" in side and "encoder" not in side


def pictures_of(image: dict[str, Any]) -> dict[str, Any]:
    """size, channels and fit of the pictures that the image side of a model's config takes, or its frozen encoder.

    >>> pictures_of({"shape": [8], "encoder": {"pictures": {"size": 128}}})
    {'size': 128}
    """
    return image["encoder"]["pictures"] if "encoder" in image else image


def text(cell: Any) -> str | Unusable:
    """The text in a cell, a string (or its bytes in UTF-8) or a list of one.

    >>> text(["red fox"]), text(b"fox"), text(" ").message
    ('red fox', 'fox', 'is empty')
    """
    cell = listed_texts(cell)
    if isinstance(cell, list) and len(cell) > 1:
        return Unusable("text", f"holds {len(cell)} texts; give each a row of its own")
    value = cell[0] if isinstance(cell, list) and cell else cell
    value = utf8(value) if isinstance(value, bytes) else value
    nothing = value is None or value == [] or value != value  # NaN, which is not equal to itself
    if nothing or (isinstance(value, str) and not value.strip()):
        return Unusable("empty_text", "is empty")
    if not isinstance(value, str):
        return Unusable("text", f"is of type {type(value).__name__}; texts are strings")
    return Unusable("text", "is not valid Unicode; mend the text") if SURROGATE.search(value) else value


def features(cell: Any, shape: tuple[int, ...]) -> np.ndarray | Unusable:
    """The numbers in a cell, nested lists or an array of this shape, as float32.

    >>> features([1, 2], (2,)).tolist(), features([1, 2], (3,)).message
    ([1.0, 2.0], 'has the shape 2; this model takes lists of numbers of the shape 3')
    """
    wanted = f"this model takes lists of numbers of the shape {'×'.join(map(str, shape))}"
    if cell is None:
        return Unusable("features", f"is empty; {wanted}")
    try:
        values = np.asarray(cell, dtype=np.float32) if isinstance(cell, list | np.ndarray) else None
    except (TypeError, ValueError):
        values = None
    if values is None:
        return Unusable("features", f"holds no numbers in lists of equal lengths; {wanted}")
    if values.shape != shape:
        return Unusable("features", f"has the shape {'×'.join(map(str, values.shape))}; {wanted}")
    return values if np.isfinite(values).all() else Unusable("features", "has values that are not finite; mend them")
