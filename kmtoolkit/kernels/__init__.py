"""Compiled sweeps over rows: arrays in, arrays out. Nothing here knows of solvers or strategies."""
