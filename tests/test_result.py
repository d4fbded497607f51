"""Result, Trace and Run: what is returned, as data and for reading."""

import dataclasses
import json
import pickle

import numpy as np
import pandas as pd
import pytest

import kmtoolkit as km

X = km.datasets.iris().X
RESULT = km.Solver(tol=0, rng=0, n_init=4).fit(X, 3)


def test_shapes_and_types():
    assert (RESULT.centers.shape, RESULT.centers.dtype) == ((3, 4), np.float64)
    assert (RESULT.labels.shape, RESULT.labels.dtype) == ((150,), np.int32)
    assert isinstance(RESULT.objective, float)
    assert isinstance(RESULT.n_iter, int)
    assert RESULT.sizes.dtype == np.int64
    assert RESULT.cluster_objectives.shape == (3,)
    assert RESULT.empty.shape == RESULT.dropped.shape == RESULT.not_nearest.shape == (0,)


def test_transform_gives_distances_unsquared():
    D = RESULT.transform(X[:7])
    assert pytest.approx(np.sqrt(((X[:7, None] - RESULT.centers) ** 2).sum(-1)), rel=1e-14) == D
    assert (D.argmin(1) == RESULT.predict(X[:7])).all()


def test_predict_sends_ties_to_the_lower_index():
    result = km.Solver(max_iter=0).fit([[0.0], [2.0]], 2, init_centers=[[0.0], [2.0]])
    assert result.predict([[1.0], [1.0 + 1e-12], [0.5]]).tolist() == [0, 1, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predict_takes_one_row(dtype):
    assert (RESULT.predict(X[5:6].astype(dtype)) == RESULT.labels[5]).all()


@pytest.mark.parametrize("d", [1, 7, 8, 9, 40])
def test_predict_of_few_rows_and_of_many_agree(d):
    """Duplicates among the centers and rows halfway between two are ties."""
    rng = np.random.default_rng(d)
    rows = rng.integers(0, 4, (200, d)) / 2
    result = dataclasses.replace(RESULT, centers=rng.integers(0, 4, (30, d)).astype(float))
    many = result.predict(rows)
    for few in (1, 2, 4, 5):
        parts = [result.predict(rows[i : i + few]) for i in range(0, 200, few)]
        assert np.concatenate(parts).tolist() == many.tolist()


def test_predict_goes_by_the_centers_as_they_are():
    result = dataclasses.replace(RESULT, centers=RESULT.centers.copy())
    assert result.predict(X[:1]) == RESULT.labels[0]
    result.centers[:] = np.roll(RESULT.centers, 1, axis=0)
    assert result.predict(X[:1]) == (RESULT.labels[0] + 1) % 3
    result.centers[0] = 1e300
    with pytest.raises(ValueError, match="squared distances overflow float64"):
        result.predict(X[:1])


def test_trace_as_data():
    trace = RESULT.trace
    columns = trace.to_dict()
    assert list(columns) == ["iteration", "phase", "objective", "drop", "noise", "seconds",
                             "moved", "refused", "empty", "max_shift",
                             "distances", "survivors", "memory", "engine"]  # fmt: skip
    assert json.loads(json.dumps(columns)) == columns
    frame = pd.DataFrame(columns)
    assert len(frame) == len(trace) == 1 + 2 * RESULT.n_iter
    assert (np.diff(trace.seconds) >= 0).all()
    assert trace.distances[trace.phase == "assign"].tolist() == [150 * 3] * RESULT.n_iter
    assert trace.moved[0] == 150
    assert trace.max_shift[0] == 0
    assert (trace.max_shift[1:-2] > 0).all()
    with pytest.raises(ValueError, match="read-only"):
        trace.objective[0] = 0


def test_trace_prints_one_line_per_half_step():
    lines = str(RESULT.trace).splitlines()
    assert len(lines) == 1 + len(RESULT.trace)
    assert lines[0].split() == ["iteration", "phase", "objective", "drop", "moved", "empty"]
    assert lines[1].split()[:2] == ["0", "init"]
    assert f"{RESULT.objective:.12g}" in lines[-1]
    assert "certified" in repr(RESULT.trace)


def test_traces_are_equal_but_for_the_seconds():
    again = km.Solver(tol=0, rng=0, n_init=4).fit(X, 3).trace
    assert again == RESULT.trace
    assert again != km.Solver(tol=0, rng=1, init="random").fit(X, 3).trace
    assert again != "trace"


def test_summary_reads():
    text = RESULT.summary()
    for words in ("3 clusters of 150 rows x 4 columns", "78.8514414261", "FIXED_POINT", "(exact)", "never rose",
                  "each drop judged", "restarts    4"):  # fmt: skip
        assert words in text
    assert len(text.splitlines()[-3].split("(")[1].split(",")) == 4
    wide = km.Solver(rng=0).fit(np.random.default_rng(0).normal(size=(40, 12)), 25).summary()
    assert "... 5 more" in wide
    assert ", ...)" in wide
    assert repr(RESULT).startswith("<Result: k=3, d=4, objective=78.85144143")


def test_a_result_survives_pickling():
    again = pickle.loads(pickle.dumps(RESULT))
    assert (again.predict(X) == RESULT.labels).all()
    assert again.trace == RESULT.trace
    assert again.status is km.Status.FIXED_POINT


@pytest.mark.parametrize(("load", "shape"), [(km.datasets.iris, (150, 4)), (km.datasets.old_faithful, (272, 2))])
def test_datasets(load, shape):
    data = load()
    assert data.X.shape == shape
    assert len(data.columns) == shape[1]
    assert data.X.flags.writeable


def test_iris_is_fishers():
    """Not the UCI file, whose rows 35 and 38 differ."""
    data = km.datasets.iris()
    assert data.X[34].tolist() == [4.9, 3.1, 1.5, 0.2]
    assert data.X[37].tolist() == [4.9, 3.6, 1.4, 0.1]
    assert np.unique(data.target, return_counts=True)[1].tolist() == [50, 50, 50]
