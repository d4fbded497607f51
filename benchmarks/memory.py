"""Whether memory stays flat over many fits in one process (Linux).

    python benchmarks/memory.py [FITS]

Prints the resident memory along the way, and the slope of the second half by least squares.
"""

import os
import sys
from pathlib import Path

import numpy as np

import kmtoolkit as km


def resident():
    """Resident memory of this process in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main():
    """Fit again and again."""
    fits = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    X = np.random.default_rng(0).normal(size=(9_000, 5))
    start = np.vstack([X[:6], np.full((2, 5), 50.0)])
    sizes = []
    for i in range(fits):
        km.Solver(rng=i, max_iter=5, tol=0).fit(X, 8)
        km.Solver(max_iter=5, tol=0).fit(X, 8, init_centers=start).predict(X)
        sizes.append(resident())
        if i % (fits // 10) == 0:
            print(f"after {i + 1:>5} fits: {sizes[-1]:8.2f} MiB", file=sys.stderr)
    late = np.array(sizes[fits // 2 :])
    slope = np.polyfit(np.arange(len(late)), late, 1)[0]
    print(f"slope over the last {len(late)} fits: {1024 * slope:+.4f} KiB per fit")


if __name__ == "__main__":
    main()
