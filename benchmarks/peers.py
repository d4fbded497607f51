"""The race: this package against others, each in a process of its own, taking turns on the same rows.

    python benchmarks/peers.py --quick
    python benchmarks/peers.py --threads 1,2 --json results.json --chart results.svg
    python benchmarks/peers.py table results.json

``rate`` times 25 iterations from the same given centers with tolerance 0, and divides by the iterations done. ``solve``
times each system by its own defaults, seeding included, over several seeds. Objectives are recomputed from the centers
by one function, in float64. It needs the extra ``bench``; systems that are missing get an environment of their own.
"""

import json
import os
import platform
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import report
import typer
from rich.console import Console
from systems import OURS, SYSTEMS, Worker
from workloads import WORKLOADS

ITERATIONS = 25
LOAD_LIMIT = 300  # seconds for reading rows and compiling
CHUNK_BYTES = 64 << 20  # of scores held at once
REST = 0.05  # seconds between fits, in which the threads of the system before fall asleep

console = Console()
if not console.is_terminal:  # a table in a file needs no line breaks
    console = Console(width=200)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def objective(X, centers, weights=None):
    """Σ w‖x − nearest center‖² in float64: the nearest by scores about the mean, the distances from differences."""
    middle = X.mean(axis=0, dtype=np.float64)
    around = centers - middle
    half = 0.5 * np.einsum("jf,jf->j", around, around)
    step = max(CHUNK_BYTES // (8 * (len(centers) + 2 * X.shape[1])), 1)
    total = 0.0
    for lo in range(0, len(X), step):
        rows = X[lo : lo + step].astype(np.float64) - middle
        nearest = (rows @ around.T - half).argmax(axis=1)
        rows -= around[nearest]
        squares = np.einsum("if,if->i", rows, rows)
        total += squares.sum() if weights is None else squares @ weights[lo : lo + step]
    return float(total)


@dataclass
class Race:
    """The settings of a race, its workers, and what they have done so far."""

    repeats: int
    limit: float
    results: dict
    scratch: Path

    def workers(self, names, threads):
        """A worker for each system that can be had."""
        ready = []
        for system in SYSTEMS:
            if system.name not in names:
                continue
            try:
                worker = Worker(system, threads, (self.scratch / f"{system.name}.log").open("a"))
            except OSError as error:
                console.print(f"{system.name}: {error}", style="red", markup=False)
                continue
            told = worker.ask(LOAD_LIMIT, do="versions", packages=["kmtoolkit", "numba", "numpy", *system.requirements])
            self.results["versions"][system.name] = told.get("versions", told)
            ready.append(worker)
        return ready

    def hand_out(self, experiment, workload, X, weights, workers):
        """Let each worker load the rows and warm up; returns for each what went wrong, or nothing."""
        arrays = {"X": X, "weights": weights, "start": workload.start(X)}
        files = {name: str(self.scratch / f"{name}.npy") for name, array in arrays.items() if array is not None}
        for name, file in files.items():
            np.save(file, arrays[name])
        told = {worker: worker.ask(LOAD_LIMIT, do="load", **{"weights": None} | files) for worker in workers}
        loaded = [worker for worker in workers if told[worker] == {}]
        warm = {"do": "warm", "experiment": experiment, "argument": ITERATIONS if experiment == "rate" else 0}
        return told | {
            worker: worker.ask(max(LOAD_LIMIT, self.limit), **warm, wholly=worker.system.changes) for worker in loaded
        }

    def run(self, workload, threads, experiments, workers):
        """All experiments on one workload; the systems take turns in an order drawn anew each round."""
        X, weights = workload.load()
        self.results["workloads"][workload.name] = {
            "n": X.shape[0], "d": X.shape[1], "k": workload.k, "dtype": workload.dtype,
            "weighted": weights is not None, "checksum": f"{zlib.crc32(X):08x}",
        }  # fmt: skip
        shuffled = np.random.default_rng(zlib.crc32(workload.name.encode()))
        for experiment in experiments:
            takers = [worker for worker in workers if worker.system.only in ("", experiment)]
            told = self.hand_out(experiment, workload, X, weights, takers)
            key = {"workload": workload.name, "experiment": experiment, "threads": threads}
            for turn in range(self.repeats):
                for i in shuffled.permutation(len(takers)):
                    if told[takers[i]] == {}:
                        told[takers[i]] = self.measure(takers[i], key | {"repeat": turn}, X, weights)
            for worker in takers:
                if told[worker] != {}:
                    self.results["runs"].append(key | {"system": worker.system.name} | told[worker])

    def measure(self, worker, key, X, weights):
        """Time one fit of one system, and record it; returns what went wrong, or nothing."""
        rated = key["experiment"] == "rate"
        time.sleep(REST)
        told = worker.ask(
            self.limit, do="time", experiment=key["experiment"], argument=ITERATIONS if rated else key["repeat"],
            want_centers=not rated or key["repeat"] == 0,  # later rounds of ``rate`` give the same
        )  # fmt: skip
        if "seconds" not in told:
            return told
        centers = told.pop("centers", None)
        if centers is not None:
            told["objective"] = objective(X, np.frombuffer(centers).reshape(-1, X.shape[1]), weights)
        self.results["runs"].append(key | {"system": worker.system.name} | told)
        return {}


def machine():
    """What ran this."""
    cpu = platform.processor() or platform.machine()
    if (listing := Path("/proc/cpuinfo")).exists():
        names = (line.partition(":")[2] for line in listing.read_text().splitlines() if line.startswith("model name"))
        cpu = " ".join(next(names, cpu).split())
    return {"cpu": cpu, "processors": os.cpu_count(), "system": platform.system(), "python": platform.python_version()}


def chosen(text, known, what):
    """The names in a comma-separated list, or all."""
    names = [name.strip() for name in text.split(",")] if text else list(known)
    if unknown := set(names) - set(known):
        raise typer.BadParameter(f"unknown {what}: {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    return names


@app.callback(invoke_without_command=True)
def race(
    context: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="The short suite.")] = False,
    threads: Annotated[str, typer.Option(help="Threads of each system, such as 1,2.")] = "1",
    workloads: Annotated[str, typer.Option(help="Names of workloads, separated by commas.")] = "",
    systems: Annotated[str, typer.Option(help="Names of systems, separated by commas.")] = "",
    experiment: Annotated[str, typer.Option(help="rate, solve, or rate,solve.")] = "rate",
    repeats: Annotated[int, typer.Option(help="Rounds; in solve the number of seeds.", min=1)] = 3,
    limit: Annotated[float, typer.Option(help="Seconds that one fit may take.")] = 60,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write all there is to a file.")] = None,
    chart_path: Annotated[Path | None, typer.Option("--chart", help="Draw the ratios, .svg, .pdf or .png.")] = None,
) -> None:
    """Time this package against others."""
    if context.invoked_subcommand:
        return
    names = chosen(systems, [system.name for system in SYSTEMS], "systems")
    parts = chosen(experiment, ["rate", "solve"], "experiments")
    picked = chosen(workloads, [w.name for w in WORKLOADS if w.quick or not quick], "workloads")
    results = {
        "machine": machine(), "versions": {}, "workloads": {}, "runs": [],
        "settings": {"iterations": ITERATIONS, "repeats": repeats, "limit": limit, "ours": OURS},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        runner = Race(repeats, limit, results, Path(scratch))
        for count in (int(text) for text in threads.split(",")):
            workers = runner.workers(names, count)
            try:
                for workload in (w for w in WORKLOADS if w.name in picked):
                    console.print(f"{workload.name}, threads: {count}", style="dim", markup=False)
                    runner.run(workload, count, [p for p in parts if p == "rate" or workload.solve], workers)
                    if json_path is not None:  # after each workload: a race is long
                        json_path.write_text(json.dumps(results, indent=1))
            finally:
                for worker in workers:
                    worker.stop()
    report.show(results, console)
    if chart_path is not None:
        report.chart(results, chart_path)


@app.command()
def table(path: Annotated[Path, typer.Argument(help="What --json wrote.")]) -> None:
    """Print the tables of a race as Markdown."""
    print(report.markdown(json.loads(path.read_text())))


@app.command()
def chart(path: Annotated[Path, typer.Argument(help="What --json wrote.")], out: Path) -> None:
    """Draw the chart of a race."""
    report.chart(json.loads(path.read_text()), out)


if __name__ == "__main__":
    app()
