"""Gaussian mixtures and hard EM: the oracle, the identities of each half-step, limits to k-means, and the floor."""

import numpy as np
import pytest
import reference
from sklearn.mixture import GaussianMixture

import kmtoolkit as km
from kmtoolkit.kernels.jit import most_threads
from kmtoolkit.mixture import COVARIANCES

IRIS = km.datasets.iris().X
FAITHFUL = km.datasets.old_faithful().X
START = IRIS[[0, 60, 120]]
RECIPES = {"gaussian": km.gaussian_mixture, "hard-gaussian": km.hard_em}


def start_of(covariance):
    """Covariances to start from, in the public shape."""
    k = len(START)
    full = np.array([np.cov(IRIS.T) * (1 + j / 2) for j in range(k)])
    return {
        "full": full, "tied": full[0], "diag": np.array([np.diag(each) for each in full]),
        "spherical": np.array([0.5, 1.0, 2.0]), "tied-spherical": 0.7,
    }[covariance]  # fmt: skip


# against the oracle


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("recipe", RECIPES)
def test_em_goes_the_way_of_the_oracle(recipe, covariance):
    """F after every half-step, and all parameters after five iterations, with weights."""
    k, d = START.shape
    w = np.random.default_rng(0).integers(1, 4, len(IRIS)) / 2
    pi, centers, covariances, F = np.array([0.5, 0.3, 0.2]), START.astype(float), start_of(covariance), []

    def record(shares=None):
        logs = reference.log_joint(IRIS, centers, reference.full_covariances(covariances, k, d, covariance), pi)
        if shares is None:
            shares = np.eye(k)[logs.argmax(axis=1)] if recipe == "hard-gaussian" else reference.posteriors(logs)
        F.append(reference.mixture_objective(w, logs, shares))
        return shares

    for _ in range(5):
        shares = record()
        mass = w @ shares
        centers = (w[:, None] * shares).T @ IRIS / mass[:, None]
        record(shares)
        covariances = reference.moments(IRIS, w, shares, centers, covariance)
        record(shares)
        pi = mass / mass.sum()
        record(shares)
    result = RECIPES[recipe](
        IRIS, k, covariance=covariance, floor=1e-9, sample_weight=w, init_centers=START, max_iter=5, tol=0,
        init_weights=[0.5, 0.3, 0.2], init_covariances=start_of(covariance), verify=True,
    )  # fmt: skip
    many = min(len(F), len(result.trace))  # hard EM may have ended
    assert many >= 9
    assert result.trace.objective[:many] == pytest.approx(F[:many], rel=1e-12)
    assert result.trace.phase[:5].tolist() == ["init", "update", "covariances", "weights", "assign"]
    assert result.centers == pytest.approx(centers, rel=1e-10)
    assert result.weights == pytest.approx(pi, rel=1e-10)
    assert result.covariances == pytest.approx(covariances, rel=1e-9, abs=1e-12)
    assert result.covariances.shape == np.shape(covariances)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_free_energy_is_minus_the_log_likelihood(covariance):
    result = km.gaussian_mixture(IRIS, 3, covariance=covariance, rng=1)
    logs = reference.log_joint(
        IRIS, result.centers, reference.full_covariances(result.covariances, 3, 4, covariance), result.weights
    )
    expected = np.logaddexp.reduce(logs, axis=1)
    assert result.score_samples(IRIS) == pytest.approx(expected, rel=1e-11)
    assert result.objective == pytest.approx(-expected.sum(), rel=1e-12)
    assert result.log_likelihood == -result.objective
    assert result.predict_proba(IRIS) == pytest.approx(reference.posteriors(logs), rel=1e-8, abs=1e-300)
    assert result.responsibilities(IRIS) == pytest.approx(result.predict_proba(IRIS), abs=1e-15)
    assert (result.predict(IRIS) == result.labels).all()


@pytest.mark.parametrize("covariance", ["full", "diag", "tied", "spherical"])
def test_scikit_learn_agrees(covariance):
    """From the same start, with nothing added to covariances, the same likelihood and parameters to 1e-6."""
    start = start_of(covariance)
    matrices = covariance in ("full", "tied")
    theirs = GaussianMixture(
        3, covariance_type=covariance, tol=0, reg_covar=0, max_iter=30, means_init=START, weights_init=[0.5, 0.3, 0.2],
        precisions_init=np.linalg.inv(start) if matrices else 1 / start,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="did not converge"):
        theirs.fit(IRIS)
    ours = km.gaussian_mixture(IRIS, 3, covariance=covariance, floor=1e-9, init_centers=START, tol=0, max_iter=30,
                               init_weights=[0.5, 0.3, 0.2], init_covariances=start)  # fmt: skip
    assert len(ours.at_floor) == 0
    assert ours.log_likelihood == pytest.approx(theirs.score(IRIS) * len(IRIS), rel=1e-6)
    assert ours.centers == pytest.approx(theirs.means_, rel=1e-6)
    assert ours.covariances == pytest.approx(theirs.covariances_, rel=1e-6, abs=1e-9)
    assert ours.weights == pytest.approx(theirs.weights_, rel=1e-6)
    assert (ours.bic, ours.aic) == pytest.approx((theirs.bic(IRIS), theirs.aic(IRIS)), rel=1e-6)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_identities_of_the_drops(covariance):
    """Half-steps lower F by ½ Σ R‖Δμ‖² in the old metric, by KLs of covariances, and by W KL of weights (Gibbs)."""
    k, d = START.shape
    given = {"init_centers": START, "init_covariances": start_of(covariance)}
    one = km.gaussian_mixture(IRIS, k, covariance=covariance, **given, max_iter=1, tol=0)
    drops = dict(zip(one.trace.phase.tolist(), one.trace.drop.tolist(), strict=True))
    old = reference.full_covariances(start_of(covariance), k, d, covariance)
    mass = reference.posteriors(reference.log_joint(IRIS, START, old, np.full(k, 1 / k))).sum(axis=0)
    steps = one.centers - START
    lengths = np.array([step @ np.linalg.solve(each, step) for step, each in zip(steps, old, strict=True)])
    assert drops["update"] == pytest.approx(mass @ lengths / 2, rel=1e-11)
    new = reference.full_covariances(one.covariances, k, d, covariance)
    values = np.array([np.linalg.eigvals(np.linalg.solve(a, b)).real for a, b in zip(old, new, strict=True)])
    if covariance in ("full", "diag", "spherical"):
        gain = mass @ (values - 1 - np.log(values)).sum(axis=1) / 2
    else:
        gain = mass.sum() * (values[0] - 1 - np.log(values[0])).sum() / 2
    assert drops["covariances"] == pytest.approx(gain, rel=1e-10)
    pi = mass / mass.sum()
    assert drops["weights"] == pytest.approx(len(IRIS) * float(pi @ np.log(pi * k)), rel=1e-10)


# limits


def follow(seen):
    return lambda snapshot: seen.append((snapshot.labels.copy(), snapshot.centers.copy()))


def test_hard_em_with_one_fixed_variance_is_kmeans():
    """Half-step by half-step: the same labels and centers, and F = half that of k-means over σ², and a constant."""
    rng = np.random.default_rng(7)
    X, start, variance = rng.normal(size=(300, 3)), rng.normal(size=(6, 3)), 0.5
    hard, soft = [], []
    lloyd = km.kmeans(X, 6, init_centers=start, tol=0, empty="keep", callback=follow(hard))
    solver = km.Solver(assign=km.assigners.HardGaussian("tied-spherical"), update="mean", tol=0, empty="keep",
                       callback=follow(soft))  # fmt: skip
    em = solver.fit(X, 6, init_centers=start, init_covariances=variance)
    assert len(hard) >= 5
    assert em.n_iter in (lloyd.n_iter, lloyd.n_iter - 1, lloyd.n_iter + 1)
    for (labels, centers), (hard_labels, hard_centers) in zip(soft, hard, strict=False):
        assert (labels == hard_labels).all()
        assert centers == pytest.approx(hard_centers, abs=1e-13)
    constant = len(X) * (np.log(6) + 1.5 * np.log(2 * np.pi * variance))
    many = min(len(em.trace), len(lloyd.trace))
    assert em.trace.objective[:many] - constant == pytest.approx(
        lloyd.trace.objective[:many] / (2 * variance), rel=1e-9
    )


def test_a_mixture_of_small_fixed_variance_is_kmeans():
    rng = np.random.default_rng(4)
    X, start = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
    hard, soft = [], []
    lloyd = km.kmeans(X, 5, init_centers=start, tol=0, empty="keep", callback=follow(hard))
    squares = [np.sort(np.square(X[:, None] - centers).sum(axis=2), axis=1) for _, centers in hard]
    margin = min((each[:, 1] - each[:, 0]).min() for each in squares)
    solver = km.Solver(assign=km.assigners.Gaussian("tied-spherical", floor=0), update="mean", tol=0, empty="keep",
                       max_iter=lloyd.n_iter, callback=follow(soft))  # fmt: skip
    solver.fit(X, 5, init_centers=start, init_covariances=margin / 82)
    assert len(soft) == len(hard) >= 5
    for (labels, centers), (hard_labels, hard_centers) in zip(soft, hard, strict=True):
        assert (labels == hard_labels).all()
        assert centers == pytest.approx(hard_centers, abs=1e-11)


# weights, threads, ends


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_weights_are_copies(covariance):
    w = np.random.default_rng(3).integers(0, 4, len(FAITHFUL))
    options = {"covariance": covariance, "init_centers": FAITHFUL[:2], "max_iter": 5, "tol": 0}
    once = km.gaussian_mixture(FAITHFUL, 2, sample_weight=w, **options)
    copies = km.gaussian_mixture(np.repeat(FAITHFUL, w, axis=0), 2, **options)
    assert once.objective == pytest.approx(copies.objective, rel=1e-12)
    assert once.centers == pytest.approx(copies.centers, rel=1e-10)
    assert once.covariances == pytest.approx(copies.covariances, rel=1e-9)
    assert (once.bic, once.aic) == pytest.approx((copies.bic, copies.aic), rel=1e-12)


@pytest.mark.compiled
@pytest.mark.skipif(most_threads() == 1, reason="this process has one thread")
@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_the_same_bits_for_any_number_of_threads(covariance):
    X = np.random.default_rng(1).normal(size=(20_000, 5))
    first, second = (
        km.gaussian_mixture(X, 4, covariance=covariance, rng=0, max_iter=3, tol=0, threads=threads)
        for threads in (1, 2)
    )
    assert first.trace == second.trace
    assert first.centers.tobytes() == second.centers.tobytes()
    assert first.covariances.tobytes() == second.covariances.tobytes()


def test_a_warm_start_goes_on():
    whole = km.gaussian_mixture(IRIS, 3, rng=0, max_iter=8, tol=0)
    first = km.gaussian_mixture(IRIS, 3, rng=0, max_iter=3, tol=0)
    rest = km.gaussian_mixture(IRIS, 3, init_centers=first, max_iter=5, tol=0)
    for name in ("centers", "weights", "covariances"):
        assert getattr(rest, name) == pytest.approx(getattr(whole, name), rel=1e-12)
    fixed = km.Solver(assign="gaussian", update="mean", max_iter=2).fit(
        IRIS, 3, init_centers=first, init_covariances=first.covariances, init_weights=first.weights
    )
    assert fixed.covariances == pytest.approx(first.covariances, rel=1e-12)
    assert (fixed.weights == first.weights).all()


# the floor


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize(
    "X",
    [
        np.zeros((5, 4)),
        np.full((5, 1), 1e6),
        np.random.default_rng(0).normal(size=(4, 6)),
        np.repeat([[0.0, 1.0], [1e-3, 1.0], [5.0, 1.0]], 30, axis=0),
        np.concatenate([np.random.default_rng(1).normal(size=(40, 2)), [[1e9, -1e9]]]),
        np.arange(12.0)[:, None] * [1.0, 2.0, 3.0] + 1e8,
    ],
    ids=["zeros", "one value", "n < d", "copies", "outlier", "a line far away"],
)
def test_degenerate_data_come_to_the_floor(X, covariance):
    """No error, a certified end, covariances at least the floor, and components that came there are named."""
    for recipe in RECIPES.values():
        result = recipe(X, 3, covariance=covariance, rng=0, tol=0, max_iter=30, verify=True)
        assert result.trace.is_monotone
        k, d = result.centers.shape
        unit = np.sqrt(result.floor)
        if "spherical" in covariance:
            unit[:] = np.sqrt(result.floor.mean())
        least = np.linalg.eigvalsh(
            reference.full_covariances(result.covariances, k, d, covariance) / unit / unit[:, None]
        )[:, 0]
        assert (least >= 1 - 1e-2).all()
        assert set(np.flatnonzero(least < 1 + 1e-8)) <= set(result.at_floor.tolist())
        assert np.isfinite(result.score_samples(X)).all()
        assert ("at floor" in result.summary()) == (len(result.at_floor) > 0)


def test_the_floor_is_that_of_the_data():
    """Not of the start, nor of a constant column's last digits; what is given below it is raised."""
    Y = np.column_stack([np.full(50, 0.1), np.random.default_rng(0).normal(size=50)])
    first, second = (km.gaussian_mixture(Y, 1, rng=0, init_centers=start) for start in (None, [Y.mean(axis=0)]))
    assert (first.floor == second.floor).all()
    assert first.floor[0] == first.floor[1]
    assert first.objective == pytest.approx(second.objective, rel=1e-9)
    far = START.copy()
    far[2] = 1e7
    assert (km.gaussian_mixture(IRIS, 3, init_centers=far).floor == km.gaussian_mixture(IRIS, 3, rng=0).floor).all()
    low = km.gaussian_mixture(
        FAITHFUL, 2, covariance="diag", rng=0, init_covariances=np.full((2, 2), 1e-30), max_iter=0
    )
    assert (low.covariances >= low.floor).all()


def test_tol_is_in_nats_a_row():
    w = np.full(len(IRIS), 1000.0)
    once, heavy = (km.gaussian_mixture(IRIS, 3, rng=0, tol=1e-4, sample_weight=weight) for weight in (None, w))
    assert once.n_iter == heavy.n_iter > 3


def test_rounding_of_tight_clusters_far_from_each_other():
    """Their means are off by the rounding of numbers that are a million times their width."""
    rng, s = np.random.default_rng(5), 1e-6
    X = np.concatenate([1 / 3 + s * rng.normal(size=(50, 1)), -1 + s * rng.normal(size=(50, 1))])
    start = [[1 / 3 + 3 * s], [-1 - 3 * s]]
    for covariance in ("spherical", "diag", "full"):
        result = km.gaussian_mixture(X, 2, covariance=covariance, floor=0, init_centers=start, tol=0, max_iter=20,
                                     verify=True)  # fmt: skip
        assert result.trace.is_monotone


def test_a_component_of_one_row_is_at_the_floor():
    X = np.concatenate([np.random.default_rng(0).normal(size=(50, 2)), [[100.0, 100.0]]])
    result = km.gaussian_mixture(X, 2, init_centers=[[0.0, 0.0], [100.0, 100.0]], floor=1e-4)
    assert result.at_floor.tolist() == [1]
    assert result.covariances[1] == pytest.approx(np.diag(result.floor), rel=1e-6, abs=1e-12)
    assert result.floor == pytest.approx(1e-4 * X.var(axis=0), rel=1e-9)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_component_without_mass_is_refilled(recipe):
    X = np.concatenate([np.zeros((20, 1)), np.ones((20, 1)), [[50.0]]])
    options = {"covariance": "tied", "init_centers": [[0.0], [1.0], [1e4]], "init_covariances": [[0.01]]}
    kept, filled, dropped = (
        RECIPES[recipe](X, 3, **options, empty=empty, verify=True) for empty in ("keep", "farthest", "drop")
    )
    assert kept.trace.empty[0] == 1
    assert "repair" in filled.trace.phase
    assert filled.trace.is_monotone
    assert dropped.dropped.tolist() == [2]
    assert len(dropped.centers) == len(dropped.weights) == 2
    with pytest.raises(km.EmptyClusterError):
        RECIPES[recipe](X, 3, **options, empty="error")


# the distribution


def test_samples_come_from_the_mixture():
    result = km.gaussian_mixture(FAITHFUL, 2, rng=0)
    X, labels = result.sample(100_000, rng=1)
    assert np.bincount(labels) / len(X) == pytest.approx(result.weights, abs=0.01)
    for j in range(2):
        assert X[labels == j].mean(axis=0) == pytest.approx(result.centers[j], rel=0.01)
        assert np.cov(X[labels == j].T) == pytest.approx(result.covariances[j], rel=0.05, abs=0.02)
    assert (result.sample(10, rng=3)[0] == result.sample(10, rng=3)[0]).all()
    for covariance in COVARIANCES:
        assert km.gaussian_mixture(FAITHFUL, 2, covariance=covariance, rng=0).sample(3, rng=0)[0].shape == (3, 2)


def test_numbers_of_free_parameters():
    counts = {
        "full": 2 * 3 + 4 + 1,
        "tied": 3 + 4 + 1,
        "diag": 2 * 2 + 4 + 1,
        "spherical": 2 + 4 + 1,
        "tied-spherical": 6,
    }
    for covariance, count in counts.items():
        assert km.gaussian_mixture(FAITHFUL, 2, covariance=covariance, rng=0).n_parameters == count


# bad input, and parts of one's own


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"covariance": "diagonal"}, "covariance is 'diagonal'; it must be one of 'full', .*; did you mean 'diag'?"),
        ({"covariance": 3}, "covariance is 3; it must be one of"),
        ({"floor": -1}, "floor is -1; it must be finite and not negative"),
        ({"floor": "low"}, "floor is 'low' of type str"),
        ({"floor": 1e308}, "floor is 1e[+]308; it must be at most 1"),
        ({"init_covariances": [np.eye(2) * 1e308] * 2}, "init_covariances must be finite, and below 1e[+]300"),
        (
            {"init_covariances": np.eye(3)},
            r"init_covariances has shape \(3, 3\); of type 'full' it must be \(2, 2, 2\)",
        ),
        ({"init_covariances": [-np.eye(2)] * 2}, "init_covariances is not positive definite"),
        ({"init_covariances": [[[1, 2], [2, 1]]] * 2}, "init_covariances is not positive definite"),
        ({"init_covariances": [[[1, 0.5], [0, 1]]] * 2}, "init_covariances is not symmetric"),
        ({"init_covariances": [[[1, np.nan], [np.nan, 1]]] * 2}, "init_covariances must be finite"),
        ({"init_weights": [1.0]}, r"init_weights has shape \(1,\); it must have one weight a cluster, \(2,\)"),
        ({"init_weights": [-1.0, 2.0]}, "init_weights must be finite and not negative"),
        ({"init_weights": [0.0, 0.0]}, "init_weights must be finite and not negative, and one of them positive"),
        ({"init_weights": "ab"}, "init_weights"),
    ],
)
def test_bad_input(options, says):
    with pytest.raises((TypeError, ValueError), match=says):
        km.gaussian_mixture(FAITHFUL, 2, init_centers=FAITHFUL[:2], **options)


def test_parameters_that_an_objective_lacks():
    with pytest.raises(ValueError, match="init_weights is given, but squared-euclidean has centers only"):
        km.Solver().fit(FAITHFUL, 2, init_weights=[0.5, 0.5])
    with pytest.raises(ValueError, match="init_covariances is given, but soft-k-means has no covariances"):
        km.Solver(assign=km.assigners.Softmax(1.0)).fit(FAITHFUL, 2, init_covariances=np.eye(2))
    with pytest.raises(ValueError, match="init_weights is given, but fuzzy-c-means has no weights"):
        km.Solver(assign="fuzzy").fit(FAITHFUL, 2, init_weights=[0.5, 0.5])


def test_a_start_of_another_type_gives_its_centers_and_weights():
    tied = km.gaussian_mixture(FAITHFUL, 2, covariance="tied", rng=0)
    diag = km.gaussian_mixture(FAITHFUL, 2, covariance="diag", init_centers=tied, max_iter=0)
    assert (diag.weights == tied.weights).all()
    assert diag.covariances[0] == pytest.approx(diag.covariances[1])
    assert diag.covariances[0, 0] > 0.05


def test_a_hard_E_step_of_ones_own_may_break_ties_otherwise():
    @km.assigner("last-of-equals", objective="hard-gaussian-mixture", replace=True)
    class LastOfEquals(km.assigners.HardGaussian):
        def __call__(self, problem, state):
            flipped = {name: getattr(state, name)[::-1].copy() for name in ("centers", "weights", "factors")}
            other = state._replace(**{name: array.copy() for name, array in state._asdict().items()})
            told = super().__call__(problem, other._replace(**flipped))
            state.labels[:] = problem.k - 1 - other.labels
            for name in ("mass", "sums", "spread", "scatter"):
                getattr(state, name)[:] = getattr(other, name)[::-1]
            return told

    X = np.arange(10.0)[:, None] / 10
    solver = km.Solver(
        assign=LastOfEquals("full"), update=("mean", "covariances", "weights"), empty="keep", verify=True
    )
    assert solver.fit(X, 2, init_centers=[[50.0], [50.0]]).labels.tolist() == [1] * 10


def test_an_updater_of_ones_own():
    """Diagonal matrices as a restriction of full ones: the same fit as with the type of that name."""

    @km.updater("only-diagonals", objective="gaussian-mixture", writes=("covariances",), replace=True)
    def only_diagonals(problem, state):
        mean = state.scatter / state.mass[:, None, None]
        state.covariances[:] = mean * np.eye(state.centers.shape[1])

    start = {"init_centers": START, "init_weights": np.full(3, 1 / 3)}
    options = {"update": ("mean", only_diagonals, "weights"), "tol": 0, "max_iter": 5, "verify": True}
    diagonals = start_of("diag")
    mine = km.Solver(assign="gaussian", **options).fit(
        IRIS, 3, **start, init_covariances=[np.diag(v) for v in diagonals]
    )
    theirs = km.gaussian_mixture(IRIS, 3, covariance="diag", **start, init_covariances=diagonals, tol=0, max_iter=5)
    assert mine.objective == pytest.approx(theirs.objective, rel=1e-12)
    assert mine.trace.is_monotone


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan])
def test_covariances_that_break_a_rule(wrong):
    @km.updater("odd", objective="gaussian-mixture", writes=("covariances",), replace=True)
    def odd(problem, state):
        state.covariances[:] = wrong

    with pytest.raises(km.StrategyError, match="wrote covariances that are not finite and positive definite"):
        km.Solver(assign="gaussian", update=("mean", odd), rng=0).fit(IRIS, 3)


def test_an_updater_that_raises_F_is_found():
    @km.updater("wide", objective="gaussian-mixture", writes=("covariances",), replace=True)
    def wide(problem, state):
        state.covariances[:] *= 3.0

    with pytest.raises(km.DescentError, match="updater 'wide' raised the objective"):
        km.Solver(assign="gaussian", update=("mean", wide), rng=0).fit(IRIS, 3)
