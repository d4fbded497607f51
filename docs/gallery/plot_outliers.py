r"""
Outliers, medians and medoids
=============================

A mean goes wherever a single row pulls it; a median does not ask how far away the other
half of the rows is. So centers that are medians of columns (k-medians), or rows of
least total distance (k-medoids), stay where they are when a few rows are far off. The
idea is old: see Leonard Kaufman and Peter J. Rousseeuw, *Finding Groups in Data*
(1990), on medoids, and P. S. Bradley, O. L. Mangasarian and W. N. Street, *Clustering
via Concave Minimization* (1997), on medians.
"""

import gallery_style as style
import matplotlib.pyplot as plt
import numpy as np

import kmtoolkit as km

rng = np.random.default_rng(7)
groups = np.repeat([[0.0, 0.0], [5.0, 0.0], [2.5, 4.5]], 40, axis=0)
X = groups + rng.normal(scale=0.6, size=(120, 2))
far = np.array([11.0, 2.5]) + rng.normal(scale=0.5, size=(40, 2))

# %%
# Six rows far away
# -----------------
#
# Each method is fitted to the three groups alone, and again with six outliers, the
# orange squares, from the same start. Rings are the centers without them, crosses those
# with them.


def fit(method, X):
    """A fit that starts with a row of each group."""
    if method is km.kmedoids:
        return method(X, 3, init_medoids=[0, 40, 80])
    return method(X, 3, init_centers=X[[0, 40, 80]], tol=0)


def moved(method, many):
    """The centers without outliers, with so many, and how far one is moved at most."""
    alone = fit(method, X).centers
    spoiled = fit(method, np.concatenate([X, far[:many]])).centers
    return alone, spoiled, np.linalg.norm(spoiled - alone, axis=1).max()


methods = {"k-means": km.kmeans, "k-medians": km.kmedians, "k-medoids": km.kmedoids}
figure, panels = plt.subplots(1, 3, figsize=(10, 2.3), sharex=True, sharey=True)
for axes, (name, method) in zip(panels, methods.items()):
    alone, spoiled, most = moved(method, 6)
    style.rows(axes, X)
    axes.plot(*far[:6].T, "s", color=style.COLORS[1], markersize=4)
    style.walks(axes, alone, spoiled)
    style.rings(axes, alone)
    style.centers(axes, spoiled)
    style.bare(axes, f"{name}: moved by up to {most:.2f}")

# %%
# And more of them
# ----------------
#
# The group beside the outliers has 40 rows. How far are the centers moved by 0, 1, 2, …
# of them?

counts = np.arange(0, 41)
labels = {"k-means": (20, 2.6), "k-medians": (36, 0.35), "k-medoids": (26.2, 6.2)}
figure, axes = plt.subplots(figsize=(8, 4))
for j, (name, method) in enumerate(methods.items()):
    most = [moved(method, many)[2] for many in counts]
    look = {"color": style.COLORS[j], "marker": style.MARKERS[j], "markersize": 4}
    axes.plot(counts, most, **look)
    axes.text(*labels[name], name, color=style.COLORS[j], ha="center")
style.label(axes, "a center goes over\nto the outliers", (31, 5), (8, 0))
axes.set(xlabel="outliers", ylabel="largest move (units of the data)")
axes.set_title("Outliers move means at once, medians and medoids hardly")
axes.grid()

# %%
# A mean is moved by the first outlier already, and by each further one. A median moves
# by ranks: each outlier shifts the middle by half a row, however far away it is. A
# medoid stays, or jumps to another row. In the end all three give way: where outliers
# are many, a center of their own lowers F the most, though two groups must then share
# one. No distance between rows and centers prevents that. k-medoids gets there first,
# because its swaps try every row as a center; k-means and k-medians stay in a local
# minimum for longer.

# sphinx_gallery_thumbnail_number = 2
