"""What a session pays before its first result: imports, and the first fit with an empty and a filled kernel cache.

    python benchmarks/startup.py

Each line is the median over processes, run in turn; the last column is the ratio to importing Numba alone.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 9
IMPORTS = {"python": "pass", "import numba": "import numba", "import kmtoolkit": "import kmtoolkit"}
FIT = "import kmtoolkit as km; km.kmeans(km.datasets.iris().X, 3, rng=0)"
BIG_FIT = "import numpy as np, kmtoolkit as km; km.kmeans(np.random.default_rng(0).random((50_000, 4)), 9, max_iter=1)"


def seconds(code, cache):
    """Wall time of a process that runs ``code``."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"NUMBA_CACHE_DIR": cache})
    return time.perf_counter() - began


def main():
    """Print one line per way to start."""
    with tempfile.TemporaryDirectory() as cache:
        cold = {name: [seconds(code, cache)] for name, code in (("first fit", FIT), ("first big fit", BIG_FIT))}
        warm = IMPORTS | {"fit, kernels from disk": FIT, "big fit, kernels from disk": BIG_FIT}
        times = {name: [] for name in warm}
        for _ in range(ROUNDS):
            for name, code in warm.items():
                times[name].append(seconds(code, cache))
    medians = {name: statistics.median(values) for name, values in (times | cold).items()}
    bare, numba = medians["python"], medians["import numba"]
    print(f"{'median of ' + str(ROUNDS):<28} {'seconds':>8} {'ratio':>6}")
    for name, value in medians.items():
        print(f"{name:<28} {value:>8.3f} {(value - bare) / (numba - bare):>6.2f}")


if __name__ == "__main__":
    main()
