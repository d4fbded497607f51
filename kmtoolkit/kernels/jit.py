"""How kernels are compiled: the only module that names ``numba.njit``.

Kernels are cached on disk, release the GIL and follow IEEE arithmetic: no fast-math, because a re-associated
sum changes ties, and ties decide labels.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numba
from numba.core.caching import NullCache

from kmtoolkit.kernels.cache import disk_cache

__all__ = [
    "COMPILED", "compiling", "current_threads", "does_not_compile", "inlined", "inlined_unstored", "jit", "launch",
    "layer", "most_threads", "parallel_jit", "plain_python", "prange", "threads_of_numba",
]  # fmt: skip

prange = numba.prange
plain_python: bool = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
COMPILED: list[Any] = []  # every kernel, in order of definition


def _compile(function: Callable, cache: Any, **flags: Any) -> Callable:
    kernel = numba.njit(nogil=True, error_model="numpy", **flags)(function)
    if not plain_python:
        kernel._cache = cache
        COMPILED.append(kernel)
    return kernel


def jit(function: Callable) -> Callable:
    """Compile a kernel that runs on the calling thread."""
    return _compile(function, disk_cache(function))


def inlined(function: Callable) -> Callable:
    """Compile a short kernel that is copied into those that call it; for few columns a call takes longer."""
    return _compile(function, disk_cache(function), forceinline=True)


def inlined_unstored(function: Callable) -> Callable:
    """The same for a function that others are stored with, so that it need not be stored itself."""
    return _compile(function, NullCache(), forceinline=True)


def parallel_jit(function: Callable, body: Callable) -> Callable:
    """Compile a kernel whose ``prange`` loops run in parallel; it was generated from ``body``, and cached as such."""
    return _compile(function, disk_cache(body, ".parallel"), parallel=True)


def does_not_compile(error: BaseException) -> bool:
    """Whether an exception comes from the compiler, and not from what was compiled."""
    return isinstance(error, numba.core.errors.NumbaError)


@contextlib.contextmanager
def compiling() -> Iterator[list[Any]]:
    """What Numba compiles or loads meanwhile, whoever wrote it: a list that is empty if there was nothing."""
    with numba.core.event.install_recorder("numba:compiler_lock") as recorder:
        yield recorder.buffer


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


@contextlib.contextmanager
def threads_of_numba(threads: int) -> Iterator[None]:
    """Let Numba use ``threads`` threads for what this thread calls inside a ``with`` block."""
    before = numba.get_num_threads()
    try:
        if threads != before:
            numba.set_num_threads(threads)
        yield
    finally:
        numba.set_num_threads(before)
