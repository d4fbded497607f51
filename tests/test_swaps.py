"""Swaps of medoids: which ones are made, in which order, and that none is left; and the look at a matrix before."""

import numpy as np
import pytest
import reference

from kmtoolkit.kernels import swaps
from kmtoolkit.kernels.dissimilarities import inspect
from kmtoolkit.kernels.grid import watched
from kmtoolkit.kernels.threads import sharing_threads


def plane(n, rng, places=None):
    """Distances (n, n) between points of the plane; with ``places``, whole ones between places of a grid."""
    X = rng.normal(size=(n, 2)) if places is None else rng.integers(places, size=(n, 2))
    gaps = np.abs(X[:, None] - X)
    return gaps.sum(axis=2).astype(float) if places else np.hypot(gaps[..., 0], gaps[..., 1])


def search(distances, medoids, weights=None, block=None, caches=None):
    """The caches after a search among the n rows; rows n and up of distances (n or more, n) are centers, not rows."""
    n, medoids = distances.shape[1], np.asarray(medoids)
    if caches is None:
        weights = np.ones(n) if weights is None else weights
        caches = swaps.open_caches(distances[medoids], np.where(medoids < n, medoids, -1), weights)
    block, first = block or n, 0
    while not swaps.finished(caches):
        rows = distances[first : min(first + block, n)]
        swaps.swap_pass(caches, rows, first)
        first = (first + len(rows)) % n
    return caches


def same(one, other):
    """Whether two caches hold the same bits; the tallies may differ."""
    return all(np.array_equal(a, b) for a, b in zip(one[:-1], other[:-1], strict=True))


# which swaps are made


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_swaps_are_those_of_a_naive_search_in_turn(seed, dtype):
    """Whole distances are summed exactly, however: with many ties, the swaps must be the same one by one."""
    rng = np.random.default_rng(seed)
    n, k = [(9, 1), (9, 9), (14, 3), (20, 2), (16, 6), (12, 1)][seed % 6]
    weights = rng.integers(1, 4, size=n).astype(float) if seed % 2 else np.ones(n)
    distances, medoids = plane(n, rng, places=4), rng.choice(n, k, replace=False)
    caches = search(distances.astype(dtype), medoids, weights)
    expected, count = reference.eager_swaps(distances, weights, medoids)
    assert caches.medoids.tolist() == expected
    assert caches.tally.tolist() == [n, count]
    assert caches.loss.tolist() == [reference.medoid_loss(distances, weights, expected), 0.0]


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("kind", ["weights", "asymmetric", "duplicates", "strangers"])
def test_no_swap_is_left_that_lowers_the_loss(kind, k):
    rng = np.random.default_rng(k)
    n = 70  # more than the bits of a mask
    distances, weights, medoids = plane(n, rng), np.ones(n), rng.choice(n, k, replace=False)
    if kind == "weights":
        weights = rng.exponential(size=n) ** 3
    elif kind == "asymmetric":
        distances *= rng.uniform(0.5, 1.5, size=(n, n))
    elif kind == "duplicates":
        distances = np.tile(distances[:35, :35], (2, 2))
        medoids[:] = medoids[0] + 35 * (np.arange(k) % 2) - 35 * (medoids[0] >= 35)  # also a row that is there twice
    else:
        distances, medoids = np.vstack([distances, rng.uniform(1, 2, size=(k, n))]), n + np.arange(k)
    caches = search(distances, medoids, weights)
    medoids = caches.medoids.tolist()
    loss = reference.medoid_loss(distances, weights, medoids)
    assert caches.loss.sum() == pytest.approx(loss, rel=1e-14)
    for c in range(n):
        assert min(reference.swap_losses(distances, weights, medoids, c)) >= loss * (1 - 1e-13)


def test_swaps_that_rounding_feigns_are_not_made():
    """Here all swaps leave the loss as it is, but for rounding."""
    n = 100
    distances = np.full((n, n), 0.1) * (1 - np.eye(n))
    for k in (1, 3):
        assert search(distances, range(k)).tally.tolist() == [n, 0]
        assert search(distances, range(k), np.full(n, 0.7)).tally.tolist() == [n, 0]


def test_swaps_far_below_the_loss_are_made():
    """A medoid moves for a gain of 2e-13 of the loss."""
    rows = np.concatenate([np.zeros(150), np.ones(150), [1e3], np.full(3, 1e3 + 2.0**-36)])
    medoids = search(np.abs(rows[:, None] - rows), [0, 300]).medoids
    assert rows[medoids].tolist() == [0.0, 1e3 + 2.0**-36]


@pytest.mark.parametrize("scale", [2.0**-960, 2.0**960])
def test_scales(scale):
    rng = np.random.default_rng(3)
    distances, medoids = plane(30, rng), [0, 1, 2]
    assert np.array_equal(search(distances * scale, medoids).medoids, search(distances, medoids).medoids)


# what is kept


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_caches_are_a_function_of_the_medoids(dtype):
    rng = np.random.default_rng(0)
    n, k = 130, 6
    distances, weights = plane(n, rng, places=7).astype(dtype), rng.uniform(0.5, 2, size=n)
    caches = swaps.open_caches(distances[:k], np.arange(k), weights)
    for c in range(n):
        swaps.swap_pass(caches, distances[c : c + 1], c)
        assert same(caches, swaps.open_caches(distances[caches.medoids], caches.medoids, weights))
    order = np.argsort(distances[caches.medoids], axis=0, kind="stable")
    assert np.array_equal(caches.nearest, order[0])
    assert np.array_equal(caches.second, order[1])


def test_the_start_is_not_written_to():
    distances, medoids = plane(20, np.random.default_rng(0)), np.arange(2)
    distances.flags.writeable = medoids.flags.writeable = False
    to_medoids = distances[:2]
    search(distances, medoids)
    assert np.array_equal(to_medoids, distances[:2])


# how the candidates come


@pytest.mark.compiled
@pytest.mark.parametrize("k", [1, 8])
def test_blocks_and_threads_change_nothing(monkeypatch, k):
    rng = np.random.default_rng(k)
    distances = plane(500, rng)
    expected = search(distances, range(k))
    assert expected.tally[1] > 0
    monkeypatch.setattr(swaps, "WORTH_THREADS", 500)
    for threads in (1, 2, 3):
        for block in (1, 33, 500):
            with sharing_threads(threads):
                assert same(search(distances, range(k), block=block), expected)


@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.compiled)])
def test_a_search_can_be_stopped_and_continued(monkeypatch, threads):
    distances = plane(200, np.random.default_rng(5))
    expected = search(distances, range(4))
    monkeypatch.setattr(swaps, "OPERATIONS_PER_SLICE", 5 * 200)
    monkeypatch.setattr(swaps, "WORTH_THREADS", 5 * 200)
    caches, looks = swaps.open_caches(distances[:4], np.arange(4), np.ones(200)), []

    def stop():
        looks.append(caches.tally.copy())
        if len(looks) == 3:
            raise KeyboardInterrupt

    with sharing_threads(threads), pytest.raises(KeyboardInterrupt), watched(stop):
        search(distances, [], caches=caches)
    assert looks[-1][0] < 200
    assert same(caches, swaps.open_caches(distances[caches.medoids], caches.medoids, np.ones(200)))
    loss = caches.loss.sum()
    assert search(distances, [], caches=caches).loss.sum() <= loss
    assert caches.loss.sum() == pytest.approx(expected.loss.sum(), rel=0.2)


# matrices


@pytest.mark.parametrize(("dtype", "n"), [(np.float64, 1), (np.float32, 40), (np.float64, 600)])
def test_a_matrix_of_dissimilarities(dtype, n):
    D = plane(n, np.random.default_rng(0)).astype(dtype)
    assert inspect(D) == ("", (-1, -1), True)
    if n > 1:
        D[0, -1] *= 1.5
        assert inspect(D) == ("", (-1, -1), False)


@pytest.mark.compiled
@pytest.mark.parametrize("at", [(0, 599), (255, 256), (256, 255), (599, 0), (300, 310), (310, 300), (599, 598)])
def test_any_entry_can_make_a_matrix_asymmetric(at):
    D = np.ones((600, 600)) - np.eye(600)
    D[at] = np.nextafter(D[at], 2)
    assert inspect(D) == ("", (-1, -1), False)


@pytest.mark.parametrize(("fault", "value"), [("not finite", np.nan), ("not finite", np.inf), ("negative", -1e-30)])
def test_the_first_entry_that_cannot_be_is_named(fault, value):
    rng = np.random.default_rng(0)
    D = plane(300, rng)
    for first, later in [((0, 299), (299, 0)), ((260, 3), (299, 299)), ((7, 7), (290, 280))]:
        broken = D.copy()
        broken[first], broken[later] = value, np.nan
        assert inspect(broken) == (fault, first, False)
        broken[first] = D[first]
        assert inspect(broken) == ("not finite", later, False)


def test_other_faults_of_a_matrix():
    D = plane(5, np.random.default_rng(0))
    assert inspect(D[:4]) == inspect(D[0]) == ("not square", (-1, -1), False)
    D[3, 3] = 1e-30
    assert inspect(D) == ("diagonal", (3, 3), False)
    D[3, 3] = -0.0
    assert inspect(D) == ("", (-1, -1), True)
