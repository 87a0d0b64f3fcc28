"""The notes that stages leave of what their files are made of, for files that tests make or change themselves."""

from pathlib import Path

import pandas as pd

from kith.data.digests import sha256
from kith.store.provenance import NOTE, note
from stages import files

FOLDERS = ("text", "neighbors", "taxonomy", "class_embedding")
RUN = {
    "trained.json": ("model.pt", "history.parquet"),
    "embedded.json": ("embeddings_image.npy", "embeddings_text.npy", "embedding_rows.npz", "class_scores.npz"),
    "evaluated.json": ("metrics.json", "queries.parquet"),
}


def seal(root: Path, study: str) -> None:
    """Say of all files in data/<study> and runs/<study> that they belong together; those of a run that are not there
    are left out."""
    data = seal_data(root / "data" / study / "prepared")
    for folder in (root / "data" / study / name for name in FOLDERS):
        if folder.is_dir():
            written = sorted(path for path in folder.iterdir() if path.name != NOTE)
            known = files.read_json(folder / NOTE) if (folder / NOTE).exists() else {}
            files.write_json(folder / NOTE, known | note(written, data=data))
    for run in sorted((root / "runs" / study).glob("*")):
        seal_run(run, data)


def seal_data(folder: Path) -> str:
    """Say in dataset.json that the prepared files are those in the folder; its checksum."""
    written = sorted(path for path in folder.iterdir() if path.name != "dataset.json")
    described = files.read_json(folder / "dataset.json")
    files.write_json(folder / "dataset.json", described | {"checksums": {path.name: sha256(path) for path in written}})
    return sha256(folder / "dataset.json")


def seal_run(run: Path, data: str) -> None:
    """As `seal`, of one run; data: the checksum of its dataset.json. What a note says besides, it keeps."""
    if not (run / "model.pt").exists():
        files.write_bytes(run / "model.pt", run.name.encode())
    method, _, seed = run.name.rpartition("-")
    made_of = {"method": method, "seed": int(seed) if seed.isdigit() else 0}
    made_of |= {"data": data, "model": sha256(run / "model.pt")}
    for name, results in RUN.items():
        written = [run / result for result in results if (run / result).exists()]
        known = files.read_json(run / name) if (run / name).exists() else {}
        if written:
            files.write_json(run / name, known | note(written, **made_of))


def put_items(items: pd.DataFrame, root: Path, study: str) -> None:
    """Replace the items of prepared data, as if they had been prepared so before all else."""
    folder = root / "data" / study / "prepared"
    items.to_parquet(folder / "items.parquet", index=False)
    seal(root, study)


def embed_files(run: Path) -> dict[str, Path]:
    """What `stages.embed.main` reads and writes of a run."""
    names = {"images": "embeddings_image.npy", "texts": "embeddings_text.npy", "rows": "embedding_rows.npz"}
    names |= {"scores": "class_scores.npz", "model": "model.pt", "trained": "trained.json", "embedded": "embedded.json"}
    return {option: run / name for option, name in names.items()}


def evaluate_files(run: Path) -> dict[str, Path]:
    """What `stages.evaluate.main` reads and writes of a run."""
    results = {"metrics": run / "metrics.json", "queries": run / "queries.parquet", "evaluated": run / "evaluated.json"}
    return embed_files(run) | {"history": run / "history.parquet"} | results
