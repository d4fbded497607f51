"""Naive float64 oracles, written to be read. They import nothing from the package."""

import math
from itertools import product

import numpy as np
from scipy import special


def distance(x, c):
    """Squared Euclidean distance in float64: eight sums over whole eights of features, then the rest in turn."""
    squares = [(a - b) * (a - b) for a, b in zip(x.tolist(), c.tolist(), strict=True)]
    whole = len(squares) - len(squares) % 8
    s = [0.0] * 8
    for f in range(whole):
        s[f % 8] += squares[f]
    total = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
    for square in squares[whole:]:
        total += square
    return total


def nearest(X, centers):
    """Index of the nearest center of each row, the lowest among equals."""
    labels = []
    for x in X:
        distances = [distance(x, c) for c in centers]
        labels.append(distances.index(min(distances)))
    return np.array(labels)


def objective(X, weights, centers, labels):
    """Sum of w times squared distance to the own center, exactly rounded."""
    return math.fsum(w * distance(x, centers[j]) for x, w, j in zip(X, weights, labels, strict=True))


def seed_law(X, weights, chosen):
    """Probability (n,) of each row to be the next seed after the rows ``chosen``: in proportion to w D², or to w."""
    scores = [w * min((distance(x, X[j]) for j in chosen), default=1.0) for x, w in zip(X, weights, strict=True)]
    return np.array(scores) / math.fsum(scores)


def means(X, weights, labels, centers):
    """Weighted means of the clusters; an empty cluster keeps its center."""
    new = centers.copy()
    for j in range(len(centers)):
        mine = labels == j
        mass = math.fsum(weights[mine])
        if mass > 0:
            for f in range(X.shape[1]):
                new[j, f] = math.fsum(w * float(x) for w, x in zip(weights[mine], X[mine, f], strict=True)) / mass
    return new


def lloyd(X, weights, centers, max_iter=1000):
    """Lloyd's iteration without repair until the labels stay.

    Returns labels, n_iter, the objective by half-step, and the smallest margin any decision had.
    """
    centers = np.array(centers, dtype=float)
    closest = margin(X, centers)
    labels = nearest(X, centers)
    values = [objective(X, weights, centers, labels)]
    for n_iter in range(1, max_iter + 1):
        centers = means(X, weights, labels, centers)
        values.append(objective(X, weights, centers, labels))
        closest = min(closest, margin(X, centers))
        before, labels = labels, nearest(X, centers)
        values.append(objective(X, weights, centers, labels))
        if (labels == before).all():
            return labels, n_iter, values, closest
    raise AssertionError("the oracle did not converge")


def softmax_shares(x, centers, pi, beta):
    """How soft k-means shares a row."""
    logs = [math.log(p) - beta * distance(x, c) if p > 0 else -math.inf for p, c in zip(pi, centers, strict=True)]
    shares = [math.exp(log - max(logs)) for log in logs]
    return np.array([share / math.fsum(shares) for share in shares])


def memberships(x, centers, m):
    """How fuzzy c-means shares a row."""
    distances = [distance(x, c) for c in centers]
    if min(distances) == 0:
        shares = [float(d == 0) for d in distances]
    else:
        shares = [math.exp(math.log(min(distances) / d) / (m - 1)) for d in distances]
    return np.array([share / math.fsum(shares) for share in shares])


def soft_objective(X, weights, centers, pi, beta, shares):
    """F of soft k-means for any shares (n, k)."""
    return math.fsum(
        w * r * (distance(x, c) + math.log(r / p) / beta)
        for x, w, row in zip(X, weights, shares, strict=True)
        for c, p, r in zip(centers, pi, row, strict=True)
        if r > 0
    )


def fuzzy_objective(X, weights, centers, m, shares):
    """F of fuzzy c-means for any memberships (n, k)."""
    return math.fsum(
        w * u**m * distance(x, c)
        for x, w, row in zip(X, weights, shares, strict=True)
        for c, u in zip(centers, row, strict=True)
    )


def margin(X, centers):
    """The smallest gap between a row's two nearest centers, relative to the squared size of the numbers."""
    if len(centers) == 1:
        return math.inf
    scale = max(np.abs(X).max(), np.abs(centers).max()) ** 2 or 1.0
    gaps = []
    for x in X:
        first, second = sorted(distance(x, c) for c in centers)[:2]
        gaps.append(second - first)
    return min(gaps) / float(scale)


def distinct(X, factor=64):
    """How many rows differ pairwise by more than ``factor`` roundings."""
    eps = np.finfo(float).eps
    kept = []
    for x in X.astype(float):
        if all(math.sqrt(distance(x, y)) > factor * eps * (np.linalg.norm(x) + np.linalg.norm(y)) for y in kept):
            kept.append(x)
    return len(kept)


def partitions(n, k):
    """All partitions of n rows into k non-empty clusters, each once, as label vectors."""
    for labels in product(range(k), repeat=n):
        first = [labels.index(j) for j in range(k) if j in labels]
        if len(first) == k and first == sorted(first):
            yield np.array(labels)


def full_covariances(covariances, k, d, covariance):
    """Covariances of a type as matrices (k, d, d)."""
    array = np.asarray(covariances, float)
    if covariance in ("full", "tied"):
        return np.broadcast_to(array, (k, d, d))
    if covariance == "diag":
        return np.array([np.diag(row) for row in array])
    return np.array([np.eye(d) * value for value in np.broadcast_to(array.reshape(-1), k)])


def log_joint(X, centers, covariances, pi, unit=1.0):
    """Log of π N(x; μ, Σ) of each row and component (n, k), for matrices Σ (k, d, d), in units (d,) of the columns."""
    columns = []
    for center, covariance, p in zip(centers, covariances, pi, strict=True):
        z, units = (np.asarray(X, float) - center) / unit, np.broadcast_to(unit, len(center))
        scaled = covariance / units / units[:, None]
        log_det = np.linalg.slogdet(2 * math.pi * scaled)[1] + 2 * np.log(units).sum()
        squares = (z * np.linalg.solve(scaled, z.T).T).sum(axis=1)
        columns.append((math.log(p) if p > 0 else -math.inf) - (log_det + squares) / 2)
    return np.column_stack(columns)


def posteriors(logs):
    """Responsibilities (n, k) from logs of π N."""
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def mixture_objective(weights, logs, shares):
    """-Σ w r (log π N - log r)."""
    held = shares > 0
    entropy = np.where(held, np.log(np.where(held, shares, 1)), 0)
    return -float(weights @ np.where(held, shares * (np.where(held, logs, 0) - entropy), 0).sum(axis=1))


def moments(X, weights, shares, centers, covariance):
    """The covariances of a type that maximize the likelihood for shares and centers, in the public shape."""
    parts = weights[:, None] * shares
    mass, (k, d) = parts.sum(axis=0), centers.shape
    scatter = np.array([(parts[:, j, None] * (X - centers[j])).T @ (X - centers[j]) for j in range(k)])
    each = scatter / mass[:, None, None]
    diagonal = np.diagonal(each, axis1=1, axis2=2)
    if covariance == "full":
        return each
    if covariance == "tied":
        return scatter.sum(axis=0) / mass.sum()
    if covariance == "diag":
        return diagonal.copy()
    if covariance == "spherical":
        return diagonal.mean(axis=1)
    return np.trace(scatter.sum(axis=0)) / mass.sum() / d


def divergences(name, X, centers):
    """Divergences (n, k) of rows from centers by the textbook's formula, in float64."""
    x, c = np.asarray(X, float)[:, None], np.asarray(centers, float)[None]
    if name == "cosine":
        x = x / np.linalg.norm(x / np.abs(x).max(axis=2, keepdims=True), axis=2, keepdims=True)
        return 1 - (x / np.linalg.norm(x, axis=2, keepdims=True) * c).sum(axis=2)
    with np.errstate(divide="ignore", over="ignore"):
        terms = {
            "squared-euclidean": lambda: (x - c) ** 2,
            "mahalanobis": lambda: (x - c) ** 2,
            "euclidean": lambda: (x - c) ** 2,
            "manhattan": lambda: np.abs(x - c),
            "generalized-i": lambda: special.kl_div(x, c),
            "kl": lambda: special.kl_div(x, c),
            "itakura-saito": lambda: x / c - np.log(x) + np.log(c) - 1,
            "logistic": lambda: special.kl_div(x, c) + special.kl_div(1 - x, 1 - c),
        }[name]()
    total = terms.sum(axis=2)
    return np.sqrt(total) if name == "euclidean" else total


def medoid_loss(distances, weights, medoids):
    """Sum of w times the distance to the nearest medoid; row c of distances holds those from all rows to center c."""
    return math.fsum(w * min(float(distances[m, o]) for m in medoids) for o, w in enumerate(weights))


def swap_losses(distances, weights, medoids, candidate):
    """The loss (k,) after the candidate has taken the place of each medoid."""
    return [medoid_loss(distances, weights, [*medoids[:i], candidate, *medoids[i + 1 :]]) for i in range(len(medoids))]


def eager_swaps(distances, weights, medoids):
    """Swap as soon as a candidate lowers the loss, for the first of the medoids that are best to lose.

    Candidates are the rows in turn, until none is left. Returns the medoids and the number of swaps.
    """
    medoids, swaps, quiet, c = list(medoids), 0, 0, 0
    loss, n = medoid_loss(distances, weights, medoids), len(weights)
    while quiet < n:
        losses = swap_losses(distances, weights, medoids, c)
        quiet += 1
        if c not in medoids and min(losses) < loss:
            loss, quiet, swaps = min(losses), 0, swaps + 1
            medoids[losses.index(loss)] = c
        c = (c + 1) % n
    return medoids, swaps
