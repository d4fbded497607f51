"""How kernels are compiled: the only module that names ``numba.njit``.

Kernels are cached on disk, release the GIL and follow IEEE arithmetic: no fast-math, because a re-associated
sum changes ties, and ties decide labels.
"""

from collections.abc import Callable
from typing import Any

import numba

from kmtoolkit.kernels.cache import disk_cache

__all__ = [
    "COMPILED", "current_threads", "jit", "launch", "layer", "most_threads", "parallel_jit", "plain_python", "prange",
    "threads_of_numba",
]  # fmt: skip

prange = numba.prange
plain_python: bool = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
COMPILED: list[Any] = []  # every kernel, in order of definition


def _compile(function: Callable, **flags: Any) -> Callable:
    kernel = numba.njit(nogil=True, error_model="numpy", **flags)(function)
    if not plain_python:
        kernel._cache = disk_cache(function)
        COMPILED.append(kernel)
    return kernel


def jit(function: Callable) -> Callable:
    """Compile a kernel that runs on the calling thread."""
    return _compile(function)


def parallel_jit(function: Callable) -> Callable:
    """Compile a kernel whose ``prange`` loops run in parallel."""
    return _compile(function, parallel=True)


def layer() -> str | None:
    """The threading layer that Numba has launched in this process, or in one it was forked from; None before that."""
    try:
        return str(numba.threading_layer())
    except ValueError:
        return None


def launch() -> str | None:
    """Launch Numba's threads if that has not been done, and return their layer; None if no layer can be loaded."""
    try:
        numba.get_num_threads()
    except (ValueError, ImportError):
        return None
    return layer()


def most_threads() -> int:
    """As many threads as Numba may ever use."""
    return int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def current_threads() -> int:
    """As many threads as Numba may use now on behalf of this one; launches none."""
    return most_threads() if layer() is None else int(numba.get_num_threads())


class threads_of_numba:
    """Let Numba use ``threads`` threads for what this thread calls inside a ``with`` block."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def __enter__(self) -> None:
        self.before = numba.get_num_threads()
        numba.set_num_threads(self.threads)

    def __exit__(self, *exc_info: object) -> None:
        numba.set_num_threads(self.before)
