"""A real browser for the tests of pages: one for all of a file; a page that logs an error has failed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
FLAGS = f"{QUIET} --disable-component-update --disable-sync".split()
REFUSED = "the server responded with a status of 40"
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNNAMED = """[...document.querySelectorAll('input, button, canvas, section, a')].filter((one) => !one.hidden &&
    !(one.labels?.[0]?.textContent.trim() || one.textContent.trim() || one.ariaLabel)).length"""


def launched() -> Iterator[Any]:
    """The browser, until the generator is closed; skips where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: pages are not tested")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pages are not tested")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, address: str, awaited: str, *, refusals: bool = False, **options: Any) -> Iterator[Any]:
    """The page at `address`, once it shows `awaited`; it may log no error. refusals: questions that have no answer
    (400, 401) are no fault. options: of a browser's context."""
    context, faults = browser.new_context(**options), []
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(address)
    page.wait_for_selector(awaited)
    yield page
    context.close()
    assert [each for each in faults if not (refusals and REFUSED in each)] == []
