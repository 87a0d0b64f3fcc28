"""Say how similar the classes are in the taxonomy."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from kith.errors import KithError
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, note
from kith.taxonomy import Taxonomy
from stages import cli, files, tracking


def main(*, data: Path, out: Path) -> None:
    """Write classes.parquet, similarity.npz and summary.json into --out."""
    prepared = Prepared(data)
    edges = prepared.taxonomy
    classes = _classes(prepared.table, edges)
    with files.replacing_folder(out, "classes.parquet", "similarity.npz", "summary.json", NOTE) as folder:
        classes.to_parquet(folder / "classes.parquet", index=False)
        if len(edges) and len(classes):
            labels, names = list(classes["label_name"]), dict(zip(edges["child"], edges["name"], strict=True))
            try:
                taxonomy = Taxonomy.from_edges(edges[["parent", "child"]].to_numpy(), names).rooted(labels)
                similarity = _similarity(taxonomy, labels)
            except KithError as error:
                raise KithError(f"{data / 'taxonomy.parquet'}: {error}; mend the file of fetch.taxonomy") from None
            height, tree = int(taxonomy.heights.max()), int(taxonomy.is_tree)
            summary = {"nodes": len(taxonomy), "height": height, "tree": tree}
        else:
            flat, summary = np.eye(len(classes)), {"nodes": 0, "height": 0, "tree": 1}
            similarity = dict.fromkeys(("lcsh", "wup", "target"), flat)
        files.write_npz(folder / "similarity.npz", **similarity)
        summary = {"classes": len(classes), **summary}
        files.write_json(folder / "summary.json", summary)
        files.write_json(folder / NOTE, note(sorted(folder.iterdir()), data=prepared.checksum))
    print(json.dumps(summary))
    tracking.log_stage("taxonomy", params={}, metrics=summary)


def _classes(items: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """label, label_name and name (as shown) of every class that an item has, by label: class number = row. Of items
    with several labels each: by their names."""
    if "labels" in items:
        called = sorted({name for names in items["labels"] for name in names})
        if all(name.isdecimal() for name in called):
            called.sort(key=int)
        return pd.DataFrame({"label": np.arange(len(called)), "label_name": called, "name": called})
    labelled = items.loc[items["label"] >= 0, ["label", "label_name"]].drop_duplicates().sort_values("label")
    shown = dict(zip(edges["child"], edges["name"], strict=True))
    return labelled.assign(name=[shown.get(name, name) for name in labelled["label_name"]]).reset_index(drop=True)


def _similarity(taxonomy: Taxonomy, labels: list[str]) -> dict[str, np.ndarray]:
    """lcsh and wup of the classes, (n, n) float64, for measures; target, lcsh in a tree, for class embeddings."""
    similarity = {measure: taxonomy.similarity(labels, measure=measure) for measure in ("lcsh", "wup")}
    tree = taxonomy if taxonomy.is_tree else taxonomy.to_tree(labels)
    return similarity | {"target": similarity["lcsh"] if tree is taxonomy else tree.similarity(labels)}


if __name__ == "__main__":
    cli.run(main)
