"""Cases made to be awkward: a small zoo that is always tried, and one case large enough to be cut into chunks."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from kmtoolkit.families import OBJECTIVES
from kmtoolkit.problem import Problem, admit
from kmtoolkit.registry import Row
from kmtoolkit.testing.domains import brought_into

__all__ = ["Case", "big", "weighted", "zoo"]


@dataclass(frozen=True, eq=False)
class Case:
    """What a strategy is tried on: the arguments of a fit, and a seed.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64
        The rows.
    k : int
        The number of clusters.
    sample_weight : ndarray of shape (n,), optional
        Weights, some of which may be 0.
    init_centers : ndarray of shape (k, d), optional
        Centers to start from; without them an initializer is asked.
    seed : int
        The seed of all randomness, and of the choice of partners.
    name : str
        What is awkward about it.
    source : str
        The function of this module that makes the rows, if there are too many to be shown.
    """

    X: np.ndarray
    k: int
    sample_weight: np.ndarray | None = None
    init_centers: np.ndarray | None = None
    seed: int = 0
    name: str = ""
    source: str = ""

    @property
    def problem(self) -> Problem:
        """The problem as strategies see it."""
        return admit(self.X, self.k, self.sample_weight).problem

    @property
    def size(self) -> int:
        """How much there is to read for someone who is shown the case."""
        return self.X.size + self.k

    def started(self) -> "Case":
        """The case with explicit centers: the first rows of positive weight, unless it has some."""
        if self.init_centers is not None:
            return self
        return replace(self, init_centers=self.problem.X[: self.k].astype(np.float64))

    def emptied(self) -> "Case":
        """The case from a start that leaves all clusters but the first empty, unless it has a start."""
        if self.init_centers is not None or self.k == 1:
            return self.started()
        centers = np.repeat(self.problem.X[:1].astype(np.float64), self.k, axis=0)
        reach = 4.0 * (1.0 + float(np.abs(self.X).max()))
        centers[1:] += reach * np.arange(1, self.k)[:, np.newaxis]
        return replace(self, init_centers=centers)

    def narrowed(self, columns: int | None) -> "Case":
        """The case with the first columns only, if there are more; None leaves all."""
        if columns is None or columns >= self.X.shape[1]:
            return self
        start = None if self.init_centers is None else self.init_centers[:, :columns].copy()
        return replace(self, X=self.X[:, :columns].copy(), init_centers=start)

    def suited(self, row: Row) -> "Case":
        """The case as it suits a strategy: columns and values that it takes, for a handler a start with empty clusters.

        Only initializers are asked for the start.
        """
        case = self.narrowed(row.columns)
        if len(row.objectives) == 1 and (objective := OBJECTIVES.get(row.objectives[0])):
            case = replace(case, X=brought_into(objective, case.X))
        if row.role == "initializer":
            return replace(case, init_centers=None)
        return case.emptied() if row.role == "empty_handler" else case.started()


def _column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, np.newaxis]


@cache
def zoo() -> tuple[Case, ...]:
    """The cases that are always tried.

    Returns
    -------
    tuple of Case
        Ties, duplicates, empty clusters, repairs, offsets, weights of many sizes, and the smallest of everything.

    Examples
    --------
    >>> from kmtoolkit import testing
    >>> testing.zoo()[0].name, testing.zoo()[0].X.shape
    ('ties on a grid of integers', (9, 2))
    """
    rng = np.random.default_rng(1982)
    grid = np.array([[x, y] for x in range(3) for y in range(3)], dtype=np.float64)
    blobs = np.repeat([[0.0, 0.0], [40.0, 0.0], [0.0, 40.0], [40.0, 40.0]], 6, axis=0) + rng.normal(size=(24, 2))
    sizes = 10.0 ** rng.integers(-16, 4, 24) * (np.arange(24) % 5 > 0)
    third = np.arange(12.0).reshape(6, 2) / 3
    offsets = np.arange(1.0, 18.0) / 10
    permuted = np.array([rng.permutation(offsets) for _ in range(6)])
    return (
        Case(grid, 3, init_centers=np.array([[0.0, 1], [2, 1], [1, 1]]), name="ties on a grid of integers"),
        Case(_column(0, 1, 2, 3, 4), 2, init_centers=_column(3, 1), name="a tie that the lower index must win"),
        Case(_column(0, 2, 4, 5, 9), 3, init_centers=_column(1, 3, 3), name="two centers at one place"),
        Case(np.repeat(_column(1, 5, 6), 4, axis=0), 3, name="duplicated rows"),
        Case(np.repeat(_column(1, 5, 6), 2, axis=0), 5, name="more clusters than distinct rows"),
        Case(np.full((5, 2), 0.1), 3, name="all rows equal"),
        Case(blobs, 1, name="one cluster"),
        Case(grid[:4], 4, name="as many clusters as rows"),
        Case(_column(7), 1, name="one row"),
        Case(blobs, 3, sizes, blobs[:3] + 1, name="weights of many sizes, some of them 0"),
        Case(grid, 4, np.array([0.0, 1, 2, 3, 0, 1, 2, 3, 1]), name="integer weights on a grid"),
        Case(blobs, 4, None, np.array([[0.0, 0], [1e3, 0], [2e3, 0], [3e3, 0]]), name="three empty clusters"),
        Case(_column(-1, 1, 90, 110, 49, 52), 4, np.array([500.0, 500, 1, 1, 3, 3]), _column(0, 1e4, 50, 100),
             name="a repair in heavy and light clusters"),
        Case(_column(0, 1, 2, 10, 11, 12, 30), 4, None, _column(1, 1, 1, 11), name="centers that take no row"),
        Case(blobs * 2.0**-12 + 1e6, 3, name="near ties far from 0, where rounding proposes labels to refuse"),
        Case(blobs + 1e6, 4, name="rows far from 0"),
        Case((third + 4096).astype(np.float32), 3, name="near ties in single precision"),
        Case(blobs.astype(np.float32) / 3, 4, np.arange(24.0) % 4, name="single precision"),
        Case(np.column_stack([blobs[:, 0], np.full(24, 0.1)]), 3, name="a constant column"),
        Case(blobs * [1e-6, 1e6], 3, name="columns of two scales"),
        Case(_column(100, 101, 102), 2, None, _column(0, 1e-6), name="centers that single precision can't tell apart"),
        Case(rng.lognormal(0, 6, (20, 2)), 5, name="values of many sizes"),
        Case(np.vstack([np.zeros((4, 17)), -permuted[:2]]), 6, None, permuted,
             name="many columns: distances that differ by the order of their sum alone"),
    )  # fmt: skip


@cache
def weighted() -> Case:
    """Three groups of rows on a line: a light one, a heavy one, and one between them."""
    groups = ((-10.0, 20, 1.0), (10.0, 20, 6.0), (0.0, 40, 3.0))
    rng = np.random.default_rng(1979)
    X = np.concatenate([rng.normal(place, 1.0, (rows, 1)) for place, rows, _ in groups])
    weights = np.concatenate([np.full(rows, weight) for _, rows, weight in groups])
    return Case(X, 2, weights, name="a light and a heavy group", source="weighted")


@cache
def big() -> Case:
    """20 000 rows by 4 columns, 8 clusters of which some start empty: enough work for many chunks."""
    rng = np.random.default_rng(1956)
    X = rng.normal(size=(20_000, 4)) + 3 * rng.integers(0, 3, (20_000, 1))
    centers = X[:8].copy()
    centers[6:] += 1e3
    return Case(X, 8, rng.integers(1, 4, 20_000) / 2, centers, name="20 000 rows", source="big")
