"""The process that fits: ``python -m kmtoolkit.bench.worker`` reads requests, and answers with records.

Messages are pickled to standard input and from standard output; what strategies print goes to standard error.
"""

import os
import pickle
import queue
import sys
import threading
import time
import traceback
from typing import Any, BinaryIO

import numpy as np

from kmtoolkit.bench.entrants import Entrant
from kmtoolkit.bench.memory import limit_memory, peak_since
from kmtoolkit.kernels.jit import compiling
from kmtoolkit.pointwise import pointwise
from kmtoolkit.registry import Strategy, available
from kmtoolkit.solver import Solver

__all__ = ["Session", "main"]

TRIES = 3  # a fit during which something was compiled is not counted


class Timed:
    """An initializer that tells how long it took."""

    def __init__(self, run: Any) -> None:
        self.run, self.seconds = run, 0.0

    def under(self, objective: Any) -> Any:
        """Tell the initializer what to measure by, if it asks."""
        under = getattr(self.run, "under", None)
        self.run = under(objective) if callable(under) else self.run
        return self

    def __call__(self, problem: Any, rng: Any) -> Any:
        start = time.perf_counter()
        try:
            return self.run(problem, rng)
        finally:
            self.seconds += time.perf_counter() - start


class Session:
    """What a worker knows: who takes part, the options of fits, and the rows of the latest problem."""

    def __init__(self, entrants: list[Entrant], metrics: dict[str, Any], options: dict[str, Any]) -> None:
        self.entrants, self.metrics, self.options = entrants, metrics, options
        self.problem: Any = None

    def open(self, problem: Any) -> None:
        """Take up a problem; ``X`` and weights may be names of files."""
        load = {
            name: np.load(value)
            for name, value in problem.items()
            if name in ("X", "sample_weight", "classes") and value
        }
        self.problem = {**problem, **load}

    def run(self, index: int, seed: tuple[int, tuple[int, ...]]) -> dict[str, Any]:
        """One fit as a record; again if something was compiled meanwhile."""
        entrant = self.entrants[index]
        sequence = np.random.SeedSequence(seed[0], spawn_key=seed[1])
        fit = self.strategies if entrant.system is None else self.system
        tries = 0
        while tries < TRIES:
            tries += 1
            before = peak_since(None)
            with compiling() as compiled:
                record = fit(entrant, sequence)
            if not compiled:
                break
        return {**record, "tries": tries, "memory": peak_since(before)}

    def strategies(self, entrant: Entrant, seed: np.random.SeedSequence) -> dict[str, Any]:
        """Fit by four strategies."""
        parts, problem = entrant.parts, self.problem
        timed = Timed(parts["init"].run)
        solver = Solver(
            Strategy(parts["init"].row, timed),
            parts["assign"],
            parts["update"],
            parts["empty"],
            rng=seed,
            **self.options,
        )
        start = time.perf_counter()
        result = solver.fit(problem["X"], problem["k"], sample_weight=problem["sample_weight"])
        seconds = time.perf_counter() - start
        trace = result.trace
        took = np.diff(trace.seconds, prepend=0.0)
        took[0] -= timed.seconds
        stages = {
            f"seconds_{stage}": float(took[np.isin(trace.phase, phases)].sum()) for stage, phases in STAGES.items()
        }
        told = trace.distances[trace.distances >= 0]
        return {
            "status": result.status.name.lower(),
            "objective": result.objective,
            "iterations": result.n_iter,
            "seconds": seconds,
            "seconds_init": timed.seconds,
            **stages,
            "distances": int(told.sum()) if len(told) else None,
            "certified": trace.certified,
            "refused": int(trace.refused.sum()),
            "clusters": int((result.sizes > 0).sum()),
            "trace": [trace.seconds.tolist(), trace.objective.tolist(), trace.phase.tolist()],
            **self.measured(result),
        }

    def system(self, entrant: Entrant, seed: np.random.SeedSequence) -> dict[str, Any]:
        """Fit by a system from elsewhere, from the centers that strategies start from; judge its centers as ours."""
        problem, weight = self.problem, self.problem["sample_weight"]
        assert entrant.system is not None
        timed = Timed(entrant.parts["init"].run)
        first = Solver(
            Strategy(entrant.parts["init"].row, timed), max_iter=1, rng=seed, threads=self.options["threads"]
        )
        centers = first.fit(problem["X"], problem["k"], sample_weight=weight).runs[0].start
        given = {name: self.options[name] for name in ("max_iter", "tol", "threads")}
        start = time.perf_counter()
        found = entrant.system.fit(
            problem["X"],
            problem["k"],
            centers=centers,
            sample_weight=weight,
            seed=int(seed.generate_state(1)[0]),
            **given,
        )
        seconds = time.perf_counter() - start
        found, iterations = found if isinstance(found, tuple) else (found, None)
        judge = Solver(update=_stay, empty="keep", max_iter=1, tol=0, threads=self.options["threads"])
        result = judge.fit(problem["X"], problem["k"], sample_weight=weight, init_centers=found)
        return {
            "status": "ended",
            "objective": result.objective,
            "iterations": None if iterations is None else int(iterations),
            "seconds": seconds + timed.seconds,
            "seconds_init": timed.seconds,
            "certified": False,
            "clusters": int((result.sizes > 0).sum()),
            **self.measured(result),
        }

    def measured(self, result: Any) -> dict[str, float]:
        """The metrics that were asked for."""
        return {name: float(metric(result, self.problem)) for name, metric in self.metrics.items()}


STAGES = {"assign": ("init", "assign"), "repair": ("repair",), "update": ("update", "weights", "covariances")}


def _stay(problem: Any, state: Any) -> None:
    """Move no center."""


def main() -> None:
    """Answer until the other end closes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    inbox: queue.Queue = queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, inbox), daemon=True).start()
    session: Session | None = None
    while True:
        kind, content = inbox.get()
        try:
            if kind == "begin":
                memory, declared, rest = content
                limit_memory(memory)
                for name, (function, options) in declared.items():
                    if name not in available("assigner")["assigner"]:
                        pointwise(name, **options)(function)
                session, answer = Session(*pickle.loads(rest)), None
            elif kind == "broken":
                raise content
            elif kind == "open":
                answer = session.open(content)  # type: ignore[union-attr]
            else:
                answer = session.run(*content)  # type: ignore[union-attr]
        except MemoryError as error:
            answer = {"status": "memory", "message": f"MemoryError: {error}"}
        except BaseException as error:
            notes = "; ".join(getattr(error, "__notes__", ()))
            message = f"{type(error).__name__}: {error}" + (f" ({notes})" if notes else "")
            answer = {"status": "error", "message": message, "traceback": traceback.format_exc()}
        pickle.dump(answer, answers)
        answers.flush()


def _listen(stream: BinaryIO, inbox: queue.Queue) -> None:
    """Hand requests on; when there will be no more, end the process, whatever it is doing."""
    try:
        while True:
            inbox.put(pickle.load(stream))
    except EOFError:
        os._exit(0)
    except BaseException as error:  # what was sent can't be made here, as a module that is not found
        inbox.put(("broken", error))


if __name__ == "__main__":
    main()
