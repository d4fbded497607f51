"""Python code in a process of its own, because threads, forks, signals and caches are properties of a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

HANGS = 900  # seconds; far more than any of them takes on the slowest machine

FIT = """
import hashlib
import numpy as np
import kmtoolkit as km

def digest(threads=None, dtype=np.float64, rng=0, **options):
    '''Every bit of a fit whose sweeps are cut into many chunks, and that repairs empty clusters.'''
    X = np.random.default_rng(rng).normal(size=(9_000, 5)).astype(dtype)
    w = np.random.default_rng(1).random(len(X))
    start = np.vstack([X[:12], np.full((2, 5), 50.0)])
    solver = km.Solver(rng=0, tol=0, max_iter=12, threads=threads, **options)
    seeded, result = solver.fit(X, 14, sample_weight=w), solver.fit(X, 14, sample_weight=w, init_centers=start)
    parts = [a for r in (seeded, result) for a in (r.centers, r.labels, r.trace.objective, r.trace.drop)]
    assert "repair" in result.trace.phase
    return hashlib.sha256(b"".join(a.tobytes() for a in parts)).hexdigest()
"""


def python(code, *, where=None, **environment):
    """What ``code`` prints as JSON on its last line; its exit must be clean and standard error empty.

    The environment is this process's, with the given variables; None takes one away.
    """
    given = {name: str(value) for name, value in (os.environ | environment).items() if value is not None}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", "-c", code],  # it forks
        capture_output=True, text=True, cwd=where, env=given, timeout=HANGS,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, ""), f"exit {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return json.loads(ran.stdout.splitlines()[-1])


def layer(name):
    """The environment that makes Numba use one threading layer, and no other."""
    environment = {"NUMBA_THREADING_LAYER": name}
    library = Path(sys.prefix, "lib")
    if name == "tbb" and any(library.glob("libtbb.so*")):  # where pip puts it, the loader does not look
        environment["LD_LIBRARY_PATH"] = str(library)
    return environment
