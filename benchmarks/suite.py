"""What the test suite costs: README's test command in new environments, for one commit or several on one machine.

    python benchmarks/suite.py [COMMIT ...] [--again] [-- PYTEST_OPTION ...]

For each commit (HEAD by default) it makes a copy of the tracked files and a virtual environment, and runs the command
with an empty kernel cache; with ``--again`` a second time, when kernels are loaded. It prints seconds, seconds of user
CPU, and tests. Nothing else should run meanwhile.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Cost(NamedTuple):
    """What one run took."""

    seconds: float
    user_seconds: float
    tests: int


def prepare(commit, folder):
    """The files of a commit, installed in an environment of their own; the environment's variables."""
    files = folder / "files"
    files.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-xf", "-", "-C", files], input=archive, check=True)
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([scripts / "pip", "install", "--quiet", ".[test]"], cwd=files, check=True)
    return files, os.environ | {
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        "VIRTUAL_ENV": str(folder / "env"),
    }


def run(files, environment, options):
    """Run the tests once, to their end."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.perf_counter()
    done = subprocess.run(["pytest", *options], cwd=files, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    seconds = time.perf_counter() - began
    user = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    print("\n".join(done.stdout.splitlines()[-3:]), file=sys.stderr)
    return Cost(seconds, user, sum(map(int, re.findall(r"(\d+) (?:passed|failed)", done.stdout.splitlines()[-1]))))


def main():
    """Print a row for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", nargs="*", default=["HEAD"])
    parser.add_argument("--again", action="store_true", help="run a second time, with the kernels of the first")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments, options = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    print(f"{'commit':<12} {'cache':<6} {'seconds':>8} {'user CPU':>9} {'tests':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for number, commit in enumerate(arguments.commits):
            files, environment = prepare(commit, Path(folder, str(number)))
            for cache in ("empty", "full")[: 1 + arguments.again]:
                cost = run(files, environment, options)
                row = f"{commit:<12} {cache:<6} {cost.seconds:>8.0f} {cost.user_seconds:>9.0f} {cost.tests:>6}"
                print(row, flush=True)


if __name__ == "__main__":
    main()
