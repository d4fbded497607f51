"""Strategies in plain Python: a second process with ``NUMBA_DISABLE_JIT=1`` that answers cases sent to it."""

import atexit
import contextlib
import os
import pickle
import subprocess
import sys
from importlib import import_module
from operator import attrgetter
from typing import Any, NamedTuple

from kmtoolkit.registry import Row, Strategy
from kmtoolkit.testing.awkward import Case
from kmtoolkit.testing.harness import Answer, answer, home

__all__ = ["Reference", "ask", "reference_to", "stop"]


class Reference(NamedTuple):
    """Where a strategy can be imported from, and the pickled object if it is an object of a class there."""

    module: str
    name: str
    pickled: bytes | None


def reference_to(run: Any) -> Reference | None:
    """How another process can import the strategy; None if it can't."""
    owner = run if hasattr(run, "__qualname__") else type(run)
    module, name = home(run), owner.__qualname__
    try:
        if module in ("", "__main__") or attrgetter(name)(import_module(module)) is not owner:
            return None
        return Reference(module, name, None if owner is run else pickle.dumps(run))
    except (ImportError, AttributeError, TypeError, pickle.PicklingError):
        return None


def ask(row: Row, reference: Reference, case: Case) -> Answer | None:
    """What one call of the strategy leads to in plain Python; raises what the strategy raises."""
    process = _process(reference)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        pickle.dump((row, reference, case), process.stdin)
        process.stdin.flush()
        reply = pickle.load(process.stdout)
    except (EOFError, OSError):
        stop()
        raise RuntimeError("the process with NUMBA_DISABLE_JIT=1 has ended; standard error says why") from None
    if isinstance(reply, Exception):
        raise reply
    return reply


_running: dict[str, subprocess.Popen[bytes]] = {}


def _process(reference: Reference) -> subprocess.Popen[bytes]:
    """The process for the strategies of a package; there is one at a time."""
    package = reference.module.partition(".")[0]
    if package not in _running:
        stop()
        environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        _running[package] = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
        )  # fmt: skip
    return _running[package]


@atexit.register
def stop() -> None:
    """End the process, if there is one."""
    while _running:
        process = _running.popitem()[1]
        process.communicate()  # closes its input, which ends it


def serve() -> None:
    """Answer cases from standard input until it ends."""
    replies, sys.stdout = sys.stdout.buffer, sys.stderr  # what a strategy prints is no reply
    with contextlib.suppress(EOFError):
        while True:
            row, reference, case = pickle.load(sys.stdin.buffer)
            try:
                reply: Any = answer(Strategy(row, _imported(reference)), case)
            except Exception as error:
                reply = RuntimeError(f"{type(error).__name__} in plain Python: {error}")
            pickle.dump(reply, replies)
            replies.flush()


def _imported(reference: Reference) -> Any:
    if reference.pickled is not None:
        return pickle.loads(reference.pickled)
    return attrgetter(reference.name)(import_module(reference.module))
