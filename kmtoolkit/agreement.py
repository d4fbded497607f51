"""How alike two clusterings are, and clusters in an order that does not depend on chance.

The numbers of clusters mean nothing, so clusterings are compared by their contingency table: entry (i, j) is the weight
of the rows that are in cluster i of the one and in cluster j of the other. All measures here take O(n + cells) time,
where cells are the entries that are not 0.
"""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from kmtoolkit.kernels.statistics import are_whole
from kmtoolkit.problem import as_weights
from kmtoolkit.result import Result

__all__ = [
    "Matching", "RunComparison", "adjusted_rand", "compare_runs", "match",
    "normalized_mutual_information", "variation_of_information",
]  # fmt: skip


MOST_CELLS = 100_000_000  # of a table for matching
LARGE = 1e12  # sizes whose pairs of pairs are far from the end of float64's range


class Matching(NamedTuple):
    """The clusters of two clusterings, in pairs.

    Attributes
    ----------
    a, b : ndarray of shape (m,), int64
        Cluster a[i] of the first goes with cluster b[i] of the second; m is the lesser number of clusters.
    agreement : float
        The share of the weight that is in matched clusters: 1 for equal clusterings.
    labels : ndarray of shape (n,), int64
        The labels of the second, by the numbers of the first; clusters without a partner get numbers above those.
    """

    a: np.ndarray
    b: np.ndarray
    agreement: float
    labels: np.ndarray


class RunComparison(NamedTuple):
    """Every restart of a fit beside the best one; arrays have an entry for each restart.

    Attributes
    ----------
    objective : ndarray of shape (m,), float64
        F at the end.
    excess : ndarray of shape (m,), float64
        How far that is above the best, relative to the best.
    n_iter : ndarray of shape (m,), int64
        Updates done.
    adjusted_rand, normalized_mutual_information, variation_of_information : ndarray of shape (m,), float64
        How like the best the clustering is.
    moved : ndarray of shape (m,), float64
        The share of the weight that is in another cluster than in the best, after matching.
    ends : ndarray of shape (m,), int64
        Which clustering it ended in: restarts of equal number ended in the same one; 0 is the best.
    """

    objective: np.ndarray
    excess: np.ndarray
    n_iter: np.ndarray
    adjusted_rand: np.ndarray
    normalized_mutual_information: np.ndarray
    variation_of_information: np.ndarray
    moved: np.ndarray
    ends: np.ndarray

    def summary(self) -> str:
        """One line for each clustering in which restarts ended, the lowest objective first.

        Returns
        -------
        str
            A table; ``restarts`` is how many ended there.

        Examples
        --------
        >>> import kmtoolkit as km
        >>> X = km.datasets.iris().X
        >>> result = km.kmeans(X, 3, init="uniform", n_init=8, tol=0, rng=0)
        >>> print(km.agreement.compare_runs(result, X).summary())  # doctest: +ELLIPSIS
        8 restarts ended in ...
        """
        ends, first, counts = np.unique(self.ends, return_index=True, return_counts=True)
        lines = [
            f"{len(self.ends)} restarts ended in {len(ends)} different clustering{'s' if len(ends) > 1 else ''}",
            f"{'restarts':>8}  {'objective':>14}  {'excess':>9}  {'ARI':>6}  {'NMI':>6}  {'VI':>6}  {'moved':>7}",
        ]
        for at, many in sorted(zip(first, counts, strict=True), key=lambda pair: (self.objective[pair[0]], pair[0])):
            lines.append(
                f"{many:>8}  {self.objective[at]:>14.8g}  {self.excess[at]:>9.2%}  {self.adjusted_rand[at]:>6.3f}  "
                f"{self.normalized_mutual_information[at]:>6.3f}  {self.variation_of_information[at]:>6.3f}  "
                f"{self.moved[at]:>7.2%}"
            )
        return "\n".join(lines)


def adjusted_rand(a: Any, b: Any, *, sample_weight: Any = None) -> float:
    """The adjusted Rand index: the share of pairs on which two clusterings agree, corrected for chance.

    Parameters
    ----------
    a, b : Result or array-like of shape (n,)
        Clusterings: results, or labels, which are integers or strings.
    sample_weight : array-like of shape (n,), optional
        A weight of w means w copies of the row; weights that are not whole numbers are shares.

    Returns
    -------
    float
        1 for equal clusterings, about 0 for independent ones; it may be negative.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    References
    ----------
    Hubert and Arabie, Comparing partitions, Journal of Classification 2, 1985.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.agreement.adjusted_rand([0, 0, 1, 1], [1, 1, 0, 0])
    1.0
    >>> km.agreement.adjusted_rand([0, 0, 1, 1], [0, 1, 0, 1])
    -0.5
    """
    table = _table(a, b, sample_weight)[0]
    whole, scale = are_whole(table.data), float(table.data.max())
    together, of_a, of_b, every = (
        math.fsum(pairs(sizes, whole, scale))
        for sizes in (table.data, table.sum(axis=1), table.sum(axis=0), table.sum())
    )
    most = (of_a + of_b) / 2
    room = every * most - of_a * of_b
    return (every * together - of_a * of_b) / room if room else 1.0


def normalized_mutual_information(a: Any, b: Any, *, sample_weight: Any = None) -> float:
    """What two clusterings tell about each other, relative to the mean of their entropies.

    Parameters and errors are those of ``adjusted_rand``.

    Returns
    -------
    float
        I(a; b) / ((H(a) + H(b)) / 2), from 0 for independent clusterings to 1 for equal ones; 1 if both have one
        cluster only.

    References
    ----------
    Strehl and Ghosh, Cluster ensembles, Journal of Machine Learning Research 3, 2002.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> round(km.agreement.normalized_mutual_information([0, 0, 1, 1], [0, 0, 1, 2]), 6)
    0.8
    """
    of_a, of_b, apart = _entropies(a, b, sample_weight)
    return min(max(1 - apart / (of_a + of_b), 0.0), 1.0) if of_a + of_b > 0 else 1.0


def variation_of_information(a: Any, b: Any, *, sample_weight: Any = None) -> float:
    """H(a | b) + H(b | a): what is left to tell about each clustering once the other is known.

    Parameters and errors are those of ``adjusted_rand``.

    Returns
    -------
    float
        In nats; a metric: 0 for equal clusterings, at most log n, or 2 log k for k clusters each.

    References
    ----------
    Meilă, Comparing clusterings: an information based distance, Journal of Multivariate Analysis 98, 2007.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> round(km.agreement.variation_of_information([0, 0, 1, 1], [0, 1, 0, 1]), 6)  # 2 log 2
    1.386294
    """
    return _entropies(a, b, sample_weight)[2]


def match(a: Any, b: Any, *, sample_weight: Any = None) -> Matching:
    """Pair the clusters of two clusterings so that as much weight as possible is in paired ones.

    Parameters
    ----------
    a, b : Result or array-like of shape (n,), int
        Clusterings: results, or labels.
    sample_weight : array-like of shape (n,), optional
        A weight of w means w copies of the row.

    Returns
    -------
    Matching
        The pairs, the share of weight in them, and the labels of b by the numbers of a.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    References
    ----------
    Kuhn, The Hungarian method for the assignment problem, Naval Research Logistics Quarterly 2, 1955.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> matching = km.agreement.match([0, 0, 1, 1, 1], [7, 7, 7, 4, 4])
    >>> matching.a.tolist(), matching.b.tolist(), matching.agreement, matching.labels.tolist()
    ([0, 1], [7, 4], 0.8, [0, 0, 0, 1, 1])
    """
    table, names_a, names_b, of_row = _table(a, b, sample_weight)
    if names_a.dtype.kind not in "iu" or names_b.dtype.kind not in "iu":
        raise TypeError(f"labels have dtypes {names_a.dtype} and {names_b.dtype}; to match them they must be integers")
    from scipy.optimize import linear_sum_assignment  # slow to load

    if table.shape[0] * table.shape[1] > MOST_CELLS:
        raise ValueError(f"a and b have {table.shape[0]} and {table.shape[1]} clusters; matching takes a table of "
                         f"both, of at most {MOST_CELLS} cells")  # fmt: skip
    dense = table.toarray()
    first, second = linear_sum_assignment(dense, maximize=True)
    renamed = np.full(len(names_b), -1, np.int64)
    renamed[second] = names_a[first]
    alone = renamed == -1
    alone[second] = False
    renamed[alone] = int(names_a.max()) + 1 + np.arange(alone.sum())
    return Matching(names_a[first].astype(np.int64), names_b[second].astype(np.int64),
                    float(dense[first, second].sum() / dense.sum()), renamed[of_row])  # fmt: skip


def compare_runs(result: Result, X: Any, *, sample_weight: Any = None) -> RunComparison:
    """Compare where the restarts of a fit ended with the best of them.

    Parameters
    ----------
    result : Result
        A fit with restarts, such as by ``n_init=10``.
    X : array-like of shape (n, d)
        The rows of the fit; after ``kmedoids(metric="precomputed")``, the dissimilarities.
    sample_weight : array-like of shape (n,), optional
        The weights of the fit.

    Returns
    -------
    RunComparison
        Objectives, agreement with the best, and which restarts ended in the same clustering.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = km.datasets.old_faithful().X
    >>> runs = km.agreement.compare_runs(km.kmeans(X, 2, n_init=5, rng=0), X)
    >>> runs.summary().splitlines()[0]
    '5 restarts ended in 1 different clustering'
    """
    if not isinstance(result, Result):
        raise TypeError(f"result is a {type(result).__name__}; it must be a Result")
    everyone = [replace(result, **dict[str, Any](run.parameters)).predict(X) for run in result.runs]
    best = everyone[result.best]
    objectives = np.array([run.objective for run in result.runs])
    scale = abs(objectives[result.best]) or 1.0
    ends: list[int] = []
    representatives = [best]
    for labels in everyone:
        same = (
            j for j, other in enumerate(representatives)
            if variation_of_information(labels, other, sample_weight=sample_weight) == 0
        )  # fmt: skip
        at = next(same, len(representatives))
        if at == len(representatives):
            representatives.append(labels)
        ends.append(at)
    measures = (adjusted_rand, normalized_mutual_information, variation_of_information)
    index, information, variation = (
        np.array([measure(best, labels, sample_weight=sample_weight) for labels in representatives])[ends]
        for measure in measures
    )
    moved = np.array([1 - match(best, labels, sample_weight=sample_weight).agreement for labels in representatives])
    n_iter = np.array([run.n_iter for run in result.runs])
    excess = (objectives - objectives[result.best]) / scale
    return RunComparison(objectives, excess, n_iter, index, information, variation, moved[ends], np.array(ends))


def canonical_order(result: Result) -> Result:
    """The same result with its clusters numbered by their centers: by the first column, then the second, and so on.

    So the same clustering gets the same numbers, whatever the seed of its fit.

    Parameters
    ----------
    result : Result
        Any result.

    Returns
    -------
    Result
        A copy of the same class. ``trace``, ``runs`` and ``dropped``, which tell of the way there, stay as they are.

    Raises
    ------
    TypeError
        If it is no Result.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> X = [[8.0], [9.0], [1.0], [2.0]]
    >>> result = km.canonical_order(km.kmeans(X, 2, rng=0))
    >>> result.centers.tolist(), result.labels.tolist()
    ([[1.5], [8.5]], [1, 1, 0, 0])
    """
    if not isinstance(result, Result):
        raise TypeError(f"result is a {type(result).__name__}; it must be a Result")
    order = np.lexsort(result.centers.T[::-1])
    number = np.empty(len(order), np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    changed: dict[str, Any] = {name: getattr(result, name)[order] for name in result.by_cluster}
    return replace(result, **changed, labels=number[result.labels], empty=np.sort(number[result.empty]))


def _table(a: Any, b: Any, sample_weight: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """The contingency table as a sparse array, the names of its rows and columns, and the column of each point."""
    first, second = _labels(a, "a"), _labels(b, "b")
    if len(first) != len(second):
        raise ValueError(f"a has {len(first)} labels and b has {len(second)}; both must label the same rows")
    names_a, i = np.unique(first, return_inverse=True)
    names_b, j = np.unique(second, return_inverse=True)
    weights, _, _ = as_weights(sample_weight, len(first))
    table = sparse.coo_array((weights, (i, j)), shape=(len(names_a), len(names_b))).tocsr()
    table.eliminate_zeros()
    return table, names_a, names_b, j


def _labels(clustering: Any, name: str) -> np.ndarray:
    """Labels (n,), integers or strings."""
    labels = np.asarray(clustering.labels if isinstance(clustering, Result) else clustering)
    if labels.ndim != 1 or not len(labels):
        raise ValueError(f"{name} has shape {labels.shape}; it must have one label for each row, (n,), n at least 1")
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels):
        labels = labels.astype(str)
    if labels.dtype.kind not in "biuU":
        raise TypeError(f"{name} has dtype {labels.dtype}; labels must be integers or strings")
    return labels.astype(np.int64) if labels.dtype.kind == "b" else labels


def pairs(sizes: Any, whole: bool, scale: float = 1.0) -> np.ndarray:
    """The pairs of copies within parts of these sizes, at least one-dimensional; of shares, their squares, halved.

    They come in units of ``scale`` squared, a size, which keeps them in range. Small whole numbers stay exact.
    """
    if whole and scale < LARGE:
        return np.atleast_1d(sizes * (sizes - 1) / 2)
    shares = sizes / scale
    return np.atleast_1d(shares * (shares - (1 / scale if whole else 0.0)) / 2)


def _entropies(a: Any, b: Any, sample_weight: Any) -> tuple[float, float, float]:
    """H(a), H(b) and H(a | b) + H(b | a), in nats; each a sum of terms that are not negative."""
    table = _table(a, b, sample_weight)[0].tocoo()
    total = table.data.sum()
    rows, columns = np.asarray(table.sum(axis=1)), np.asarray(table.sum(axis=0))
    i, j = table.coords
    apart = math.fsum(table.data * (np.log(rows[i] / table.data) + np.log(columns[j] / table.data))) / float(total)
    return _entropy(rows, total), _entropy(columns, total), apart


def _entropy(sizes: np.ndarray, total: float) -> float:
    shares = sizes[sizes > 0] / float(total)
    return math.fsum(-shares * np.log(shares)) + 0.0
