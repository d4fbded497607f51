"""What a fit returns: the model, its certificate, and every restart as data."""

import enum
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kmtoolkit.divergences import known_objective
from kmtoolkit.kernels.threads import sharing_threads
from kmtoolkit.objectives import SquaredEuclidean
from kmtoolkit.problem import as_rows
from kmtoolkit.trace import Trace

__all__ = ["Result", "Run", "Status"]


class Status(enum.Enum):
    """Why a fit ended. Whatever the reason, labels, centers and objective agree."""

    FIXED_POINT = "the labels occurred before, or F did not fall, so nothing new would come"
    TOLERANCE = "the centers moved, or F fell, by no more than tol allows"
    MAX_ITER = "max_iter iterations were done"
    TIME = "max_seconds were over"
    CALLBACK = "the callback asked to stop"
    INTERRUPTED = "Ctrl-C was pressed"

    def __repr__(self) -> str:
        return f"Status.{self.name}"

    def __str__(self) -> str:
        return self.name


class Run(NamedTuple):
    """One restart as data.

    Attributes
    ----------
    seed : SeedSequence
        ``Solver(..., n_init=1, rng=run.seed)`` repeats the restart alone, bit for bit.
    start : ndarray of shape (k, d), float64
        The initial centers.
    trace : Trace
        The objective after every half-step.
    objective : float
        F at the end.
    n_iter : int
        Updates done.
    status : Status
        Why it ended.
    parameters : dict of str to ndarray
        Where it ended: ``centers`` (k, d), and what else the family learns, such as ``weights``.
    """

    seed: np.random.SeedSequence
    start: np.ndarray
    trace: Trace
    objective: float
    n_iter: int
    status: Status
    parameters: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A fitted clustering: the best of all restarts.

    Attributes
    ----------
    centers : ndarray of shape (k, d), float64
        The centers, in the units of X.
    labels : ndarray of shape (n,), int32
        The cluster of each row of X. Rows of weight 0 have the label that ``predict`` gives them.
    objective : float
        F, in squared units of X times weight; computed from labels (of soft families: shares) and centers in float64
        with compensated sums.
    n_iter : int
        Updates done.
    status : Status
        Why the fit ended.
    exact_fixed_point : bool
        True if the fit ended because the last assignment moved no row and nothing could be repaired; False after any
        other exit, or if earlier labels recurred otherwise, by rounding. Of soft families, if F did not fall either.
    sizes : ndarray of shape (k,), int64
        Rows of positive weight in each cluster.
    cluster_objectives : ndarray of shape (k,), float64
        F of each cluster.
    empty : ndarray of int64
        Indices of clusters left empty.
    dropped : ndarray of int64
        Indices, in the initial numbering, of the clusters that the ``drop`` handler removed.
    not_nearest : ndarray of int64
        Rows whose label is not their nearest center; none if the assigner is exact.
    trace : Trace
        The objective after every half-step.
    runs : tuple of Run
        Every restart; ``runs[best]`` is the one returned.
    best : int
        Index of the best restart, the first of equals.
    objective_name : str
        What was minimized, such as ``squared-euclidean``.
    notes : tuple of str
        What the assigner has to say: which methods ``auto`` chose, and why.
    objective_model : object
        The objective with its hyper-parameters, if it has any; None if its name says all.
    """

    centers: np.ndarray
    labels: np.ndarray
    objective: float
    n_iter: int
    status: Status
    exact_fixed_point: bool
    sizes: np.ndarray
    cluster_objectives: np.ndarray
    empty: np.ndarray
    dropped: np.ndarray
    not_nearest: np.ndarray
    trace: Trace
    runs: tuple[Run, ...]
    best: int
    objective_name: str
    notes: tuple[str, ...] = ()
    objective_model: Any = None

    def predict(self, X: Any) -> np.ndarray:
        """The index of the nearest center of each row, the lowest among equals.

        Parameters
        ----------
        X : array-like of shape (m, d)
            Rows with the columns of the fit.

        Returns
        -------
        ndarray of shape (m,), int32
            The labels. On the rows of the fit they equal ``labels`` if the assigner is exact.

        Raises
        ------
        TypeError, ValueError
            If X is not a finite, real (m, d) array.
        """
        rows = self._objective.rows(as_rows(X, self.centers))
        with sharing_threads(None):
            return self._objective.nearest(rows, self.centers)

    def transform(self, X: Any) -> np.ndarray:
        """Distances from rows to centers: Euclidean ones, or divergences by what was minimized.

        Parameters
        ----------
        X : array-like of shape (m, d)
            Rows with the columns of the fit.

        Returns
        -------
        ndarray of shape (m, k), float64
            Euclidean distances, in the units of X; or divergences, and 1 - cosine for ``cosine``.

        Raises
        ------
        TypeError, ValueError
            If X is not a finite, real (m, d) array.
        """
        rows = self._objective.rows(as_rows(X, self.centers))
        with sharing_threads(None):
            return self._objective.transform(rows, self.centers)

    @property
    def by_cluster(self) -> tuple[str, ...]:
        """The names of the attributes that have an entry for each cluster, in the order of the labels."""
        return "centers", "sizes", "cluster_objectives"

    @property
    def _objective(self) -> SquaredEuclidean:
        """What was minimized."""
        return self.objective_model or known_objective(self.objective_name)

    def summary(self) -> str:
        """A few lines for reading: how the fit went, its certificate, and the clusters.

        Returns
        -------
        str
            One fact a line, then a table of the first 20 clusters.

        Examples
        --------
        >>> import kmtoolkit as km
        >>> result = km.kmeans(km.datasets.iris().X, 3, n_init=10, rng=0)
        >>> print(result.summary())  # doctest: +ELLIPSIS
        3 clusters of 150 rows x 4 columns
        objective   78.8514...
        """
        trace = self.trace
        reason = self.status.value
        if self.status is Status.FIXED_POINT:
            reason += " (exact)" if self.exact_fixed_point else " (by rounding)"
        verdict = "never rose" if trace.is_monotone else "ROSE"
        proof = "each drop judged" if trace.certified else "recorded, not certified"
        if trace.largest_rise > 0:
            proof += f"; {'rounding' if trace.certified else 'rises'} up to {trace.largest_rise:.1e}"
        lines = [
            f"{len(self.centers)} clusters of {len(self.labels)} rows x {self.centers.shape[1]} columns",
            f"objective   {self.objective:.12g}  ({self.objective_name})",
            f"ended       {self.status} after {self.n_iter} iterations: {reason}",
            f"restarts    {len(self.runs)}, best is number {self.best}",
            f"certificate {verdict} in {len(trace)} half-steps ({proof})",
            f"rebuilt     from the end to the start with a relative error of {trace.rebuild_error:.1e}",
        ]
        lines += [f"assigner    {note}" for note in self.notes]
        if len(self.empty):
            lines.append(f"empty       {', '.join(map(str, self.empty))}")
        if len(self.dropped):
            lines.append(f"dropped     {', '.join(map(str, self.dropped))}")
        if len(self.not_nearest):
            lines.append(f"not nearest {len(self.not_nearest)} rows are not at their nearest center")
        head = f"{'cluster':>7}  {'size':>9}  {'objective':>14}  center"
        shown = range(min(len(self.centers), 20))
        body = [
            f"{j:>7}  {self.sizes[j]:>9}  {self.cluster_objectives[j]:>14.8g}  {_spell(self.centers[j])}" for j in shown
        ]
        more = [f"    ... {len(self.centers) - 20} more"] if len(self.centers) > 20 else []
        return "\n".join([*lines, "", head, *body, *more])

    def __repr__(self) -> str:
        k, d = self.centers.shape
        name = type(self).__name__
        return f"<{name}: k={k}, d={d}, objective={self.objective:.10g}, n_iter={self.n_iter}, {self.status}>"


def _spell(center: np.ndarray) -> str:
    values = ", ".join(f"{value:.6g}" for value in center[:8])
    return f"({values}{', ...' if len(center) > 8 else ''})"
