"""How alike clusterings are: against scikit-learn, brute force, and what must not change anything."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn import metrics

import kmtoolkit as km
from kmtoolkit import agreement

IRIS = km.datasets.iris().X
FAITHFUL = km.datasets.old_faithful().X
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=40)
MEASURES = [agreement.adjusted_rand, agreement.normalized_mutual_information, agreement.variation_of_information]


@given(PAIRS)
def test_indices_are_those_of_scikit_learn(pairs):
    a, b = np.array(pairs).T
    assert agreement.adjusted_rand(a, b) == pytest.approx(metrics.adjusted_rand_score(a, b), abs=1e-12)
    theirs = metrics.normalized_mutual_info_score(a, b)
    assert agreement.normalized_mutual_information(a, b) == pytest.approx(theirs, abs=1e-12)
    left = entropy(np.bincount(a)) + entropy(np.bincount(b)) - 2 * metrics.mutual_info_score(a, b)
    assert agreement.variation_of_information(a, b) == pytest.approx(left, abs=1e-12)


@given(PAIRS, st.permutations(range(5)))
def test_numbers_of_clusters_do_not_matter(pairs, names):
    a, b = np.array(pairs).T
    renamed = np.array(names)[a]
    for measure in MEASURES:
        assert measure(a, b) == pytest.approx(measure(renamed, b), abs=1e-12)
        assert measure(a, b) == pytest.approx(measure(b, a), abs=1e-12)
        assert measure(a, renamed) == pytest.approx(0.0 if measure is MEASURES[2] else 1.0)
    assert agreement.match(a, renamed).labels.tolist() == a.tolist()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20))
def test_weights_are_copies(rows):
    a, b, w = np.array(rows).T
    if not w.any():
        return
    for measure in MEASURES:
        assert measure(a, b, sample_weight=w) == pytest.approx(measure(np.repeat(a, w), np.repeat(b, w)), abs=1e-12)
    matched, copied = agreement.match(a, b, sample_weight=w), agreement.match(np.repeat(a, w), np.repeat(b, w))
    assert matched.agreement == pytest.approx(copied.agreement)


def test_weights_that_are_no_counts_are_shares():
    a, b, w = [0, 0, 1, 1, 2], [0, 1, 1, 1, 0], np.array([0.1, 0.3, 0.2, 0.25, 0.15])
    for measure in MEASURES:
        assert measure(a, b, sample_weight=w) == pytest.approx(measure(a, b, sample_weight=0.5 * w), abs=1e-12)
        many = measure(a, b, sample_weight=np.round(w * 2e7))  # copies, so many that a row and itself are no matter
        assert measure(a, b, sample_weight=w) == pytest.approx(many, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-200, 1e-100, 1e100, 1e150])
def test_extreme_weights_change_nothing(scale):
    a, b, w = [0, 0, 1, 1, 2], [0, 1, 1, 1, 0], np.array([0.1, 0.3, 0.2, 0.25, 0.15])
    for measure in MEASURES:
        assert measure(a, b, sample_weight=w * scale) == pytest.approx(measure(a, b, sample_weight=w), abs=1e-9)


def test_labels_at_the_end_of_their_range_and_too_many_of_them():
    labels = agreement.match(np.array([127, 127, 127], np.int8), [0, 1, 2]).labels
    assert sorted(labels.tolist()) == [127, 128, 129]
    with pytest.raises(ValueError, match="20000 and 20000 clusters; matching takes a table of both"):
        agreement.match(np.arange(20_000), np.arange(20_000))


@given(PAIRS)
def test_matching_is_the_best_of_all(pairs):
    a, b = np.array(pairs).T
    table = np.zeros((5, 5))
    np.add.at(table, (a, b), 1)
    best = max(sum(table[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(5)))
    matching = agreement.match(a, b)
    assert matching.agreement * len(a) == pytest.approx(best)
    assert (matching.labels == a).mean() == pytest.approx(matching.agreement)
    assert len(set(zip(b, matching.labels, strict=True))) == len(set(b)) == len(set(matching.labels))


def test_known_values():
    assert agreement.adjusted_rand([0, 0, 1, 1], ["x", "x", "y", "y"]) == 1.0
    assert agreement.adjusted_rand([0, 1, 2], [0, 1, 2]) == 1.0
    assert agreement.normalized_mutual_information([0, 0], [1, 1]) == 1.0
    assert agreement.normalized_mutual_information([0, 0, 1, 1], [0, 1, 0, 1]) == 0.0
    assert agreement.variation_of_information([0, 1, 2, 3], [0, 0, 0, 0]) == pytest.approx(np.log(4))


FAMILIES = {
    "k-means": lambda **o: km.kmeans(IRIS, 3, init="uniform", **o),
    "k-medoids": lambda **o: km.kmedoids(IRIS, 3, **o),
    "k-medoids by dissimilarities": lambda **o: km.kmedoids(DISSIMILARITIES, 3, metric="precomputed", **o),
    "spherical": lambda **o: km.spherical_kmeans(IRIS, 3, **o),
    "soft k-means": lambda **o: km.soft_kmeans(IRIS, 3, beta=4.0, **o),
    "fuzzy": lambda **o: km.fuzzy_cmeans(IRIS, 3, **o),
    "full": lambda **o: km.gaussian_mixture(IRIS, 3, **o),
    "tied": lambda **o: km.gaussian_mixture(IRIS, 3, covariance="tied", **o),
    "spherical mixture": lambda **o: km.gaussian_mixture(IRIS, 3, covariance="spherical", **o),
    "hard em": lambda **o: km.hard_em(IRIS, 3, covariance="diag", **o),
}
DISSIMILARITIES = np.linalg.norm(IRIS[:, np.newaxis] - IRIS, axis=2)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_put_in_order_and_compared(family):
    X = DISSIMILARITIES if family.endswith("dissimilarities") else IRIS
    result = FAMILIES[family](n_init=3, rng=0)
    ordered = km.canonical_order(result)
    assert type(ordered) is type(result)
    assert [tuple(c) for c in ordered.centers] == sorted(tuple(c) for c in result.centers)
    assert (ordered.predict(X) == ordered.labels).all()
    assert agreement.variation_of_information(ordered, result) == 0
    assert (np.bincount(ordered.labels, minlength=3) == ordered.sizes).all()
    for at, center in enumerate(ordered.centers):
        was = int(np.flatnonzero((result.centers == center).all(axis=1))[0])
        assert ordered.cluster_objectives[at] == result.cluster_objectives[was]
    runs = agreement.compare_runs(result, X)
    assert runs.ends[result.best] == 0
    assert runs.adjusted_rand[result.best] == 1.0
    assert runs.moved[result.best] == 0.0
    assert runs.objective.tolist() == [run.objective for run in result.runs]
    assert runs.excess.min() == 0.0


def test_the_same_clustering_gets_the_same_numbers():
    ordered = [km.canonical_order(km.kmeans(FAITHFUL, 2, rng=seed, tol=0)) for seed in range(5)]
    assert all((result.labels == ordered[0].labels).all() for result in ordered)


def test_empty_clusters_keep_their_numbers():
    result = km.kmeans([[0.0], [1.0]], 2, init_centers=[[50.0], [0.5]], empty="keep")
    assert result.empty.tolist() == [0]
    assert km.canonical_order(result).empty.tolist() == [1]


def test_restarts_that_end_alike_are_counted_together():
    result = km.kmeans(IRIS, 3, init="uniform", n_init=12, tol=0, rng=1)
    runs = agreement.compare_runs(result, IRIS)
    labels = [km.kmeans(IRIS, 3, init_centers=run.start, tol=0).labels for run in result.runs]
    for i, j in itertools.combinations(range(12), 2):
        same = agreement.adjusted_rand(labels[i], labels[j]) == 1.0
        assert (runs.ends[i] == runs.ends[j]) == same
    assert 1 < len(set(runs.ends)) < 12
    text = runs.summary()
    assert text.startswith(f"12 restarts ended in {len(set(runs.ends))} different clusterings")
    counts = [int(line.split()[0]) for line in text.splitlines()[2:]]
    assert sum(counts) == 12


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: agreement.adjusted_rand([0, 1], [0]), ValueError, "a has 2 labels and b has 1; both must label the s"),
        (lambda: agreement.adjusted_rand([], []), ValueError, "a has shape (0,); it must have one label for each row"),
        (lambda: agreement.adjusted_rand([[0]], [0]), ValueError, "a has shape (1, 1)"),
        (lambda: agreement.adjusted_rand([0.5], [0]), TypeError, "a has dtype float64; labels must be integers or str"),
        (lambda: agreement.match(["a"], [0]), TypeError, "to match them they must be integers"),
        (lambda: agreement.match([0], [0], sample_weight=[-1]), ValueError, "weights must not be negative"),
        (lambda: agreement.match([0], [0], sample_weight=[1, 1]), ValueError, "one weight a row, (1,)"),
        (lambda: agreement.compare_runs([0], IRIS), TypeError, "result is a list; it must be a Result"),
        (lambda: km.canonical_order([0]), TypeError, "result is a list; it must be a Result"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)
