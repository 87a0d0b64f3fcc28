"""The documentation's examples and commands run, one after the other, as they stand."""

import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from kith.data.registry import RECIPES
from stages import params
from stages.study import complete
from tests.made import COLOURS, SHAPES, picture
from tests.test_pipeline import clone

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_examples_of_a_new_problem(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "new-problem.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(block, names)
    assert set(np.load("pairs.npz").files) == {"image", "text"}
    told = re.findall(r"MRR (0\.\d+)", capsys.readouterr().out)
    # 500 candidates: chance is an MRR of .014.
    assert len(told) == 2
    assert min(map(float, told)) > 0.3, told


OWN_DATA = (DOCS / "own-data.md").read_text(encoding="utf-8")
WIDEST = {"bar": "open", "column": "open", "cross": "open", "square": "closed", "frame": "closed", "corner": "open"}


def write_shop(folder: Path) -> None:
    """The page's products.csv, with photographs of coloured shapes."""
    random = np.random.default_rng(0)
    (folder / "photos").mkdir(parents=True)
    rows = []
    for number, (colour, shape) in enumerate((c, s) for _ in range(8) for c in COLOURS for s in SHAPES):
        name = f"photos/A{number}.jpg"
        Image.fromarray(picture(colour, shape, random)).resize((48, 48)).save(folder / name)
        title, told = f"{colour.title()} {shape}", f"A {colour} {shape}, hand made."
        rows.append((f"A{number}", name, title, told, WIDEST[shape], shape))
    head = ["sku", "photo", "title", "description", "level1", "level2"]
    pd.DataFrame(rows, columns=head).to_csv(folder / "products.csv", index=False)
    edges = [(parent, shape) for shape, parent in WIDEST.items()] + [("all", "open"), ("all", "closed")]
    pd.DataFrame(edges, columns=["parent", "child"]).to_csv(folder / "categories.csv", index=False)


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1", "PATH": path}


def served(command: str, folder: Path) -> str:
    """The page that a command serves, which is then stopped."""
    server = subprocess.Popen([*shlex.split(command), "--port", "8765"], cwd=folder, env=environment())
    try:
        for _ in range(240):
            try:
                return urllib.request.urlopen("http://127.0.0.1:8765/", timeout=5).read().decode()
            except OSError:
                assert server.poll() is None
                time.sleep(0.25)
        raise AssertionError("no answer")
    finally:
        server.terminate()
        server.wait()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", OWN_DATA, re.DOTALL)


@pytest.mark.slow
def test_commands_of_own_data(tmp_path):
    folder = clone(tmp_path / "clone")
    write_shop(folder / "shop")
    (folder / "studies" / "shop.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    commands = "".join(blocks("bash")).splitlines()
    assert len(commands) == 6
    outputs = []
    for command in commands:
        if "--serve" in command:
            assert "<html" in served(command, folder)
            continue
        done = subprocess.run(shlex.split(command), cwd=folder, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        outputs.append(done.stdout)
    assert "No problems." in outputs[0]
    assert "categories: level1, level2\n" in outputs[1]
    assert (folder / "reports" / "shop" / "report.html").exists()
    assert "Red cross" in outputs[-1]


def test_studies_of_own_data_are_valid(tmp_path, monkeypatch):
    """Both of the page's params fit the made-up table."""
    from stages import fetch, prepare

    write_shop(tmp_path / "shop")
    monkeypatch.chdir(tmp_path)
    first, second = map(yaml.safe_load, blocks("yaml"))
    counts = []
    for study in (first, first | second):
        params.check(complete(study))
        Path("params.yaml").write_text(yaml.safe_dump(complete(study)))
        fetch.main(out=Path("data/raw"))
        prepare.main(raw=Path("data/raw"), out=Path("data/prepared"))
        items = pd.read_parquet("data/prepared/items.parquet")
        counts.append((len(items), items["label"].nunique(), len(pd.read_parquet("data/prepared/taxonomy.parquet"))))
    assert counts == [(192, 6, 8), (192, 6, 8)]


def test_every_source_is_in_the_table_of_data_sets_with_its_terms():
    lines = (DOCS / "data-sets.md").read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| `")]
    named = {name: row for row in rows for name in re.findall(r"`(\w+)`", row[0]) if name != "fetch.source"}
    assert set(named) == {*get_args(params.Pairs), *get_args(params.Labelled), *get_args(params.Captioned)}
    for source, recipe in RECIPES.items():
        assert named[source][2] == recipe.licence, source
        way = "downloaded" if recipe.files else "by hand"
        assert re.fullmatch(rf"\[{way}[^]]*\]\({re.escape(recipe.home)}\) \|", named[source][3]), source


def test_every_study_is_in_the_page_on_reproducing():
    text = (DOCS / "reproducing.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    studies = {path.stem for path in (DOCS.parent / "studies").glob("*.yaml")}
    assert named == studies - {"arrays", "glyphs_full"}
    assert set(re.findall(r"stages\.study (\w+) ", text)) == named - {"glyphs"}


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{path.name}" for path in sorted(DOCS.glob("*.md")))])
def test_links_and_commands_name_what_is_there(page):
    """Files that a page links to exist, and so do the modules and studies that its commands name."""
    root = DOCS.parent
    text = (root / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#\s]+)\)", text):
        if not link.startswith(("http", "runs/")):
            assert (root / page).parent.joinpath(link).exists(), link
    for module in re.findall(r"python -m ((?:stages|kith|workflow|benchmarks)[\w.]*)", text):
        place = root / module.replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module
    for study in re.findall(r"stages\.study (\w+)", text):
        made_up = {"shop", "mine", "products", "NAME"}
        assert study in made_up or (root / "studies" / f"{study}.yaml").exists(), study
