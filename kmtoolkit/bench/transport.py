"""Strategies on their way to another process, those of notebooks and scripts included."""

from typing import Any

from numba import cloudpickle

__all__ = ["by_value"]


def by_value(message: Any) -> bytes:
    """Pickle a message; what is defined in ``__main__``, as in a notebook, goes with it."""
    return cloudpickle.dumps(message)
