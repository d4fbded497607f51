"""What criteria say, side by side."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from kmtoolkit.selection.choice import Choice

__all__ = ["summary"]

WIDTH = 9  # of a column, or more for a long name; values have 4 digits


def summary(ks: tuple[int, ...], objective: np.ndarray, choices: Sequence[Choice], notes: Iterable[str]) -> str:
    """A row for each k, a column for each criterion, and under it what they say."""
    head = f"{'k':>4}  {'objective':>13}"
    widths = [max(WIDTH, len(choice.criterion.short)) for choice in choices]
    for choice, width in zip(choices, widths, strict=True):
        head += f"  {choice.criterion.short:>{width}}"
    lines = [head]
    for i, k in enumerate(ks):
        line = f"{k:>4}  {objective[i]:>13.8g}"
        for choice, width in zip(choices, widths, strict=True):
            star = "*" if choice.k == k else " "
            shown = "-" if np.isnan(choice.values[i]) else f"{choice.values[i]:.4g}"
            line += f" {shown + star:>{width + 1}}"
        lines.append(line.rstrip())
    lines.append("")
    short = max(len(choice.criterion.short) for choice in choices)
    name = max(len(choice.criterion.name) for choice in choices)
    for choice in choices:
        says = "none  " if choice.k is None else f"k = {choice.k:<2}"
        lines.append(f"{choice.criterion.short:<{short}}  {choice.criterion.name:<{name}}  {says}  {choice.reason}")
    said = Counter("none" if choice.k is None else f"k = {choice.k}" for choice in choices)
    lines += ["", "together: " + ", ".join(f"{answer} ({many})" for answer, many in said.most_common())]
    for reason, where in _undefined(choices).items():
        lines.append(f"- at {where}: {reason}")
    return "\n".join([*lines, *notes])


def _undefined(choices: Sequence[Choice]) -> dict[str, str]:
    """Why values are undefined: for each reason, the criteria and ks."""
    found: dict[str, dict[str, list[int]]] = {}
    for choice in choices:
        for k, reason in sorted(choice.reasons.items()):
            found.setdefault(reason, {}).setdefault(choice.criterion.short, []).append(k)
    out = {}
    for reason, by_criterion in found.items():
        by_ks: dict[tuple[int, ...], list[str]] = {}
        for name, ks in by_criterion.items():
            by_ks.setdefault(tuple(ks), []).append(name)
        out[reason] = "; ".join(f"k = {', '.join(map(str, ks))} of {', '.join(who)}" for ks, who in by_ks.items())
    return out
