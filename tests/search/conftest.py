import pytest

from tests import made_browser


@pytest.fixture(scope="module")
def browser():
    yield from made_browser.launched()
