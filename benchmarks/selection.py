"""Choosing k: what criteria say about blobs and about nothing, silhouettes and sweeps beside their peers.

python benchmarks/selection.py [--draws 200] [--parts answers abstention silhouettes sweeps]
"""

import argparse
import time
from collections import Counter

import numpy as np
from sklearn.metrics import silhouette_samples

import kmtoolkit as km
from kmtoolkit.kernels.silhouettes import silhouettes
from kmtoolkit.kernels.threads import sharing_threads

REST = 0.1  # seconds, in which threads fall asleep
CRITERIA = tuple(km.selection.CRITERIA)
SHORT = " | ".join(criterion.short for criterion in km.selection.CRITERIA.values())


def blobs(k, n, d, rng, apart):
    """Rows about k centers that are at least ``apart`` standard deviations from each other."""
    centers, side = [], 1.3 * apart * k ** (1 / d)
    while len(centers) < k:
        center = rng.random(d) * side
        if all(np.linalg.norm(center - other) >= apart for other in centers):
            centers.append(center)
        else:
            side *= 1.01
    return np.array(centers)[rng.integers(k, size=n)] + rng.normal(size=(n, d))


def answers(draws):
    """How often each criterion finds k, and in brackets another k."""
    print(f"| blobs | {SHORT} |\n|---|{'---:|' * len(CRITERIA)}")
    rng = np.random.default_rng(1)
    for k in range(2, 13):
        right, wrong = Counter(), Counter()
        for seed in range(draws):
            sweep = km.selection.sweep(blobs(k, 500, 2, rng, 8.0), range(1, 16), rng=seed)
            for name in CRITERIA:
                answer = sweep.choose(name).k
                right[name] += answer == k
                wrong[name] += answer not in (k, None)
        shown = (f"{right[name]}" + (f" ({wrong[name]})" if wrong[name] else "") for name in CRITERIA)
        print(f"| k = {k}, {draws} draws | {' | '.join(shown)} |", flush=True)


def abstention(draws):
    """How often each criterion finds no clusters where there are none, in percent; kneed beside them if installed."""
    try:
        from kneed import KneeLocator
    except ImportError:
        KneeLocator = None
    print(f"| no clusters | {SHORT} | kneed |\n|---|{'---:|' * (len(CRITERIA) + 1)}")
    for name, make in (("uniform square", lambda rng: rng.random((300, 2))), ("one normal", normal)):
        none, peer, rng = Counter(), Counter(), np.random.default_rng(2)
        for seed in range(draws):
            sweep = km.selection.sweep(make(rng), range(1, 11), rng=seed)
            for criterion in CRITERIA:
                none[criterion] += sweep.choose(criterion).k is None
            if KneeLocator is not None:
                peer[KneeLocator(sweep.ks, sweep.objective, curve="convex", direction="decreasing").knee] += 1
        shown = " | ".join(f"{100 * none[criterion] / draws:.1f}" for criterion in CRITERIA)
        theirs = ", ".join(f"k = {k}: {100 * many / draws:.0f}" for k, many in peer.most_common(3)) or "not installed"
        print(f"| {name}, {draws} draws | {shown} | {theirs} |", flush=True)


def normal(rng):
    """One round normal cluster."""
    return rng.normal(size=(300, 2))


def timed(contestants, rounds):
    """Median seconds of functions that take turns, and what they returned last."""
    times, found = {name: [] for name in contestants}, {}
    for turn in range(-1, rounds):
        for name, function in contestants.items():
            time.sleep(REST)
            began = time.perf_counter()
            found[name] = function(turn + 1)
            if turn >= 0:
                times[name].append(time.perf_counter() - began)
    return {name: float(np.median(each)) for name, each in times.items()}, found


def race_silhouettes(rounds):
    """Exact silhouettes beside scikit-learn's."""
    print("| rows | ours, ms | scikit-learn, ms | ratio | largest difference |\n|---|---:|---:|---:|---:|")
    for n, d, k in ((1000, 2, 4), (5000, 2, 8), (5000, 8, 8), (10_000, 16, 12), (20_000, 8, 20), (5000, 64, 10)):
        X = np.random.default_rng(n + d).normal(size=(n, d))
        labels, weights = km.kmeans(X, k, rng=0).labels, np.ones(n)
        with sharing_threads(None):
            took, found = timed({
                "ours": lambda _, X=X, labels=labels, weights=weights, k=k: silhouettes(X, weights, labels, k),
                "theirs": lambda _, X=X, labels=labels: silhouette_samples(X, labels),
            }, rounds)  # fmt: skip
        apart = np.abs(found["ours"] - found["theirs"]).max()
        ratio = took["theirs"] / took["ours"]
        print(f"| {n} × {d}, k = {k} | {1e3 * took['ours']:.1f} | {1e3 * took['theirs']:.1f} | {ratio:.1f} | "
              f"{apart:.1e} |", flush=True)  # fmt: skip


def race_sweeps(rounds):
    """A sweep over k = 1 to 30 beside the largest k alone, both by default, and with the same tolerance."""
    n, d, ks = 100_000, 8, range(1, 31)
    print(
        "| 100000 × 8, k = 1 to 30 | tol | sweep, ms | k = 30 alone, ms | ratio | F of the sweep / alone, at k = 30 |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    rng = np.random.default_rng(0)
    data = {
        "uniform": rng.random((n, d)),
        "20 clusters that overlap": rng.normal(size=(20, d))[rng.integers(20, size=n)] * 1.5 + rng.normal(size=(n, d)),
        "20 clusters apart": blobs(20, n, d, rng, 10.0),
    }
    for name, X in data.items():
        for shown, options in (("by default", {}), ("1e-4 for both", {"tol": 1e-4})):
            took, found = timed({
                "sweep": lambda turn, X=X, o=options: km.selection.sweep(X, ks, rng=turn, **o)[30].objective,
                "alone": lambda turn, X=X: km.kmeans(X, 30, rng=turn).objective,
            }, rounds)  # fmt: skip
            ratio, quality = took["sweep"] / took["alone"], found["sweep"] / found["alone"]
            print(f"| {name} | {shown} | {1e3 * took['sweep']:.0f} | {1e3 * took['alone']:.0f} | {ratio:.2f} | "
                  f"{quality:.4f} |", flush=True)  # fmt: skip


PARTS = {"answers": answers, "abstention": abstention, "silhouettes": race_silhouettes, "sweeps": race_sweeps}


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    asked = parser.parse_args()
    for name in asked.parts:
        PARTS[name]({"answers": asked.draws // 10, "abstention": asked.draws}.get(name, asked.rounds))
        print()


if __name__ == "__main__":
    main()
