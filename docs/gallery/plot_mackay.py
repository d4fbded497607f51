r"""
What k-means cannot see
=======================

k-means does well where clusters are round, of one size, and as many as was asked for.
David J. C. MacKay, *Information Theory, Inference, and Learning Algorithms* (2003),
chapters 20 and 22, shows what happens where they are not, and how the soft relatives of
k-means mend it one by one. This page draws his cases anew, with data of its own.
"""

import gallery_style as style
import matplotlib.pyplot as plt
import numpy as np

import kmtoolkit as km

# %%
# It works well, and cannot set k
# -------------------------------
#
# Four round groups of 60 rows. For k = 4 the clusters are the groups. For every other k
# the fit is as sure of itself: two groups become one cluster, or a group is cut into
# pieces.

rng = np.random.default_rng(5)
groups = np.array([[0, 0], [6, 1], [1.5, 5], [7, 6.5]])
X = np.concatenate([rng.normal(group, 0.8, (60, 2)) for group in groups])
fits = {k: km.kmeans(X, k, n_init=20, rng=0) for k in range(1, 11)}

figure, panels = plt.subplot_mosaic(
    [[2, 3, 4, 6], ["F"] * 4], figsize=(9.5, 5.4), height_ratios=[1, 1.1]
)
for k in (2, 3, 4, 6):
    style.clusters(panels[k], X, fits[k].labels)
    style.centers(panels[k], fits[k].centers)
    style.bare(panels[k], f"k = {k}: F = {fits[k].objective:.0f}")
F = [fit.objective for fit in fits.values()]
panels["F"].plot(list(fits), F, "o-", color=style.COLORS[0])
style.label(panels["F"], "k = 4, the number of groups", (4, F[3]), (8, 14))
panels["F"].set(title="F falls with every k", xlabel="number of clusters k", ylabel="F")
panels["F"].set(ylim=(0, None), xticks=list(fits))
panels["F"].grid(axis="y")

# %%
# F falls with each cluster that is added, because a cluster that is cut in two has less
# of it. So the least F says nothing about k. What can be seen is a bend: beyond k = 4
# there is little left to gain.

# %%
# It cannot see shape
# -------------------
#
# Left: a broad group of 200 rows beside a narrow one of 60. Right: two long groups of
# 100 rows each. The upper panels show which row was drawn from which group, the lower
# ones the best of 20 fits of k-means.

round_ones = (rng.normal([0, 0], 1.5, (200, 2)), rng.normal([3.6, 0], 0.25, (60, 2)))
long_ones = [rng.normal([0, y], [2.0, 0.35], (100, 2)) for y in (-1, 1)]
cases = (
    (np.concatenate(round_ones), np.repeat([0, 1], [200, 60])),
    (np.concatenate(long_ones), np.repeat([0, 1], 100)),
)
limits = {"xlim": (-6.5, 6), "ylim": (-5, 5)}

figure, panels = plt.subplots(2, 2, figsize=(7.6, 6.4), sharex=True, sharey=True)
for (X, drawn), (above, below) in zip(cases, panels.T):
    fit = km.kmeans(X, 2, n_init=20, rng=0)
    groups = [X[drawn == j] for j in range(2)]
    F = sum(((group - group.mean(axis=0)) ** 2).sum() for group in groups)
    style.clusters(above, X, drawn)
    style.bare(above, f"as drawn: F = {F:.0f}", **limits)
    left_first = fit.centers[:, 0].argsort().argsort()
    style.clusters(below, X, left_first[fit.labels])
    style.centers(below, fit.centers)
    style.boundary(below, *fit.centers)
    style.bare(below, f"k-means: F = {fit.objective:.0f}", **limits)

# %%
# The boundary of two clusters is halfway between their centers, whatever their size or
# shape. So the narrow group gets a part of the broad one, and the long groups are cut
# across. More restarts would not help: in both cases the clusters have a smaller F than
# the groups. It is the wrong function for these data, well minimized.

# %%
# Stiffness does not help
# -----------------------
#
# Soft k-means shares each row among the centers, in proportion to :math:`e^{-\beta
# \lVert x - \mu \rVert^2}`. The circles have the radius of one standard deviation that
# this stands for, :math:`1 / \sqrt{2 \beta}`. Colors are shares: a gray row belongs to
# both.

figure, panels = plt.subplots(2, 4, figsize=(10.5, 4.9), sharex=True, sharey=True)
for (X, _), row in zip(cases, panels):
    for beta, axes in zip((0.1, 0.3, 1.0, 5.0), row):
        fit = km.soft_kmeans(X, 2, beta=beta, weights="uniform", n_init=10, rng=0)
        order = np.argsort(fit.centers[:, 0])
        style.rows_by_share(axes, X, fit.responsibilities(X)[:, order[1]], size=9)
        quarter = np.eye(2) / (8 * beta)  # ellipses are at two standard deviations
        style.ellipses(axes, fit.centers[order], [quarter, quarter])
        style.bare(axes, f"β = {beta}", **limits)
figure.suptitle("Soft k-means with four stiffnesses")

# %%
# With a small β both centers are in the middle of the data; with a large one the
# clusters are those of k-means. None in between finds the groups, because all clusters
# have the same round shape of the same size.

# %%
# Clusters with shapes of their own
# ---------------------------------
#
# A Gaussian mixture learns the weight of each cluster and its covariance: a variance
# for each cluster (*spherical*), one for each column too (*diag*), or a matrix
# (*full*). Ellipses are drawn at two standard deviations.

as_matrix = {"spherical": lambda v: v * np.eye(2), "diag": np.diag, "full": np.asarray}
figure, panels = plt.subplots(2, 3, figsize=(9.5, 5.6), sharex=True, sharey=True)
for (X, drawn), row in zip(cases, panels):
    for covariance, axes in zip(("spherical", "diag", "full"), row):
        options = {"covariance": covariance, "init": "random", "n_init": 30, "rng": 0}
        fit = km.gaussian_mixture(X, 2, **options)
        order = np.argsort(fit.centers @ [1, 5])
        shapes = [as_matrix[covariance](fit.covariances[j]) for j in order]
        style.rows_by_share(axes, X, fit.responsibilities(X)[:, order[1]], size=9)
        style.ellipses(axes, fit.centers[order], shapes)
        right = max(np.mean(fit.labels == drawn), np.mean(fit.labels != drawn))
        style.bare(axes, f"{covariance}: {right:.0%} as drawn", **limits)

# %%
# Variances of their own are enough for the narrow group, which MacKay calls version 2
# of soft k-means. The long groups need a variance for each column, his version 3. Full
# covariances see both, and would see long groups that lie aslant.

# sphinx_gallery_thumbnail_number = 4
