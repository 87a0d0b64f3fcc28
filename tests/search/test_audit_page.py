"""The page /audit: its interface, the file of marks that it writes, and the page in a real browser."""

import http.client
import multiprocessing
import urllib.parse
from pathlib import Path

import pandas as pd
import pytest
import requests
from filelock import FileLock

from kith.data.marks import read_marks
from kith.errors import KithError, UnanswerableError
from kith.search import Prepared, Run
from kith.search.marks import Mark, MarksFile
from kith.store.provenance import NOTE, note
from stages import files
from tests import made_browser, made_pages, made_search

JSON = {"content-type": "application/json"}


@pytest.fixture
def data(tmp_path) -> Prepared:
    made_search.make_data(tmp_path)
    made_search.make_run(tmp_path, "pairs-0")
    return Prepared(tmp_path / "data/made/prepared")


@pytest.fixture
def audited(data) -> Prepared:
    """With findings: 30 pairs, a label, and the text that is markup."""
    made_pages.make_audit(data)
    return data


@pytest.fixture
def address(data):
    with made_search.serving([Run(data.folder.parents[2] / "runs/made/pairs-0", data)]) as address:
        yield address


def marks_of(data: Prepared) -> Path:
    return data.folder.parent / "marks.csv"


def test_findings_come_a_page_at_a_time(audited, address):
    first = requests.get(f"{address}/api/audit", params={"count": 12}, timeout=30).json()
    assert first["kind"] == "near_pictures"
    assert [(each["found"], each["all"]) for each in first["kinds"]] == [(30, 120), (1, 1), (1, 1), (1, 1)]
    assert first["costs"] == []  # nothing was evaluated
    assert len(first["findings"]) == 12
    sides = first["findings"][0]["sides"]
    assert [side["id"] for side in sides] == ["item/24", "item/14"]  # a leak, and leaks come first
    assert first["findings"][0]["leak"]
    assert requests.get(f"{address}/" + sides[0]["picture"], timeout=30).content[:4] == b"\x89PNG"
    last = requests.get(f"{address}/api/audit", params={"start": 24}, timeout=30).json()
    assert len(last["findings"]) == 6
    unknown = requests.get(f"{address}/api/audit", params={"kind": "fun"}, timeout=30)
    assert (unknown.status_code, unknown.json()) == (404, {"error": "nothing was found of the kind 'fun'"})


def test_without_an_audit_the_page_says_what_to_do(data, address):
    asked = requests.get(f"{address}/api/audit", timeout=30)
    assert (asked.status_code, asked.json()["error"]) == (404, "there is no audit of these data; run `kith audit`")


def test_an_audit_of_other_data_is_none(audited, address):
    folder = audited.folder.parent / "audit"
    written = [folder / name for name in ("audit.parquet", "summary.json")]
    files.write_json(folder / NOTE, note(written, data="0" * 64))
    assert "made of other data" in requests.get(f"{address}/api/audit", timeout=30).json()["error"]


def test_marks_are_what_prepare_reads(audited, address):
    post = f"{address}/api/audit/marks"
    text = audited.texts[0]
    sent = [{"id": "item/03", "mark": "exclude"}, {"id": "item/00", "mark": "exclude", "text": text}]
    assert requests.post(post, json=sent, timeout=30).json() == {"marks": 2}
    again = [{"id": "item/03", "mark": "relabel", "label": "cross"}, {"id": "item/04", "mark": "keep"}]
    assert requests.post(post, json=again, timeout=30).json() == {"marks": 3}
    path = marks_of(audited)
    assert path.read_text() == "id,mark,label,text,of\n" + "".join(
        f"{line},{audited.texts[audited.text_start[audited.row(line[:7])]]}\n"
        for line in ("item/03,relabel,cross,", f"item/00,exclude,,{text}", "item/04,keep,,")
    )
    assert [(each.id, each.text) for each in read_marks(path, "exclude")] == [("item/00", text)]
    assert [(each.id, each.label) for each in read_marks(path, "relabel")] == [("item/03", "cross")]
    assert requests.post(post, json=[{"id": "item/03", "mark": ""}], timeout=30).json() == {"marks": 2}


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ([{"id": "item/99", "mark": "exclude"}], 400, "no item has the id 'item/99'"),
        ([{"id": "item/03", "mark": "relabel", "label": "moon"}], 400, "no item has the label 'moon'"),
        ([{"id": "item/03", "mark": "exclude", "text": "moon"}], 400, "has no such text"),
        ([{"id": "item/03", "mark": "burn"}], 422, "no marks: "),
        ({"id": "item/03"}, 422, "no marks: "),
    ],
)
def test_what_is_no_mark_is_refused_and_nothing_is_written(audited, address, sent, status, said):
    asked = requests.post(f"{address}/api/audit/marks", json=sent, timeout=30)
    assert asked.status_code == status
    assert said in asked.json()["error"]
    assert not marks_of(audited).exists()


def test_forms_of_other_sites_and_large_bodies_are_refused(audited, address):
    post = f"{address}/api/audit/marks"
    plain = requests.post(post, data="[]", headers={"content-type": "text/plain"}, timeout=30)
    assert plain.status_code == 415
    large = requests.post(post, json=[{"id": "x" * 70_000, "mark": "keep"}], timeout=30)
    assert large.status_code == 413
    assert "larger than the limit of 64 KiB" in large.json()["error"]
    pieces = requests.post(post, data=iter([b"["] + [b" " * 65_536] * 2), headers=JSON, timeout=30)
    assert pieces.status_code == 413
    # Where both are told, the length counts for nothing.
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=30)
    both = JSON | {"content-length": "2", "transfer-encoding": "chunked"}
    connection.request("POST", "/api/audit/marks", b"20000\r\n" + b" " * 0x20000 + b"\r\n0\r\n\r\n", both)
    assert connection.getresponse().status == 413
    connection.close()


def test_marks_of_items_that_are_gone_stay(data):
    path = marks_of(data)
    path.write_text("id,mark,label,text\ngone,exclude,,\n")
    marks = MarksFile(path, data)
    assert marks.put([Mark("item/01", "keep")]) == 2
    assert path.read_text().splitlines()[1] == "gone,exclude,,,"
    with pytest.raises(UnanswerableError, match="no item has the id 'gone'"):
        marks.put([Mark("gone", "keep")])


def test_columns_and_lines_that_a_person_has_added_stay(data):
    path = marks_of(data)
    path.write_text(
        "who,id,mark,label,text,why\n"
        "Ann,item/01,exclude,,,blurred\n"
        "Ben,item/02,keep,,,\n"
        "Ann,item/02,exclude,,,no: it is blurred\n"
        "Ben,item/09,exclude,,,gone soon\n"
    )
    marks = MarksFile(path, data)
    sent = [Mark("item/01", "relabel", "cross"), Mark("item/02", "keep"), Mark("item/09", ""), Mark("item/03", "keep")]
    assert marks.put(sent) == 3
    read = pd.read_csv(path, keep_default_na=False)
    assert list(read) == ["who", "id", "mark", "label", "text", "why", "of"]
    assert read[["who", "id", "mark", "label", "why"]].to_numpy().tolist() == [
        ["Ann", "item/01", "relabel", "cross", "blurred"],
        ["Ben", "item/02", "keep", "", ""],
        ["Ann", "item/02", "", "", "no: it is blurred"],  # one decision an item
        ["Ben", "item/09", "", "", "gone soon"],  # what was taken back leaves what somebody wrote
        ["", "item/03", "keep", "", ""],
    ]
    assert [each.id for each in marks.read()[0]] == ["item/01", "item/02", "item/03"]
    assert read_marks(path, "exclude") == []
    path.write_text("id,mark,label,text\nitem/01,keep,,,what\n")
    with pytest.raises(KithError, match="a line has more fields than the first one"):
        marks.put([Mark("item/02", "keep")])


def put_many(path: Path, folder: Path, first: int) -> None:
    """Of another process: ten marks, one after another."""
    marks = MarksFile(path, Prepared(folder))
    for row in range(first, first + 10):
        marks.put([Mark(f"item/{row:02}", "exclude")])


def test_several_servers_lose_no_mark(data):
    path, servers = marks_of(data), multiprocessing.get_context("fork")
    begun = [servers.Process(target=put_many, args=(path, data.folder, 10 * each)) for each in range(4)]
    for each in begun:
        each.start()
    for each in begun:
        each.join(60)
        assert each.exitcode == 0
    assert sorted(each.id for each in read_marks(path, "exclude")) == [f"item/{row:02}" for row in range(40)]


def test_who_waits_too_long_for_another_server_is_told(data, monkeypatch):
    monkeypatch.setattr("kith.search.marks.PATIENCE", 0.1)
    with FileLock(data.folder.parent / ".marks.csv.lock"), pytest.raises(UnanswerableError, match="another server"):
        MarksFile(marks_of(data), data).put([Mark("item/01", "keep")])


def test_marks_of_rows_that_are_others_now_are_not_shown(audited, address):
    """Ids are numbers of rows: 5 was another item's."""
    path, texts = marks_of(audited), audited.texts
    audited.table["id"] = [str(row) for row in range(len(audited))]
    path.write_text(
        "id,mark,label,text,of\n"
        f'5,exclude,,,"{texts[0]}"\n'
        f'6,exclude,,,"{texts[12]}"\n'
        f'7,exclude,,"{texts[0]}","{texts[0]}"\n'  # prepare has left this text out
        "8,keep,,,\n"
        "99,exclude,,,gone\n"
    )
    marks = MarksFile(path, audited)
    found, moved = marks.read()
    assert ([each.id for each in found], moved) == (["6", "7", "8", "99"], 1)
    assert marks.put([Mark("5", "keep")]) == 6
    assert [each.mark for each in marks.read()[0] if each.id == "5"] == ["keep"]
    assert path.read_text().splitlines()[1] == f"5,exclude,,,{texts[0]}"  # it is somebody's decision
    told = requests.get(f"{address}/api/audit", params={"kind": "suspect_label"}, timeout=30).json()
    assert (told["marks"], told["moved"]) == (6, 1)


def test_texts_of_any_line_ends_come_again(data, monkeypatch):
    text = "one\rtwo\r\nthree, four"
    data.table["texts"].iat[1][0] = text
    name = data.table["id"].iat[1]
    path = marks_of(data)
    MarksFile(path, data).put([Mark(name, "exclude", text=text), Mark("item/01", "keep")])
    assert [(each.id, each.text) for each in read_marks(path, "exclude")] == [(name, text)]
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # as a spreadsheet saves it
    assert MarksFile(path, data).put([Mark("item/02", "keep")]) == 3


@pytest.fixture
def page(browser, audited, address):
    with made_browser.opened(browser, f"{address}/audit", ".finding") as page:
        yield page


def test_a_person_pages_through_pairs_and_marks_them(page, audited):
    path = marks_of(audited)
    assert page.locator(".finding").count() == 12
    assert page.inner_text("#place") == "1 to 12 of 30"
    first = page.locator(".finding").first
    assert first.locator("img").count() == 2
    first.get_by_role("button", name="Exclude", exact=True).first.click()
    page.wait_for_selector("text=1 mark in marks.csv")
    assert pd.read_csv(path).loc[0, ["id", "mark"]].tolist() == ["item/24", "exclude"]
    page.locator(".finding").nth(1).get_by_role("button", name="Keep both").click()
    page.wait_for_selector("text=3 marks in marks.csv")
    page.locator(".finding").first.get_by_role("button", name="Exclude", exact=True).first.click()  # takes it back
    page.wait_for_selector("text=2 marks in marks.csv")
    page.click("#next")
    page.wait_for_selector("text=13 to 24 of 30")
    page.go_back()
    page.wait_for_selector("text=1 to 12 of 30")
    assert page.locator("text=marked: keep").count() >= 2  # as it was marked


def test_a_label_is_changed_to_the_suggested_one_and_markup_is_text(page, audited):
    page.get_by_role("button", name="suspect labels (1)").click()
    page.wait_for_selector("text=better: cross")
    assert page.input_value("input") == "cross"
    page.get_by_role("button", name="Relabel").click()
    page.wait_for_selector("text=marked: cross")
    text = audited.texts[audited.text_start[5]]
    assert marks_of(audited).read_text().splitlines()[1:] == [f"item/05,relabel,cross,,{text}"]
    page.get_by_role("button", name="texts that fit many pictures (1)").click()
    page.wait_for_selector(f"text={made_search.MARKUP[:20]}")
    assert page.title() == "Faults in the data · Kith"  # nothing of it was run
    page.get_by_role("button", name="Exclude the text").click()
    page.wait_for_selector("text=marked: exclude this text")
    assert [each.text for each in read_marks(marks_of(audited), "exclude")] == [made_search.MARKUP]
