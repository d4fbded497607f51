"""What a Solver is given besides its strategies: checked, seeded, spelt, and watched during a fit."""

import contextlib
import copy
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from kmtoolkit.errors import check_int, check_real
from kmtoolkit.initializers.explicit import Explicit
from kmtoolkit.kernels.grid import watched
from kmtoolkit.problem import SoftState, State
from kmtoolkit.progress import Progress
from kmtoolkit.result import Status

__all__ = [
    "Abandoned", "Limits", "Snapshot", "as_root", "as_seed", "check_options", "copy_seed", "interrupts", "next_child",
    "same", "spell",
]  # fmt: skip

CLOSING_SHARE = 0.05  # the most of max_seconds that is kept for the end
DEFAULT_POOL = np.random.SeedSequence(0).pool_size


class Snapshot(NamedTuple):
    """What a callback sees after each settled assignment; the arrays are read-only views of the running fit.

    Attributes
    ----------
    restart : int
        Number of the restart, from 0.
    n_iter : int
        Updates done in it.
    objective : float
        F, provisional: the result's trace is exact.
    centers : ndarray of shape (k, d), float64
        The centers.
    labels : ndarray of shape (n,), int32
        The labels of the rows of positive weight.
    seconds : float
        Time since the start of the fit.
    """

    restart: int
    n_iter: int
    objective: float
    centers: np.ndarray
    labels: np.ndarray
    seconds: float


class Abandoned(BaseException):
    """A half-step was left unfinished, because time is over or Ctrl-C was pressed; not an error to be handled."""


class Limits:
    """What may end a fit before it has converged, and who is told how far it is."""

    def __init__(
        self,
        max_iter: int,
        max_seconds: float | None,
        callback: Callable[[Snapshot], Any] | None,
        progress: bool,
    ) -> None:
        self.max_iter, self.max_seconds, self.callback = max_iter, max_seconds, callback
        self.display = Progress(progress)
        self.start, self.restart, self.interrupted = time.perf_counter(), 0, False
        self.ended: Status | None = None  # why the fit ends, restarts and all
        self.closing = 0.0  # seconds kept for computing the objective of what is returned
        self.settled = False  # whether there is an assignment to return yet

    def reached(self, n_iter: int, objective: float, state: State | SoftState) -> Status | None:
        """The limit that is reached after iteration ``n_iter``, if any."""
        seconds = time.perf_counter() - self.start
        self.display.update(self.restart, n_iter, objective)
        asked = False
        if self.callback is not None:
            with watched(None):  # what the callback calls is not to be abandoned
                asked = self.callback(Snapshot(self.restart, n_iter, objective, state.centers, state.labels, seconds))
        if asked:
            self.ended = Status.CALLBACK
        elif self.interrupted:
            self.ended = Status.INTERRUPTED
        elif self.out_of_time():
            return Status.TIME
        return self.ended or (Status.MAX_ITER if n_iter >= self.max_iter else None)

    def look(self) -> None:
        """Between slices of a sweep: raise Abandoned if the fit must end here, and there is something to return."""
        if self.settled and self.over():
            raise Abandoned

    def over(self) -> bool:
        """Whether the fit must end; ``ended`` then says why."""
        if self.ended is None and self.interrupted:
            self.ended = Status.INTERRUPTED
        if self.ended is None and self.out_of_time():
            self.ended = Status.TIME
        return self.ended is not None

    def out_of_time(self) -> bool:
        """Whether max_seconds are over."""
        return self.max_seconds is not None and time.perf_counter() - self.start >= self.max_seconds - self.closing

    @contextlib.contextmanager
    def measuring_a_pass(self) -> Iterator[None]:
        """Learn from what is done here, a pass over the rows, how long the last pass of the fit will take."""
        began = time.perf_counter()
        yield
        if self.max_seconds is not None:
            self.closing = min(time.perf_counter() - began, CLOSING_SHARE * self.max_seconds)

    @contextlib.contextmanager
    def showing(self, restarts: int) -> Iterator[None]:
        """Show the progress through so many restarts, and take the line away at the end."""
        self.display.restarts = restarts
        try:
            yield
        finally:
            self.display.close()


@contextlib.contextmanager
def interrupts(on_interrupt: str, limits: Limits) -> Iterator[None]:
    """Turn Ctrl-C into ``limits.interrupted`` if it is to return a result and there is one; a second one raises."""
    before = signal.getsignal(signal.SIGINT)
    foreign = before in (None, signal.SIG_IGN)  # another language's handler can't be put back, nohup's is meant
    if on_interrupt == "raise" or foreign or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_signal: Any) -> None:
        if limits.interrupted or not limits.settled:
            signal.signal(signal.SIGINT, before)
            raise KeyboardInterrupt
        limits.interrupted = True

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def check_options(options: Any) -> None:
    """Check the options of a Solver; raises TypeError or ValueError naming option, value and rule."""
    check_int("max_iter", options.max_iter, 0)
    check_int("n_init", options.n_init, 1)
    check_real("tol", options.tol)
    if options.max_seconds is not None:
        check_real("max_seconds", options.max_seconds)
    if options.threads is not None:
        check_int("threads", options.threads, 1)
    if options.callback is not None and not callable(options.callback):
        raise TypeError(f"callback is {options.callback!r}; it must be callable, or None")
    for name in ("verify", "progress"):
        if not isinstance(getattr(options, name), bool):
            raise TypeError(f"{name} is {getattr(options, name)!r}; it must be True or False")
    if options.on_interrupt not in ("raise", "return"):
        raise ValueError(f"on_interrupt is {options.on_interrupt!r}; it must be 'raise' or 'return'")


def as_seed(rng: Any) -> int | np.random.SeedSequence | None:
    """An rng argument as something that fitting can't change: None, an int, or a SeedSequence of its own."""
    if rng is None:
        return None
    if isinstance(rng, np.random.SeedSequence):
        return copy_seed(rng)
    if isinstance(rng, np.random.Generator):  # the copy's position in its stream counts, and the original stays put
        return np.random.SeedSequence(copy.deepcopy(rng).integers(0, 2**32, size=4, dtype=np.uint32).tolist())
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer)):
        raise TypeError(
            f"rng is {rng!r} of type {type(rng).__name__}; it must be None, an int, a SeedSequence or a Generator"
        )
    if rng < 0:
        raise ValueError(f"rng is {rng}; a seed must not be negative")
    return int(rng)


def as_root(seed: int | np.random.SeedSequence | None) -> np.random.SeedSequence:
    """What ``as_seed`` returned, as a SeedSequence."""
    return seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)


def copy_seed(seed: np.random.SeedSequence, skip: int = 0) -> np.random.SeedSequence:
    """A copy of a SeedSequence that has spawned ``skip`` more children."""
    return np.random.SeedSequence(
        seed.entropy,
        spawn_key=seed.spawn_key,
        pool_size=seed.pool_size,
        n_children_spawned=seed.n_children_spawned + skip,
    )


def next_child(seed: np.random.SeedSequence) -> np.random.SeedSequence:
    """The child that seed would spawn next, without spawning it."""
    key = *seed.spawn_key, seed.n_children_spawned
    return np.random.SeedSequence(seed.entropy, spawn_key=key, pool_size=seed.pool_size)


def same(a: Any, b: Any) -> bool:
    """Whether two options are equal; SeedSequences by their contents."""
    if isinstance(a, np.random.SeedSequence) and isinstance(b, np.random.SeedSequence):
        return spell(a) == spell(b)
    numbers = (int, float, np.integer, np.floating)
    if isinstance(a, numbers) and isinstance(b, numbers) and isinstance(a, bool) == isinstance(b, bool):
        return bool(a == b)
    try:
        return a is b or (type(a) is type(b) and bool(a == b))
    except ValueError:  # a strategy that compares its arrays entry by entry
        return False


def spell(value: Any) -> str:
    """The code that makes an option, given ``import kmtoolkit as km`` and ``import numpy as np``."""
    if isinstance(value, Explicit):
        return f"np.array({value.centers.tolist()})"
    if isinstance(value, np.random.SeedSequence):
        rest = {"spawn_key": value.spawn_key, "n_children_spawned": value.n_children_spawned}
        rest["pool_size"] = value.pool_size if value.pool_size != DEFAULT_POOL else 0
        entropy = value.entropy if isinstance(value.entropy, (int, type(None))) else [int(e) for e in value.entropy]
        arguments = [repr(entropy), *(f"{name}={given}" for name, given in rest.items() if given)]
        return f"np.random.SeedSequence({', '.join(arguments)})"
    home = getattr(value, "__module__", None) or ""
    name = value.__qualname__ if callable(value) and hasattr(value, "__qualname__") else repr(value)
    return f"km.{home.split('.')[1]}.{name}" if home.startswith("kmtoolkit.") else name
