"""Rows from files, and labels into files: .csv, .npy and .npz."""

import csv
import itertools
import tokenize
import zipfile
import zlib
from array import array
from collections import Counter
from pathlib import Path
from typing import TypeAlias

import numpy as np

from kmtoolkit.result import Result

__all__ = ["Loaded", "check_out", "read_rows", "spell_names", "write_result"]

Loaded: TypeAlias = tuple[np.ndarray, np.ndarray | None, list[str]]  # X, the weights, the names of X's columns

NAMES_SHOWN = 12


def _suffix(argument: str, file: Path) -> str:
    suffix = file.suffix.lower()
    if suffix not in (".csv", ".npy", ".npz"):
        raise ValueError(f"{argument} is {str(file)!r}; its name must end in .csv, .npy or .npz")
    return suffix


def check_out(out: Path, file: Path) -> None:
    """Find out before a long fit, not after it, whether its labels can be written."""
    _suffix("--out", out)
    existed = out.exists()
    if existed and file.exists() and out.samefile(file):
        raise ValueError(f"--out is {str(out)!r}, which is FILE itself; choose another name")
    out.open("ab").close()
    if not existed:
        out.unlink()


def write_result(out: Path, result: Result) -> None:
    """Write the labels; to .npz, the centers and the objective by half-step too."""
    with out.open("wb") as stream:
        match _suffix("--out", out):
            case ".csv":
                np.savetxt(stream, result.labels, fmt="%d", header="label", comments="")
            case ".npy":
                np.save(stream, result.labels)
            case ".npz":
                np.savez(stream, labels=result.labels, centers=result.centers, objective=result.trace.objective)


def read_rows(file: Path, columns: str | None, weights: str | None) -> Loaded:
    """Read a file; what its rows must be, the fit checks."""
    if _suffix("FILE", file) == ".csv":
        return _read_csv(file, columns, weights)
    arrays = _load_arrays(file)
    if len(arrays) == 1 and "" in arrays:
        return _select(arrays[""], columns, weights)
    others = [name for name in arrays if name != weights]
    name = "X" if "X" in others or len(others) != 1 else others[0]
    if not {name, weights} <= {*arrays, None}:
        raise ValueError(
            f"{file} has the arrays {spell_names(list(arrays))}; it must have X, or one array only, "
            "and beside it the one that --weights names"
        )
    X, _, names = _select(arrays[name], columns, None)
    return X, None if weights is None else arrays[weights], names


def _load_arrays(file: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name, or the one of an .npy file under the empty name."""
    with file.open("rb") as stream:
        try:
            loaded = np.load(stream, allow_pickle=False)
            arrays = {"": loaded} if isinstance(loaded, np.ndarray) else dict(loaded.items())
        except (EOFError, MemoryError, ValueError, zipfile.BadZipFile, zlib.error, tokenize.TokenError) as error:
            raise ValueError(f"{file} is not a sound NumPy file of numbers: {error}") from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError(f"{file} is a zip file, but not one of NumPy arrays; save it with numpy.savez")
    return arrays


def _read_csv(file: Path, columns: str | None, weights: str | None) -> Loaded:
    """Read line by line, so that an error has its line, into 8 bytes a number, so that large files fit."""
    values = array("d")
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        try:
            rows = filter(None, reader)  # blank lines have no fields
            first = next(rows, [])
            header = not any(map(_is_number, first))
            names = [name.strip() for name in first] if header else [str(j) for j in range(len(first))]
            chosen = _positions(names, columns, weights)
            for row in rows if header else itertools.chain([first], rows):
                if len(row) != len(names):
                    raise ValueError(f"it has {len(row)} fields, but the first line has {len(names)}; correct it")
                try:
                    values.extend([_number(row[j]) for j in chosen])
                except ValueError:
                    bad = next(j for j in chosen if not _is_number(row[j]))
                    numeric = [names[j] for j in range(len(row)) if names[j] != weights and _is_number(row[j])]
                    choose = f" or choose columns: --columns {spell_names(numeric, ',')}" if numeric else ""
                    raise ValueError(
                        f"column {names[bad]!r} has {row[bad]!r}, which is not a number; correct it{choose}"
                    ) from None
        except UnicodeDecodeError as error:
            raise ValueError(f"{file} is not text in UTF-8: {error}") from error
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{file}, line {reader.line_num}: {error}") from error
    return _split(np.array(values).reshape(-1, max(len(chosen), 1)), [names[j] for j in chosen], weights)


def _select(matrix: np.ndarray, columns: str | None, weights: str | None) -> Loaded:
    names = [str(j) for j in range(matrix.shape[1])] if matrix.ndim == 2 else []
    if not names or (columns is None and weights is None):
        return matrix, None, names
    chosen = _positions(names, columns, weights)
    return _split(matrix[:, chosen], [names[j] for j in chosen], weights)


def _positions(names: list[str], columns: str | None, weights: str | None) -> list[int]:
    """Where the columns to cluster stand, and last that of the weights."""
    features = names if columns is None else [name.strip() for name in columns.split(",")]
    chosen = [name for name in features if name != weights] + ([] if weights is None else [weights])
    occurrences, where = Counter(names), {name: j for j, name in enumerate(names)}
    for name in chosen:
        if occurrences[name] != 1:
            raise ValueError(f"column {name!r} must occur once, but the columns are {spell_names(names)}")
    return [where[name] for name in chosen]


def _split(matrix: np.ndarray, names: list[str], weights: str | None) -> Loaded:
    return (matrix, None, names) if weights is None else (matrix[:, :-1], matrix[:, -1], names[:-1])


def _number(text: str) -> float:
    if "_" in text:  # 1_000 is a number in Python, and a mistake in a table
        raise ValueError
    return float(text)


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def spell_names(names: list[str], comma: str = ", ") -> str:
    """Names in a row, the first of them if there are many."""
    return comma.join([*names[:NAMES_SHOWN], *(["..."] if len(names) > NAMES_SHOWN else [])])
