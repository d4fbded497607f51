"""What can go wrong inside a fit, by name. Bad input is a plain TypeError or ValueError."""

from typing import Any

import numpy as np

__all__ = ["DescentError", "EmptyClusterError", "StrategyError", "check_int"]


class StrategyError(ValueError):
    """A strategy broke the contract of its role; the message names strategy, iteration and rule."""


class DescentError(StrategyError):
    """A half-step raised the objective by more than rounding explains, or does not match its own drop."""


class EmptyClusterError(RuntimeError):
    """The ``error`` handler met an empty cluster."""


def check_int(name: str, value: Any, least: int) -> None:
    """Raise TypeError if an argument is not an int, and ValueError if it is below the least that it may be."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; it must be an int")
    if value < least:
        raise ValueError(f"{name} is {value}; it must be at least {least}")
