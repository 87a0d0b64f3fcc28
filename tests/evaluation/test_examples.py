"""The examples in the docstrings of measures run, and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import kith.evaluation
import kith.metrics

PACKAGES = (kith.metrics, kith.evaluation)
MODULES = [f"{package.__name__}.{each.name}" for package in PACKAGES for each in pkgutil.iter_modules(package.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert not failed
    assert tried or name.endswith((".catalogue", ".results"))  # these describe, and compute nothing
