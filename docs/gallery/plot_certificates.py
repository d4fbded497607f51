r"""
One certificate for all families
================================

All methods of this library are the same descent: a function F of assignment and
parameters is lowered in turns, and written down after every half-step. I. Csiszár and
G. Tusnády, *Information geometry and alternating minimization procedures* (1984), study
such turns in general; R. M. Neal and G. E. Hinton, *A view of the EM algorithm that
justifies incremental, sparse, and other variants* (1998), show that EM is one. This
page runs twelve of them on the 150 flowers of iris, from a start that is bad on
purpose: three flowers of one species.
"""

import gallery_style as style
import matplotlib.pyplot as plt
import numpy as np

import kmtoolkit as km

X = km.datasets.iris().X
start = {"init_centers": X[[0, 1, 2]]}
medoids = {"init_medoids": [0, 1, 2]}
A = np.linalg.inv(np.cov(X.T))

# %%
# Each family is one call. With ``tol=0`` a fit goes on until nothing moves; the soft
# ones would take long for that, and stop when an iteration hardly lowers F.


def bregman(divergence):
    """Bregman clustering from the common start."""
    return km.bregman_kmeans(X, 3, divergence=divergence, tol=0, **start)


fits = {
    "k-means": km.kmeans(X, 3, tol=0, **start),
    "k-medians": km.kmedians(X, 3, tol=0, **start),
    "k-medoids, alternate": km.kmedoids(X, 3, method="alternate", **medoids),
    "k-medoids, FasterPAM": km.kmedoids(X, 3, method="fasterpam", **medoids),
    "spherical k-means": km.spherical_kmeans(X, 3, tol=0, **start),
    "Bregman, generalized I": bregman("generalized-i"),
    "Bregman, Itakura-Saito": bregman("itakura-saito"),
    "Bregman, Mahalanobis": bregman(km.assigners.Mahalanobis(A)),
    "soft k-means": km.soft_kmeans(X, 3, beta=2.0, tol=1e-6, **start),
    "fuzzy c-means": km.fuzzy_cmeans(X, 3, m=2.0, tol=1e-6, **start),
    "hard EM": km.hard_em(X, 3, tol=0, **start),
    "Gaussian mixture, EM": km.gaussian_mixture(X, 3, tol=1e-6, **start),
}
formulas = (
    r"$\sum\, \|x - \mu\|^2$",
    r"$\sum\, \|x - \mu\|_1$",
    r"$\sum\, \|x - m\|$,  $m$ a row",
    r"$\sum\, \|x - m\|$,  $m$ a row",
    r"$\sum\, (1 - \cos(x, \mu))$",
    r"$\sum\, (x \, \log(x / \mu) - x + \mu)$",
    r"$\sum\, (x / \mu - \log(x / \mu) - 1)$",
    r"$\sum\, (x - \mu)^\top A \, (x - \mu)$",
    r"$\sum\, r \, (\|x - \mu\|^2 + \frac{1}{\beta} \log\frac{r}{\pi})$",
    r"$\sum\, u^2 \, \|x - \mu\|^2$",
    r"$-\sum\, \log\, \pi \, N(x; \mu, \Sigma)$",
    r"$-\sum\, r \, \log(\pi \, N(x; \mu, \Sigma) / r)$",
)

# %%
# Units of F differ, so a panel shows the part of the whole fall that is still to come,
# (F − F_end) / (F_start − F_end): 1 at the start, 0 at the end. The scale is
# logarithmic down to 0.001, and linear below.

figure, panels = plt.subplots(3, 4, figsize=(11, 8.6), sharey=True)
for axes, (name, fit), formula in zip(panels.flat, fits.items(), formulas):
    trace, F = fit.trace, fit.trace.objective
    assert trace.certified
    assert trace.is_monotone
    to_come = (F - F[-1]) / (F[0] - F[-1])
    style.descent(axes, trace, to_come, size=5 if len(F) < 40 else 3)
    axes.set_yscale("symlog", linthresh=1e-3)
    axes.set(ylim=(-2e-4, 1.6), yticks=[0, 1e-3, 1e-2, 1e-1, 1])
    axes.set_yticklabels(["0", "0.001", "0.01", "0.1", "1"])
    axes.set_title(f"{name}\n{formula}")
    style.note(axes, f"{len(F)} half-steps", y=0.9)
for axes in panels[:, 0]:
    axes.set_ylabel("part of the fall to come")
for axes in panels[-1]:
    axes.set_xlabel("half-step")
phases = ("init", "update", "covariances", "weights", "assign")
style.phase_key(figure, phases)

# %%
# No line rises, and the assertion in the script says so: each drop was judged while the
# fit ran. The shapes differ. FasterPAM does nearly everything in its first half-step,
# because it moves medoids and labels together. Mixtures have four kinds of half-steps
# and take the longest way, with plateaus where components part slowly. A certificate
# says that each method went downhill; it does not compare one with another, as each has
# a function of its own.
