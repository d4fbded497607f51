r"""
The elbow, and when there is none
=================================

F falls with every further center, so F alone can't tell how many clusters there are.
An old advice is to look for the elbow: the k after which F falls less (Thorndike, *Who
belongs in the family?*, Psychometrika 18, 1953). But eyes find an elbow in every curve,
and so do most programs.

``km.selection`` measures the bend of log F against log k. Without clusters F falls like
:math:`k^{-2/d}`, a straight line. A bend counts only if the lower end of its bootstrap
interval is above every other one by a margin, and above all that is found in data
without clusters of the same extent. Otherwise the criterion abstains. The comparison
with data without clusters is that of the gap statistic (Tibshirani, Walther and Hastie,
*Estimating the number of clusters in a data set via the gap statistic*, 2001).
"""

import gallery_style as style
import matplotlib.pyplot as plt
import numpy as np

import kmtoolkit as km

rng = np.random.default_rng(4)
middles = np.array([[0.0, 0.0], [4.0, 0.5], [1.0, 4.0], [5.0, 5.0]])
data = {
    "four clusters": np.repeat(middles, 75, axis=0)
    + rng.normal(scale=0.6, size=(300, 2)),
    "none: a uniform square": rng.random((300, 2)) * 6,
}
ks = range(1, 11)
sweeps = {name: km.selection.sweep(X, ks, tol=1e-4, rng=0) for name, X in data.items()}

# %%
# Above, rows that come in four clusters, and what the criterion says of them; below,
# rows that come in none. The gray area is what 20 data sets without clusters reach;
# bars go down to the lower ends of the intervals.

figure, panels = plt.subplots(2, 3, figsize=(10, 6.4))
for (name, sweep), (left, middle, right) in zip(sweeps.items(), panels, strict=True):
    X, choice = data[name], sweep.choose("elbow")
    if choice.k is None:
        style.rows(left, X)
    else:
        style.clusters(left, X, km.canonical_order(sweep[choice.k]).labels)
        style.centers(left, sweep[choice.k].centers)
    style.bare(left, name)

    middle.loglog(ks, sweep.objective, "o-", color=style.COLORS[0], markersize=5)
    slope = sweep.objective[0] / np.array(ks, dtype=float)
    middle.loglog(ks, slope, "--", color=style.GRAY, linewidth=1.2)
    style.label(
        middle, "$F \\propto k^{-2/d}$", (6.5, slope[0] / 6.5), (4, 8), color=style.GRAY
    )
    middle.set(title="F falls, with or without clusters", ylabel="F (squared units)")

    right.fill_between(
        ks,
        choice.ceiling,
        -8,
        where=np.isfinite(choice.values),
        color=style.LIGHT,
        alpha=0.6,
    )
    style.note(right, "data without clusters", x=0.97, y=0.06, color=style.GRAY)
    right.plot(ks, choice.values, "o-", color=style.COLORS[1], markersize=5)
    right.vlines(ks, choice.low, choice.values, color=style.COLORS[1], linewidth=3)
    says = "the elbow: none" if choice.k is None else f"the elbow: k = {choice.k}"
    right.set(
        title=says,
        ylabel="bend of log F",
        ylim=(min(-3.2, np.nanmin(choice.values) - 0.5), 5.2),
    )
    if choice.k is not None:
        right.plot(
            choice.k, choice.values[choice.k - 1], "*", color="black", markersize=15
        )
    for axes in (middle, right):
        axes.set(
            xlabel="clusters k",
            xticks=[1, 2, 4, 6, 8, 10],
            xticklabels=[1, 2, 4, 6, 8, 10],
        )
        axes.minorticks_off()
        axes.grid(axis="y")

# %%
# On the square the largest bend is at four clusters, as a square can be cut into four
# squares. It is no larger than in other data without clusters. All ten criteria, side
# by side:

print(sweeps["four clusters"].summary())

# %%

print(sweeps["none: a uniform square"].summary())
