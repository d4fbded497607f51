"""Whatever carries the numbers, the answer is that of the plain array, and the input stays as it was."""

import array

import numpy as np
import pandas as pd
import pytest

import kmtoolkit as km
from kmtoolkit.problem import admit

GRID = np.random.default_rng(0).integers(0, 12, (60, 3)).astype(float)
SOLVER = km.Solver(n_init=3, rng=1, tol=0)
PLAIN = SOLVER.fit(GRID, 4)


def big_endian(X):
    return X.astype(">f8")


def reversed_view(X):
    return np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]


def strided(X):
    wide = np.zeros((len(X) * 2, X.shape[1] * 3))
    wide[::2, ::3] = X
    return wide[::2, ::3]


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def unaligned(X):
    raw = np.zeros(X.nbytes + 1, np.uint8)
    view = raw[1:].view(X.dtype).reshape(X.shape)
    view[:] = X
    assert not view.flags.aligned
    return view


class Wrapped:
    """Something that only knows how to become an array."""

    def __init__(self, X):
        self.X = X

    def __array__(self, dtype=None, copy=None):
        return self.X


@pytest.mark.parametrize("shape", [(1, 1), (3, 600), (1023, 1), (2048, 1), (2049, 1), (2050, 7), (515, 2), (40, 300)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_box_holds_the_extremes_of_each_column(shape, dtype):
    X = np.random.default_rng(0).normal(size=shape).astype(dtype)
    for row in (0, shape[0] // 2, -1):
        X[row] *= 9
        box = admit(X, 1).box
        assert box.dtype == dtype
        assert box.tolist() == [X.min(axis=0).tolist(), X.max(axis=0).tolist()]
        holed = X.copy()
        holed[row, -1] = np.nan
        with pytest.raises(ValueError, match=f"X has nan at row {row % len(X)}, column {shape[1] - 1}"):
            admit(holed, 1)


CARRIERS = {
    "int64": lambda X: X.astype(np.int64), "uint8": lambda X: X.astype(np.uint8), "int8": lambda X: X.astype(np.int8),
    "float16": lambda X: X.astype(np.float16), "float32": lambda X: X.astype(np.float32),
    "longdouble": lambda X: X.astype(np.longdouble), "big-endian": big_endian,
    "big-endian float32": lambda X: X.astype(">f4"),
    "Fortran order": np.asfortranarray, "strided view": strided, "reversed view": reversed_view, "read-only": read_only,
    "unaligned": unaligned, "list": lambda X: X.tolist(), "tuple of tuples": lambda X: tuple(map(tuple, X)),
    "list of arrays": list, "array module": lambda X: [array.array("d", row) for row in X],
    "DataFrame": pd.DataFrame, "nullable DataFrame": lambda X: pd.DataFrame(X).astype("Float64").astype(float),
    "mixed DataFrame": lambda X: pd.DataFrame(X).astype({0: "Int64", 1: "Float64", 2: "int8"}),
    "unmasked array": np.ma.MaskedArray, "__array__": Wrapped,
    "subclass": lambda X: X.view(type("Sub", (np.ndarray,), {})),
}  # fmt: skip


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS)
def test_carriers(carrier):
    X = carrier(GRID)
    before = np.array(X)
    result = SOLVER.fit(X, 4)
    assert (result.labels == PLAIN.labels).all()
    assert (result.centers == PLAIN.centers).all()
    assert result.objective == PLAIN.objective
    assert (result.predict(X) == PLAIN.labels).all()
    assert np.array_equal(np.array(X), before)


def test_memory_map(tmp_path):
    np.save(tmp_path / "X.npy", GRID)
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    result = SOLVER.fit(X, 4)
    assert (result.labels == PLAIN.labels).all()
    assert result.objective == PLAIN.objective


def test_bool():
    X = np.random.default_rng(0).random((40, 5)) < 0.5
    a, b = SOLVER.fit(X, 3), SOLVER.fit(X.astype(float), 3)
    assert (a.labels == b.labels).all()
    assert a.objective == b.objective


@pytest.mark.parametrize("dtype", ["Int64", "Float32", "int64"])
@pytest.mark.parametrize("carrier", [pd.Series, pd.array])
def test_weights_of_pandas(carrier, dtype):
    w = np.random.default_rng(0).integers(0, 4, 60)
    plain, result = SOLVER.fit(GRID, 4, sample_weight=w), SOLVER.fit(GRID, 4, sample_weight=carrier(w, dtype=dtype))
    assert plain.objective == result.objective


@pytest.mark.parametrize("carrier", [list, np.float32, np.int64, ">f8", pd.Series])
def test_weights(carrier):
    w = np.random.default_rng(0).integers(0, 4, 60).astype(float)
    carried = w.astype(carrier) if isinstance(carrier, str) or carrier in (np.float32, np.int64) else carrier(w)
    plain, result = SOLVER.fit(GRID, 4, sample_weight=w), SOLVER.fit(GRID, 4, sample_weight=carried)
    assert (plain.labels == result.labels).all()
    assert plain.objective == result.objective


@pytest.mark.parametrize("k", [np.int8(4), np.int64(4), np.uint16(4)])
def test_integers_of_numpy_are_ints(k):
    assert SOLVER.fit(GRID, k).objective == PLAIN.objective


@pytest.mark.parametrize("carrier", [list, np.float32, np.asfortranarray, ">f8", np.int64])
def test_initial_centers(carrier):
    start = GRID[:4]
    carried = start.astype(carrier) if isinstance(carrier, str) or carrier in (np.float32, np.int64) else carrier(start)
    before = np.array(carried)
    result = km.Solver(tol=0).fit(GRID, 4, init_centers=carried)
    assert (result.centers == km.Solver(tol=0, init=start).fit(GRID, 4).centers).all()
    assert np.array_equal(np.array(carried), before)
    assert (result.runs[0].start == start).all()


def test_a_frame_may_have_a_column_named_centers():
    start = pd.DataFrame(GRID[:4], columns=["a", "b", "centers"])
    assert (km.Solver(tol=0).fit(GRID, 4, init_centers=start).runs[0].start == GRID[:4]).all()


def test_float32_rows_are_decided_in_float64():
    """Centers between float32 numbers, and rows a float32 product could not tell apart."""
    X = (1e6 + np.random.default_rng(0).normal(size=(200, 2))).astype(np.float32)
    single, double = SOLVER.fit(X, 5), SOLVER.fit(X.astype(np.float64), 5)
    assert single.centers.dtype == np.float64
    assert (single.labels == double.labels).all()
    assert (single.centers == double.centers).all()
    assert (single.trace.objective == double.trace.objective).all()
