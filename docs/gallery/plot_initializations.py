r"""
Where k-means starts, and where it ends
=======================================

k-means ends at a fixed point, and which one depends on where the centers start. This
page tries all initializers on 16 round groups of different sizes, 30 seeds each, and
compares the final F with the best of all. The question is that of J. M. Peña, J. A.
Lozano and P. Larrañaga, *An empirical comparison of four initialization methods for the
K-Means algorithm* (1999); the best known answer is that of David Arthur and Sergei
Vassilvitskii, *k-means++: the advantages of careful seeding* (2007).
"""

import gallery_style as style
import matplotlib.pyplot as plt
import numpy as np

import kmtoolkit as km

rng = np.random.default_rng(4)
k = 16
groups = np.mgrid[0:4, 0:4].reshape(2, k).T * 5 + rng.uniform(-1, 1, (k, 2))
sizes = rng.integers(20, 150, k)
X = np.concatenate([rng.normal(at, 0.6, (n, 2)) for at, n in zip(groups, sizes)])

# %%
# How good the ends are
# ---------------------
#
# A result keeps each restart in ``runs``, with its start, its trace and its final F. So
# one fit with ``n_init=30`` has all that a line of the figure shows.

names = km.available()["initializer"]
fits = {name: km.kmeans(X, k, init=name, n_init=30, rng=0) for name in names}
ends = {name: np.array([run.objective for run in fits[name].runs]) for name in names}
best = min(F.min() for F in ends.values())
names = sorted(names, key=lambda name: np.median(ends[name]), reverse=True)

figure, axes = plt.subplots(figsize=(8, 4.6))
for y, name in enumerate(names):
    ratio, jitter = ends[name] / best, rng.uniform(-0.22, 0.22, 30)
    axes.plot(
        ratio, y + jitter, "o", color=style.COLORS[0], alpha=0.5, markeredgewidth=0
    )
    axes.plot(np.median(ratio), y, "|", color="black", markersize=22, markeredgewidth=2)
    reached = int(np.sum(ratio < 1.001))
    axes.text(
        1.01, y, f"{reached} of 30", va="center", transform=axes.get_yaxis_transform()
    )
axes.text(
    1.01, len(names) - 0.35, "reach the best", transform=axes.get_yaxis_transform()
)
axes.set(
    xlabel="final F / best F", xscale="log", yticks=range(len(names)), yticklabels=names
)
axes.set(title="30 seeds of each initializer; bars are medians")
axes.set(xticks=[1, 1.5, 2, 3, 4, 6], xticklabels=["1", "1.5", "2", "3", "4", "6"])
axes.minorticks_off()
axes.grid(axis="x")

# %%
# The values are near a few lines. At 1 every group has its center; at 1.2, 1.4 and so
# on some groups share one. ``random`` takes every row with the same chance, so large
# groups get several centers and small ones none. k-means++ prefers rows that are far
# from the centers so far, by the square of the distance, and so does
# ``kmeans-parallel``; ``afk-mc2`` nearly does, but has no choice among candidates.
# ``maxmin`` always takes the farthest row. That is good here, where no row is an
# outlier. ``pca-part`` draws nothing, so all its seeds are one.

# %%
# Two of them in the plane
# -------------------------
#
# Rings are the centers at the start, crosses those at the end. Each panel shows the run
# with the median final F of its initializer.

figure, panels = plt.subplots(1, 2, figsize=(9.5, 5), sharex=True, sharey=True)
for axes, name in zip(panels, ("random", "k-means++")):
    run = fits[name].runs[np.argsort(ends[name])[15]]
    end = km.kmeans(X, k, init_centers=run.start)
    style.rows(axes, X)
    style.walks(axes, run.start, end.centers)
    style.rings(axes, run.start)
    style.centers(axes, end.centers)
    style.bare(axes, f"{name}: F is {run.objective / best:.2f} times the best")

# %%
# Left: spare centers wander to the next group that has none, but not all of them. In
# the end two groups are divided, and three pairs of groups share a center. Right: one
# group is divided, and one pair of small groups shares a center; many of the 30 seeds
# end like this.

# sphinx_gallery_thumbnail_number = 2
