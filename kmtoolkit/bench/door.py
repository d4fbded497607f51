"""The door of benchmarks: arguments are checked before the first run, which may be hours before the last."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kmtoolkit.bench.comparison import Comparison, check_file, machine
from kmtoolkit.bench.entrants import System, entrants
from kmtoolkit.bench.journal import Journal
from kmtoolkit.bench.memory import physical
from kmtoolkit.bench.problems import as_problem
from kmtoolkit.bench.schedule import Plan, carry_out
from kmtoolkit.errors import check_int, check_real
from kmtoolkit.kernels.jit import most_threads
from kmtoolkit.progress import Progress

__all__ = ["compare"]


def compare(
    strategies: Mapping[str, Any],
    problems: Iterable[Any],
    *,
    repeats: int = 5,
    metrics: Mapping[str, Callable[[Any, Any], float]] | None = None,
    systems: Iterable[System] = (),
    max_iter: int = 300,
    tol: float = 1e-4,
    seconds: float = 60.0,
    memory: float | None = None,
    threads: int | None = None,
    rng: int = 0,
    checkpoint: Any = None,
    save: Any = (),
    progress: bool = False,
    command: str | None = None,
) -> Comparison:
    """Compare every combination of strategies that fits together, on every problem, by the same starts.

    Runs are interleaved and shuffled. They take place in a worker process whose threads are pinned and whose kernels
    are compiled; it is killed and replaced when a run doesn't end, and a run that fails is recorded, not raised.

    Parameters
    ----------
    strategies : dict
        Lists of strategies by ``"init"``, ``"assign"``, ``"update"``, ``"empty"``: names, configured strategies or
        functions. What is left out is the Solver's default.
    problems : iterable
        Each a :class:`Problem`, ``(name, X, k)``, the name of one in :mod:`kmtoolkit.bench.problems`, or a dict such
        as ``{"problem": "blobs", "n": 1000, "k": 5}`` or ``{"file": "rows.csv", "k": 5}``.
    repeats : int
        How many starts each problem has; all who share an initializer share them.
    metrics : dict of callables, optional
        ``metric(result, problem)`` of a name, a number; ``problem`` is a dict of ``name, X, k, sample_weight`` and
        ``classes``.
    systems : iterable of System
        Systems from elsewhere, which get the starts of each initializer.
    max_iter, tol : int, float
        As of the Solver.
    seconds : float
        Limit of a fit, which ends with what it has; one that doesn't heed it is killed after half as much again.
    memory : float, optional
        Most bytes that a worker may have; nine tenths of the machine's by default (on Linux).
    threads : int, optional
        Threads of a fit; all by default.
    rng : int
        Another number, other starts and another order.
    checkpoint : path, optional
        A file to which every run is added as it ends; a comparison of the same goes on from there.
    save : path or list of paths
        Where the comparison is saved (:meth:`Comparison.save`); whether that is possible is found out at once.
    progress : bool
        Show on standard error which run it is, and how long the rest may take.
    command : str, optional
        What runs this comparison again, for the report.

    Returns
    -------
    Comparison
        Records of all runs.

    Raises
    ------
    TypeError, ValueError, OSError
        If arguments are not what they must be, nothing fits together, or a file can't be written; before any run.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> found = km.bench.compare({"init": ["k-means++", "random"]}, ["iris"], repeats=2, threads=1)
    >>> found
    <Comparison of 2 entrants on 1 problems: 4 runs, 0 failed>
    """
    files = [check_file(file) for file in ([save] if isinstance(save, (str, os.PathLike)) else save)]
    for name, value, least in (("repeats", repeats, 1), ("rng", rng, 0), ("max_iter", max_iter, 1)):
        check_int(name, value, least)
    if threads is not None:
        check_int("threads", threads, 1)
    check_real("seconds", seconds, above=True)
    check_real("tol", tol)
    if memory is not None:
        check_real("memory", memory, above=True)
    elif (most := physical()) is not None:
        memory = 0.9 * most
    found, misfits = entrants(strategies, systems)
    posed = [as_problem(spec) for spec in ([problems] if isinstance(problems, (str, Mapping)) else problems)]
    if not posed:
        raise ValueError("problems is empty; give at least one")
    names = [problem.name for problem in posed]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two problems are called {name!r}; give each a name of its own")
    for name, metric in (metrics or {}).items():
        if not callable(metric):
            raise TypeError(f"metrics[{name!r}] is {metric!r}; it must be a function of (result, problem)")
    options = {"max_iter": max_iter, "tol": tol, "max_seconds": float(seconds), "threads": threads or most_threads()}
    plan = Plan(found, posed, repeats, dict(metrics or {}), options, None if memory is None else int(memory), rng)

    header = {
        "machine": machine(), "options": options, "repeats": repeats, "rng": rng, "metrics": list(plan.metrics),
        "command": command,
        "problems": {p.name: {"n": len(p.X), "d": p.X.shape[1], "k": p.k, "best": p.best, **p.makes} for p in posed},
    }  # fmt: skip
    journal = None if checkpoint is None else Journal(checkpoint, plan.fingerprint())
    records: list[dict[str, Any]] = [] if journal is None else journal.records
    line = Progress(progress)
    try:
        carry_out(plan, list(records), records.append if journal is None else journal.add, line.say)
    finally:
        line.close()
        if journal is not None:
            journal.close()
    comparison = Comparison(records, misfits, header)
    comparison.save(*files)
    return comparison
