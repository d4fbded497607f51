r"""
k-means as matrix factorization, in pictures
============================================

Put the rows into a matrix X, the centers into a matrix M, and the labels into a matrix
Z that has one 1 in each row. Then k-means is the search for factors with

.. math:: X \approx Z M, \qquad F = \lVert X - Z M \rVert^2 .

This is the subject of Christian Bauckhage, *k-Means Clustering Is Matrix Factorization*
(arXiv:1512.07548, 2015), and :doc:`a page of its own </factorization>` derives it. Here
X holds handwritten digits of scikit-learn, 1797 images of 8 × 8 pixels, each unrolled
into a row of 64. So a row of M is an image too.
"""

import gallery_style as style
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import kmtoolkit as km
from kmtoolkit import factorization

digits = load_digits()
X = digits.data
result = km.kmeans(X, 10, n_init=10, rng=0)

# %%
# The factors
# -----------
#
# For the figures, clusters are put in the order of the digit that most of their rows
# show, and rows in the order of clusters. ``factorize`` makes the factors of any
# labels.

usual = [np.bincount(digits.target[result.labels == j]).argmax() for j in range(10)]
labels = np.argsort(np.argsort(usual, kind="stable"))[result.labels]
rows = np.argsort(labels, kind="stable")
X, labels = X[rows], labels[rows]
M, Z = factorization.factorize(labels, X)
product = factorization.reconstruct(M, Z)
F = factorization.residual(X, M, Z)
explained = factorization.explained_variance(X, M, Z)

ink = {"cmap": "cividis", "vmin": 0, "vmax": 16, "interpolation": "nearest"}
signed = {"cmap": "PuOr", "vmin": -16, "vmax": 16, "interpolation": "nearest"}
layout = [["X", "Z", "M", "ZM", "X-ZM"], ["X", "Z", ".", "ZM", "X-ZM"]]
sizes = {"width_ratios": [4, 1.4, 4, 4, 4], "height_ratios": [1, 3]}
figure, panels = plt.subplot_mosaic(layout, figsize=(10.5, 5), **sizes)
left = panels["X"].imshow(X, aspect="auto", **ink)
panels["Z"].imshow(Z.toarray(), aspect="auto", cmap="Greys", interpolation="nearest")
panels["M"].imshow(M, aspect="auto", **ink)
panels["ZM"].imshow(product, aspect="auto", **ink)
right = panels["X-ZM"].imshow(X - product, aspect="auto", **signed)
for name, axes in panels.items():
    axes.set(title=name.replace("-", " − "), xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=style.GRAY)
panels["X"].set(ylabel="1797 images, sorted by cluster", xlabel="64 pixels")
panels["Z"].set(xlabel="10 clusters")
panels["M"].set(ylabel="10 clusters", xlabel="64 pixels")
panels["ZM"].set(xlabel=f"{explained:.0%} of the variance")
panels["X-ZM"].set(xlabel=f"F = {F:.0f}")
figure.colorbar(left, ax=panels["ZM"], label="ink", aspect=30, ticks=[0, 8, 16])
figure.colorbar(right, ax=panels["X-ZM"], label="ink", aspect=30, ticks=[-16, 0, 16])

# %%
# Z is a staircase, because rows are sorted by cluster. The product repeats each row of
# M as often as its cluster has images, so ZM has ten bands where X has 1797 different
# rows. The residual has none: within a cluster each of its columns adds up to 0,
# because M holds the means.

# %%
# The same, row by row
# --------------------
#
# For each cluster, the image whose distance from its center is the median of the
# cluster, that center, and their difference.

figure, panels = plt.subplots(3, 10, figsize=(10.5, 3.7))
distances = ((X - product) ** 2).sum(axis=1)
for j, column in enumerate(panels.T):
    of_cluster = np.flatnonzero(labels == j)
    i = of_cluster[np.argsort(distances[of_cluster])[len(of_cluster) // 2]]
    column[0].imshow(X[i].reshape(8, 8), **ink)
    column[1].imshow(M[j].reshape(8, 8), **ink)
    column[2].imshow((X[i] - M[j]).reshape(8, 8), **signed)
    column[2].set_xlabel(f"{distances[i]:.0f}")
    for axes in column:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
for axes, name in zip(panels[:, 0], ("image x", "center", "difference")):
    axes.set_ylabel(name, rotation=0, ha="right", va="center")
figure.suptitle("Images, their centers, and what is left, with its squared norm")

# %%
# The centers look like digits, though k-means was never told what a digit is, and they
# are blurred, as means of many hands are. One is blurred more than the others: the
# cluster of the 8 has nearly as many images of the 1.

# sphinx_gallery_thumbnail_number = 2
