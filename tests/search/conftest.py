import pytest

from tests import made_browser, made_search


@pytest.fixture(scope="module")
def browser():
    yield from made_browser.launched()


@pytest.fixture(scope="module")
def address(runs):
    """Where the runs of a file are served."""
    with made_search.serving(runs) as address:
        yield address
