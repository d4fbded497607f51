"""What a race says: tables for a terminal and for Markdown, and a chart, from the JSON that ``peers.py`` writes."""

import math
import statistics
from dataclasses import dataclass, field

from systems import DENSE, OURS, PEERS, SYSTEMS

NO_WORSE = 1.001  # a peer counts in time to solution if its objective is at most so many times ours
TITLES = {"rate": "Milliseconds an iteration, same given centers", "solve": "Milliseconds to solution, defaults"}
COLORS = [
    "#0072B2",
    "#56B4E9",
    "#D55E00",
    "#E69F00",
    "#000000",
    "#009E73",
    "#CC79A7",
    "#8C8C8C",
]  # Okabe and Ito's, for the color-blind
MARKERS = "osD^<vP*"
STYLES = dict(zip(PEERS, zip(COLORS, MARKERS, strict=True), strict=True))


@dataclass
class Row:
    """One workload: of each system the median seconds (an iteration, or to solution), the objective, or why not."""

    workload: str
    experiment: str
    seconds: dict = field(default_factory=dict)
    objectives: dict = field(default_factory=dict)
    failures: dict = field(default_factory=dict)

    def ratio(self, *systems):
        """How many times longer than ours the fastest of these systems took; nan if none finished."""
        times = [self.seconds[system] for system in systems if system in self.seconds]
        return min(times) / self.seconds[OURS] if times and OURS in self.seconds else math.nan

    def worse(self, system):
        """Whether the objective of a system is worse than ours by more than the tolerance."""
        return not self.objectives.get(system, math.nan) <= NO_WORSE * self.objectives.get(OURS, math.inf)

    def ratios(self):
        """The ratios in the table: our own dense, best peer, best of scikit-learn, and best peer as good as ours."""
        found = {"dense": self.ratio(DENSE), "best peer": self.ratio(*PEERS)}
        found["sklearn"] = self.ratio("sklearn-lloyd", "sklearn-elkan")
        if self.experiment == "solve":
            found["best as good"] = self.ratio(*(system for system in PEERS if not self.worse(system)))
        return found

    def objective_ratio(self):
        """Our objective in units of the best peer's; above 1 is worse."""
        return self.objectives.get(OURS, math.nan) / least(
            value for system, value in self.objectives.items() if system in PEERS
        )


def rows_of(results, experiment, threads):
    """One Row for each workload of the race."""
    rows = {}
    for run in results["runs"]:
        if (run["experiment"], run["threads"]) != (experiment, threads):
            continue
        row = rows.setdefault(run["workload"], Row(run["workload"], experiment))
        if "seconds" not in run:
            row.failures[run["system"]] = ("misfit", run["misfit"]) if "misfit" in run else ("failed", run["failure"])
            continue
        value = run["seconds"] / run["n_iter"] if experiment == "rate" else run["seconds"]
        row.seconds.setdefault(run["system"], []).append(value)
        if run.get("objective") is not None:
            row.objectives.setdefault(run["system"], []).append(run["objective"])
    for row in rows.values():
        row.seconds = {system: statistics.median(values) for system, values in row.seconds.items()}
        row.objectives = {system: statistics.median(values) for system, values in row.objectives.items()}
    return list(rows.values())


def parts_of(results):
    """The (experiment, threads) that were raced, in order."""
    return list(dict.fromkeys((run["experiment"], run["threads"]) for run in results["runs"]))


def known(values):
    """Those that are not nan."""
    return [value for value in values if not math.isnan(value)]


def geometric_mean(values):
    """Geometric mean of those that are not nan, and nan if all are."""
    logs = [math.log(value) for value in known(values)]
    return math.exp(statistics.fmean(logs)) if logs else math.nan


def least(values):
    """The least of those that are not nan."""
    return min(known(values), default=math.nan)


def most(values):
    """The largest of those that are not nan."""
    return max(known(values), default=math.nan)


def spelled(value, digits=2):
    """A ratio, or a dash."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def cell(row, system):
    """Milliseconds of a system, marked if its objective is worse than ours; or a word for what went wrong."""
    if system in row.seconds:
        milliseconds = 1e3 * row.seconds[system]
        digits = max(0, 2 - math.floor(math.log10(milliseconds)))
        return f"{milliseconds:.{min(digits, 3)}f}" + "!" * row.worse(system)
    return row.failures.get(system, ("–",))[0]


def grid_of(results, experiment, threads):
    """The table as lists of strings: head, rows, and summary rows."""
    rows = rows_of(results, experiment, threads)
    names = [s.name for s in SYSTEMS if any(s.name in row.seconds or s.name in row.failures for row in rows)]
    heads = list(Row("", experiment).ratios())
    body = []
    for row in rows:
        shape = results["workloads"][row.workload]
        size = f"{shape['n']} × {shape['d']}"
        about = [row.workload, size, str(shape["k"]), shape["dtype"].replace("float", "f")]
        ratios = [spelled(value) for value in row.ratios().values()]
        body.append([*about, *(cell(row, name) for name in names), *ratios, spelled(row.objective_ratio(), 4)])
    columns = [[row.ratios()[head] for row in rows] for head in heads]
    objectives = [row.objective_ratio() for row in rows]
    feet = []
    for name, summary, worst in (("geometric mean", geometric_mean, geometric_mean), ("worst case", least, most)):
        ratios = [spelled(summary(column)) for column in columns]
        feet.append([name, *[""] * (3 + len(names)), *ratios, spelled(worst(objectives), 4)])
    return ["workload", "rows × columns", "k", "type", *names, *heads, "objective"], body, feet


def show(results, console):
    """Print the tables, and what went wrong, on a rich console."""
    from rich.table import Table

    for experiment, threads in parts_of(results):
        head, body, feet = grid_of(results, experiment, threads)
        table = Table(title=f"{TITLES[experiment]}; threads: {threads}", padding=(0, 1, 0, 0))
        for position, name in enumerate(head):
            heading = name if position < 4 else name.replace("-", "\n", 1).replace(" ", "\n")
            table.add_column(heading, justify="left" if position < 2 else "right", no_wrap=True)
        for line in body:
            table.add_row(*line)
        table.add_section()
        for line in feet:
            table.add_row(*line, style="bold")
        console.print(table)
        for row in rows_of(results, experiment, threads):
            for system, (word, reason) in row.failures.items():
                console.print(f"{row.workload}, {system}: {word}, {reason}", style="dim", markup=False)
    console.print(
        "Ratios are a peer's time over ours. ! marks an objective worse than ours by over 0.1 %.", markup=False
    )


def markdown(results):
    """The tables as Markdown."""
    machine = results["machine"]
    versions = {f"{name} {version}" for found in results["versions"].values() for name, version in found.items()}
    lines = [f"{machine['cpu']}, {machine['system']}, Python {machine['python']}; {', '.join(sorted(versions))}."]
    for experiment, threads in parts_of(results):
        head, body, feet = grid_of(results, experiment, threads)
        lines += ["", f"**{TITLES[experiment]}; threads: {threads}**", ""]
        lines += [f"| {' | '.join(head)} |", f"|---|---|{'---:|' * (len(head) - 2)}"]
        lines += [f"| {' | '.join(line)} |" for line in [*body, *feet]]
    return "\n".join(lines)


def chart(results, path):
    """Draw how many times longer than ours each peer took: a dot for each, and a panel for each part of the race."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    parts = parts_of(results)
    across = len({experiment for experiment, _ in parts})
    down = -(-len(parts) // across)
    height = 1.0 + down * (0.8 + 0.27 * max(len(rows_of(results, *part)) for part in parts))
    figure, axes = plt.subplots(down, across, figsize=(1 + 6 * across, height), squeeze=False, layout="constrained")
    shown = {}
    for axis, (experiment, threads) in zip(axes.flat, parts, strict=False):
        shown |= draw(axis, rows_of(results, experiment, threads))
        axis.set_title(f"{TITLES[experiment]}; threads: {threads}", fontsize=10)
    for axis in axes.flat[len(parts) :]:
        axis.set_visible(False)
    shown = {name: dot(*STYLES[name]) for name in STYLES if name in shown}
    shown["hollow: objective over 0.1 % worse than ours"] = dot("0.4", "o", hollow=True)
    handles = [mpl.lines.Line2D([], [], **style) for style in shown.values()]
    figure.legend(handles, shown, loc="outside lower center", ncols=min(len(shown), 2 * across + 1), frameon=False)
    figure.savefig(path)
    plt.close(figure)


def dot(color, marker, hollow=False):
    """How a dot looks."""
    face = "none" if hollow else color
    return {"color": color, "marker": marker, "markerfacecolor": face, "markersize": 7, "linestyle": ""}


def draw(axis, rows):
    """One panel; returns the systems in it."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    shown = {}
    for level, row in enumerate(rows):
        for system, style in STYLES.items():
            if not math.isnan(ratio := row.ratio(system)):
                axis.plot(ratio, level, **dot(*style, hollow=row.worse(system)))
                shown[system] = True
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_yticks(range(len(rows)), [row.workload for row in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.grid(color="0.9")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_xlabel("time of the peer / time of kmtoolkit (right of 1: kmtoolkit is faster)")
    return shown
