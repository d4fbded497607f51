"""The assigner to use when you do not want to choose. It is exact, so the choice changes time, never labels.

It stands for ``dense``, the one assigner that suits all data.
"""

from dataclasses import dataclass

from kmtoolkit.assigners.dense import Dense
from kmtoolkit.registry import assigner


@assigner("auto", exact=True, reference="Lloyd 1982", cost="O(n k d)")
@dataclass(frozen=True)
class Auto(Dense):
    """Choose an exact assigner for the data.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.Solver(assign="auto") == km.Solver()
    True
    """
