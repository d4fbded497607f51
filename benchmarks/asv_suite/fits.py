"""The parts of a fit: an iteration, the seeding, prediction, a tiny fit, and peak memory."""

import numpy as np

import kmtoolkit as km

SHAPES = {"2d": (100_000, 2, 50), "16d": (50_000, 16, 64), "128d": (20_000, 128, 100)}  # rows, columns, k
ITERATIONS = 5


class Fits:
    """Timings over shapes and float types; what they compile is compiled in ``setup``."""

    params = (list(SHAPES), ["float32", "float64"])
    param_names = ("shape", "dtype")

    def setup(self, shape, dtype):
        """Draw clustered rows, and run everything once."""
        n, d, self.k = SHAPES[shape]
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(n, d)) + 3 * rng.normal(size=(self.k, d))[rng.integers(self.k, size=n)]
        self.X = rows.astype(dtype)
        self.start = self.X[: self.k].astype(np.float64)
        self.result = km.Solver(max_iter=1, rng=0).fit(self.X, self.k)
        self.result.predict(self.X)
        self.time_iteration(shape, dtype)

    def time_iteration(self, shape, dtype):
        """Five iterations of the dense assigner from given centers."""
        solver = km.Solver(assign="dense", tol=0, max_iter=ITERATIONS)
        solver.fit(self.X, self.k, init_centers=self.start)

    def time_seeding(self, shape, dtype):
        """k-means++ and the first iteration."""
        km.Solver(max_iter=1, rng=0).fit(self.X, self.k)

    def time_predict(self, shape, dtype):
        """Labels of all rows."""
        self.result.predict(self.X)

    def peakmem_fit(self, shape, dtype):
        """A fit of three iterations, and what ``setup`` holds."""
        km.Solver(max_iter=3, tol=0, rng=0).fit(self.X, self.k)


class TinyFits:
    """Fits whose rows cost nothing: what remains is the loop."""

    def setup(self):
        """Compile."""
        self.X = km.datasets.iris().X
        self.time_tiny_fit()

    def time_tiny_fit(self):
        """Iris, to the fixed point."""
        km.kmeans(self.X, 3, rng=0)
