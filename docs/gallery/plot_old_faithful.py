r"""
k-means, half-step by half-step
===============================

k-means takes turns: it gives each row to the nearest center (*assign*), then moves each
center to the mean of its rows (*update*). Both lower the same function,

.. math:: F = \sum_i \lVert x_i - \mu_{\ell_i} \rVert^2 ,

so each panel of this page is one half-step, with F in its title. The data are 272
eruptions of the geyser Old Faithful. Both columns are standardized, so F is counted in
squared standard deviations, and the start is wrong on purpose. The figures follow
Christopher M. Bishop, *Pattern Recognition and Machine Learning* (2006), figures 9.1
and 9.2.
"""

import gallery_style as style
import matplotlib.pyplot as plt

import kmtoolkit as km

X = km.datasets.old_faithful().X
X = (X - X.mean(axis=0)) / X.std(axis=0)

# %%
# A callback sees labels and centers after each assignment. It returns None, so the fit
# goes on.

seen = []


def watch(snapshot):
    """Keep what an assignment leaves."""
    seen.append((snapshot.labels.copy(), snapshot.centers.copy()))


result = km.kmeans(X, 2, init_centers=[[-1.5, 1.0], [1.5, -1.0]], tol=0, callback=watch)
trace = result.trace

# %%
# An update has the labels of the assignment before it, and the centers that the next
# assignment meets. The dashed line is equally near to both centers, and every
# assignment cuts the rows along it. Arrows show how an update moves centers.

figure, panels = plt.subplots(3, 3, figsize=(9, 8.6), sharex=True, sharey=True)
for t, axes in enumerate(panels.flat):
    n_iter, phase = trace.iteration[t], trace.phase[t]
    centers = seen[n_iter][1]
    if phase == "update":
        labels, before = seen[n_iter - 1]
        style.walks(axes, before, centers)
    else:
        labels = seen[n_iter][0]
        style.boundary(axes, *centers)
    style.clusters(axes, X, labels)
    style.centers(axes, centers)
    title = f"{phase} {n_iter}: F = {trace.objective[t]:.2f}"
    axes.set(title=title, xlim=(-2.2, 2.2), ylim=(-2.3, 2.3))
    style.columns(axes, ("eruption (std. dev.)", "waiting (std. dev.)"))

# %%
# The trace of the fit has F after every half-step. It never rises, and it stops falling
# when an assignment moves no row.

figure, axes = plt.subplots(figsize=(7.5, 3.4))
style.descent(axes, trace)
for t, F in enumerate(trace.objective):
    style.label(axes, f"{F:.4g}", (t, F))
axes.set(xlabel="half-step", ylabel="F (squared std. dev.)", yscale="log")
axes.set(ylim=(60, 1700))
axes.set_title("F never rises, and falls most in the first three half-steps")
style.phase_key(figure, ("init", "update", "assign"))

# %%
# The first update and the two half-steps after it do nearly all of the work. The last
# panels look alike: four rows between the clusters change sides, and then nothing moves
# any more. The trace says so in numbers.

assert trace.is_monotone
assert result.exact_fixed_point
