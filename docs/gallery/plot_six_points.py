r"""
Six points by hand, and an empty cluster
========================================

Six points are few enough to follow k-means with a pencil. This page draws what the
:doc:`worked example </worked_example>` computes: first a fit that goes well, then one
in which two of three clusters have no points, and what each of the handlers makes of
them. The iteration is that of Stuart P. Lloyd, *Least squares quantization in PCM*
(1982); a mean of no points is where it needs a further rule.
"""

from fractions import Fraction

import gallery_style as style
import matplotlib.pyplot as plt
import numpy as np

import kmtoolkit as km

# A to F
points = np.array([[1, 1], [1, 2], [2, 1], [5, 5], [5, 6], [6, 5]], dtype=float)


def fraction(F):
    """F as it would be written by hand."""
    return str(Fraction(F).limit_denominator(60))


# %%
# By hand
# -------
#
# The centers start at A and D.
#
# 1. *Assign.* A, B and C are nearer to A, and the squared distances are 0, 1 and 1; D,
#    E and F are nearer to D, with the same distances. So F = 4.
# 2. *Update.* The means are (4/3, 4/3) and (16/3, 16/3). A is at a squared distance of
#    1/9 + 1/9 = 2/9, B and C are at 1/9 + 4/9 = 5/9, and so it is with D, E and F. So F
#    = 2 (2/9 + 5/9 + 5/9) = 8/3.
# 3. *Assign.* No point is nearer to the other center: this is a fixed point.
#
# By code:

start = [[1, 1], [5, 5]]
result = km.kmeans(points, 2, init_centers=start, tol=0)
assert [fraction(F) for F in result.trace.objective] == ["4", "8/3", "8/3"]

figure, panels = plt.subplots(1, 3, figsize=(9.5, 3.4), sharex=True, sharey=True)
centers = (np.array(start), result.centers, result.centers)
for t, (axes, at) in enumerate(zip(panels, centers)):
    for point, name, j in zip(points, "ABCDEF", result.labels):
        axes.plot(*zip(point, at[j]), color=style.GRAY, linewidth=1)
        style.label(axes, name, point, (-15, -12) if name in "AD" else (6, 6))
    style.clusters(axes, points, result.labels, size=7, alpha=1)
    style.centers(axes, at)
    title = f"{result.trace.phase[t]}: F = {fraction(result.trace.objective[t])}"
    style.plane(axes, title, (0, 7.2), (0, 7.2))
    axes.grid()

# %%
# Gray lines join points and their centers; F is the sum of their squared lengths. After
# the update no point lies on a center any more, and yet F is less.

# %%
# Two clusters without points
# ---------------------------
#
# Three clusters start at (3, 3), (9, 1) and (9, 2). All points are nearest to the first
# center, and the other two have none. The panels show where each handler ends;
# ``random`` draws with the seed given.

start = [[3, 3], [9, 1], [9, 2]]
handlers = ("keep", "drop", "random", "farthest", "split")
fits = {
    empty: km.kmeans(points, 3, init_centers=start, empty=empty, tol=0, rng=0)
    for empty in handlers
}
before = km.kmeans(points, 3, init_centers=start, empty="keep", max_iter=0)

figure, panels = plt.subplots(2, 3, figsize=(9.5, 5.3), sharex=True, sharey=True)
for axes, (name, fit) in zip(panels.flat, {"start": before, **fits}.items()):
    style.clusters(axes, points, fit.labels, size=11, alpha=1)
    style.centers(axes, fit.centers[fit.sizes > 0], size=7)
    if len(fit.empty):
        style.centers(axes, fit.centers[fit.empty], size=7, color=style.GRAY)
        style.label(axes, "empty", (8.7, 1.4), (0, 0), ha="right", color=style.GRAY)
    style.plane(axes, f"{name}: F = {fraction(fit.objective)}", (0, 10), (0, 7.2))
    axes.grid()

# %%
# ``keep`` leaves the empty clusters where they are, and ``drop`` removes them: the fit
# has one cluster, and F is 152/3. The others put each empty center on a point. Here
# ``farthest`` and ``split`` take the same ones, and divide a triple into a pair of
# neighbors and a single point, which is the best that three clusters can do. ``random``
# has a point of its own choice: the single one is the corner of a triple, and the fit
# stays in this local minimum.

figure, panels = plt.subplots(1, 3, figsize=(9.5, 3.2), sharex=True, sharey=True)
for axes, names in zip(panels, ("keep, drop", "random", "farthest, split")):
    trace = fits[names.split(", ")[0]].trace
    style.descent(axes, trace)
    for t, F in enumerate(trace.objective[:-1]):
        if t == 0 or trace.drop[t] > 0:
            style.label(axes, fraction(F), (t, F))
    axes.set(title=names, yscale="log", ylim=(1, 120))
    style.columns(axes, ("half-step", "F"))
panels[0].set(yticks=[1, 10, 100], yticklabels=["1", "10", "100"])
style.phase_key(figure, ("init", "repair", "update", "assign"))

# %%
# A repair is a half-step of its own, in green: the point that is taken loses its whole
# distance, so F falls. Both empty clusters are filled in one repair; another one
# follows when an assignment has emptied the first cluster.

# sphinx_gallery_thumbnail_number = 2
