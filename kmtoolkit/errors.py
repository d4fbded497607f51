"""What can go wrong inside a fit, by name. Bad input is a plain TypeError or ValueError."""

import difflib
import math
from typing import Any

import numpy as np

__all__ = [
    "DescentError", "EmptyClusterError", "RuleBroken", "StrategyError", "check_choice", "check_int", "check_real",
]  # fmt: skip


class StrategyError(ValueError):
    """A strategy broke the contract of its role; the message names strategy, iteration and rule."""


class DescentError(StrategyError):
    """A half-step raised the objective by more than rounding explains, or does not match its own drop."""


class RuleBroken(Exception):
    """A strategy broke a rule, which the loop turns into a StrategyError that says which strategy, and when."""


class EmptyClusterError(RuntimeError):
    """The ``error`` handler met an empty cluster."""


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise ValueError if an argument is none of the strings it may be."""
    if not (isinstance(value, str) and value in choices):
        near = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, choices))}{hint}")


def check_int(name: str, value: Any, least: int) -> None:
    """Raise TypeError if an argument is not an int, and ValueError if it is below the least that it may be."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; it must be an int")
    if value < least:
        raise ValueError(f"{name} is {value}; it must be at least {least}")


def check_real(name: str, value: Any, least: float = 0.0, *, above: bool = False) -> None:
    """Raise TypeError if an argument is no real number, and ValueError if it is not finite or too small."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; it must be a real number")
    if not (math.isfinite(value) and (value > least if above else value >= least)):
        rule = f"above {least:g}" if above else "not negative" if least == 0 else f"at least {least:g}"
        raise ValueError(f"{name} is {value}; it must be finite and {rule}")
