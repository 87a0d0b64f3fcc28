"""Charts of what the methods know of classes: how near in the taxonomy are the pictures that a picture finds."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kith.evaluation.catalogue import IMAGES
from kith.metrics.hierarchical import hierarchical_retrieval
from kith.plots import hierarchy as hierarchy_plots
from stages import contract, params


def charts(settings: params.Params, board: pd.DataFrame, runs: Path, data: Path, taxonomy: Path) -> dict[str, Figure]:
    """Of one split: HP@k over k, precision over recall, and AHP with intervals; nothing without known classes."""
    clip, methods = settings.evaluate.clip, settings.study.methods
    figure = f"{IMAGES}/AHP@{clip}"
    if figure not in board or board[figure].isna().all():
        return {}
    split = board["split"].iloc[0]
    items = contract.items(data)
    labels = contract.class_numbers(items, contract.classes(taxonomy))
    similarity = contract.similarity(taxonomy, "lcsh")
    chosen = (items["split"] == split).to_numpy() & (labels >= 0)
    able = set(board.loc[board[figure].notna(), "method"])
    precision, recall = [], []
    for method in methods:
        for seed in settings.study.seeds if method in able else ():
            found = _found(runs / f"{method}-{seed}", chosen, labels, similarity, clip)
            named = {"method": method, "seed": seed}
            k = np.arange(1, len(found["curve"]) + 1)
            precision.append(pd.DataFrame({"k": k, "precision": found["curve"]}).assign(**named))
            share = np.linspace(0, 1, len(found["recall_precision"]))
            recall.append(pd.DataFrame({"recall": share, "precision": found["recall_precision"]}).assign(**named))
    order = board[board[figure].notna()].sort_values(figure, ascending=False, kind="stable")
    scores = order[["method", figure, "ahp low", "ahp high"]].set_axis(["method", "value", "low", "high"], axis=1)
    return {
        "hierarchical_precision": hierarchy_plots.precision_curves(pd.concat(precision), clip, methods),
        "precision_recall": hierarchy_plots.recall_precision(pd.concat(recall), methods),
        "ahp": hierarchy_plots.precision_bars(scores.reset_index(drop=True), f"mAHP@{clip}", methods),
    }


def _found(run: Path, chosen: np.ndarray, labels: np.ndarray, similarity: np.ndarray, clip: int) -> dict[str, Any]:
    with np.load(run / "embedding_rows.npz") as rows:
        items = rows["image_rows"]
    kept = np.flatnonzero(chosen[items])
    vectors = np.load(run / "embeddings_image.npy", mmap_mode="r")[kept]
    clip = min(clip, len(kept) - 1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* find no item of their class")  # said by the evaluation
        return hierarchical_retrieval(vectors, labels[items[kept]], similarity, (1,), clip, curve=True)
