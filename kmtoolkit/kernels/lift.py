"""Scalar divergences lifted to kernels over rows and centers.

A scalar function d(x, c) of one coordinate becomes a sweep that finds the nearest center of each row, and two that
measure rows against centers. All add the coordinates up in turn, so they agree to the last bit, and the first is a
canonical decision: its inner loop runs over centers, where vectors change no sum.

The kernels are made of templates, which find the scalar function among their globals. Their names have a hash of its
code, of all functions that it calls, and of all values that it refers to: they are stored on disk under it, so an edit
is never missed, and linked by it. Where a value may hide something, as an object of a class may, the hash is of that
time alone, and the kernels are compiled anew in each process.

Numba tells functions of one name apart by a number that is unique in a process only, so of two that were stored by
different processes, and are loaded by a third, one might be linked in place of the other.
"""

import contextlib
import dis
import hashlib
import sys
import types
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from kmtoolkit.kernels.arithmetic import add_exact, merge_pairs
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.kernels.jit import NumbaError, inlined, inlined_unstored, read_only

__all__ = ["Lifted", "as_it_is", "fingerprint", "lift", "totals"]

Lines = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
COSTLY = 2  # operations that a scalar divergence stands for
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))  # whose repr tells all
FIXED = (
    "builtins",
    "math",
    "cmath",
    "operator",
    "numpy",
    "numba",
)  # what Numba compiles them to depends on Numba alone
LOADS = ("LOAD_GLOBAL", "LOAD_NAME")
UNKNOWN = "?"  # how a part begins that something may hide behind; no name does


class Lifted(NamedTuple):
    """The kernels of a scalar divergence."""

    nearest: Callable[[np.ndarray, np.ndarray, np.ndarray], None]
    distances_to: Callable[[np.ndarray, np.ndarray, np.ndarray | int], np.ndarray]
    between: Callable[[np.ndarray, np.ndarray], np.ndarray]
    home: str  # the module of the scalar function
    fingerprint: str  # of all that is known of it


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
        limit, near = sums[best] + 2 * line_error * size, _from_center(X, i, centers, np.int64(best))
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
        out[i] = _from_center(X, i, centers, np.int64(labels[0] if shared else labels[i]))


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


def lift(
    scalar: Callable[..., float], of_sum: Callable[..., float] = as_it_is, lines: Lines | None = None, name: str = "d"
) -> Lifted:
    """The kernels of Σ_f scalar(x_f, c_f), or of a function of the sum that never falls as the sum rises.

    Parameters
    ----------
    scalar, of_sum : function
        Jitted, or plain functions that Numba can compile.
    lines : function, optional
        ``lines(centers)`` returns slopes and offsets (k, d): scalar(x, c) is slope · x + offset, and what does not
        depend on c.
    name : str
        What error messages call the divergence.
    """
    variant = f"{fingerprint(scalar)[:16]}{fingerprint(of_sum)[:8]}"
    scope = {**globals(), "scalar": _compiled(scalar, variant), "of_sum": _compiled(of_sum, variant)}
    scope["_from_center"] = inlined_unstored(_variant(_from_center, scope, variant))
    by_label, by_line, to_one, to_all = (
        sweep(_variant(body, scope, variant)) for body in (_nearest, _nearest_by_lines, _distances_to, _between)
    )

    def nearest(X: np.ndarray, centers: np.ndarray, labels: np.ndarray) -> None:
        if lines is None:
            with _told_apart(name):
                by_label(cut(len(X), COSTLY * centers.size), X, _columns(centers), labels)
            return
        slopes, offsets = _as_lines(lines(read_only(centers)), centers.shape)
        steepest = np.append(np.abs(slopes).max(axis=0), np.abs(offsets).sum(axis=1).max())
        work = cut(len(X), centers.size + COSTLY * X.shape[1])
        with _told_apart(name):
            by_line(work, X, _columns(slopes), offsets.sum(axis=1), steepest, read_only(centers), labels)

    def distances_to(X: np.ndarray, centers: np.ndarray, labels: np.ndarray | int) -> np.ndarray:
        out, own = np.empty(len(X)), np.atleast_1d(np.asarray(labels, np.int32))
        with _told_apart(name):
            to_one(cut(len(X), COSTLY * X.shape[1]), X, read_only(centers), read_only(own), out)
        return out

    def between(X: np.ndarray, centers: np.ndarray) -> np.ndarray:
        out = np.empty((len(centers), len(X)))
        with _told_apart(name):
            to_all(cut(len(centers), COSTLY * X.size), _columns(X), read_only(centers), out)
        return out

    known = f"{fingerprint(scalar, known=True)[:32]}{fingerprint(of_sum, known=True)[:32]}"
    return Lifted(nearest, distances_to, between, str(getattr(scalar, "__module__", "")), known)


@contextlib.contextmanager
def _told_apart(name: str) -> Iterator[None]:
    """Raise TypeError that names the divergence where Numba can't compile its functions."""
    try:
        yield
    except NumbaError as error:
        raise TypeError(f"divergence {name!r} can't be compiled: d(x, c) must return a float, as of_sum must, and use "
                        "only what Numba supports; the error that this one was raised from has what Numba says"
                        ) from error  # fmt: skip


def _as_lines(given: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """What ``lines`` returned, as float64 arrays of the shape (k, d) of the centers; compiled code relies on it."""
    if not (isinstance(given, (tuple, list, np.ndarray)) and len(given) == 2):
        raise TypeError(f"lines returned {type(given).__name__}; it must return slopes and offsets, two arrays")
    slopes, offsets = (np.asarray(each, np.float64) for each in given)
    if not slopes.shape == offsets.shape == shape:
        raise ValueError(f"lines returned slopes of shape {slopes.shape} and offsets of shape {offsets.shape}; "
                         f"they must have that of the centers, {shape}")  # fmt: skip
    return slopes, offsets


def _columns(array: np.ndarray) -> np.ndarray:
    """The array (n, d) with columns for rows."""
    return read_only(np.ascontiguousarray(array.T))


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


def fingerprint(function: Callable[..., Any], known: bool = False) -> str:
    """A hash of all that the result of a function depends on, NumPy, Numba and the standard modules apart.

    It never comes again if the function refers to something that may change unseen, unless only what is known counts.
    """
    digest = hashlib.sha256()
    for part in _parts(function, {}):
        digest.update(f"{len(part)}:{part}".encode())
        if part.startswith(UNKNOWN) and not known:
            digest.update(uuid.uuid4().bytes)
    return digest.hexdigest()


def _parts(value: Any, seen: dict[int, Any], jitted: bool = False) -> Iterator[str]:
    """Code and values that a function, or what it refers to, is made of; ``jitted`` tells that a function is."""
    if id(value) in seen:
        yield f"again {list(seen).index(id(value))}"
    elif type(value) in PLAIN or isinstance(value, (np.number, np.bool_, np.dtype)):
        yield f"{type(value).__name__} {value!r}"
    elif isinstance(value, (tuple, list, dict)):
        if not isinstance(value, tuple):
            seen[id(value)] = value
        yield f"{type(value).__name__} {len(value)} {getattr(value, '_fields', ())}"
        for each in (*value.keys(), *value.values()) if isinstance(value, dict) else value:
            yield from _parts(each, seen)
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield f"{value.dtype}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
    elif isinstance(value, types.ModuleType):
        yield value.__name__
    elif place := _place(value):
        yield place
    elif isinstance(value, types.FunctionType):
        if seen and not jitted:  # Numba knows it by what is declared elsewhere
            yield f"{UNKNOWN} {value.__qualname__}"
        seen[id(value)] = value
        yield from _parts((value.__defaults__, value.__kwdefaults__), seen)
        cells = dict(zip(value.__code__.co_freevars, (c.cell_contents for c in value.__closure__ or ()), strict=True))
        for name, content in cells.items():
            yield name
            yield from _parts(content, seen)
        modules = [content for content in cells.values() if isinstance(content, types.ModuleType)]
        yield from _code(value.__code__, value.__globals__, modules, seen, value.__doc__)
    elif isinstance(function := getattr(getattr(value, "_dispatcher", value), "py_func", None), types.FunctionType):
        yield from _options(value)
        yield from _parts(function, seen, jitted=True)
    else:
        yield f"{UNKNOWN} {type(value).__qualname__}"


def _place(value: Any) -> str:
    """Where a function or type that belongs to a known version of a module is found; empty if that is nowhere."""
    if type(value) is np.ufunc:
        name = str(value.__name__)
        return f"numpy.{name}" if getattr(np, name, None) is value else ""
    if type(value).__module__.startswith("numba.core.types."):
        return repr(value)
    module, path = getattr(value, "__module__", None), getattr(value, "__qualname__", getattr(value, "__name__", None))
    if not (isinstance(module, str) and isinstance(path, str) and module.split(".")[0] in FIXED):
        return ""
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return f"{module}.{path}" if found is value else ""


def _options(jitted: Any) -> Iterator[str]:
    """How a function is compiled: options, types that are given, and signatures where no others may be added."""
    compiler = getattr(jitted, "_dispatcher", jitted)
    yield repr(sorted(getattr(compiler, "targetoptions", {}).items()))
    yield repr(sorted(getattr(compiler, "locals", {}).items()))
    yield repr(getattr(jitted, "types", ())) if getattr(jitted, "_frozen", False) else ""
    yield repr(list(compiler.overloads)) if not getattr(compiler, "_can_compile", True) else ""


def _code(
    code: types.CodeType, scope: dict[str, Any], modules: list[Any], seen: dict[int, Any], doc: str | None = None
) -> Iterator[str]:
    """Code, the globals that it loads, and all that it may find in modules, and in modules inside them."""
    yield repr((code.co_code, code.co_exceptiontable, code.co_varnames, code.co_argcount, code.co_names))
    loaded = {i.argval: scope[i.argval] for i in dis.get_instructions(code) if i.opname in LOADS and i.argval in scope}
    reached: list[Any] = [*modules, *(value for value in loaded.values() if isinstance(value, types.ModuleType))]
    for module in reached:  # which grows meanwhile
        found = {name: getattr(module, name) for name in code.co_names if hasattr(module, name)}
        reached += [each for each in found.values() if isinstance(each, types.ModuleType) and each not in reached]
        for name, value in found.items():
            yield f"{module.__name__}.{name}"
            yield from _parts(value, seen)
    for name, value in loaded.items():
        yield name
        yield from _parts(value, seen)
    without = (None, *code.co_consts[1:]) if doc is not None else code.co_consts  # a docstring comes first
    for constant in without:
        if isinstance(constant, types.CodeType):
            yield from _code(constant, scope, reached, seen)
        else:
            yield from _parts(constant, seen)


@sweep
def _totals(lo, hi, t, distances, weights, labels, total, error):
    """Add w · distance of rows lo:hi to the entry of their cluster in row t of total and error (chunks, k)."""
    for i in range(lo, hi):
        add_exact(total[t], error[t], np.int64(labels[i]), weights[i] * distances[i])


def totals(distances: np.ndarray, weights: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Sums of w · distance (n,) over the rows of each of k clusters, (2, k): totals, and what rounding lost of them."""
    grid = cut(len(distances), 8, most=len(distances) // k + 1)
    pairs = np.zeros((2, grid.chunks, k))
    _totals(grid, read_only(distances), weights, read_only(labels), pairs[0], pairs[1])
    merge_pairs(pairs[0], pairs[1])
    return pairs[:, 0]
