"""``kmtoolkit demo``: two small fits, explained."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from kmtoolkit import datasets
from kmtoolkit.result import Result
from kmtoolkit.solver import Solver
from kmtoolkit.trace import Trace

__all__ = ["demo", "plain_table"]

PAGE_WIDTH = 88  # longer lines are hard to read
TRACE_ROWS = 24
IRIS_OPTIMUM = "78.851441"  # proved by du Merle, Hansen, Jaumard and Mladenovic, SIAM J. Sci. Comput. 21, 2000


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
    table = plain_table("cluster", "size", "objective", *(name.replace("_", " ") for name in columns), justify="right")
    for j, center in enumerate(result.centers):
        values = (f"{value:.4f}" for value in center)
        table.add_row(str(j), str(result.sizes[j]), f"{result.cluster_objectives[j]:.6f}", *values)
    page.print(table)


def _trace_table(trace: Trace) -> Table:
    table = plain_table("iteration", "phase", "objective", "drop", "moved", "empty", justify="right")
    table.columns[1].justify, table.columns[1].style = "left", "cyan"
    hidden = max(len(trace) - TRACE_ROWS, 0)
    for t in range(len(trace)):
        if t < TRACE_ROWS // 2 or t >= TRACE_ROWS // 2 + hidden:
            numbers = f"{trace.objective[t]:.6f}", f"{trace.drop[t]:.6f}" if t else "", trace.moved[t], trace.empty[t]
            table.add_row(str(trace.iteration[t]), trace.phase[t], *map(str, numbers))
        elif t == TRACE_ROWS // 2:
            table.add_row("...", "", f"{hidden} not shown", "", "", "")
    return table


def plain_table(*headers: str, justify: Any = "left") -> Table:
    """A table without a frame."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for header in headers:
        table.add_column(header, justify=justify, overflow="fold")
    return table
