"""The commands and examples of docs/predict.md run as they stand."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages import cli, export, predict

PAGE = Path(__file__).resolve().parent.parent / "docs" / "predict.md"
MODULES = {"stages.embed": predict, "stages.export": export}


@pytest.fixture
def there(trained_study, tmp_path, monkeypatch) -> Path:
    """A copy of the trained study with new pictures and texts, as the current directory."""
    folder = tmp_path / "study"
    shutil.copytree(trained_study, folder)
    monkeypatch.chdir(folder)
    rows = pd.read_parquet("shapes.parquet").query("split == 'test'")
    rows.assign(text=rows["texts"].str[0])[["id", "image", "text"]].to_parquet("new.parquet")
    Path("pictures").mkdir()
    for name, data in zip(rows["id"], rows["image"], strict=True):
        Path("pictures", f"{name}.png").write_bytes(data)
    return folder


def test_the_page_runs_from_top_to_bottom(there, monkeypatch):
    names: dict = {}
    commands = []
    for language, block in re.findall(r"```(\w*)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        if language == "python":
            exec(block, names)
            continue
        for line in block.splitlines():
            python, option, module, *options = shlex.split(line)
            assert (python, option) == ("python", "-m")
            monkeypatch.setattr(sys, "argv", [module, *options])
            cli.run(MODULES[module].main)
            commands.append(module)
    assert commands == ["stages.embed"] * 2 + ["stages.export"] * 3
    assert names["similarity"].shape == (2, 3)
    assert names["vector"].shape == (1, 16)
    # The same two words through the graph and through the model.
    model, vocabulary = names["model"], names["vocabulary"]
    expected = names["predict_texts"](model, *vocabulary.encode(["red bar"]))["vector"]
    np.testing.assert_allclose(names["vector"], expected, atol=1e-4)


def test_the_page_names_every_column(there):
    for run, given in (("infonce-0", "new.parquet"), ("hierarchy_ce-0", "new.parquet")):
        predict.main(run=Path("runs", run), input=Path(given), out=Path("out.parquet"), skip_bad=True)
        assert all(f"`{column}`" in PAGE.read_text(encoding="utf-8") for column in pd.read_parquet("out.parquet"))
