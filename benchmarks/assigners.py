"""Every exact assigner to convergence from the same start, beside ``dense``: time, distances, survivors, memory.

    python benchmarks/assigners.py [NAME ...] [--engines auto,tree] [--rounds 3] [--csv FILE]
    python benchmarks/assigners.py --map FILE.csv

One process; the engines take turns in a shuffled order, JIT warm, tol=0, 300 iterations at most; medians over the
rounds. Each fit must end with the bits of ``dense``, or the run fails. ``--map`` times a grid of (n, d, k) instead, on
overlapping Gaussians and on uniform rows, for the page "Which assigner?".
"""

import argparse
import csv
import itertools
import sys
import time
from dataclasses import dataclass

import numpy as np
from workloads import WORKLOADS, mixture, uniform

import kmtoolkit as km
from kmtoolkit.registry import rows

MOST_ITERATIONS = 300
SLOW = 3.0  # a fit that takes dense so many seconds is not repeated
HOPELESS = 2.0  # an engine that is so many times slower than dense is stopped
MAP_WORK = 4e10  # multiply-adds of 40 dense iterations at most
MAP_ITERATIONS = 40


@dataclass(frozen=True)
class Case:
    """Rows, a start and the kind of workload it is."""

    name: str
    kind: str
    make: object
    k: int
    dtype: str = "float64"

    def load(self):
        rng = np.random.default_rng(len(self.name))
        X = np.ascontiguousarray(self.make(rng), self.dtype)
        return X, X[rng.choice(len(X), self.k, replace=False)].astype(float)


def suite(name, kind):
    """A workload of the race, with its own start."""
    workload = next(each for each in WORKLOADS if each.name == name)

    class Raced:
        """Loads as a Case does."""

        k = workload.k

        def load(self):
            X, self.weights = workload.load()
            return X, workload.start(X)

    raced = Raced()
    raced.name, raced.kind = name, kind
    return raced


CASES = [
    Case("2d-k1000", "2 columns, k = 1000", mixture(1_000_000, 2, 1000, 15.0), 1000),
    Case("2d-k100", "2 columns, k = 100", mixture(1_000_000, 2, 100, 5.0), 100),
    Case("3d-k256", "3 columns, k = 256", mixture(1_000_000, 3, 256, 4.0), 256),
    Case("8d-k50", "8 columns, k = 50", mixture(500_000, 8, 50, 1.5), 50),
    Case("8d-k256", "8 columns, k >= 256", mixture(500_000, 8, 256, 1.5), 256),
    Case("8d-k512", "8 columns, k >= 256", mixture(200_000, 8, 512, 2.0), 512),
    Case("32d-k256", "32-128 columns, k = 256", mixture(100_000, 32, 256, 0.6), 256, "float32"),
    Case("64d-k256", "32-128 columns, k = 256", mixture(100_000, 64, 256, 0.4), 256, "float32"),
    Case("128d-k256", "32-128 columns, k = 256", mixture(100_000, 128, 256, 0.3), 256, "float32"),
    Case("cube16-k200", "uniform, 16 columns", uniform(200_000, 16), 200),
    suite("lognormal-k8", "1 column"),
    suite("lognormal-k256", "1 column"),
    suite("iris", "other"),
    suite("digits", "other"),
    suite("square-k10", "uniform, 2 columns"),
    suite("square-k100", "uniform, 2 columns"),
    suite("grid", "clustered"),
    suite("grid-big", "clustered"),
    suite("walks-k100", "clustered"),
    suite("walks-k1000", "clustered"),
    suite("photo", "other"),
    suite("colors-weighted", "other"),
    suite("overlap-k16", "other"),
    suite("overlap-k256", "clustered"),
    suite("many-centers", "clustered"),
    suite("letters-k26", "other"),
    suite("letters-k200", "clustered"),
    suite("cube32-k100", "uniform, 32 columns"),
    suite("clusters32-k4096", "clustered"),
    suite("words", "clustered"),
    suite("table57", "clustered"),
    suite("cube128-k1000", "uniform, 128 columns"),
    suite("descriptors-k64", "other"),
    suite("descriptors-k1024", "clustered"),
    suite("mnist-k10", "other"),
    suite("images-k10", "other"),
    suite("images-k100", "clustered"),
]


def engines_for(columns, chosen):
    """The exact assigners that take so many columns, ``dense`` first."""
    names = [
        row.name for row in rows("assigner") if row.exact and (getattr(row, "columns", None) or columns) >= columns
    ]
    return ["dense"] + [name for name in names if name != "dense" and (not chosen or name in chosen)]


def fit(engine, X, k, start, weights, most, limit=None):
    """A timed fit."""
    solver = km.Solver(assign=engine, tol=0, max_iter=most, max_seconds=limit)
    began = time.perf_counter()
    result = solver.fit(X, k, sample_weight=weights, init_centers=start)
    return time.perf_counter() - began, result


def race(case, chosen, rounds, most=MOST_ITERATIONS):
    """Rows of the table: a dictionary for each engine."""
    X, start = case.load()
    weights = getattr(case, "weights", None)
    names, seconds, results, hopeless = engines_for(X.shape[1], chosen), {}, {}, set()
    order = np.random.default_rng(0)
    for name in list(names):
        try:
            fit(name, X, case.k, start, weights, 2, 20.0)
        except ValueError as error:
            print(f"    {name}: {error}", file=sys.stderr)
            names.remove(name)
    for turn in range(rounds):
        if turn and np.median(seconds["dense"]) > SLOW:
            break
        for name in ["dense", *order.permutation(names[1:])]:
            if name in hopeless:
                continue
            limit = None if name == "dense" else max(HOPELESS * np.median(seconds["dense"]), 0.1)
            took, result = fit(name, X, case.k, start, weights, most, limit)
            if result.status is km.Status.TIME:
                hopeless.add(name)
                continue
            seconds.setdefault(name, []).append(took)
            results[name] = result
            same = [np.array_equal(getattr(result, a), getattr(results["dense"], a)) for a in ("labels", "centers")]
            if not all(same) or result.n_iter != results["dense"].n_iter:
                raise SystemExit(f"{case.name}: {name} differs from dense")
    names = [name for name in names if name not in hopeless]
    print(
        *(f"    {case.name}: {name} takes more than {HOPELESS} times as long as dense" for name in hopeless), sep="\n"
    )
    table = []
    for name in names:
        trace = results[name].trace
        assigned = np.isin(trace.phase, ["init", "assign"])
        table.append({
            "workload": case.name, "kind": case.kind, "n": len(X), "d": X.shape[1], "k": case.k,
            "dtype": X.dtype.name, "engine": name, "iterations": results[name].n_iter,
            "seconds": float(np.median(seconds[name])),
            "speedup": float(np.median(seconds["dense"]) / np.median(seconds[name])),
            "distances": float(trace.distances[assigned].sum() / (assigned.sum() * len(X) * case.k)),
            "survivors": float(trace.survivors[assigned].mean() / len(X)),
            "memory": int(trace.memory.max()), "bytes_a_row": float(trace.memory.max() / len(X)),
            "used": "+".join(dict.fromkeys(trace.engine[assigned])),
        })  # fmt: skip
    return table


def show(table):
    """Print the lines of a workload."""
    for line in table:
        used = f"  {line['used']}" if line["used"] else ""
        print(
            f"{line['workload']:<18} {line['engine']:<10} {line['iterations']:>4} it {1e3 * line['seconds']:>9.1f} ms "
            f"{line['speedup']:>7.2f} x  distances {line['distances']:>7.2%}  survivors {line['survivors']:>7.2%} "
            f"{line['bytes_a_row']:>8.1f} B/row{used}",
            flush=True,
        )


def mean(values):
    """The geometric mean."""
    return float(np.exp(np.mean(np.log(values))))


def summarize(table):
    """Print speed-ups over dense by kind of workload, and how ``auto`` compares with the best engine."""
    print("\nspeed-up over dense: the best single engine, and auto (geometric means)")
    best = {}
    for line in table:
        if line["engine"] != "auto":
            best[line["workload"]] = max(best.get(line["workload"], 0.0), line["speedup"])
    auto = {line["workload"]: line["speedup"] for line in table if line["engine"] == "auto"}
    kinds = {line["workload"]: line["kind"] for line in table}
    for kind in dict.fromkeys(kinds.values()):
        names = [name for name in kinds if kinds[name] == kind]
        chosen = f"{mean([auto[name] for name in names]):7.2f} x" if set(names) <= set(auto) else "      -  "
        print(f"  {kind:<26} {mean([best[name] for name in names]):7.2f} x {chosen}")
    many = {line["workload"] for line in table if line["k"] >= 100 and "uniform" not in line["kind"]}
    if many and many <= set(auto):
        both = [mean([speedups[name] for name in many]) for speedups in (best, auto)]
        print(f"  {'clustered, k >= 100':<26} {both[0]:7.2f} x {both[1]:7.2f} x")
    long = {line["workload"] for line in table if line["engine"] == "dense" and line["seconds"] >= 0.02}
    for name in sorted(long & set(auto), key=lambda name: auto[name] / best[name]):
        if auto[name] < best[name] / 1.15 or auto[name] < 0.95:
            of_best, of_dense = best[name] / auto[name], 1 / auto[name]
            print(f"  auto on {name}: {of_best:.2f} x the time of the best, {of_dense:.2f} x of dense")


def markdown(table):
    """Print the speed-ups as a table for the documentation."""
    engines = [name for name in dict.fromkeys(line["engine"] for line in table) if name not in ("dense", "auto")]
    found = {}
    for line in table:
        found.setdefault(line["workload"], {})[line["engine"]] = line
    head = ["workload", "rows × columns", "k", "type", "iterations", "dense, ms", "auto", "that is", *engines]
    print("|", " | ".join(head), "|")
    print("|---|---|---:|---|---:|---:|---:|---|" + "---:|" * len(engines))
    for name, lines in found.items():
        dense, auto = lines["dense"], lines["auto"]
        speedups = [f"{lines[engine]['speedup']:.2f}" if engine in lines else "–" for engine in engines]
        size, kind = f"{dense['n']} × {dense['d']}", dense["dtype"].replace("float", "f")
        about = [
            name,
            size,
            dense["k"],
            kind,
            dense["iterations"],
            f"{1e3 * dense['seconds']:.{dense['seconds'] < 0.1:d}f}",
        ]
        chosen = [f"{auto['speedup']:.2f}", auto["used"].replace("+", ", ")]
        print("|", " | ".join(map(str, [*about, *chosen, *speedups])), "|")


def mapped():
    """The grid of the map, smallest first."""
    for kind in ("clusters", "uniform"):
        for d, k, n in itertools.product(
            (1, 2, 3, 4, 8, 16, 32, 64, 128), (8, 32, 128, 512, 2048), (10**4, 10**5, 10**6)
        ):
            if 20 * k <= n and n * d * k * MAP_ITERATIONS <= MAP_WORK and n * d <= 3e7:
                rows_of = mixture(n, d, k, 1.5 * k ** (1 / d)) if kind == "clusters" else uniform(n, d)
                yield Case(f"{kind}-{n}-{d}-{k}", kind, rows_of, k, "float32")


def main():
    """Race the named workloads, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--engines", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--csv")
    parser.add_argument("--map")
    options = parser.parse_args()
    chosen = set(filter(None, options.engines.split(",")))
    cases = list(mapped()) if options.map else [c for c in CASES if not options.names or c.name in options.names]
    table = []
    for case in cases:
        lines = race(case, chosen, options.rounds, MAP_ITERATIONS if options.map else MOST_ITERATIONS)
        show(lines)
        table += lines
        if file := options.csv or options.map:
            with open(file, "w", newline="", encoding="utf-8") as out:
                writer = csv.DictWriter(out, table[0])
                writer.writeheader()
                writer.writerows(table)
    if not options.map:
        summarize(table)
    if not options.map and not chosen:
        markdown(table)


if __name__ == "__main__":
    main()
