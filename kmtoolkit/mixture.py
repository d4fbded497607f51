"""What Gaussian mixtures minimize: minus the log-likelihood, and how far an update of each parameter lowers it.

The factor of a covariance, computed once, is what all of F is computed from, so that the account of F needs no bound
on how ill-conditioned a covariance is.
"""

import math
from typing import Any

import numpy as np

from kmtoolkit.errors import RuleBroken
from kmtoolkit.kernels.arithmetic import EPS
from kmtoolkit.kernels.covariance import above_floor, factorize, log_dets, shape_of, spelt_squares, times, traces
from kmtoolkit.kernels.gaussian import (
    AS_LABELED,
    HARD,
    SOFT,
    Components,
    Statistics,
    components,
    log_densities,
    share_by_density,
)
from kmtoolkit.kernels.statistics import column_variances
from kmtoolkit.objectives import Step
from kmtoolkit.records import MixtureState, Problem
from kmtoolkit.soft import FOLDED, SoftObjective, Theta, blocks, gain_of_weights, logs_of

__all__ = ["COVARIANCES", "GaussianMixture", "HardGaussianMixture", "public_shape"]

LEFT = 16.0  # times what is left of sums of squares that may be taken away
TIED = 1e-6  # relative difference of costs by rounding, for covariances as singular as may be
LARGEST = 1e300
LEAST = 2.0**-960  # of squares that are clear of underflow
SINGULAR = 2.0**-43  # relative to the largest eigenvalue, what rounding does not yet reach
COVARIANCES = ("full", "tied", "diag", "spherical", "tied-spherical")


class GaussianMixture(SoftObjective):
    """F = -Σ w r (log π + log N(x; μ, Σ) - log r), with Σ ⪰ diag(floor)."""

    name = "gaussian-mixture"
    parameters = ("centers", "weights", "covariances", "factors")
    given = ("weights", "covariances")
    statistics = ("mass", "sums", "spread", "scatter")
    how = SOFT  # a row is shared

    def __init__(self, covariance: str, floor: float) -> None:
        self.covariance, self.floor_share = covariance, floor

    @classmethod
    def of(cls, assigner: Any) -> "GaussianMixture":
        """The objective for the type and floor of covariances that the assigner has."""
        return cls(assigner.covariance, float(assigner.floor))

    def unit(self, _value: float, problem: Problem) -> float:
        """What falls of F are relative to: the weight of the rows, so that ``tol`` is in nats a row."""
        return float(problem.sample_weight.sum())

    def admit(self, given: Theta, k: int, d: int) -> Theta:
        """Check parameters that were given to start from."""
        given = super().admit(given, k, d)
        if "covariances" in given:
            array, shape = np.array(given["covariances"], np.float64), shape_of(self.covariance, k, d)
            public = public_shape(self.covariance, k, d)
            if array.shape not in (shape, public):
                raise ValueError(f"init_covariances has shape {array.shape}; of type {self.covariance!r} it must be "
                                 f"{public}")  # fmt: skip
            array = array.reshape(shape)
            if not np.abs(array).max() < LARGEST:
                raise ValueError(f"init_covariances must be finite, and below {LARGEST:g}")
            if array.ndim == 3:
                flipped, unit = array.transpose(0, 2, 1), np.sqrt(np.abs(np.diagonal(array, axis1=1, axis2=2)))
                if (np.abs(array - flipped) > 1e-9 * unit[:, np.newaxis] * unit[:, :, np.newaxis]).any():
                    raise ValueError("init_covariances is not symmetric")
                array = array / 2 + flipped / 2
            if factorize(array) is None:
                raise ValueError("init_covariances is not positive definite; all its eigenvalues must be above 0")
            given["covariances"] = array
        return given

    def begin(self, problem: Problem, box: np.ndarray, given: Theta) -> MixtureState:
        """The state before the first assignment.

        Covariances that are not given are those of the rows about the nearest center, all clusters together. A center
        beyond the box of the rows counts as the point of the box nearest to it, so no start is too wide for floats.
        """
        k, (n, d) = problem.k, problem.X.shape
        shape = shape_of(self.covariance, k, d)
        theta, floor = {"weights": np.full(k, 1 / k), **given}, self.least(problem, box)
        if "covariances" in given:
            theta["covariances"] = above_floor(given["covariances"], floor)
        else:
            round_ones = np.broadcast_to(np.eye(d) if len(shape) == 3 else np.ones(shape[1]), shape)
            theta |= {"covariances": round_ones.copy(), "factors": round_ones.copy()}
            state = self.blank(n, theta, self.origin(box), floor)
            state.labels[:] = self.nearest(problem.X, state.centers)
            statistics = self._gather(problem, state, AS_LABELED, np.clip(state.centers, *box.astype(np.float64)))
            pooled = self._scatter(statistics).sum(axis=0, keepdims=True) / statistics.mass.sum()
            pooled = above_floor(pooled / (d if shape[1:] == (1,) else 1), floor)
            theta["covariances"] = np.broadcast_to(pooled, shape).copy()
        return self.blank(n, self.with_factors(theta), self.origin(box), floor)

    def least(self, problem: Problem, box: np.ndarray) -> np.ndarray:
        """The floor (d,): a share of the variances, but no less than what keeps covariances from being singular.

        Moments reach the squared range of the rows, and keep clear of rounding that is relative to it. Columns that are
        constant, or as good as that, get the mean of the others.
        """
        low, high = (box[i].astype(np.float64) for i in (0, 1))
        variances = column_variances(problem.X, problem.sample_weight, low / 2 + high / 2)
        size = np.maximum(self.floor_share * variances, SINGULAR * len(low) * np.square(high - low))
        varied = (high - low > 8 * EPS * np.maximum(np.abs(low), np.abs(high))) & (size > LEAST)
        return np.where(varied, size, size[varied].mean() if varied.any() else 1.0)

    def with_factors(self, theta: Theta) -> Theta:
        """The parameters, with the factors of their covariances."""
        factors = factorize(theta["covariances"])
        assert factors is not None
        return {**theta, "factors": factors}

    def blank(self, n: int, theta: Theta, origin: np.ndarray, floor: np.ndarray | None = None) -> MixtureState:
        """A state with these parameters, and n rows that are not assigned yet."""
        soft, covariances = super().blank(n, theta, origin), theta["covariances"]
        k, d = soft.centers.shape
        return MixtureState(
            **soft._asdict(), scatter=np.zeros((k, *covariances.shape[1:])), covariances=covariances,
            factors=theta["factors"], floor=np.zeros(d) if floor is None else floor,
        )  # fmt: skip

    def share(self, problem: Problem, state: MixtureState) -> tuple[float, float]:
        """Write labels and statistics of the best shares; F, and its rounding."""
        found = self._gather(problem, state, self.how)
        live = found.mass > 0
        state.mass[:] = found.mass
        state.sums[:] = found.first + found.mass[:, np.newaxis] * (state.centers - state.origin)
        state.spread[:] = found.second.sum(axis=1)
        state.scatter[:] = self._scatter(found)
        state.scatter[~live] = 0.0
        lost = spelt_squares(state.factors, np.sqrt(found.second)).sum()
        return found.value, found.noise + (len(state.origin) + 8) * EPS * float(lost)

    def _gather(self, problem: Problem, state: Any, how: int, about: np.ndarray | None = None) -> Statistics:
        """Moments about the centers, or about other points (k, d)."""
        about = state.centers if about is None else about
        return share_by_density(problem.X, problem.sample_weight, self._components(state), how, state.labels, about)

    def _components(self, state: Any) -> Components:
        d = state.centers.shape[1]
        logs = logs_of(state.weights) + log_dets(state.factors, d) - d / 2 * math.log(2 * math.pi)
        return components(state.centers, state.factors, logs)

    def _scatter(self, found: Statistics) -> np.ndarray:
        """The second moments in the shape of the covariances."""
        if self.covariance in ("full", "tied"):
            assert found.products is not None
            return found.products
        return found.second if self.covariance == "diag" else found.second.sum(axis=1, keepdims=True)

    def derive(self, problem: Problem, state: MixtureState, before: Theta, shared: Theta) -> None:
        """Factorize new covariances, and move the scatter to new centers.

        Where too little would be left of it, and so of its digits, the rows are gathered again by the same shares.
        """
        if not np.array_equal(state.covariances, before["covariances"]):
            factors = factorize(state.covariances)
            if factors is None:
                raise RuleBroken("wrote covariances that are not finite and positive definite")
            state.factors[:] = factors
        e, f = (self._off(state, centers) for centers in (before["centers"], state.centers))
        if state.scatter.ndim == 3:
            change = f[:, :, np.newaxis] * f[:, np.newaxis] - e[:, :, np.newaxis] * e[:, np.newaxis]
        else:
            change = (f - e) * (f + e)
        if state.scatter.shape[1:] == (1,):
            change = change.sum(axis=1, keepdims=True)
        mass = state.mass[:, np.newaxis]
        state.scatter[:] += mass.reshape(-1, *(1,) * (change.ndim - 1)) * change
        if (mass * e**2 > LEFT * self._second(state)).any():
            how = AS_LABELED if self.how == HARD else SOFT
            old = state._replace(labels=state.labels.copy(), **shared)
            found = self._gather(problem, old, how, state.centers)
            state.scatter[:] = self._scatter(found)

    def _second(self, state: MixtureState) -> np.ndarray:
        """The sums of squares about the centers, feature by feature if these are known, (k, d or 1)."""
        return np.diagonal(state.scatter, axis1=1, axis2=2) if state.scatter.ndim == 3 else state.scatter

    def _off(self, state: Any, centers: np.ndarray) -> np.ndarray:
        """From the clusters' means to centers, (k, d); 0 without mass."""
        mass = state.mass[:, np.newaxis]
        means = np.divide(state.sums, mass, out=np.zeros_like(state.sums), where=mass > 0)
        return np.where(mass > 0, centers - state.origin - means, 0.0)

    def fell(self, state: MixtureState, before: Theta, _value: float) -> Step:
        """How far F fell when the parameters changed from ``before``: centers, then covariances, then weights.

        The centers' part is ½ R (‖L(old - m)‖² - ‖L(new - m)‖²) with L the old factor and m the mean; that of the
        covariances is the change of R log det L - ½ tr(L S Lᵀ), S about the new centers.
        """
        mass, d, old, new = state.mass, state.centers.shape[1], before["factors"], state.factors
        e, f = (self._off(state, centers) for centers in (before["centers"], state.centers))
        around = np.sqrt((1 + LEFT) * np.maximum(self._second(state), 0) + mass[:, np.newaxis] * (e**2 + f**2))
        size = np.abs(before["centers"] - state.origin) + np.abs(state.centers - state.origin)
        size = (size + np.abs(state.centers) / 2) * np.sqrt(mass)[:, np.newaxis] / FOLDED
        step, both = times(old, e - f), np.abs(e) + np.abs(f)
        drop = 0.5 * float((mass * (step * times(old, e + f)).sum(axis=1)).sum())
        reach = times(np.abs(old), np.sqrt(mass)[:, np.newaxis] * both + around + size)
        lost = float((np.sqrt(mass)[:, np.newaxis] * times(np.abs(old), np.abs(e - f)) * reach).sum())
        if not np.array_equal(old, new):
            logs = log_dets(new, d) - log_dets(old, d)
            drop += float((mass * logs).sum() + 0.5 * (traces(old, state.scatter) - traces(new, state.scatter)).sum())
            for factors in (np.abs(old), np.abs(new)):
                reach = times(factors, around)
                lost += float((reach * (reach + 2 * times(factors, size))).sum())
            lost += float((mass * (np.abs(log_dets(old, d)) + np.abs(log_dets(new, d)) + d)).sum())
        gain, terms = self.weights_drop(before["weights"], state)
        return Step(drop + gain, FOLDED * EPS * (lost + terms), lost + terms)

    def weights_drop(self, before: np.ndarray, state: Any) -> tuple[float, float]:
        """Σ mass log(π new / π old)."""
        return gain_of_weights(before, state)

    def value(self, problem: Problem, shared: Theta, state: Any, _sharer: SoftObjective) -> np.ndarray:
        """F of each cluster (k,), from scratch, of shares that are best for the parameters ``shared``."""
        totals: list[np.ndarray] = []
        now, first = {name: getattr(state, name) for name in self.parameters}, 0
        for X, weights in blocks(problem):
            costs, shares = _costs(X, now), self._shares_of(_costs(X, shared), state.labels[first : first + len(X)])
            first += len(X)
            held = (shares > 0) & np.isfinite(costs)
            entropy = np.log(shares, out=np.zeros_like(shares), where=held)
            terms = np.where(held, shares, 0) * (np.where(held, costs, 0) + entropy)
            totals.append(weights @ terms)
        return np.array([math.fsum(column) for column in zip(*totals, strict=True)])

    def _shares_of(self, costs: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """The best shares (n, k) for -log(π density) (n, k); labels (n,) tell which of two that rounding can't."""
        if self.how == HARD:
            best = costs.argmin(axis=1)
            if labels is not None:
                least, own = (costs[np.arange(len(costs)), which] for which in (best, labels))
                best = np.where(own - least <= TIED * (1 + np.abs(least)), labels, best)
            return np.eye(costs.shape[1])[best]
        shares = np.exp(costs.min(axis=1, keepdims=True) - costs)
        return shares / shares.sum(axis=1, keepdims=True)

    def log_densities(self, X: np.ndarray, theta: Theta) -> np.ndarray:
        """Log of π times the density of each row in each component, (n, k)."""
        return log_densities(X, self._components(self.blank(0, theta, np.zeros(X.shape[1]))))

    def responsibilities(self, X: np.ndarray, theta: Theta) -> np.ndarray:
        """The best shares (n, k) of the rows X (n, d)."""
        return self._shares_of(-self.log_densities(X, theta))

    def log_likelihood(self, _problem: Problem, _state: Any, value: float) -> float:
        """Σ w log Σ π N(x; μ, Σ), for F = ``value``."""
        return -value

    def facts(self, problem: Problem, state: Any, value: float) -> dict[str, Any]:
        """What a result tells of a mixture, beyond what every soft result does."""
        return {
            "covariances": state.covariances.reshape(public_shape(self.covariance, *state.centers.shape)),
            "log_likelihood": self.log_likelihood(problem, state, value),
            "total_weight": float(problem.sample_weight.sum()),
            "floor": state.floor,
        }


class HardGaussianMixture(GaussianMixture):
    """F = -Σ w (log π + log N(x; μ, Σ)) of each row's own component."""

    name = "hard-gaussian-mixture"
    how = HARD

    def log_likelihood(self, problem: Problem, state: Any, _value: float) -> float:
        """Σ w log Σ π N(x; μ, Σ), for F = ``value`` of each row's own component."""
        return -self._gather(problem, state._replace(labels=state.labels.copy()), SOFT).value


def public_shape(covariance: str, k: int, d: int) -> tuple[int, ...]:
    """The shape in which users give and get the covariances of a type."""
    return {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,), "tied-spherical": ()}[covariance]


def _costs(X: np.ndarray, theta: Theta) -> np.ndarray:
    """-log of π times the density (n, k), from differences."""
    z, factors, d = X[:, np.newaxis] - theta["centers"], theta["factors"], X.shape[1]
    white = (
        z * factors if factors.ndim == 2 else np.einsum("jab,ijb->ija", np.broadcast_to(factors, (z.shape[1], d, d)), z)
    )
    return (
        np.square(white).sum(axis=2) / 2
        - logs_of(theta["weights"])
        - log_dets(factors, d)
        + d / 2 * math.log(2 * math.pi)
    )
