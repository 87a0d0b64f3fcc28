"""What an audit looks at: items, pictures, texts, and features of both from wherever there are any."""

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from kith.audit.pixels import pixel_vectors
from kith.neighbors import Graph, neighbor_graph
from kith.store.prepared import Prepared

NEAREST = 10  # pictures of each
WORDS = 256  # dimensions of texts by their words
PIXELS_OF_CLASSES = 16  # side of pictures for a classifier, without an encoder


class AuditOptions(NamedTuple):
    """near_pictures, near_texts: least score of such a pair; folds: in which labels and pairs are judged; max_tokens:
    words of a text that methods read; seed: of folds and samples."""

    near_pictures: float = 0.9
    near_texts: float = 0.8
    folds: int = 5
    max_tokens: int | None = None
    seed: int = 0


DEFAULTS = AuditOptions()


class Subject:
    """Prepared data under audit.

    data: the prepared data; pictures: (N, H, W, C) uint8 or what is indexed like it, None without; encoded: by side,
    "image" and "text", features (rows, d) of each row of the pictures and of each text, where an encoder read them.
    """

    def __init__(self, data: Prepared, pictures: Any, encoded: dict[str, np.ndarray], options: AuditOptions = DEFAULTS):
        self.data, self.pictures, self.encoded, self.options = data, pictures, encoded, options
        self.items, self.groups, self.texts = data.table, data.groups, data.texts
        self.labels = data.table["label"].to_numpy()
        self.owner = np.repeat(np.arange(len(data)), np.diff(data.text_start))

    @cached_property
    def shown(self) -> np.ndarray:
        """(n,) int64 items that have a picture, or features in its place."""
        if self.pictures is None:
            return np.arange(len(self.items)) if self.data.features("image") is not None else np.zeros(0, np.int64)
        return np.flatnonzero(self.image_rows >= 0)

    @cached_property
    def image_rows(self) -> np.ndarray:
        """(n_items,) int64 rows of the pictures, −1 without."""
        return self.data.table["image_row"].to_numpy()

    @cached_property
    def picture_features(self) -> np.ndarray:
        """(len(shown), d) float32: of an encoder, of the data themselves, or else small pixels."""
        if "image" in self.encoded:
            return _level(self.encoded["image"][self.image_rows[self.shown]])
        if self.pictures is None:
            found = self.data.features("image")
            assert found is not None
            return np.asarray(found, dtype=np.float32).reshape(len(self.shown), -1)
        return pixel_vectors(self.pictures, self.image_rows[self.shown])

    @cached_property
    def picture_graph(self) -> Graph:
        """The nearest of each of the pictures `shown`, none of its own group; see `kith.neighbors.neighbor_graph`."""
        groups = self.groups[self.shown]
        return neighbor_graph(self.picture_features, NEAREST, groups=groups, seed=self.options.seed)

    @cached_property
    def text_features(self) -> np.ndarray:
        """(n_texts, d) float32: of an encoder, or else of the words (tf-idf, Deerwester et al. 1990: LSA)."""
        if "text" in self.encoded:
            return _level(self.encoded["text"])
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        from kith.text.tokens import tokenize

        words = TfidfVectorizer(tokenizer=tokenize, lowercase=False, token_pattern=None, min_df=2, sublinear_tf=True)
        try:
            matrix = words.fit_transform(self.texts)
        except ValueError:  # no word is there twice
            return np.zeros((len(self.texts), 0), np.float32)
        if min(matrix.shape) <= 2:
            return matrix.toarray().astype(np.float32)
        dim = min(WORDS, min(matrix.shape) - 1)
        found = TruncatedSVD(dim, algorithm="randomized", random_state=self.options.seed).fit_transform(matrix)
        return found.astype(np.float32)

    @cached_property
    def class_features(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """What a classifier sees: (n,) int64 items, and (n, d) float32 features of their pictures, of their texts, or
        both; the items are those that have all of these."""
        texts = self._mean_texts if self.text_features.shape[1] else None
        if not len(self.shown):
            return (np.zeros(0, np.int64), []) if texts is None else (np.unique(self.owner), [texts])
        if self.pictures is not None and "image" not in self.encoded:
            side = min(PIXELS_OF_CLASSES, self.pictures.shape[1])
            pictures = pixel_vectors(self.pictures, self.image_rows[self.shown], side)
        else:
            pictures = self.picture_features
        if texts is None or not np.isin(self.shown, self.owner).all():
            return self.shown, [pictures]
        return self.shown, [pictures, texts[np.searchsorted(np.unique(self.owner), self.shown)]]

    @property
    def _mean_texts(self) -> np.ndarray:
        """(m, d) float32: of each item that has texts, ascending, their mean."""
        rows, place = np.unique(self.owner, return_inverse=True)
        sums = np.zeros((len(rows), self.text_features.shape[1]), np.float32)
        np.add.at(sums, place, self.text_features)
        return sums / np.bincount(place, minlength=len(rows))[:, None].astype(np.float32)


def _level(features: np.ndarray) -> np.ndarray:
    """In float32; what follows a ReLU on a logarithmic scale, as methods see it (encoded.log1p)."""
    found = np.asarray(features, dtype=np.float32).reshape(len(features), -1)
    return np.log1p(found) if len(found) and found.min() >= 0 else found
