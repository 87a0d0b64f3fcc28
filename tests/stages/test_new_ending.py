"""How `kith new` ends: which run the page searches with."""

from pathlib import Path

import pandas as pd

from stages.creating.ending import best_runs


def write(rows: list[tuple[str, str, float]]) -> None:
    Path("reports/shop").mkdir(parents=True)
    table = pd.DataFrame(rows, columns=["split", "method", "mean/mrr"])
    table[["low", "high", "p"]] = 0.5
    table.to_csv("reports/shop/leaderboard.csv", index=False)


def test_the_validation_items_say_which_run_is_searched_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write([("test", "lucky", 0.6), ("test", "better", 0.5), ("val", "lucky", 0.4), ("val", "better", 0.7)])
    assert best_runs("shop") == [Path("runs/shop/better-0")]


def test_without_measured_validation_items_it_is_the_test_split(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write([("test", "one", 0.6), ("test", "other", 0.5)])
    assert best_runs("shop") == [Path("runs/shop/one-0")]
