"""The tiled search for the nearest center equals the canonical function, whatever rounding does to its scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import python

from kmtoolkit.kernels import closest as module
from kmtoolkit.kernels.closest import closest
from kmtoolkit.kernels.squared import nearest
from kmtoolkit.problem import read_only

pytestmark = pytest.mark.compiled
PRECISIONS = [np.float32, np.float64]


def oracle(X, centers):
    labels = np.empty(len(X), np.int32)
    nearest(read_only(X), centers, labels)
    return labels


def by_tiles(X, centers, precision):
    """The labels, and the share of rows that the tiles left undecided."""
    labels = np.full(len(X), -7, np.int32)
    packed = module.pack(X, centers, PRECISIONS.index(precision))
    return labels, module._label(read_only(X), packed, labels)


def equal(X, centers):
    """Whether tiles in both precisions give the canonical labels; the shares they left undecided."""
    right, shares = oracle(X, centers), []
    for precision in PRECISIONS:
        labels, share = by_tiles(X, centers, precision)
        np.testing.assert_array_equal(labels, right)
        shares.append(share)
    return shares


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100])
def test_every_number_of_rows_columns_and_centers(d, dtype):
    """Blocks that are not full, groups that are not full, and rows too near to the end for whole vectors."""
    rng = np.random.default_rng(d)
    for n in (1, 2, 5, 63, 64, 65, 127, 200):
        for k in (2, 3, 6, 7, 12, 13, 40):
            X = rng.normal(size=(n, d)).astype(dtype)
            shares = equal(X, rng.normal(size=(k, d)))
            assert shares[1] == 0  # rounding of float64 decides none of these


def test_a_grid_of_integers_is_full_of_ties():
    X = np.array([(a, b, c) for a in range(-6, 7) for b in range(-6, 7) for c in range(7)], float)
    centers = X[np.random.default_rng(0).permutation(len(X))[:60]].copy()
    for dtype in PRECISIONS:
        assert min(equal(X.astype(dtype), centers)) > 0.2


def test_duplicate_centers_go_to_the_lowest_index():
    X = np.random.default_rng(0).normal(size=(500, 5))
    centers = np.repeat(X[:7], 3, axis=0)
    assert equal(X, centers) == [1.0, 1.0]
    assert set(by_tiles(X, centers, np.float32)[0]) <= set(range(0, 21, 3))


def test_two_tight_clusters_far_from_a_third():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(300, 4)), 1e5 + rng.normal(size=(300, 4)) / 4, -1e5 + rng.normal(size=(9, 4))])
    X = X.astype(np.float32)
    single, double = equal(X, X[::29].astype(float))
    assert single > 0.3
    assert double < 0.1


def test_an_offset_costs_nothing():
    rng = np.random.default_rng(0)
    X = (1e6 + 50 * rng.normal(size=(2000, 3))).astype(np.float32)
    assert equal(X, X[:40].astype(float))[0] < 0.3


@pytest.mark.parametrize(
    "scale", [1e-300, 1e-170, 1e-83, 1e-82, 1e-81, 1e-79, 1e-45, 1e-38, 1e-20, 1e18, 1e38, 4e79, 6e79, 1e150]
)
def test_the_whole_range_of_values(scale):
    for dtype in PRECISIONS:
        with np.errstate(over="ignore", under="ignore"):
            X = (np.random.default_rng(0).normal(size=(300, 6)) * scale).astype(dtype)
        X = X[np.isfinite(X).all(axis=1)]
        if len(X):
            equal(X, X[:20].astype(float) * 1.01)


@pytest.mark.parametrize("exponent", [60, 63, 64, 64.7, 65, 264, 264.7, 265])
def test_one_center_far_from_many(exponent):
    """Scores of the far one must not leave the range of the tile unseen."""
    rng = np.random.default_rng(0)
    centers = np.concatenate([rng.normal(size=(99, 1)), [[2.0**exponent]]])
    equal(np.linspace(0.4, 1.1, 600)[:, np.newaxis] * 2.0**exponent, centers)


def test_rows_far_beyond_the_centers():
    """Beyond the range of the tile, and far enough for the canonical function to round too."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4)) * 10.0 ** rng.integers(-30, 60, size=(400, 1))
    equal(X, rng.normal(size=(25, 4)))
    equal(X.clip(-1e30, 1e30).astype(np.float32), rng.normal(size=(25, 4)))


@given(st.integers(0, 2**32), st.sampled_from(PRECISIONS), st.integers(1, 20), st.integers(2, 30))
def test_near_ties(seed, dtype, d, k):
    """Rows on the bisectors of pairs of centers, nudged by a few roundings or none."""
    rng = np.random.default_rng(seed)
    centers = rng.choice([0.0, 1e3]) + rng.normal(size=(k, d)).astype(dtype).astype(float)
    a, b = rng.integers(k, size=(2, 150))
    X = (centers[a] + centers[b]) / 2 * (1 + np.finfo(dtype).eps * rng.integers(-2, 3, size=(150, d)))
    equal(X.astype(dtype), centers)


def test_many_undecided_rows_choose_the_next_precision(monkeypatch):
    """Float32 where it decides, float64 where that does, and the canonical function where none does."""
    calls, label = [], module._label
    monkeypatch.setattr(
        module, "_label", lambda *args: (calls.append((len(args[0]), args[1].groups.dtype)), label(*args))[1]
    )
    rng = np.random.default_rng(0)
    easy = rng.normal(size=(20_000, 4))
    hard = np.concatenate([easy, 1e6 + easy])
    hopeless = rng.integers(2, size=(20_000, 4)).astype(float)
    for X, precision in ((easy, np.float32), (hard, np.float64), (hopeless, None)):
        calls.clear()
        labels, centers = np.empty(len(X), np.int32), X[np.random.default_rng(1).permutation(len(X))[:64]].copy()
        closest(read_only(X), centers, labels)
        np.testing.assert_array_equal(labels, oracle(X, centers))
        assert [p for n, p in calls if n == len(X)] == [precision] * (precision is not None)


def test_one_center_and_small_problems_need_no_tiles(monkeypatch):
    monkeypatch.setattr(module, "_label", None)
    X = np.random.default_rng(0).normal(size=(100, 2))
    for k in (1, 3):
        labels = np.full(100, -1, np.int32)
        closest(read_only(X), X[:k], labels)
        np.testing.assert_array_equal(labels, oracle(X, X[:k]))


TARGET = """
import json
import numpy as np
from kmtoolkit.kernels import closest as module, simd
from kmtoolkit.kernels.squared import nearest
rng, wrong = np.random.default_rng(0), 0
for n, d, k, dtype in ((3000, 2, 30, "d"), (1000, 3, 13, "f"), (700, 37, 20, "f"), (700, 37, 20, "d")):
    X, centers = rng.normal(size=(n, d)).astype(dtype), rng.normal(size=(k, d))
    X.flags.writeable = False
    right, labels = np.empty((2, n), np.int32)
    nearest(X, centers, right)
    for level in (0, 1):
        module._label(X, module.pack(X, centers, level), labels)
        wrong += int((labels != right).sum())
asm = "".join(module._closest.chunk.inspect_asm().values())
registers = [name for name in ("xmm", "ymm", "zmm") if "%" + name in asm]
print(json.dumps([wrong, simd.VECTOR_BYTES, registers, "vfmadd" in asm, "fmaf" in asm]))
"""


@pytest.mark.slow  # each of them compiles all anew
@pytest.mark.parametrize(
    ("features", "bytes_", "registers", "fused"),
    [("+avx2,+fma,+avx,+sse4.2", 32, ["xmm", "ymm"], True), ("", 16, ["xmm"], False)],
    ids=["AVX2", "baseline"],
)
def test_other_x86_machines(features, bytes_, registers, fused, tmp_path):
    """Right answers in the registers that the target has, and no call where it has no FMA."""
    if "x86" not in python("import json, platform; print(json.dumps(platform.machine()))"):
        pytest.skip("not an x86 machine")
    said = python(
        TARGET, NUMBA_CPU_NAME="x86-64", NUMBA_CPU_FEATURES=features, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_NUM_THREADS=1
    )
    assert said == [0, bytes_, registers, fused, False]
