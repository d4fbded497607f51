"""What every combination of strategies owes its users, on data made to be awkward."""

import numpy as np
import pytest
import reference
from conftest import BOUNDS_CHECKED, covering, fitting
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import kmtoolkit as km
from kmtoolkit import testing
from kmtoolkit.families import OBJECTIVES
from kmtoolkit.kernels.jit import plain_python
from kmtoolkit.mixture import COVARIANCES
from kmtoolkit.problem import admit
from kmtoolkit.registry import ROLES, resolve
from kmtoolkit.testing.domains import brought_into

SOFT_STEPS, MIXTURE_STEPS = 4, 2  # a soft fit may go on for long, and mixtures have many combinations


def describe(combination):
    return " × ".join(combination)


EXAMPLES = 3 if plain_python or BOUNDS_CHECKED else 8
COMBINATIONS = covering(fitting()) if plain_python or BOUNDS_CHECKED else fitting()  # the same code, slower


@pytest.mark.parametrize("combination", COMBINATIONS, ids=describe)
def test_every_combination(combination, tally):
    """Monotone trace, exact last entry, labels that predict gives, no needless empty cluster, and an end."""
    init, assign, update, empty = combination
    rows = [resolve(role, name).row for role, name in zip(ROLES, combination, strict=True)]
    columns = min((row.columns for row in rows if row.columns is not None), default=None)
    tally.combinations.add(combination)

    @settings(max_examples=EXAMPLES)
    @given(problem=testing.problems(), tol=st.sampled_from([0.0, 1e-4]), seed=st.integers(0, 2**16))
    def check(problem, tol, seed):
        tally.examples += 1
        X, k, w = problem
        X = X[:, :columns]
        if rows[1].soft:
            check_soft_fit(combination, X, k, w, tol, seed)
            return
        X = brought_into(OBJECTIVES[rows[1].objectives[0]], X)
        solver = km.Solver(init, assign, update, empty, tol=tol, rng=seed, max_iter=10_000, verify=True)
        try:
            result = solver.fit(X, k, sample_weight=w)
        except km.EmptyClusterError:
            assert empty == "error"
            kept = km.Solver(init, assign, update, "keep", tol=tol, rng=seed, max_iter=10_000).fit(
                X, k, sample_weight=w
            )
            assert kept.trace.empty.any()
            return
        check_result(result, X, k, np.ones(len(X)) if w is None else w, update, resolve("empty_handler", empty).row)

    check()


def check_result(result, X, k, w, update, handler):
    trace, present = result.trace, w > 0
    assert result.status in (km.Status.FIXED_POINT, km.Status.TOLERANCE)
    assert trace.is_monotone
    assert trace.certified
    assert (trace.drop >= 0).all()
    assert set(trace.phase) <= {"init", "repair", "update", "assign"}
    assert trace.phase[-1] == ("assign" if result.n_iter else "init")
    assert trace.iteration[-1] == result.n_iter

    assert trace.objective[-1] == result.objective
    assert (result.labels == result.predict(X)).all()
    if result.objective_name == "squared-euclidean":
        expected = reference.objective(X[present], w[present], result.centers, result.labels[present])
        assert result.objective == pytest.approx(expected, rel=1e-13, abs=0)
        assert result.cluster_objectives.sum() == pytest.approx(expected, rel=1e-13, abs=0)
        assert (result.labels == reference.nearest(X, result.centers)).all()
    else:
        d = reference.divergences(result.objective_name, X, result.centers)
        own = d[np.arange(len(X)), result.labels]
        size = 1 + np.abs(X).max(axis=1) if result.objective_name != "itakura-saito" else 1 + own
        assert (own - d.min(axis=1) <= 1e-12 * size).all()
        assert abs(result.objective - w @ own) <= 1e-12 * (w @ (size + own))
        assert result.cluster_objectives.sum() == pytest.approx(result.objective, rel=1e-13, abs=0)
    assert len(result.not_nearest) == 0
    assert (result.sizes == np.bincount(result.labels[present], minlength=len(result.centers))).all()
    assert (result.empty == np.flatnonzero(result.sizes == 0)).all()
    assert len(result.centers) + len(result.dropped) == k
    assert trace.empty[-1] == len(result.empty) or handler.drops

    if (
        handler.repairs
        and result.exact_fixed_point
        and result.objective_name != "cosine"
        and different_centers(result.objective_name, X, k, w) >= k
    ):
        assert len(result.empty) == 0
    if handler.drops:
        assert len(result.empty) == 0
    if result.exact_fixed_point and update == "mean":
        means = reference.means(X[present], w[present], result.labels[present], result.centers)
        scale = np.abs(X).max() + np.ptp(X)
        interior = 1e-12 * (result.objective_name != "squared-euclidean")  # centers are kept inside of domains
        assert np.abs(means - result.centers).max() <= 1e-12 * scale + interior


def different_centers(name, X, k, w):
    """How many different centers the rows of positive weight can be: domains keep centers off their ends."""
    objective, door = OBJECTIVES[name].enter(admit(X, k, w))
    rows = door.problem.X.astype(np.float64)
    objective.project(rows)
    return reference.distinct(rows)


def check_soft_fit(combination, X, k, w, tol, seed):
    """The same of a soft fit; the hyper-parameters are drawn by the seed, from hardly soft to all the same."""
    init, name, update, empty = combination
    softness = 10.0 ** ((seed % 7) - 4)
    spread = float(X.var(axis=0, dtype=np.float64).sum()) or 1.0
    covariance = COVARIANCES[seed % len(COVARIANCES)]
    assign = {
        "softmax": lambda: km.assigners.Softmax(1 / (softness * spread)),
        "fuzzy": lambda: km.assigners.Fuzzy(1 + softness),
        "gaussian": lambda: km.assigners.Gaussian(covariance, softness * 1e-3),
        "hard-gaussian": lambda: km.assigners.HardGaussian(covariance, softness * 1e-3),
    }[name]()  # fmt: skip
    update = {"weights": ("mean", "weights"), "covariances": ("mean", "covariances", "weights")}.get(update, update)
    steps = MIXTURE_STEPS if name.endswith("gaussian") else SOFT_STEPS
    solver = km.Solver(init, assign, update, empty, tol=tol, rng=seed, max_iter=steps, verify=True)
    try:
        result = solver.fit(X, k, sample_weight=w)
    except km.EmptyClusterError:
        assert empty == "error"
        return
    trace, shares, w = result.trace, result.responsibilities(X), np.ones(len(X)) if w is None else w
    assert trace.is_monotone
    assert trace.certified
    assert trace.objective[-1] == result.objective
    assert (result.labels == result.predict(X)).all()
    assert shares.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert (shares[np.arange(len(X)), result.labels] >= shares.max(axis=1) - 1e-9).all()
    X = X.astype(float)
    if name.endswith("gaussian"):
        assert_objective_of_mixture(result, X, w, covariance)
        return
    if name == "softmax":
        F = reference.soft_objective(X, w, result.centers, result.weights, assign.beta, shares)
        entropy = w.sum() / assign.beta
    else:
        F, entropy = reference.fuzzy_objective(X, w, result.centers, assign.m, shares), 0.0
    size = w.sum() * (1e-15 * np.abs(X).max()) ** 2
    assert result.objective == pytest.approx(F, rel=1e-9, abs=1e-12 * entropy + size)


def assert_objective_of_mixture(result, X, w, covariance):
    """F is what the parameters say it is; rounding grows with the condition of covariances."""
    unit, (k, d) = np.sqrt(result.floor), result.centers.shape
    matrices = reference.full_covariances(result.covariances, k, d, covariance)
    condition = np.array([np.linalg.cond(each / unit / unit[:, None]) for each in matrices])
    logs = reference.log_joint(X, result.centers, matrices, result.weights, unit)
    shares = result.responsibilities(X)
    size = np.where(shares > 0, shares * (np.abs(np.where(shares > 0, logs, 0)) + d + 1), 0)
    rounding = float(w @ (size @ (1e-15 * d * condition + 1e-13)))
    assert abs(reference.mixture_objective(w, logs, shares) - result.objective) <= rounding


@settings(max_examples=300)
@given(problem=testing.problems(), seed=st.integers(0, 2**16))
def test_trajectory_equals_the_oracle(problem, seed):
    """With margins above rounding, the fit follows Lloyd's iteration half-step by half-step."""
    X, k, w = problem
    weights = np.ones(len(X)) if w is None else w
    X, weights = X[weights > 0], weights[weights > 0]
    start = X[np.random.default_rng(seed).permutation(len(X))[:k]].astype(float)
    labels, n_iter, values, margin = reference.lloyd(X, weights, start)
    assume(margin > 1e-9)
    result = km.Solver(empty="keep", tol=0, max_iter=10_000).fit(X, k, sample_weight=weights, init_centers=start)
    assert (result.labels == labels).all()
    assert result.n_iter == n_iter
    rounding = 1e-26 * weights.sum() * float(np.abs(X).max()) ** 2
    assert result.trace.objective == pytest.approx(values, rel=1e-9, abs=rounding)
