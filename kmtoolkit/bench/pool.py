"""A worker process that is killed and replaced when it takes too long, or dies."""

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from typing import Any

from kmtoolkit.bench.transport import by_value

__all__ = ["Pool", "Silent"]

START_SECONDS = 120.0  # to import everything, on a slow disk


class Silent(Exception):
    """No answer came: the worker took too long, or it is dead."""


class Pool:
    """One worker at a time, which has been told ``opening`` and whatever else was sent with ``keep``."""

    def __init__(self, opening: Any, threads: int) -> None:
        self.opening, self.threads = by_value(("begin", opening)), threads
        self.kept: bytes | None = None
        self.process: subprocess.Popen | None = None
        self.answers: queue.Queue = queue.Queue()
        self.started = 0

    def ask(self, request: Any, seconds: float, *, keep: bool = False) -> Any:
        """The answer to a request; Silent if there is none in time, after which the worker is gone."""
        message = by_value(request)
        if self.process is None:
            self.start()
        if keep:
            self.kept = message
        return self.exchange(message, seconds)

    def start(self) -> None:
        """Start a worker, and tell it what the one before had been told."""
        self.started += 1
        many = str(self.threads)
        pinned = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                                "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS"), many)  # fmt: skip
        environment = {**os.environ, **pinned, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kmtoolkit.bench.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=environment, start_new_session=True,
        )  # fmt: skip
        self.answers = queue.Queue()
        threading.Thread(target=_read, args=(self.process.stdout, self.answers), daemon=True).start()
        for message in filter(None, (self.opening, self.kept)):
            answer = self.exchange(message, START_SECONDS)
            if isinstance(answer, dict) and "traceback" in answer:
                self.close()
                raise RuntimeError(f"a worker process can't begin: {answer['message']}\n{answer['traceback']}")

    def exchange(self, message: bytes, seconds: float) -> Any:
        """Send a message, and wait for the answer."""
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(message)
            self.process.stdin.flush()
            alive, answer = self.answers.get(timeout=seconds)
        except queue.Empty:
            self.close()
            raise Silent("timeout", f"no answer in {seconds:.0f} seconds; the process was killed") from None
        except OSError:
            alive = False
        if not alive:
            code = self.process.wait()
            self.close()
            why = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            raise Silent("died", f"the process ended ({why})")
        return answer

    def close(self) -> None:
        """Kill the worker, and what it has started."""
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
        for stream in filter(None, (process.stdin, process.stdout)):
            with contextlib.suppress(OSError):  # a message that nobody has read
                stream.close()


def _read(stream: Any, answers: queue.Queue) -> None:
    """Hand on what the worker answers, and its end."""
    try:
        while True:
            answers.put((True, pickle.load(stream)))
    except (EOFError, OSError, pickle.UnpicklingError):
        answers.put((False, None))
