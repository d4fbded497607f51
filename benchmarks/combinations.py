"""What a comparison costs, and how stable it is: 4 initializers × 6 assigners × 3 handlers on six problems.

    python benchmarks/combinations.py [--systems] [--html report.html]

Two comparisons of other seeds: their seconds, those of the fits in them, and Kendall's τ between their rankings. Then
the overhead: the seconds of a comparison for each second of its fits. ``--systems`` has scikit-learn, oneDAL and faiss
take part, as far as they are installed.
"""

import argparse
import importlib.util
import time
from typing import Any

import adapters
import numpy as np
from scipy.stats import kendalltau

import kmtoolkit as km
from kmtoolkit.bench.analysis import median_interval
from kmtoolkit.bench.entrants import entrants

STRATEGIES = {
    "init": ["k-means++", "random", "maxmin", "kmeans-parallel"],
    "assign": ["dense", "hamerly", "elkan", "yinyang", "exponion", "tree"],
    "empty": ["farthest", "split", "random"],
}
PROBLEMS: list[Any] = [
    "iris", "old-faithful", {"problem": "blobs", "n": 5000}, {"problem": "overlapping", "n": 5000},
    {"problem": "duplicates", "n": 5000}, {"problem": "mixed-scales", "n": 5000},
]  # fmt: skip
REPEATS = 5


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", action="store_true")
    parser.add_argument("--html")
    given = parser.parse_args()
    homes = {"sklearn": adapters.SCIKIT_LEARN, "sklearnex": adapters.ONEDAL, "faiss": adapters.FAISS}
    systems = [system for home, system in homes.items() if given.systems and importlib.util.find_spec(home)]
    found = []
    for seed in (0, 1):
        start = time.perf_counter()
        files = [given.html] if given.html and not seed else []
        found.append(
            km.bench.compare(
                STRATEGIES, PROBLEMS, repeats=REPEATS, rng=seed, systems=systems, save=files, progress=True
            )
        )
        seconds = time.perf_counter() - start
        fits = sum(r.get("seconds", 0.0) for r in found[-1].records)
        print(f"comparison {seed}: {found[-1]!r}, {seconds:.0f} s; fits that count took {fits:.0f} s")
    for what in ("objective", "time to 1%", "seconds"):
        ranks = [dict(each.ranking(what)) for each in found]
        tau = kendalltau([ranks[0][name] for name in ranks[0]], [ranks[1][name] for name in ranks[0]]).statistic
        print(f"Kendall's tau of the rankings by {what}: {tau:.3f}")
    for name, area in found[0].ranking()[:8]:
        print(f"  {area:.3f}  {name}")
    overhead()


def overhead() -> None:
    """Seconds of a comparison, beyond its start, for each second of the same fits in a loop."""
    problem = km.bench.problems.overlapping(n=50_000, d=16, k=50)
    grid = {"init": ["k-means++", "random"], "assign": ["dense", "hamerly", "yinyang"]}
    ratios = []
    for seed in range(5):
        few, many = (spent(grid, problem, repeats, seed) for repeats in (1, 4))
        parts = [entrant.parts for entrant in entrants(grid, [])[0]]
        start = time.perf_counter()
        for _ in range(3):
            for each in parts:
                km.Solver(each["init"], each["assign"], rng=np.random.SeedSequence(seed)).fit(problem.X, problem.k)
        bare = time.perf_counter() - start
        fits = sum(r["seconds"] for r in many[1].records) - sum(r["seconds"] for r in few[1].records)
        ratios.append((many[0] - few[0]) / fits)
        print(
            f"three more repeats took {many[0] - few[0]:.2f} s, their fits {fits:.2f} s; as many in a loop {bare:.2f} s"
        )
    middle, low, high = median_interval(ratios)
    print(f"seconds of a comparison for each second of its fits: {middle:.3f} ({low:.3f} to {high:.3f})")


def spent(grid: dict[str, Any], problem: Any, repeats: int, seed: int) -> tuple[float, Any]:
    """Seconds, and the comparison."""
    start = time.perf_counter()
    found = km.bench.compare(grid, [problem], repeats=repeats, rng=seed)
    return time.perf_counter() - start, found


if __name__ == "__main__":
    main()
