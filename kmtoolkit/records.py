"""The records that strategies are given: what is clustered, and the state of the clustering."""

import hashlib
import re
from typing import Any, NamedTuple, TypeVar

import numpy as np

from kmtoolkit.kernels.jit import read_only

__all__ = ["MixtureState", "Problem", "SoftState", "State", "Work", "read_only", "read_only_state"]

T = TypeVar("T", bound=type)
S = TypeVar("S", bound="State | SoftState | MixtureState")


def _named_by_fields(record: T) -> T:
    """Let the name that pickles and compiled caches know a record by change with its fields.

    Numba takes a record of the same name and types for the same one, so a strategy compiled with ``cache=True`` for
    other fields, or another order of them, would read the wrong array.
    """
    fields = ",".join(record._fields)  # type: ignore[attr-defined]
    record.__qualname__ = f"{record.__name__}_{hashlib.sha256(fields.encode()).hexdigest()[:12]}"
    globals()[record.__qualname__] = record
    return record


@_named_by_fields
class Problem(NamedTuple):
    """What is clustered: rows of positive weight only.

    Attributes
    ----------
    X : ndarray of shape (n, d), float32 or float64, C order, read-only
        The caller's values.
    sample_weight : ndarray of shape (n,), float64, read-only
        Positive; a weight of w means w copies of the row.
    k : int
        The number of clusters.
    """

    X: np.ndarray
    sample_weight: np.ndarray
    k: int


@_named_by_fields
class State(NamedTuple):
    """What the half-steps write. Each role sees all of it, and can write what its role owns.

    Attributes
    ----------
    centers : ndarray of shape (k, d), float64
        The parameters θ; written by updaters.
    labels : ndarray of shape (n,), int32
        The assignment r, -1 before the first one; written by assigners.
    counts : ndarray of shape (k,), int64
        Rows of each cluster. A cluster is empty when its count is 0.
    mass : ndarray of shape (k,), float64
        Weight of each cluster.
    sums : ndarray of shape (k, d), float64
        Sums of w · (x - origin) over each cluster.
    origin : ndarray of shape (d,), float64
        The point that sums are taken about.
    shift : ndarray of shape (k,), float64
        How far each center has moved since the last assignment, repair included.
    """

    centers: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    mass: np.ndarray
    sums: np.ndarray
    origin: np.ndarray
    shift: np.ndarray


@_named_by_fields
class SoftState(NamedTuple):
    """The state of soft families, which share a row among all clusters: a State, and more.

    Attributes
    ----------
    centers, labels, counts, mass, sums, origin, shift : ndarray
        As in :class:`State`. ``labels`` have the cluster with the largest share of a row, ``mass`` and ``sums`` take
        rows by their shares, and ``counts`` are 1, or 0 for a cluster without mass.
    spread : ndarray of shape (k,), float64
        Sums of the squared distances from the rows to the center, taken by their shares.
    weights : ndarray of shape (k,), float64
        The mixing weights π; written by updaters.
    """

    centers: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    mass: np.ndarray
    sums: np.ndarray
    origin: np.ndarray
    shift: np.ndarray
    spread: np.ndarray
    weights: np.ndarray


@_named_by_fields
class MixtureState(NamedTuple):
    """The state of Gaussian mixtures: a SoftState, and more.

    The trailing shape ``...`` is (d, d) for full and tied covariances, (d,) for diagonal and (1,) for spherical ones.
    Tied covariances are one for all clusters, so their first length is 1 and not k.

    Attributes
    ----------
    centers, labels, counts, mass, sums, origin, shift, spread, weights : ndarray
        As in :class:`SoftState`.
    scatter : ndarray of shape (k, ...), float64
        Sums of w · r · (x - center)(x - center)ᵀ over each cluster, about the centers as they are now: after an
        updater has moved these, the books move the scatter. Diagonals have the squares, spherical ones their sum.
    covariances : ndarray of shape (k, ...) or (1, ...), float64
        Covariances Σ, diagonals of them, or variances; written by updaters.
    factors : ndarray, float64
        Of covariances the inverse of the lower Cholesky factor, of diagonals and variances 1 / √.
    floor : ndarray of shape (d,), float64
        The least variances: covariances are at least diag(floor).
    """

    centers: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    mass: np.ndarray
    sums: np.ndarray
    origin: np.ndarray
    shift: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    scatter: np.ndarray
    covariances: np.ndarray
    factors: np.ndarray
    floor: np.ndarray


class Work(NamedTuple):
    """What an assigner tells of its latest call, by its method ``work``; the defaults stand for what it does not tell.

    Attributes
    ----------
    distances : int
        Distances evaluated; -1 if it does not tell.
    survivors : int
        Rows that bounds could not spare, so that they were compared with centers; -1 if it does not tell.
    memory : int
        Bytes that it keeps between calls; -1 if it does not tell.
    engine : str
        The method that did the work, if there are several to choose from.
    """

    distances: int = -1
    survivors: int = -1
    memory: int = -1
    engine: str = ""


def __getattr__(name: str) -> Any:
    """A stand-in for a record of other fields, so that what was stored for it is seen to be out of date."""
    if re.fullmatch(r"(Problem|State|SoftState|MixtureState)_[0-9a-f]{12}", name):
        return type(name, (), {})
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def read_only_state(state: S) -> S:
    """The state with every array read-only."""
    return type(state)(*map(read_only, state))
