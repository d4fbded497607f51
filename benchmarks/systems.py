"""The systems in the race: how each is installed, and the process of its own that it runs in (Linux and macOS).

A process for each keeps thread pools, threading libraries and environments apart, and the race outlives a crash of one.
"""

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path

from workloads import CACHE

WORKER = Path(__file__).with_name("peer_worker.py")
THREAD_VARIABLES = ["OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMEXPR", "NUMBA"]


@dataclass(frozen=True)
class System:
    """A contestant: the function of the worker that runs it, what of it is run, and what pip installs for it."""

    name: str
    adapter: str
    variant: str
    module: str
    requirements: tuple[str, ...]
    only: str = ""  # the one experiment it takes part in
    changes: bool = False  # whether it may compile in later iterations, because it changes its method


SCIKIT_LEARN = ("sklearn", ("scikit-learn",))
FAISS = ("faiss", ("faiss-cpu",))
MLPACK = ("mlpack", ("mlpack", "pandas"))
SYSTEMS = [
    System("kmtoolkit", "kmtoolkit", "auto", "kmtoolkit", (), changes=True),
    System("kmtoolkit-dense", "kmtoolkit", "dense", "kmtoolkit", (), changes=True),
    System("sklearn-lloyd", "scikit_learn", "lloyd", *SCIKIT_LEARN),
    System("sklearn-elkan", "scikit_learn", "elkan", *SCIKIT_LEARN),
    System("faiss", "faiss", "RANDOM", *FAISS),
    System("faiss-kmeans++", "faiss", "KMEANS_PLUS_PLUS", *FAISS, only="solve"),
    System("faiss-super", "faiss", "SUPER", *FAISS, only="solve"),
    System("sklearnex", "intelex", "lloyd", "sklearnex", ("scikit-learn-intelex",)),
    System("mlpack-hamerly", "mlpack", "hamerly", *MLPACK),
    System("mlpack-pelleg-moore", "mlpack", "pelleg-moore", *MLPACK),
]
OURS, DENSE = SYSTEMS[0].name, SYSTEMS[1].name
PEERS = [system.name for system in SYSTEMS[2:]]


def python_of(system):
    """An interpreter that can import the system: this one, or that of an environment made for it once."""
    if importlib.util.find_spec(system.module) is not None:
        return Path(sys.executable)
    folder = CACHE / "environments" / system.module
    python = folder / "bin" / "python"
    if not system.requirements:
        raise OSError("is not installed")
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "numpy", *system.requirements]
        told = subprocess.run(install, capture_output=True, text=True)
        if told.returncode:
            raise OSError(f"could not be installed: {(told.stderr.strip().splitlines() or ['?'])[-1]}")
        (folder / "installed").touch()
    return python


def pin(threads):
    """Let this process, about to become a worker, use the first processors only; some pools obey nothing else."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


class Worker:
    """A process that runs one system, asked over a pipe; killed when an answer takes too long, started when needed."""

    def __init__(self, system, threads, log):
        self.system, self.threads, self.log = system, threads, log
        self.python = python_of(system)
        self.process = None
        self.pipe = None

    def start(self):
        """Start the process."""
        self.pipe, theirs = Pipe()
        variables = {f"{library}_NUM_THREADS": str(self.threads) for library in THREAD_VARIABLES}
        self.process = subprocess.Popen(
            [str(self.python), str(WORKER), str(theirs.fileno()), self.system.adapter, self.system.variant],
            env=os.environ | variables,
            pass_fds=[theirs.fileno()],
            preexec_fn=lambda: pin(self.threads),
            stdout=self.log,
            stderr=self.log,
        )
        theirs.close()  # so that the end of the process is seen here

    def ask(self, limit, **request):
        """What the worker answers; ``{"failure": why}`` if it does not, and then the process is gone."""
        if self.process is None:
            self.start()
        try:
            self.pipe.send(request)
            if self.pipe.poll(limit):
                return self.pipe.recv()
            failure = f"over {limit:.0f} s"
        except (EOFError, OSError):
            self.process.wait()
            failure = f"ended with code {self.process.returncode}"
        self.stop()
        return {"failure": failure}

    def stop(self):
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.pipe.close()
            self.process = None
