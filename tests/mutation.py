"""Mutation testing: break the code in small ways, one at a time, and see whether a test notices.

    python tests/mutation.py [--minutes 30] [--seed 0] [--only squared.py ...]

Mutants run as plain Python, because a tool that changes bytecode can't change compiled kernels. They are tried in
random order until time is over. Survivors are printed as the line before and after; each is either a missing test
or a change that makes no difference, and then somebody must be able to say why. Not part of CI.
"""

import argparse
import ast
import concurrent.futures
import copy
import os
import queue
import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
TARGETS = [
    "kernels/arithmetic.py", "kernels/grid.py", "kernels/squared.py", "kernels/statistics.py", "updaters/mean.py",
    "empties/*.py", "books.py", "objectives.py", "descent.py", "solver.py", "trace.py", "sampling.py",
]  # fmt: skip
TESTS = [  # those that fail soonest come first
    "test_worked_example.py", "test_books.py", "test_empties.py", "test_solver.py", "test_certificate.py",
    "test_initializers.py", "test_result.py", "test_invariance.py", "test_interrupts.py", "test_bad_input.py",
    "test_scales.py", "test_grid.py", "test_logging.py", "test_properties.py",
]  # fmt: skip
SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
NAMES = {"min": "max", "argmin": "argmax", "minimum": "maximum", "any": "all", "zeros": "ones", "sum": "max"}
NAMES |= {value: name for name, value in NAMES.items() if value != "max"} | {"max": "min"}


class Mutant(NamedTuple):
    """One change of one file."""

    file: str
    line: int
    before: str
    after: str
    source: str


def mutations(node):
    """Changed copies of a node, itself without its children's changes."""
    swapped = copy.copy(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        swapped.ops = [SWAPS[type(node.ops[0])](), *node.ops[1:]]
        yield swapped
    elif isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)) and type(node.op) in SWAPS:
        swapped.op = SWAPS[type(node.op)]()
        yield swapped
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        swapped.value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield swapped
    elif isinstance(node, (ast.Attribute, ast.Name)):
        field = "attr" if isinstance(node, ast.Attribute) else "id"
        if getattr(node, field) in NAMES:
            setattr(swapped, field, NAMES[getattr(node, field)])
            yield swapped
    elif isinstance(node, (ast.If, ast.While)):
        swapped.test = ast.UnaryOp(ast.Not(), node.test)
        yield swapped
    if isinstance(node, (ast.AugAssign, ast.Continue, ast.Break)) or _is_effect(node):
        yield ast.Pass()


def _is_effect(node):
    """Whether a statement does nothing but change what exists: an assignment into something, or a call."""
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], (ast.Attribute, ast.Subscript))
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and "logger" not in ast.unparse(node)


def places(tree):
    """(node, parent, field, index) of everything that is worth changing: no annotations, imports or messages."""
    stack = [tree]
    while stack:
        parent = stack.pop()
        for field, value in ast.iter_fields(parent):
            if field in ("annotation", "returns", "decorator_list") or isinstance(parent, (ast.Raise, ast.JoinedStr)):
                continue
            for index, node in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(node, ast.AST):
                    yield node, parent, field, index if isinstance(value, list) else None
                    stack.append(node)


def mutants_of(path):
    """Every mutant of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node, parent, field, index in list(places(tree)):
        for changed in mutations(node):
            _put(parent, field, index, ast.copy_location(changed, node))
            source = ast.unparse(ast.fix_missing_locations(tree))
            _put(parent, field, index, node)
            shown = [ast.unparse(n).splitlines()[0] if hasattr(n, "lineno") else "" for n in (node, changed)]
            yield Mutant(str(path.relative_to(ROOT / "kmtoolkit")), node.lineno, *shown, source)


def _put(parent, field, index, node):
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def survives(mutant, package, limit):
    """Whether all tests pass with the mutant in a copy of the package; one that hangs does not survive."""
    path = package / "kmtoolkit" / mutant.file
    right = path.read_text(encoding="utf-8")
    path.write_text(mutant.source, encoding="utf-8")
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    tests = [str(ROOT / "tests" / name) for name in TESTS]
    marked = "not slow and not exhaustive and not compiled"
    command = ["pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", "0", "-m", marked, *tests]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return process.wait(timeout=limit) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return False
    finally:
        path.write_text(right, encoding="utf-8")


def main():
    """Try mutants until time is over; print survivors, and the share that was killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=TARGETS, help="files below kmtoolkit, or patterns of them")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    files = [path for pattern in options.only for path in sorted((ROOT / "kmtoolkit").glob(pattern))]
    waiting = [mutant for path in files for mutant in mutants_of(path)]
    total = len(waiting)
    random.Random(options.seed).shuffle(waiting)
    ends, survivors, tried = time.monotonic() + 60 * options.minutes, [], 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
        copies = queue.SimpleQueue()
        for worker in range(options.workers):
            shutil.copytree(ROOT / "kmtoolkit", Path(folder, str(worker), "kmtoolkit"))
            copies.put(Path(folder, str(worker)))

        def judge(mutant, limit):
            if time.monotonic() > ends:
                return None
            package = copies.get()
            try:
                return survives(mutant, package, limit)
            finally:
                copies.put(package)

        began = time.monotonic()
        unchanged = Mutant(waiting[0].file, 0, "", "", (ROOT / "kmtoolkit" / waiting[0].file).read_text())
        if not judge(unchanged, None):
            raise SystemExit("the tests fail without any change")
        limit = 10 * (time.monotonic() - began)
        for mutant, survived in zip(waiting, pool.map(lambda m: judge(m, limit), waiting), strict=True):
            tried += survived is not None
            if survived:
                survivors.append(mutant)
                print(f"{mutant.file}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
    killed = tried - len(survivors)
    print(f"{killed} of {tried} mutants killed ({killed / max(tried, 1):.1%}); {total} in all")


if __name__ == "__main__":
    main()
