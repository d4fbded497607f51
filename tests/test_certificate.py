"""The certificate: wrong strategies are caught by name, iteration and amount; right ones never are."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import kmtoolkit as km
from kmtoolkit import testing

IRIS = km.datasets.iris().X
START = IRIS[[0, 60, 120]]


def mean(problem, state):
    live = state.counts > 0
    state.centers[live] = state.origin + state.sums[live] / state.mass[live, None]


def rising(problem, state):
    """A correct mean, but in the second iteration the first center is pushed away by 1."""
    rising.calls += 1
    mean(problem, state)
    if rising.calls == 2:
        state.centers[0] += 1.0


def test_an_updater_that_raises_the_objective_is_caught():
    rising.calls = 0
    with pytest.raises(km.DescentError) as caught:
        km.Solver(update=rising, tol=0).fit(IRIS, 3, init_centers=START)
    message = str(caught.value)
    assert "updater 'rising'" in message
    assert "iteration 2 (update)" in message

    one = km.Solver(tol=0, max_iter=1).fit(IRIS, 3, init_centers=START)
    two = km.Solver(tol=0, max_iter=2).fit(IRIS, 3, init_centers=START)
    pushed = reference.means(IRIS, np.ones(150), one.labels, one.centers)
    pushed[0] += 1.0
    ones = np.ones(150)
    rise = reference.objective(IRIS, ones, pushed, one.labels) - reference.objective(
        IRIS, ones, one.centers, one.labels
    )
    assert float(message.split("by ")[1].split()[0]) == pytest.approx(rise, rel=1e-5)
    assert two.trace.is_monotone


def test_a_rise_just_above_rounding_is_caught():
    """Centers that creep away from the means by 1e-6 a call: F = 78.9 rises by 1e-8 when the means rest."""
    calls = []

    def creeping(problem, state):
        calls.append(1)
        mean(problem, state)
        state.centers[:] += 1e-6 * len(calls)

    with pytest.raises(km.DescentError, match=r"'creeping' raised the objective by \d.*e-08 in iteration"):
        km.Solver(update=creeping, tol=0).fit(IRIS, 3, init_centers=START)


@settings(max_examples=200)
@given(problem=testing.problems(), seed=st.integers(0, 2**16), noise=st.sampled_from([0.0, 1e-16, 2e-16]))
def test_correct_updaters_are_never_accused(problem, seed, noise):
    """However they round: sums in another order, and a last-digit error on top."""
    X, k, w = problem
    rng = np.random.default_rng(seed)

    def other_rounding(problem, state):
        for j in np.flatnonzero(state.counts):
            mine = rng.permutation(np.flatnonzero(state.labels == j))
            x, weight = problem.X[mine].astype(float), problem.sample_weight[mine]
            state.centers[j] = x[0] + (weight[:, None] * (x - x[0])).sum(axis=0) / weight.sum()
            state.centers[j] *= 1 + noise * rng.choice([-1, 1], size=X.shape[1])

    result = km.Solver("random", update=other_rounding, rng=seed, max_iter=50, verify=True).fit(X, k, sample_weight=w)
    assert result.trace.is_monotone


def numpy_average(problem, state):
    for j in np.flatnonzero(state.counts):
        mine = state.labels == j
        state.centers[j] = np.average(problem.X[mine], axis=0, weights=problem.sample_weight[mine])


def bincount(problem, state):
    for f in range(problem.X.shape[1]):
        state.centers[:, f] = np.bincount(state.labels, problem.X[:, f]) / np.bincount(state.labels)


def single_precision(problem, state):
    for j in np.flatnonzero(state.counts):
        state.centers[j] = problem.X[state.labels == j].mean(axis=0)


@pytest.mark.compiled
@pytest.mark.parametrize("update", [numpy_average, bincount])
def test_sums_in_any_order_are_not_accused(update):
    """Means near 0, where rounding is that of the rows, and clusters of many rows, from where they rest."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        X = rng.normal(size=(50, 2))
        km.kmeans((X - X.mean(0)) / X.std(0), 1, init_centers=[[0.0, 0.0]], update=update)
    for X in (rng.normal(size=(50_000, 1)) + 6 * rng.integers(2, size=(50_000, 1)), np.full((100_000, 1), 0.1)):
        rest = km.kmeans(X, 1 + (X.std() > 1), rng=0, tol=0)
        again = km.kmeans(X, len(rest.centers), init_centers=rest, update=update, tol=0)
        assert again.objective == pytest.approx(rest.objective, rel=1e-12, abs=1e-12)


def test_a_mean_about_a_far_light_row_is_not_accused():
    """Its rounding is of the size of that row, though the row hardly counts in the objective."""
    X = np.array([[2.0025538e-02, 3.5053185e-01], [2.1640979e04, 5.2189770e01], [5.2832514e-05, 9.6926272e-01]])
    w = np.array([1.0, 1e-4, 1e-6])

    def about_the_second(problem, state):
        state.centers[0] = X[1] + (w[:, None] * (X - X[1])).sum(axis=0) / w.sum()

    rest = km.kmeans(X, 1, sample_weight=w, tol=0)
    trace = km.kmeans(X, 1, sample_weight=w, init_centers=rest, update=about_the_second, tol=0).trace
    assert trace.largest_rise > 0


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_means_in_single_precision_are_told_to_use_float64(offset):
    """They do raise the objective, far from 0 by more than its value."""
    X = (IRIS + offset).astype(np.float32)
    rest = km.kmeans(X, 3, rng=0, tol=0)
    with pytest.raises(km.DescentError, match="'single_precision' raised .* rounding in float64 explains at most"):
        km.kmeans(X, 3, init_centers=rest, update=single_precision, tol=0)


@pytest.mark.parametrize("factor", [0.1, 0.9, 1.1, 10.0])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_what_rounding_may_raise_is_told_from_what_it_may_not(factor, offset):
    """From the means, a step that raises F by a multiple of the noise: below 1 it passes, above 1 it is caught."""
    X = IRIS + offset
    rest = km.Solver(tol=0).fit(X, 3, init_centers=X[[0, 60, 120]])
    noise = km.Solver(tol=0).fit(X, 3, init_centers=rest).trace.noise[1]
    step = np.sqrt(factor * noise / 150 / 4)

    def astray(problem, state):
        mean(problem, state)
        state.centers[:] += step

    solver = km.Solver(update=astray, tol=0, max_iter=1)
    if factor > 1:
        with pytest.raises(km.DescentError, match="'astray' raised the objective by"):
            solver.fit(X, 3, init_centers=rest)
    else:
        trace = solver.fit(X, 3, init_centers=rest).trace
        assert trace.is_monotone
        assert 0 < trace.largest_rise <= trace.noise[1]


@pytest.mark.compiled
@settings(max_examples=200)
@given(problem=testing.problems(), seed=st.integers(0, 2**16), factor=st.sampled_from([0.5, 1.5, 1.99]))
def test_relaxed_updaters_descend_and_are_not_stopped_early(problem, seed, factor):
    """A step of the wrong length still descends; equal labels are then no fixed point until the centers rest."""
    X, k, w = problem

    def relaxed(problem, state):
        live = state.counts > 0
        target = state.origin + state.sums[live] / state.mass[live, None]
        state.centers[live] += factor * (target - state.centers[live])

    result = km.Solver("random", update=relaxed, rng=seed, tol=0, max_iter=20_000, verify=True).fit(
        X, k, sample_weight=w
    )
    assert result.status is km.Status.FIXED_POINT
    present = slice(None) if w is None else w > 0
    weights = np.ones(len(X)) if w is None else w
    means = reference.means(X[present], weights[present], result.labels[present], result.centers)
    best = reference.objective(X[present], weights[present], means, result.labels[present])
    scale = weights.sum() * float(np.abs(X).max() + np.ptp(X)) ** 2
    assert result.objective <= best * (1 + 1e-9) + 1e-12 * scale


def test_bad_proposals_of_an_inexact_assigner_are_refused_row_by_row():
    def careless(problem, state):
        """Nearest center, but rows 3 and 7 always go to the last one."""
        state.labels[:] = ((problem.X[:, None] - state.centers) ** 2).sum(-1).argmin(1)
        state.labels[[3, 7]] = problem.k - 1

    start = IRIS[[3, 7, 120]]
    result = km.Solver(assign=careless, tol=0, verify=True).fit(IRIS, 3, init_centers=start)
    assert result.trace.is_monotone
    assert result.trace.refused.sum() == 0  # they began there: the first assignment is taken as it comes
    assert result.not_nearest.tolist() == [3, 7]

    warm = km.Solver(tol=0).fit(IRIS, 3, init_centers=start)

    def late(problem, state):
        """As careless, once every row has a label."""
        started = (state.labels >= 0).all()
        state.labels[:] = ((problem.X[:, None] - state.centers) ** 2).sum(-1).argmin(1)
        if started:
            state.labels[[3, 7]] = problem.k - 1

    result = km.Solver(assign=late, tol=0, verify=True).fit(IRIS, 3, init_centers=start)
    assert set(result.trace.distances[result.trace.phase == "assign"]) == {-1}  # a plain function does not tell
    assert result.trace.refused.tolist() == [0 if phase != "assign" else 2 for phase in result.trace.phase]
    assert len(result.not_nearest) == 0
    assert (result.labels == warm.labels).all()


def test_not_nearest_counts_the_callers_rows():
    def lazy(problem, state):
        state.labels[state.labels < 0] = 0

    X = np.array([[0.0], [5.0], [5.0], [0.0], [9.0]])
    result = km.Solver(assign=lazy, empty="keep").fit(X, 2, sample_weight=[0, 1, 1, 1, 1], init_centers=[[1.0], [7.0]])
    assert set(result.not_nearest) <= {1, 2, 3, 4}
    assert result.not_nearest.tolist() == [i for i in (1, 2, 3, 4) if result.predict(X[[i]])[0] != result.labels[i]]


def test_an_assigner_declared_exact_that_is_not():
    @km.assigner("test-liar", exact=True)
    def liar(problem, state):
        state.labels[:] = ((problem.X[:, None] - state.centers) ** 2).sum(-1).argmin(1)
        state.labels[5] = 2

    with pytest.raises(km.StrategyError, match=r"'test-liar' is declared exact, but row 5 .*\(iteration"):
        km.Solver(assign=liar, tol=0, verify=True).fit(IRIS, 3, init_centers=START)

    @km.assigner("test-late-liar", exact=True)
    def late_liar(problem, state):
        started = (state.labels >= 0).all()
        state.labels[:] = ((problem.X[:, None] - state.centers) ** 2).sum(-1).argmin(1)
        state.labels[5] = 2 if started else state.labels[5]

    with pytest.raises(km.StrategyError, match=r"proposed 1 labels that are not nearer \(iteration 1\)"):
        km.Solver(assign=late_liar, tol=0).fit(IRIS, 3, init_centers=START)


def test_without_the_promise_of_descent_the_trace_is_recorded_not_certified():
    @km.updater("test-trimmed-mean", monotone=False, scope="rows")
    def trimmed(problem, state):
        for j in np.flatnonzero(state.counts):
            mine = problem.X[state.labels == j]
            d = ((mine - state.centers[j]) ** 2).sum(1)
            state.centers[j] = mine[d <= np.quantile(d, 0.8)].mean(0)

    result = km.Solver(update="test-trimmed-mean", tol=0).fit(IRIS, 3, init_centers=START)
    assert not result.trace.certified
    assert "not certified" in result.summary()
    assert result.status is km.Status.FIXED_POINT
    assert (result.trace.drop < 0).any()
    assert not result.trace.is_monotone
    assert "ROSE" in result.summary()
    value = reference.objective(IRIS, np.ones(150), result.centers, result.labels)
    assert result.trace.objective[-1] == pytest.approx(value, rel=1e-13)
    for t in range(1, len(result.trace)):
        fall = result.trace.objective[t - 1] - result.trace.objective[t]
        assert fall == pytest.approx(result.trace.drop[t], abs=1e-9)


def test_objectives_without_a_certificate_are_those_measured():
    """Not differences of huge numbers: every other update throws the centers far out (and a repair takes row 0)."""
    calls = []

    @km.updater("test-wild", monotone=False)
    def wild(problem, state):
        calls.append(0)
        state.centers[:] = 1e12 if len(calls) % 2 else [[0.1], [10.3]]

    X, start = np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([[0.1], [10.2]])
    trace = km.kmeans(X, 2, init_centers=start, update=wild, tol=0, max_iter=4).trace
    back = np.array([[0.1], [10.3]])
    steps = [
        (start, [0, 0, 1, 1]),
        (back, [1, 0, 0, 0]),
        (back, [0, 0, 1, 1]),
        (back, [1, 0, 0, 0]),
        (back, [0, 0, 1, 1]),
    ]
    near = [reference.objective(X, np.ones(4), centers, labels) for centers, labels in steps]
    assert trace.objective[trace.objective < 1e6] == pytest.approx(near, rel=1e-13)


def test_the_provisional_objective_stays_near_the_truth():
    """Also when the start costs 1e20 times more than the end."""
    seen = []
    start = np.full((3, 4), 1e10) + np.eye(3, 4)
    result = km.Solver(tol=0, callback=lambda s: seen.append(s.objective)).fit(IRIS, 3, init_centers=start)
    assert seen == pytest.approx(result.trace.objective[result.trace.phase != "update"][-len(seen) :], rel=1e-6)


def test_an_assigner_without_the_promise_is_not_refused():
    @km.assigner("test-balanced", monotone=False)
    def balanced(problem, state):
        """Equal sizes, in order of the first feature."""
        state.labels[np.argsort(problem.X[:, 0], kind="stable")] = (
            np.arange(len(problem.X)) * problem.k // len(problem.X)
        )

    result = km.Solver(assign=balanced, tol=0).fit(IRIS, 3, init_centers=START)
    assert result.sizes.tolist() == [50, 50, 50]
    assert len(result.not_nearest) > 0
    assert result.trace.refused.sum() == 0


def test_verify_compares_the_books_with_the_objective(monkeypatch):
    """The books' own mistakes would be found: here an update drop that is 1 % off."""
    from kmtoolkit.objectives import SquaredEuclidean

    right = SquaredEuclidean.updated

    def wrong(self, *arguments):
        step = right(self, *arguments)
        return step._replace(drop=step.drop * 1.01)

    monkeypatch.setattr(SquaredEuclidean, "updated", wrong)
    km.Solver(tol=0).fit(IRIS, 3, init_centers=START)
    with pytest.raises(km.DescentError, match="the books have"):
        km.Solver(tol=0, verify=True).fit(IRIS, 3, init_centers=START)


@settings(max_examples=100)
@given(problem=testing.problems(), seed=st.integers(0, 2**16))
def test_the_rebuilt_trace_starts_where_the_fit_started(problem, seed):
    """The first objective, rebuilt from the last by adding all drops, is the one measured at the start."""
    X, k, w = problem
    result = km.Solver("random", rng=seed, tol=0, max_iter=10_000).fit(X, k, sample_weight=w)
    present = slice(None) if w is None else w > 0
    weights = np.ones(len(X)) if w is None else w
    start = result.runs[0].start
    first = reference.objective(X[present], weights[present], start, reference.nearest(X[present], start))
    scale = 1e-26 * weights.sum() * float(np.abs(X).max()) ** 2
    assert result.trace.objective[0] == pytest.approx(first, rel=1e-11, abs=scale)
    assert result.trace.rebuild_error <= 1e-13


@pytest.mark.parametrize("divergence", ["generalized-i", "itakura-saito"])
def test_the_rebuilt_trace_is_right_where_all_of_it_is_rounding(divergence):
    """Each row has a center of its own, and the weighted mean of one row may be a rounding away from it."""
    X, w = np.random.default_rng(0).uniform(0.1, 2.0, (2, 12, 3))
    result = km.bregman_kmeans(X, 12, divergence=divergence, sample_weight=w[:, 0], rng=0)
    assert 0 < result.objective < 1e-28
    assert result.trace.rebuild_error == 0
