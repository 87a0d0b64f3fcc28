"""How `kith new` ends: which run the page searches with."""

from pathlib import Path

import pandas as pd

from kith.evaluation.describe import rankings
from stages.creating.ending import best_runs, sentences


def write(rows: list[tuple[str, str, float]]) -> None:
    Path("reports/shop").mkdir(parents=True)
    table = pd.DataFrame(rows, columns=["split", "method", "mean/mrr"])
    low, high, p = rankings(table.columns)["mean/mrr"].columns
    table[low], table[high], table[p] = table["mean/mrr"] - 0.1, table["mean/mrr"] + 0.1, 0.01
    table.to_csv("reports/shop/leaderboard.csv", index=False)


def test_the_validation_items_say_which_run_is_searched_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write([("test", "lucky", 0.6), ("test", "better", 0.5), ("val", "lucky", 0.4), ("val", "better", 0.7)])
    assert best_runs("shop") == [Path("runs/shop/better-0")]


def test_without_measured_validation_items_it_is_the_test_split(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write([("test", "one", 0.6), ("test", "other", 0.5)])
    assert best_runs("shop") == [Path("runs/shop/one-0")]


def test_the_encoders_as_they_are_can_be_searched_with_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write([("test", "one", 0.5), ("test", "as_it_is", 0.4), ("val", "one", 0.5), ("val", "as_it_is", 0.4)])
    assert best_runs("shop", ["as_it_is"]) == [Path("runs/shop/one-0"), Path("runs/shop/as_it_is-0")]


def test_the_last_sentence_says_how_far_one_comes_without_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write([("test", "one", 0.6), ("test", "other", 0.5), ("test", "linear_cca", 0.4)])
    Path("data/shop/prepared").mkdir(parents=True)
    Path("data/shop/prepared/dataset.json").write_text("{}")
    (said,) = sentences("shop", ["linear_cca"])
    assert said.endswith("(p = 0.010). Without training, linear_cca: 0.400 [0.300, 0.500].")
    (said,) = sentences("shop", ["one"])
    assert said.endswith("Training gained nothing here over the encoders without it.")
    (said,) = sentences("shop", ["other"])
    assert said.endswith("0.100 more than other, 0.500 [0.400, 0.600] (p = 0.010).")
