"""The Solver: strategies and options put together, and the best of its restarts."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from kmtoolkit.descent import Descent, Parts
from kmtoolkit.families import SOFT_OBJECTIVES
from kmtoolkit.initializers.explicit import Explicit
from kmtoolkit.kernels.grid import watched
from kmtoolkit.kernels.threads import sharing_threads
from kmtoolkit.mixture import GaussianMixture
from kmtoolkit.mixture_result import MixtureResult
from kmtoolkit.objectives import OBJECTIVES, SquaredEuclidean
from kmtoolkit.options import (
    Abandoned,
    Limits,
    Snapshot,
    as_root,
    as_seed,
    check_options,
    copy_seed,
    interrupts,
    same,
    spell,
)
from kmtoolkit.problem import Door, admit, as_centers, as_numbers, read_only
from kmtoolkit.registry import ROLES, check_partners, resolve
from kmtoolkit.result import Result, Run, Status
from kmtoolkit.soft import SoftObjective
from kmtoolkit.soft_books import SoftBooks
from kmtoolkit.soft_result import SoftResult

__all__ = ["Solver"]

logger = logging.getLogger("kmtoolkit")


@dataclass(frozen=True, eq=False, repr=False)
class Solver:
    """Minimize an objective by turns over labels and centers, with interchangeable strategies.

    Parameters
    ----------
    init, assign, update, empty : str, strategy or callable
        The initializer, assigner, updater and empty-cluster handler: a registered name (``km.available()``), a
        configured object such as ``km.initializers.KMeansPlusPlus(trials=1)``, or a plain function. ``init`` may
        also be an array of centers, and ``update`` a tuple of updaters that take turns.
    max_iter : int
        Most iterations (updates) of a restart.
    tol : float
        Stop when Σ‖shift_j‖² is at most tol times the mean weighted variance of the features; of soft families, when
        an iteration lowers F by at most tol · F, and of mixtures by at most tol · Σ w. 0 waits for a fixed point.
    n_init : int
        Restarts; the result is the best of them. Starts given explicitly run once.
    rng : None, int, SeedSequence or Generator
        Source of randomness; restart i uses the i-th spawned child. A Generator is copied, and never advanced.
    max_seconds : float, optional
        Time limit of the whole fit, kept within 5 % or 50 ms, but for calls that can't be cut short; the first
        assignment is always finished.
    callback : callable, optional
        Called with a :class:`~kmtoolkit.options.Snapshot` after each assignment; a true return value ends the fit.
    verify : bool
        Recompute F after every half-step and compare it with the books, and check that the labels of an exact
        assigner are the nearest centers; slow, for authors of strategies.
    threads : int, optional
        Most threads to use; by default the share of this fit in those that the process may use. The result is the
        same for any number.
    progress : bool
        Show a line on standard error while a long fit runs.
    on_interrupt : {"raise", "return"}
        What Ctrl-C does, between or inside half-steps: raise KeyboardInterrupt, or return the best result so far with
        ``Status.INTERRUPTED``, if there is one.

    Raises
    ------
    TypeError, ValueError
        If a parameter breaks its rule, a name is unknown, or strategies descend different objectives.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> solver = km.Solver(empty="split", tol=0, rng=0)
    >>> solver
    km.Solver(empty='split', tol=0, rng=0)
    >>> result = solver.fit([[1, 1], [1, 2], [2, 1], [5, 5], [5, 6], [6, 5]], 2)
    >>> round(result.objective, 6), result.status
    (2.666667, Status.FIXED_POINT)
    """

    init: Any = "k-means++"
    assign: Any = "auto"
    update: Any = "mean"
    empty: Any = "farthest"
    max_iter: int = field(default=300, kw_only=True)
    tol: float = field(default=1e-4, kw_only=True)
    n_init: int = field(default=1, kw_only=True)
    rng: Any = field(default=None, kw_only=True)
    max_seconds: float | None = field(default=None, kw_only=True)
    callback: Callable[[Snapshot], Any] | None = field(default=None, kw_only=True)
    verify: bool = field(default=False, kw_only=True)
    threads: int | None = field(default=None, kw_only=True)
    progress: bool = field(default=False, kw_only=True)
    on_interrupt: str = field(default="raise", kw_only=True)
    _parts: Parts = field(init=False)
    _objective: SquaredEuclidean = field(init=False)

    def __post_init__(self) -> None:
        if isinstance(self.init, (list, tuple, Result)) or hasattr(self.init, "__array__"):
            object.__setattr__(self, "init", Explicit(getattr(self.init, "centers", self.init)))
        object.__setattr__(self, "rng", as_seed(self.rng))
        check_options(self)
        updates = tuple(self.update) if isinstance(self.update, (list, tuple)) else (self.update,)
        if not updates:
            raise ValueError("update is empty; it must name at least one updater")
        parts = Parts(
            resolve("initializer", self.init), resolve("assigner", self.assign),
            tuple(resolve("updater", update) for update in updates), resolve("empty_handler", self.empty),
        )  # fmt: skip
        name = check_partners(parts.assign, parts.updates[0], (*parts.updates[1:], parts.init, parts.empty))
        soft = SOFT_OBJECTIVES.get(name)
        if name not in OBJECTIVES and soft is None:
            raise ValueError(f"{parts.assign} and {parts.updates[0]} descend the unknown objective {name!r}; "
                             f"known are {', '.join((*OBJECTIVES, *SOFT_OBJECTIVES))}")  # fmt: skip
        object.__setattr__(self, "_parts", parts)
        run = parts.assign.run
        object.__setattr__(self, "_objective", OBJECTIVES[name].of_assigner(run) if soft is None else soft.of(run))

    def fit(
        self, X: Any, k: int, *, sample_weight: Any = None, init_centers: Any = None, init_weights: Any = None,
        init_covariances: Any = None,
    ) -> Result:  # fmt: skip
        """Cluster the rows of X into k clusters.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Finite real numbers. Not modified.
        k : int
            Number of clusters, at most the number of rows of positive weight.
        sample_weight : array-like of shape (n,), optional
            A weight of w means w copies of the row; 0 means that the row is absent.
        init_centers : array-like of shape (k, d) or Result, optional
            Centers to start from instead of the initializer's; a Result is a warm start, of all parameters that the
            updaters of this Solver learn (of covariances, if they are of the same type).
        init_weights : array-like of shape (k,), optional
            Mixing weights to start from, of soft k-means and mixtures; 1 / k by default.
        init_covariances : array-like, optional
            Covariances to start a mixture from, shaped as in :class:`~kmtoolkit.MixtureResult`; by default that of
            the rows about the nearest center, all clusters together.

        Returns
        -------
        Result
            The best of the restarts.

        Raises
        ------
        TypeError, ValueError
            If an argument breaks its rule; the message names argument, value and rule.
        StrategyError
            If a strategy breaks its contract; DescentError if it raises the objective.
        EmptyClusterError
            If a cluster is empty and ``empty="error"``.
        """
        given = {"weights": init_weights, "covariances": init_covariances}
        return self._fit(admit(X, k, sample_weight), init_centers, given)

    def _fit(self, door: Door, init_centers: Any, given: dict[str, Any], scale: float | None = None) -> Result:
        """``fit`` behind the door; ``scale`` is what ``tol`` is relative to, if that is known."""
        limits = Limits(self.max_iter, self.max_seconds, self.callback, self.progress)
        self._check_columns(door.problem.X.shape[1])
        objective, door = self._objective.enter(door)
        centers = self.init.centers if isinstance(self.init, Explicit) else None
        start = self._given(init_centers, given, door)
        if init_centers is not None:
            centers = init_centers.centers if isinstance(init_centers, Result) else init_centers
        if centers is not None:
            start["centers"] = as_centers(centers, door.problem.k, door.problem.X.shape[1], door.largest)
            objective.check_centers(start["centers"])
        restarts = 1 if centers is not None else self.n_init
        logger.info("fit %d x %d, k=%d: %r", *door.problem.X.shape, door.problem.k, self)
        with sharing_threads(self.threads), interrupts(self.on_interrupt, limits), limits.showing(restarts):
            best, runs = self._descend(objective, door, start, restarts, limits, scale)
            ended = Status.TIME if runs[-1].status is Status.TIME else limits.ended
            result = _result(door, best, tuple(runs), ended, self._objective)
        if limits.interrupted and ended is not Status.CALLBACK:  # maybe after the last iteration
            result = replace(result, status=Status.INTERRUPTED, exact_fixed_point=False)
        return result

    def _given(self, init_centers: Any, given: dict[str, Any], door: Door) -> dict[str, np.ndarray]:
        """The parameters beside the centers to start from; a warm start has those that are learned."""
        learned = [name for part in self._parts.updates for name in part.row.writes if name in given]
        named = {name: as_numbers(value, f"init_{name}") for name, value in given.items() if value is not None}
        if isinstance(init_centers, SoftResult):
            kind = getattr(init_centers.objective_model, "covariance", None)
            if kind != getattr(self._objective, "covariance", None):
                learned = [name for name in learned if name != "covariances"]
            warm = {name: getattr(init_centers, name, None) for name in learned}
            named = {name: value for name, value in warm.items() if value is not None} | named
        if isinstance(self._objective, SoftObjective):
            return self._objective.admit(named, door.problem.k, door.problem.X.shape[1])
        if named:
            raise ValueError(f"init_{next(iter(named))} is given, but {self._objective.name} has centers only")
        return {}

    def _check_columns(self, columns: int) -> None:
        """Refuse X if it has more columns than one of the strategies takes."""
        for part in self._parts.all:
            most = part.row.columns
            if most is not None and columns > most:
                name = ROLES[part.row.role]
                raise ValueError(f"{part} takes {most} column{'s' if most > 1 else ''}, but X has {columns}; "
                                 f"use {name}={getattr(Solver, name)!r}")  # fmt: skip

    def _descend(
        self, objective: SquaredEuclidean, door: Door, start: dict[str, np.ndarray], restarts: int, limits: Limits,
        scale: float | None,
    ) -> tuple[Descent, list[Run]]:  # fmt: skip
        """The best of the restarts, and all that came to an assignment before a limit was reached."""
        root = as_root(self.rng)
        best: Descent | None = None
        runs: list[Run] = []
        still = -1.0
        if (self.tol and scale is None) or self.max_seconds is not None:
            with limits.measuring_a_pass():
                scale = objective.scale(door.problem, door.box)
        if self.tol and scale is not None:
            still = self.tol * scale
        with contextlib.suppress(Abandoned), watched(limits.look):
            for restart in range(restarts):
                if runs and limits.over():
                    break
                limits.restart = restart
                seed = copy_seed(root, skip=restart)  # its first restart is this one
                descent = Descent(self._parts, objective, door, seed, start, limits, still, self.verify)
                run = descent.run()
                logger.info("restart %d: objective %.10g, %d iterations, %s",
                            restart, run.objective, run.n_iter, run.status)  # fmt: skip
                runs.append(run)
                if best is None or descent.rank < best.rank:
                    best = descent
        assert best is not None
        return best, runs

    def __repr__(self) -> str:
        shown = ((f.name, getattr(self, f.name), f.default) for f in fields(self) if f.init)
        return "km.Solver(" + ", ".join(f"{n}={spell(v)}" for n, v, default in shown if not same(v, default)) + ")"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Solver):
            return NotImplemented
        return all(same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self) if f.init)

    def __hash__(self) -> int:
        return hash((self.max_iter, self.n_init, self.verify, self.threads))


def _result(
    door: Door, descent: Descent, runs: tuple[Run, ...], ended: Status | None, objective: SquaredEuclidean
) -> Result:
    """A finished restart as the caller's rows see it; ``ended`` is why there were no more of them."""
    books, state, data = descent.books, descent.books.state, descent.data
    labels = state.labels
    not_nearest = np.empty(0, np.int64) if descent.parts.assign.row.exact else books.not_nearest()
    if door.present is not None:
        labels = np.empty(len(door.X), np.int32)
        labels[door.present] = state.labels
        labels[~door.present] = books.label(read_only(door.X[~door.present]))
        not_nearest = np.flatnonzero(door.present)[not_nearest]
    kind: type[Result] = Result
    more: dict[str, Any] = {} if objective is OBJECTIVES.get(objective.name) else {"objective_model": objective}
    if isinstance(books, SoftBooks):
        kind, more = SoftResult, {"weights": books.state.weights, "objective_model": books.objective}
    if isinstance(books, SoftBooks) and isinstance(books.objective, GaussianMixture):
        kind, more = MixtureResult, {**more, **books.objective.facts(books.problem, books.state, data.objective)}
    return kind(
        centers=state.centers,
        labels=labels,
        objective=data.objective,
        n_iter=data.n_iter,
        status=ended or data.status,
        exact_fixed_point=descent.exact and ended is None,
        sizes=np.bincount(state.labels, minlength=len(state.centers)),
        cluster_objectives=descent.cluster_objectives,
        empty=np.flatnonzero(state.counts == 0),
        dropped=np.flatnonzero(np.bincount(books.kept, minlength=door.problem.k) == 0),
        not_nearest=not_nearest,
        trace=data.trace,
        runs=runs,
        best=next(i for i, run in enumerate(runs) if run is data),
        objective_name=books.objective.name,
        notes=descent.notes,
        **more,
    )
