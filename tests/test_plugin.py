"""``pytest --kmtoolkit-check``: one test for each strategy and rule, with or without test files."""

import subprocess
import sys

import pytest

from kmtoolkit import testing

STRATEGIES = """
import kmtoolkit as km

@km.initializer("first-rows", weights=False)
def first_rows(problem, rng):
    return problem.X[:problem.k]

@km.updater("stuck")
def stuck(problem, state):
    return 0
"""


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "strategies.py").write_text(STRATEGIES)
    (tmp_path / "raises.py").write_text("1 / 0")
    (tmp_path / "exits.py").write_text("raise SystemExit(0)")
    return tmp_path


def run(directory, *arguments, code=0):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_one_test_for_each_strategy_and_rule(directory):
    output = run(directory, "--collect-only", "-q", "--kmtoolkit-check", "strategies", "--kmtoolkit-check=dense")
    ids = [line for line in output.splitlines() if "::" in line]
    expected = [f"strategies::initializer-first-rows::{rule.name}" for rule in testing.rules("initializer")]
    assert [i for i in ids if "first-rows" in i] == [i for i in expected if "weight" not in i]
    assert "strategies::updater-stuck::returns-what-its-role-returns" in ids
    assert [i for i in ids if i.startswith("dense::")] == [
        f"dense::assigner-dense::{rule.name}" for rule in testing.rules("assigner")
    ]


def test_a_broken_rule_fails_with_its_report(directory):
    (directory / "test_file.py").write_text("def test_of_a_file():\n    pass\n")
    output = run(directory, "-k", "stuck-or-of_a_file or returns", "--kmtoolkit-check", "strategies", code=1)
    assert "updater 'stuck' breaks the rule returns-what-its-role-returns" in output
    assert "seen: it raised StrategyError: updater 'stuck' returned a value" in output
    assert "from strategies import stuck" in output
    assert "Traceback" not in output
    assert "1 failed, 1 passed" in output


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("nope", "'nope' is neither a registered strategy"),
        ("raises", "importing 'raises' raised ZeroDivisionError: division by zero"),
        ("exits", "importing 'exits' raised SystemExit: 0"),
        ("strategies:nope", "module 'strategies' has no 'nope'"),
        ("strategies:km", "strategies:km is not registered; give its role"),
    ],
)
def test_what_can_not_be_found_is_a_usage_error(directory, spec, reason):
    assert f"ERROR: --kmtoolkit-check={spec}: {reason}" in run(directory, "--kmtoolkit-check", spec, code=4)


def test_the_plugin_is_loaded_without_hypothesis():
    """pytest loads it wherever the package is installed, also where the extra is not."""
    code = """
import sys
sys.modules["hypothesis"] = None
import kmtoolkit.pytest_plugin
assert not {"kmtoolkit.testing", "scipy.stats"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
