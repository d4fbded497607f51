"""The command line, ``kmtoolkit demo`` and others; it needs the extra ``cli``."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np

import kmtoolkit
from kmtoolkit import registry
from kmtoolkit.errors import EmptyClusterError
from kmtoolkit.files import check_out, read_rows, spell_names, write_result
from kmtoolkit.kernels.jit import COMPILED
from kmtoolkit.registry import HARD
from kmtoolkit.solver import Solver

try:
    import typer
    from rich.console import Console
    from rich.markup import escape

    from kmtoolkit.cli_bench import bench
    from kmtoolkit.demo import demo, plain_table

    EXTRA = True
except ImportError:  # importing this module stays possible without the extra; main() says what is missing
    EXTRA = False

__all__ = ["application", "main"]

PARALLEL_ROWS = 70_000  # enough for every sweep to be shared among threads
PARALLEL_PAIRS = 1_000  # the same, for sweeps over pairs of rows


def main() -> None:
    """Run the command line; without the extra, say how to install it and exit with code 2."""
    if not EXTRA:
        sys.stderr.write('the command line needs the extra: pip install "kmtoolkit[cli]"\n')
        raise SystemExit(2)
    application()()


def application() -> typer.Typer:
    """The commands as a typer application."""
    settings = {"help_option_names": ["-h", "--help"]}
    app = typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, context_settings=settings
    )
    app.callback()(top)
    commands: dict[str, Callable[..., None]] = {"demo": demo, "fit": fit, "list": list_strategies,
                                               "warmup": warmup, "check": check, "bench": bench}  # fmt: skip
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
        except (TypeError, ValueError, OSError, ImportError, EmptyClusterError) as error:
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
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show version.")] = False,
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
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other starts.")] = 0,
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
        check_out(out, file)
    solver = Solver(init, assign, update, empty, n_init=n_init, max_iter=max_iter, tol=tol, rng=seed,
                    threads=threads, max_seconds=max_seconds, progress=True)  # fmt: skip
    X, sample_weight, names = read_rows(file, columns, weights)
    result = solver.fit(X, k, sample_weight=sample_weight)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"columns     {spell_names(names)}" + (f"; weights from {weights}" if weights else ""))
    console.print(result.summary())
    if out is not None:
        write_result(out, result)
        console.print(f"\nlabels written to {out}")


def list_strategies(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Show the registered strategies, with those of installed packages."""
    if as_json:
        sys.stdout.write(json.dumps([dataclasses.asdict(row) for row in registry.rows()], indent=1) + "\n")
        return
    table = plain_table("strategy", "exact", "monotone", "objective", "cost", "reference")
    for column in table.columns[:4]:
        column.no_wrap = True
    table.show_edge, table.columns[4].max_width = False, 10  # fits 80 columns without breaking a word
    for role, rows in itertools.groupby(registry.rows(), lambda row: row.role):
        table.add_row(f"[bold]{role.replace('_', ' ')}[/]")
        for row in rows:
            flags = ("yes" if flag else "-" for flag in (row.exact, row.monotone))
            table.add_row(f" [cyan]{row.name}[/]", *flags, ",\n".join(row.objectives), row.cost, row.reference)
        table.add_section()
    Console(highlight=False).print(table)


def warmup() -> None:
    """Compile the kernels for float32 and float64, or load them from the disk cache."""
    before, start = _kernel_counts(), time.perf_counter()
    every = itertools.product(registry.rows("assigner"), registry.rows("updater"))
    pairs = [pair for pair in every if registry.fit_together(*pair) and pair[1].objective != HARD]
    medoids = [row.name for row in registry.rows("updater") if row.objective == HARD]
    for dtype, shared in itertools.product((np.float32, np.float64), (False, True)):
        X = _interior(PARALLEL_ROWS if shared else 6, dtype)
        for row in registry.rows("initializer"):
            Solver(row.name, rng=0, max_iter=1, threads=2).fit(X, 2).predict(X)
        for assign, update in pairs:
            columns = X if assign.columns is None else X[:, : assign.columns]
            Solver("uniform", assign.name, update.name, rng=0, max_iter=2, threads=2).fit(columns, 2)
        for name in medoids:  # whose sweeps are of all pairs of rows
            Solver("uniform", "dense", name, rng=0, max_iter=2, threads=2).fit(X[:PARALLEL_PAIRS], 2)
    seconds = time.perf_counter() - start
    compiled, loaded = np.subtract(_kernel_counts(), before)
    Console(highlight=False, soft_wrap=True).print(
        f"kernels for float32 and float64: {compiled} compiled, {loaded} from the disk cache, in {seconds:.1f} seconds"
    )


def _interior(n: int, dtype: Any) -> np.ndarray:
    """Rows inside the domain of every divergence: positive numbers that add up to 1."""
    first = np.linspace(0.1, 0.9, n)
    return np.column_stack((first, 1 - first)).astype(dtype)


def check(
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help="A registered name, module:Name, or a module.")],
    role: Annotated[str | None, typer.Option(help="Role, where it is not clear: " + ", ".join(registry.ROLES))] = None,
    examples: Annotated[int, typer.Option(min=0, help="Random cases for each rule, after the fixed ones.")] = 30,
) -> None:
    """Check a strategy by the rules of its role.

    Modules are looked for in the working directory too. A module stands for all strategies that it registers.
    The exit code is 1 if a rule is broken.
    """
    if importlib.util.find_spec("hypothesis") is None:
        raise ValueError('to check strategies, install the extra: pip install "kmtoolkit[test]"')
    from kmtoolkit.testing import ConformanceError, rules
    from kmtoolkit.testing.find import find

    console = Console(highlight=False, markup=False, soft_wrap=True)
    broken = 0
    for found in find(strategy, role):
        console.print(str(found))
        for rule in rules(found):
            try:
                rule.check(found, examples=examples)
                console.print(f"  ok      {rule.name}")
            except ConformanceError as error:
                broken += 1
                console.print(f"  failed  {rule.name}\n\n{error}\n")
    console.print(f"rules broken: {broken}" if broken else "all rules hold")
    raise typer.Exit(1 if broken else 0)


def _kernel_counts() -> tuple[int, int]:
    """How many kernels this process has compiled, and how many it has loaded from the disk cache."""
    stats = [kernel.stats for kernel in COMPILED]
    return sum(sum(s.cache_misses.values()) for s in stats), sum(sum(s.cache_hits.values()) for s in stats)


if __name__ == "__main__":
    main()
