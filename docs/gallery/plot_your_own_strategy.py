r"""
Your own seeding, by tonight
============================

A seeding is written, checked, compared and drawn. The idea: k-means++ draws rows by
their squared distance to the seeds so far, and so it likes outliers. Here the distance
counts less where rows are sparse.
"""

import gallery_style as style
import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import cKDTree

import kmtoolkit as km
from kmtoolkit import testing


@km.initializer("density-weighted", weights=False, cost="O(n d (k + log n))")
def density_weighted(problem, rng):
    """Draw rows by squared distance to the seeds before, times density."""
    X = problem.X.astype(np.float64)
    eighth = cKDTree(X).query(X, k=[min(9, len(X))])[0][:, 0]
    density = 1 / (eighth + eighth.mean() + np.finfo(float).tiny)
    density /= density.max()
    centers, nearest, p = np.empty((problem.k, X.shape[1])), np.inf, density
    for j in range(problem.k):
        centers[j] = X[rng.choice(len(X), p=p / p.sum())]
        nearest = np.minimum(nearest, np.square(X - centers[j]).sum(axis=1))
        p = density * (nearest / nearest.max()) if nearest.any() else density
    return centers


# %%
# The check tries the rules of an initializer on data made to be difficult: duplicates,
# ties, weights of many sizes, rows far from 0. It returns nothing if all of them hold.

testing.check_initializer("density-weighted", examples=3)

# %%
# Is it any good? Fifteen groups, and one row in a hundred far away from all of them.
# Ten starts each; all who share a start share it exactly.


def groups(n, seed):
    """Rows in fifteen groups, and a few anywhere."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(0, 30, size=(15, 2))
    X = means[rng.integers(15, size=n)] + rng.normal(size=(n, 2))
    X[: n // 100] = rng.uniform(-30, 60, size=(n // 100, 2))
    return X


found = km.bench.compare(
    {"init": ["k-means++", "random", density_weighted]},
    [(f"{n} rows", groups(n, seed=n), 15) for n in (500, 2000, 8000)],
    repeats=10,
    rng=1,
)
print(found)
for name, area in found.ranking():
    print(f"{area:.3f}  {name}")

# %%
# Left: the share of problems that a seeding solves within a factor of the best in the
# time to 1 % of the best known objective. Right: how far above that objective the fits
# end, for each start.

entrants, _, costs = found.costs("time to 1%")
factors, shares = km.bench.analysis.performance_profiles(costs)
best = found.best_known()

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
for i, name in enumerate(entrants):
    init = name.partition(" ")[0]
    left.step(
        [*factors, factors[-1] * 1.2],
        [*shares[i], shares[i][-1]],
        where="post",
        label=init,
        color=style.PALETTE[i],
    )
    ends = [
        100 * (r["objective"] / best[r["problem"], r["objective_name"]] - 1)
        for r in found.records
        if r["entrant"] == name
    ]
    spread = np.random.default_rng(0).uniform(-0.15, 0.15, len(ends))
    right.plot(
        np.maximum(ends, 1e-4), i + spread, "o", color=style.PALETTE[i], markersize=5
    )
left.set(
    xlabel="factor to the best time to 1 %",
    ylabel="share of problems",
    ylim=(-0.03, 1.05),
)
left.legend(loc="lower right")
right.set(
    xscale="log",
    xlabel="% above the best known objective",
    yticks=range(len(entrants)),
    yticklabels=[name.partition(" ")[0] for name in entrants],
)
right.grid(axis="x")
