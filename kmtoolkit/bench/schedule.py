"""The runs of a comparison, one after another: who, on what, from which seed, and what came of it."""

import contextlib
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kmtoolkit.bench.entrants import Entrant
from kmtoolkit.bench.pool import Pool, Silent
from kmtoolkit.bench.problems import Problem
from kmtoolkit.bench.transport import by_value
from kmtoolkit.pointwise import PointwiseAssigner

__all__ = ["Plan", "carry_out", "order_of_runs"]

COMPILE_SECONDS = 90.0  # for the first run of an entrant in a worker, on top of the limit
SLACK, SLACK_SECONDS = 1.5, 5.0  # a fit that doesn't heed the clock is killed after this many times the limit, and more
LOST = ("timeout", "died", "memory")  # after which an entrant isn't tried on the problem again


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    entrants: list[Entrant]
    problems: list[Problem]
    repeats: int
    metrics: dict[str, Any]
    options: dict[str, Any]  # of fits: max_iter, tol, max_seconds, threads
    memory: int | None
    entropy: int

    @property
    def total(self) -> int:
        """How many runs there are."""
        return len(self.entrants) * len(self.problems) * self.repeats

    def fingerprint(self) -> str:
        """What must be the same for runs to be of one comparison."""
        return repr(
            (
                [(e.labels, e.objective) for e in self.entrants],
                [(p.name, p.key) for p in self.problems],
                self.repeats,
                sorted(self.metrics),
                sorted(self.options.items()),
                self.memory,
                self.entropy,
            )
        )


def order_of_runs(plan: Plan) -> Iterator[tuple[int, int, int]]:
    """(repeat, problem, entrant): every repeat is whole before the next, and shuffled in itself."""
    shuffle = np.random.default_rng([plan.entropy, 1])
    for repeat in range(plan.repeats):
        for problem in shuffle.permutation(len(plan.problems)):
            for entrant in shuffle.permutation(len(plan.entrants)):
                yield repeat, int(problem), int(entrant)


def carry_out(
    plan: Plan, done: list[dict[str, Any]], add: Callable[[dict[str, Any]], None], say: Callable[[str], None]
) -> None:
    """Run what is not done, and add a record for each run."""
    known = {(r["problem"], r["repeat"], r["entrant"]) for r in done}
    lost = {(r["problem"], r["entrant"]): r["status"] for r in done if r["status"] in LOST}
    # What declares objectives goes before the strategies that descend them, which are looked up where they arrive.
    runs = [part.run for entrant in plan.entrants for part in entrant.parts.values()]
    declared = {run.divergence.name: run.declaration for run in runs if isinstance(run, PointwiseAssigner)}
    rest = by_value((plan.entrants, plan.metrics, plan.options))
    pool = Pool((plan.memory, declared, rest), plan.options["threads"])
    with contextlib.closing(pool), tempfile.TemporaryDirectory() as folder:
        rows = [_stored(problem, Path(folder), i) for i, problem in enumerate(plan.problems)]
        warm: set[tuple[int, int, np.dtype]] = set()
        opened: tuple[int, int] | None = None
        count, began = len(known), time.perf_counter()
        for repeat, at, who in order_of_runs(plan):
            problem, entrant = plan.problems[at], plan.entrants[who]
            head = {
                "problem": problem.name,
                "repeat": repeat,
                "entrant": entrant.name,
                **entrant.labels,
                "objective_name": entrant.objective,
            }
            if (problem.name, repeat, entrant.name) in known:
                continue
            count += 1
            left = _left(time.perf_counter() - began, count - len(known), plan.total - count)
            say(f"run {count} of {plan.total}, {left}: {entrant.name} on {problem.name}")
            before = lost.get((problem.name, entrant.name))
            if before is not None:
                add({**head, "status": "skipped", "message": f"not tried again after {before}"})
                continue
            seed = plan.entropy, (zlib.crc32(problem.name.encode()), repeat)
            try:
                if opened != (pool.started, at) or pool.process is None:
                    pool.ask(("open", rows[at]), COMPILE_SECONDS, keep=True)
                    opened = pool.started, at
                first = (pool.started, who, problem.X.dtype) not in warm
                warm.add((pool.started, who, problem.X.dtype))
                limit = SLACK * plan.options["max_seconds"] + SLACK_SECONDS
                answer = pool.ask(("run", (who, seed)), limit + first * (COMPILE_SECONDS + limit))
            except Silent as silence:
                answer = {"status": silence.args[0], "message": silence.args[1]}
            if answer["status"] in LOST:
                pool.close()
                lost[problem.name, entrant.name] = answer["status"]
            add({**head, **answer})


def _stored(problem: Problem, folder: Path, number: int) -> dict[str, Any]:
    """Rows and weights in files, where workers find them."""
    names: dict[str, Any] = {}
    for kind in ("X", "sample_weight", "classes"):
        array = getattr(problem, kind)
        names[kind] = None if array is None else str(folder / f"{number}-{kind}.npy")
        if array is not None:
            np.save(names[kind], array)
    return {"name": problem.name, "k": problem.k, **names}


def _left(spent: float, runs: int, rest: int) -> str:
    """Time left, as far as can be said."""
    if runs < 3:
        return "time left unknown"
    seconds = spent / (runs - 1) * (rest + 1)
    return f"about {seconds:.0f} s left" if seconds < 120 else f"about {seconds / 60:.0f} min left"
