"""The two data sets of Dorfer et al., "End-to-end cross-modality retrieval with CCA projections and pairwise ranking
loss", IJMIR 2018, as the features or excerpts that their program reads."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kith.data.kinds import Vectors
from kith.data.source import File, Recipe
from kith.errors import KithError

if TYPE_CHECKING:
    from kith.data.arrays import TwoViews


def iapr_tc12(
    path: Path, originals: int = 19_996, val: int = 1000, test: int = 2000, train: int = 17_000
) -> "TwoViews":
    """`images` (n, 4096) and `tfidf` (n, 2048) of IAPR TC-12 (Grubinger et al., 2006), split as published.

    Rows beyond `originals` are flipped copies and left out. A permutation (seed 23) gives validation, then test,
    then training pairs; the first of these are repeated until there are `train`, as items of their groups.
    """
    from kith.data.arrays import SIDES, Arrays, Feature, TwoViews, described

    arrays, names = Arrays(path), dict(zip(SIDES, ("images", "tfidf"), strict=True))
    views = {side: arrays.features(name) for side, name in names.items()}
    for side, view in views.items():
        if len(view) < originals:
            raise KithError(
                f"{path}: array '{names[side]}' has {len(view):,} rows, the published split needs {originals:,}"
            )
    order = np.random.RandomState(23).permutation(originals)
    repeated = order[val + test :][: train - (originals - val - test)]
    rows = np.concatenate([order, repeated])
    split = np.repeat(["val", "test", "train"], [val, test, len(rows) - val - test]).tolist()
    groups = [str(row) for row in rows]
    ids = groups[:originals] + [f"{row}-again" for row in repeated]
    return TwoViews(
        described(ids, split, groups), {side: Feature([(name, views[side], rows)]) for side, name in names.items()}
    )


def audio_score(path: Path) -> "TwoViews":
    """Sheet music X (n, 40, 50), 0 … 255, and spectrograms Y (n, 92, 42), as X_tr, Y_tr, X_va, Y_va, X_te, Y_te."""
    from kith.data.arrays import SIDES, Arrays, Feature, TwoViews, described, same_rows

    arrays = Arrays(path)
    parts: dict[str, list[tuple[str, np.ndarray, np.ndarray]]] = {side: [] for side in SIDES}
    ids, split = [], []
    for short, name in (("tr", "train"), ("va", "val"), ("te", "test")):
        views = {f"X_{short}": arrays.features(f"X_{short}"), f"Y_{short}": arrays.features(f"Y_{short}")}
        count = same_rows(path, views)
        for side, (array, view) in zip(SIDES, views.items(), strict=True):
            parts[side].append((array, view, np.arange(count)))
            if view.shape[1:] != parts[side][0][1].shape[1:]:
                raise KithError(f"{path}: array '{array}' has rows of another shape than '{parts[side][0][0]}'")
        ids += [f"{short}-{row}" for row in range(count)]
        split += [name] * count
    return TwoViews(described(ids, split), {side: Feature(parts[side]) for side in SIDES})


# Where the authors' program fetches them. They state no checksums: what comes is reported with its own.
SERVER = "http://www.cp.jku.at/people/dorfer/cca_layer/"
SOURCES = (
    Vectors(
        name="iapr_tc12",
        read=iapr_tc12,
        layout="arrays `images` and `tfidf`",
        recipe=Recipe(
            "free of charge, without copyright restrictions (ImageCLEF)",
            "https://www.imageclef.org/photodata",
            (File(f"{SERVER}iapr.npz"),),
        ),
    ),
    Vectors(
        name="audio_score",
        read=audio_score,
        layout="arrays of two views, `X_tr`, `Y_tr`, …: [a new problem](new-problem.md)",
        recipe=Recipe(
            "no licence stated; cite Dorfer et al. 2018",
            "https://github.com/CPJKU/cca_layer",
            (File(f"{SERVER}audio_sheet_music.npz"),),
        ),
    ),
)
