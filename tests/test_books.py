"""The books: statistics that follow the moved rows, and stay exact."""

import math
from fractions import Fraction

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import kmtoolkit as km
from kmtoolkit.books import Books
from kmtoolkit.kernels.arithmetic import NOISE
from kmtoolkit.kernels.changes import changed
from kmtoolkit.kernels.grid import watched
from kmtoolkit.kernels.jit import plain_python
from kmtoolkit.objectives import OBJECTIVES
from kmtoolkit.problem import admit


def open_books(X, weights, centers):
    door = admit(X, len(centers), weights)
    return Books(door.problem, np.array(centers, float), OBJECTIVES["squared-euclidean"], door.box)


def propose(books, labels, *, force=False):
    books.state.labels[:] = labels
    return books.settle(books.proposed()[0], force=force)


@settings(max_examples=20 if plain_python else 100)
@given(st.integers(0, 2**32 - 1))
def test_statistics_follow_the_moves_without_drift(seed):
    """After many moves they are what a sum from scratch gives, far rows and heavy rows included."""
    rng = np.random.default_rng(seed)
    d = int(rng.choice([2, 8, 11, 17]))
    X = rng.normal(size=(40, d)) * 10.0 ** rng.integers(-6, 7, (40, 1))
    weights = 10.0 ** rng.integers(-8, 9, 40) if seed % 2 else np.ones(40)
    books = open_books(X, weights, rng.normal(size=(4, d)))
    for _ in range(30):
        propose(books, rng.integers(4, size=40), force=True)
    state = books.state
    assert (state.counts == np.bincount(state.labels, minlength=4)).all()
    for j in range(4):
        mine = state.labels == j
        assert state.mass[j] == pytest.approx(math.fsum(weights[mine]), rel=1e-15)
        for f in range(d):
            terms = (
                Fraction(w) * (Fraction(x) - Fraction(state.origin[f]))
                for w, x in zip(weights[mine], X[mine, f], strict=True)
            )
            rounding = 1e-30 * float((weights * np.abs(X[:, f])).max())
            assert state.sums[j, f] == pytest.approx(float(sum(terms, Fraction(0))), rel=1e-15, abs=rounding)


@given(st.integers(0, 2**32 - 1))
def test_the_changed_labels_are_found(seed):
    rng = np.random.default_rng(seed)
    n, share = int(rng.integers(1, 200)), rng.choice([0.0, 0.1, 0.9, 1.0])
    accepted = rng.integers(-1, 5, n).astype(np.int32)
    labels = np.where(rng.random(n) < share, rng.integers(5, 9, n), accepted).astype(np.int32)
    rows, largest = changed(labels, accepted)
    different = np.flatnonzero(labels != accepted)
    if len(different) == n:
        assert rows is None
    else:
        assert rows.dtype == np.int32
        assert rows.tolist() == different.tolist()
    assert largest == labels.view(np.uint32).max()


def test_changed_labels_are_found_in_every_chunk():
    accepted = np.zeros(200_000, np.int32)
    labels = accepted.copy()
    labels[::1000] = 7
    rows, largest = changed(labels, accepted)
    assert rows.tolist() == list(range(0, 200_000, 1000))
    assert largest == 7


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_settlement_cut_short_leaves_what_was_accepted(share, thin_slices):
    rng = np.random.default_rng(0)
    books = open_books(rng.normal(size=(200, 1)), np.ones(200), [[0.0], [1.0]])
    propose(books, rng.integers(2, size=200), force=True)
    accepted = books.accepted.copy()
    books.state.labels[: int(200 * share)] ^= 1
    rows, _ = books.proposed()

    def stop():
        raise KeyboardInterrupt

    with watched(stop), pytest.raises(KeyboardInterrupt):
        books.settle(rows, force=True)
    assert (books.accepted == accepted).all()


def test_an_empty_cluster_has_no_mass_and_no_sums_at_all():
    """Whatever rounding left: rows came one by one, and leave together, so that the sums are rounded otherwise."""
    books = open_books(np.array([[1.0], [1.0], [1.0], [1.0], [-1.0]]), [0.3, 0.2, 0.1, 1e40, 1.0], [[0.0], [9.0]])
    books.state.labels[4] = 1
    for row in (3, 2, 1, 0):
        books.state.labels[row] = 0
        books.settle(books.proposed()[0])
    propose(books, 1, force=True)
    assert books.state.counts.tolist() == [0, 5]
    assert (books.state.mass[0], books.mass_error[0]) == (0, 0)
    assert (books.state.sums[0], books.sums_error[0]) == (0, 0)


def test_views_follow_the_state():
    """Their arrays are those of the state, read-only but for the named ones, also after a cluster was dropped."""
    books = open_books([[1.0], [2.0]], [1.0, 1.0], [[0.0], [9.0]])
    for _ in range(2):
        propose(books, 0)
        for view, writable in ((books.view(), ()), (books.view("labels"), ("labels",))):
            for name, array in view._asdict().items():
                assert np.shares_memory(array, getattr(books.state, name))
                assert array.flags.writeable == (name in writable)
        books.compress()
    assert books.view().centers.shape == (1, 1)


def test_a_tie_moves_to_the_lower_index_only():
    books = open_books([[1.0], [1.0]], [1.0, 1.0], [[0.0], [2.0]])
    propose(books, [0, 1])
    step = propose(books, [1, 0])
    assert books.state.labels.tolist() == [0, 0]
    assert (step.moved, step.refused, step.drop) == (1, 1, 0)


def test_the_hash_tells_labels_apart_and_comes_back():
    books = open_books(np.arange(6.0)[:, None], np.ones(6), np.arange(3.0)[:, None])
    seen = {}
    for labels in reference.partitions(6, 3):
        propose(books, labels, force=True)
        seen.setdefault(books.hash, []).append(tuple(labels))
    assert len(seen) == 90
    assert all(len(group) == 1 for group in seen.values())
    for labels in list(reference.partitions(6, 3))[::7]:
        propose(books, labels, force=True)
        assert seen[books.hash] == [tuple(labels)]


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e3, 1e6]))
def test_the_drop_of_an_update_is_right_for_any_centers(seed, offset):
    """Pythagoras in the books against the objective from scratch, and its noise covers the difference."""
    rng = np.random.default_rng(seed)
    X, weights = rng.normal(size=(30, 3)) + offset, rng.random(30)
    books = open_books(X, weights, X[:4])
    propose(books, rng.integers(4, size=30), force=True)
    before = books.state.centers.copy()
    books.state.centers[:] = rng.normal(size=(4, 3)) + offset
    value = reference.objective(X, weights, before, books.state.labels)
    step = books.updated({"centers": before}, value)
    labels = books.state.labels
    change = math.fsum(
        w * (reference.distance(x, before[j]) - reference.distance(x, books.state.centers[j]))
        for x, w, j in zip(X, weights, labels, strict=True)
    )
    assert abs(step.drop - change) <= NOISE * step.terms + 1e-13 * (value + abs(change))
    assert step.noise <= 1e-12 * (value + abs(change))


def test_the_noise_of_a_means_update_is_of_the_order_of_rounding():
    """Not a bound so wide that a faulty updater hides in it."""
    result = km.Solver("random", rng=0, tol=0).fit(km.datasets.iris().X, 3)
    update = result.trace.phase == "update"
    assert (result.trace.noise[update] <= 1e-13 * result.trace.objective[0]).all()
    assert (result.trace.noise[~update] == 0).all()


def test_differences_from_the_origin_are_exact():
    """0, or a value of the column's own where all values lie within a factor of two."""
    rng = np.random.default_rng(0)
    columns = [
        rng.normal(size=50),
        rng.normal(size=50) + 1e6,
        np.full(50, 0.1),
        -7 - rng.random(50),
        rng.random(50) + 0.5,
    ]
    origin = OBJECTIVES["squared-euclidean"].origin(admit(np.column_stack(columns), 1).box)
    assert (origin != 0).tolist() == [False, True, True, True, columns[4].max() <= 2 * columns[4].min()]
    assert origin[2] == 0.1
    for f, column in enumerate(columns):
        assert all(Fraction(x) - Fraction(origin[f]) == Fraction(x - origin[f]) for x in column)
