"""The figures of a report, as plotly draws them; names from data and plug-ins are escaped."""

from html import escape
from typing import Any

import numpy as np

from kmtoolkit.bench import analysis
from kmtoolkit.bench.comparison import SOLVED, Comparison, task_of

__all__ = ["figures"]

MOST_LINES = 12  # of profiles, best first; more can't be told apart
# Okabe and Ito (2008): told apart by everyone, on white and on black.
COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c1a", "#7f7f7f"]
DASHES = ["solid", "dash", "dot"]


def figures(comparison: Comparison, what: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Title, explanation, and figure as plotly's JSON for each figure of a report."""
    return [
        (
            "Performance profiles",
            f"Share of problems on which an entrant is within a factor of the best in {what}; "
            f"higher and further left is better. The {MOST_LINES} best of the ranking.",
            profiles(comparison, what),
        ),
        (
            "Time and quality",
            "Medians over repeats; the line is the Pareto front: nobody else is both faster and better.",
            scatter(comparison),
        ),
        (
            "Initializer by assigner",
            f"Median over problems of the factor to the best in {what}; 1 is best.",
            heat_map(comparison, what),
        ),
        (
            "Mean ranks",
            "Ranks over problems, 1 is best; who is within the critical difference (bar) of another is not "
            "told apart from it by Nemenyi's test at 5 %.",
            ranks(comparison, what),
        ),
        (
            "Descent by half-step",
            "The first repeat of each entrant: objective above the best known, over time. Hover to see the half-steps.",
            traces(comparison),
        ),
    ]


def line(index: int) -> dict[str, Any]:
    """Color and dashes that tell lines apart."""
    return {"color": COLORS[index % len(COLORS)], "dash": DASHES[index // len(COLORS) % len(DASHES)]}


def labels(task: tuple[str, str]) -> str:
    """A task in words."""
    return escape(task[0] if task[1] == "squared-euclidean" else f"{task[0]} ({task[1]})")


def profiles(comparison: Comparison, what: str) -> dict[str, Any]:
    """Dolan and Moré's profiles, of those that rank first."""
    entrants, _, costs = comparison.costs(what)
    factors, shares = analysis.performance_profiles(costs)
    best = [name for name, _ in comparison.ranking(what)][:MOST_LINES]
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": escape(name),
            "x": factors.tolist(),
            "y": shares[entrants.index(name)].tolist(),
            "line": {"shape": "hv", **line(i)},
            "hovertemplate": "within %{x:.3g}: %{y:.0%}<extra>" + escape(name) + "</extra>",
        }
        for i, name in enumerate(best)
    ]
    layout = {
        "xaxis": {"type": "log", "title": {"text": f"factor to the best in {what}"}},
        "yaxis": {"title": {"text": "share of problems"}, "range": [-0.02, 1.05], "tickformat": ".0%"},
    }
    return {"data": data, "layout": layout}


def scatter(comparison: Comparison) -> dict[str, Any]:
    """Median seconds and objective of each entrant, by task, with the front."""
    entrants, tasks, seconds = comparison.costs("seconds")
    objective, best = comparison.costs("objective")[2], comparison.best_known()
    data, buttons = [], []
    for t, task in enumerate(tasks):
        points = np.column_stack((seconds[:, t], objective[:, t]))
        points[:, 1] = 100 * (points[:, 1] / best[task] - 1) if best[task] else points[:, 1]
        front = np.flatnonzero(analysis.pareto_front(points))
        front = front[np.argsort(points[front, 0])]
        shown = np.flatnonzero(np.isfinite(points).all(axis=1))
        data += [
            {
                "type": "scatter",
                "mode": "markers",
                "name": "entrants",
                "visible": t == 0,
                "marker": {"color": COLORS[0], "size": 8},
                "x": points[shown, 0].tolist(),
                "y": points[shown, 1].tolist(),
                "text": [escape(entrants[i]) for i in shown],
                "hovertemplate": "%{text}<br>%{x:.4g} s, %{y:.3g} % above<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": "Pareto front",
                "visible": t == 0,
                "x": points[front, 0].tolist(),
                "y": points[front, 1].tolist(),
                "text": [escape(entrants[i]) for i in front],
                "line": {"color": COLORS[5], "shape": "hv"},
                "marker": {"size": 9},
                "hovertemplate": "%{text}<br>%{x:.4g} s, %{y:.3g} % above<extra>front</extra>",
            },
        ]
        visible = [i // 2 == t for i in range(2 * len(tasks))]
        buttons.append({"method": "restyle", "label": labels(task), "args": ["visible", visible]})
    layout = {
        "xaxis": {"type": "log", "title": {"text": "seconds"}},
        "yaxis": {"title": {"text": "% above the best known"}},
        "updatemenus": menu(buttons),
    }
    return {"data": data, "layout": layout}


def menu(buttons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A menu above a figure, if there is something to choose."""
    place = {"x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"}
    return [{"buttons": buttons, **place}] if len(buttons) > 1 else []


def heat_map(comparison: Comparison, what: str) -> dict[str, Any]:
    """Median factor to the best over tasks and partners, initializers by assigners."""
    entrants, _, costs = comparison.costs(what)
    ratios = analysis.ratios_to_best(costs)
    parts = {r["entrant"]: (r["init"], r["assign"] or r["system"]) for r in comparison.records}
    rows, columns = (sorted({parts[name][i] for name in entrants}) for i in (0, 1))
    cells: list[list[float | None]] = []
    for init in rows:
        cells.append([])
        for assign in columns:
            who = [i for i, name in enumerate(entrants) if parts[name] == (init, assign)]
            value = np.median(ratios[who]) if who else np.inf
            cells[-1].append(float(value) if np.isfinite(value) else None)
    text = [["" if cell is None else f"{cell:.3g}" for cell in row] for row in cells]
    logs = [[None if cell is None else float(np.log10(cell)) for cell in row] for row in cells]
    data = [
        {
            "type": "heatmap",
            "x": [escape(c) for c in columns],
            "y": [escape(r) for r in rows],
            "z": logs,
            "text": text,
            "texttemplate": "%{text}",
            "colorscale": "Cividis",
            "reversescale": True,
            "showscale": False,
            "xgap": 2,
            "ygap": 2,
            "hovertemplate": "%{y} × %{x}: %{text} times the best<extra></extra>",
        }
    ]
    return {
        "data": data,
        "layout": {
            "xaxis": {"type": "category", "automargin": True},
            "yaxis": {"type": "category", "automargin": True},
        },
    }


def ranks(comparison: Comparison, what: str) -> dict[str, Any]:
    """Mean ranks with the critical difference."""
    entrants, _, costs = comparison.costs(what)
    told = analysis.critical_difference(costs)
    order = np.argsort(told.ranks, kind="stable")[: 2 * MOST_LINES][::-1]
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": told.ranks[order].tolist(),
            "y": [escape(entrants[i]) for i in order],
            "marker": {"size": 9, "color": COLORS[0]},
            "error_x": {
                "type": "constant",
                "value": 0.0 if np.isnan(told.difference) else told.difference / 2,
                "color": COLORS[7],
            },
            "hovertemplate": "%{y}: %{x:.2f}<extra></extra>",
        }
    ]
    test = "" if np.isnan(told.pvalue) else f"; Friedman p = {told.pvalue:.2g}"
    return {
        "data": data,
        "layout": {
            "height": max(260, 90 + 22 * len(order)),
            "yaxis": {"type": "category", "automargin": True},
            "xaxis": {"title": {"text": f"mean rank in {what}{test}"}},
        },
    }


def traces(comparison: Comparison) -> dict[str, Any]:
    """Objectives of half-steps over time, by task."""
    best, data, owner = comparison.best_known(), [], []
    tasks = comparison.tasks
    ranked = [name for name, _ in comparison.ranking()]
    for t, task in enumerate(tasks):
        runs = [
            r
            for r in comparison.records
            if task_of(r) == task and r["repeat"] == 0 and r["status"] in SOLVED and "trace" in r
        ]
        for i, r in enumerate(sorted(runs, key=lambda r: ranked.index(r["entrant"]))[:MOST_LINES]):
            seconds, objective, phase = r["trace"]
            above = [value / best[task] - 1 if best[task] else value for value in objective]
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "visible": t == 0,
                    "name": escape(r["entrant"]),
                    "x": seconds,
                    "y": [max(value, 1e-9) for value in above],
                    "text": [escape(p) for p in phase],
                    "customdata": objective,
                    "line": line(i),
                    "marker": {"size": 4},
                    "hovertemplate": "%{text} at %{x:.4g} s: %{customdata:.7g}<extra>"
                    + escape(r["entrant"])
                    + "</extra>",
                }
            )
            owner.append(t)
    buttons = [
        {"method": "restyle", "label": labels(task), "args": ["visible", [o == t for o in owner]]}
        for t, task in enumerate(tasks)
    ]
    layout = {
        "xaxis": {"title": {"text": "seconds"}},
        "updatemenus": menu(buttons),
        "yaxis": {"type": "log", "title": {"text": "share above the best known"}, "exponentformat": "power"},
    }
    return {"data": data, "layout": layout}
