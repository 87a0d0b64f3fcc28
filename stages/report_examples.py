"""What the report shows of one run: questions with their answers, a map of the space, neighbourhoods."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kith import galleries, plots
from kith.metrics.gallery import IMAGES
from stages import contract
from stages.params import Report

ITEMS, NEIGHBORS = 5, 3  # of the figure of neighbourhoods
COLOURED = 6  # labels that the map tells apart


def draw(options: Report, split: str, run: Path, data: Path, neighbors: Path) -> dict[str, Figure]:
    """Galleries and map of `run` on `split`, neighbourhoods of training items; no figure without content."""
    items, space = contract.items(data), Space(run)
    views = Views(data, items)
    queries = pd.read_parquet(run / "queries.parquet").query("split == @split")
    figures = {}
    for direction in (*plots.DIRECTIONS, IMAGES):
        asked = queries[queries["direction"] == direction]
        if len(asked) and views.has_pictures:
            found = matches(asked, options, items, views, space)
            lines = direction == "image_to_text" and not views.text_maps
            figures[f"gallery_{direction}"] = (galleries.text_gallery if lines else galleries.picture_gallery)(found)
    places = space.pairs(np.flatnonzero(items["split"] == split))
    if len(places) >= 2:
        chosen = np.sort(np.random.default_rng(options.seed).permutation(places)[: options.tsne])
        labels = broad_labels(items["label_name"].iloc[chosen], pd.read_parquet(data / "taxonomy.parquet"))
        texts = space.text(chosen) if len(space.texts) else None
        figures["tsne"] = galleries.tsne(space.image(chosen), texts, labels, options.seed)
    rows = neighborhoods(pd.read_parquet(neighbors / "neighbors.parquet"), views, options.seed)
    return figures | ({"neighbors": galleries.neighbors(rows)} if rows and views.has_pictures else {})


class Views:
    """What stands for an item in a figure: a picture on the image side; a text, or else its id, on the text side.

    Features that are maps (1, H, W) are grey pictures, from black, the data set's lowest value, to white, its highest.
    """

    def __init__(self, data: Path, items: pd.DataFrame) -> None:
        self.ids, self.texts, self.image_rows = (items[name].to_numpy() for name in ("id", "texts", "image_row"))
        features = contract.features(data, "image")
        self.image_maps, self.text_maps = _maps(features), _maps(contract.features(data, "text"))
        self.images = contract.images(data) if features is None else None
        self.has_pictures = self.images is not None or self.image_maps is not None

    def image(self, row: int) -> np.ndarray | None:
        """(H, W, C) uint8; None for an item without a picture."""
        if self.image_maps is not None:
            return self.image_maps[row]
        place = self.image_rows[row]
        return self.images[place] if self.images is not None and place >= 0 else None

    def text(self, row: int, place: int = 0) -> Any:
        """The item's text at `place`, a picture of its features, or its id."""
        if self.text_maps is not None:
            return self.text_maps[row]
        return self.words(row, place)

    def words(self, row: int, place: int = 0) -> str:
        """The item's text at `place`, or else its id."""
        return self.texts[row][place] if len(self.texts[row]) else self.ids[row]


class Maps:
    """Maps (N, 1, H, W) as grey pictures (H, W, 1)."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.low, self.high = array, float(array.min()), float(array.max())

    def __getitem__(self, row: int) -> np.ndarray:
        share = (self.array[row, 0] - self.low) / max(self.high - self.low, 1e-12)
        return np.rint(255 * share).astype(np.uint8)[..., None]


def _maps(features: np.ndarray | None) -> Maps | None:
    return Maps(features) if features is not None and is_map(features.shape[1:]) else None


def is_map(shape: Sequence[int]) -> bool:
    """Whether features of this shape (of one item) can be shown as a grey picture."""
    return len(shape) == 3 and shape[0] == 1


class Space:
    """The embeddings of a run by item row."""

    def __init__(self, run: Path) -> None:
        with np.load(run / "embedding_rows.npz") as rows:
            self.image_rows, self.text_rows = rows["image_rows"], rows["text_rows"]
        self.images, self.texts = (np.load(run / f"embeddings_{kind}.npy", mmap_mode="r") for kind in ("image", "text"))

    def pairs(self, rows: np.ndarray) -> np.ndarray:
        """Those of `rows` with both a picture and a text, or with a picture where there are no texts at all."""
        both = np.intersect1d(self.image_rows, self.text_rows) if len(self.texts) else self.image_rows
        return np.intersect1d(both, rows)

    def image(self, rows: np.ndarray) -> np.ndarray:
        return self.images[np.searchsorted(self.image_rows, rows)]

    def text(self, rows: np.ndarray) -> np.ndarray:
        """The first text of each."""
        return self.texts[np.searchsorted(self.text_rows, rows)]

    def nearest_texts(self, row: int, found: Iterable[int]) -> list[int]:
        """Which text of each item in `found` answers the picture of `row`; found again, the next best one."""
        seen: Counter[int] = Counter()
        chosen = []
        for hit in found:
            own = slice(*np.searchsorted(self.text_rows, [hit, hit + 1]))
            order = np.argsort(-(self.texts[own] @ self.image(np.array([row]))[0]), kind="stable")
            chosen.append(int(order[seen[hit]]))
            seen[hit] += 1
        return chosen


def matches(
    queries: pd.DataFrame, options: Report, items: pd.DataFrame, views: Views, space: Space
) -> list[galleries.Match]:
    """A drawn half of queries with a right best answer, then a half with a wrong one."""
    found = []
    what = items["label_name" if (queries["direction"] == IMAGES).all() else "group"].to_numpy()
    first = what[queries["hits"].str[0].to_numpy(dtype=np.int64)] == what[queries["row"]]
    for query in queries.iloc[mixed(first, options.queries, options.seed)].itertuples():
        if query.direction == "image_to_text":
            which = space.nearest_texts(query.row, query.hits)
            asked = views.image(query.row)
            answers = [views.text(hit, place) for hit, place in zip(query.hits, which, strict=True)]
        else:
            asked = views.image(query.row) if query.direction == IMAGES else views.text(query.row, query.text)
            answers = [views.image(hit) for hit in query.hits]
        found.append(galleries.Match(asked, answers, query.similarities, what[query.hits] == what[query.row]))
    return found


def mixed(right: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Up to `count` drawn places, half of them right as far as there are; the right ones first."""
    rng = np.random.default_rng(seed)
    yes, no = rng.permutation(np.flatnonzero(right)), rng.permutation(np.flatnonzero(~right))
    wrong = min(len(no), max(count // 2, count - len(yes)))
    return np.concatenate([yes[: count - wrong], no[:wrong]])


def broad_labels(labels: pd.Series, taxonomy: pd.DataFrame) -> pd.Series:
    """Names that few colours can tell apart: climbs the taxonomy until the commonest cover half of all."""
    parents = dict(zip(taxonomy["child"], taxonomy["parent"], strict=True))
    names = dict(zip(taxonomy["child"], taxonomy["name"], strict=True))
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


def neighborhoods(table: pd.DataFrame, views: Views, seed: int) -> list[list[tuple[np.ndarray | None, str, float]]]:
    """A few drawn items, each followed by its nearest neighbours: picture, text, similarity."""
    table = table[table["rank"] < NEIGHBORS].sort_values(["row", "rank"])
    rows = table["row"].unique()
    drawn = np.random.default_rng(seed).permutation(rows)[:ITEMS]

    def shown(row: int, similarity: float) -> tuple[np.ndarray | None, str, float]:
        return views.image(row), views.words(row), similarity

    near = table.groupby("row")
    return [
        [shown(row, 1.0), *(shown(n.neighbor, n.similarity) for n in near.get_group(row).itertuples())] for row in drawn
    ]
