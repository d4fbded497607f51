"""The certificate: one row per half-step, judged as it is written and rebuilt exactly at the end."""

import logging
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from kmtoolkit.errors import DescentError
from kmtoolkit.objectives import Step

__all__ = ["Recorder", "Trace"]

logger = logging.getLogger("kmtoolkit")

DRIFTED = 1e-6

COLUMNS = {
    "iteration": np.int64,
    "phase": np.str_,
    "objective": np.float64,
    "drop": np.float64,
    "noise": np.float64,
    "seconds": np.float64,
    "moved": np.int64,
    "refused": np.int64,
    "empty": np.int64,
    "max_shift": np.float64,
    "distances": np.int64,
    "survivors": np.int64,
    "memory": np.int64,
    "engine": np.str_,
}
TOOK = ("seconds", "distances", "survivors", "memory", "engine")


class Trace:
    """The objective after every half-step of a fit, as arrays of one entry per half-step.

    Attributes
    ----------
    iteration : ndarray of int64
        0 for ``init``, then the iteration the half-step belongs to.
    phase : ndarray of str
        ``init``, ``repair``, ``update`` or ``assign``; of an updater that writes no centers, what it writes, such as
        ``weights``. Where β is raised there is an ``anneal``, and a ``kick`` if centers that lay together were tried
        apart.
    objective : ndarray of float64
        F after the half-step. The last entry is recomputed from the returned labels and centers; the others add
        the drops up from there, so the sequence is monotone in floating point too.
    drop : ndarray of float64
        How far F fell in this half-step; 0 for ``init``.
    noise : ndarray of float64
        How far F may have risen because a right strategy rounds: what the drop was judged against.
    seconds : ndarray of float64
        Time since the start of the restart.
    moved, refused : ndarray of int64
        Rows that changed cluster; rows whose proposed cluster was not nearer and that stayed.
    empty : ndarray of int64
        Empty clusters after the half-step; the ``drop`` handler removes them thereafter.
    max_shift : ndarray of float64
        The largest move of a center in this iteration so far, in the units of X.
    distances : ndarray of int64
        Distances that the assigner evaluated, or that finding rows for empty clusters took; -1 if the assigner does
        not tell.
    survivors : ndarray of int64
        Rows that the assigner's bounds could not spare; -1 if it does not tell.
    memory : ndarray of int64
        Bytes that the assigner keeps between its calls; -1 if it does not tell.
    engine : ndarray of str
        The method that an assigner with several, such as ``auto``, used.
    certified : bool
        True if every strategy promises descent, so that each drop was judged; False if F was only recorded.
    largest_rise : float
        The largest rise that was taken for rounding, and recorded as a drop of 0; for a fit that is not certified,
        the largest rise.
    rebuild_error : float
        The difference between the first objective as measured at the start and as rebuilt from the end, relative
        to the sum of the magnitudes of all terms that went into it: how exact the books were; 0 if not certified,
        or if all of them are no more than rounding may make.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> points = [[1, 1], [1, 2], [2, 1], [5, 5], [5, 6], [6, 5]]
    >>> trace = km.kmeans(points, 2, init_centers=[[1, 1], [5, 5]]).trace
    >>> for phase, objective in zip(trace.phase, trace.objective):
    ...     print(phase, round(objective, 4))
    init 4.0
    update 2.6667
    assign 2.6667
    >>> trace.is_monotone
    True
    """

    iteration: np.ndarray
    phase: np.ndarray
    objective: np.ndarray
    drop: np.ndarray
    noise: np.ndarray
    seconds: np.ndarray
    moved: np.ndarray
    refused: np.ndarray
    empty: np.ndarray
    max_shift: np.ndarray
    distances: np.ndarray
    survivors: np.ndarray
    memory: np.ndarray
    engine: np.ndarray

    def __init__(
        self, columns: dict[str, Sequence[Any]], certified: bool, largest_rise: float, rebuild_error: float
    ) -> None:
        for name, dtype in COLUMNS.items():
            values: np.ndarray = np.array(columns[name], dtype=dtype)
            values.flags.writeable = False
            setattr(self, name, values)
        self.certified = certified
        self.largest_rise = largest_rise
        self.rebuild_error = rebuild_error

    @property
    def is_monotone(self) -> bool:
        """Whether no half-step raised the objective."""
        return bool((np.diff(self.objective) <= 0).all())

    def to_dict(self) -> dict[str, list[Any]]:
        """The columns as plain lists, ready for ``json.dumps`` or ``pandas.DataFrame``."""
        return {name: getattr(self, name).tolist() for name in COLUMNS}

    def __len__(self) -> int:
        return len(self.objective)

    def __eq__(self, other: object) -> bool:
        """Equal in everything but what it took, which the clock has a say in."""
        if not isinstance(other, Trace):
            return NotImplemented
        names = [name for name in COLUMNS if name not in TOOK]
        return self.certified == other.certified and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in names
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        kind = "certified" if self.certified else "not certified"
        return f"<Trace: {len(self)} half-steps, {self.objective[0]:.10g} to {self.objective[-1]:.10g}, {kind}>"

    def __str__(self) -> str:
        width = max(6, *map(len, self.phase))
        head = f"{'iteration':>9}  {'phase':<{width}}  {'objective':>18}  {'drop':>12}  {'moved':>8}  {'empty':>5}"
        rows = [
            f"{self.iteration[t]:>9}  {self.phase[t]:<{width}}  {self.objective[t]:>18.12g}  "
            f"{self.drop[t]:>12.6g}  {self.moved[t]:>8}  {self.empty[t]:>5}"
            for t in range(len(self))
        ]
        return "\n".join([head, *rows])


class Recorder:
    """Writes a trace during a fit and judges each drop."""

    def __init__(self, certified: bool) -> None:
        self.certified = certified
        self.live = 0.0  # F as the drops have it; provisional until rebuilt
        self.anchor = 0.0  # F when it was last measured
        self.largest_rise = 0.0
        self.terms = 0.0  # magnitude of all terms that drops were added up from
        self.rows: list[tuple[Any, ...]] = []
        self.start = time.perf_counter()
        self.mark()

    def add(
        self, iteration: int, phase: str, who: object, step: Step, empty: int, max_shift: float, value: float | None
    ) -> None:
        """Record a half-step by strategy ``who``; raises DescentError if F rose by more than rounding.

        ``value`` is F afterwards, if it was measured.
        """
        drop = step.drop
        if self.certified and phase != "init" and not drop >= -step.noise:  # also catches NaN
            raise DescentError(
                f"{who} raised the objective by {-drop:.6g} in iteration {iteration} ({phase}); rounding in float64 "
                f"explains at most {step.noise:.3g}. Correct it, or register it with monotone=False"
            )
        if phase == "init":
            self.live, drop = -drop, 0.0
        self.largest_rise = max(self.largest_rise, -drop)
        if self.certified:
            drop = max(drop, 0.0)
        self.live = self.live - drop if value is None else value
        self.anchor = self.live if phase == "init" else self.anchor
        self.terms += step.terms
        self.rows.append((iteration, phase, self.live, drop, step.noise, time.perf_counter() - self.start,
                          step.moved, step.refused, empty, max_shift, *step.work))  # fmt: skip
        logger.debug("iteration %d, %s: objective %.10g, %d rows moved", iteration, phase, self.live, step.moved)

    def mark(self) -> None:
        """Remember the trace as it is, up to a settled assignment."""
        self.marked = len(self.rows), self.largest_rise, self.terms

    def rewind(self) -> int:
        """Forget what was added since the mark; the iteration of the last entry."""
        length, self.largest_rise, self.terms = self.marked
        del self.rows[length:]
        return int(self.rows[-1][0])

    @property
    def drifted(self) -> bool:
        """Whether F has fallen so far since it was measured that rounding of the drops may show in its live value."""
        return self.live < DRIFTED * self.anchor

    def measure(self, value: float) -> None:
        """Go on from a measured F."""
        self.live = self.anchor = value

    def rebuilt(self, final: float) -> Trace:
        """The finished trace, with its objectives summed up backwards from the exact final one.

        Without a certificate each objective was measured, and stays as it is.
        """
        columns: dict[str, Sequence[Any]] = dict(zip(COLUMNS, zip(*self.rows, strict=True), strict=True))
        first = columns["objective"][0]
        objective = [final]
        for drop in reversed(columns["drop"][1:]):
            objective.append(objective[-1] + drop)
        terms, error = abs(first) + self.terms, 0.0
        if self.certified:
            columns["objective"] = objective[::-1]
            error = abs(objective[-1] - first) / terms if terms > sum(columns["noise"]) else 0.0
        return Trace(columns, self.certified, self.largest_rise, error)
