"""What can go wrong inside a fit, by name. Bad input is a plain TypeError or ValueError."""

__all__ = ["DescentError", "EmptyClusterError", "StrategyError"]


class StrategyError(ValueError):
    """A strategy broke the contract of its role; the message names strategy, iteration and rule."""


class DescentError(StrategyError):
    """A half-step raised the objective by more than rounding explains, or does not match its own drop."""


class EmptyClusterError(RuntimeError):
    """The ``error`` handler met an empty cluster."""
