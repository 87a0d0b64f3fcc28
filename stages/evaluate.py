"""Measure retrieval on the held-out splits, each a gallery of its own, with bootstrap intervals."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kith.errors import KithError
from kith.evaluation.catalogue import DIRECTIONS
from kith.evaluation.classes import KnownClasses
from kith.evaluation.codes import ClassDatabase
from kith.evaluation.gallery import Gallery, GallerySide
from kith.evaluation.judged import Judged, judged_texts
from kith.evaluation.judgements import read_captions, read_judgements
from kith.evaluation.measure import MeasureOptions, measure
from kith.evaluation.results import FIRST
from kith.metrics.classification import svm_scores
from kith.store.classes import Classes
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, note, parameters, proved, read
from kith.store.run import EmbeddedSide, EmbeddingFiles, Embeddings, read_embeddings, read_scores
from kith.store.semantic import Matrix, semantic_vectors
from stages import cli, files, params, tracking

# Splits of the database: all that are not for testing, or what is neither trained on nor asked for.
DATABASES = {"train": ("train", "val", "database"), "rest": ("database",)}
COLUMNS = ["split", "direction", "row", "text", "group", "rank", "reciprocal_rank", "average_precision", "ahp"]
COLUMNS += ["hamming_ap", *FIRST, "hits", "similarities"]
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
    history: Path,
    trained: Path,
    images: Path,
    texts: Path,
    rows: Path,
    scores: Path,
    embedded: Path,
    metrics: Path,
    queries: Path,
    evaluated: Path,
) -> None:
    """Write the metrics of one trained run to --metrics, one row a query to --queries, and what they are made of."""
    settings, prepared = params.load(), Prepared(data)
    options = settings.evaluate
    made = proved(trained, [model, history], "train", data=prepared)
    if (made.get("method"), made.get("seed")) != (method, seed):
        raise KithError(f"{trained}: is of {made.get('method')}, seed {made.get('seed')}, not of {method}, seed {seed}")
    params.prove_trained(made, settings, trained)
    written = EmbeddingFiles(images, texts, rows, scores, embedded)
    embeddings = read_embeddings(written, prepared, model)
    for note_of, stage, section in ((embedded, "embed", settings.embed), (text / NOTE, "text", settings.text)):
        params.prove_parameters(read(note_of, stage), parameters_of(section), note_of, stage)
    galleries = galleries_of(prepared, embeddings, semantic_vectors(text, prepared))
    predicted = read_scores(written, embeddings)
    known = classes_of(prepared, embeddings, predicted, Classes(taxonomy, prepared), options)
    database = database_of(prepared, embeddings, known.labels if known.sets is None else known.sets, options)
    wanted = _wanted(options, embeddings)
    judged = None if options.judged is None else judged_by(options.judged, prepared)
    splits, tables = {}, []
    for split, gallery in galleries.items():
        splits[split], table = measure(gallery, known, database.without(split), wanted, judged)
        _print(split, splits[split])
        table["group"] = prepared.table["group"].to_numpy()[table["row"]]
        tables.append(table.assign(split=split))
    result = {"method": method, "seed": seed, "splits": splits}
    files.write_parquet(queries, pd.concat(tables, ignore_index=True)[COLUMNS])
    files.write_json(metrics, result)
    made_of = {"data": prepared.checksum, "model": made["files"][model.name], "parameters": parameters_of(options)}
    files.write_json(evaluated, note([metrics, queries], method=method, seed=seed, **made_of))
    tracking.log_evaluation(method, seed, result, [metrics], model=model, history=history, data=prepared)


def _wanted(options: params.Evaluate, embeddings: Embeddings) -> MeasureOptions:
    """What is measured; the measures of metric learning are of one vector an item."""
    wanted = MeasureOptions(**{name: getattr(options, name) for name in MeasureOptions.__annotations__})
    return replace(wanted, metric_learning=False) if embeddings.image.several else wanted


def _print(split: str, measured: dict[str, Any]) -> None:
    asked = [direction for direction in DIRECTIONS if direction in measured["queries"]]
    print("\n\n".join(block(split, measured, direction) for direction in asked), end="\n\n" if asked else "")


def parameters_of(options: params.Section) -> str:
    """The checksum of the parameters of a stage, as its note has it."""
    return parameters(options.model_dump(mode="json"))


def galleries_of(data: Prepared, embeddings: Embeddings, semantic: Matrix) -> dict[str, Gallery]:
    """The gallery of every split that is measured: test, the other test sets, val."""
    sides = [_side(each, data.groups) for each in (embeddings.image, embeddings.text)]
    found = {split for side in sides for split in data.splits[side.items]}
    wanted = sorted((s for s in found if s.startswith("test")), key=lambda s: (s != "test", s))
    wanted += ["val"] if "val" in found else []
    if not wanted:
        raise KithError("no item of a test split or of val was embedded; see embed.splits in params.yaml")
    galleries = {}
    for split in wanted:
        pictures, written = (side[data.splits[side.items] == split] for side in sides)
        galleries[split] = gallery = Gallery(pictures, written, semantic)
        if len(sides[1].items) and not len(gallery.sides(DIRECTIONS[0])[0].items):
            raise KithError(
                f"{data.folder}: split '{split}' has no embedded text whose group has a picture; nothing to measure"
            )
    return galleries


def _side(side: EmbeddedSide, groups: np.ndarray) -> GallerySide:
    places = np.arange(len(side.items)) - np.searchsorted(side.items, side.items)
    return GallerySide(np.asarray(side.vectors), side.items, groups[side.items], places)


def classes_of(
    data: Prepared,
    embeddings: Embeddings,
    predicted: dict[str, np.ndarray],
    classes: Classes,
    options: params.Evaluate,
) -> KnownClasses:
    """Labels of all items, and what the run predicts of the embedded pictures. A linear SVM sees one vector an item."""
    labels, embedded, sets = classes.numbers(data.table), embeddings.image, classes.sets(data.table)
    if sets is not None and (asked := [name for name in ("svm", "metric_learning") if getattr(options, name)]):
        raise KithError(f"params.yaml: evaluate.{asked[0]} needs items of one label each, and these have several")
    if options.svm and not embedded.several:
        predicted = predicted | {"svm": _svm(embedded, data.splits, labels, options)}
    similarity = {measure: classes.similarity(measure) for measure in ("lcsh", "wup")}
    return KnownClasses(labels, similarity, predicted, embedded.items, sets)


def _svm(embedded: EmbeddedSide, splits: np.ndarray, labels: np.ndarray, options: params.Evaluate) -> np.ndarray:
    vectors, items = np.asarray(embedded.vectors), embedded.items
    train = (splits[items] == "train") & (labels[items] >= 0)
    if not train.any():
        raise KithError("params.yaml: evaluate.svm needs the training pictures: name train in embed.splits")
    return svm_scores(
        vectors[train],
        labels[items][train],
        vectors,
        n_classes=int(labels.max()) + 1,
        scaling=options.svm_scaling,
        c=options.svm_c,
        seed=options.seed,
    )


def judged_by(folder: Path, data: Prepared) -> Judged:
    """What `folder` says is right beside, or in place of, the pairs of the data. Raises KithError where it is of other
    data."""
    judgements, pictures = read_judgements(folder), data.table["id"].to_numpy(dtype=str)
    captions = judged_texts(pictures, data.table["texts"], read_captions(folder))
    if not captions:
        raise KithError(f"{folder}: evaluate.judged: its captions are of other pictures than those of {data.folder}")
    return Judged(judgements, pictures, captions)


def database_of(data: Prepared, embeddings: Embeddings, labels: np.ndarray, options: params.Evaluate) -> ClassDatabase:
    """The database that params.yaml names; labels (n_items,), −1 unknown, or sets of them (n_items, classes). With
    several vectors an item it is not searched: no votes are defined. Raises KithError where it is not there."""
    if options.database == "same" or embeddings.image.several:
        return ClassDatabase(embeddings.coded)
    items = embeddings.image.items
    splits = data.splits[items]
    known = labels[items] >= 0 if labels.ndim == 1 else labels[items].any(axis=1)
    chosen = np.isin(splits.astype(str), DATABASES[options.database]) & known
    first = DATABASES[options.database][0]
    if not (splits[chosen] == first).any():
        what = "training pictures" if first == "train" else "pictures of the split database (prepare.per_class)"
        raise KithError(
            f"params.yaml: evaluate.database: {options.database} needs {what} with a label, and none was embedded: "
            f"name {first} in embed.splits"
        )
    return ClassDatabase(embeddings.coded, embeddings.image.vectors[chosen], labels[items][chosen], splits[chosen])


def block(split: str, entry: dict[str, Any], direction: str) -> str:
    """One direction of a split's entry in metrics.json as lines to read, as printed by Dorfer et al.'s program: of
    each cutoff k the recall, the hits, and the recall divided by k."""
    values = {name.removeprefix(f"{direction}/"): each["value"] for name, each in entry["metrics"].items()}
    recalls = {name: name.removeprefix("R@") for name in values if name.startswith("R@")}
    hits = {k: f"({entry['hits'][f'{direction}/hits@{k}']})" for k in recalls.values()}
    lines = {f"Top {int(k):02}": f"{values[r]:.3f} {hits[k]} {values[r] / int(k):.3f}" for r, k in recalls.items()}
    lines["Median Rank"] = f"{values['median_rank']:.2f} ({entry['candidates'][direction]})"
    lines["Mean Rank"] = f"{values['mean_rank']:.2f}"
    lines |= {title: f"{values[name]:.3f}" for title, name in LINES.items() if name in values}
    width = max(map(len, lines))
    head = f"{split}, {direction.replace('_', ' ')}, {entry['queries'][direction]} queries"
    return "\n".join([head, "Hit Rates", *(f"{title:>{width}}: {value}" for title, value in lines.items())])


if __name__ == "__main__":
    cli.run(main)
