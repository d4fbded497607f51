"""Covariances of components, in three shapes: matrices (..., d, d), diagonals (..., d), and variances (..., 1).

Their number is that of the components, or 1 if it is one for all.
"""

import numpy as np
from scipy.linalg import lapack

__all__ = ["above_floor", "at_floor", "factorize", "log_dets", "shape_of", "spelt_squares", "times", "traces"]

AT_FLOOR = 1 + 1e-9
SINGULAR = 2.0**-46  # times the largest eigenvalue


def shape_of(covariance: str, k: int, d: int) -> tuple[int, ...]:
    """The shape of the covariances of a type."""
    return {"full": (k, d, d), "tied": (1, d, d), "diag": (k, d), "spherical": (k, 1), "tied-spherical": (1, 1)}[
        covariance
    ]


def above_floor(covariances: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """The covariances Σ with eigenvalues, in units of ``floor`` (d,), below 1 raised to 1: so Σ ⪰ diag(floor).

    With moments S, Σ maximizes the likelihood under that constraint: log det Σ + tr(Σ⁻¹ S) is the least for
    eigenvectors of S, by von Neumann's trace inequality, and then for each eigenvalue on its own.
    """
    if covariances.ndim == 2:
        return np.maximum(covariances, floor if covariances.shape[1] == len(floor) else floor.mean())
    unit = np.sqrt(floor)
    scaled = covariances / unit / unit[:, np.newaxis]
    d = len(floor)
    try:
        np.linalg.cholesky(scaled - AT_FLOOR * np.eye(d))
        return covariances
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(scaled)
    least = np.maximum(AT_FLOOR, SINGULAR * values[:, -1:])  # rounding tells no less from 0
    low = values[:, 0] < least[:, 0]
    raised = (vectors[low] * np.maximum(values, least)[low][:, np.newaxis]) @ vectors[low].transpose(0, 2, 1)
    result = covariances.copy()
    result[low] = (raised + raised.transpose(0, 2, 1)) / 2 * unit * unit[:, np.newaxis]
    return result


def at_floor(covariances: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Which covariances have an eigenvalue at the floor, (k or 1,) bool."""
    if covariances.ndim == 2:
        low: np.ndarray = covariances <= (floor if covariances.shape[1] == len(floor) else floor.mean())
        return np.any(low, axis=1)
    unit = np.sqrt(floor)
    values: np.ndarray = np.linalg.eigvalsh(covariances / unit / unit[:, np.newaxis])
    return values[:, 0] <= 1 + 1e-6 + 2 * SINGULAR * values[:, -1]


def factorize(covariances: np.ndarray) -> np.ndarray | None:
    """Inverse lower Cholesky factors of matrices, 1 / √ of diagonals and variances; None if they are not positive."""
    if not np.isfinite(covariances).all():
        return None
    if covariances.ndim == 2:
        return 1 / np.sqrt(covariances) if (covariances > 0).all() else None
    try:
        lower = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        return None
    return np.stack([np.tril(lapack.dtrtri(each, lower=1)[0]) for each in lower])


def log_dets(factors: np.ndarray, d: int) -> np.ndarray:
    """Logs of the determinants of factors, (k or 1,); a variance's stands for d of them."""
    if factors.ndim == 3:
        return np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    return np.log(factors).sum(axis=1) * (d if factors.shape[1] == 1 else 1)


def traces(factors: np.ndarray, scatter: np.ndarray) -> np.ndarray:
    """The traces (k,) of L S Lᵀ for factors L and scatter S (k, ...)."""
    if factors.ndim == 2:
        return (np.square(factors) * scatter).sum(axis=1)
    return ((factors @ scatter) * factors).sum(axis=(1, 2))


def spelt_squares(factors: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Σ (|L| s)² of each component (k,), for deviations s (k, d): what traces are added up from, without signs."""
    return np.square(times(np.abs(factors), deviations)).sum(axis=1)


def times(factors: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Factors (k or 1, ...) times vectors (k, d)."""
    return factors * vectors if factors.ndim == 2 else (factors @ vectors[:, :, np.newaxis])[:, :, 0]
