"""Small made-up files in the layouts of the array sources."""

from pathlib import Path

import numpy as np


def write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """An .npz file, or, where `path` has no suffix, a folder of .npy files."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
        return path
    path.mkdir()
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    return path


def correlated(n: int, first: int = 8, second: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two float32 views (n, first), (n, second) of the same four hidden numbers, with a little noise."""
    random = np.random.default_rng(seed)
    hidden = random.standard_normal((n, 4))
    views = [hidden @ random.standard_normal((4, d)) + 0.2 * random.standard_normal((n, d)) for d in (first, second)]
    return views[0].astype(np.float32), views[1].astype(np.float32)


def iapr_tc12(path: Path, copies: int = 100) -> Path:
    """19,996 pairs and flipped copies after them, in few dimensions."""
    images, tfidf = correlated(19_996)
    return write(path, {"images": np.concatenate([images, images[:copies]]), "tfidf": np.abs(tfidf)})


def audio_score(path: Path, train: int = 60, val: int = 20, test: int = 20) -> Path:
    """A bar in a sheet snippet at the height at which there is one in the spectrogram."""
    arrays, random = {}, np.random.default_rng(0)
    for name, n in (("tr", train), ("va", val), ("te", test)):
        note = random.random((n, 2))
        sheet = random.integers(0, 40, (n, 40, 50)).astype(np.float32)
        sound = 0.1 * random.random((n, 92, 42)).astype(np.float32)
        for i, (pitch, onset) in enumerate(note):
            sheet[i, int(pitch * 32) :][:8, int(onset * 40) :][:, :10] = 255
            sound[i, int(pitch * 76) :][:16, int(onset * 34) :][:, :8] = 1
        arrays |= {f"X_{name}": sheet, f"Y_{name}": sound}
    return write(path, arrays)
