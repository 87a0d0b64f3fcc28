"""The page of a search in a real browser."""

import urllib.request
from pathlib import Path

import pytest

from kith.search import Prepared, Run
from kith.search.shown import ShownItems
from tests import made_browser, made_search
from tests.made_search import MARKUP

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: the page is not tested")
expect = sync_api.expect


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Prepared:
    root = tmp_path_factory.mktemp("page")
    made_search.make_data(root)
    made_search.make_run(root, "pairs-0")
    made_search.make_run(root, "classes-0", texts=False)
    return Prepared(root / "data/made/prepared")


@pytest.fixture(scope="module")
def address(data):
    runs = data.folder.parents[2] / "runs/made"
    with made_search.serving([Run(runs / name, data) for name in ("pairs-0", "classes-0")]) as address:
        yield address


@pytest.fixture
def page(browser, address):
    """The page, opened."""
    with made_browser.opened(browser, address, ".tile") as page:
        yield page


def search(page, text: str) -> None:
    page.fill("#text", text)
    page.keyboard.press("Enter")
    page.wait_for_selector(".similarity")


def similarities(page) -> list[float]:
    return [float(text) for text in page.locator(".similarity b").all_inner_texts()]


def test_a_text_fills_the_grid(page):
    assert "shapes, 24 held-out of 48 items" in page.inner_text("header")
    assert page.inner_text("#licence") == "Licence of the data: <i>free</i>"  # shown as it is, not as markup
    search(page, "a red cross")
    found = similarities(page)
    assert len(found) == 12  # one of each group
    assert found == sorted(found, reverse=True)
    page.uncheck("#one_per_group")
    expect(page.locator(".tile")).to_have_count(24)
    assert "text=a+red+cross" in page.url


def test_a_click_searches_from_an_item_and_back_returns(page):
    search(page, "a red cross")
    first = page.locator(".tile").first
    item, text = first.get_attribute("title"), first.locator(".text").inner_text()
    first.click()
    expect(page.locator("#asked p")).to_have_text(text)
    expect(page.locator(".tile").first).not_to_have_attribute("title", item)
    assert page.input_value("#text") == ""
    assert item not in [tile.get_attribute("title") for tile in page.locator(".tile").all()]
    page.go_back()
    expect(page.locator(".tile").first).to_have_attribute("title", item)
    assert page.input_value("#text") == "a red cross"
    page.reload()
    expect(page.locator(".tile").first).to_have_attribute("title", item)


def test_long_texts_unfold_and_no_tile_covers_their_button(page):
    def lengthen(route):
        answer = route.fetch().json()
        for result in answer["results"]:
            result["texts"] = ["a rather long text " * 20]
        route.fulfill(json=answer)

    page.route("**/api/search*", lengthen)
    search(page, "a red cross")
    more, tiles = page.locator(".more"), page.locator(".tile")
    assert more.count() == tiles.count() == 12
    ends = [button.bounding_box()["y"] + button.bounding_box()["height"] for button in more.all()]
    rows = sorted({tile.bounding_box()["y"] for tile in tiles.all()})
    assert len(rows) > 1
    assert min(ends) < rows[1]
    more.first.click()
    expect(more.first).to_have_text("Less")
    expect(tiles.first.locator(".text")).to_have_class("text whole")


def test_a_drawing_is_searched(page):
    page.click("#pen")
    box = page.locator("#canvas").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle[0] - 80, middle[1])
    page.mouse.down()
    with page.expect_request("**/api/search*") as sent:
        page.mouse.move(middle[0] + 80, middle[1], steps=5)
        page.mouse.up()
    assert sent.value.method == "POST"
    assert "invert=true" in sent.value.url
    page.wait_for_selector(".similarity")
    assert page.inner_text("#asked p") == "Your drawing"
    assert similarities(page)[0] > 0
    page.click("#clear")
    white = (
        "new Uint32Array(canvas.getContext('2d').getImageData(0, 0, 256, 256).data.buffer).every(p => p === 2**32 - 1)"
    )
    assert page.evaluate(white)


def test_a_chosen_picture_finds_its_item(page, address, data, tmp_path):
    (tmp_path / "mine.png").write_bytes(ShownItems(data).picture(33))
    page.set_input_files("#file", tmp_path / "mine.png")
    page.wait_for_selector(".similarity")
    assert page.locator(".tile").first.get_attribute("title") == "item/33"
    assert page.inner_text("#asked p") == "mine.png"
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    (tmp_path / "large.png").write_bytes(bytes((16 << 20) + 1))
    page.set_input_files("#file", tmp_path / "large.png")
    expect(page.locator("#status")).to_contain_text("larger than the limit of 16 MiB")
    assert not sent


def test_a_dropped_picture_finds_its_item(page, data):
    drop = """(bytes) => {
        const files = new DataTransfer();
        files.items.add(new File([new Uint8Array(bytes)], "dropped.png", {type: "image/png"}));
        for (const type of ["dragover", "drop"])
            document.body.dispatchEvent(new DragEvent(type, {dataTransfer: files, bubbles: true, cancelable: true}));
    }"""
    page.evaluate(drop, list(ShownItems(data).picture(41)))
    page.wait_for_selector(".similarity")
    assert page.locator(".tile").first.get_attribute("title") == "item/41"
    assert page.inner_text("#asked p") == "dropped.png"


def test_runs_stand_side_by_side(page, data, tmp_path):
    page.check("#runs input[value=classes-0]")
    expect(page.locator("#results section")).to_have_count(2)
    (tmp_path / "mine.png").write_bytes(ShownItems(data).picture(33))
    page.set_input_files("#file", tmp_path / "mine.png")
    page.wait_for_selector(".similarity")
    assert page.locator("#results h2").all_inner_texts() == ["pairs-0", "classes-0"]
    left, right = (section.bounding_box() for section in page.locator("#results section").all())
    assert left["x"] + left["width"] < right["x"]
    assert left["y"] == right["y"]


def test_markup_stays_text(page):
    search(page, "a red cross")
    page.check("#sides input[value=text]")
    page.uncheck("#one_per_group")
    expect(page.locator(".tile")).to_have_count(24)
    page.locator(".tile[title='item/47']").click()
    expect(page.locator("#asked p")).to_have_text(MARKUP)
    search(page, MARKUP)
    assert page.input_value("#text") == MARKUP
    assert page.title() == "Kith: shapes"
    assert page.locator("img[src=x], #results script, #asked script").count() == 0


def test_the_page_is_used_by_keyboard(page):
    page.locator("#text").focus()
    reached = []
    while not reached or reached[-1].split(" ")[0] != "tile":
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        assert len(reached) < 40
    assert reached[:3] == ["find", "file", "pen"]
    page.keyboard.press("Enter")
    page.wait_for_selector(".similarity")


def test_every_control_has_a_name(page):
    assert page.evaluate(made_browser.UNNAMED) == 0
    assert page.evaluate("[...document.images].every((image) => image.hasAttribute('alt'))")


@pytest.mark.parametrize("width", [375, 768, 1280])
def test_nothing_is_wider_than_the_window(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.check("#runs input[value=classes-0]")
    page.click("#pen")
    search(page, "a red cross " + "unbroken" * 30)
    expect(page.locator(".fault")).to_have_text("This run cannot be searched by text.")
    assert page.evaluate(made_browser.TOO_WIDE) == 0
    columns = page.evaluate("getComputedStyle(document.querySelector('ol')).gridTemplateColumns.split(' ').length")
    assert columns >= 2


@pytest.mark.parametrize("width", [375, 1280])
def test_texts_alone_are_in_lines_and_nothing_lies_over_their_score(browser, address, width):
    def without_pictures(route):
        found = route.fetch()
        content = found.json()
        for answer in content if isinstance(content, list) else [content]:
            for result in answer.get("results", []):
                result["thumbnail"] = None
        route.fulfill(response=found, json=content)

    page = browser.new_page(viewport={"width": width, "height": 800})
    page.route("**/api/*", without_pictures)
    page.goto(address)
    page.wait_for_selector(".tile")
    search(page, "a red cross")
    page.wait_for_selector("ol.lines .similarity b")
    expect(page.locator("#status")).to_contain_text("the nearest texts first")
    line = page.locator("ol.lines li").first
    score, actions = line.locator(".similarity b").bounding_box(), line.locator(".actions").bounding_box()
    assert score["x"] + score["width"] <= actions["x"]
    assert page.evaluate("getComputedStyle(document.querySelector('ol')).gridTemplateColumns.split(' ').length") == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_a_server_that_has_gone_is_told(browser, data):
    with made_search.serving([Run(data.folder.parents[2] / "runs/made/pairs-0", data)]) as address:
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector(".tile")
        page.route("**/api/search*", lambda route: route.abort())
        page.fill("#text", "red")
        page.keyboard.press("Enter")
        page.wait_for_selector(".fault")
        assert "Is it still running?" in page.inner_text(".fault")
        page.close()


def test_a_run_of_features_offers_its_items(browser, tmp_path):
    made_search.make_data(tmp_path, features=True)
    run = made_search.make_run(tmp_path, "features-0", features=True)
    with made_search.serving([Run(run, Prepared(tmp_path / "data/made/prepared"))]) as address:
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector(".tile")
        assert not page.is_visible("#text")
        assert not page.is_visible("#upload")
        page.locator(".tile").first.click()
        page.wait_for_selector(".similarity")
        assert page.locator(".tile img").count() == 0
        page.close()


def test_the_page_itself_is_small(address):
    static = Path(made_search.__file__).parent.parent / "kith/search/static"
    others = ("audit", "docs", "login")
    assert sum(path.stat().st_size for path in static.iterdir() if path.stem not in others) < 62_000
    with urllib.request.urlopen(address) as response:
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
