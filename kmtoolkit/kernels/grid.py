"""The fixed grid: how rows are cut into chunks, and how the chunks are run.

The grid depends on the amount of work only, never on the number of threads. Each chunk owns what it writes, and
partial results are merged in a fixed binary tree (``arithmetic.merge_pairs``). Together they give the same bits for
any number of threads of any kind.
"""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from kmtoolkit.kernels.jit import jit, parallel_jit, prange, threads_of_numba
from kmtoolkit.kernels.threads import on_python_threads, prange_is_safe, workers

__all__ = ["OPERATIONS_PER_SLICE", "Grid", "cut", "look", "sweep", "watched"]

MAX_CHUNKS = 64
OPERATIONS_PER_CHUNK = 1 << 15  # below this, starting a chunk costs more than it saves
OPERATIONS_PER_SLICE = 1 << 24  # some milliseconds, after which the clock and Ctrl-C are looked at

_watch: ContextVar[Callable[[], None] | None] = ContextVar("watch", default=None)


class Grid(NamedTuple):
    """Rows cut into chunks; the chunks advance together, slice by slice."""

    rows: int
    chunks: int  # at least 1
    slices: int

    @property
    def bounds(self) -> np.ndarray:
        """Where chunks begin and end, (chunks + 1,) int64."""
        return np.arange(self.chunks + 1, dtype=np.int64) * self.rows // self.chunks


def cut(rows: int, operations: int, most: int = MAX_CHUNKS, together: int = 0) -> Grid:
    """Cut ``rows`` rows of ``operations`` each into ``most`` chunks or fewer.

    If a number of rows works best ``together``, slices are no thinner than so many rows of each chunk.
    """
    work = rows * operations
    chunks = max(min(work // OPERATIONS_PER_CHUNK, rows, most, MAX_CHUNKS), 1)
    slices = 1 + work // OPERATIONS_PER_SLICE
    if together:
        slices = max(min(slices, rows // (chunks * together)), 1)
    return Grid(rows, chunks, slices)


@contextlib.contextmanager
def watched(look: Callable[[], None] | None) -> Iterator[None]:
    """Call ``look()`` after each slice of a sweep that this thread runs; what it raises ends the sweep."""
    before = _watch.set(look)
    try:
        yield
    finally:
        _watch.reset(before)


def look() -> None:
    """What a sweep does after each slice; for loops that are no sweeps."""
    if (watch := _watch.get()) is not None:
        watch()


class sweep:
    """A chunk body, and the three ways to run it over a grid: on this thread, by ``prange``, on Python threads.

    Parameters
    ----------
    body : function
        ``body(lo, hi, t, *args)`` does rows lo to hi, which belong to chunk t. It is called for one slice after
        the other, so it adds to what it owns, and may own only what is its rows' or chunk t's.
    """

    def __init__(self, body: Callable[..., None]) -> None:
        functools.update_wrapper(self, body)
        _check_parameters(body)
        self.body, self.chunk = body, jit(body)

    @functools.cached_property
    def parallel(self) -> Callable[..., None]:
        """The parallel loop, made when it is first needed: imports are quicker without."""
        return parallel_jit(_loop_over_chunks(self.body, self.chunk), self.body)

    def __call__(self, grid: Grid, *args: Any) -> None:
        if grid.chunks == grid.slices == 1:  # a problem so small that bounds and threads would cost more than it
            self.chunk(0, grid.rows, 0, *args)
            look()
            return
        bounds, slices = grid.bounds, grid.slices
        lo, hi = bounds[:-1], bounds[1:]
        for s in range(slices):
            if slices == 1:
                self._run(lo, hi, args)
            else:
                self._run(lo + (hi - lo) * s // slices, lo + (hi - lo) * (s + 1) // slices, args)
            look()

    def _run(self, lo: np.ndarray, hi: np.ndarray, args: tuple) -> None:
        """Run rows lo[t] to hi[t] of each chunk t."""
        threads = min(workers(), len(lo))
        if threads == 1:
            for t in range(len(lo)):
                self.chunk(lo[t], hi[t], t, *args)
        elif prange_is_safe():
            with threads_of_numba(threads):
                self.parallel(lo, hi, *args)
        else:
            on_python_threads(self.chunk, lo, hi, args, threads)


def _check_parameters(body: Callable[..., None]) -> None:
    """Refuse what no parallel loop can be written for."""
    parameters = inspect.signature(body).parameters.values()
    if len(parameters) < 3 or any(
        p.kind is not p.POSITIONAL_OR_KEYWORD or p.default is not p.empty for p in parameters
    ):
        raise ValueError(f"{body.__qualname__} takes {inspect.signature(body)}; a sweep takes plain (lo, hi, t, ...)")


def _loop_over_chunks(body: Callable[..., None], chunk: Callable[..., None]) -> Callable[..., None]:
    """The parallel loop over chunks, spelt out for the arguments of ``body``.

    Numba can neither pass on ``*args`` that hold records, nor cache a function that closes over a kernel; so the loop
    is written for each body, and finds its kernel as a global.
    """
    arguments = ", ".join(list(inspect.signature(body).parameters)[3:])
    source = (
        f"def by_prange(_lo, _hi, {arguments}):\n"
        f"    for _t in _prange(_len(_lo)):\n"
        f"        _chunk(_lo[_t], _hi[_t], _int64(_t), {arguments})\n"
    )
    space: dict[str, Any] = {"_prange": prange, "_len": len, "_int64": np.int64, "_chunk": chunk}
    exec(compile(source, body.__code__.co_filename, "exec"), space | {"__name__": body.__module__}, space)
    loop = space["by_prange"]
    loop.__qualname__ = f"{body.__qualname__}.by_prange"
    return loop
