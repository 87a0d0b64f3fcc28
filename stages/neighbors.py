"""Find, for every training group, the nearest ones in meaning, and say how good these neighbourhoods are."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from kith import neighbors
from kith.errors import KithError
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, note, parameters
from kith.store.semantic import Matrix, semantic_vectors, text_vectors
from stages import cli, files, params, tracking


def main(*, data: Path, text: Path, out: Path) -> None:
    """Write neighbors.parquet and quality.json into --out."""
    options = params.load().neighbors
    prepared = Prepared(data)
    train = prepared.rows_of("train")
    # Items of a group share their meaning: the first stands for all, or neighbours would be copies.
    representative = train[np.unique(prepared.groups[train], return_index=True)[1]]
    representative.sort()
    vectors = semantic_vectors(text, prepared)[representative]
    graph, recall = _graph(vectors, options)
    quality = {
        "recall": recall,
        "without_neighbors": int((graph[0][:, 0] < 0).sum()),
        **_agreement(prepared.table.iloc[representative], graph[0][:, :10]),
        **_siblings(prepared, train, text, options),
    }
    with files.replacing_folder(out, "neighbors.parquet", "quality.json", NOTE) as folder:
        _table(representative, *graph).to_parquet(folder / "neighbors.parquet", index=False)
        files.write_json(folder / "quality.json", quality)
        made_of = {"data": prepared.checksum, "parameters": parameters(options.model_dump(mode="json"))}
        files.write_json(folder / NOTE, note(sorted(folder.iterdir()), **made_of))
    print(json.dumps(quality))
    tracking.log_stage("neighbors", params=options.model_dump(), metrics=quality)


def _graph(vectors: Matrix, options: params.Neighbors) -> tuple[neighbors.Graph, float]:
    """The neighbours, and the share of the exact ones among them."""
    if options.distance is not None:
        if not isinstance(vectors, np.ndarray):
            raise KithError(
                "params.yaml: neighbors.distance: euclidean is of dense vectors; take text.backend: doc2vec"
            )
        return neighbors.euclidean_graph(vectors, options.k), 1.0
    searched = None, options.min_recall, options.sample, options.seed
    try:
        graph = neighbors.neighbor_graph(vectors, options.k, options.method, *searched)
    except ValueError as error:
        raise KithError(f"params.yaml: neighbors: {error}") from None
    return graph, neighbors.recall(graph, vectors, None, options.sample, options.seed)


def _table(rows: np.ndarray, indices: np.ndarray, similarities: np.ndarray) -> pd.DataFrame:
    owner, rank = np.nonzero(indices >= 0)
    return pd.DataFrame(
        {
            "row": rows[owner],
            "rank": rank.astype(np.int32),
            "neighbor": rows[indices[owner, rank]],
            "similarity": similarities[owner, rank],
        }
    )


def _agreement(items: pd.DataFrame, nearest: np.ndarray) -> dict[str, float]:
    """Share of the 10 nearest that carry the item's label, and what chance would give."""
    labels = items["label"].to_numpy()
    rows = np.flatnonzero((labels >= 0) & (nearest[:, 0] >= 0))
    if len(rows) == 0:
        return {}
    found = nearest[rows]
    same = (labels[found] == labels[rows, None]) & (found >= 0)
    known, counts = np.unique(labels[labels >= 0], return_counts=True)  # ids may be as large as they like
    chance = ((counts[np.searchsorted(known, labels[rows])] - 1) / max(1, len(labels) - 1)).mean()
    return {
        "label_agreement@10": float(same.sum() / (found >= 0).sum()),
        "label_agreement_by_chance": float(chance),
    }


def _siblings(data: Prepared, train: np.ndarray, text: Path, options: params.Neighbors) -> dict[str, float]:
    """Where items have several texts: how often the other texts of its item are among a text's 10 nearest."""
    vectors = text_vectors(text, data)
    if vectors is None:
        return {}
    owner = np.repeat(np.arange(len(data)), np.diff(data.text_start))
    kept = np.flatnonzero(np.isin(owner, train))
    vectors, owner = vectors[kept], owner[kept]
    siblings = np.bincount(owner)[owner] - 1
    random = np.random.default_rng(options.seed)
    several = np.flatnonzero(siblings > 0)
    rows = np.sort(random.choice(several, size=min(options.sample, len(several)), replace=False))
    found = neighbors.nearest(vectors, rows, 10)[0]
    hits = (owner[found] == owner[rows, None]) & (found >= 0)
    return {
        "sibling_nearest": float(hits[:, 0].mean()),
        "sibling_hit@10": float(hits.any(axis=1).mean()),
        "sibling_recall@10": float((hits.sum(axis=1) / np.minimum(siblings[rows], 10)).mean()),
    }


if __name__ == "__main__":
    cli.run(main)
