"""Timings that asv follows from commit to commit: ``asv run --config benchmarks/asv.conf.json``."""
