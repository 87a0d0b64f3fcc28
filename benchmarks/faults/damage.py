"""Damage to one file of each kind that is there when a study has run: cut short, emptied, a bit flipped, not to be
written, or rotten, which is a bit that a disk has flipped: the file's time says nothing of it. Also a folder in its
place, or a folder of it in which nothing can be written."""

import contextlib
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults import outcome
from benchmarks.faults.checkout import Checkout, Job, end_session, remove

CACHE, KNOWN = "DVC's cache", "DVC's known runs"
# By kind: patterns below the checkout; the first file that fits one is taken.
DATA, RUN = "data/shapes", "runs/shapes/infonce-0"
FILES = {
    "table of the user": "shapes.parquet",
    "params.yaml": "params.yaml",
    "weights (safetensors)": "clip/model.safetensors",
    "settings of an encoder (JSON)": "clip/config.json",
    "source.json": f"{DATA}/raw/source.json",
    "items.parquet": f"{DATA}/prepared/items.parquet",
    "taxonomy.parquet": f"{DATA}/prepared/taxonomy.parquet",
    "dataset.json": f"{DATA}/prepared/dataset.json",
    "images.npy": f"{DATA}/prepared/images.npy",
    "vectors.npy": f"{DATA}/text/vectors.npy",
    "word_vectors.parquet": f"{DATA}/text/word_vectors.parquet",
    "doc2vec.model": f"{DATA}/text/doc2vec.model",
    "neighbors.parquet": f"{DATA}/neighbors/neighbors.parquet",
    "quality.json": f"{DATA}/neighbors/quality.json",
    "classes.parquet": f"{DATA}/taxonomy/classes.parquet",
    "similarity.npz": f"{DATA}/taxonomy/similarity.npz",
    "embedding.npy": f"{DATA}/class_embedding/embedding.npy",
    "embedding.pickle": f"{DATA}/class_embedding/embedding.pickle",
    "made_of.json": f"{DATA}/neighbors/made_of.json",
    "features_image.npy": f"{DATA}/encoded/clip/features_image.npy",
    "kept rows of an encoding": "data/encoded/**/*.np[yz]",
    "audit.parquet": f"{DATA}/audit/audit.parquet",
    "model.pt": f"{RUN}/model.pt",
    "history.parquet": f"{RUN}/history.parquet",
    "trained.json": f"{RUN}/trained.json",
    "embeddings_image.npy": f"{RUN}/embeddings_image.npy",
    "embedding_rows.npz": f"{RUN}/embedding_rows.npz",
    "class_scores.npz": "runs/shapes/hierarchy_ce-0/class_scores.npz",
    "embedded.json": f"{RUN}/embedded.json",
    "metrics.json": f"{RUN}/metrics.json",
    "queries.parquet": f"{RUN}/queries.parquet",
    "evaluated.json": f"{RUN}/evaluated.json",
    "leaderboard.csv": "reports/shapes/leaderboard.csv",
    "a method's metrics": "reports/shapes/metrics/infonce.json",
    "curves.csv": "reports/shapes/curves.csv",
    "a figure": "reports/shapes/figures/curves.png",
    "report.html": "reports/shapes/report.html",
    "checkpoint": "checkpoints/shapes/*.pt",
    "mlflow.db": "mlflow.db",
    "artifact of MLflow": "mlruns/shapes/*/artifacts/**/*.*",
    "records that wait": "mlruns/.unsent/*.jsonl",
    "dvc.lock": "dvc.lock",
    "copy of dvc.lock": ".dvc/tmp/dvc.lock",
    "DVC's busy paths": ".dvc/tmp/rwlock",
    "DVC's lock": ".dvc/tmp/lock",
    CACHE: ".dvc/cache/files/md5/*/*",
    KNOWN: ".dvc/cache/runs/*/*/*",
    "Snakemake's metadata": ".snakemake/metadata/*",
    "what Snakemake has recorded": ".snakemake/recorded.json",
}
NOTING = "evaluate@infonce-0"  # a job of a run, which MLflow and both engines take note of
OWN = ("table of the user", "params.yaml", "weights (safetensors)", "settings of an encoder (JSON)")

Damage = Callable[[Path], None]


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def flip(path: Path) -> None:
    """The lowest bit of the byte in the middle."""
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 2] ^= 1
    with path.open("r+b") as file:
        file.write(content)


def rot(path: Path) -> None:
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def read_only(path: Path) -> None:
    """Also for root: on most disks of Linux a file can be made immutable."""
    if os.geteuid() == 0:
        subprocess.run(["chattr", "+i", str(path)], check=True, capture_output=True)
    else:
        path.chmod(0o444)
        path.parent.chmod(0o555)


def folder_read_only(path: Path) -> None:
    if os.geteuid() == 0:
        subprocess.run(["chattr", "+i", str(path.parent)], check=True, capture_output=True)
    else:
        path.parent.chmod(0o555)


def folder(path: Path) -> None:
    """One that somebody has put there, with a file in it."""
    path.unlink()
    path.mkdir()
    (path / "notes.txt").write_text("of somebody\n")


def writable(path: Path) -> None:
    if os.geteuid() == 0:
        subprocess.run(["chattr", "-i", str(path.parent), str(path)], check=False, capture_output=True)
    else:
        path.parent.chmod(0o755)
        path.chmod(0o644)


DAMAGES: dict[str, Damage] = {
    "cut short": cut,
    "emptied": empty,
    "a bit flipped": flip,
    "rotten": rot,
    "not to be written": read_only,
}


OF_FOLDER = "its folder not to be written"
PATHS: dict[str, Damage] = {
    "a folder in its place": folder,
    OF_FOLDER: folder_read_only,
}
STAYING = ("not to be written", OF_FOLDER)  # the file is whole once it can be written again


@dataclass
class Damaged:
    """A file that was damaged, and what it held."""

    row: outcome.Row
    path: Path
    kept: bytes

    @property
    def name(self) -> str:
        """What a sentence names: the file, or its folder where that is what is wrong."""
        named = Path(self.row.moment.split(",")[0])
        return str(named.parent if self.row.fault == OF_FOLDER else named)

    def cure(self) -> None:
        """What a sentence says to do."""
        writable(self.path)
        if self.row.place in OWN:
            remove(self.path)
            self.path.write_bytes(self.kept)
        elif self.row.fault not in STAYING:
            remove(self.path)


def damage(row: outcome.Row, checkout: Checkout, wanted: dict[str, str], drawn: random.Random) -> None:
    """row.fault to a file of the kind row.place, and a plain rerun, in which somebody has to read or write it."""
    checkout.jobs()
    path = file_of(checkout, row.place, drawn)
    if path is None:
        row.ended = "not there"
        return
    with _writable(path):
        let_be_due(row, checkout, path, wanted)
        outcome.judge(row, checkout, wanted, strike(row, checkout, path).cure)


def let_be_due(row: outcome.Row, checkout: Checkout, path: Path, wanted: dict[str, str]) -> None:
    """Let a job be to do that reads or writes the file."""
    row.moment = str(path.relative_to(checkout.folder))
    if (due := due_of(checkout, path, row)) is not None:
        checkout.forget(due, known_runs=row.place != KNOWN)
        row.moment += f", then {due}"
    if row.place == CACHE:  # so that all comes out of it again
        for out in wanted:
            remove(checkout.folder / out)


def strike(row: outcome.Row, checkout: Checkout, path: Path) -> Damaged:
    """Do row.fault to the file."""
    struck = Damaged(row, path, path.read_bytes())
    if row.fault in STAYING and maker(checkout, path) is not None:
        flip(path)  # so that it has to be made again
    (DAMAGES | PATHS)[row.fault](path)
    return struck


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            writable(path)


def file_of(checkout: Checkout, kind: str, drawn: random.Random) -> Path | None:
    if kind == "checkpoint":
        _leave_checkpoint(checkout)
    found = sorted(path for path in checkout.folder.glob(FILES[kind]) if path.is_file())
    return drawn.choice(found) if found else None


def _leave_checkpoint(checkout: Checkout) -> None:
    """Kill a training in its middle."""
    checkout.forget("train@infonce-0")
    run, end = checkout.start(), time.monotonic() + 600
    while run.poll() is None and time.monotonic() < end:
        if any(checkout.folder.glob(FILES["checkpoint"])):
            break
        time.sleep(0.02)
    end_session(run.pid)
    run.wait()


def maker(checkout: Checkout, path: Path) -> Job | None:
    """The job that has written it as an output."""
    relative = path.relative_to(checkout.folder)
    for job in checkout.jobs():
        if any(relative.is_relative_to(out) for out in job.outs):
            return job
    return None


def due_of(checkout: Checkout, path: Path, row: outcome.Row) -> str | None:
    """A job to do again so that the file is read or written, where the engines do not see by themselves that it has
    changed."""
    made = maker(checkout, path)
    if row.place == "kept rows of an encoding":
        return "encode@clip"
    if made is None:
        return None if row.place in (*OWN, "checkpoint", CACHE) else NOTING
    if row.fault != "rotten" or row.engine == "snakemake":  # which proves all that it has made
        return None
    relative = path.relative_to(checkout.folder)
    for job in checkout.jobs():
        if job != made and any(relative.is_relative_to(word) for word in job.words if "/" in word):
            return job.target
    return None
