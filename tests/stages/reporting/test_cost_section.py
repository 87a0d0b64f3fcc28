"""What quality costs, as a section of the report."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kith.data.digests import sha256
from kith.errors import KithError
from kith.indexes.cost import CostMaterial, measured
from kith.indexes.growth import enlarged
from kith.indexes.quality import PairQuestions
from kith.similarity import unit_rows
from kith.store.prepared import Prepared
from stages import cost, report, tracking
from stages.reporting.cost import section
from tests import made_browser
from tests.made_report import make_study


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> dict[str, Path]:
    """A study of a report, and costs that were measured on made-up vectors."""
    root = tmp_path_factory.mktemp("costs")
    paths = make_study(root)
    with contextlib.chdir(root):
        data = Prepared(paths["data"])
        (run,) = sorted(paths["runs"].glob("*/model.pt"))[:1]
        vectors = unit_rows(np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32))
        asked = PairQuestions(vectors[::-1], np.arange(30), np.arange(30))
        on = CostMaterial(vectors, vectors, np.concatenate([vectors, enlarged(vectors, 370)]), asked)
        rows = [measured(name, on, 10) for name in ("float32", "signs")]
        tables = [pd.DataFrame([{"run": run.parent.name, **row} for each in rows for row in each[i]]) for i in (0, 1)]
        tables[1]["searched"] = 30
        told = {"split": "test", "count": 10, "items": 30, "fitted": 30, "machine": "<b>a machine</b>"}
        told |= {"data": data.checksum, "runs": {run.parent.name: sha256(run)}}
        out = root / "reports/costs"
        cost._write(out, *tables, data.dataset, told)
    return paths | {"cost": out, "root": root}


@pytest.fixture(autouse=True)
def there(study, monkeypatch) -> None:
    monkeypatch.chdir(study["root"])
    monkeypatch.setattr(tracking, "log_report", lambda *_: None)


@pytest.fixture(scope="module")
def page(study) -> str:
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(study["root"]):
        patch.setattr(tracking, "log_report", lambda *_: None)
        report.main(**{name: path for name, path in study.items() if name != "root"})
    return study["page"].read_text(encoding="utf-8")


def test_the_section_has_the_chart_and_both_tables_of_each_run(page):
    found = page[page.index("What quality costs") : page.index("How it was made")]
    assert found.count('<th scope="row">float32</th>') == 2
    assert "<th>MRR@10</th>" in found
    assert "<th>query, ≈ 10⁸</th>" in found
    assert "≈ marks what is extrapolated" in found
    assert found.count("data:image/png;base64,") == 1
    assert "&lt;b&gt;a machine" in found  # nothing that was read is markup


def test_the_section_fits_its_window(study, page):
    launched = made_browser.launched()
    browser = next(launched)
    try:
        for width in (1280, 390):
            size = {"viewport": {"width": width, "height": 900}}
            with made_browser.opened(browser, study["page"].as_uri(), "#cost", **size) as page:
                assert page.evaluate(made_browser.TOO_WIDE) == 0
                image = page.locator("#cost ~ figure img, #cost ~ * figure img").first
                assert image.evaluate("(image) => image.naturalWidth > 0")
                assert 0 < image.bounding_box()["width"] <= width
                heads = page.locator("#cost ~ .scroll th").all_inner_texts()
                assert {"MRR@10", "query, ≈ 10⁸"} <= set(heads)
    finally:
        launched.close()


def test_costs_of_another_model_are_refused(study):
    model = next(iter(sorted(study["runs"].glob("*/model.pt"))))
    kept = model.with_suffix(".kept")
    shutil.copy(model, kept)
    try:
        model.write_bytes(b"another")
        with pytest.raises(KithError, match="was measured with another model than"):
            section(study["cost"], Prepared(study["data"]).checksum, study["runs"])
    finally:
        shutil.move(kept, model)


def test_a_folder_of_nobody_knows_what_is_refused(study, tmp_path):
    with pytest.raises(KithError, match="no such file, so nobody knows"):
        section(tmp_path, "", study["runs"])
