"""Small real data to try things on. Sources and licences: ``SOURCES.md`` beside this file."""

import csv
from importlib.resources import files
from typing import NamedTuple

import numpy as np

__all__ = ["Dataset", "iris", "old_faithful"]


class Dataset(NamedTuple):
    """A data set."""

    X: np.ndarray  # (n, d) float64
    columns: tuple[str, ...]  # names of the d columns
    target: np.ndarray | None  # (n,) str: known classes, if there are any


def iris() -> Dataset:
    """Fisher's irises: 150 flowers of three species, four measurements in centimetres.

    Returns
    -------
    Dataset
        X (150, 4); the target is the species.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.datasets.iris().X.shape
    (150, 4)
    """
    return _load("iris.csv", features=4)


def old_faithful() -> Dataset:
    """Eruptions of the Old Faithful geyser: 272 durations, and waiting times to the next, in minutes.

    Returns
    -------
    Dataset
        X (272, 2); no target.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.datasets.old_faithful().columns
    ('eruptions', 'waiting')
    """
    return _load("old_faithful.csv", features=2)


def _load(name: str, features: int) -> Dataset:
    with files(__package__).joinpath(name).open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    X = np.array([row[:features] for row in rows], dtype=np.float64)
    target = np.array([row[features] for row in rows]) if len(header) > features else None
    return Dataset(X, tuple(header[:features]), target)
