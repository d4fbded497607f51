"""Draw the map of ``assigners.py --map``: the fastest assigner for n, d and k, and how much faster than dense it is.

python benchmarks/which_assigner.py MAP.csv MAP.svg
"""

import csv
import sys
from collections import defaultdict

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

from kmtoolkit.assigners.yinyang import FEWEST  # with fewer centers it is hamerly

COLORS = {  # Okabe and Ito's, for the color-blind, lightened under the figures
    "dense": "#d9d9d9", "hamerly": "#f5c767", "yinyang": "#8ccbb5", "elkan": "#e6b8d0", "exponion": "#f2a07b",
    "tree": "#9fd0f0", "sorted-1d": "#efe78b",
}  # fmt: skip


def read(file):
    """The speed-up of every engine, by kind, n, d and k."""
    found = defaultdict(dict)
    with open(file, newline="", encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            key = line["kind"], int(line["n"]), int(line["d"]), int(line["k"])
            if line["engine"] != "yinyang" or key[3] >= FEWEST:
                found[key][line["engine"]] = float(line["speedup"])
    return found


def main():
    """Write the figure."""
    found = read(sys.argv[1])
    kinds, sizes, columns, ks = (sorted({key[at] for key in found}) for at in range(4))
    plt.rcParams.update({"font.size": 8, "svg.fonttype": "none", "font.family": "sans-serif"})
    figure, panels = plt.subplots(len(kinds), len(sizes), figsize=(9.6, 5.6), sharex=True, sharey=True)
    used = set()
    for row, kind in zip(panels, kinds, strict=True):
        for panel, n in zip(row, sizes, strict=True):
            for x, d in enumerate(columns):
                for y, k in enumerate(ks):
                    speed = {e: s for e, s in found.get((kind, n, d, k), {}).items() if e != "auto"}
                    if not speed:
                        continue
                    best = max(speed, key=speed.get)
                    best = "dense" if speed[best] < 1.05 else best
                    used.add(best)
                    panel.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, color=COLORS[best], linewidth=0))
                    panel.text(x, y, f"{speed[best]:.2g}", ha="center", va="center")
            panel.set(xlim=(-0.5, len(columns) - 0.5), ylim=(-0.5, len(ks) - 0.5), title=f"{kind}, {n:,} rows")
            panel.set_xticks(range(len(columns)), columns)
            panel.set_yticks(range(len(ks)), ks)
            panel.tick_params(length=0)
            for side in panel.spines.values():
                side.set_visible(False)
    for panel in panels[-1]:
        panel.set_xlabel("columns")
    for row in panels:
        row[0].set_ylabel("centers")
    handles = [plt.Rectangle((0, 0), 1, 1, color=COLORS[name]) for name in COLORS if name in used]
    figure.legend(
        handles, [name for name in COLORS if name in used], loc="lower center", ncols=len(used), frameon=False
    )
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(sys.argv[2], metadata={"Date": None}, transparent=False)


if __name__ == "__main__":
    main()
