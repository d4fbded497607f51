"""What soft families minimize: shares of rows in place of labels, and how far an update lowers F."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kmtoolkit.kernels.arithmetic import EPS
from kmtoolkit.kernels.soft import share_by_distance, share_by_softmax
from kmtoolkit.objectives import SquaredEuclidean, Step
from kmtoolkit.problem import Problem, SoftState, read_only

__all__ = [
    "FuzzyCMeans",
    "SoftKMeans",
    "SoftObjective",
    "Theta",
    "blocks",
    "gain_of_weights",
    "largest_variance",
    "logs_of",
]

Theta = dict[str, np.ndarray]  # parameters by their names in the state

FOLDED = 64  # roundings that a sum over some hundred rows may have, before it enters a pair
BLOCK_NUMBERS = 1 << 20  # shares that are held at once


class SoftObjective(SquaredEuclidean):
    """A function of shares of rows among centers, by squared distances."""

    divergence = "squared-euclidean"
    parameters: tuple[str, ...] = ("centers", "weights")  # θ
    given: tuple[str, ...] = ("weights",)  # those beside the centers that a fit may be given to start from
    statistics: tuple[str, ...] = ("mass", "sums", "spread")  # what an assignment leaves to the updaters

    @classmethod
    def of(cls, assigner: Any) -> "SoftObjective":
        """The objective of an assigner, whose hyper-parameters are its own."""
        raise NotImplementedError

    def scale(self, problem: Problem, box: np.ndarray) -> float:
        """What ``tol`` is relative to: 1, because falls are relative to F."""
        return 1.0

    def unit(self, value: float, problem: Problem) -> float:
        """What falls of F, which is now ``value``, are relative to."""
        return abs(value)

    def admit(self, given: Theta, k: int, d: int) -> Theta:
        """Check parameters that were given to start from, but for the centers; ValueError if they can't be."""
        for name in given:
            if name not in self.given:
                raise ValueError(f"init_{name} is given, but {self.name} has no {name} to start from")
        given = dict(given)
        if "weights" in given:
            weights = np.array(given["weights"], np.float64)
            if weights.shape != (k,):
                raise ValueError(f"init_weights has shape {weights.shape}; it must have one weight a cluster, ({k},)")
            if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
                raise ValueError("init_weights must be finite and not negative, and one of them positive")
            scaled = weights / weights.max()
            given["weights"] = weights if abs(weights.sum() - 1) <= 1e-9 else scaled / scaled.sum()
        return given

    def begin(self, problem: Problem, box: np.ndarray, given: Theta) -> Any:
        """The state before the first assignment; ``given`` has the centers, and maybe more."""
        weights = given.get("weights", np.full(problem.k, 1 / problem.k))
        return self.blank(len(problem.X), {**given, "weights": weights}, self.origin(box))

    def blank(self, n: int, theta: Theta, origin: np.ndarray) -> Any:
        """A state with these parameters, and n rows that are not assigned yet."""
        k, d = theta["centers"].shape
        return SoftState(
            centers=theta["centers"], labels=np.full(n, -1, np.int32), counts=np.zeros(k, np.int64), mass=np.zeros(k),
            sums=np.zeros((k, d)), origin=origin, shift=np.zeros(k), spread=np.zeros(k), weights=theta["weights"],
        )  # fmt: skip

    def share(self, problem: Problem, state: Any) -> tuple[float, float]:
        """Write labels and statistics of the best shares; F, and its rounding."""
        raise NotImplementedError

    def derive(self, problem: Problem, state: Any, before: Theta, shared: Theta) -> None:
        """Bring what follows from parameters and statistics up to date, after an updater moved from ``before``.

        The statistics are of the best shares for the parameters ``shared``.
        """

    def shares(self, distances: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The best shares (n, k) for squared distances (n, k) and mixing weights (k,)."""
        raise NotImplementedError

    def terms(self, shares: np.ndarray, distances: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """F of each row and cluster (n, k), for any shares."""
        raise NotImplementedError

    def weights_drop(self, before: np.ndarray, state: SoftState) -> tuple[float, float]:
        """How far F fell when the mixing weights changed, and the magnitude of its terms."""
        return 0.0, 0.0

    def fell(self, state: Any, before: Theta, value: float) -> Step:
        """How far F fell when the parameters changed from ``before``, for any parameters."""
        centers = before["centers"]
        none = np.zeros_like(state.mass)
        step = self.updated(state, centers, (none, np.zeros_like(state.sums)), none, abs(value))
        moved = np.sqrt(np.square(state.centers - centers).sum(axis=1))
        mass = np.maximum(state.mass, np.finfo(float).tiny)
        away = np.sqrt(np.square(state.sums / mass[:, np.newaxis]).sum(axis=1)) + np.sqrt(state.spread / mass)
        drop, terms = self.weights_drop(before["weights"], state)
        lost = FOLDED * EPS * (float((state.mass * moved * away).sum()) + terms)
        return Step(step.drop + drop, step.noise + lost, step.terms + terms)

    def value(self, problem: Problem, shared: Theta, state: Any, sharer: "SoftObjective") -> np.ndarray:
        """F of each cluster (k,), from scratch, of shares that are ``sharer``'s best for the parameters ``shared``."""
        totals: list[np.ndarray] = []
        for X, weights in blocks(problem):
            shares = sharer.shares(_distances(X, shared["centers"]), shared["weights"])
            terms = self.terms(shares, _distances(X, state.centers), state.weights)
            totals.append(weights @ terms)
        return np.array([math.fsum(column) for column in zip(*totals, strict=True)])

    def responsibilities(self, X: np.ndarray, theta: Theta) -> np.ndarray:
        """The best shares (n, k) of the rows X (n, d)."""
        problem = Problem(X, np.ones(len(X)), len(theta["centers"]))
        return np.concatenate(
            [self.shares(_distances(rows, theta["centers"]), theta["weights"]) for rows, _ in blocks(problem)]
        )

    def of_largest_share(self, X: np.ndarray, theta: Theta) -> np.ndarray:
        """The cluster with the largest share of each row, the first of equals, (n,) int32."""
        state = self.blank(len(X), theta, np.zeros(X.shape[1]))
        self.share(Problem(X, read_only(np.ones(len(X))), len(theta["centers"])), state)
        return state.labels


def blocks(problem: Problem) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and weights, some thousand at a time."""
    size = max(BLOCK_NUMBERS // (problem.k * problem.X.shape[1]), 1)
    for first in range(0, len(problem.X), size):
        yield problem.X[first : first + size].astype(np.float64), problem.sample_weight[first : first + size]


def _distances(X: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Squared distances (n, k), from differences."""
    return np.square(X[:, np.newaxis] - centers).sum(axis=2)


class SoftKMeans(SoftObjective):
    """F = Σ w r (‖x - μ‖² + log(r / π) / β), the objective of soft k-means."""

    name = "soft-k-means"

    def __init__(self, beta: float) -> None:
        self.beta = beta

    @classmethod
    def of(cls, assigner: Any) -> "SoftKMeans":
        """The objective for the stiffness ``assigner.beta``."""
        return cls(float(assigner.beta))

    def share(self, problem: Problem, state: SoftState) -> tuple[float, float]:
        """Write labels and statistics of the best shares; F, and its rounding."""
        return share_by_softmax(problem, state, self.beta)

    def shares(self, distances: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Softmax of log π - β distance."""
        distances = np.where(weights > 0, distances, np.inf)
        relative = self.beta * (distances - distances.min(axis=1, keepdims=True)) - logs_of(weights)
        shares = np.exp(relative.min(axis=1, keepdims=True) - relative)
        return shares / shares.sum(axis=1, keepdims=True)

    def terms(self, shares: np.ndarray, distances: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """R (distance + log(r / π) / β); 0 where r is 0."""
        held = (shares > 0) & (weights > 0)
        logs = np.log(shares, out=np.zeros_like(shares), where=held) - logs_of(weights)
        return np.where(held, shares, 0) * (np.where(held, distances, 0) + np.where(held, logs, 0) / self.beta)

    def weights_drop(self, before: np.ndarray, state: SoftState) -> tuple[float, float]:
        """Σ mass log(π new / π old) / β; for π = mass / W it is W KL(π new ‖ π old) / β, which Gibbs has above 0."""
        gain, terms = gain_of_weights(before, state)
        return gain / self.beta, terms / self.beta

    def stiffened(self, stiffer: "SoftKMeans", books: Any) -> Step:
        """How far F falls when β is raised, for shares r as they are: by (1 / β - 1 / β new) Σ w r log(r / π).

        That sum, which Gibbs has above 0, is β (F - Σ w r ‖x - μ‖²), and both were measured.
        """
        spread = float(books.state.spread.sum())
        part = 1 - self.beta / stiffer.beta
        lost = books.noise + books.pending + FOLDED * EPS * (abs(books.live) + spread)
        return Step(part * (books.live - spread), abs(part) * lost, abs(part) * (abs(books.live) + spread))


class FuzzyCMeans(SoftObjective):
    """F = Σ w u^m ‖x - c‖², the objective of fuzzy c-means."""

    name = "fuzzy-c-means"
    given = ()

    def __init__(self, m: float) -> None:
        self.m = m

    @classmethod
    def of(cls, assigner: Any) -> "FuzzyCMeans":
        """The objective for the fuzzifier ``assigner.m``."""
        return cls(float(assigner.m))

    def share(self, problem: Problem, state: SoftState) -> tuple[float, float]:
        """Write labels and statistics of the best memberships; F, and its rounding."""
        return share_by_distance(problem, state, self.m)

    def shares(self, distances: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The memberships u, in proportion to distance ** (-1 / (m - 1))."""
        least = distances.min(axis=1, keepdims=True)
        on_centers = (distances == 0).astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.exp(np.log(least / distances) / (self.m - 1))
        shares = np.where(least > 0, ratios, on_centers)
        return shares / shares.sum(axis=1, keepdims=True)

    def terms(self, shares: np.ndarray, distances: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """u^m distance."""
        return shares**self.m * distances


def gain_of_weights(before: np.ndarray, state: Any) -> tuple[float, float]:
    """Σ mass log(π new / π old), and the magnitude of its terms."""
    held = state.mass > 0
    if np.array_equal(before, state.weights):
        return 0.0, 0.0
    with np.errstate(divide="ignore"):
        logs = np.log(state.weights[held] / before[held])
    mass = state.mass[held]
    return math.fsum(mass * logs), float((mass * (np.abs(logs) + 1)).sum())


def largest_variance(problem: Problem) -> float:
    """The largest eigenvalue of the weighted covariance of the rows."""
    total = problem.sample_weight.sum()
    mean = sum(weights @ X for X, weights in blocks(problem)) / total
    scatter = sum((weights * (X - mean).T) @ (X - mean) for X, weights in blocks(problem))
    return float(np.linalg.eigvalsh(scatter / total)[-1])


def logs_of(weights: np.ndarray) -> np.ndarray:
    """Log π (k,), -inf where it is 0."""
    return np.log(weights, out=np.full(len(weights), -np.inf), where=weights > 0)
