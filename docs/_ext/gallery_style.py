"""How the figures of the gallery look: one set of colors, markers and sizes, and what is drawn again and again."""

from typing import Any

import matplotlib.patheffects as effects
import matplotlib.pyplot as plt
import numpy as np
from figures import COLORS, GRAY, SHARED, ellipses
from matplotlib.axes import Axes

__all__ = [
    "COLORS", "GRAY", "LIGHT", "MARKERS", "PALETTE", "PHASES", "SHARED", "apply", "bare", "boundary", "centers",
    "clusters", "columns", "descent", "ellipses", "label", "note", "order", "phase_key", "plane", "rows",
    "rows_by_share", "walks",
]  # fmt: skip

PALETTE = (*COLORS, "#CC79A7", "#56B4E9", "#8C6D1F", "#000000")
MARKERS = "os^DvPX*"
LIGHT = "#C9C9C9"
PHASES = {  # marker, color, filled
    "init": ("D", GRAY, True),
    "update": ("o", COLORS[0], True),
    "assign": ("s", COLORS[1], False),
    "repair": ("*", COLORS[2], True),
    "covariances": ("^", COLORS[2], True),
    "weights": ("v", COLORS[3], True),
}
PAGES = (
    "old_faithful", "six_points", "mackay", "initializations", "elbow", "outliers", "color_quantization",
    "factorization", "certificates", "your_own_strategy",
)  # fmt: skip
HALO = (effects.withStroke(linewidth=3.5, foreground="white"),)


def apply(*_: object) -> None:
    """Set Matplotlib's defaults; sphinx-gallery calls this before each script."""
    plt.rcdefaults()
    plt.rcParams.update({
        "figure.constrained_layout.use": True,
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.08,
        "figure.facecolor": "white",
        "figure.dpi": 100,
        "font.size": 10,
        "axes.titlesize": 10.5,
        "axes.labelsize": 10,
        "figure.titlesize": 12,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "grid.color": "#E8E8E8",
        "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        "lines.linewidth": 1.8,
        "mathtext.fontset": "dejavusans",
    })  # fmt: skip


def order(script: str) -> tuple[int, str]:
    """Where a script stands in the gallery; those that are not listed come last."""
    name = script.removeprefix("plot_").removesuffix(".py")
    return (PAGES.index(name) if name in PAGES else len(PAGES)), name


def rows(axes: Axes, X: np.ndarray, size: float = 4) -> None:
    """Rows that belong to nothing."""
    axes.plot(X[:, 0], X[:, 1], ".", color=LIGHT, markersize=size * 1.5, markeredgewidth=0, zorder=1)


def clusters(axes: Axes, X: np.ndarray, labels: np.ndarray, size: float = 4, alpha: float = 0.75) -> None:
    """Rows with a color and a marker for each cluster."""
    for j in np.unique(labels):
        color, marker = PALETTE[j % len(PALETTE)], MARKERS[j % len(MARKERS)]
        x, y = X[labels == j, :2].T
        axes.plot(x, y, marker, color=color, markersize=size, alpha=alpha, markeredgewidth=0, zorder=2)


def rows_by_share(axes: Axes, X: np.ndarray, share: np.ndarray, size: float = 18) -> Any:
    """Rows colored by the share that the second of two clusters has of them; squares where that is the larger one."""
    for of, marker in ((share < 0.5, "o"), (share >= 0.5, "s")):
        dots = axes.scatter(*X[of].T, c=share[of], cmap=SHARED, s=size, vmin=0, vmax=1, marker=marker, linewidth=0)
    return dots


def centers(axes: Axes, at: np.ndarray, size: float = 9, color: str = "black", marker: str = "x") -> None:
    """Centers as crosses that stand out from the rows."""
    axes.plot(*np.asarray(at)[:, :2].T, marker, color=color, markersize=size, markeredgewidth=2.2,
              path_effects=HALO, zorder=6, clip_on=False)  # fmt: skip


def walks(axes: Axes, before: np.ndarray, after: np.ndarray) -> None:
    """Arrows from where centers were to where they are."""
    for start, end in zip(before, after, strict=True):
        if np.linalg.norm(end - start) > 0:
            arrow = {"arrowstyle": "-|>", "color": "black", "linewidth": 1.3, "shrinkA": 0, "shrinkB": 3}
            axes.annotate("", end, start, arrowprops=arrow, zorder=5)


def boundary(axes: Axes, a: np.ndarray, b: np.ndarray) -> None:
    """The line of points that are equally near to two centers."""
    middle, across = (a + b) / 2, np.array([a[1] - b[1], b[0] - a[0]])
    axes.axline(middle, middle + across, color=GRAY, linewidth=1, linestyle="--", zorder=0)


def columns(axes: Axes, names: tuple[str, str]) -> None:
    """Labels of both axes, on the outer panels only."""
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.label_outer()


def bare(axes: Axes, title: str, **more: Any) -> None:
    """No ticks: data without units, of which only the shape matters."""
    axes.set(title=title, xticks=[], yticks=[], aspect="equal", **more)
    axes.spines[:].set(visible=True, color=LIGHT)


def plane(axes: Axes, title: str, x: tuple[float, float], y: tuple[float, float]) -> None:
    """A panel with the same scale on both axes."""
    axes.set(title=title, xlim=x, ylim=y, aspect="equal")


def label(axes: Axes, text: str, at: Any, offset: tuple[float, float] = (5, 5), **more: Any) -> None:
    """A direct label, so many typographic points away from what it is about."""
    axes.annotate(text, at, offset, textcoords="offset points", **{"fontsize": 9, **more})


def note(axes: Axes, text: str, x: float = 0.97, y: float = 0.04, **more: Any) -> None:
    """A remark in a corner, in fractions of the panel."""
    axes.text(x, y, text, transform=axes.transAxes, **{"ha": "right", "fontsize": 9, **more})


def descent(axes: Axes, trace: Any, values: np.ndarray | None = None, size: float = 6) -> None:
    """F after every half-step, or other values of it, with a marker for each phase."""
    F = trace.objective if values is None else values
    axes.plot(F, color=LIGHT, linewidth=1.2, zorder=1)
    for phase, (marker, color, filled) in PHASES.items():
        of = np.flatnonzero(trace.phase == phase)
        face = color if filled else "white"
        axes.plot(of, F[of], marker, color=color, markerfacecolor=face, markersize=size * (1.5 if marker == "*" else 1),
                  markeredgewidth=1.2, zorder=3)  # fmt: skip
    axes.grid(axis="y")
    axes.xaxis.get_major_locator().set_params(integer=True)


def phase_key(figure: Any, phases: tuple[str, ...], **more: Any) -> None:
    """Which marker is which phase, in one line above or below the panels."""
    handles = []
    for phase in phases:
        marker, color, filled = PHASES[phase]
        face, size = color if filled else "white", 9 if marker == "*" else 6
        look = {"color": color, "markerfacecolor": face, "markersize": size, "markeredgewidth": 1.2}
        handles.append(plt.Line2D([], [], linestyle="", marker=marker, label=phase, **look))
    place = {"loc": "outside lower center", "ncols": len(phases), "frameon": False, "handletextpad": 0.2}
    figure.legend(handles=handles, **{**place, **more})


def rings(axes: Axes, at: np.ndarray) -> None:
    """Centers at another time, such as the start."""
    axes.plot(*at[:, :2].T, "o", color=COLORS[0], markersize=8, fillstyle="none", markeredgewidth=1.8, zorder=4)
