"""Rank the methods of a study, with intervals over the queries and tests against the best."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from kith.errors import KithError
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
from stages import cli, files, params, tracking
from stages.reporting import markdown


def main(*, data: Path, neighbors: Path, runs: Path, out: Path) -> None:
    """Write leaderboard.md, leaderboard.csv, curves.csv and metrics/<method>.json to --out."""
    settings = params.load()
    done = read_runs(settings.study, runs)
    histories = read_histories(settings.study, runs)
    quality = read_file(neighbors / "quality.json", files.read_json, "neighbors")
    dataset = read_file(data / "dataset.json", files.read_json, "prepare")
    board = rank(done, comparing(settings))
    page = markdown.document(settings, board, merged_splits(done), dataset, quality)
    files.write_text(out / "leaderboard.md", page)
    files.write_text(out / "leaderboard.csv", board.to_csv(index=False, lineterminator="\n"))
    with files.replacing(out / "metrics") as folder:
        for method, metrics in summary(board).items():
            files.write_json(folder / f"{method}.json", metrics)
    files.write_text(out / "curves.csv", curves(histories).to_csv(index=False, lineterminator="\n"))
    tracking.log_comparison(out)


def comparing(settings: params.Params) -> CompareOptions:
    """How methods are compared: the draws are those of the evaluation, so that its intervals come again."""
    drawn, tested = settings.evaluate, settings.compare
    return CompareOptions(drawn.bootstrap, drawn.confidence, drawn.seed, tested.permutations, tested.seed)


def read_runs(study: params.Study, folder: Path) -> list[MethodRun]:
    """Every run of the study, method by method; those that answer a kind of query must have answered the same ones."""
    done: list[MethodRun] = []
    first: dict[str, tuple[str, pd.DataFrame, set[tuple[str, str]]]] = {}
    for method in study.methods:
        for seed in study.seeds:
            name, stage = f"{method}-{seed}", f"evaluate@{method}-{seed}"
            run = folder / name
            splits = read_file(run / "metrics.json", files.read_json, stage)["splits"]
            queries = read_file(run / "queries.parquet", _read_queries, stage)
            done.append(MethodRun(method, seed, splits, queries))
            for direction, asked in queries.groupby("direction"):
                known = asked[QUERY].reset_index(drop=True), metrics_asked(splits, str(direction))
                other, *wanted = first.setdefault(str(direction), (name, *known))
                if not known[0].equals(wanted[0]) or known[1] != wanted[1]:
                    raise KithError(f"{run}: other queries or metrics than {folder / other}; run `dvc repro evaluate`")
    return done


def read_histories(study: params.Study, folder: Path) -> dict[tuple[str, int], pd.DataFrame]:
    """history.parquet by method and seed."""
    return {
        (method, seed): read_file(
            folder / f"{method}-{seed}/history.parquet", pd.read_parquet, f"train@{method}-{seed}"
        )
        for method in study.methods
        for seed in study.seeds
    }


def _read_queries(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path, columns=[*QUERY, "group", "reciprocal_rank", "ahp", "hamming_ap"])


def read_file(path: Path, reader: Callable[[Path], Any], stage: str) -> Any:
    """What a stage wrote. Raises KithError that says how to make it where it is missing or broken."""
    if not path.exists():
        raise KithError(f"{path}: no such file; make it with `dvc repro {stage}`")
    try:
        return reader(path)
    except ValueError as error:
        raise KithError(f"{path}: cannot be read ({error}); make it again with `dvc repro -f {stage}`") from None


if __name__ == "__main__":
    cli.run(main)
