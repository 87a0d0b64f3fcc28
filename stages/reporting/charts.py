"""The charts of a report that compare methods: of all their queries, of classes in their taxonomy, and of codes."""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kith import plots
from kith.evaluation.catalogue import BY_CLASSES, IMAGES
from kith.evaluation.results import FIRST
from kith.metrics.hierarchical import hierarchical_retrieval
from kith.plots import hierarchy as hierarchy_plots
from kith.plots import taxonomy as taxonomy_plots
from kith.plots import training as training_plots
from kith.store.classes import Classes
from kith.store.prepared import Prepared
from kith.taxonomy import Taxonomy, narrowest
from stages import files, params
from stages.reporting.spaces import Space


def of_methods(study: params.Study, board: pd.DataFrame, runs: Path) -> dict[str, Figure]:
    """What compares the methods on one split: the leaderboard in its order, the others in the study's."""
    history, queries, scores = [], [], []
    split = board["split"].iloc[0]
    for run, named in _runs(study, study.methods, runs):
        history.append(files.read_parquet(run / "history.parquet", "train again").assign(**named))
        metrics = _entry(run, split)["metrics"]
        if not all(f"{direction}/mrr" in metrics for direction in plots.DIRECTIONS):
            continue
        asked = files.read_parquet(run / "queries.parquet", "evaluate again", ["split", "direction", *FIRST])
        queries.append(asked[asked["split"] == split].assign(**named))
        scores += [{"method": named["method"], "direction": d, **metrics[f"{d}/mrr"]} for d in plots.DIRECTIONS]
    drawn = {"curves": training_plots.curves(pd.concat(history), study.methods)}
    if scores:
        # Several seeds: the mean of their values and of the ends of their intervals.
        means = pd.DataFrame(scores).groupby(["method", "direction"]).mean()
        order = [method for method in board["method"] if method in means.index]
        drawn |= {
            "leaderboard": plots.leaderboard(means.loc[order].reset_index(), study.methods),
            "recall_at_k": plots.recall_at_k(pd.concat(queries), study.methods),
        }
    if all("train_mrr" in each for each in history):  # histories of old trainings have none
        drawn["evolution"] = training_plots.evolution(pd.concat(history), study.methods)
    return drawn


class ClassCurves(NamedTuple):
    """precision: HP@k of every k up to the cutoff of AHP, columns method, seed, k, precision; recall: precision over
    recall, columns method, seed, recall, precision. Each may be empty."""

    precision: pd.DataFrame
    recall: pd.DataFrame


def class_curves(
    settings: params.Params, board: pd.DataFrame, runs: Path, data: Prepared, classes: Classes
) -> ClassCurves:
    """Of one split, and the methods that find pictures by pictures; empty without known classes."""
    clip, methods = settings.evaluate.clip, settings.study.methods
    metric = f"{IMAGES}/AHP@{clip}"
    if metric not in board or board[metric].isna().all():
        return ClassCurves(pd.DataFrame(), pd.DataFrame())
    labels, similarity = classes.numbers(data.table), classes.similarity("lcsh")
    chosen = (data.splits == board["split"].iloc[0]) & (labels >= 0)
    precision, recall = [], []
    for run, named in _runs(settings.study, _able(board, metric, methods), runs):
        found = _hierarchical(Space(run, data), chosen, labels, similarity, clip)
        k = np.arange(1, len(found["curve"]) + 1)
        precision.append(pd.DataFrame({**named, "k": k, "precision": found["curve"]}))
        share = np.linspace(0, 1, len(found["recall_precision"]))
        recall.append(pd.DataFrame({**named, "recall": share, "precision": found["recall_precision"]}))
    return ClassCurves(pd.concat(precision, ignore_index=True), pd.concat(recall, ignore_index=True))


def of_classes(settings: params.Params, board: pd.DataFrame, drawn: ClassCurves) -> dict[str, Figure]:
    """Of one split: HP@k over k, precision over recall, and AHP with intervals; nothing where curves are empty."""
    clip, methods = settings.evaluate.clip, settings.study.methods
    metric = f"{IMAGES}/AHP@{clip}"
    if drawn.precision.empty:
        return {}
    order = board[board[metric].notna()].sort_values(metric, ascending=False, kind="stable")
    scores = order[["method", metric, *BY_CLASSES.columns[:2]]].set_axis(["method", "value", "low", "high"], axis=1)
    return {
        "hierarchical_precision": hierarchy_plots.precision_curves(drawn.precision, clip, methods),
        "precision_recall": hierarchy_plots.recall_precision(drawn.recall, methods),
        "ahp": hierarchy_plots.precision_bars(scores.reset_index(drop=True), f"mAHP@{clip}", methods),
    }


def of_codes(study: params.Study, board: pd.DataFrame, runs: Path) -> dict[str, Figure]:
    """Of one split: precision over recall by Hamming radius; nothing without methods that make codes."""
    metric = "hamming/map"
    if metric not in board or board[metric].isna().all():
        return {}
    split = board["split"].iloc[0]
    curves = []
    for run, named in _runs(study, _able(board, metric, study.methods), runs):
        curve = pd.DataFrame(_entry(run, split)["by_radius"], dtype=float).rename_axis("radius").reset_index()
        curves.append(curve.assign(**named))
    return {"codes": hierarchy_plots.radius_curves(pd.concat(curves, ignore_index=True), study.methods)}


def of_taxonomy(options: params.TaxonomyOptions, data: Prepared, known: Classes) -> dict[str, Figure]:
    """The taxonomy down to the level where `taxonomy.draw` nodes suffice, with the number of classes below; nothing
    where there is none, or where not even its first level is that small."""
    edges, classes = data.taxonomy, known.labels
    if edges.empty or not classes:
        return {}
    names = dict(zip(edges["child"], map(narrowest, edges["name"]), strict=True))
    tree = Taxonomy.from_edges(edges[["parent", "child"]].to_numpy(), names).rooted(classes)
    shown = taxonomy_plots.upper_levels(tree.pruned(classes), classes, options.draw)
    return {"taxonomy": taxonomy_plots.draw(shown[0], below=shown[1])} if shown else {}


def _runs(study: params.Study, methods: list[str], runs: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The folder of each run of these methods, and its method and seed."""
    return [(runs / f"{method}-{seed}", {"method": method, "seed": seed}) for method in methods for seed in study.seeds]


def _able(board: pd.DataFrame, metric: str, methods: list[str]) -> list[str]:
    """The methods that a metric applies to."""
    able = set(board.loc[board[metric].notna(), "method"])
    return [method for method in methods if method in able]


def _entry(run: Path, split: str) -> dict[str, Any]:
    return files.read_json(run / "metrics.json")["splits"][split]


def _hierarchical(
    space: Space, chosen: np.ndarray, labels: np.ndarray, similarity: np.ndarray, clip: int
) -> dict[str, Any]:
    items = space.image_rows
    kept = np.flatnonzero(chosen[items])
    clip = min(clip, len(kept) - 1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* find no item of their class")  # said by the evaluation
        return hierarchical_retrieval(space.images[kept], labels[items[kept]], similarity, (1,), clip, curve=True)
