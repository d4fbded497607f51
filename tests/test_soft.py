"""Soft k-means and fuzzy c-means: the oracle, the identities of each half-step, and the limits to k-means."""

import math

import numpy as np
import pytest
import reference

import kmtoolkit as km
from kmtoolkit.kernels.jit import most_threads

IRIS = km.datasets.iris().X
FAITHFUL = km.datasets.old_faithful().X


def steps_of(X, k, **options):
    """Centers and weights after each update, and the trace, of a fit that is followed."""
    seen = []
    solver_options = {"tol": 0, "callback": lambda snapshot: seen.append(snapshot.centers.copy()), **options}
    recipe = km.fuzzy_cmeans if "m" in options else km.soft_kmeans
    return seen, recipe(X, k, **solver_options)


# against the oracle


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("beta", [0.3, 4.0])
def test_soft_kmeans_goes_the_way_of_the_oracle(beta, learned, dtype):
    X = IRIS[::3].astype(dtype)
    w = np.random.default_rng(0).integers(1, 4, len(X)) / 2
    centers, pi, F = X[:4].astype(float), np.full(4, 0.25), []
    for _ in range(6):
        shares = np.array([reference.softmax_shares(x, centers, pi, beta) for x in X])
        F.append(reference.soft_objective(X, w, centers, pi, beta, shares))
        mass = w @ shares
        centers = (w[:, None] * shares).T @ X.astype(float) / mass[:, None]
        F.append(reference.soft_objective(X, w, centers, pi, beta, shares))
        if learned:
            pi = mass / mass.sum()
            F.append(reference.soft_objective(X, w, centers, pi, beta, shares))
    result = km.soft_kmeans(X, 4, beta=beta, weights="learned" if learned else "uniform", sample_weight=w,
                            init_centers=X[:4], max_iter=6, tol=0, verify=True)  # fmt: skip
    assert result.trace.objective[: len(F)] == pytest.approx(F, rel=1e-12)
    assert result.trace.phase[:4].tolist() == [
        "init",
        "update",
        *(["weights", "assign"] if learned else ["assign", "update"]),
    ]
    assert result.centers == pytest.approx(centers, rel=1e-11)
    assert result.weights == pytest.approx(pi, rel=1e-11)
    shares = np.array([reference.softmax_shares(x, centers, pi, beta) for x in X])
    assert result.responsibilities(X) == pytest.approx(shares, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("m", [1.05, 1.5, 2.0, 4.0])
def test_fuzzy_cmeans_goes_the_way_of_the_oracle(m):
    X = IRIS[::3]
    w = np.random.default_rng(0).integers(1, 4, len(X)) / 2
    centers, F = X[:4].astype(float), []
    for _ in range(6):
        shares = np.array([reference.memberships(x, centers, m) for x in X])
        F.append(reference.fuzzy_objective(X, w, centers, m, shares))
        powers = w[:, None] * shares**m
        centers = powers.T @ X / powers.sum(axis=0)[:, None]
        F.append(reference.fuzzy_objective(X, w, centers, m, shares))
    result = km.fuzzy_cmeans(X, 4, m=m, sample_weight=w, init_centers=X[:4], max_iter=6, tol=0, verify=True)
    assert result.trace.objective[: len(F)] == pytest.approx(F, rel=1e-11)
    assert result.centers == pytest.approx(centers, rel=1e-10)
    shares = np.array([reference.memberships(x, centers, m) for x in X])
    assert result.responsibilities(X) == pytest.approx(shares, rel=1e-8, abs=1e-200)


def test_identities_of_the_drops():
    """An update of centers lowers F by Σ R‖Δμ‖² (Pythagoras), one of weights by W KL(new ‖ old) / β (Gibbs)."""
    beta, k = 2.0, 3
    start = IRIS[[0, 60, 120]]
    result = km.soft_kmeans(IRIS, k, beta=beta, init_centers=start, max_iter=1, tol=0)
    shares = np.array([reference.softmax_shares(x, start, np.full(k, 1 / k), beta) for x in IRIS])
    mass = shares.sum(axis=0)
    drops = dict(zip(result.trace.phase.tolist(), result.trace.drop.tolist(), strict=True))
    assert drops["update"] == pytest.approx(mass @ np.square(result.centers - start).sum(axis=1), rel=1e-12)
    pi = mass / mass.sum()
    assert drops["weights"] == pytest.approx(len(IRIS) * float(pi @ np.log(pi * k)) / beta, rel=1e-12)


# limits


def margins(X, centers):
    """The least gap between the two nearest squared distances, and the least log of their ratio."""
    d = np.sort(np.square(X[:, None] - centers).sum(axis=2), axis=1)[:, :2]
    return (d[:, 1] - d[:, 0]).min(), np.log(d[:, 1] / np.maximum(d[:, 0], 1e-300)).min()


def keep(seen):
    """A callback that keeps labels and centers."""
    return lambda snapshot: seen.append((snapshot.labels.copy(), snapshot.centers.copy()))


@pytest.mark.parametrize("family", ["soft", "fuzzy"])
def test_the_limit_is_kmeans(family):
    """Stiff enough for all margins on the way, the shares are 0 and 1, and every half-step is that of k-means."""
    rng = np.random.default_rng(4)
    X, start = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
    hard = []
    lloyd = km.kmeans(X, 5, init_centers=start, tol=0, empty="keep", max_iter=50, callback=keep(hard))
    gaps, ratios = zip(*(margins(X, centers) for _, centers in hard), strict=True)
    soft = []
    recipe, stiff = (km.soft_kmeans, {"beta": 41 / min(gaps), "weights": "uniform"}) if family == "soft" else (
        km.fuzzy_cmeans, {"m": 1 + min(ratios) / 41})  # fmt: skip
    options = {"tol": 0, "empty": "keep", "max_iter": lloyd.n_iter, "callback": keep(soft)}
    result = recipe(X, 5, **stiff, init_centers=start, **options)
    assert len(hard) >= 5
    assert len(soft) in (len(hard), len(hard) - 1)  # the last one may have been seen to be the same by F alone
    for (labels, centers), (hard_labels, hard_centers) in zip(soft, hard, strict=False):
        assert (labels == hard_labels).all()
        assert centers == pytest.approx(hard_centers, abs=1e-12)
    assert result.objective == pytest.approx(
        lloyd.objective + (math.log(5) * 200 / stiff["beta"] if family == "soft" else 0)
    )


def test_soft_centers_come_together_below_the_phase_transition():
    """Below β = 1 / (2 λ) the only minimum has all centers at the mean (Rose 1998)."""
    critical = 1 / (2 * np.linalg.eigvalsh(np.cov(IRIS.T, bias=True)).max())
    options = {"weights": "uniform", "tol": 0, "max_iter": 3000, "rng": 0}
    fits = [km.soft_kmeans(IRIS, 2, beta=beta * critical, **options) for beta in (0.8, 1.3)]
    apart = [np.ptp(fit.centers, axis=0).max() for fit in fits]
    assert apart[0] < 1e-6
    assert apart[1] > 0.5


def test_weights_are_copies():
    w = np.random.default_rng(3).integers(0, 4, len(FAITHFUL))
    for recipe, option in ((km.soft_kmeans, {"beta": 0.05}), (km.fuzzy_cmeans, {"m": 1.7})):
        once = recipe(FAITHFUL, 3, **option, sample_weight=w, init_centers=FAITHFUL[:3], max_iter=20, tol=0)
        copies = recipe(np.repeat(FAITHFUL, w, axis=0), 3, **option, init_centers=FAITHFUL[:3], max_iter=20, tol=0)
        assert once.centers == pytest.approx(copies.centers, rel=1e-11)
        assert once.objective == pytest.approx(copies.objective, rel=1e-12)
        assert once.weights == pytest.approx(copies.weights, rel=1e-11)


@pytest.mark.compiled
@pytest.mark.skipif(most_threads() == 1, reason="this process has one thread")
def test_the_same_bits_for_any_number_of_threads():
    X = np.random.default_rng(1).normal(size=(30_000, 5)).astype(np.float32)
    for option in ({"beta": 1.0}, {"m": 1.6}):
        first, second = (steps_of(X, 7, **option, rng=0, max_iter=4, threads=threads)[1] for threads in (1, 2))
        assert first.trace == second.trace
        assert first.centers.tobytes() == second.centers.tobytes()
        assert (first.labels == second.labels).all()


# annealing


@pytest.mark.parametrize("weights", ["learned", "uniform"])
def test_annealing_is_certified_and_lowers_F_as_gibbs_says(weights):
    X, k, beta = IRIS, 3, 8.0
    result = km.soft_kmeans(X, k, beta=beta, anneal=1.5, weights=weights, rng=0, verify=True)
    trace = result.trace
    critical = 1 / (2 * np.linalg.eigvalsh(np.cov(X.T, bias=True)).max())
    raises = math.ceil(math.log(beta / critical) / math.log(1.5))
    raised = np.flatnonzero(trace.phase == "anneal")
    assert len(raised) == raises
    assert all("update" in trace.phase[i:j] for i, j in zip(raised, [*raised[1:], len(trace)], strict=True))
    assert trace.is_monotone
    assert trace.certified
    assert result.objective_model.beta == beta
    again = km.soft_kmeans(X, k, beta=beta, weights=weights, init_centers=result, tol=0, max_iter=50)
    assert again.objective == pytest.approx(result.objective, rel=1e-4)
    first = int(np.flatnonzero(trace.phase == "anneal")[0])
    n_iter = int(trace.iteration[first])
    before = km.soft_kmeans(X, k, beta=critical, weights=weights, rng=0, max_iter=n_iter, tol=0)
    shares = before.responsibilities(X)
    KL = float((shares * np.log(shares / before.weights)).sum())
    new = beta if raises == 1 else critical * 1.5
    assert trace.drop[first] == pytest.approx((1 / critical - 1 / new) * KL, rel=1e-6)


def test_centers_that_lie_together_are_kicked_apart_beyond_the_transition_only():
    critical = 1 / (2 * np.linalg.eigvalsh(np.cov(FAITHFUL.T, bias=True)).max())
    start = np.tile(FAITHFUL.mean(axis=0), (2, 1))
    fit = km.soft_kmeans(
        FAITHFUL, 2, beta=3 * critical, anneal=1.3, weights="uniform", init_centers=start, rng=0, verify=True
    )
    kicks = fit.trace.phase == "kick"
    assert kicks.any()
    assert np.ptp(fit.centers[:, 1]) > 20
    stuck = km.soft_kmeans(FAITHFUL, 2, beta=3 * critical, weights="uniform", init_centers=start, rng=0)
    assert np.ptp(stuck.centers[:, 1]) == 0
    assert fit.objective < stuck.objective
    trace = km.soft_kmeans(FAITHFUL, 4, beta=3 * critical, anneal=1.3, weights="uniform", rng=0).trace
    tried = trace.phase == "kick"
    assert 0 < (trace.refused[tried] >= 2).sum() < tried.sum()
    assert ((trace.drop > 0) == (trace.refused == 0))[tried].all()


@pytest.mark.compiled
def test_annealing_finds_lower_minima():
    rng = np.random.default_rng(1)
    spots = rng.uniform(0, 10, size=(12, 2))
    X = spots[rng.integers(12, size=600)] + 0.3 * rng.normal(size=(600, 2))
    options = {"beta": 20.0, "weights": "uniform", "init": "random"}
    cold, annealed = (
        np.mean([km.soft_kmeans(X, 12, anneal=anneal, rng=seed, **options).objective for seed in range(4)])
        for anneal in (None, 1.5)
    )
    assert annealed < 0.95 * cold


def test_annealing_that_is_cut_short_agrees_with_itself():
    for stop in (1, 40, 60):
        result = km.soft_kmeans(IRIS, 3, beta=9.0, anneal=1.4, rng=0, callback=lambda s, stop=stop: s.n_iter >= stop)
        beta = result.objective_model.beta
        shares = np.array([reference.softmax_shares(x, result.centers, result.weights, beta) for x in IRIS])
        F = reference.soft_objective(IRIS, np.ones(len(IRIS)), result.centers, result.weights, beta, shares)
        assert result.objective == pytest.approx(F, rel=1e-12)
        assert (result.labels == result.predict(IRIS)).all()


def test_annealing_at_any_scale_and_with_clusters_dropped():
    critical = 1 / (2 * np.linalg.eigvalsh(np.cov(FAITHFUL.T, bias=True)).max())
    for scale in (2.0**300, 2.0**-300):
        X, beta = FAITHFUL * scale, 3 * critical / scale**2
        start = np.tile(X.mean(axis=0), (2, 1))
        result = km.soft_kmeans(X, 2, beta=beta, anneal=1.3, weights="uniform", init_centers=start, rng=0)
        assert np.ptp(result.centers[:, 1]) > 20 * scale
    start = [[200.0], [200.0], [1.5], [50.0]]
    dropped = km.soft_kmeans([[0.0], [1.0], [2.0], [100.0]], 4, beta=1000.0, anneal=1e6, weights="uniform",
                             empty="drop", init_centers=start, rng=0)  # fmt: skip
    assert dropped.trace.is_monotone
    constant = km.soft_kmeans(np.full((3, 1), 0.1), 2, beta=1.0, anneal=2.0, rng=0)
    assert constant.objective_model.beta == 1.0
    huge = km.soft_kmeans(np.array([[0.0], [1.0], [2.0]]) * 1e150, 2, beta=1e-290, anneal=1e9, rng=0)
    assert huge.trace.is_monotone


def test_a_schedule_that_is_none():
    @km.assigner("unscheduled", objective="soft-k-means", replace=True)
    class Unscheduled(km.assigners.Softmax):
        def schedule(self, problem):
            return ()

    with pytest.raises(km.StrategyError, match=r"has a method schedule that returned \(\); it must return assigners"):
        km.Solver(assign=Unscheduled(1.0), rng=0).fit(IRIS, 3)


def test_rows_of_a_dropped_cluster_get_another_label():
    """A row may be so light that its cluster has no mass to speak of."""
    result = km.soft_kmeans([[0.0], [100.0], [101.0]], 2, beta=10.0, sample_weight=[1e-280, 1, 1],
                            init_centers=[[0.0], [100.0]], empty="drop", max_iter=0)  # fmt: skip
    assert result.labels.tolist() == [0, 0, 0]


# rounding


@pytest.mark.parametrize(
    "recipe",
    [
        lambda X, k, **o: km.soft_kmeans(X, k, beta=1.0, **o),
        lambda X, k, **o: km.fuzzy_cmeans(X, k, m=1.8, **o),
        lambda X, k, **o: km.gaussian_mixture(X, k, **o),
        lambda X, k, **o: km.hard_em(X, k, covariance="diag", **o),
    ],
    ids=["soft", "fuzzy", "mixture", "hard EM"],
)
@pytest.mark.compiled
def test_what_rounding_may_explain_is_little(recipe):
    """The certificate is no wider than 1e-11 of F, and long runs of equal rows, which round alike, keep within it."""
    trace = recipe(np.random.default_rng(0).normal(size=(2000, 3)), 4, rng=0, max_iter=20, tol=0).trace
    assert (trace.noise <= 1e-11 * abs(trace.objective).max()).all()
    copies = np.repeat([[0.1], [1.3], [5.7]], 20_000, axis=0)
    result = recipe(copies, 2, init_centers=[[0.0], [4.0]], tol=0, max_iter=60)
    assert result.trace.is_monotone
    one = recipe(
        copies[::20_000], 2, init_centers=[[0.0], [4.0]], tol=0, max_iter=result.n_iter, sample_weight=[2e4] * 3
    )
    assert one.objective == pytest.approx(result.objective, rel=1e-9)


# zero distances, empty clusters, warm starts


def test_a_row_on_centers_is_shared_among_these():
    result = km.fuzzy_cmeans([[0.0], [1.0], [5.0]], 3, init_centers=[[0.0], [0.0], [5.0]], max_iter=0)
    assert result.responsibilities([[0.0], [5.0]]).tolist() == [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    assert result.objective == pytest.approx(1 / (1 + 1 + 1 / 16))


@pytest.mark.parametrize("weights", ["learned", "uniform"])
def test_a_cluster_without_mass_is_refilled(weights):
    X = np.concatenate([np.zeros((20, 1)), np.ones((20, 1)), [[50.0]]])
    start = [[0.0], [1.0], [1e4]]
    options = {"beta": 10.0, "weights": weights, "init_centers": start, "tol": 1e-9}
    kept, filled, dropped = (
        km.soft_kmeans(X, 3, **options, empty=empty, verify=True) for empty in ("keep", "farthest", "drop")
    )
    assert kept.trace.empty[0] == 1
    assert "repair" in filled.trace.phase
    assert filled.objective < kept.objective
    assert len(filled.empty) == 0
    assert dropped.dropped.tolist() == [2]
    assert len(dropped.centers) == len(dropped.weights) == 2
    with pytest.raises(km.EmptyClusterError):
        km.soft_kmeans(X, 3, **options, empty="error")


def test_a_repair_that_would_raise_F_is_taken_back():
    """A cluster of its own costs a row log(W / w) / β, which may be more than it saves."""
    X = np.concatenate([np.zeros((200, 1)), [[1.0]]])
    kept = km.soft_kmeans(X, 2, beta=2.0, init_centers=[[0.0], [1e4]], empty="keep", tol=1e-9)
    assert kept.weights.tolist() == [1.0, 0.0]
    result = km.soft_kmeans(X, 2, beta=2.0, init_centers=kept, empty="farthest", tol=1e-9, verify=True)
    assert result.trace.refused.max() == 1
    assert result.trace.is_monotone
    assert result.empty.tolist() == [1]


def test_a_warm_start_goes_on():
    whole = km.soft_kmeans(FAITHFUL, 2, beta=0.02, rng=0, max_iter=12, tol=0)
    first = km.soft_kmeans(FAITHFUL, 2, beta=0.02, rng=0, max_iter=5, tol=0)
    rest = km.soft_kmeans(FAITHFUL, 2, beta=0.02, init_centers=first, max_iter=7, tol=0)
    assert rest.centers.tobytes() == whole.centers.tobytes()
    assert rest.weights.tobytes() == whole.weights.tobytes()
    even = km.soft_kmeans(FAITHFUL, 2, beta=0.02, weights="uniform", init_centers=first, max_iter=2, tol=0)
    assert even.weights.tolist() == [0.5, 0.5]


def test_a_fit_that_is_cut_short_agrees_with_itself():
    for stop in (1, 3):
        result = km.soft_kmeans(IRIS, 3, beta=3.0, rng=0, callback=lambda snapshot, stop=stop: snapshot.n_iter == stop)
        assert result.status is km.Status.CALLBACK
        assert result.n_iter == stop
        assert (result.labels == result.predict(IRIS)).all()


# bad input, and parts that break the rules


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: km.soft_kmeans(IRIS, 3, beta=0), "beta is 0; it must be finite and above 0"),
        (lambda: km.soft_kmeans(IRIS, 3, beta=-1.0), "beta is -1.0; it must be finite and above 0"),
        (lambda: km.soft_kmeans(IRIS, 3, beta=math.inf), "beta is inf; it must be finite and above 0"),
        (lambda: km.soft_kmeans(IRIS, 3, beta="1"), "beta is '1' of type str; it must be a real number"),
        (
            lambda: km.soft_kmeans(IRIS, 3, beta=1, weights="free"),
            "weights is 'free'; it must be 'learned' or 'uniform'",
        ),
        (
            lambda: km.soft_kmeans(IRIS, 3, beta=8, anneal=1 + 1e-7),
            "anneal is 1.0000001, by which .* raised [0-9]+ times",
        ),
        (lambda: km.soft_kmeans(IRIS, 3, beta=1, anneal=1), "anneal is 1; it must be finite and above 1"),
        (lambda: km.fuzzy_cmeans(IRIS, 3, m=1), "m is 1; it must be finite and above 1"),
        (lambda: km.fuzzy_cmeans(IRIS, 3, m=math.nan), "m is nan; it must be finite and above 1"),
        (lambda: km.fuzzy_cmeans(IRIS, 3, m=900), "m is 900 for k = 3: .* vanish; keep m below 300.4"),
        (lambda: km.Solver(assign="fuzzy", update="weights"), "descends fuzzy-c-means, but updater 'weights' descends"),
        (
            lambda: km.Solver(update=("mean", "weights")),
            "updater 'weights' serves soft-k-means or .*, but",
        ),
        (lambda: km.Solver(update=()), "update is empty; it must name at least one updater"),
    ],
)
def test_bad_input(call, says):
    with pytest.raises((TypeError, ValueError), match=says):
        call()


def softly(change):
    """A soft assigner whose answer is changed."""

    @km.assigner("changed", objective="soft-k-means", replace=True)
    class Changed(km.assigners.Softmax):
        def __call__(self, problem, state):
            return change(state, super().__call__(problem, state))

    return Changed(1.0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state, told: None, "returned None; it must return two floats"),
        (lambda state, told: (math.nan, 0.0), "F and its rounding must be finite"),
        (lambda state, told: (told[0], -1.0), "and the latter not negative"),
        (lambda state, told: state.mass.fill(-1.0) or told, "masses must not be negative"),
        (lambda state, told: state.sums.fill(math.nan) or told, "wrote sums that are not finite"),
        (lambda state, told: state.labels.fill(9) or told, "wrote label 9; labels must be 0 to 2"),
        (lambda state, told: (told[0] + len(state.labels) * state.centers[0, 0] ** 2, told[1]), "raised the objective"),
    ],
)
def test_a_soft_assigner_that_breaks_a_rule(change, says):
    with pytest.raises(km.StrategyError, match=says):
        km.Solver(assign=softly(change), rng=0).fit(IRIS + np.arange(4), 3)


def test_verify_finds_a_wrong_F():
    wrong = softly(lambda state, told: (told[0] * 0.9, told[1]))
    with pytest.raises(km.DescentError, match="but the books have"):
        km.Solver(assign=wrong, rng=0, verify=True).fit(IRIS, 3)


@pytest.mark.parametrize("weights", [[0.5, 0.6, 0.1], [-0.5, 1.0, 0.5], [0.0, 0.5, 0.5]])
def test_weights_that_break_a_rule(weights):
    @km.updater("odd", objective="soft-k-means", writes=("weights",), replace=True)
    def odd(problem, state):
        state.weights[:] = weights

    says = "wrote the weights .* they must not be negative, and their sum must be 1|gave the weight 0 to a cluster"
    with pytest.raises(km.StrategyError, match=says):
        km.Solver(assign=km.assigners.Softmax(0.1), update=("mean", odd), rng=0).fit(IRIS, 3)
