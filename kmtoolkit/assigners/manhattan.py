"""Sums of absolute differences, which k-medians minimizes (Bradley, Mangasarian and Street, NIPS 1996)."""

from kmtoolkit.pointwise import pointwise


@pointwise("manhattan", reference="Bradley, Mangasarian and Street 1996")
def manhattan(x: float, c: float) -> float:
    """Take the center of the least Σ abs(x - c).

    Examples
    --------
    >>> import kmtoolkit as km
    >>> solver = km.Solver(assign="manhattan", update="median", rng=0)
    >>> solver.fit([[1.0], [2.0], [9.0]], 1).centers.tolist()
    [[2.0]]
    """
    return abs(x - c)
