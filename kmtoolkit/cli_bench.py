"""The command ``kmtoolkit bench``: a comparison from a file, or of a few strategies on well-known problems."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kmtoolkit.bench.comparison import Comparison
from kmtoolkit.bench.config import read_config
from kmtoolkit.bench.door import compare

__all__ = ["bench"]

WITHOUT_A_FILE: dict[str, Any] = {
    "strategies": {"init": ["k-means++", "random"], "assign": ["dense", "hamerly"]},
    "problems": [
        "iris",
        "old-faithful",
        {"problem": "blobs", "n": 2000, "k": 10},
        {"problem": "square", "n": 2000, "k": 20},
    ],
    "seconds": 10.0,
}
MOST_ROWS = 20


def bench(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG.toml]", help="What to compare; a short example without.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="A report: one page that needs no network.")] = None,
    csv: Annotated[Path | None, typer.Option(help="A table of the runs.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="The same as Parquet.")] = None,
    json: Annotated[Path | None, typer.Option(help="The runs with traces and machine.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Starts of each problem.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Limit of a fit.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of a fit.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed, other starts.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Add each run to this file, and go on from there.")] = None,
) -> None:
    """Compare every combination of strategies that fits together.

    Runs are interleaved, from the same starts, in a worker process that is replaced when a strategy hangs or crashes.
    """
    given = WITHOUT_A_FILE if config is None else read_config(config)
    options = {"repeats": repeats, "seconds": seconds, "threads": threads, "rng": seed, "checkpoint": checkpoint}
    given = {**given, **{name: value for name, value in options.items() if value is not None}}
    for suffix, file in ((".html", html), (".csv", csv), (".parquet", parquet), (".json", json)):
        if file is not None and file.suffix != suffix:
            raise ValueError(f"--{suffix[1:]} is {str(file)!r}; its name must end in {suffix}")
    files = [file for file in (html, csv, parquet, json) if file is not None]
    command = shlex.join(["kmtoolkit", *sys.argv[1:]])
    found = compare(**given, save=files, progress=True, command=command)
    console = Console(highlight=False, soft_wrap=True)
    show(found, console)
    for file in files:
        console.print(f"written to {file}", markup=False)


def show(found: Comparison, console: Console) -> None:
    """The ranking as a table, and what failed."""
    table = Table("rank", "entrant", "area", "failed", box=None)
    failed = dict.fromkeys(found.entrants, 0)
    for row in found.summary(()):
        failed[row["entrant"]] += row["runs"] - row["succeeded"]
    for rank, (name, area) in enumerate(found.ranking()[:MOST_ROWS], 1):
        table.add_row(str(rank), Text(name), f"{area:.3f}", str(failed[name] or "-"))
    console.print(repr(found), markup=False)
    console.print(table)
    if len(found.entrants) > MOST_ROWS:
        console.print(f"and {len(found.entrants) - MOST_ROWS} more")
    console.print("area: under the performance profile of the time to 1 % of the best known objective; 1 is best")
    if found.misfits:
        console.print(f"{len(found.misfits)} combinations don't fit together: {found.misfits[0].reason}", markup=False)
