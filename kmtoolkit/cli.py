"""The command line: ``kmtoolkit demo``, ``fit``, ``list`` and ``warmup``; it needs the extra ``cli``."""

from __future__ import annotations

import csv
import functools
import importlib
import itertools
import pkgutil
import sys
import time
import zipfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np

import kmtoolkit
from kmtoolkit import datasets, kernels, registry
from kmtoolkit.errors import EmptyClusterError
from kmtoolkit.result import Result
from kmtoolkit.solver import Solver
from kmtoolkit.trace import Trace

try:
    import typer
    from rich import box
    from rich.console import Console
    from rich.table import Table

    EXTRA = True
except ImportError:  # importing this module stays possible without the extra; main() says what is missing
    EXTRA = False

__all__ = ["application", "main"]

PAGE_WIDTH = 88  # longer lines are hard to read
TRACE_ROWS = 24
NAMES_SHOWN = 12
IRIS_OPTIMUM = 78.851441  # proved by du Merle, Hansen, Jaumard and Mladenovic, SIAM J. Sci. Comput. 21, 2000


def main() -> None:
    """Run the command line; without the extra, say how to install it and exit with code 2."""
    if not EXTRA:
        sys.stderr.write('the command line needs the extra: pip install "kmtoolkit[cli]"\n')
        raise SystemExit(2)
    application()()


def application() -> typer.Typer:
    """The commands as a typer application."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(top)
    for name, command in {"demo": demo, "fit": fit, "list": list_strategies, "warmup": warmup}.items():
        app.command(name)(_reporting(command))
    return app


def _reporting(command: Callable[..., None]) -> Callable[..., None]:
    """The command, telling what is wrong with its input in one line instead of a traceback."""

    @functools.wraps(command)
    def reporting(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except BrokenPipeError:  # the reader has gone, as in ``kmtoolkit list | head -1``: nobody is left to tell
            raise
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except (TypeError, ValueError, OSError, EmptyClusterError) as error:
            reason = f"can't open {error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
            console = Console(stderr=True, highlight=False, soft_wrap=True)
            console.print("[bold red]error:[/]", end=" ")
            console.print(" ".join(reason.splitlines()), markup=False)
            raise typer.Exit(2) from error

    return reporting


def _print_version(wanted: bool) -> None:
    if wanted:
        Console(highlight=False).print(f"kmtoolkit {kmtoolkit.__version__}")
        raise typer.Exit


def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """k-means and its relatives from interchangeable strategies, with a certificate of descent."""


# --- fit ---------------------------------------------------------------------------------------------------------


def fit(
    file: Annotated[Path, typer.Argument(help="Numbers, one row per point: .csv, .npy, or .npz (array X, or the only)")],
    k: Annotated[int, typer.Option("-k", help="Number of clusters.")],
    columns: Annotated[str | None, typer.Option(help="Columns to use, as in a,b,c; by number if unnamed.")] = None,
    weights: Annotated[str | None, typer.Option(help="Column with the rows' weights; of .npz, an array.")] = None,
    init: Annotated[str, typer.Option(help="Initializer; see 'kmtoolkit list'.")] = Solver.init,
    assign: Annotated[str, typer.Option(help="Assigner.")] = Solver.assign,
    update: Annotated[str, typer.Option(help="Updater.")] = Solver.update,
    empty: Annotated[str, typer.Option(help="Handler of empty clusters.")] = Solver.empty,
    n_init: Annotated[int, typer.Option(help="Restarts; the best is kept.")] = Solver.n_init,
    max_iter: Annotated[int, typer.Option(help="Most iterations of a restart.")] = Solver.max_iter,
    tol: Annotated[float, typer.Option(help="Tolerance on the centers' moves; 0: a fixed point.")] = Solver.tol,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Most threads; the result is the same.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Time limit of the whole fit.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write labels: .csv, .npy, or .npz (centers, objective too).")] = None,
) -> None:
    """Cluster the rows of a file.

    The first line of a .csv file is its header if none of its fields is a number. Columns without a name go by
    their number, from 0.
    """
    if out is not None:
        _check_out(out, file)
    solver = Solver(
        init, assign, update, empty, n_init=n_init, max_iter=max_iter, tol=tol, rng=seed, threads=threads,
        max_seconds=max_seconds, progress=True,
    )  # fmt: skip
    X, sample_weight, names = _load(file, columns, weights)
    result = solver.fit(X, k, sample_weight=sample_weight)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"columns     {_spell(names)}" + (f"; weights: {weights}" if weights else ""))
    console.print(result.summary())
    if out is not None:
        _write(out, result)
        console.print(f"\nlabels written to {out}")


def _suffix(argument: str, file: Path) -> str:
    suffix = file.suffix.lower()
    if suffix not in (".csv", ".npy", ".npz"):
        raise ValueError(f"{argument} is {str(file)!r}; its name must end in .csv, .npy or .npz")
    return suffix


def _check_out(out: Path, file: Path) -> None:
    """Find out before a long fit, not after it, whether its labels can be written."""
    _suffix("--out", out)
    existed = out.exists()
    if existed and file.exists() and out.samefile(file):
        raise ValueError(f"--out is {str(out)!r}, the file that is read; choose another name")
    out.open("ab").close()
    if not existed:
        out.unlink()


def _write(out: Path, result: Result) -> None:
    with out.open("wb") as stream:
        if out.suffix.lower() == ".csv":
            np.savetxt(stream, result.labels, fmt="%d", header="label", comments="")
        elif out.suffix.lower() == ".npy":
            np.save(stream, result.labels)
        else:
            np.savez(stream, labels=result.labels, centers=result.centers, objective=result.trace.objective)


def _load(file: Path, columns: str | None, weights: str | None) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """X, its weights and the names of its columns; what X itself must be, the fit checks."""
    if _suffix("FILE", file) == ".csv":
        return _read_csv(file, columns, weights)
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return _select(loaded, columns, weights)
        with loaded:
            name = _only(loaded.files, weights)
            X, _, names = _select(loaded[name], columns, None)
            return X, None if weights is None else loaded[weights], names
    except (EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} is not a NumPy file: {error}") from error


def _only(arrays: list[str], weights: str | None) -> str:
    """The name of the array to cluster: X, or the only one beside the weights."""
    if weights is not None and weights not in arrays:
        raise ValueError(f"--weights is {weights!r}; the arrays of the file are {_spell(arrays)}")
    others = [name for name in arrays if name != weights]
    if "X" not in others and len(others) != 1:
        raise ValueError(f"the arrays to cluster are {_spell(others) or 'none'}; name one X, or keep one only")
    return "X" if "X" in others else others[0]


def _select(matrix: np.ndarray, columns: str | None, weights: str | None) -> tuple[np.ndarray, Any, list[str]]:
    names = [str(j) for j in range(matrix.shape[1])] if matrix.ndim == 2 else []
    if columns is None and weights is None:
        return matrix, None, names
    features, weight = _positions(names, columns, weights)
    return matrix[:, features], None if weight is None else matrix[:, weight], [names[j] for j in features]


def _positions(names: list[str], columns: str | None, weights: str | None) -> tuple[list[int], int | None]:
    """Where the columns to cluster stand, and the weights."""

    def position(option: str, name: str) -> int:
        if names.count(name) != 1:
            raise ValueError(f"{option} has {name!r}, which must be one of the columns: {_spell(names)}")
        return names.index(name)

    weight = None if weights is None else position("--weights", weights)
    if columns is None:
        return [j for j in range(len(names)) if j != weight], weight
    return [position("--columns", name.strip()) for name in columns.split(",")], weight


def _read_csv(file: Path, columns: str | None, weights: str | None) -> tuple[np.ndarray, Any, list[str]]:
    """Read in one pass that knows its line, and keeps eight bytes a number however many rows there are."""
    values, masses = array("d"), array("d")
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        try:
            rows = filter(None, reader)  # blank lines have no fields
            first = next(rows, [])
            header = not any(map(_is_number, first))
            names = [name.strip() for name in first] if header else [str(j) for j in range(len(first))]
            features, weight = _positions(names, columns, weights)
            for row in rows if header else itertools.chain([first], rows):
                if len(row) != len(names):
                    raise ValueError(f"it has {len(row)} fields, but the first line has {len(names)}; correct it")
                try:
                    values.extend([float(row[j]) for j in features])
                    if weight is not None:
                        masses.append(float(row[weight]))
                except ValueError:
                    raise ValueError(_not_a_number(row, names, features, weight)) from None
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{file}, line {reader.line_num}: {error}") from error
    X = np.array(values).reshape(-1, max(len(features), 1))
    return X, None if weight is None else np.array(masses), [names[j] for j in features]


def _not_a_number(row: list[str], names: list[str], features: list[int], weight: int | None) -> str:
    bad = next(j for j in [*features, weight] if j is not None and not _is_number(row[j]))
    fine = [names[j] for j in range(len(row)) if j != weight and _is_number(row[j])]
    way_out = f"choose other columns, as with --columns {_spell(fine, ',')}" if fine and bad != weight else "drop the row"
    return f"column {names[bad]!r} has {row[bad]!r}, which is not a number; correct it, or {way_out}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _spell(names: Iterable[str], comma: str = ", ") -> str:
    names = list(names)
    return comma.join(names[:NAMES_SHOWN]) + (f"{comma}..." if len(names) > NAMES_SHOWN else "")
