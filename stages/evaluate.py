"""Measure retrieval on the held-out splits, each a gallery of its own, with bootstrap intervals."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kith.errors import KithError
from kith.evaluation.catalogue import DIRECTIONS
from kith.evaluation.classes import KnownClasses
from kith.evaluation.codes import ClassDatabase
from kith.evaluation.gallery import Gallery, GallerySide
from kith.evaluation.measure import MeasureOptions, measure
from kith.metrics.classification import svm_scores
from stages import cli, contract, files, params, tracking

FOUND = ("train", "val", "database")  # splits of the database: all that are not for testing
COLUMNS = ["split", "direction", "row", "text", "group", "rank", "reciprocal_rank", "average_precision", "ahp"]
COLUMNS += ["hamming_ap", "hits", "similarities"]
LINES = {  # what is printed of a direction after its ranks: title → metric
    "Mean Dist": "pairs/mean_distance",
    "MRR": "mrr",
    "Min Dist": "pairs/min_distance",
    "Max Dist": "pairs/max_distance",
    "Med Dist": "pairs/median_distance",
}


def main(
    *,
    method: str,
    seed: int,
    data: Path,
    text: Path,
    taxonomy: Path,
    model: Path,
    images: Path,
    texts: Path,
    rows: Path,
    scores: Path,
    metrics: Path,
    queries: Path,
) -> None:
    """Write the metrics of one trained run to --metrics and one row a query to --queries."""
    options = params.load().evaluate
    items = contract.items(data)
    galleries = read_galleries(items, contract.semantic_vectors(text), images, texts, rows)
    known = read_classes(items, taxonomy, images, rows, scores, options)
    database = read_database(items, known.labels, images, rows, options)
    wanted = MeasureOptions(**{name: getattr(options, name) for name in MeasureOptions.__annotations__})
    splits, tables = {}, []
    for split, gallery in galleries.items():
        splits[split], table = measure(gallery, known, database.without(split), wanted)
        asked = [direction for direction in DIRECTIONS if direction in splits[split]["queries"]]
        print("\n\n".join(block(split, splits[split], direction) for direction in asked), end="\n\n" if asked else "")
        table["group"] = items["group"].to_numpy()[table["row"]]
        tables.append(table.assign(split=split))
    result = {"method": method, "seed": seed, "splits": splits}
    files.write_parquet(queries, pd.concat(tables, ignore_index=True)[COLUMNS])
    files.write_json(metrics, result)
    tracking.log_evaluation(method=method, seed=seed, metrics=result, artifacts=[metrics, queries], model=model)


def read_galleries(items: pd.DataFrame, meaning: Any, images: Path, texts: Path, rows: Path) -> dict[str, Gallery]:
    """The gallery of every split that is measured: test, the other test sets, val."""
    names, groups = items["split"].to_numpy(), contract.group_codes(items)
    if meaning.shape[0] != len(items):
        raise KithError(f"the text stage placed {meaning.shape[0]} items, there are {len(items)}; run it again")
    with np.load(rows) as embedded:
        sides = [
            _side(path, rows, embedded, name, items, groups)
            for path, name in ((images, "image_rows"), (texts, "text_rows"))
        ]
    found = {split for side in sides for split in names[side.items]}
    wanted = sorted((s for s in found if s.startswith("test")), key=lambda s: (s != "test", s))
    wanted += ["val"] if "val" in found else []
    if not wanted:
        raise KithError(f"{rows}: holds no item of a test split or of val; see embed.splits in params.yaml")
    galleries = {}
    for split in wanted:
        pictures, written = (side[names[side.items] == split] for side in sides)
        galleries[split] = gallery = Gallery(pictures, written, meaning)
        if len(sides[1].items) and not len(gallery.sides(DIRECTIONS[0])[0].items):
            raise KithError(f"{rows}: split '{split}' has no text whose group has a picture; nothing to measure")
    return galleries


def _side(
    path: Path, rows_path: Path, embedded: Any, name: str, items: pd.DataFrame, groups: np.ndarray
) -> GallerySide:
    vectors, rows = np.load(path), embedded[name]
    known = np.concatenate([[0], rows, [len(items) - 1]])  # ascending if every row is one of the items'
    if len(vectors) != len(rows) or (np.diff(known) < 0).any():
        raise KithError(f"{path} ({len(vectors)} rows) and {rows_path}, {name} do not match; embed again")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        item = items["id"].iloc[rows[bad[0]]]
        raise KithError(f"{path}: row {bad[0]} (item '{item}') is not finite; train again, with a lower lr")
    places = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return GallerySide(vectors, rows, groups[rows], places)


def read_classes(
    items: pd.DataFrame, taxonomy: Path, images: Path, rows: Path, scores: Path, options: params.Evaluate
) -> KnownClasses:
    """Labels of all items, and what the run predicts. Raises KithError where scores and pictures do not match."""
    labels = contract.class_numbers(items, contract.classes(taxonomy))
    with np.load(rows) as embedded, np.load(scores) as arrays:
        embedded_items, predicted = embedded["image_rows"], dict(arrays)
    for name, values in predicted.items():
        if len(values) != len(embedded_items):
            raise KithError(f"{scores} ({name}: {len(values)} rows) and {rows} do not match; embed again")
    if options.svm:
        predicted["svm"] = _svm(np.load(images), embedded_items, items, labels, options.seed)
    similarity = {measure: contract.similarity(taxonomy, measure) for measure in ("lcsh", "wup")}
    return KnownClasses(labels, similarity, predicted, embedded_items)


def _svm(vectors: np.ndarray, embedded: np.ndarray, items: pd.DataFrame, labels: np.ndarray, seed: int) -> np.ndarray:
    train = (items["split"].to_numpy()[embedded] == "train") & (labels[embedded] >= 0)
    if not train.any():
        raise KithError("params.yaml: evaluate.svm needs the training pictures: name train in embed.splits")
    return svm_scores(vectors[train], labels[embedded][train], vectors, int(labels.max()) + 1, seed=seed)


def read_database(
    items: pd.DataFrame, labels: np.ndarray, images: Path, rows: Path, options: params.Evaluate
) -> ClassDatabase:
    """The database that params.yaml names; labels (n_items,), −1 unknown. Raises KithError where it is not there."""
    with np.load(rows) as embedded:
        coded, places = "codes" in embedded and bool(embedded["codes"]), embedded["image_rows"]
    if options.database == "same":
        return ClassDatabase(coded)
    splits = items["split"].to_numpy()[places]
    chosen = np.isin(splits, FOUND) & (labels[places] >= 0)
    if not (splits[chosen] == "train").any():
        raise KithError(
            f"params.yaml: evaluate.database: train needs training pictures with a label, and {rows} has none: "
            "name train in embed.splits"
        )
    return ClassDatabase(coded, np.load(images, mmap_mode="r")[chosen], labels[places][chosen], splits[chosen])


def block(split: str, entry: dict[str, Any], direction: str) -> str:
    """One direction of a split's entry in metrics.json as lines to read, as printed by Dorfer et al.'s program."""
    values = {name.removeprefix(f"{direction}/"): each["value"] for name, each in entry["metrics"].items()}
    recalls = {name: name.removeprefix("R@") for name in values if name.startswith("R@")}
    hits = {k: f"({entry['hits'][f'{direction}/hits@{k}']})" for k in recalls.values()}
    lines = {f"Top {int(k):02}": f"{values[name]:.3f} {hits[k]}" for name, k in recalls.items()}
    lines["Median Rank"] = f"{values['median_rank']:.2f} ({entry['candidates'][direction]})"
    lines["Mean Rank"] = f"{values['mean_rank']:.2f}"
    lines |= {title: f"{values[name]:.3f}" for title, name in LINES.items() if name in values}
    width = max(map(len, lines))
    head = f"{split}, {direction.replace('_', ' ')}, {entry['queries'][direction]} queries"
    return "\n".join([head, "Hit Rates", *(f"{title:>{width}}: {value}" for title, value in lines.items())])


if __name__ == "__main__":
    cli.run(main)
