"""The README keeps its word: its code runs as it stands, and its strategies are as short as it says."""

import re
from pathlib import Path

import numpy as np
import pytest

import kmtoolkit as km

README = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^(pip install .*)$", README, re.MULTILINE)
X = km.datasets.iris().X


def strategies():
    space = {}
    for block in BLOCKS:
        exec(block, space)
    return space


def test_the_first_screen_has_the_two_commands():
    assert COMMANDS[:2] == ['pip install ".[cli]" && kmtoolkit demo', 'pip install ".[test]" && pytest']
    first_screen = README.splitlines()[:15]
    assert all(command in first_screen for command in COMMANDS[:2])


def test_every_python_block_runs(capsys):
    space = strategies()
    assert space["result"].objective == pytest.approx(78.8514414261460)
    assert "never rose" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "lines"), [("nearest_numpy", 5), ("nearest_jitted", 15)])
def test_strategies_are_short(name, lines):
    block = next(block for block in BLOCKS if f"def {name}(" in block)
    body = [line for line in block.splitlines() if line and not line.startswith("import")]
    assert len(body) <= lines


@pytest.mark.parametrize("name", ["nearest_numpy", "nearest_jitted"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("empty", ["farthest", "drop", "keep"])
def test_strategies_are_right(name, dtype, empty, capsys):
    assign = strategies()[name]
    w = np.arange(150) % 4
    ours, plain = (
        km.Solver("uniform", assign=a, empty=empty, tol=0, rng=3, verify=True).fit(X.astype(dtype), 6, sample_weight=w)
        for a in (assign, "dense")
    )
    assert ours.objective == pytest.approx(plain.objective, rel=1e-12)
    assert (ours.labels == plain.labels).all()
    assert ours.trace.is_monotone
