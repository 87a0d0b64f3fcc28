"""Binary codes: signs of vectors, packed bits, and Hamming distances by XOR and population count.

A code is a row of ±1; in packed form bit 1 stands for +1, the first bit lowest, and unused bits at the end are 0.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kith.errors import KithError
from kith.similarity import as_array, as_matrix

WORD = 64  # bits
CACHED = 1 << 16  # words compared at once, so that they stay in a processor's cache


def sign_codes(values: Any) -> np.ndarray:
    """(n, bits) int8 codes ±1 of an (n, bits) matrix or tensor; 0 and −0 become +1.

    Raises KithError that names the first row with a NaN.

    >>> sign_codes([[0.5, -2, 0]]).tolist()
    [[1, -1, 1]]
    """
    matrix = as_matrix(values, "values")
    bad = np.flatnonzero(np.isnan(matrix).any(axis=1))
    if len(bad):
        raise KithError(f"values: row {bad[0]} has a NaN, which has no sign ({len(bad)} such rows)")
    return np.where(matrix >= 0, 1, -1).astype(np.int8)


def pack(codes: Any, dtype: type = np.uint64) -> np.ndarray:
    """Codes (n, bits) of ±1, or of truth values, to (n, ⌈bits / 64⌉) uint64 or, with `dtype`, (n, ⌈bits / 8⌉) uint8.

    Raises KithError that names the first row that holds anything else.

    >>> pack([[1, -1, 1]]).tolist()
    [[5]]
    """
    codes = as_array(codes)
    if codes.ndim != 2 or not codes.shape[1]:
        raise KithError(f"codes: expected an (n, bits) matrix of ±1, one row a code, not the shape {codes.shape}")
    if dtype not in (np.uint8, np.uint64):
        raise KithError(f"dtype: codes are packed to uint8 or uint64, not to {np.dtype(dtype)}")
    ones = codes if codes.dtype == bool else codes > 0
    if codes.dtype != bool:
        bad = np.flatnonzero((np.abs(codes) != 1).any(axis=1))
        if len(bad):
            raise KithError(f"codes: row {bad[0]} is not all ±1 ({len(bad)} such rows); take their sign_codes first")
    packed = np.packbits(ones, axis=1, bitorder="little")
    if dtype == np.uint8:
        return packed
    packed = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
    return packed.view("<u8").astype(np.uint64, copy=False)


def unpack(packed: np.ndarray, bits: int) -> np.ndarray:
    """(n, bits) int8 codes ±1 of packed ones, uint8 or uint64. Raises KithError where these hold fewer bits.

    >>> unpack(np.array([[5]], dtype=np.uint8), bits=3).tolist()
    [[1, -1, 1]]
    """
    octets = _octets(packed)
    if not 0 < bits <= 8 * octets.shape[1]:
        raise KithError(f"bits: {bits} do not fit packed codes of {8 * octets.shape[1]} bits")
    return np.unpackbits(octets, axis=1, count=bits, bitorder="little").astype(np.int8) * np.int8(2) - np.int8(1)


def packed_words(codes: Any) -> tuple[np.ndarray, int]:
    """(n, words) uint64 of codes in any form, and the number of bits: of packed ones, of their words.

    >>> words, bits = packed_words([[1, -1, 1]])
    >>> words.tolist(), bits
    ([[5]], 3)
    """
    codes = as_array(codes)
    if codes.dtype not in (np.uint8, np.uint64):
        return pack(codes), codes.shape[1]
    octets = _octets(codes)
    words = octets if codes.dtype == np.uint64 else np.pad(octets, ((0, 0), (0, -octets.shape[1] % 8)))
    return np.ascontiguousarray(words).view(np.uint64), 8 * octets.shape[1]


def hamming_distances(queries: Any, database: Any) -> np.ndarray:
    """(n_queries, n_database) numbers of bits that differ: uint8, or uint16 for codes of 256 bits and more.

    queries, database: codes of ±1 (n, bits), or packed. Raises KithError for codes of different lengths.

    >>> hamming_distances([[1, 1, 1]], [[1, -1, -1], [1, 1, 1]]).tolist()
    [[2, 0]]
    """
    parts = [distances.copy() for _, distances in hamming_blocks(queries, database)]
    return np.concatenate(parts) if parts else np.empty((0, len(database)), dtype=np.uint8)


def hamming_blocks(queries: Any, database: Any) -> Iterator[tuple[slice, np.ndarray]]:
    """For block after block of queries: its slice, and its distances as of `hamming_distances`.

    The array is overwritten by the next block: copy what is to be kept.

    >>> [(block, distances.tolist()) for block, distances in hamming_blocks([[1, 1]], [[1, -1], [1, 1]])]
    [(slice(0, 1, None), [[1, 0]])]
    """
    (queries, bits), (database, others) = packed_words(queries), packed_words(database)
    if bits != others:
        raise KithError(f"queries and database have codes of different lengths: {bits} and {others} bits")
    columns = np.ascontiguousarray(database.T)
    step = max(1, CACHED // max(1, len(database)))
    shape = step, len(database)
    different = np.empty(shape, dtype=np.uint64)
    total = np.empty(shape, dtype=np.uint8 if bits < 256 else np.uint16)
    counted = np.empty(shape, dtype=np.uint8)
    for start in range(0, len(queries), step):
        block = slice(start, min(start + step, len(queries)))
        rows = slice(0, block.stop - start)
        for word, column in enumerate(columns):
            np.bitwise_xor(queries[block, word, None], column, out=different[rows])
            if word == 0:
                np.bitwise_count(different[rows], out=total[rows])
            else:
                np.add(total[rows], np.bitwise_count(different[rows], out=counted[rows]), out=total[rows])
        yield block, total[rows]


def _octets(packed: Any) -> np.ndarray:
    packed = as_array(packed)
    if packed.ndim != 2 or packed.dtype not in (np.uint8, np.uint64):
        raise KithError(f"packed codes: expected (n, words) uint8 or uint64, not {packed.dtype} {packed.shape}")
    return np.ascontiguousarray(packed).view(np.uint8)
