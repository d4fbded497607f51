"""What a comparison found: a table of runs, their summary, and the files they are saved to."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from kmtoolkit.bench import analysis
from kmtoolkit.bench.entrants import Misfit
from kmtoolkit.bench.journal import as_json
from kmtoolkit.kernels.jit import most_threads

__all__ = ["FORMATS", "Comparison", "check_file", "machine"]

FORMATS = (".csv", ".json", ".parquet", ".html")
SOLVED = ("fixed_point", "tolerance", "max_iter", "time", "callback", "ended")
COLUMNS = [
    "problem", "repeat", "entrant", "init", "assign", "update", "empty", "system", "objective_name", "status",
    "objective", "iterations", "seconds", "seconds_init", "seconds_assign", "seconds_repair", "seconds_update",
    "distances", "memory", "certified", "refused", "clusters", "tries", "message",
]  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """The runs of a comparison.

    Attributes
    ----------
    records : list of dict
        One for each run: who (``entrant, init, assign, update, empty, system``), what (``problem, repeat,
        objective_name``), and what came of it: ``status``, ``objective``, ``iterations``, ``seconds`` (of the whole
        fit, and ``seconds_init``, ``_assign``, ``_repair``, ``_update`` of its stages), ``distances`` computed,
        ``memory`` (bytes above the start of the fit), metrics, ``message`` of what failed, and ``trace``: seconds,
        objective and phase of every half-step.
    misfits : list of Misfit
        Combinations that don't fit together, which were not run, with the reason.
    header : dict
        Machine, versions, options, and the problems with sizes and the best objective known from elsewhere.
    """

    records: list[dict[str, Any]]
    misfits: list[Misfit]
    header: dict[str, Any]

    @property
    def entrants(self) -> list[str]:
        """Names of those who took part, in order of first appearance."""
        return sorted({r["entrant"] for r in self.records})

    @property
    def tasks(self) -> list[tuple[str, str]]:
        """Problems and objectives: only what has both the same is compared."""
        return sorted({(r["problem"], r["objective_name"]) for r in self.records})

    def to_pandas(self) -> Any:
        """The runs as a DataFrame, one row each, without traces."""
        import pandas as pd

        metrics = [name for name in self.header["metrics"] if name not in COLUMNS]
        return pd.DataFrame([{name: r.get(name) for name in (*COLUMNS, *metrics)} for r in self.records])

    def best_known(self) -> dict[tuple[str, str], float]:
        """The least objective of each task that was found here, or was known."""
        best: dict[tuple[str, str], float] = {}
        for task in self.tasks:
            found = [r["objective"] for r in self.records if r.get("objective") is not None and task_of(r) == task]
            known = self.header["problems"].get(task[0], {}).get("best")
            given = [known] if known is not None and task[1] == "squared-euclidean" else []
            best[task] = min([*found, *given], default=float("nan"))
        return best

    def costs(self, what: str = "objective") -> tuple[list[str], list[tuple[str, str]], np.ndarray]:
        """Entrants, tasks, and the median of a cost over repeats, infinite where most repeats failed.

        Parameters
        ----------
        what : {"objective", "seconds", "time to 1%", "time to 0.1%"} or a column of numbers
            The cost.

        Returns
        -------
        entrants, tasks : list
            Names of rows and columns.
        costs : ndarray of shape (entrants, tasks)
            Medians; NaN where an entrant doesn't take part.
        """
        best = self.best_known()
        entrants, tasks = self.entrants, self.tasks
        costs = np.full((len(entrants), len(tasks)), np.nan)
        values: dict[tuple[str, tuple[str, str]], list[float]] = {}
        for r in self.records:
            values.setdefault((r["entrant"], task_of(r)), []).append(cost_of(r, what, best[task_of(r)]))
        for (entrant, task), sample in values.items():
            costs[entrants.index(entrant), tasks.index(task)] = analysis.median_interval(sample, resamples=1)[0]
        return entrants, tasks, costs

    def summary(self, what: Iterable[str] = ("objective", "seconds", "time to 1%")) -> list[dict[str, Any]]:
        """For each task and entrant: runs, how many succeeded, medians of costs and their 95 % bootstrap intervals."""
        best, told = self.best_known(), list(what)
        groups: dict[Any, list[dict[str, Any]]] = {}
        for r in self.records:
            groups.setdefault((task_of(r), r["entrant"]), []).append(r)
        rows = []
        for (task, entrant), runs in sorted(groups.items()):
            row = {"problem": task[0], "objective_name": task[1], "entrant": entrant, "runs": len(runs),
                   "succeeded": sum(r["status"] in SOLVED for r in runs)}  # fmt: skip
            for cost in told:
                interval = analysis.median_interval([cost_of(r, cost, best[task]) for r in runs])
                row |= dict(zip((cost, f"{cost} low", f"{cost} high"), interval, strict=True))
            rows.append(row)
        return rows

    def ranking(self, what: str = "time to 1%") -> list[tuple[str, float]]:
        """Entrants from best to worst by the area under their performance profile, over log factors up to 10.

        The area is 1 for who is best in every task, and 0 for who never is within 10 times the best.
        """
        entrants, _, costs = self.costs(what)
        logs = np.log10(analysis.ratios_to_best(costs))
        area = np.clip(1.0 - logs, 0.0, None).mean(axis=1)
        order = np.lexsort((entrants, -area))
        return [(entrants[i], float(area[i])) for i in order]

    def save(self, *files: Any) -> None:
        """Write the runs to files: .csv and .parquet tables, .json with traces and header, a report as .html.

        Raises
        ------
        ValueError
            If the name of a file ends in none of these.
        OSError
            If a file can't be written.
        ImportError
            If the extra that writes it is not installed.
        """
        for file in files:
            path = check_file(file)
            if path.suffix == ".csv":
                self.to_pandas().to_csv(path, index=False)
            elif path.suffix == ".parquet":
                self.to_pandas().to_parquet(path, index=False)
            elif path.suffix == ".json":
                head = {"header": self.header, "misfits": [vars(m) for m in self.misfits]}
                lines = ",\n".join(as_json(r) for r in self.records)
                path.write_text(json.dumps(head)[:-1] + f', "records": [\n{lines}\n]}}\n', encoding="utf-8")
            else:
                from kmtoolkit.bench.report import html

                path.write_text(html(self), encoding="utf-8")

    def __repr__(self) -> str:
        failed = sum(r["status"] not in SOLVED for r in self.records)
        return (f"<Comparison of {len(self.entrants)} entrants on {len(self.header['problems'])} problems: "
                f"{len(self.records)} runs, {failed} failed>")  # fmt: skip


def task_of(record: dict[str, Any]) -> tuple[str, str]:
    """Problem and objective of a run."""
    return record["problem"], record["objective_name"]


def cost_of(record: dict[str, Any], what: str, best: float) -> float:
    """A cost of a run; infinite if it failed."""
    if record["status"] not in SOLVED:
        return np.inf
    if not what.startswith("time to "):
        value = record.get(what)
        return np.nan if value is None else float(value)
    target = best + abs(best) * float(what.removeprefix("time to ").removesuffix("%")) / 100
    if "trace" in record:
        return analysis.time_to_target(record["trace"][0], record["trace"][1], target)
    return record["seconds"] if record["objective"] <= target else np.inf


def check_file(file: Any) -> Path:
    """A path that can be written to.

    Raises
    ------
    ValueError
        If its ending is not known.
    OSError
        If its folder does not exist or can't be written.
    """
    path = Path(os.fspath(file))
    if path.suffix not in FORMATS:
        raise ValueError(f"can't save to {str(path)!r}: the name must end in one of {', '.join(FORMATS)}")
    if path.is_dir():
        raise IsADirectoryError(21, "is a folder", str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(2, "its folder does not exist", str(path))
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise PermissionError(13, "can't be written", str(path))
    return path


def machine() -> dict[str, str]:
    """Processor, system and versions, as a report tells them."""
    found = {"processor": _processor(), "processors": str(most_threads()), "system": platform.platform(),
             "python": platform.python_version()}  # fmt: skip
    for package in ("kmtoolkit", "numba", "numpy", "scipy", "scikit-learn", "faiss-cpu", "scikit-learn-intelex"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
