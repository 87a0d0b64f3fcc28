"""The audit's section of the report."""

import contextlib
import re
from pathlib import Path

import pandas as pd
import pytest

from kith.errors import KithError
from stages import audit, report, tracking
from tests import made_browser
from tests.made_report import make_study, without_figures


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("audited")
    paths = make_study(root, texts_each=2)
    out = paths["data"].parent / "audit"
    with contextlib.chdir(root):
        audit.main(data=paths["data"], out=out)
    return paths | {"audited": out, "root": root}


@pytest.fixture(autouse=True)
def there(study, monkeypatch) -> None:
    monkeypatch.chdir(study["root"])
    monkeypatch.setattr(tracking, "log_report", lambda *_: None)


def write(study: dict[str, Path], **changes: Path | None) -> str:
    given = {name: path for name, path in (study | changes).items() if name != "root" and path is not None}
    report.main(**given)
    return given["page"].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(study) -> str:
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(study["root"]):
        patch.setattr(tracking, "log_report", lambda *_: None)
        return write(study)


def test_it_tells_each_kind_with_its_number_its_cost_and_pictures(study, page):
    found = pd.read_parquet(study["audited"] / "audit.parquet")
    pairs = found[found["kind"] == "exact_texts"]  # every letter has "the same letter in other words"
    assert len(pairs) == 99
    section = page[page.index("Faults in the data") : page.index("How it was made")]
    assert re.search(r"equal texts</th><td>99</td><td>\d+</td>", section)
    assert section.count("<tr>") > 2
    first = pairs.iloc[0]
    assert f"<b>{first['id']}</b> {first['split']}" in section
    assert section.count("data:image/png;base64,") >= 12
    cost = re.search(r"<td>40 of 40</td><td>(0\.\d{3})</td><td>–</td>", section)
    assert cost is not None  # every query is concerned: none is left


@pytest.fixture(scope="module")
def browser():
    yield from made_browser.launched()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_its_window_and_its_findings_unfold(browser, study, page, width):
    size = {"viewport": {"width": width, "height": 900}}
    with made_browser.opened(browser, study["page"].as_uri(), "#audit", **size) as page:
        assert page.evaluate(made_browser.TOO_WIDE) == 0
        details = page.locator("details", has_text="Equal texts: 99")
        pair = details.locator(".finding").first.locator("figure")
        assert not pair.first.is_visible()
        details.locator("summary").click()
        left, right = (side.bounding_box() for side in pair.all())
        assert left["y"] == right["y"]  # side by side
        assert left["x"] + left["width"] <= right["x"]
        assert details.locator("img").first.evaluate("(image) => image.naturalWidth") == 32
        assert "What to do: exclude one of them if they are the same thing" in details.inner_text()
        assert page.evaluate(made_browser.TOO_WIDE) == 0
        table = page.locator("#audit ~ .scroll").first
        assert table.evaluate("(one) => one.scrollWidth > one.clientWidth") == (width == 390)  # it is scrolled


def test_an_audit_of_nobody_knows_what_is_refused(study, tmp_path, monkeypatch):
    without_figures(monkeypatch)
    (tmp_path / "audit.parquet").write_bytes((study["audited"] / "audit.parquet").read_bytes())
    with pytest.raises(KithError, match="nobody knows what the files beside it were made of"):
        write(study, audited=tmp_path, page=tmp_path / "report.html")


def test_without_an_audit_there_is_no_section(study, tmp_path, monkeypatch):
    without_figures(monkeypatch)
    assert "Faults in the data" not in write(study, audited=None, page=tmp_path / "report.html")
