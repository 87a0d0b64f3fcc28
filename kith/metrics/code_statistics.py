"""Are the bits of binary codes used well: balanced, independent, telling items apart?"""

from typing import Any

import numpy as np

from kith.codes import pack
from kith.similarity import as_array


def code_statistics(codes: Any) -> dict[str, Any]:
    """Of codes ±1 (n, bits): "bit_mean", (bits,) float64, 0 for a bit that halves the items; "bit_imbalance", the mean
    of their sizes, 1 for bits that never change; "bit_correlation", the mean size of the correlation of two bits that
    change (NaN without two); "constant_bits" and "distinct_codes", numbers. Raises KithError for other values."""
    packed, codes = pack(codes), as_array(codes)
    codes = (codes > 0) * 2.0 - 1.0
    means = codes.mean(axis=0)
    centred = codes - means
    centred = centred[:, centred.any(axis=0)]
    centred /= np.linalg.norm(centred, axis=0)
    pairs = np.abs(centred.T @ centred)[np.triu_indices(centred.shape[1], 1)]
    return {
        "bit_mean": means,
        "bit_imbalance": float(np.abs(means).mean()),
        "bit_correlation": float(pairs.mean()) if len(pairs) else float("nan"),
        "constant_bits": int(codes.shape[1] - centred.shape[1]),
        "distinct_codes": len(np.unique(packed, axis=0)),
    }
