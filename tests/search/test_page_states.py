"""What the pages show in all their states, in a real browser: one server for all that is asserted here."""

import re

import pytest

from tests import made_browser, made_pages, made_search

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pages are not tested")
expect = sync_api.expect

TOKEN = "a-token-of-letters-0123"
SIZES = [(1280, "light"), (390, "dark")]
PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}
ASKED = "?text=a+red+cross&plus=item%3Aitem%2F03&minus=text%3Ablue&where=column.price%3Acheap&where=split%3Atest"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    runs = made_pages.make_pages(tmp_path_factory.mktemp("states"))
    made_pages.make_measured(runs[0].folder, runs[0].data)
    made_pages.make_audit(runs[0].data)
    return runs


@pytest.fixture
def page(browser, address):
    with made_browser.opened(browser, address, ".tile") as page:
        yield page


def chips(page, where: str) -> list[str]:
    return [
        text.removesuffix("×").replace("\n", " ").strip() for text in page.locator(f"{where} .chip").all_inner_texts()
    ]


def titles(page) -> list[str]:
    return [tile.get_attribute("title") for tile in page.locator(".tile").all()]


def focused(page) -> str:
    return page.evaluate("document.activeElement.title || document.activeElement.id")


def test_filters_add_up_go_down_a_taxonomy_and_are_chips(page):
    expect(page.locator("#status")).to_have_text("48 items. Choose one to see what is near it.")
    page.get_by_role("checkbox", name="cheap").check()
    expect(page.locator("#status")).to_have_text("20 items pass the filters")
    page.get_by_role("button", name="All 11").click()
    page.get_by_role("checkbox", name="maker 10").check()
    expect(page.locator("#filters .chip")).to_have_count(2)
    assert chips(page, "#filters") == ["price: cheap", "maker: maker 10"]
    expect(page.get_by_role("button", name="Fewer")).to_have_count(1)  # it stays open
    page.get_by_role("button", name="Remove the filter maker: maker 10").click()
    page.locator("#facets button", has_text="Lines").click()
    expect(page.locator("#facets .path")).to_have_text("All›Lines")
    page.locator("#facets button", has_text="Bar").click()
    expect(page.locator("#facets .path")).to_have_text("All›Lines›Bar")
    assert chips(page, "#filters") == ["price: cheap", "Category: Bar"]
    assert "where=column.price%3Acheap&where=label%3Abar" in page.url
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.locator("#filters .chip")).to_have_count(1)
    page.go_back()
    expect(page.locator("#filters .chip")).to_have_count(2)


def test_where_no_item_passes_the_filters_they_are_cleared(page, address):
    page.goto(
        f"{address}/?text=red&where=label%3Abox&where=column.maker%3Amaker+0&where=column.price%3Acheap&where=split%3Atest"
    )
    expect(page.locator(".nothing p")).to_have_text("No item passes all filters.")
    expect(page.locator("#status")).to_have_text("Nothing was found.")
    expect(page.locator("#pager")).to_be_hidden()
    page.get_by_role("button", name="Clear the filters").click()
    expect(page.locator(".tile")).to_have_count(24)
    assert chips(page, "#filters") == []
    assert page.input_value("#text") == "red"


def test_what_is_added_and_subtracted_is_a_chip(page, address):
    page.goto(f"{address}/?text=a+red+cross")
    page.wait_for_selector(".similarity")
    page.fill("#but", "white")
    page.keyboard.press("Enter")
    expect(page.locator("#terms .plus")).to_have_text(re.compile("white"))
    page.fill("#but", "blue")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#terms .minus")).to_have_text(re.compile("blue"))
    page.locator(".tile").first.focus()
    added = focused(page)
    page.keyboard.press("+")
    expect(page.locator("#terms .chip")).to_have_count(3)
    assert f"plus=item%3A{added.replace('/', '%2F')}" in page.url
    expect(page.locator(".tile").first).not_to_have_attribute("title", added)  # what is asked is no answer
    assert chips(page, "#terms")[0] == "+ white"
    page.get_by_role("button", name="Remove blue").click()
    expect(page.locator("#terms .chip")).to_have_count(2)
    for number in range(6):
        page.fill("#but", f"bar {number}")
        page.click("#with")
        expect(page.locator("#terms .chip")).to_have_count(3 + number)
    page.fill("#but", "one more")
    page.click("#with")
    expect(page.locator("#status")).to_have_text("At most 8 terms: remove one first.")


def test_the_dialog_tells_all_of_an_item_and_goes_on(page, address):
    page.goto(f"{address}/?text=a+red+cross")
    page.wait_for_selector(".similarity")
    first, second = titles(page)[:2]
    page.locator(".tile").first.focus()
    page.keyboard.press("i")
    dialog = page.locator("#detail")
    expect(dialog).to_be_visible()
    facts = dict(zip(dialog.locator("dt").all_inner_texts(), dialog.locator("dd").all_inner_texts(), strict=True))
    assert list(facts) == ["id", "category", "split", "similarity", "price", "maker"]
    assert facts["id"] == first
    assert dialog.locator(".frame img").evaluate("(image) => image.complete")
    page.keyboard.press("ArrowRight")
    expect(dialog.locator("dd").first).to_have_text(second)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")  # there is none before the first
    expect(dialog.locator("dd").first).to_have_text(first)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.locator("li", has=page.locator(f".tile[title='{second}']")).hover()
    page.locator("li", has=page.locator(f".tile[title='{second}']")).locator(".about").click()
    dialog.get_by_role("button", name="− Less like this").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#terms .minus")).to_have_count(1)
    page.locator(".tile").first.focus()
    page.keyboard.press("i")
    page.mouse.click(5, 5)  # beside it
    expect(dialog).to_be_hidden()


def test_pages_are_turned_by_buttons_keys_and_addresses(page, address):
    expect(page.locator("#where")).to_have_text("Page 1 of 2")
    expect(page.locator("#previous")).to_be_disabled()
    before = titles(page)
    page.click("#next")
    expect(page.locator("#where")).to_have_text("Page 2 of 2")
    expect(page.locator("#next")).to_be_disabled()
    assert not set(before) & set(titles(page))
    page.locator("body").press("n")  # there is none
    page.locator("body").press("p")
    expect(page.locator("#where")).to_have_text("Page 1 of 2")
    page.goto(f"{address}/?text=a+red+cross&grouped=no&page=2")
    expect(page.locator("#status")).to_have_text("25–48 of 48, the nearest pictures first")
    page.get_by_role("checkbox", name="cheap").check()  # another question begins at its first page
    expect(page.locator("#status")).to_have_text("1–20 of 20, the nearest pictures first")


def test_keys_lead_through_the_page(page):
    page.keyboard.press("/")
    assert focused(page) == "text"
    page.keyboard.type("a red cross/?")  # keys are letters here
    page.keyboard.press("Enter")
    page.wait_for_selector(".similarity")
    page.keyboard.press("ArrowDown")
    found = titles(page)
    assert focused(page) == found[0]
    page.keyboard.press("ArrowRight")
    assert focused(page) == found[1]
    page.keyboard.press("ArrowDown")
    columns = page.evaluate("getComputedStyle(document.querySelector('ol')).gridTemplateColumns.split(' ').length")
    assert focused(page) == found[1 + columns]
    page.keyboard.press("Enter")
    page.wait_for_selector("#terms .chip")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_light_and_dark_are_as_the_system_says_until_one_chooses(browser, address):
    with made_browser.opened(browser, address, ".tile", color_scheme="dark") as page:
        ground = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(ground) == PAPER["dark"]
        page.click("#theme")
        assert page.evaluate(ground) == PAPER["light"]
        for path in ("?text=red", "docs", "audit"):  # on all pages
            page.goto(f"{address}/{path}")
            assert page.evaluate(ground) == PAPER["light"]
        page.wait_for_selector(".finding")
        page.click("#theme")
        assert page.evaluate(ground) == PAPER["dark"]
        assert page.evaluate("localStorage.getItem('kith-theme')") is None  # as the system says


def test_a_copied_link_is_the_answer(browser, address):
    permissions = {"permissions": ["clipboard-read", "clipboard-write"]}
    with made_browser.opened(browser, f"{address}/{ASKED}", ".similarity", **permissions) as page:
        shown = titles(page), chips(page, "#terms"), chips(page, "#filters")
        assert (len(shown[0]), shown[1][1:], shown[2]) == (8, ["− blue"], ["price: cheap", "Split: test"])
        page.click("#share")
        expect(page.locator("#share")).to_have_text("Copied")
        link = page.evaluate("navigator.clipboard.readText()")
    with made_browser.opened(browser, link, ".similarity") as page:
        page.wait_for_selector("#terms .minus")
        assert (titles(page), chips(page, "#terms"), chips(page, "#filters")) == shown


def test_words_that_nobody_knows_are_told_and_others_proposed(browser, address):
    with made_browser.opened(browser, f"{address}/?text=crosss", ".fault", refusals=True) as page:
        expect(page.locator(".fault")).to_have_text(re.compile("knows none of the words 'crosss'"))
        page.get_by_role("button", name="cross", exact=True).click()
        page.wait_for_selector(".similarity")
        page.goto(f"{address}/?text=a+red+zebra")
        expect(page.locator(".note").first).to_have_text("Words that this model never saw: “zebra”")
        page.goto(f"{address}/?text=zebra")
        expect(page.locator(".fault")).to_have_text(re.compile("it has no answer; take others"))
        page.locator("#results .proposal").first.click()
        page.wait_for_selector(".similarity")
        page.goto(f"{address}/?item=nobody")
        expect(page.locator(".fault")).to_have_text(re.compile("no item has the id 'nobody'"))
        page.goto(f"{address}/?picture=1")
        expect(page.locator(".fault")).to_have_text(re.compile("never stored: choose or drop it again"))


def test_who_has_no_token_is_asked_for_it(browser, runs, monkeypatch):
    monkeypatch.setattr("kith.search.access.PAUSE", 0.1)
    with (
        made_search.serving(runs, token=TOKEN) as address,
        made_browser.opened(browser, address, "#token", refusals=True) as page,
    ):
        assert page.url == f"{address}/login"
        assert focused(page) == "token"
        page.keyboard.type("another token 0123")
        page.keyboard.press("Enter")
        expect(page.locator("#wrong")).to_be_visible()
        page.fill("#token", TOKEN)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_selector(".tile img")
        page.goto(f"{address}/audit")
        page.wait_for_selector(".finding")


def test_the_interface_is_described(browser, address):
    with made_browser.opened(browser, f"{address}/docs", "table") as page:
        heads = page.locator("h2 code").all_inner_texts()
        assert heads[:2] == ["GET /api/runs", "GET /api/sample"]
        assert {"POST /api/search", "GET /api/audit", "POST /api/audit/marks", "GET /healthz"} <= set(heads)
        assert "GET /audit" not in heads  # a page
        text = page.inner_text("main")
        assert "default 24; at least 1; at most 100" in text
        assert ".;" not in text
        marks = page.locator("section", has_text="POST /api/audit/marks")
        assert "Body: A list of {id, mark, label, text} in JSON" in marks.inner_text()


def test_the_audit_tells_costs_and_what_is_not_listed(browser, address):
    with made_browser.opened(browser, f"{address}/audit", ".finding") as page:
        assert page.inner_text("header p") == "Faults in the data of shapes"
        expect(page.get_by_role("button", name="nearly equal pictures (120)")).to_have_attribute("aria-pressed", "true")
        assert page.inner_text("#means").endswith("Listed are 30 of 120.")
        cells = [row.locator("td").all_inner_texts() for row in page.locator("#costs tbody tr").all()]
        # All of the 16 test items of the pairs but two are found first, and so are the 8 others.
        asked = ["pairs-0", "test", "text to image", "16 of 24"]
        assert cells[0] == [*asked, *2 * [f"{22.5 / 24:.3f}", "1.000"]]
        assert [row[2] for row in cells] == ["text to image", "image to text"]
        page.locator(".side img").first.scroll_into_view_if_needed()
        expect(page.locator(".side img").first).to_have_class("small")  # pixels stay pixels
        page.get_by_role("button", name="rows left out by prepare (1)").click()
        expect(page.locator(".finding")).to_have_count(1)
        expect(page.locator(".finding")).to_have_text("score 1.00; row 7 (id 'lost'): no picture")
        expect(page.locator(".finding button")).to_have_count(0)
        page.goto(f"{address}/audit?kind=suspect_label")
        page.wait_for_selector("text=better: cross")
        expect(page.locator("#costs")).to_be_empty()  # a training item is never asked for


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_no_page_is_wider_than_its_window_and_all_has_names(browser, address, width, scheme):
    """And pairs of an audit stand side by side."""
    size = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    awaited = {
        f"/{ASKED}": ".similarity",
        "/docs": "table",
        "/audit": ".finding",
        "/audit?kind=ambiguous_text": ".side",
    }
    with made_browser.opened(browser, f"{address}/", ".tile", **size) as page:
        for path, selector in awaited.items():
            page.goto(address + path)
            page.wait_for_selector(selector)
            assert page.evaluate(made_browser.TOO_WIDE) == 0, path
            assert page.evaluate(made_browser.UNNAMED) == 0, path
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER[scheme]
            if path == "/audit":
                left, right = (side.bounding_box() for side in page.locator(".finding").first.locator(".side").all())
                assert (left["x"] + left["width"] < right["x"], left["y"] == right["y"]) == (True, True)
        page.goto(f"{address}/{ASKED}")
        expect(page.locator("#facets")).to_be_visible(visible=width > 640)
        if width < 640:
            page.click("#narrow")
            expect(page.locator("#facets")).to_be_visible()
