"""Arrays that are kept for the next time, in one file."""

import contextlib
import os
from pathlib import Path

import numpy as np

from kith.data.temporary import beside


def write(path: Path, **arrays: np.ndarray) -> None:
    """Write an .npz that appears whole. Raises OSError where that cannot be, and leaves nothing then.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "kept.npz")
    >>> write(path, vectors=np.zeros(3))
    >>> np.load(path)["vectors"].shape, [each.name for each in path.parent.iterdir()]
    ((3,), ['kept.npz'])
    """
    temporary = beside(path)
    try:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
