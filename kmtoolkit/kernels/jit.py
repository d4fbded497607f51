"""How kernels are compiled: the only module that names ``numba.njit``.

Kernels are cached on disk, release the GIL and follow IEEE arithmetic: no fast-math, because a re-associated
sum changes ties, and ties decide labels. Numba checks only the file of a kernel for changes, not the files of
the functions it calls and of the records it takes, so each cache entry also carries a fingerprint of them all.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

__all__ = ["jit", "parallel_jit", "prange", "thread_limit"]

prange = numba.prange


def _fingerprint() -> str:
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for source in (package / "problem.py", *sorted((package / "kernels").glob("*.py"))):
        digest.update(source.relative_to(package).as_posix().encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


FINGERPRINT = _fingerprint()


def _compile(function: Callable, **flags: Any) -> Callable:
    flags = {"nogil": True, "error_model": "numpy", **flags}
    try:
        kernel = numba.njit(cache=True, **flags)(function)
    except RuntimeError:  # no place to cache: a read-only installation without a home directory
        return numba.njit(**flags)(function)
    cache_file = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
    if cache_file is not None:
        cache_file._source_stamp = (cache_file._source_stamp, FINGERPRINT)
    return kernel


def jit(function: Callable) -> Callable:
    """Compile a kernel that runs on the calling thread."""
    return _compile(function)


def parallel_jit(function: Callable) -> Callable:
    """Compile a kernel whose ``prange`` loops run over chunks of rows in parallel."""
    return _compile(function, parallel=True)


class thread_limit:
    """Let kernels use at most ``threads`` threads inside a ``with`` block; None leaves the setting alone."""

    def __init__(self, threads: int | None) -> None:
        self.threads = threads

    def __enter__(self) -> None:
        self.before = numba.get_num_threads()
        if self.threads is not None:
            most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
            numba.set_num_threads(min(self.threads, most))

    def __exit__(self, *exc_info: object) -> None:
        numba.set_num_threads(self.before)
