"""A comparison as one page of HTML that needs no network: a table to sort and filter, and plotly's figures."""

import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from kmtoolkit.bench.charts import figures
from kmtoolkit.bench.comparison import Comparison

__all__ = ["html"]

HERE = Path(__file__).parent
WHAT = "time to 1%"
COSTS = ("objective", "seconds", "time to 1%", "time to 0.1%")


def html(comparison: Comparison) -> str:
    """The page.

    Raises
    ------
    ImportError
        If plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise ImportError('a report needs the extra: pip install "kmtoolkit[bench]"') from None
    drawn = figures(comparison, WHAT)
    parts = {
        "STYLE": (HERE / "report.css").read_text(encoding="utf-8"),
        "SCRIPT": (HERE / "report.js").read_text(encoding="utf-8"),
        "PLOTLY": get_plotlyjs(),
        "FIGURES": as_script([figure for *_, figure in drawn]),
        "LEAD": lead(comparison),
        "TABLE": table(comparison),
        "PLOTS": "\n".join(plot(i, title, text) for i, (title, text, _) in enumerate(drawn)),
        "ABOUT": about(comparison),
    }
    page = (HERE / "report.html").read_text(encoding="utf-8")
    pieces = page.split("%%")  # one pass, so that what is put in is never looked through for places
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def as_script(value: Any) -> str:
    """JSON that can stand in a script: no tag or entity begins in it, whatever names hold."""
    text = json.dumps(finite(value), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def finite(value: Any) -> Any:
    """The same with null for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def lead(comparison: Comparison) -> str:
    """What took part, and who is first."""
    failed = sum(row["runs"] - row["succeeded"] for row in comparison.summary(()))
    names = ", ".join(
        f"{escape(name)} ({p['n']} × {p['d']}, k = {p['k']})" for name, p in comparison.header["problems"].items()
    )
    best = comparison.ranking(WHAT)[:3]
    ranked = "".join(f"<li>{escape(name)} <small>area {area:.2f}</small></li>" for name, area in best)
    return (
        f"<p>{len(comparison.entrants)} entrants, {len(comparison.records)} runs, {failed} of them failed; "
        f"problems: {names}.</p>"
        f"<p>First by the area under the profile of {WHAT} of the best known objective:</p><ol>{ranked}</ol>"
    )


def table(comparison: Comparison) -> str:
    """Medians and intervals of every entrant and task."""
    heads = ("problem", "entrant", "succeeded", *COSTS)
    rows = []
    for row in comparison.summary(COSTS):
        task = row["problem"] + ("" if row["objective_name"] == "squared-euclidean" else f" ({row['objective_name']})")
        cells = [
            (task, task, ""),
            (row["entrant"], row["entrant"], ""),
            (row["succeeded"], f"{row['succeeded']} of {row['runs']}", ""),
        ]
        for cost in COSTS:
            middle, low, high = row[cost], row[f"{cost} low"], row[f"{cost} high"]
            cells.append((middle, spell(middle), f"{spell(low)} to {spell(high)}"))
        rows.append(
            "<tr>"
            + "".join(
                f'<td data-value="{escape(str(value))}">{escape(shown)} <small>{escape(more)}</small></td>'
                for value, shown, more in cells
            )
            + "</tr>"
        )
    buttons = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{escape(head)}</button></th>' for head in heads
    )
    return f"<thead><tr>{buttons}</tr></thead><tbody>{''.join(rows)}</tbody>"


def spell(value: float) -> str:
    """A number, short."""
    return "–" if np.isnan(value) else "never" if np.isinf(value) else f"{value:.4g}"


def plot(number: int, title: str, text: str) -> str:
    """The place of a figure."""
    return (
        f"<section><h2>{escape(title)}</h2><p>{escape(text)}</p>"
        f'<div class="plot" id="figure-{number}" role="img" aria-label="{escape(title)}"></div></section>'
    )


def about(comparison: Comparison) -> str:
    """Machine, options, what was not run, and how to run it again."""
    header = comparison.header
    facts = {**header["machine"], **header["options"], "repeats": header["repeats"], "rng": header["rng"]}
    lines = "".join(f"<dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items())
    command = header.get("command")
    again = f'<h2>Run it again</h2><pre tabindex="0">{escape(command)}</pre>' if command else ""
    reasons = "".join(
        f"<li>{escape(' × '.join(filter(None, m.labels.values())))}: {escape(m.reason)}</li>"
        for m in comparison.misfits
    )
    summary = f"{len(comparison.misfits)} combinations don't fit together"
    misfits = f"<details><summary>{summary}</summary><ul>{reasons}</ul></details>"
    failures = sorted(
        {
            f"{r['entrant']} on {r['problem']}: {r['status']}, {r['message']}"
            for r in comparison.records
            if r.get("message")
        }
    )
    failed = "".join(f"<li>{escape(line)}</li>" for line in failures)
    failed = f"<details open><summary>{len(failures)} failures</summary><ul>{failed}</ul></details>" if failures else ""
    return f"{again}<h2>Machine and options</h2><dl>{lines}</dl>{failed}{misfits if reasons else ''}"
