"""Choosing k: scores against peers, the rule of choice, abstention, and sweeps that can be gone on with."""

import inspect
import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

import kmtoolkit as km
from kmtoolkit import selection
from kmtoolkit.kernels.silhouettes import silhouettes, simplified_silhouettes
from kmtoolkit.selection.choice import Scores, decide
from kmtoolkit.selection.growing import log_p_of_normal
from kmtoolkit.selection.sweeps import Sweep

IRIS = km.datasets.iris().X
FAITHFUL = km.datasets.old_faithful().X
KS = range(1, 8)
ABSTAIN_OR_ONE = "one cluster scores best"


def blobs(k, n=400, d=2, seed=0, apart=8.0):
    """Rows about k centers that are at least ``apart`` standard deviations from each other."""
    rng, centers, side = np.random.default_rng(seed), [], apart * 1.3 * k ** (1 / d)
    while len(centers) < k:
        center = rng.random(d) * side
        if all(np.linalg.norm(center - other) >= apart for other in centers):
            centers.append(center)
        else:
            side *= 1.01
    return np.array(centers)[np.arange(n) % k] + rng.normal(size=(n, d))


@pytest.fixture(scope="module")
def iris():
    return selection.sweep(IRIS, KS, rng=0, references=3)


# --- values


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 4), st.integers(6, 90))
def test_silhouettes_are_those_of_scikit_learn(seed, k, d, n):
    rng = np.random.default_rng(seed)
    X, labels = rng.normal(size=(n, d)), rng.permutation(np.arange(n) % k).astype(np.int32)
    ours = silhouettes(X, np.ones(n), labels, k)
    np.testing.assert_allclose(ours, metrics.silhouette_samples(X, labels), rtol=0, atol=1e-10)


def test_silhouettes_by_hand_and_with_weights_as_copies():
    X, labels = np.array([[0.0], [1.0], [5.0], [9.0]]), np.array([0, 0, 1, 1], np.int32)
    expected = [(7 - 1) / 7, (6 - 1) / 6, (4.5 - 4) / 4.5, (8.5 - 4) / 8.5]
    np.testing.assert_allclose(silhouettes(X, np.ones(4), labels, 2), expected)
    rng = np.random.default_rng(3)
    X, labels, w = rng.normal(size=(40, 3)), rng.integers(0, 3, 40).astype(np.int32), rng.integers(1, 4, 40)
    copied = silhouettes(np.repeat(X, w, axis=0), np.ones(w.sum()), np.repeat(labels, w), 3)
    np.testing.assert_allclose(np.repeat(silhouettes(X, w * 1.0, labels, 3), w), copied, atol=1e-12)
    alone = silhouettes(X[:3], np.ones(3), np.array([0, 1, 1], np.int32), 2)
    assert alone[0] == 0.0


def test_silhouettes_of_shares_do_not_depend_on_their_scale():
    rng = np.random.default_rng(3)
    X, labels, w = rng.normal(size=(40, 3)), rng.integers(0, 3, 40).astype(np.int32), rng.random(40)
    shares = silhouettes(X, w, labels, 3)
    np.testing.assert_allclose(silhouettes(X, w * 1e-9, labels, 3), shares, atol=1e-12)
    apart = np.linalg.norm(X[0] - X, axis=1) * w
    inside, others = labels == labels[0], [apart[labels == j].sum() / w[labels == j].sum() for j in range(3)]
    own = apart[inside].sum() / (w[inside].sum() - w[0])
    nearest = min(other for j, other in enumerate(others) if j != labels[0])
    assert shares[0] == pytest.approx((nearest - own) / max(nearest, own))


def test_simplified_silhouettes_by_hand():
    X, centers = np.array([[0.0], [1.0], [9.0]]), np.array([[0.5], [9.0], [70.0]])
    labels, mass = np.array([0, 0, 1], np.int32), np.array([2.0, 1.0, 0.0])
    sums = simplified_silhouettes(X, np.ones(3), centers, labels, mass)
    np.testing.assert_allclose(sums, [(9 - 0.5) / 9 + (8 - 0.5) / 8, 1.0, 0.0])


def test_values_are_those_of_scikit_learn(iris):
    for k, result in zip(iris.ks[1:], iris.results[1:], strict=True):
        for name, measure in (
            ("silhouette", metrics.silhouette_score), ("calinski-harabasz", metrics.calinski_harabasz_score),
            ("davies-bouldin", metrics.davies_bouldin_score),
        ):  # fmt: skip
            theirs = measure(IRIS, result.labels)

            assert iris.choose(name).values[k - 1] == pytest.approx(theirs, rel=1e-10)


def test_information_criteria_are_those_of_the_mixture(iris):
    fit = km.gaussian_mixture(IRIS, 3, covariance="tied-spherical", init_centers=iris[3].centers, tol=1e-4)
    assert iris.choose("bic").values[2] == fit.bic
    assert iris.choose("aic").values[2] == fit.aic


def test_the_gap_is_that_of_its_references(iris):
    choice, uniform = iris.choose("gap"), [null for null in iris._nulls if null.null == "uniform"]
    assert len(uniform) == 3
    expected = [np.mean([np.log(null.objective[i] / 150) for null in uniform]) for i in range(len(KS))]
    np.testing.assert_allclose(choice.values, expected - np.log(iris.objective / 150))


def test_the_elbow_is_the_bend_of_log_F():
    sweep = selection.sweep(blobs(3), [1, 2, 3, 5, 8], rng=0)
    slopes = -np.diff(np.log(sweep.objective)) / np.diff(np.log(sweep.ks))
    choice = sweep.choose("elbow")
    np.testing.assert_allclose(choice.values[1:-1], slopes[:-1] - slopes[1:])
    assert choice.k == 3
    assert np.isnan(choice.values[[0, -1]]).all()
    assert set(choice.reasons) == {1, 8}


def test_the_interval_of_the_elbow_is_that_of_a_bootstrap_of_rows():
    X, ks = blobs(3), [1, 2, 3, 5, 8]
    sweep = selection.sweep(X, ks, rng=0, references=2)
    squares = np.array([np.square(X - result.centers[result.labels]).sum(axis=1) for result in sweep.results])
    rows = np.random.default_rng(1).integers(0, len(X), (2000, len(X)))
    slopes = -np.diff(np.log(squares[:, rows].sum(axis=2)), axis=0) / np.diff(np.log(ks))[:, np.newaxis]
    expected = np.quantile(slopes[:-1] - slopes[1:], 0.05, axis=1)
    choice = sweep.choose("elbow")
    spread = choice.values[1:-1] - expected
    np.testing.assert_allclose(choice.low[1:-1], expected, atol=0.25 * spread.max())
    assert (choice.low[1:-1] < choice.values[1:-1]).all()


def test_prediction_strength_is_1_where_halves_agree_and_weights_are_copies():
    assert (
        selection.sweep(blobs(3, n=90), [2, 3, 4], rng=0, references=2).choose("prediction strength").values[1] == 1.0
    )
    strength = selection.criteria._strength
    labels, predicted, w = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0]), np.array([2, 1, 1, 2, 3])
    weighted = strength(labels, predicted, w * 1.0)
    assert weighted == strength(np.repeat(labels, w), np.repeat(predicted, w), np.ones(w.sum()))
    pairs = list(itertools.combinations(range(3), 2))  # of the first cluster: copies 0, 0 and 1
    together = sum((0, 0, 1)[i] == (0, 0, 1)[j] for i, j in pairs) / len(pairs)
    assert weighted == pytest.approx(min(together, (3 * 2 + 3 * 2) / (6 * 5)))


def test_weights_stand_for_copies_in_every_criterion_that_fits_the_rows_alone():
    X, w = blobs(3, n=60), np.random.default_rng(0).integers(1, 4, 60)
    start = X[[0, 1, 2]]
    fit = km.kmeans(X, 3, sample_weight=w, init_centers=start)
    copied = km.kmeans(np.repeat(X, w, axis=0), 3, init_centers=start)
    seed, solver = np.random.SeedSequence(0), km.Solver()
    one = selection.Path(X, w * 1.0, (3,), (fit,), seed, solver)
    other = selection.Path(np.repeat(X, w, axis=0), np.ones(w.sum()), (3,), (copied,), seed, solver)
    for name in ("simplified silhouette", "silhouette", "calinski-harabasz", "davies-bouldin", "bic", "aic"):
        ours, theirs = (selection.CRITERIA[name].measure(path, []) for path in (one, other))
        np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-9, err_msg=name)


# --- the path


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.booleans())
def test_F_never_rises_with_k_and_every_fit_is_certified(seed, d, weighted):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 6, (40, d)) * 1.0 + rng.normal(size=(40, d)) * 0.01
    w = rng.integers(0, 3, 40) if weighted else None
    ks = sorted(rng.choice(np.arange(1, 12), size=rng.integers(1, 6), replace=False).tolist())
    sweep = selection.sweep(X, ks, sample_weight=w, rng=seed)
    assert (np.diff(sweep.objective) <= 1e-12 * sweep.objective[0]).all()
    for result in sweep.results:
        assert result.trace.certified
        assert result.trace.is_monotone
        assert len(result.labels) == 40
        assert (result.predict(X) == result.labels).all()


def test_fits_grow_and_fresh_starts_share_their_seed():
    X = blobs(4)
    grown = selection.sweep(X, range(1, 6), rng=0)
    assert [len(result.runs) for result in grown.results] == [1] * 5
    for before, result in itertools.pairwise(grown.results):
        assert (result.runs[0].start[: len(before.centers)] == before.centers).all()
    both = selection.sweep(X, range(1, 6), rng=0, n_init=2)
    assert [len(result.runs) for result in both.results] == [2, 3, 3, 3, 3]
    for result in both.results:
        assert result.objective == min(run.objective for run in result.runs) == result.runs[result.best].objective
    starts = [result.runs[1].start for result in both.results[1:]]
    for fewer, more in itertools.pairwise(starts):
        assert (more[0] == fewer[0]).all()


@pytest.mark.compiled
def test_the_same_seed_gives_the_same_bits_and_a_longer_range_the_same_fits():
    X = blobs(4)
    one, again = (selection.sweep(X, range(1, 6), rng=3) for _ in range(2))
    longer = selection.sweep(X, range(1, 9), rng=3)
    extended = one.extended([6, 7, 8])
    for k in range(1, 6):
        assert (one[k].centers == again[k].centers).all()
        assert (one[k].centers == longer[k].centers).all()
    for k in range(6, 9):
        assert (extended[k].centers == longer[k].centers).all()
    for name in selection.CRITERIA:
        np.testing.assert_array_equal(extended.choose(name).values, longer.choose(name).values)
        if name != "elbow":
            np.testing.assert_array_equal(one.choose(name).values, longer.choose(name).values[:5])


# --- the rule

SCORES = st.lists(st.one_of(st.floats(-2, 2), st.just(math.nan)), min_size=1, max_size=8)


def given_scores(values, ceiling):
    values = np.array(values)
    return Scores(values, values, values, values, {}), np.full(len(values), ceiling)


@given(SCORES, st.floats(-2, 2), st.floats(0, 1), st.floats(0, 1), st.floats(-3, 1))
def test_a_longer_range_changes_an_answer_only_to_a_new_k_that_wins(values, new, margin, floor, ceiling):
    before, _ = decide(tuple(range(2, 2 + len(values))), *given_scores(values, ceiling), margin, floor)
    longer = [*values, new]
    ks = tuple(range(2, 2 + len(longer)))
    after, reason = decide(ks, *given_scores(longer, ceiling), margin, floor)
    others = [value for value in values if not math.isnan(value)]
    wins = bool(others) and new > max(others) and new >= max(others) + margin and new >= ceiling + floor
    if before is not None:
        assert after in (before, ks[-1])
    if after == ks[-1]:
        assert wins
    if wins:
        assert after == ks[-1]
    assert reason


@given(SCORES, st.floats(0.01, 1))
def test_nothing_wins_that_data_without_clusters_reach(values, floor):
    assert decide(tuple(range(2, 2 + len(values))), *given_scores(values, 3.0), 0.0, floor)[0] is None


def test_the_rule_by_hand():
    ks = (1, 2, 3, 4)
    assert decide(ks, *given_scores([0.0, 1.0, 0.5, 0.4], 0.0), 0.1, 0.1)[0] == 2
    assert decide(ks, *given_scores([2.0, 1.0, 0.5, 0.4], 0.0), 0.1, 0.1) == (None, ABSTAIN_OR_ONE)
    assert decide(ks, *given_scores([0.0, 1.0, 0.95, 0.4], 0.0), 0.1, 0.1)[0] == 2
    k, reason = decide(ks, *given_scores([0.0, 0.05, 0.5, 0.55], 0.0), 0.1, 0.1)
    assert (k, "first to win" in reason) == (3, True)
    k, reason = decide(ks, *given_scores([0.0, 0.05, 0.5, 0.7], 0.0), 0.1, 0.1)
    assert (k, "the range ends here" in reason) == (4, True)
    k, reason = decide(ks, *given_scores([math.nan, 0.5, 0.52, 0.51], 0.0), 0.1, 0.1)
    assert (k, reason) == (None, "k = 3 is ahead by 0.01, less than the margin 0.1")
    k, reason = decide(ks, *given_scores([math.nan, 0.5, math.nan, math.nan], 0.0), 0.1, 0.1)
    assert (k, reason) == (None, "fewer than two values to compare")


# --- known answers


@pytest.mark.compiled
@pytest.mark.parametrize("k", [2, 5, 12])
def test_separated_blobs_are_counted(k):
    sweep = selection.sweep(blobs(k, seed=k), range(1, k + 4), rng=0)
    says = {name: sweep.choose(name).k for name in selection.CRITERIA}
    assert sum(answer == k for answer in says.values()) >= 7, says
    assert set(says.values()) <= {k, None}, says


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_data_without_clusters_have_none(seed):
    rng = np.random.default_rng(seed)
    for X in (rng.random((300, 2)), rng.normal(size=(300, 2))):
        sweep = selection.sweep(X, range(1, 9), rng=seed)
        says = [sweep.choose(name).k for name in selection.CRITERIA]
        assert set(says) == {None}, says


def test_a_criterion_of_ones_own():
    def measure(path, nulls):
        return selection.scores(path, [-abs(k - 3) for k in path.ks], evidence=np.full(len(path.ks), not path.null))

    own = selection.Criterion("own", "own", measure, margin=0.5, floor=0.5, reference="here", cost="O(1)")
    sweep = selection.sweep(IRIS, KS, rng=0)
    assert sweep.choose(own).k == 3
    assert "own" in sweep.summary([own, "elbow"])


@pytest.mark.compiled
def test_shares_and_copies_agree_up_to_the_unit():
    X, w = blobs(3, n=60), np.random.default_rng(0).random(60) + 0.5
    for scale in (1e-6, 1e6):
        one, other = (selection.sweep(X, range(1, 7), sample_weight=weights, rng=0, references=2)
                      for weights in (w, w * scale))  # fmt: skip
        for name in ("silhouette", "calinski-harabasz", "davies-bouldin", "bic", "aic", "stability"):
            np.testing.assert_allclose(other.choose(name).values, one.choose(name).values, rtol=1e-6, err_msg=name)


@pytest.mark.compiled
def test_rounded_rows_are_no_more_clusters_than_there_are():
    sweep = selection.sweep(np.round(blobs(3, n=90) * 2) / 2, range(1, 12), rng=0)
    assert {sweep.choose(name).k for name in ("bic", "aic", "calinski-harabasz", "gap", "silhouette")} <= {3, None}


@pytest.mark.compiled
def test_nothing_beside_a_perfect_fit_is_named_where_that_is_undefined():
    X = np.repeat([[0.0, 0.0], [9.0, 1.0], [2.0, 8.0], [7.0, 7.0], [20.0, 3.0]], 8, axis=0)
    sweep = selection.sweep(X, range(1, 6), rng=0)
    says = {name: sweep.choose(name).k for name in selection.CRITERIA}
    assert set(says.values()) <= {5, None}, says
    assert says["silhouette"] == 5
    assert sweep.choose("calinski-harabasz").reason == "F is 0 from k = 5 on, where it is undefined"


# --- reading


def test_the_summary_lays_the_criteria_side_by_side(iris):
    text = iris.summary()
    lines = text.splitlines()
    assert lines[0].split()[:2] == ["k", "objective"]
    assert len(lines[0].split()) == 2 + len(selection.CRITERIA)
    for name, criterion in selection.CRITERIA.items():
        choice = iris.choose(name)
        column = lines[0].split().index(criterion.short)
        for k in KS:
            shown = lines[k].split()[column]
            assert shown.endswith("*") == (choice.k == k)
            assert shown.rstrip("*") == ("-" if np.isnan(choice.values[k - 1]) else f"{choice.values[k - 1]:.4g}")
        assert any(line.startswith(criterion.short) and choice.reason in line for line in lines)
    assert "- at k = 1 of simpl.sil, silh., CH, DB, PS, stab.: needs two clusters" in lines
    assert all(len(line) <= 130 for line in lines)


def test_the_exact_silhouette_is_left_out_of_large_summaries_unless_it_is_asked_for(monkeypatch):
    monkeypatch.setattr("kmtoolkit.selection.sweeps.FEW_ROWS", 100)
    sweep = selection.sweep(IRIS, [1, 2, 3], rng=0, references=2)
    assert "silhouette is left out: it takes O(n² d) time" in sweep.summary()
    assert "left out" not in sweep.summary(["silhouette"])


def test_repr_and_items(iris):
    assert repr(iris) == "<Sweep: k = 1 to 7, 7 fits of 150 rows x 4 columns>"
    assert len(iris[3].centers) == 3
    with pytest.raises(KeyError, match="k = 9 was not fitted; ks are 1, 2"):
        iris[9]


def test_progress_is_shown_on_standard_error(monkeypatch, capsys):
    monkeypatch.setattr("kmtoolkit.progress.SILENT_SECONDS", 0.0)
    monkeypatch.setattr("kmtoolkit.progress.REFRESH_SECONDS", 0.0)
    monkeypatch.setattr("kmtoolkit.progress._rich_status", lambda: None)
    selection.sweep(IRIS, [1, 2], rng=0, progress=True, references=2).choose("gap")
    err = capsys.readouterr().err
    assert "k = 2, 2 of 2 fits, objective 152." in err
    assert "data without clusters: 4 of 4" in err
    selection.sweep(IRIS, [1, 2], rng=0)
    assert capsys.readouterr().err == ""


def test_what_follows_fits_follows_those_of_the_callers_rows_only():
    seen = []
    X = blobs(3, n=60)
    sweep = selection.sweep(X, [2, 3, 4], init=X[:2], empty="error", callback=lambda now: seen.append(len(now.labels)),
                            rng=0, references=2)  # fmt: skip
    many = len(seen)
    sweep.summary()
    assert len(seen) == many > 0
    assert set(seen) == {60}


# --- going on


def test_an_interrupted_sweep_goes_on_where_it_stopped(tmp_path, monkeypatch):
    file = tmp_path / "sweep"
    whole = selection.sweep(IRIS, KS, rng=0)
    fit, many = km.Solver._fit, []

    def failing(self, *arguments, **named):
        many.append(1)
        if len(many) == 4:
            raise KeyboardInterrupt
        return fit(self, *arguments, **named)

    monkeypatch.setattr(km.Solver, "_fit", failing)
    with pytest.raises(KeyboardInterrupt):
        selection.sweep(IRIS, KS, rng=0, checkpoint=file)
    file.write_bytes(file.read_bytes() + pickle.dumps((4, whole[4]))[:50])  # what was being written
    resumed = selection.sweep(IRIS, KS, rng=0, checkpoint=file)
    assert len(many) == 4 + 4
    again = selection.sweep(IRIS, KS, rng=0, checkpoint=file)
    assert len(many) == 8
    for k in KS:
        assert (resumed[k].centers == whole[k].centers).all()
        assert (again[k].labels == whole[k].labels).all()
        assert again[k].trace.is_monotone


def test_a_checkpoint_keeps_the_seed_that_was_drawn(tmp_path):
    one, other = (selection.sweep(IRIS, [2, 3], checkpoint=tmp_path / "sweep") for _ in range(2))
    assert (one[3].centers == other[3].centers).all()


def test_a_checkpoint_serves_longer_and_shorter_ranges_but_no_others(tmp_path):
    selection.sweep(IRIS, [1, 2, 3], rng=0, checkpoint=tmp_path / "sweep")
    assert selection.sweep(IRIS, [1, 2], rng=0, checkpoint=tmp_path / "sweep").ks == (1, 2)
    assert selection.sweep(IRIS, [1, 2, 3, 5], rng=0, checkpoint=tmp_path / "sweep").ks == (1, 2, 3, 5)
    with pytest.raises(ValueError, match="has fits for k = 1, 2, 3, 5, each grown from the one before"):
        selection.sweep(IRIS, [1, 3], rng=0, checkpoint=tmp_path / "sweep")


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    selection.sweep(IRIS, [1, 2], rng=0, checkpoint=tmp_path / "sweep")
    for change in ({"rng": 1}, {"tol": 0.5}, {"sample_weight": np.arange(150)}, {"n_init": 1}):
        with pytest.raises(ValueError, match="is of other data, weights, options or seed"):
            selection.sweep(IRIS, [1, 2], checkpoint=tmp_path / "sweep", **({"rng": 0} | change))
    (tmp_path / "other").write_text("k")
    with pytest.raises(ValueError, match="is no file of a sweep"):
        selection.sweep(IRIS, [1, 2], rng=0, checkpoint=tmp_path / "other")


# --- X-means and G-means


@pytest.mark.parametrize("grow", [selection.xmeans, selection.gmeans])
def test_clusters_are_split_until_they_are_balls_or_k_max(grow):
    X = blobs(5, seed=2)
    result = grow(X, 20, rng=0)
    assert len(result.centers) == 5
    assert result.trace.is_monotone
    for k_max in (1, 2, 3, 4):
        assert len(grow(X, k_max, rng=0).centers) == k_max
    assert len(grow(X, 9, k_min=7, rng=0).centers) >= 7
    w = np.repeat([1, 3], len(X) // 2)
    assert len(grow(X, 20, sample_weight=w, rng=0).centers) == 5
    assert len(grow(np.random.default_rng(0).normal(size=(300, 2)), 20, rng=0).centers) == 1
    assert len(grow(np.ones((20, 2)), 20, rng=0).centers) == 1


def test_xmeans_goes_by_a_likelihood_that_numpy_agrees_with():
    X = np.concatenate([blobs(2, n=60, seed=1)])
    split = km.kmeans(X, 2, rng=0)

    def bic(labels):
        n, k = len(X), len(set(labels))
        centers = np.array([X[labels == j].mean(axis=0) for j in range(k)])
        variance = np.square(X - centers[labels]).sum() / (2 * (n - k))
        density = np.log((labels[:, np.newaxis] == np.arange(k)).mean(axis=0))[labels]
        density += stats.norm.logpdf(X, centers[labels], np.sqrt(variance)).sum(axis=1)
        return density.sum() - (3 * k) / 2 * np.log(n)

    gain = selection.growing._bic_gain(X, np.ones(len(X)), split)
    assert gain == pytest.approx(bic(split.labels) - bic(np.zeros(len(X), int)), rel=1e-9)


@given(st.lists(st.tuples(st.floats(-3, 3), st.integers(1, 3)), min_size=8, max_size=30))
def test_the_test_of_normality_is_that_of_scipy(rows):
    x, w = np.array([v for v, _ in rows]), np.array([many for _, many in rows])
    copies = np.repeat(x, w)
    if copies.std() < 1e-3:
        return
    statistic = (
        stats.anderson(copies, method="interpolate").statistic if SCIPY_ASKS else stats.anderson(copies).statistic
    )
    n = len(copies)
    a = statistic * (1 + 0.75 / n + 2.25 / n**2)
    logs = [(0.6, 1.2937 - 5.709 * a + 0.0186 * a * a), (0.34, 0.9177 - 4.279 * a - 1.38 * a * a)]
    expected = next((value for least, value in logs if a >= least), None)
    if expected is not None and min(abs(a - 0.6), abs(a - 0.34)) > 1e-6:
        assert log_p_of_normal(x, w * 1.0) == pytest.approx(expected, abs=1e-6)


SCIPY_ASKS = "method" in inspect.signature(stats.anderson).parameters


def test_normal_rows_are_rarely_found_not_to_be():
    rng = np.random.default_rng(0)
    p = np.exp([log_p_of_normal(rng.normal(size=200), np.ones(200)) for _ in range(400)])
    for alpha in (0.05, 0.25, 0.5, 0.8):
        assert abs((p < alpha).mean() - alpha) < 0.07


def test_growing_ends_when_it_is_asked_to():
    seen = []
    result = selection.xmeans(blobs(6), 20, rng=0, callback=lambda now: seen.append(1) or len(seen) == 3)
    assert len(seen) == 3
    assert result.status is km.Status.CALLBACK


# --- bad input


def own(values):
    """Ask a criterion that returns these values, or a list."""

    def measure(path, nulls):
        return [1.0, 2.0] if values is None else selection.scores(path, values)

    criterion = selection.Criterion("own", "own", measure, margin=0.1, floor=0.1, reference="here", cost="O(1)")
    return selection.sweep(IRIS, [1, 2], rng=0, references=2).choose(criterion)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: selection.sweep(IRIS, 3), TypeError, "ks is 3; it must be several numbers of clusters"),
        (lambda: selection.sweep(IRIS, []), ValueError, "ks is empty"),
        (lambda: selection.sweep(IRIS, [2, 2]), ValueError, "ks has 2 after 2; they must rise"),
        (lambda: selection.sweep(IRIS, [3, 2]), ValueError, "ks has 2 after 3; they must rise"),
        (lambda: selection.sweep(IRIS, [1.5]), TypeError, "is 1.5 of type float; it must be an int"),
        (lambda: selection.sweep(IRIS, [0, 1]), ValueError, "is 0; it must be at least 1"),
        (
            lambda: selection.sweep([[1.0]] * 3 + [[2.0]], [1, 3]),
            ValueError,
            "ks go up to 3, but X has only 2 different",
        ),
        (lambda: selection.sweep(IRIS, [200]), ValueError, "k is 200, but X has only 150 rows"),
        (lambda: selection.sweep(IRIS, [2], assign="manhattan", update="median"), ValueError, "descends manhattan"),
        (
            lambda: selection.sweep(IRIS, [2], empty="drop"),
            ValueError,
            "empty is 'drop', which may leave fewer clusters",
        ),
        (lambda: selection.sweep(IRIS, [2], n_init=-1), ValueError, "n_init is -1"),
        (lambda: selection.sweep(IRIS, [2], references=1), ValueError, "references is 1; it must be at least 2"),
        (lambda: selection.sweep(IRIS, [1, 2], rng=0).choose("silhouettes"), ValueError, "did you mean 'silhouette'?"),
        (lambda: selection.sweep(IRIS, [1, 2], rng=0).extended([2]), ValueError, "ks go on with 2, after 2"),
        (lambda: selection.sweep(IRIS, [1, 2], rng=0).summary([]), ValueError, "criteria is empty; name some"),
        (lambda: own([1.0]), ValueError, "values have shape (1,); there must be one for each k, (2,)"),
        (
            lambda: own(None),
            TypeError,
            "the measure of criterion 'own' returned [1.0, 2.0]; it must return km.selection",
        ),
        (lambda: selection.xmeans(IRIS, 2, assign="manhattan", update="median"), ValueError, "descends manhattan"),
        (lambda: selection.xmeans(IRIS, 2, k_min=3), ValueError, "k_max is 2, below k_min = 3"),
        (lambda: selection.gmeans(IRIS, 0), ValueError, "k_max is 0; it must be at least 1"),
        (lambda: selection.gmeans(IRIS, 3, alpha=1.0), ValueError, "alpha is 1.0; it must be below 1"),
        (lambda: selection.xmeans([[np.nan]], 1), ValueError, "values must be finite"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)


def test_what_is_undefined_is_nan_with_its_reason():
    sweep = selection.sweep([[0.0], [1.0], [5.0]], [1, 2, 3], rng=0, references=2)
    for name in selection.CRITERIA:
        choice = sweep.choose(name)
        for k, value in zip(choice.ks, choice.values, strict=True):
            assert np.isnan(value) == (k in choice.reasons), (name, k, value)
    assert isinstance(sweep, Sweep)
    sweep.summary()
