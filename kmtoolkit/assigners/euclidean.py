"""Euclidean distances, not squared, as k-medoids takes them (Kaufman and Rousseeuw, Finding Groups in Data, 1990)."""

import math

from kmtoolkit.pointwise import pointwise


@pointwise("euclidean", of_sum=math.sqrt, reference="Kaufman and Rousseeuw 1990")
def euclidean(x: float, c: float) -> float:
    """Take the center of the least √Σ (x - c)².

    Examples
    --------
    >>> import kmtoolkit as km
    >>> solver = km.Solver(assign="euclidean", update="medoid", rng=0)
    >>> solver.fit([[1.0], [2.0], [9.0]], 1).centers.tolist()
    [[2.0]]
    """
    return (x - c) * (x - c)
