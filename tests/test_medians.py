"""Weighted medians: the definition in exact numbers, whatever the order, the weights and the pivots."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmtoolkit.kernels import medians as kernel
from kmtoolkit.kernels.medians import medians
from kmtoolkit.kernels.threads import sharing_threads


def by_definition(values, weights):
    """The middle of all values with half of the weight at or below, and half at or above."""
    pairs = sorted((Fraction(float(v)), Fraction(float(w))) for v, w in zip(values, weights, strict=True))
    half = sum(w for _, w in pairs) / 2
    low = next(v for v, _ in pairs if sum(w for u, w in pairs if u <= v) >= half)
    high = next(v for v, _ in reversed(pairs) if sum(w for u, w in pairs if u >= v) >= half)
    return float((low + high) / 2)


def run(X, weights, labels, k):
    X = np.ascontiguousarray(X)
    X.flags.writeable = False
    centers = np.full((k, X.shape[1]), 7.0)
    counts = np.bincount(labels, minlength=k)
    medians(X, np.asarray(weights, float), labels.astype(np.int32), counts, centers)
    return centers


@st.composite
def columns(draw):
    n, seed = draw(st.integers(1, 30)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    X = draw(st.sampled_from([
        rng.integers(-2, 3, (n, 2)).astype(float), rng.normal(size=(n, 2)), np.sort(rng.normal(size=(n, 2)), axis=0),
        rng.lognormal(0, 6, (n, 2)), np.full((n, 2), 0.1),
    ]))  # fmt: skip
    weights = draw(st.sampled_from([np.ones(n), np.full(n, 3.0), rng.integers(1, 4, n), rng.random(n) + 0.1]))
    return X.astype(draw(st.sampled_from([np.float32, np.float64]))), weights, rng.integers(0, 3, n)


@settings(max_examples=150)
@given(columns())
def test_the_definition_in_exact_numbers(case):
    X, weights, labels = case
    centers = run(X, weights, labels, 4)
    for j in range(4):
        mine = labels == j
        expected = [by_definition(X[mine, f], weights[mine]) for f in range(2)] if mine.any() else [7.0, 7.0]
        assert centers[j].tolist() == pytest.approx(expected, rel=1e-15, abs=0)


@given(columns())
def test_no_value_costs_less(case):
    """Some value minimizes the sum of w |x - v|, so none may do better than the center."""
    X, weights, labels = case
    centers = run(X, weights, labels, 3)
    for j, f in np.ndindex(centers.shape):
        pairs = [
            (Fraction(float(v)), Fraction(float(w)))
            for v, w in zip(X[labels == j, f], weights[labels == j], strict=True)
        ]
        costs = [sum(w * abs(x - v) for x, w in pairs) for v in {x for x, _ in pairs}]
        mine = sum(w * abs(x - Fraction(float(centers[j, f]))) for x, w in pairs)
        assert not pairs or mine <= min(costs) * (1 + Fraction(1, 2**50))


@given(columns())
def test_neither_order_nor_scale_of_weights_matter(case):
    X, weights, labels = case
    first = run(X, weights, labels, 3)
    turned = np.random.default_rng(0).permutation(len(X))
    assert (run(X[turned], weights[turned], labels[turned], 3) == first).all()
    assert (run(X, weights * 2.0**-30, labels, 3) == first).all()


@given(columns())
def test_weights_are_copies(case):
    X, _, labels = case
    copies = 1 + np.arange(len(X)) % 3
    repeated = run(np.repeat(X, copies, axis=0), np.ones(copies.sum()), np.repeat(labels, copies), 3)
    assert (run(X, copies, labels, 3) == repeated).all()


@pytest.mark.parametrize("kind", ["normal", "sorted", "two values", "equal", "organ pipe"])
def test_many_rows_equal_numpy_for_any_number_of_threads(kind):
    rng, n = np.random.default_rng(1), 20_001
    X = {
        "normal": rng.normal(size=(n, 3)),
        "sorted": np.sort(rng.normal(size=(n, 3)), axis=0),
        "two values": rng.integers(0, 2, (n, 3)).astype(float),
        "equal": np.full((n, 3), 0.3),
        "organ pipe": np.abs(np.arange(n)[:, None] - n // 2) * np.array([1.0, -1.0, 0.5]),
    }[kind]
    labels = rng.integers(0, 2, n)
    results = []
    for threads in (1, 2):
        with sharing_threads(threads):
            results.append(run(X, np.ones(n), labels, 2))
    expected = [np.median(X[labels == j], axis=0) for j in range(2)]
    assert (results[0] == results[1]).all()
    assert results[0] == pytest.approx(np.array(expected), rel=1e-15)


def test_what_pivots_leave_is_sorted():
    """The end of the selection, if pivots were bad: the same median."""
    values, shares = np.array([3.0, 1.0, 2.0, 5.0]), np.array([1.0, 1.0, 1.0, 3.0])
    assert kernel._median_of_sorted(values, shares[:0], (0.0, 0.0), (4.0, 0.0), np.inf) == 2.5
    assert kernel._median_of_sorted(values, shares, (0.0, 0.0), (6.0, 0.0), np.inf) == 4.0
    assert kernel._median_of_sorted(values[:2], shares[:0], (0.0, 0.0), (4.0, 0.0), 4.0) == 3.5


@pytest.mark.parametrize("size", [1.7e308, 5e-324])
def test_the_middle_stays_between(size):
    for values in ([size, 0.9 * size], [-size, -0.9 * size], [-size, size], [size, 3 * min(size, 1e-300)]):
        center = run(np.array(values)[:, None], np.ones(2), np.zeros(2, int), 1)[0, 0]
        assert min(values) <= center <= max(values)
        assert center == pytest.approx(values[0] / 2 + values[1] / 2, rel=1e-15, abs=1e-323)


@pytest.mark.parametrize("kind", ["normal", "sorted", "falling", "organ pipe", "valley", "saw", "two values", "equal"])
def test_no_pattern_spoils_the_pivots(kind, monkeypatch):
    """Splits go over each value a few times: 2.75 is the mean for a random order."""
    n, seen, split = 4000, [], kernel._split
    at = np.arange(n)
    values = np.empty((3, n))
    values[0] = {
        "normal": np.random.default_rng(0).normal(size=n), "sorted": at, "falling": -at,
        "organ pipe": -np.abs(at - n // 2), "valley": np.abs(at - n // 2), "saw": at % 64, "two values": at % 2,
        "equal": np.ones(n),
    }[kind]  # fmt: skip
    expected = np.median(values[0])

    def counted(values, shares, now, many, pivot):
        seen.append(many)
        return split(values, shares, now, many, pivot)

    monkeypatch.setattr(kernel, "_split", counted)
    median = getattr(kernel._median, "py_func", kernel._median)
    assert median(values, np.empty((3, 0)), n) == expected
    assert sum(seen) < 6 * n


def test_columns_of_a_large_cluster_are_shared_out(monkeypatch):
    """Every column is done once, and no chunk does more than one column beyond its part of the values."""
    n, d, k, chunks = 300, 8, 5, 8
    labels = np.random.default_rng(0).choice([0, 2, 3], n, p=[0.05, 0.9, 0.05])  # the others are empty
    counts = np.bincount(labels, minlength=k)
    order, starts = np.argsort(labels, kind="stable"), np.append(0, np.cumsum(counts))
    done = []
    monkeypatch.setattr(kernel, "_median", lambda values, shares, many: done.append(many) or 1.0)
    total, centers = [], np.zeros((k, d))
    for t in range(chunks):
        done.clear()
        kernel._medians.body(t * n * d // chunks, (t + 1) * n * d // chunks, t, np.zeros((n, d)), np.ones(n), True,
                             order, starts, centers)  # fmt: skip
        assert sum(done) <= n * d / chunks + counts.max()
        total += done
    assert sorted(total) == sorted(np.repeat(counts[counts > 0], d))
    assert (centers == (counts > 0)[:, None]).all()
