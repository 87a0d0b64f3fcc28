"""The examples in the docstrings of kith.data and of the reader of pickles."""

import doctest
import importlib

import pytest

MODULES = [
    *("kith.unpickle", "kith.data.advice", "kith.data.edges", "kith.data.guess", "kith.data.labels"),
    *("kith.data.source", "kith.data.sources", "kith.data.splits"),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried
    assert not failed
