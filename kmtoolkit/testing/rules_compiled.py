"""Rules about compiled code: threads, compilation, and plain Python. The one file of the kit that names Numba."""

from dataclasses import replace
from typing import Any

import numpy as np
from numba.core import event

from kmtoolkit.kernels import jit
from kmtoolkit.registry import ROLES, Strategy
from kmtoolkit.testing.awkward import Case, zoo
from kmtoolkit.testing.harness import (
    ONE_CALL,
    Answer,
    Broken,
    answer,
    call,
    compare,
    judge_centers,
    rounding,
    settled,
    tied,
)  # fmt: skip
from kmtoolkit.testing.plain import ask, reference_to
from kmtoolkit.testing.rulebook import rule
from kmtoolkit.testing.rules_general import SAME

COMPILED = """
from numba.core import event

fit()
fit(X=X.astype(np.float32))
with event.install_recorder('numba:compile') as compiled:
    {second}
assert not compiled.buffer, compiled.buffer[0][1].data['dispatcher']
""".strip()

IN_PROCESS = """
compiled, plain = fit({options}), fit({argument}=strategy.py_func, {options})
assert np.array_equal(compiled.labels, plain.labels)
assert np.abs(compiled.centers - plain.centers).max() <= 1e-12 * np.abs(X).max()
""".strip()

IN_ANOTHER = """
from kmtoolkit import testing

testing.check_{role}(strategy, examples=0)
""".strip()


@rule(cases="big")
def same_bits_for_any_number_of_threads(strategy: Strategy, case: Case) -> None:
    """One thread and several give the same bits."""
    if jit.plain_python:
        return  # plain Python has one thread
    options: dict[str, Any] = {"max_iter": 5, "verify": False}
    if "labels" in strategy.row.writes:  # swaps of medoids take the square of the rows
        case = replace(case, X=case.X[:2000], sample_weight=case.problem.sample_weight[:2000])
    first = settled(strategy, case, threads=1, **options)
    most = jit.most_threads()
    for threads in sorted({min(2, most), min(3, most), most} - {1}):
        code = SAME.format(first=call(threads=1, **options), second=call(threads=threads, **options))
        compare(first, settled(strategy, case, threads=threads, **options), code, f"with {threads} threads")


@rule(cases="repaired")
def compiles_nothing_twice(strategy: Strategy, case: Case) -> None:
    """A later fit compiles nothing, whatever its shapes, layout and weights, if its rows have a dtype seen before."""
    for known in zoo():
        suited = known.suited(strategy.row)
        for dtype in (np.float32, np.float64):
            settled(strategy, suited, X=suited.X.astype(dtype))
    across = 3 if strategy.row.columns is None else 1
    variants: dict[str, dict[str, Any]] = {
        "X=np.asfortranarray(X)": {"X": np.asfortranarray(case.X)},
        "X=np.repeat(X, 2, axis=0)[::2]": {"X": np.repeat(case.X, 2, axis=0)[::2]},
        "X=X.astype(np.float32)": {"X": case.X.astype(np.float32)},
        "sample_weight=np.arange(len(X)) % 3": {"sample_weight": np.arange(len(case.X)) % 3},
        f"X=np.tile(X, (7, {across})), k=11, init_centers=None": {
            "X": np.tile(case.X, (7, across)),
            "k": 11,
            "init_centers": None,
        },
    }
    for spelt, variant in variants.items():
        with event.install_recorder("numba:compile") as compiled:
            settled(strategy, case, **variant)
        if compiled.buffer:
            name = compiled.buffer[0][1].data["dispatcher"].py_func.__qualname__
            raise Broken(f"{name} was compiled for fit({spelt})", COMPILED.format(second=f"fit({spelt})"))


@rule(cases="zoo")
def same_without_compilation(strategy: Strategy, case: Case) -> None:
    """Plain Python gives the answer of compiled code: the same labels, and the same centers but for rounding."""
    role, run = strategy.row.role, strategy.run
    if jit.plain_python:
        return
    if (reference := reference_to(run)) is not None:
        code, plain = IN_ANOTHER.format(role=role), ask(strategy.row, reference, case)
    elif hasattr(run, "py_func"):
        code = IN_PROCESS.format(options=call(**ONE_CALL[role])[4:-1], argument=ROLES[role])
        plain = answer(replace(strategy, run=run.py_func), case)
    else:
        return  # a strategy that is neither importable nor compiled itself can't be had without compilation
    result = settled(strategy, case, **ONE_CALL[role])
    compiled = None if result is None else Answer(result.labels, result.centers)
    if compiled is None or plain is None:
        if compiled is not plain:
            raise Broken("one of compiled and plain Python stops at an empty cluster", code)
        return
    rows = np.flatnonzero(compiled.labels != plain.labels)
    for i in rows if role in ("assigner", "empty_handler") else ():  # after an update or a start, rounding may decide
        if result is not None and tied(result, case.X, int(i), (int(compiled.labels[i]), int(plain.labels[i]))):
            continue
        raise Broken(f"row {i} has the label {compiled.labels[i]}, in plain Python {plain.labels[i]}", code)
    judge_centers(compiled.centers, plain.centers, rounding(case.X, compiled.centers), "in plain Python", code)
