"""Compilation: nothing twice, nothing at import, and nothing at all once the disk cache has it."""

import collections
import concurrent.futures
import importlib
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import python

import kmtoolkit as km
from kmtoolkit.kernels.jit import COMPILED

pytestmark = pytest.mark.compiled


def signatures():
    return {kernel: len(kernel.signatures) for kernel in COMPILED}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_second_fit_of_the_same_dtypes_compiles_nothing(dtype):
    """Whatever the strategies, the shapes, the weights and the layout."""
    X = np.random.default_rng(0).normal(size=(300, 3)).astype(dtype)

    def use_everything(X, w):
        for init in km.available("initializer")["initializer"]:
            for empty in ("farthest", "split", "random", "keep", "drop"):
                result = km.Solver(init, empty=empty, rng=0).fit(X, 9, sample_weight=w)
        result.predict(X)
        result.transform(X)

    use_everything(X, None)
    before = signatures()
    use_everything(np.asfortranarray(X[:50, :1]), np.arange(50) % 3)
    use_everything(X[::2].copy(), np.ones(150))
    assert signatures() == before


SEVERAL = {
    "kmtoolkit.kernels.squared.squared_distance": 2,  # of rows of the caller, and of rows that a kernel has scaled
    "kmtoolkit.kernels.squared._long_distance": 2,
    "kmtoolkit.kernels.closest.rank": 2,  # of all rows, and of those on a list
}


def test_a_kernel_has_one_signature_for_each_dtype(signatures_used):
    """Whatever the strategies: an array that is now and then writable, or an index of another width, compiles anew."""
    assert sum(map(bool, signatures_used.values())) > 30
    for name, signatures in signatures_used.items():
        alike = collections.defaultdict(list)
        for signature in signatures:
            alike[tuple(re.findall("float32|float64", signature))].append(signature)
        assert [same for same in alike.values() if len(same) > SEVERAL.get(name, 1)] == [], name


COUNT = """
import json
import numba
import numpy as np
import kmtoolkit as km
from kmtoolkit.kernels.jit import COMPILED

def compiled():
    return [sum(sum(getattr(k.stats, name).values()) for k in COMPILED) for name in ("cache_misses", "cache_hits")]
"""

PROBE = (
    COUNT
    + """
at_import = sum(len(k.signatures) for k in COMPILED)
X = np.tile(km.datasets.iris().X, (COPIES, 1)).astype("DTYPE")
result = km.kmeans(X, 3, init="uniform", rng=0)
result.predict(X)
print(json.dumps([at_import, *compiled(), result.objective]))
"""
)


def probe(where, dtype="float64", copies=1, **environment):
    """Kernels at import, compiled, loaded; the objective. Many copies of the rows are cut into many chunks."""
    return python(PROBE.replace("DTYPE", dtype).replace("COPIES", str(copies)), where=where, **environment)


@pytest.fixture
def copy(tmp_path):
    """A copy of the package that Python finds before the installed one."""
    shutil.copytree(Path(km.__file__).parent, tmp_path / "kmtoolkit", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


ONE_SWEEP = (
    COUNT
    + """
from kmtoolkit.kernels.squared import distances_to
X = np.arange(160_000.0).reshape(-1, 2)
print(json.dumps([*compiled(), distances_to(X, X, 7).sum(), *compiled()]))
"""
)


def sweep(where, **environment):
    """Kernels compiled and loaded at import and by one sweep of many chunks, and what it gave."""
    return python(ONE_SWEEP, NUMBA_CACHE_DIR=where, **{"NUMBA_NUM_THREADS": 2} | environment)


def test_a_second_process_loads_a_sweep_from_disk(tmp_path):
    """The chunk and its parallel loop, whichever of them is there."""
    *at_import, right, misses, hits = sweep(tmp_path)
    assert at_import == [0, 0]
    assert (misses > 1, hits) == (True, 0)
    assert sweep(tmp_path) == [0, 0, right, 0, 2]
    entries = sorted(tmp_path.rglob("squared._distances_to-*"))
    assert sorted(".parallel." in entry.name for entry in entries) == [False, True]
    for entry in entries:
        entry.unlink()
        misses, hits = sweep(tmp_path)[-2:]
        assert (misses, hits > 0) == (1, True)


def test_a_parallel_loop_holds_no_copy_of_its_chunk(tmp_path):
    """It holds a call instead, so it is as short for a long chunk as for an empty one."""
    code = """
import json
import numpy as np
from kmtoolkit.kernels import squared
X = np.arange(160_000.0).reshape(-1, 2)
squared.distances_to(X, X, 7)
(chunk,), (loop,) = (k.overloads.values() for k in (squared._distances_to.chunk, squared._distances_to.parallel))
defined, declared = [], []
for line in loop.library.get_llvm_str().splitlines():
    if line.startswith(("define ", "declare ")):
        (defined if line.startswith("define ") else declared).append(line)
print(json.dumps([sum("_distances_to" in line and "by_prange" not in line for line in defined),
                  sum("kmtoolkit.kernels.squared._distances_to." in line for line in declared)]))
"""
    copies, calls = python(code, NUMBA_CACHE_DIR=tmp_path, NUMBA_NUM_THREADS=2)
    assert (copies, calls) == (0, 1)


@pytest.mark.slow
def test_a_second_process_loads_every_kernel_from_disk(tmp_path):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_NUM_THREADS": 2}
    at_import, misses, hits, first = probe(tmp_path, copies=60, **cache)
    assert at_import == 0
    assert (misses > 0, hits) == (True, 0)
    assert list(tmp_path.rglob("*.parallel.*"))
    at_import, misses, hits, second = probe(tmp_path, copies=60, **cache)
    assert at_import == 0
    assert (misses, hits > 0) == (0, True)
    assert first == second


@pytest.mark.slow
def test_an_edited_kernel_is_not_served_from_a_stale_cache(copy):
    """Numba checks only a kernel's own file; here a function it calls changes in another."""
    environment = {"NUMBA_CACHE_DIR": str(copy / "cache"), "PYTHONPATH": str(copy)}
    *_, before = probe(copy, **environment)
    source = copy / "kmtoolkit" / "kernels" / "arithmetic.py"
    right, wrong = "two_sum(total[at], value)", "two_sum(total[at], 2.0 * value)"
    assert source.read_text().count(right) == 1
    source.write_text(source.read_text().replace(right, wrong))
    *_, after = probe(copy, **environment)
    assert after != pytest.approx(before, rel=0.1)  # masses are doubled, so centers are off


def test_without_jit_the_answer_is_the_same(tmp_path):
    """NUMBA_DISABLE_JIT=1 runs the same source as plain Python."""
    *_, compiled = probe(tmp_path)
    at_import, misses, hits, plain = probe(tmp_path, NUMBA_DISABLE_JIT="1")
    assert (at_import, misses, hits) == (0, 0, 0)
    assert plain == pytest.approx(compiled, rel=1e-15)


@pytest.mark.slow
def test_an_installation_that_can_not_be_written_and_no_home(copy):
    """Kernels are compiled in each process, and the answer is right."""
    for folder in ("kernels", "initializers", "."):
        (copy / "kmtoolkit" / folder / "__pycache__").write_text("a file, so that no folder can be made here")
    nowhere = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null", "LOCALAPPDATA": "/dev/null", "NUMBA_CACHE_DIR": None}
    for _ in range(2):
        at_import, misses, hits, objective = probe(copy, PYTHONPATH=str(copy), **nowhere)
        assert (at_import, misses > 0, hits) == (0, True, 0)
        assert objective == probe(copy)[-1]


@pytest.mark.slow
def test_a_cache_that_can_not_be_written(tmp_path):
    """As on a full disk: where a folder should be there is a file."""
    (tmp_path / "cache").mkdir()
    code = """
import logging, pathlib, shutil
import kmtoolkit
shutil.rmtree("cache")
pathlib.Path("cache").write_text("")
logging.basicConfig(filename="log", level="WARNING")
"""
    code = (code + PROBE).replace("DTYPE", "float64").replace("COPIES", "1")
    *_, objective = python(code, where=tmp_path, NUMBA_CACHE_DIR=tmp_path / "cache")
    assert objective == probe(tmp_path)[-1]
    log = (tmp_path / "log").read_text()
    assert f"WARNING:kmtoolkit:can't cache kernels in {tmp_path / 'cache'}" in log
    assert "set NUMBA_CACHE_DIR" in log


@pytest.mark.slow
def test_processes_that_compile_into_one_cache_at_once(tmp_path):
    """Numba numbers its files, so that one process could be given what another compiled for other types."""
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "NUMBA_NUM_THREADS": 1}
    dtypes = ["float64", "float32"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        started = list(pool.map(lambda dtype: probe(tmp_path, dtype, **cache)[-1], dtypes * 2))
    for dtype, one, other in zip(dtypes, started, started[2:], strict=False):
        _, misses, hits, objective = probe(tmp_path, dtype, **cache)
        assert (misses, hits > 0) == (0, True)
        assert one == other == objective == probe(tmp_path, dtype)[-1]
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".kernel"]


@pytest.mark.slow
def test_processes_that_link_a_loop_at_once(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: sweep(tmp_path), range(8)))
    assert len({right for _, _, right, _, _ in answers}) == 1
    assert sweep(tmp_path)[3:] == [0, 2]


@pytest.mark.slow
def test_damaged_entries_are_compiled_anew(tmp_path):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    *_, misses, _, first = probe(tmp_path, **cache)
    entries = sorted((tmp_path / "cache").rglob("*.kernel"))
    for i, entry in enumerate(entries):
        content = entry.read_bytes()
        entry.write_bytes([content[: len(content) // 2], b"", b"not a pickle"][i % 3])
    assert probe(tmp_path, **cache)[1:] == [misses, 0, first]
    assert probe(tmp_path, **cache)[1] == 0


@pytest.mark.slow
def test_entries_of_one_signature_are_not_given_for_another(tmp_path):
    """Not even if files change places."""
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    *_, first = probe(tmp_path, **cache)
    *_, single = probe(tmp_path, "float32", **cache)
    kernels = {}
    for entry in (tmp_path / "cache").rglob("*.kernel"):
        kernels.setdefault(entry.name.rpartition(".")[0].rpartition(".")[0], []).append(entry)
    pairs = [entries for entries in kernels.values() if len(entries) == 2]
    assert pairs
    for one, other in pairs:
        content = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(content)
    assert probe(tmp_path, **cache)[-1] == first
    assert probe(tmp_path, "float32", **cache)[-1] == single


USER_KERNEL = """
import json
import numba
import kmtoolkit as km

@numba.njit(cache=True)
def total(problem, state):
    return state.mass.sum()

seen = []
def update(problem, state):
    seen.append(total(problem, state))
    state.centers[:] = state.origin + state.sums / state.mass[:, None]

km.Solver("uniform", update=update, max_iter=1).fit([[1.0], [2.0], [6.0]], 1)
print(json.dumps([*seen, sum(total.stats.cache_hits.values())]))
"""


@pytest.mark.slow
def test_a_users_cached_kernel_does_not_outlive_the_fields_of_the_records(copy):
    """Two arrays of one type change places: Numba alone would go on reading the wrong one."""
    (copy / "user.py").write_text(USER_KERNEL)
    run = "import runpy; runpy.run_path('user.py')"
    environment = {"NUMBA_CACHE_DIR": str(copy / "cache"), "PYTHONPATH": str(copy)}
    assert python(run, where=copy, **environment) == [3.0, 0]
    assert python(run, where=copy, **environment) == [3.0, 1]
    source = copy / "kmtoolkit" / "records.py"
    text, mass, shift = source.read_text(), "    mass: np.ndarray\n", "    shift: np.ndarray\n"
    assert (text.count(mass), text.count(shift)) == (3, 3)  # of State, SoftState and MixtureState
    source.write_text(text.replace(mass, "<mass>").replace(shift, mass).replace("<mass>", shift))
    assert python(run, where=copy, **environment) == [3.0, 0]


def test_records_are_pickled_by_a_name_that_tells_their_fields():
    problem = km.Problem(np.zeros((2, 1)), np.ones(2), 1)
    copied = pickle.loads(pickle.dumps(problem))
    assert type(copied) is km.Problem
    assert repr(copied).startswith("Problem(X=")
    gone = importlib.import_module("kmtoolkit.records").State_0123456789ab
    assert gone is not km.State
    with pytest.raises(AttributeError, match="has no attribute 'Sate'"):
        km.problem.Sate  # noqa: B018


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_who_waits_for_the_first_compilation_is_told_why(tmp_path):
    """On a terminal, once; not if it is loaded from disk, and never where nobody looks (see ``python``)."""

    def on_a_terminal():
        master, slave = os.openpty()
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        code = [sys.executable, "-c", ONE_SWEEP]
        subprocess.run(code, stdout=subprocess.DEVNULL, stderr=slave, env=environment, check=True)
        os.write(slave, b"end")
        os.close(slave)
        text = b""
        while not text.endswith(b"end"):
            text += os.read(master, 10_000)
        os.close(master)
        return text.decode()

    assert on_a_terminal() == (
        "kmtoolkit compiles its kernels, which takes some seconds; later sessions load them from disk.\r\nend"
    )
    assert on_a_terminal() == "end"
