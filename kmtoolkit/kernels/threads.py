"""How many threads a sweep may use, and which kind of them is safe here.

Compiled ``prange`` loops start in a few microseconds, but not everywhere: GNU OpenMP ends a process that was forked
after its threads had been launched, and Numba's ``workqueue`` aborts when two threads use it at once. In these places
sweeps run on Python threads instead; kernels release the GIL.
"""

import contextlib
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from kmtoolkit.kernels import jit

__all__ = ["on_python_threads", "prange_is_safe", "sharing_threads", "without_prange", "workers"]

_limit: ContextVar[int | None] = ContextVar("limit", default=None)
_avoid_prange: ContextVar[bool] = ContextVar("avoid_prange", default=False)
_fits: set[object] = set()  # what runs in this process now, and shares its threads


def _may_be_forked() -> bool:
    """Whether this process may be a fork of its parent: it then has the same command line. Unknown counts as yes."""
    try:
        own, parents = (Path(f"/proc/{process}/cmdline").read_bytes() for process in ("self", os.getppid()))
    except OSError:
        return hasattr(os, "fork")
    return own == parents


_forked = jit.layer() is not None and _may_be_forked()  # by others, before this package was imported


def _after_fork() -> None:
    global _forked
    _forked = jit.layer() is not None
    _fits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def sharing_threads(threads: int | None) -> Iterator[None]:
    """Run a fit with at most ``threads`` threads, strategies included.

    None stands for an equal share of those that the process may use.
    """
    fit, before = object(), _limit.get()
    most = None if threads is None else min(threads, jit.most_threads())
    try:
        _fits.add(fit)
        _limit.set(most)
        with contextlib.nullcontext() if most is None or jit.launch() is None else jit.threads_of_numba(most):
            yield
    finally:
        _fits.discard(fit)
        _limit.set(before)


def workers() -> int:
    """How many threads a sweep may use now, the calling one included."""
    if jit.plain_python or sys.is_finalizing():  # then no thread can be started
        return 1
    return _limit.get() or max(min(jit.current_threads(), _limit_of_others) // max(len(_fits), 1), 1)


def prange_is_safe() -> bool:
    """Whether compiled parallel loops can run here; launches Numba's threads if that has not been done."""
    return not _avoid_prange.get() and not _forked and jit.launch() not in (None, "workqueue")


@contextlib.contextmanager
def without_prange() -> Iterator[None]:
    """Let sweeps of this thread run on Python threads, as if nothing else were safe here; no loop is compiled then."""
    before = _avoid_prange.set(True)
    try:
        yield
    finally:
        _avoid_prange.reset(before)


def on_python_threads(chunk: Callable[..., None], lo: Any, hi: Any, args: tuple, threads: int) -> None:
    """Run ``chunk`` for each t on so many threads, the calling one included; the first exception is raised again."""
    errors: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for t in range(first, len(lo), threads):
                chunk(lo[t], hi[t], t, *args)
        except BaseException as error:  # of any kind, raised below for the caller
            errors.append(error)

    helpers = []
    for first in range(1, threads):
        helper = threading.Thread(target=work, args=(first,))
        try:
            helper.start()
        except RuntimeError:  # no more threads, because of a limit or because Python is about to exit
            work(first)
        else:
            helpers.append(helper)
    work(0)
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]


def _cpu_quota(file: str = "/sys/fs/cgroup/cpu.max") -> int:
    """The processors a container may keep busy."""
    try:
        quota, period = Path(file).read_text().split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no container, or "max"
        return sys.maxsize


def _find_limit_of_others() -> int:
    """The limit that other libraries go by, as in Dask's workers; NUMBA_NUM_THREADS comes before it."""
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if os.environ.get("NUMBA_NUM_THREADS"):
        return sys.maxsize
    return min(max(int(told), 1) if told.isdigit() else sys.maxsize, _cpu_quota())


_limit_of_others = _find_limit_of_others()
