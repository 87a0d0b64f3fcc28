"""Rank the methods of a study, with intervals and tests over queries and trainings."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from kith.data.digests import sha256
from kith.errors import KithError, reading
from kith.evaluation.compare import (
    QUERY,
    CompareOptions,
    MethodRun,
    curves,
    merged_splits,
    metrics_asked,
    rank,
    summary,
)
from kith.store.provenance import NOTE, TRAINED, parameters, proved, read
from stages import cli, files, params, tracking
from stages.reporting import encoders, markdown

PARTIAL = "partial"  # in the folder of the reports: what `kith partial` writes


def main(*, data: Path, neighbors: Path, runs: Path, out: Path) -> None:
    """Write leaderboard.md, leaderboard.csv, differences.csv, curves.csv and metrics/<method>.json to --out."""
    write(params.load(), {}, data=data, neighbors=neighbors, runs=runs, out=out)
    shutil.rmtree(out / PARTIAL, ignore_errors=True)
    tracking.log_comparison(out, runs)


def write(
    settings: params.Params, missing: Mapping[str, str], *, data: Path, neighbors: Path, runs: Path, out: Path
) -> None:
    """As `main`, of the methods of `settings`. missing: other methods that are named, and why they are not ranked."""
    dataset = read_file(data / "dataset.json", _read_json, "prepare")
    checksum = sha256(data / "dataset.json")
    histories = read_histories(settings.study, runs)
    done = read_runs(settings, runs, checksum)
    quality = read_quality(neighbors, checksum, settings)
    board, differences = rank(done, comparing(settings))
    used = encoders.of_runs(settings.study, runs)
    page = markdown.document(settings, board, differences, merged_splits(done), dataset, quality, used, missing)
    files.write_text(out / "leaderboard.md", page)
    files.write_text(out / "leaderboard.csv", board.to_csv(index=False, lineterminator="\n"))
    files.write_text(out / "differences.csv", differences.to_csv(index=False, lineterminator="\n"))
    with files.replacing_folder(out / "metrics", "*.json") as folder:
        for method, metrics in summary(board).items():
            files.write_json(folder / f"{method}.json", metrics)
    files.write_text(out / "curves.csv", curves(histories).to_csv(index=False, lineterminator="\n"))


def comparing(settings: params.Params) -> CompareOptions:
    """How methods are compared: the draws are those of the evaluation, so that its intervals come again."""
    drawn, tested = settings.evaluate, settings.compare
    draws = drawn.bootstrap, drawn.confidence, drawn.seed
    return CompareOptions(*draws, tested.permutations, tested.seed, tested.significance, tested.details)


def read_runs(settings: params.Params, folder: Path, data: str) -> list[MethodRun]:
    """Every run of the study, method by method, each proved to be measured on the same data in the same way.

    data: checksum of dataset.json. Raises KithError for a run that is missing, of other data or parameters, or that
    has answered other queries than the others of its kind.
    """
    study, wanted = settings.study, parameters(settings.evaluate.model_dump(mode="json"))
    done: list[MethodRun] = []
    first: dict[str, tuple[str, pd.DataFrame, set[tuple[str, str]]]] = {}
    for method in study.methods:
        for seed in study.seeds:
            name, stage = f"{method}-{seed}", f"evaluate@{method}-{seed}"
            run = folder / name
            splits = read_file(run / "metrics.json", _read_json, stage)["splits"]
            queries = read_file(run / "queries.parquet", _read_queries, stage)
            _prove(run, method, seed, data, wanted)
            params.prove_trained(read(run / TRAINED, "train"), settings, run / TRAINED)
            done.append(MethodRun(method, seed, splits, queries))
            _same_queries(folder, name, splits, queries, first)
    return done


def _prove(run: Path, method: str, seed: int, data: str, wanted: str) -> None:
    measured = [run / "metrics.json", run / "queries.parquet"]
    note = proved(run / "evaluated.json", measured, "evaluate", data=data, model=run / "model.pt")
    proved(run / TRAINED, [run / "model.pt", run / "history.parquet"], "train", data=data)
    if (note.get("method"), note.get("seed")) != (method, seed):
        raise KithError(
            f"{run}: holds the results of {note.get('method')}, seed {note.get('seed')}; run `dvc repro evaluate`"
        )
    if note.get("parameters") != wanted:
        raise KithError(f"{run}: was evaluated with other parameters than params.yaml has; run `dvc repro evaluate`")


def _same_queries(
    folder: Path,
    name: str,
    splits: dict[str, Any],
    queries: pd.DataFrame,
    first: dict[str, tuple[str, pd.DataFrame, set[tuple[str, str]]]],
) -> None:
    """`first` has the run that was the first to answer each kind of query, and what it answered."""
    for direction, asked in queries.groupby("direction"):
        known = asked[QUERY].reset_index(drop=True), metrics_asked(splits, str(direction))
        other, *wanted = first.setdefault(str(direction), (name, *known))
        if not known[0].equals(wanted[0]) or known[1] != wanted[1]:
            raise KithError(
                f"{folder / name}: other queries or metrics than {folder / other}; run `dvc repro evaluate`"
            )


def read_histories(study: params.Study, folder: Path) -> dict[tuple[str, int], pd.DataFrame]:
    """history.parquet by method and seed."""
    return {
        (method, seed): read_file(
            folder / f"{method}-{seed}/history.parquet", pd.read_parquet, f"train@{method}-{seed}"
        )
        for method in study.methods
        for seed in study.seeds
    }


def read_quality(neighbors: Path, data: str, settings: params.Params) -> dict[str, float]:
    """quality.json of the neighbors stage. Raises KithError where it is of other data than those of this checksum, or
    of other parameters."""
    path = neighbors / "quality.json"
    quality = read_file(path, _read_json, "neighbors")
    made = proved(neighbors / NOTE, [path], "neighbors", data=data)
    wanted = parameters(settings.neighbors.model_dump(mode="json"))
    params.prove_parameters(made, wanted, neighbors / NOTE, "neighbors")
    return quality


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _read_queries(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path, columns=[*QUERY, "group", "reciprocal_rank", "average_precision", "ahp", "hamming_ap"])


def read_file(path: Path, reader: Callable[[Path], Any], stage: str) -> Any:
    """What a stage wrote. Raises KithError that says how to make it where it is missing or broken."""
    with reading(there(path, stage), f"make it again with `dvc repro -f {stage}`"):
        return reader(path)


def there(path: Path, stage: str) -> Path:
    """The path of what a stage wrote. Raises KithError where it is missing."""
    if not path.exists():
        raise KithError(f"{path}: no such file; make it with `dvc repro {stage}`")
    return path


if __name__ == "__main__":
    cli.run(main)
