"""Maps of what was learnt: the pictures and texts of one run, and how every method arranges the same classes."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kith.evaluation.catalogue import IMAGES
from kith.plots import spaces as space_plots
from kith.store.classes import Classes
from kith.store.prepared import Prepared
from kith.store.run import EmbeddingFiles, read_embeddings
from kith.taxonomy import narrowest
from stages import params

CLASSES = 10  # that the maps of all methods show
COLOURED = 6  # labels that the map of one run tells apart


class Space:
    """The embeddings of a run by item row."""

    def __init__(self, run: Path, data: Prepared) -> None:
        found = read_embeddings(EmbeddingFiles.of(run), data, run / "model.pt")
        self.image_rows, self.text_rows = found.image.items, found.text.items
        self.images, self.texts = found.image.vectors, found.text.vectors

    def pairs(self, rows: np.ndarray) -> np.ndarray:
        """Those of `rows` with both a picture and a text, or with a picture where there are no texts at all."""
        both = np.intersect1d(self.image_rows, self.text_rows) if len(self.texts) else self.image_rows
        return np.intersect1d(both, rows)

    def image(self, rows: np.ndarray) -> np.ndarray:
        """Of several vectors an item one long one, to be drawn."""
        return _flat(self.images[np.searchsorted(self.image_rows, rows)])

    def text(self, rows: np.ndarray) -> np.ndarray:
        """The first text of each."""
        return _flat(self.texts[np.searchsorted(self.text_rows, rows)])

    def nearest_texts(self, row: int, found: Iterable[int]) -> list[int]:
        """Which text of each item in `found` answers the picture of `row`; found again, the next best one."""
        seen: Counter[int] = Counter()
        chosen = []
        for hit in found:
            own = slice(*np.searchsorted(self.text_rows, [hit, hit + 1]))
            order = np.argsort(-self._near(row, self.texts[own]), kind="stable")
            chosen.append(int(order[seen[hit]]))
            seen[hit] += 1
        return chosen

    def _near(self, row: int, texts: np.ndarray) -> np.ndarray:
        near = texts @ self.images[np.searchsorted(self.image_rows, row)].T
        return near if near.ndim == 1 else near.max(axis=(1, 2))


def _flat(vectors: np.ndarray) -> np.ndarray:
    return vectors if vectors.ndim == 2 else vectors.reshape(len(vectors), -1)


def one_run(options: params.Report, split: str, run: Path, data: Prepared) -> dict[str, Figure]:
    """The map of drawn items of a split, their pictures joined with their texts."""
    space = Space(run, data)
    places = space.pairs(data.rows_of(split))
    if len(places) < 2:
        return {}
    chosen = np.sort(np.random.default_rng(options.seed).permutation(places)[: options.tsne])
    labels = broad_labels(data.table["label_name"].iloc[chosen], data.taxonomy)
    texts = space.text(chosen) if len(space.texts) else None
    return {"tsne": space_plots.tsne(space.image(chosen), texts, labels, options.seed)}


def all_methods(
    settings: params.Params, board: pd.DataFrame, runs: Path, data: Prepared, classes: Classes
) -> dict[str, Figure]:
    """A map a method, seed the first, of the same pictures of a few classes; nothing without known classes."""
    found = f"{IMAGES}/map"
    if found not in board or board[found].isna().all():
        return {}
    study, scores = settings.study, board.set_index("method")[found]
    labels = classes.numbers(data.table)
    spaces = {method: Space(runs / f"{method}-{study.seeds[0]}", data) for method in study.methods}
    rows = np.flatnonzero((data.splits == board["split"].iloc[0]) & (labels >= 0))
    for space in spaces.values():
        rows = np.intersect1d(rows, space.image_rows)
    chosen = of_few_classes(rows, labels, settings.report)
    if len(chosen) < 2:
        return {}
    images = {titled(method, scores.get(method)): space.image(chosen) for method, space in spaces.items()}
    names = [classes.names[label] for label in labels[chosen]]
    return {"tsne_methods": space_plots.tsne_methods(images, names, settings.report.seed)}


def titled(method: str, score: float | None) -> str:
    """The method and, if it has one, its mean average precision."""
    return method if score is None or pd.isna(score) else f"{method}\nmAP {score:.3f}"


def of_few_classes(rows: np.ndarray, labels: np.ndarray, options: params.Report) -> np.ndarray:
    """Drawn rows of ten drawn classes at most: a class is drawn the more easily, the more rows it has."""
    order = np.random.default_rng(options.seed).permutation(rows)
    drawn = list(dict.fromkeys(labels[order].tolist()))[:CLASSES]
    return np.sort(order[np.isin(labels[order], drawn)][: options.tsne])


def broad_labels(labels: pd.Series, taxonomy: pd.DataFrame) -> pd.Series:
    """Names that few colours can tell apart: climbs the taxonomy until the commonest cover half of all."""
    parents = dict(zip(taxonomy["child"], taxonomy["parent"], strict=True))
    names = dict(zip(taxonomy["child"], map(narrowest, taxonomy["name"]), strict=True))
    for _ in range(len(parents)):
        counts = labels[labels != ""].value_counts()
        above = labels.map(parents).fillna(labels)
        if 2 * counts[:COLOURED].sum() >= counts.sum() or above.equals(labels) or above.nunique() == 1:
            break
        labels = above
    shown = {label: names.get(label, label) for label in labels.unique()}
    shared = Counter(shown.values())
    for label, name in shown.items():
        if shared[name] > 1:  # Latin/lowercase and Greek/lowercase
            shown[label] = f"{names.get(parents.get(label), '')} {name}".strip()
    return labels.map(shown)
