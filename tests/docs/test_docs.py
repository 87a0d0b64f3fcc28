"""What the documentation names is there: files, modules, studies, data sets, columns; its studies are valid."""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from kith.data.sources import SOURCES, table_row
from stages import fetch, params, predict, prepare
from tests.documentation import PAGES, ROOT, examples
from tests.made_params import write_params
from tests.made_shop import write_shop


def test_studies_of_a_shop_are_valid(tmp_path, monkeypatch):
    """The params of README.md and all of docs/own-data.md fit the made-up table."""
    write_shop(tmp_path / "shop")
    monkeypatch.chdir(tmp_path)
    table = pd.read_csv("shop/products.csv")
    table.assign(category=table["level2"]).to_csv("shop/products.csv", index=False)
    readme, *_ = (example.text for example in examples("README.md") if example.kind == "yaml")
    first, *others = (
        yaml.safe_load(example.text) for example in examples("docs/own-data.md") if example.kind == "yaml"
    )
    of_sets = [others.pop(row) for row, study in enumerate(others) if "labels" in study["fetch"]["columns"]]
    assert [params.check(params.complete(first | study)).study.name for study in of_sets] == ["shop"]
    assert len(others) == 2
    counts = []
    for study in (yaml.safe_load(readme), first, *(first | other for other in others)):
        params.check(params.complete(study))
        write_params(params.complete(study))
        fetch.main(out=Path("data/shop/raw"))
        prepare.main(raw=Path("data/shop/raw"), out=Path("data/shop/prepared"))
        items = pd.read_parquet("data/shop/prepared/items.parquet")
        counts.append(
            (len(items), items["label"].nunique(), len(pd.read_parquet("data/shop/prepared/taxonomy.parquet")))
        )
    assert counts == [(192, 6, 8)] * 4


def test_the_page_on_runs_names_every_column(trained):
    table = pd.read_parquet("shapes.parquet").query("split == 'test'")
    table.assign(text=table["texts"].str[0])[["id", "image", "text"]].to_parquet("new.parquet")
    page = (ROOT / "docs/predict.md").read_text(encoding="utf-8")
    for run in ("infonce-0", "hierarchy_ce-0"):
        predict.main(run=Path("runs/shapes", run), input=Path("new.parquet"), out=Path("out.parquet"), skip_bad=True)
        assert all(f"`{column}`" in page for column in pd.read_parquet("out.parquet"))


def test_every_source_is_in_the_table_of_data_sets_with_its_terms():
    """The rows are what the sources say; a source that is new or changed has its line in the message."""
    lines = (ROOT / "docs/data-sets.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| `") and not line.startswith("| `fetch.source`")]
    assert sorted(rows) == sorted(map(table_row, SOURCES.values()))


def test_every_study_is_in_the_page_on_reproducing():
    text = (ROOT / "docs/reproducing.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    studies = {path.stem for path in (ROOT / "studies").glob("*.yaml")}
    assert named == studies - {"arrays", "glyphs_full"}
    assert set(re.findall(r"kith study (\w+) ", text)) == named - {"glyphs"}


@pytest.mark.parametrize("page", PAGES)
def test_links_and_commands_name_what_is_there(page):
    """Files that a page links to exist, and so do the modules and studies that its commands name."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#\s]+)\)", text):
        if not link.startswith(("http", "runs/")):
            assert (ROOT / page).parent.joinpath(link).exists(), link
    for module in re.findall(r"python -m ((?:stages|kith|workflow|benchmarks)[\w.]*)", text):
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module
    for study in re.findall(r"kith study (\w+)", text):
        made_up = {"shop", "mine", "products", "NAME"}
        assert study in made_up or (ROOT / "studies" / f"{study}.yaml").exists(), study
