"""The door: what a caller hands in is checked here once, and becomes a Problem that every kernel can trust."""

import math
from typing import Any, NamedTuple

import numpy as np

from kmtoolkit.errors import check_int
from kmtoolkit.records import MixtureState, Problem, SoftState, State, Work, read_only, read_only_state

__all__ = [
    "Door", "MixtureState", "Problem", "SoftState", "State", "Work", "admit", "as_centers", "as_matrix", "as_numbers",
    "as_rows", "as_weights", "check_k", "read_only", "read_only_state",
]  # fmt: skip

FINITE_CHECK_ROWS = 1 << 16
LONG_ROW = 512
LARGEST_EXPONENT = 1020.0  # F, and what is summed on the way to it, stays below 2**1020
SMALLEST_EXPONENT = -960.0  # the squares that decide stay above 2**-960, clear of underflow


class Door(NamedTuple):
    """A Problem, and the way back to the caller's rows."""

    problem: Problem
    X: np.ndarray  # (all rows, d): the caller's rows, weight 0 included
    present: np.ndarray | None  # (all rows,) bool: positive weight; None if all are
    box: np.ndarray  # (2, d): the least and greatest values of the Problem's columns
    largest: float  # magnitude that centers must stay below for F to stay finite


def admit(X: Any, k: Any, sample_weight: Any = None) -> Door:
    """Check X, k and sample_weight, and return the Problem they pose; raises TypeError or ValueError."""
    rows = as_matrix(X)
    box = _box(rows)
    weights, lightest, heaviest = as_weights(sample_weight, len(rows))
    present = None
    if lightest == 0:
        present = weights > 0
        lightest = float(weights[present].min())
    k = check_k(k, len(rows), len(rows) if present is None else int(present.sum()))
    problem = Problem(
        rows if present is None else read_only(rows[present]),
        weights if present is None else read_only(weights[present]),
        k,
    )
    inner = box if present is None else _box(problem.X)
    return Door(problem, rows, present, inner, _check_range(problem, inner, _magnitude(box), lightest, heaviest))


def as_rows(X: Any, centers: np.ndarray) -> np.ndarray:
    """Check X against centers (k, d); return it as (n, d) float32 or float64, C order, native bytes, read-only."""
    rows = as_matrix(X)
    if rows.shape[1] != centers.shape[1]:
        raise ValueError(
            f"X has {rows.shape[1]} columns, but the centers have {centers.shape[1]}; pass the columns of the fit"
        )
    size = _magnitude(rows)
    if not max(size, _magnitude(centers)) <= _limit(rows.shape[1]):
        _check_finite(rows, "X")
        raise ValueError(f"X has values up to {size:.3g}, whose squared distances overflow float64; drop such rows")
    return rows


def as_centers(centers: Any, k: int, d: int, largest: float, name: str = "init_centers") -> np.ndarray:
    """Check centers and return them as a new (k, d) float64 array."""
    array = np.array(as_numbers(centers, name), dtype=np.float64, order="C")
    if array.shape != (k, d):
        raise ValueError(f"{name} has shape {array.shape}; it must be (k, d) = ({k}, {d})")
    if not _magnitude(array) <= largest:
        _check_finite(array, name)
        raise ValueError(
            f"{name} has values up to {_magnitude(array):.3g}, whose squared distances overflow; "
            f"keep them below {largest:.3g}"
        )
    return array


def check_k(k: Any, n: int, present: int) -> int:
    """Check k against the number of rows, and of rows with positive weight, and return it as an int."""
    check_int("k", k, 1)
    if k > n:
        raise ValueError(f"k is {k}, but X has only {n} rows; k can't exceed them")
    if k > present:
        raise ValueError(f"k is {k}, but only {present} rows have a positive sample_weight; k can't exceed them")
    return int(k)


def as_matrix(X: Any) -> np.ndarray:
    """X as an array that kernels take; its values may still be infinite or NaN."""
    array = as_numbers(X, "X")
    if array.ndim != 2:
        hint = "; use X.reshape(-1, 1) for one feature" if array.ndim == 1 else ""
        raise ValueError(f"X has {array.ndim} dimensions; it must have 2, rows by columns{hint}")
    if array.size == 0:
        raise ValueError(f"X has shape {array.shape}; it must have at least one row and one column")
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    with np.errstate(over="ignore"):  # a long double too large becomes inf, and is reported as such
        return read_only(_plain(array, np.float32 if single else np.float64))


def _plain(array: np.ndarray, dtype: type) -> np.ndarray:
    """The array itself if kernels can take it: no subclass, in C order, aligned, of the dtype; else a copy."""
    plain: np.ndarray = np.asarray(array, dtype, order="C")
    return plain if plain.flags.aligned else plain.copy()


def _box(rows: np.ndarray) -> np.ndarray:
    """The least and greatest value of each column, (2, d); raises ValueError if a value is not finite."""
    box = np.array((_extremes(np.minimum, rows), _extremes(np.maximum, rows)))
    if not np.isfinite(box).all():  # NaN and inf show here, without a mask as large as X
        _check_finite(rows, "X")
    return box


def _extremes(extreme: np.ufunc, rows: np.ndarray) -> np.ndarray:
    """The extreme of each column, (d,).

    NumPy is fast where the rows it compares are long, so many are taken for one.
    """
    n, d = rows.shape
    many = LONG_ROW // d
    if 1 < many <= n // 4:
        whole = n - n % many
        long = extreme.reduce(rows[:whole].reshape(-1, many * d)).reshape(many, d)
        rows = np.concatenate((long, rows[whole:]))
    return extreme.reduce(rows)


def _magnitude(array: np.ndarray) -> float:
    """The largest magnitude in an array; NaN if there is one."""
    return float(max(array.max(), -array.min()))


def as_numbers(values: Any, name: str) -> np.ndarray:
    """Values as an array of real numbers, whatever carries them."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        where = ", ".join(map(str, np.argwhere(np.ma.getmaskarray(values))[0]))
        raise ValueError(f"{name} has masked entries, the first at index ({where}); fill or drop them")
    if hasattr(values, "toarray") and not hasattr(values, "__array__"):
        raise TypeError(f"{name} is a sparse {type(values).__name__}; pass a dense array, such as {name}.toarray()")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} is not a rectangular array of numbers: {error}") from error
    if array.dtype.kind == "O" and hasattr(values, "to_numpy"):  # pandas' nullable or mixed numbers
        dtypes = values.dtypes if array.ndim == 2 else [values.dtype]
        if all(dtype.kind in "biuf" for dtype in dtypes):
            array = values.to_numpy(dtype=np.float64, na_value=np.nan)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} has dtype {array.dtype}; it must be real numbers (float, int or bool): "
            "select or convert the numeric columns"
        )
    return array


def as_weights(sample_weight: Any, n: int) -> tuple[np.ndarray, float, float]:
    """The weights (n,), the least and the greatest of them."""
    if sample_weight is None:
        return read_only(np.ones(n)), 1.0, 1.0
    array = as_numbers(sample_weight, "sample_weight")
    if array.shape != (n,):
        raise ValueError(f"sample_weight has shape {array.shape}; it must have one weight a row, ({n},)")
    with np.errstate(over="ignore"):
        weights = _plain(array, np.float64)
    _check_finite(weights, "sample_weight")
    lightest, heaviest = float(weights.min()), float(weights.max())
    if lightest < 0:
        i = int(np.argmax(weights < 0))
        raise ValueError(f"sample_weight is {weights[i]!s} at row {i}; weights must not be negative")
    if heaviest == 0:
        raise ValueError("sample_weight is 0 everywhere; at least k weights must be positive")
    return read_only(weights), lightest, heaviest


def _check_finite(array: np.ndarray, name: str) -> None:
    for start in range(0, len(array), FINITE_CHECK_ROWS):
        bad = np.argwhere(~np.isfinite(array[start : start + FINITE_CHECK_ROWS]))
        if len(bad):
            index = (int(bad[0][0]) + start, *map(int, bad[0][1:]))
            where = f"row {index[0]}" + (f", column {index[1]}" if len(index) > 1 else "")
            raise ValueError(
                f"{name} has {float(array[index])!r} at {where}; values must be finite"
                + (": drop or impute such rows" if name == "X" else "")
            )


def _check_range(problem: Problem, box: np.ndarray, size: float, lightest: float, heaviest: float) -> float:
    """Refuse values whose squares leave float64's range; return the largest magnitude centers may have."""
    n, d = problem.X.shape
    total = math.log2(heaviest) + math.log2(n)
    if total > LARGEST_EXPONENT:
        raise ValueError(f"sample_weight goes up to {heaviest:.3g}, and its sum overflows; scale it by a power of two")
    limit = _limit(d, total)
    if size > limit:
        raise ValueError(
            f"X has values up to {size:.3g} with sample_weight up to {heaviest:.3g}: weighted squares overflow "
            f"float64; keep values below {limit:.3g}, or scale X or sample_weight by a power of two"
        )
    spread = float((box[1].astype(np.float64) - box[0].astype(np.float64)).max())
    if spread > 0 and 2 * math.log2(spread) + math.log2(lightest) < SMALLEST_EXPONENT:
        raise ValueError(
            f"X spreads over {spread:.3g} with sample_weight down to {lightest:.3g}: weighted squares underflow "
            "float64; scale X or sample_weight by a power of two, or give rows of negligible weight the weight 0"
        )
    return limit


def _limit(columns: int, weight_exponent: float = 0.0) -> float:
    """The largest magnitude of values whose squared distances, summed over columns and weights, stay finite."""
    room = LARGEST_EXPONENT - max(weight_exponent, 0.0) - math.log2(columns)
    return math.ldexp(1.0, int(room // 2) - 2)
