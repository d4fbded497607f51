"""How exactly ``max_seconds`` and Ctrl-C are honored in the middle of long sweeps.

    python benchmarks/limits.py

The promise is 5 % of the limit, or 50 ms, once the first assignment is done. For Ctrl-C the time is that from the
signal to the result (``on_interrupt="return"``) or to KeyboardInterrupt.
"""

import os
import signal
import threading
import time

import numpy as np

import kmtoolkit as km

WORKLOADS = [(2_000_000, 8, 100), (5_000_000, 8, 50), (300_000, 64, 200)]  # rows, columns, k
SHARES = [0.55, 0.65, 0.75, 0.85, 0.95]  # of the time that four assignments take


def timed(solver, X, k, start):
    """Seconds of a fit, and its status."""
    began = time.perf_counter()
    try:
        status = solver.fit(X, k, init_centers=start).status
    except KeyboardInterrupt:
        status = "raised"
    return time.perf_counter() - began, status


def main():
    """Print the deviation from each limit."""
    rng = np.random.default_rng(0)
    for n, d, k in WORKLOADS:
        X = rng.normal(size=(n, d))
        start = X[:k]
        km.Solver(max_iter=1, tol=0).fit(X, k, init_centers=start)
        whole, _ = timed(km.Solver(max_iter=3, tol=0), X, k, start)
        print(f"\n{n} x {d}, k={k}: four assignments take {whole:.2f} s")
        for share in SHARES:
            limit = share * whole
            took, status = timed(km.Solver(tol=0, max_seconds=limit), X, k, start)
            print(f"  max_seconds={limit:.3f}: {1e3 * (took - limit):+7.1f} ms, {took / limit - 1:+6.1%}, {status}")
        for how in ("return", "raise"):
            delays = []
            for share in SHARES:
                pressed = []

                def press(pressed=pressed):
                    pressed.append(time.perf_counter())
                    os.kill(os.getpid(), signal.SIGINT)

                timer = threading.Timer(share * whole, press)
                timer.start()
                timed(km.Solver(tol=0, on_interrupt=how), X, k, start)
                delays.append(time.perf_counter() - pressed[0])
            print(f"  Ctrl-C, on_interrupt={how!r}: median {1e3 * np.median(delays):.1f} ms, "
                  f"longest {1e3 * max(delays):.1f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
