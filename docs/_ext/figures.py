"""The figures of the pages, drawn while these are built; colors are those of Okabe and Ito."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

import kmtoolkit as km

COLORS = ("#0072B2", "#D55E00", "#009E73", "#E69F00")
GRAY = "#6E6E6E"
SHARED = LinearSegmentedColormap.from_list("shared", [COLORS[0], "#C4C4C4", COLORS[1]])


def phases_of_soft_kmeans() -> None:
    """Centers of an annealed fit to the waits of Old Faithful, as the stiffness grows."""
    X, k, times = km.datasets.old_faithful().X[:, 1:], 4, 1.03
    first = 1 / (2 * X.var())
    seen: dict[int, np.ndarray] = {}  # centers by iteration; the first of several are those that had converged
    fit: Any = km.soft_kmeans(
        X, k, beta=200 * first, weights="uniform", anneal=times, tol=1e-10, rng=3,
        init_centers=np.full((k, 1), X.mean()),
        callback=lambda now: seen.setdefault(now.n_iter, now.centers.copy()) is None,
    )  # fmt: skip
    ends = [*fit.trace.iteration[fit.trace.phase == "anneal"], fit.n_iter]
    betas = [*first * times ** np.arange(len(ends) - 1), 200 * first]
    softer = first * np.linspace(0.4, 0.9, 6)
    below = [km.soft_kmeans(X, k, beta=beta, weights="uniform", tol=1e-10, rng=0).centers for beta in softer]
    paths = np.array([*below, *(seen[i] for i in ends)])[:, :, 0]
    _, axes = plt.subplots(figsize=(7.2, 3.6))
    axes.axvline(first, color=GRAY, linestyle="--", linewidth=1)
    axes.text(first * 1.06, 93, r"$1\,/\,(2\lambda)$")
    for path, color in zip(paths.T, COLORS, strict=True):
        axes.plot([*softer, *betas], path, color=color, linewidth=2)
    axes.plot(np.full(len(X), 260 * first), X[:, 0], "_", color=GRAY, alpha=0.3, markersize=10)
    axes.text(260 * first, 98, "rows", ha="center", color=GRAY)
    axes.set(xscale="log", xlabel="stiffness β", ylabel="waiting (minutes)", ylim=(41, 102))


def responsibilities() -> None:
    """Rows of Old Faithful by their responsibility, and the posterior between the two centers."""
    X = km.datasets.old_faithful().X
    fit: Any = km.gaussian_mixture(X, 2, init_centers=[[2, 50], [4, 80]])
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    dots = left.scatter(*X.T, c=fit.responsibilities(X)[:, 1], cmap=SHARED, s=14, vmin=0, vmax=1)
    left.plot(*fit.centers.T, color="black", linewidth=1, linestyle="--")
    ellipses(left, fit.centers, fit.covariances)
    of_faithful(left)
    left.figure.colorbar(dots, ax=left, label="share of the component of long eruptions")
    way = np.linspace(-0.1, 1.1, 300)
    points = fit.centers[0] + way[:, np.newaxis] * (fit.centers[1] - fit.centers[0])
    posteriors = fit.predict_proba(points)
    for j, (name, style) in enumerate((("short", "-"), ("long", "--"))):
        right.plot(way, posteriors[:, j], style, color=COLORS[j], linewidth=2)
        right.text(0.05 + 0.9 * j, 0.9, name, color=COLORS[j], ha="center")
    even = np.interp(0.5, posteriors[:, 1], way)
    right.plot(even, 0.5, "o", color="black", markersize=5)
    right.set(xlabel="way from the short center to the long one", ylabel="posterior probability")


def elongated() -> None:
    """Elongated clusters by k-means, by the mixture that is k-means, and by one with full covariances."""
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.normal(size=(120, 2)) * [0.5, 4] + [3 * j, 0] for j in range(3)])
    start = [[0, 0], [3, 0], [6, 0]]
    equal = km.Solver(assign=km.assigners.HardGaussian("tied-spherical"), update="mean", tol=0)
    kmeans = km.kmeans(X, 3, init_centers=start, tol=0)
    hard = equal.fit(X, 3, init_centers=start, init_covariances=1.0)
    mixture: Any = km.gaussian_mixture(X, 3, init_centers=start)
    fits = (
        ("k-means", kmeans, None),
        ("hard EM, Σ = I", hard, [np.eye(2)] * 3),
        ("EM, full Σ", mixture, mixture.covariances),
    )
    _, panels = plt.subplots(1, 3, figsize=(6.4, 4.6), sharex=True, sharey=True)
    for axes, (title, fit, covariances) in zip(panels, fits, strict=True):
        for j, color in enumerate(COLORS[:3]):
            axes.plot(*X[fit.labels == j].T, "os^"[j], color=color, markersize=3.5, alpha=0.7, markeredgewidth=0)
        ellipses(axes, fit.centers, covariances)
        axes.set(title=title, aspect="equal")


def half_steps() -> None:
    """The first half-steps of EM on Old Faithful, and its end."""
    X, start = km.datasets.old_faithful().X, [[2.5, 75], [4, 60]]
    _, panels = plt.subplots(2, 3, figsize=(10, 6), sharex=True, sharey=True)
    before: Any = km.gaussian_mixture(X, 2, init_centers=start, max_iter=0)
    steps = [("init", before, before, -1)]
    for many in (1, 2, 3):  # an iteration that is left after so many updaters has the parameters of that moment
        parts = ("mean", "covariances", "weights")[:many]
        fit: Any = km.Solver(assign="gaussian", update=parts, max_iter=1).fit(X, 2, init_centers=start)
        steps.append((fit.trace.phase[-2], fit, before, -2))
    steps.append(("assign", fit, fit, -1))
    end: Any = km.gaussian_mixture(X, 2, init_centers=start)
    steps.append((f"assign in iteration {end.n_iter}", end, end, -1))
    for axes, (phase, fit, sharing, which) in zip(panels.flat, steps, strict=True):
        axes.scatter(*X.T, c=sharing.responsibilities(X)[:, 1], cmap=SHARED, s=8, vmin=0, vmax=1)
        ellipses(axes, fit.centers, fit.covariances)
        axes.set_title(f"{phase}: F = {fit.trace.objective[which]:.2f}")
        of_faithful(axes)
        axes.text(0.97, 0.04, "π = " + ", ".join(f"{w:.2f}" for w in fit.weights), ha="right", transform=axes.transAxes)
        axes.label_outer()


def of_faithful(axes: Axes) -> None:
    """The columns of Old Faithful."""
    axes.set(xlabel="eruption (minutes)", ylabel="waiting (minutes)")


def ellipses(axes: Axes, centers: np.ndarray, covariances: Any) -> None:
    """Centers, and the points that are two standard deviations away from them, if there are any."""
    angles = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    for j, center in enumerate(centers):
        axes.plot(*center, "x", color="black", markersize=8, markeredgewidth=2)
        if covariances is not None:
            outline = center[:, np.newaxis] + 2 * np.linalg.cholesky(covariances[j]) @ circle
            axes.plot(*outline, color=COLORS[j], linewidth=1.8)


def factors() -> None:
    """Iris, its factorization, and the residual, sorted by cluster."""
    data = km.datasets.iris()
    X = (data.X - data.X.mean(axis=0)) / data.X.std(axis=0)
    fit = km.kmeans(X, 3, n_init=10, rng=0)
    rank = np.argsort(np.argsort(fit.centers[:, 2]))[fit.labels]  # clusters by the length of petals
    X, rank = X[np.argsort(rank, kind="stable")], np.sort(rank)
    M, Z = km.factorization.factorize(rank, X)
    product = km.factorization.reconstruct(M, Z)
    span = float(np.abs(X).max())
    figure, panels = plt.subplots(1, 3, figsize=(8.2, 4.6), sharex=True, sharey=True)
    names = [name.replace("_", "\n") for name in data.columns]
    pictures = ((X, "X", "cividis"), (product, "ZM", "cividis"), (X - product, "X - ZM", "PuOr"))
    for axes, (picture, title, colors) in zip(panels, pictures, strict=True):
        image = axes.imshow(picture, aspect="auto", cmap=colors, vmin=-span, vmax=span, interpolation="nearest")
        axes.hlines(np.flatnonzero(np.diff(rank)) + 0.5, -0.5, 3.5, color="white", linewidth=1.5)
        axes.set(title=title, xticks=range(4))
        axes.set_xticklabels(names, fontsize=8)
        axes.tick_params(length=0)
        if axes is not panels[0]:
            figure.colorbar(image, ax=axes, label="standard deviations" if axes is panels[2] else None, aspect=30)
    panels[0].set_ylabel("flowers, sorted by cluster")


def outliers() -> None:
    """The same rows by k-means, k-medians and k-medoids, with and without a few far away."""
    X, far = with_outliers()
    fits = (("k-means", km.kmeans), ("k-medians", km.kmedians), ("k-medoids", km.kmedoids))
    _, panels = plt.subplots(1, 3, figsize=(9, 2.6), sharex=True, sharey=True)
    for axes, (title, fit) in zip(panels, fits, strict=True):
        start = {"init_medoids": [0, 40, 80]} if fit is km.kmedoids else {"init_centers": X[[0, 40, 80]]}
        alone: Any = fit(X[~far], 3, **start)
        spoiled: Any = fit(X, 3, **start)
        axes.plot(*X[~far].T, ".", color="#B0B0B0", markersize=5)
        axes.plot(*X[far].T, "s", color=COLORS[1], markersize=4)
        for before, after in zip(alone.centers, spoiled.centers, strict=True):
            axes.annotate("", after, before, arrowprops={"arrowstyle": "->", "color": "black", "linewidth": 1.4})
        axes.plot(*alone.centers.T, "o", color=COLORS[0], markersize=8, fillstyle="none", markeredgewidth=2)
        axes.plot(*spoiled.centers.T, "x", color="black", markersize=8, markeredgewidth=2)
        way = float(np.linalg.norm(spoiled.centers - alone.centers, axis=1).max())
        axes.set(title=f"{title}: up to {way:.2f}", aspect="equal")


def with_outliers() -> tuple[np.ndarray, np.ndarray]:
    """Three groups of 40 rows and 6 rows far from them, (126, 2); and which these are (126,)."""
    rng = np.random.default_rng(7)
    groups = np.repeat([[0.0, 0.0], [5.0, 0.0], [2.5, 4.5]], 40, axis=0) + rng.normal(scale=0.6, size=(120, 2))
    far = np.array([9.5, 2.0]) + rng.normal(scale=0.5, size=(6, 2))
    return np.concatenate([groups, far]), np.arange(126) >= 120


def tutorials() -> None:
    """The strategies of the tutorials beside the package's, one panel for each role."""
    import tutorial_strategies as mine

    def right(result: Any, problem: Any) -> float:
        """How well the clusters agree with the groups that the rows were made from."""
        rows = problem["classes"] >= 0
        return float(km.agreement.adjusted_rand(result.labels[rows], problem["classes"][rows]))

    X, classes = groups_with_outliers()
    problem = km.bench.Problem("groups", X, 8, classes=classes)
    strategies: list[tuple[str, str, dict[str, Any]]] = [
        ("initializers", "init", {"init": ["k-means++", "random", mine.density_biased]}),
        ("assigners", "assign", {"assign": ["dense", "hamerly", mine.nearest_numpy]}),
        ("updaters", "update", {"assign": ["dense", mine.clipped_squares],
                                "update": ["mean", mine.trimmed_mean, mine.mean_of_near]}),
        ("empty-cluster handlers", "empty", {"init": ["random"],
                                             "empty": ["farthest", "split", mine.nearest_neighbor]}),
    ]  # fmt: skip
    _, panels = plt.subplots(2, 2, figsize=(9, 5.6))
    for axes, (title, slot, grid) in zip(panels.flat, strategies, strict=True):
        found = km.bench.compare(grid, [problem], metrics={"agreement": right}, max_iter=50, rng=2)
        names = sorted({r[slot] for r in found.records}, key=lambda name: name in dir_of(mine))
        for i, name in enumerate(names):
            runs = [r for r in found.records if r[slot] == name]
            seconds = [1e3 * r["seconds"] for r in runs]
            x, low, high = km.bench.analysis.median_interval(seconds)
            y, worse, better = km.bench.analysis.median_interval([r["agreement"] for r in runs])
            color = COLORS[1] if name in dir_of(mine) else GRAY
            axes.errorbar(x, y, [[y - worse], [better - y]], [[x - low], [high - x]], fmt="os^"[i], color=color,
                          label=name, capsize=3)  # fmt: skip
        axes.set(title=title, xscale="log", xlabel="milliseconds", ylabel="agreement with the groups")
        axes.legend(fontsize=8)


def dir_of(module: Any) -> set[str]:
    """The names that a module's strategies are registered under."""
    return {name.replace("_", "-") for name in vars(module)}


def groups_with_outliers() -> tuple[np.ndarray, np.ndarray]:
    """Eight groups in a plane and rows far from them (3000, 2); groups, -1 for those far away (3000,)."""
    rng = np.random.default_rng(5)
    which = rng.integers(8, size=3000)
    X = rng.uniform(0, 12, size=(8, 2))[which] + 0.4 * rng.normal(size=(3000, 2))
    X[:150], which[:150] = rng.uniform(-20, 32, size=(150, 2)), -1
    return X, which
