"""Examples in docstrings run, and public names are documented."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import kmtoolkit as km

MODULES = [m.name for m in pkgutil.walk_packages(km.__path__, "kmtoolkit.")]


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["kmtoolkit", *MODULES])
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    examples = sum(len(t.examples) for name in MODULES for t in finder.find(importlib.import_module(name)))
    assert examples >= 10


@pytest.mark.parametrize("name", km.__all__)
def test_public_names_have_docstrings(name):
    value = getattr(km, name)
    assert inspect.getdoc(value)
    if callable(value) and name in ("Solver", "kmeans", "available"):
        assert "Parameters" in inspect.getdoc(value)
        assert "Examples" in inspect.getdoc(value)
