"""The command line: ``kmtoolkit demo``, ``fit``, ``list`` and ``warmup``; it needs the extra ``cli``."""

from __future__ import annotations

import csv
import functools
import itertools
import sys
import time
import zipfile
from array import array
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np

import kmtoolkit
from kmtoolkit import datasets, registry
from kmtoolkit.errors import EmptyClusterError
from kmtoolkit.result import Result
from kmtoolkit.solver import Solver
from kmtoolkit.trace import Trace

try:
    import typer
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    EXTRA = True
except ImportError:  # importing this module stays possible without the extra; main() says what is missing
    EXTRA = False

__all__ = ["application", "main"]

Loaded: TypeAlias = tuple[np.ndarray, np.ndarray | None, list[str]]  # X, the weights, the names of X's columns

PAGE_WIDTH = 88  # longer lines are hard to read
TRACE_ROWS = 24
NAMES_SHOWN = 12
IRIS_OPTIMUM = "78.851441"  # proved by du Merle, Hansen, Jaumard and Mladenovic, SIAM J. Sci. Comput. 21, 2000


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
    commands: dict[str, Callable[..., None]] = {"demo": demo, "fit": fit, "list": list_strategies, "warmup": warmup}
    for name, command in commands.items():
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
            reason = " ".join(str(error).splitlines())
            if isinstance(error, OSError) and error.filename:
                reason = f"can't open {error.filename}: {error.strerror}"
            Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]error:[/] {escape(reason)}")
            raise typer.Exit(2) from error

    return reporting


def _version(wanted: bool) -> None:
    if wanted:
        Console(highlight=False).print(f"kmtoolkit {kmtoolkit.__version__}")
        raise typer.Exit


def top(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """k-means and its relatives from interchangeable strategies, with a certificate of descent."""


def fit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rows of numbers: .csv, .npy, or .npz.")],
    k: Annotated[int, typer.Option("-k", help="Number of clusters.")],
    columns: Annotated[str | None, typer.Option(help="Columns to use, as in a,b,c; all by default.")] = None,
    weights: Annotated[str | None, typer.Option(help="Column of weights; for .npz, an array of them.")] = None,
    init: Annotated[str, typer.Option(help="Initializer; 'kmtoolkit list' shows all.")] = Solver.init,
    assign: Annotated[str, typer.Option(help="Assigner.")] = Solver.assign,
    update: Annotated[str, typer.Option(help="Updater.")] = Solver.update,
    empty: Annotated[str, typer.Option(help="Handler of empty clusters.")] = Solver.empty,
    n_init: Annotated[int, typer.Option(help="Restarts; the best is kept.")] = Solver.n_init,
    max_iter: Annotated[int, typer.Option(help="Most iterations of a restart.")] = Solver.max_iter,
    tol: Annotated[float, typer.Option(help="When to stop; 0 waits for a fixed point.")] = Solver.tol,
    seed: Annotated[int, typer.Option(help="Another seed, other starts.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Most threads; the result is the same.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Time limit of the whole fit.")] = None,
    out: Annotated[Path | None, typer.Option(help="Labels to .csv or .npy; .npz has centers too.")] = None,
) -> None:
    """Cluster the rows of a file.

    The first line of a .csv file is a header if no field of it is a number.
    Columns without a header, and those of arrays, go by their number from 0.
    An .npz file has the rows in the array X, or has no other array but weights.
    """
    if out is not None:
        _check_out(out, file)
    solver = Solver(init, assign, update, empty, n_init=n_init, max_iter=max_iter, tol=tol, rng=seed,
                    threads=threads, max_seconds=max_seconds, progress=True)  # fmt: skip
    X, sample_weight, names = _load(file, columns, weights)
    result = solver.fit(X, k, sample_weight=sample_weight)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"columns     {_spell(names)}" + (f"; weights from {weights}" if weights else ""))
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
        raise ValueError(f"--out is {str(out)!r}, which is FILE itself; choose another name")
    out.open("ab").close()
    if not existed:
        out.unlink()


def _write(out: Path, result: Result) -> None:
    with out.open("wb") as stream:
        match _suffix("--out", out):
            case ".csv":
                np.savetxt(stream, result.labels, fmt="%d", header="label", comments="")
            case ".npy":
                np.save(stream, result.labels)
            case ".npz":
                np.savez(stream, labels=result.labels, centers=result.centers, objective=result.trace.objective)


def _load(file: Path, columns: str | None, weights: str | None) -> Loaded:
    """Read a file; what its rows must be, the fit checks."""
    if _suffix("FILE", file) == ".csv":
        return _read_csv(file, columns, weights)
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return _select(loaded, columns, weights)
        with loaded:
            others = [name for name in loaded.files if name != weights]
            name = "X" if "X" in others or len(others) != 1 else others[0]
            if not {name, weights} <= {*loaded.files, None}:
                raise ValueError(f"{file} has the arrays {_spell(loaded.files)}; it must have X, or one array only, "
                                 "and beside it the one that --weights names")  # fmt: skip
            X, _, names = _select(loaded[name], columns, None)
            return X, None if weights is None else loaded[weights], names
    except (EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} is not a NumPy file: {error}") from error


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
                    values.extend([float(row[j]) for j in chosen])
                except ValueError:
                    bad = next(j for j in chosen if not _is_number(row[j]))
                    numeric = [name for name, field in zip(names, row, strict=True) if _is_number(field)]
                    raise ValueError(f"column {names[bad]!r} has {row[bad]!r}, which is not a number; correct it, "
                                     f"or choose columns, as in --columns {_spell(numeric, ',')}") from None  # fmt: skip
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
            raise ValueError(f"column {name!r} must occur once, but the columns are {_spell(names)}")
    return [where[name] for name in chosen]


def _split(matrix: np.ndarray, names: list[str], weights: str | None) -> Loaded:
    return (matrix, None, names) if weights is None else (matrix[:, :-1], matrix[:, -1], names[:-1])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _spell(names: list[str], comma: str = ", ") -> str:
    return comma.join([*names[:NAMES_SHOWN], *(["..."] if len(names) > NAMES_SHOWN else [])])


def demo() -> None:
    """Cluster two small data sets, and explain what a fit returns."""
    page = Console(highlight=False)
    page.width = min(page.width, PAGE_WIDTH)
    page.print("\n[bold]k-means[/] looks for k centers that make the [bold]objective[/], the sum of the squared "
               "distances from the rows of X to their nearest centers, as small as it can.")  # fmt: skip

    about = "272 eruptions of a geyser: how long each lasted, and the wait for the next one, in minutes."
    result = _fit_example(page, "Old Faithful", about, datasets.old_faithful, 2, Solver(tol=0, rng=0))
    page.print("\n[bold]The trace.[/] First, each row goes to its nearest center ([cyan]init[/]). From then on, an "
               "iteration has two half-steps: [cyan]update[/] moves the centers to the means of their rows, and "
               "[cyan]assign[/] gives each row to the center that is nearest now. Neither can raise the objective. "
               "[bold]Drop[/] is how far it fell, [bold]moved[/] how many rows changed cluster, and [bold]empty[/] "
               "how many clusters have no rows.")  # fmt: skip
    _show(page, result, datasets.old_faithful().columns)

    about = "150 flowers of three species, four measurements each, in centimeters."
    result = _fit_example(page, "Iris", about, datasets.iris, 3, Solver(tol=0, n_init=10, rng=0))
    ends = Counter(f"{run.objective:.6f}" for run in result.runs)
    best = f"{result.objective:.6f}"
    page.print("\n[bold]The restarts.[/] Where a fit ends depends on where it starts, so this one started "
               f"{len(result.runs)} times and kept the best. It ended at "
               f"{' and '.join(f'{value} ({count} times)' for value, count in sorted(ends.items()))}. "
               f"The least objective there is, known from the literature, is {IRIS_OPTIMUM}; the best found, {best}, "
               f"{'[bold green]equals it' if best == IRIS_OPTIMUM else '[bold red]is not it'}[/].")  # fmt: skip
    page.print(f"\n[bold]The trace[/] of the best restart, number {result.best} (the first is 0).")
    _show(page, result, datasets.iris().columns)
    page.print("Your own data: [cyan]kmtoolkit fit FILE -k K[/]. All strategies: [cyan]kmtoolkit list[/].\n")


def _fit_example(
    page: Console, title: str, about: str, load: Callable[[], datasets.Dataset], k: int, solver: Solver
) -> Result:
    page.print()
    page.rule(f"[bold]{title}", align="left", style="dim")
    page.print(about)
    page.print(f"\n  data = km.datasets.{load.__name__}()\n  result = {solver}.fit(data.X, {k})", style="cyan")
    with Console(stderr=True).status("The first fit of all compiles the kernels..."):
        return solver.fit(load().X, k)


def _show(page: Console, result: Result, columns: tuple[str, ...]) -> None:
    """The trace, the certificate and the clusters."""
    trace = result.trace
    page.print(_trace_table(trace))
    page.print(f"The fit ended after {result.n_iter} iterations: {result.status.value}.")
    verdict = "[bold green]never rose[/]" if trace.is_monotone else "[bold red]rose[/]"
    error = trace.rebuild_error
    page.print(f"\n[bold]The certificate.[/] The objective {verdict} in {len(trace)} half-steps. Its last value was "
               f"recomputed from labels and centers: {result.objective:.6f}. Adding up the drops from there leads back "
               f"to the first value {f'up to rounding, a relative {error:.1e}' if error else 'exactly'}.")  # fmt: skip
    page.print("\n[bold]The clusters.[/] A center is the mean of the rows of its cluster.")
    table = _table("cluster", "size", "objective", *(name.replace("_", " ") for name in columns), justify="right")
    for j, center in enumerate(result.centers):
        values = (f"{value:.4f}" for value in center)
        table.add_row(str(j), str(result.sizes[j]), f"{result.cluster_objectives[j]:.6f}", *values)
    page.print(table)


def _trace_table(trace: Trace) -> Table:
    table = _table("iteration", "phase", "objective", "drop", "moved", "empty", justify="right")
    table.columns[1].justify, table.columns[1].style = "left", "cyan"
    hidden = max(len(trace) - TRACE_ROWS, 0)
    for t in range(len(trace)):
        if t < TRACE_ROWS // 2 or t >= TRACE_ROWS // 2 + hidden:
            numbers = f"{trace.objective[t]:.6f}", f"{trace.drop[t]:.6f}" if t else "", trace.moved[t], trace.empty[t]
            table.add_row(str(trace.iteration[t]), trace.phase[t], *map(str, numbers))
        elif t == TRACE_ROWS // 2:
            table.add_row("...", "", f"{hidden} not shown", "", "", "")
    return table


def _table(*headers: str, justify: Any = "left") -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for header in headers:
        table.add_column(header, justify=justify)
    return table


def list_strategies() -> None:
    """Show the registered strategies."""
    table = _table("strategy", "exact", "monotone", "objective", "cost", "reference")
    for column in table.columns[:4]:
        column.no_wrap = True
    for role, rows in itertools.groupby(registry.rows(), lambda row: row.role):
        table.add_row(f"[bold]{role.replace('_', ' ')}[/]")
        for row in rows:
            flags = ("yes" if flag else "-" for flag in (row.exact, row.monotone))
            table.add_row(f"  [cyan]{row.name}[/]", *flags, ", ".join(row.objectives), row.cost, row.reference)
        table.add_section()
    Console(highlight=False).print(table)


def warmup() -> None:
    """Compile the kernels for float32 and float64, or load them from the disk cache."""
    before, start = _kernel_counts(), time.perf_counter()
    with Console(stderr=True).status("Compiling the kernels..."):
        for dtype in (np.float32, np.float64):
            X = np.arange(12, dtype=dtype).reshape(6, 2)
            for row in registry.rows("initializer"):
                Solver(row.name, rng=0).fit(X, 2).predict(X)
    seconds = time.perf_counter() - start
    compiled, loaded = np.subtract(_kernel_counts(), before)
    Console(highlight=False, soft_wrap=True).print(
        f"kernels for float32 and float64: {compiled} compiled, {loaded} from the disk cache, in {seconds:.1f} seconds"
    )


def _kernel_counts() -> tuple[int, int]:
    """How many kernels this process has compiled, and how many it has loaded from the disk cache."""
    modules = [module for name, module in sys.modules.items() if name.startswith("kmtoolkit.kernels.")]
    found = {id(value): value.stats for module in modules for value in vars(module).values() if hasattr(value, "stats")}
    counts = [(sum(stats.cache_misses.values()), sum(stats.cache_hits.values())) for stats in found.values()]
    return sum(compiled for compiled, _ in counts), sum(loaded for _, loaded in counts)


if __name__ == "__main__":
    main()
