"""Texts that share nearly all of their words: MinHash, and the exact share for what it proposes."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from kith.text.tokens import tokenize

BANDS, ROWS = 32, 4  # pairs that share .8 are proposed with a probability of 1 − (1 − .8⁴)³² > .999999


def near_texts(
    texts: Sequence[str], groups: np.ndarray, least: float = 0.8, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) int64 pairs of texts whose words, and pairs of neighbouring words, are the same up to a share; and that
    share (n,) float64: those in both, of all (Jaccard).

    Found by MinHash in bands (Broder 1997): time and memory grow with the number of texts, not with its square. Of
    many texts that are alike, each is paired with the first. groups: (m,) integers; no pair is within a group.

    >>> pairs, share = near_texts(["a red fox runs", "the end", "red fox runs a", "A red fox runs."], np.arange(4), 0.5)
    >>> pairs.tolist(), share.round(2).tolist()
    ([[0, 2], [0, 3]], [0.75, 1.0])
    """
    codes, start = _codes(texts)
    known = np.flatnonzero(np.diff(start) > 0)
    proposed = [np.zeros((0, 2), np.int64)]
    for band in _bands(codes, start, known, np.random.default_rng(seed)):
        _, first, own = np.unique(band, return_index=True, return_inverse=True)
        pairs = np.stack([known[first[own]], known], axis=1)
        proposed.append(pairs[groups[pairs[:, 0]] != groups[pairs[:, 1]]])
    pairs = np.unique(np.concatenate(proposed), axis=0)
    share = _shares(codes, start, pairs)
    return pairs[share >= least], share[share >= least]


def _codes(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the words and pairs of words of each text, each once and ascending, one text after another: (m,)
    uint64 below 2³², and where each text begins, (n + 1,)."""
    numbers: dict[str, int] = {}
    parts, counts = [], np.zeros(len(texts) + 1, np.int64)
    for place, text in enumerate(texts):
        words = tokenize(text)
        pieces = {*words, *map(" ".join, pairwise(words))}
        codes = [numbers[each] if each in numbers else numbers.setdefault(each, _code(each)) for each in pieces]
        parts.append(np.unique(np.array(codes, dtype=np.uint64)))
        counts[place + 1] = len(parts[-1])
    return np.concatenate([np.zeros(0, np.uint64), *parts]), np.cumsum(counts)


def _code(piece: str) -> int:
    return int.from_bytes(hashlib.blake2b(piece.encode(), digest_size=4).digest(), "little")


def _bands(
    codes: np.ndarray, start: np.ndarray, known: np.ndarray, random: np.random.Generator
) -> Iterator[np.ndarray]:
    """Of each band one number a known text, (n,) uint64: equal where the ROWS least hashes are."""
    for _ in range(BANDS):
        band = np.zeros(len(known), np.uint64)
        for _ in range(ROWS):
            hashed = _mixed(codes + random.integers(1 << 63, dtype=np.uint64))
            least = np.minimum.reduceat(hashed, start[known]) if len(known) else hashed
            band = _mixed(band + least)
        yield band


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """SplitMix64 (Steele et al., OOPSLA 2014): numbers that look random, the same for the same ones."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _shares(codes: np.ndarray, start: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Those in both, of all."""
    shared = np.empty(len(pairs))
    for place, (a, b) in enumerate(pairs.tolist()):
        left, right = codes[start[a] : start[a + 1]], codes[start[b] : start[b + 1]]
        both = len(np.intersect1d(left, right, assume_unique=True))
        shared[place] = both / (len(left) + len(right) - both)
    return shared
