"""Centers given by the caller: an array, or an earlier result for a warm start."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kmtoolkit.problem import Problem, as_numbers


@dataclass(frozen=True, eq=False)
class Explicit:
    """Start from given centers.

    Parameters
    ----------
    centers : array-like of shape (k, d)
        Copied. ``Solver(init=centers)`` and ``fit(init_centers=centers)`` stand for it.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver(init=[[0.0], [9.0]]).fit([[1.0], [2.0], [8.0], [9.0]], 2).centers.tolist()
    [[1.5], [8.5]]
    """

    centers: Any

    def __post_init__(self) -> None:
        array = np.array(as_numbers(self.centers, "init"))
        array.flags.writeable = False
        object.__setattr__(self, "centers", array)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Explicit) and np.array_equal(self.centers, other.centers)

    def __hash__(self) -> int:
        return hash(self.centers.shape)

    def __reduce__(self) -> tuple[type["Explicit"], tuple[np.ndarray]]:
        return Explicit, (self.centers,)  # a copy made by pickling is read-only again

    def __call__(self, problem: Problem, rng: np.random.Generator) -> np.ndarray:
        return self.centers
