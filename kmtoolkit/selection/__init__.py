"""Choosing k: fits for a range of k, criteria that may say "nothing", X-means and G-means."""

from kmtoolkit.selection.choice import Choice, Scores
from kmtoolkit.selection.criteria import CRITERIA, Criterion, scores
from kmtoolkit.selection.growing import gmeans, xmeans
from kmtoolkit.selection.path import Path
from kmtoolkit.selection.sweeps import Sweep, sweep

__all__ = ["CRITERIA", "Choice", "Criterion", "Path", "Scores", "Sweep", "gmeans", "scores", "sweep", "xmeans"]
