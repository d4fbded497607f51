"""Fits for a range of k, and what each criterion says about them."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from kmtoolkit.errors import check_choice, check_int
from kmtoolkit.options import as_root, as_seed
from kmtoolkit.problem import Door, admit
from kmtoolkit.progress import Progress
from kmtoolkit.result import Result, Status
from kmtoolkit.selection.checkpoint import Checkpoint
from kmtoolkit.selection.choice import Choice, Scores, decide
from kmtoolkit.selection.criteria import CRITERIA, Criterion
from kmtoolkit.selection.nulls import null_paths
from kmtoolkit.selection.path import Path, fits, kmeans_solver
from kmtoolkit.selection.table import summary

__all__ = ["Sweep", "sweep"]

FEW_ROWS = 20_000  # beyond which a summary leaves out what takes O(n²) time
PROBE_ROWS = 1 << 12  # that are looked at first, to see whether as many as k of them are different
TOL = 1e-2  # each fit starts near a minimum, and the next one goes on from where it ends


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """The fits of a range of k, each with its certificate, and what criteria say about them.

    Attributes
    ----------
    ks : tuple of int
        Numbers of clusters, rising.
    results : tuple of Result
        The fit for each k; ``sweep[k]`` is that for k.
    references : int
        How many data sets without clusters, of each of two kinds, criteria are held against.
    reference_rows : int
        The most rows that these have.
    """

    ks: tuple[int, ...]
    results: tuple[Result, ...]
    references: int
    reference_rows: int
    _path: Path
    _door: Door
    _n_init: int
    _progress: bool
    _known: dict[Criterion, Choice] = field(default_factory=dict)

    @property
    def objective(self) -> np.ndarray:
        """F for each k, (m,) float64; it never rises with k."""
        return self._path.objective

    def __getitem__(self, k: int) -> Result:
        """The fit for k; KeyError if there is none."""
        if k not in self.ks:
            raise KeyError(f"k = {k} was not fitted; ks are {', '.join(map(str, self.ks))}")
        return self.results[self.ks.index(k)]

    def choose(self, criterion: str | Criterion) -> Choice:
        """What a criterion says about k: a number of clusters, or that it finds none.

        Parameters
        ----------
        criterion : str or Criterion
            A name in ``km.selection.CRITERIA``, or a criterion of one's own.

        Returns
        -------
        Choice
            The k, or None, the reason, and the values for all ks.

        Raises
        ------
        ValueError
            If the criterion is unknown.

        Examples
        --------
        >>> import kmtoolkit as km
        >>> sweep = km.selection.sweep(km.datasets.old_faithful().X, range(1, 8), rng=0)
        >>> sweep.choose("silhouette").k
        2
        """
        if not isinstance(criterion, Criterion):
            check_choice("criterion", criterion, tuple(CRITERIA))
            criterion = CRITERIA[criterion]
        if criterion not in self._known:
            self._known[criterion] = self._judge(criterion)
        return self._known[criterion]

    def summary(self, criteria: Iterable[str | Criterion] | None = None) -> str:
        """The criteria side by side: a row for each k, a column for each criterion, and what each says.

        Parameters
        ----------
        criteria : iterable of str or Criterion, optional
            Which; by default all, beyond 20 000 rows all but ``silhouette``, which takes O(n²) time.

        Returns
        -------
        str
            A table. A star is at the k that a criterion names; - stands for what is undefined.

        Raises
        ------
        ValueError
            If a criterion is unknown.

        Examples
        --------
        >>> import kmtoolkit as km
        >>> sweep = km.selection.sweep(km.datasets.old_faithful().X, range(1, 6), rng=0)
        >>> print(sweep.summary(["elbow", "calinski-harabasz"]))  # doctest: +ELLIPSIS
           k      objective      elbow         CH
        ...
        """
        left_out = criteria is None and len(self._path.X) > FEW_ROWS
        if criteria is None:
            criteria = [name for name in CRITERIA if not (left_out and name == "silhouette")]
        asked = [self.choose(each) for each in criteria]
        if not asked:
            raise ValueError("criteria is empty; name some, such as ['elbow'], or leave it out for all")
        notes = ["silhouette is left out: it takes O(n² d) time; name it to have it"] if left_out else []
        return summary(self.ks, self.objective, asked, notes)

    def extended(self, ks: Iterable[int]) -> "Sweep":
        """The same with larger ks, which are fitted as if they had been asked for at once.

        Parameters
        ----------
        ks : iterable of int
            Rising numbers of clusters, above those that there are. A checkpoint is not added to; ``sweep`` does that.

        Returns
        -------
        Sweep
            A new one; this one stays as it is.

        Raises
        ------
        TypeError, ValueError
            If ks break their rule.

        Examples
        --------
        >>> import kmtoolkit as km
        >>> sweep = km.selection.sweep(km.datasets.old_faithful().X, range(1, 4), rng=0)
        >>> sweep.extended([4, 5]).ks
        (1, 2, 3, 4, 5)
        """
        path, more = self._path, check_ks(ks)
        if more[0] <= self.ks[-1]:
            raise ValueError(f"ks go on with {more[0]}, after {self.ks[-1]}; they must be above those that there are")
        check_rows(path.X, more[-1])
        return _run(self, (*self.ks, *more), dict(zip(self.ks, path.results, strict=True)), None)

    def __repr__(self) -> str:
        n, d = self._path.X.shape
        ends = f"{self.ks[0]}" if len(self.ks) == 1 else f"{self.ks[0]} to {self.ks[-1]}"
        return f"<Sweep: k = {ends}, {len(self.ks)} fits of {n} rows x {d} columns>"

    @cached_property
    def _nulls(self) -> list[Path]:
        """Paths of data without clusters."""
        display, nulls = Progress(self._progress), []
        for null in null_paths(self._path, self.reference_rows, self.references):
            nulls.append(null)
            display.say(f"data without clusters: {len(nulls)} of {2 * self.references}")
        display.close()
        return nulls

    def _judge(self, criterion: Criterion) -> Choice:
        """Score the fits, and data without clusters, and decide."""
        nulls, most = self._nulls, np.full(len(self.ks), -np.inf)
        of = criterion.measure(self._path, nulls)
        if not isinstance(of, Scores):
            raise TypeError(f"the measure of criterion {criterion.name!r} returned {of!r}; it must return "
                            "km.selection.scores(path, values)")  # fmt: skip
        for null in nulls:
            reached = criterion.measure(null, nulls).evidence
            most[: len(reached)] = np.fmax(most[: len(reached)], reached)
        most[np.isneginf(most)] = np.inf  # what can't be compared can't win
        k, reason = decide(self.ks, of, most, criterion.margin, criterion.floor)
        perfect = self._path.perfect
        if k is not None and perfect is not None and np.isnan(of.scores[self.ks.index(perfect)]):
            k, reason = None, f"F is 0 from k = {perfect} on, where it is undefined"
        return Choice(criterion, k, reason, self.ks, of.values, of.low, of.evidence, most, of.reasons)


def sweep(
    X: Any, ks: Iterable[int], *, sample_weight: Any = None, n_init: int = 0, rng: Any = None, references: int = 10,
    reference_rows: int = 1000, checkpoint: Any = None, progress: bool = False, **options: Any,
) -> Sweep:  # fmt: skip
    """Fit X by k-means for a range of k, each fit grown from the one before.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Finite real numbers. Criteria are computed when they are asked for: do not change X before.
    ks : iterable of int
        Rising numbers of clusters, such as ``range(1, 13)``; at most as many as X has different rows.
    sample_weight : array-like of shape (n,), optional
        A weight of w means w copies of the row.
    n_init : int
        Fresh starts for each k beside the grown one; the best of all is kept.
    rng : None, int, SeedSequence or Generator
        Source of randomness. Fresh starts for all ks share their seeds.
    references : int
        How many data sets without clusters, of each of two kinds, criteria are held against.
    reference_rows : int
        The most rows that these have.
    checkpoint : path, optional
        A file that each fit is added to as it is done, and taken from if it is there already: an interrupted sweep goes
        on where it stopped. It holds pickles: use only files that you trust.
    progress : bool
        Show a line on standard error while it takes long.
    **options
        Parameters of :class:`~kmtoolkit.Solver`, such as ``tol``, which is 1e-2 here, ``init``, ``assign``,
        ``max_iter``. Time limits are for each fit; ``on_interrupt="return"`` keeps the fits before the one that was
        interrupted, if there are any.

    Returns
    -------
    Sweep
        The fits, and what criteria say about them, which is computed when it is asked for.

    Raises
    ------
    TypeError, ValueError
        If an argument breaks its rule, such as ks that do not rise, or exceed the different rows.

    Notes
    -----
    F never rises with k: a fit starts from the centers of the one before and further ones, drawn as k-means++ draws
    them. Each result has its own certificate. O(n) memory for each k.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> sweep = km.selection.sweep(km.datasets.old_faithful().X, range(1, 8), rng=0)
    >>> sweep
    <Sweep: k = 1 to 7, 7 fits of 272 rows x 2 columns>
    >>> sweep[2].trace.is_monotone, [sweep.choose(name).k for name in ("elbow", "gap", "bic")]
    (True, [2, 2, 2])
    """
    wanted = check_ks(ks)
    check_int("n_init", n_init, 0)
    check_int("references", references, 2)
    check_int("reference_rows", reference_rows, 10)
    solver = kmeans_solver({"tol": TOL} | options)
    door = admit(X, wanted[-1], sample_weight)
    rows, weights, _ = door.problem
    check_rows(rows, wanted[-1])
    root = as_root(as_seed(rng))
    stored = None
    if checkpoint is not None:
        stored = Checkpoint(checkpoint, (rows, weights), f"{solver!r} {n_init}", None if rng is None else root)
        root = stored.begin(root, wanted)
    path = Path(rows, weights, (), (), root, solver)
    empty = Sweep((), (), references, reference_rows, path, door, n_init, progress)
    return _run(empty, wanted, {} if stored is None else stored.results, stored)


def _run(begun: Sweep, ks: tuple[int, ...], known: dict[int, Result], stored: Checkpoint | None) -> Sweep:
    """Fit what is not known yet; Ctrl-C with ``on_interrupt="return"`` ends it with the fits that are done."""
    path, display, results = begun._path, Progress(begun._progress), []
    try:
        for k, result in fits(begun._door, ks, path.solver, path.seed, n_init=begun._n_init, known=known):
            if result.status is Status.INTERRUPTED:
                break
            if stored is not None and k not in known:
                stored.add(k, result)
            results.append(result)
            display.say(f"k = {k}, {len(results)} of {len(ks)} fits, objective {result.objective:.6g}")
    finally:
        display.close()
    if not results:
        raise KeyboardInterrupt
    path = replace(path, ks=ks[: len(results)], results=tuple(results))
    shown = tuple(_of_all_rows(result, begun._door) for result in results)
    return replace(begun, ks=path.ks, results=shown, _path=path, _known={})


def _of_all_rows(result: Result, door: Door) -> Result:
    """The result with labels for rows of weight 0 too."""
    if door.present is None:
        return result
    labels = np.empty(len(door.X), np.int32)
    labels[door.present], labels[~door.present] = result.labels, result.predict(door.X[~door.present])
    return replace(result, labels=labels, not_nearest=np.flatnonzero(door.present)[result.not_nearest])


def check_ks(ks: Any) -> tuple[int, ...]:
    """Numbers of clusters, rising; raises TypeError or ValueError."""
    try:
        wanted = list(ks)
    except TypeError:
        raise TypeError(f"ks is {ks!r}; it must be several numbers of clusters, such as range(1, 11)") from None
    if not wanted:
        raise ValueError("ks is empty; it must have at least one number of clusters, such as range(1, 11)")
    for k in wanted:
        check_int("ks has an entry that", k, 1)
    for before, after in itertools.pairwise(wanted):
        if after <= before:
            raise ValueError(f"ks has {after} after {before}; they must rise, without repetition")
    return tuple(map(int, wanted))


def check_rows(X: np.ndarray, k: int) -> None:
    """Refuse more clusters than different rows."""
    if k <= 1 or len(np.unique(X[: max(PROBE_ROWS, 4 * k)], axis=0)) >= k:
        return
    different = len(np.unique(X, axis=0))
    if k > different:
        raise ValueError(f"ks go up to {k}, but X has only {different} different rows of positive weight; "
                         f"end with {different} or less")  # fmt: skip
