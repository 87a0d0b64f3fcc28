"""The command that puts runs of any study into one figure."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from kith.errors import KithError
from kith.plots import style as plots
from kith.plots import training as training_plots
from stages import evolution

ROOT = Path(__file__).resolve().parents[2]


def make_runs(root: Path, *names: str) -> list[Path]:
    for i, name in enumerate(names):
        (root / name).mkdir(parents=True)
        table = pd.DataFrame({"epoch": [1, 2, 3], "val_mrr": [0.125, 0.25, 0.125 * i], "train_mrr": [0.1, 0.4, 0.6]})
        table.to_parquet(root / name / "history.parquet")
    return [root / name for name in names]


@pytest.fixture
def drawn(monkeypatch):
    """What is handed to the figure, by (method, seed)."""
    tables = []
    monkeypatch.setattr(training_plots, "evolution", lambda history, key: tables.append(history))
    monkeypatch.setattr("kith.plots.png", lambda figure: b"picture")
    return lambda: tables[-1].groupby(["method", "seed"], sort=False)["val_mrr"].max().to_dict()


def test_seeds_of_a_method_go_together(tmp_path, drawn):
    evolution.main(runs=make_runs(tmp_path, "a-0", "a-1", "b-0", "two-words-12"), out=tmp_path / "out.png")
    assert drawn() == {("a", 0): 0.25, ("a", 1): 0.25, ("b", 0): 0.25, ("two-words", 12): 0.375}
    assert (tmp_path / "out.png").read_bytes() == b"picture"


def test_runs_of_the_same_name_keep_their_folders(tmp_path, drawn, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evolution.main(runs=make_runs(Path(), "old/a-0", "new/a-0"), out=Path("out.png"))
    assert list(drawn()) == [("old/a", 0), ("new/a", 0)]


def test_a_folder_may_have_any_name(tmp_path, drawn):
    evolution.main(runs=make_runs(tmp_path, "best", "-3", "vgg-wide"), out=tmp_path / "out.png")
    assert list(drawn()) == [("best", 0), ("-3", 0), ("vgg-wide", 0)]


def test_what_is_refused(tmp_path, drawn):
    (run,) = make_runs(tmp_path, "a-0")
    with pytest.raises(KithError, match=r"b-0/history\.parquet: no such file"):
        evolution.main(runs=[run, tmp_path / "b-0"], out=tmp_path / "out.png")
    path = run / "history.parquet"
    with pytest.raises(KithError, match=r"history\.parquet: measures no 'ahp' in its epochs; --key takes: mrr$"):
        evolution.main(runs=[run], out=tmp_path / "out.png", key="ahp")
    pd.read_parquet(path)[["epoch"]].to_parquet(path)
    with pytest.raises(KithError, match=r"history\.parquet: measures no 'mrr' in its epochs; --key takes: nothing"):
        evolution.main(runs=[run], out=tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_the_command(tmp_path):
    runs = make_runs(tmp_path, "a-0", "b-0")
    out = tmp_path / "figures/evolution.png"
    command = [
        sys.executable,
        "-m",
        "stages.evolution",
        *(part for run in runs for part in ("--runs", str(run))),
        "--out",
        str(out),
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    assert Image.open(out).width == plots.WIDTH * plots.DPI
