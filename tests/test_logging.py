"""Nothing is printed unasked; the logger ``kmtoolkit`` tells what a fit does to who listens."""

import logging

import pytest
from processes import python

import kmtoolkit as km

X = km.datasets.iris().X


def test_nothing_is_printed(capfd):
    km.Solver(rng=0, n_init=3, verify=True).fit(X, 3).predict(X)
    assert capfd.readouterr() == ("", "")


def test_the_library_configures_no_logging():
    logger = logging.getLogger("kmtoolkit")
    assert [type(handler) for handler in logger.handlers] == [logging.NullHandler]
    assert logger.level == logging.NOTSET


def test_fits_and_restarts_are_logged_as_info(caplog):
    caplog.set_level(logging.INFO, "kmtoolkit")
    result = km.Solver(rng=0, n_init=2).fit(X, 3)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    restarts = [line for line in lines if line.startswith("restart")]
    assert "fit 150 x 4, k=3: km.Solver(n_init=2, rng=0)" in lines
    run = result.runs[1]
    assert restarts[1] == f"restart 1: objective {run.objective:.10g}, {run.n_iter} iterations, {run.status}"
    assert len(restarts) == 2


def test_half_steps_are_logged_as_debug(caplog):
    caplog.set_level(logging.DEBUG, "kmtoolkit")
    result = km.Solver(rng=0).fit(X, 3)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert len(lines) == len(result.trace)
    assert lines[0].startswith("iteration 0, init: objective ")
    assert lines[0].endswith(", 150 rows moved")


@pytest.mark.compiled
@pytest.mark.slow
def test_compilations_are_logged(tmp_path):
    code = """
import json, logging
heard = []
class Listen(logging.Handler):
    def emit(self, record):
        heard.append((record.levelname, record.getMessage()))
logging.getLogger("kmtoolkit").addHandler(Listen())
logging.getLogger("kmtoolkit").setLevel("INFO")
import kmtoolkit as km
km.kmeans([[1.0], [2.0], [6.0], [7.0], [8.0]], 2, rng=0)
print(json.dumps([line for line in heard if line[1].startswith("compiling")]))
"""
    lines = python(code, NUMBA_CACHE_DIR=tmp_path)
    assert ["INFO", "compiling kmtoolkit.kernels.squared._nearest"] in lines
    assert python(code, NUMBA_CACHE_DIR=tmp_path) == []
