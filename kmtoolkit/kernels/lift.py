"""Scalar divergences lifted to kernels over rows and centers.

A scalar function d(x, c) of one coordinate becomes a sweep that finds the nearest center of each row, and two that
measure rows against centers. All add the coordinates up in turn, so they agree to the last bit, and the first is a
canonical decision: its inner loop runs over centers, where vectors change no sum.

The kernels are made of templates, which find the scalar function among their globals. Their names have a hash of its
code, of all functions that it calls, and of all values that it refers to: they are stored on disk under it, so an edit
is never missed, and linked by it. Numba tells functions of one name apart by a number that is unique in a process only,
so of two that were stored by different processes, and are loaded by a third, one might be linked in place of the other.
"""

import hashlib
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from kmtoolkit.kernels.arithmetic import add_exact, merge_pairs
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import inlined, inlined_unstored

__all__ = ["Lifted", "as_it_is", "fingerprint", "lift", "totals"]

Lines = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
COSTLY = 2  # operations that a scalar divergence stands for


class Lifted(NamedTuple):
    """The kernels of a scalar divergence."""

    nearest: Callable[[np.ndarray, np.ndarray, np.ndarray], None]
    distances_to: Callable[[np.ndarray, np.ndarray, np.ndarray | int], np.ndarray]
    between: Callable[[np.ndarray, np.ndarray], np.ndarray]


@inlined
def as_it_is(total):
    """The sum of the coordinates' divergences itself."""
    return total


def _from_center(X, i, centers, j):
    """The divergence of row i of X (n, d) from row j of centers (k, d)."""
    total = 0.0
    for f in range(X.shape[1]):
        total += scalar(np.float64(X[i, f]), centers[j, f])  # type: ignore[name-defined]  # noqa: F821
    return of_sum(total)  # type: ignore[name-defined]  # noqa: F821


def _nearest(lo, hi, t, X, features, labels):
    """labels[lo:hi] = the lowest index among the nearest centers of rows of X (n, d); features (d, k) has the centers.

    A sum that is NaN is nearer than none.
    """
    sums = np.empty(features.shape[1])
    for i in range(lo, hi):
        sums[:] = 0.0
        for f in range(len(features)):
            x = np.float64(X[i, f])
            of_feature = features[f]
            for j in range(len(sums)):
                sums[j] += scalar(x, of_feature[j])  # type: ignore[name-defined]  # noqa: F821
        best, least = 0, of_sum(sums[0])  # type: ignore[name-defined]  # noqa: F821
        for j in range(1, len(sums)):
            distance = of_sum(sums[j])  # type: ignore[name-defined]  # noqa: F821
            if distance < least:
                best, least = j, distance
        labels[i] = best


def _nearest_by_lines(lo, hi, t, X, slopes, offsets, steepest, centers, labels):
    """The same by divergences that are lines in x but for what all centers share; where rounding might decide, by all.

    Row j of centers (k, d) is at Σ_f slopes[f, j] x_f + offsets[j], and what does not depend on j. steepest (d + 1,)
    has the largest magnitudes of slopes by column, and of offsets. The divergence from the center that seems nearest
    tells how far rounding of the canonical ones may go.
    """
    (d, k), unit = slopes.shape, 2.0**-52
    line_error, canonical_error = (d + 8) * unit, (d + 64) * unit
    sums = np.empty(k)
    for i in range(lo, hi):
        sums[:] = offsets
        size = steepest[d]
        for f in range(d):
            x, of_feature = np.float64(X[i, f]), slopes[f]
            size += abs(x) * steepest[f]
            for j in range(k):
                sums[j] += x * of_feature[j]
        best = 0
        for j in range(1, k):
            if sums[j] < sums[best]:
                best = j
        limit, near = sums[best] + 2 * line_error * size, _from_center(X, i, centers, best)
        limit += 4 * canonical_error * near
        rivals = 0
        for j in range(k):
            rivals += not sums[j] > limit  # nor if it is NaN
        if rivals > 1:
            best, least = -1, np.inf
            for j in range(k):
                if not sums[j] > limit:
                    distance = _from_center(X, i, centers, j)
                    if best < 0 or distance < least:
                        best, least = j, distance
        labels[i] = best


def _distances_to(lo, hi, t, X, centers, labels, out):
    """out[lo:hi] = divergences of rows of X (n, d) from centers[labels]; a single label stands for all rows."""
    shared = len(labels) == 1
    for i in range(lo, hi):
        out[i] = _from_center(X, i, centers, labels[0] if shared else labels[i])


def _between(lo, hi, t, columns, centers, out):
    """out[lo:hi] = divergences of all rows from centers lo:hi of centers (k, d); columns (d, n) has the rows."""
    for j in range(lo, hi):
        sums = out[j]
        sums[:] = 0.0
        for f in range(len(columns)):
            c, of_feature = centers[j, f], columns[f]
            for i in range(len(sums)):
                sums[i] += scalar(np.float64(of_feature[i]), c)  # type: ignore[name-defined]  # noqa: F821
        for i in range(len(sums)):
            sums[i] = of_sum(sums[i])  # type: ignore[name-defined]  # noqa: F821


def lift(scalar: Callable[..., float], of_sum: Callable[..., float] = as_it_is, lines: Lines | None = None) -> Lifted:
    """The kernels of Σ_f scalar(x_f, c_f), or of a function of the sum that never falls as the sum rises.

    Parameters
    ----------
    scalar, of_sum : function
        Jitted, or plain functions that Numba can compile.
    lines : function, optional
        ``lines(centers)`` returns slopes and offsets (k, d): scalar(x, c) is slope · x + offset, and what does not
        depend on c.
    """
    variant = f"{fingerprint(scalar)[:16]}{fingerprint(of_sum)[:8]}"
    scope = {**globals(), "scalar": _compiled(scalar, variant), "of_sum": _compiled(of_sum, variant)}
    scope["_from_center"] = inlined_unstored(_variant(_from_center, scope, variant))
    by_label, by_line, to_one, to_all = (
        sweep(_variant(body, scope, variant)) for body in (_nearest, _nearest_by_lines, _distances_to, _between)
    )

    def nearest(X: np.ndarray, centers: np.ndarray, labels: np.ndarray) -> None:
        if lines is None:
            by_label(cut(len(X), COSTLY * centers.size), X, np.ascontiguousarray(centers.T), labels)
            return
        slopes, offsets = lines(centers)
        steepest = np.append(np.abs(slopes).max(axis=0), np.abs(offsets).sum(axis=1).max())
        work = cut(len(X), centers.size + COSTLY * X.shape[1])
        by_line(work, X, np.ascontiguousarray(slopes.T), offsets.sum(axis=1), steepest, centers, labels)

    def distances_to(X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        out, own = np.empty(len(X)), np.full(1, labels, np.int32) if np.isscalar(labels) else labels
        to_one(cut(len(X), COSTLY * X.shape[1]), X, centers, own, out)
        return out

    def between(X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        out = np.empty((len(centers), len(X)))
        to_all(cut(len(centers), COSTLY * X.size), np.ascontiguousarray(X.T), centers, out)
        return out

    return Lifted(nearest, distances_to, between)


def _compiled(function: Callable[..., float], variant: str) -> Callable[..., float]:
    """A plain function compiled; a jitted one, and one that Numba knows, as it is."""
    if isinstance(function, types.FunctionType):
        return inlined_unstored(_variant(function, function.__globals__, variant))
    return function


def _variant(template: Any, scope: dict[str, Any], variant: str) -> Any:
    """The function with other globals, and a name of its own."""
    name, closure = f"{template.__name__}_{variant}", template.__closure__
    function: Any = types.FunctionType(template.__code__, scope, name, template.__defaults__, closure)
    function.__qualname__, function.__doc__, function.__module__ = name, template.__doc__, template.__module__
    return function


def fingerprint(function: Callable[..., Any]) -> str:
    """A hash of all that the result of a function depends on, modules of others apart."""
    digest = hashlib.sha256()
    for part in _parts(function, set()):
        digest.update(part.encode())
    return digest.hexdigest()


def _parts(value: Any, seen: set[int]) -> Iterator[str]:
    """Code and values that a function, or what it refers to, is made of."""
    if hasattr(value, "py_func"):
        yield repr(sorted(getattr(value, "targetoptions", {}).items()))
        value = value.py_func
    if id(value) in seen:
        return
    if isinstance(value, types.FunctionType):
        seen.add(id(value))
        yield repr(value.__defaults__)
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            yield name
            yield from _parts(cell.cell_contents, seen)
        yield from _code(value.__code__, value.__globals__, seen, value.__doc__)
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
    elif isinstance(value, types.ModuleType):
        yield value.__name__
    else:
        yield repr(value)


def _code(code: types.CodeType, scope: dict[str, Any], seen: set[int], doc: str | None = None) -> Iterator[str]:
    yield code.co_code.hex()
    without = (None, *code.co_consts[1:]) if doc is not None else code.co_consts  # a docstring comes first
    for constant in without:
        if isinstance(constant, types.CodeType):
            yield from _code(constant, scope, seen)
        else:
            yield repr(constant)
    modules = [scope[name] for name in code.co_names if isinstance(scope.get(name), types.ModuleType)]
    for name in code.co_names:
        yield name
        if name in scope:
            yield from _parts(scope[name], seen)
        for module in modules:
            if hasattr(module, name):
                yield from _parts(getattr(module, name), seen)


@sweep
def _totals(lo, hi, t, distances, weights, labels, total, error):
    """Add w · distance of rows lo:hi to the entry of their cluster in row t of total and error (chunks, k)."""
    for i in range(lo, hi):
        add_exact(total[t], error[t], labels[i], weights[i] * distances[i])


def totals(distances: np.ndarray, weights: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Sums of w · distance (n,) over the rows of each of k clusters, (2, k): totals, and what rounding lost of them."""
    grid = cut(len(distances), 8, most=len(distances) // k + 1)
    pairs = np.zeros((2, grid.chunks, k))
    _totals(grid, distances, weights, labels, pairs[0], pairs[1])
    merge_pairs(pairs[0], pairs[1])
    return pairs[:, 0]
