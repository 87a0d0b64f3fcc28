"""The examples in the docstrings of the library run, and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import kith

MODULES = ["kith", *(each.name for each in pkgutil.walk_packages(kith.__path__, "kith."))]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "kith").startswith("kith"):
            raise
        pytest.skip(f"{error.name} is not installed")
    assert not doctest.testmod(module).failed
