"""Small real data to try things on. Sources and licenses: ``SOURCES.md`` beside this file."""

import csv
from importlib.resources import files
from typing import NamedTuple

import numpy as np

__all__ = ["Dataset", "iris", "old_faithful"]


class Dataset(NamedTuple):
    """A data set.

    Attributes
    ----------
    X : ndarray of shape (n, d), float64
        The rows.
    columns : tuple of str
        Names of the d columns.
    target : ndarray of shape (n,), str, or None
        Known classes, if there are any.
    """

    X: np.ndarray
    columns: tuple[str, ...]
    target: np.ndarray | None


def iris() -> Dataset:
    """Fisher's irises: 150 flowers of three species, four measurements in centimeters.

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
