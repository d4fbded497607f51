"""Right answers, and the same bits, whatever runs them: threads, layers, forks, pools."""

import functools
import sys

import numpy as np
import processes
import pytest
from processes import FIT, python

from kmtoolkit.kernels.jit import read_only
from kmtoolkit.kernels.squared import distances_to

pytestmark = [pytest.mark.compiled, pytest.mark.alone]
no_fork = pytest.mark.skipif(sys.platform == "win32", reason="no fork")


@functools.cache
def expected():
    """The digest of the serial driver."""
    names = {}
    exec(FIT, names)
    return names["digest"](threads=1)


WHICH = """
from kmtoolkit.kernels import grid

def drivers(run):
    '''The result of run(), and the drivers that it used.'''
    used = set()
    def spy(name, real):
        return lambda *args: (used.add(name), real(*args))[1]
    real = grid.on_python_threads
    grid.on_python_threads = spy("python threads", real)
    modules = km.kernels.squared, km.kernels.statistics
    parallel = [s for module in modules for s in vars(module).values() if type(s) is grid.sweep]
    before = [s.parallel for s in parallel]
    for s in parallel:
        s.parallel = spy("prange", s.parallel)
    try:
        return run(), sorted(used)
    finally:
        grid.on_python_threads = real
        for s, p in zip(parallel, before):
            s.parallel = p
"""


FORKS = """
import json, os

def in_child(run):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, json.dumps(run()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read) as pipe:
        answer = json.load(pipe)
    assert os.waitpid(pid, 0)[1] == 0
    return answer
"""

UNDER_A_LAYER = (
    FIT
    + FORKS
    + WHICH
    + """
import asyncio
from concurrent.futures import ThreadPoolExecutor
from kmtoolkit.kernels.jit import launch

if launch() != LAYER:
    print("null")
    raise SystemExit

with ThreadPoolExecutor(8) as pool:  # before any kernel is loaded
    answers = {"at once": list(pool.map(digest, [None, 1, 2, 2] * 4))}
answers["threads"] = [drivers(lambda: digest(threads=t)) for t in (1, 2, 3, 8, None)]

async def gathered():
    return await asyncio.gather(*(asyncio.to_thread(digest) for _ in range(6)))
answers["asyncio"] = asyncio.run(gathered())

if hasattr(os, "fork"):
    answers["forks"] = []
    for threads in (None, 1, 2):
        fit = lambda: digest(threads=threads)
        answers["forks"] += in_child(fit), in_child(lambda: in_child(fit)), fit()

    read, write = os.pipe()
    child = None
    def fork_once(snapshot):
        global child
        if snapshot.n_iter == 2 and child is None:
            child = os.fork()
    result = digest(callback=fork_once)
    if child == 0:
        os.write(write, result.encode())
        os._exit(0)
    os.close(write)
    with open(read) as pipe:
        answers["fork in a fit"] = [result, pipe.read()]
    assert os.waitpid(child, 0)[1] == 0

assert launch() == LAYER
print(json.dumps(answers))
"""
)


@functools.cache
def run_under(layer):
    code = UNDER_A_LAYER.replace("LAYER", repr(layer))
    return python(code, NUMBA_NUM_THREADS=8, **processes.layer(layer))


@pytest.fixture(params=["omp", "workqueue", "tbb"])
def under(request):
    """A threading layer, and the answers of one process that it runs in."""
    answers = run_under(request.param)
    if answers is None:
        pytest.skip(f"the threading layer {request.param} does not load here")
    return request.param, answers


def test_the_same_bits_for_any_threads_and_driver(under):
    """1, 2, 3 and 8 threads under each threading layer: serial, prange and Python threads, explicitly."""
    layer, answers = under
    parallel = ["python threads"] if layer == "workqueue" else ["prange"]
    assert [used for _, used in answers["threads"]] == [[], *[parallel] * 4]
    assert {digest for digest, _ in answers["threads"]} == {expected()}


def test_eight_python_threads_at_once(under):
    _, answers = under
    assert set(answers["at once"]) == {expected()}


def test_asyncio_executor(under):
    _, answers = under
    assert set(answers["asyncio"]) == {expected()}


@no_fork
def test_after_a_fork(under):
    """Child and grandchild of a process whose threads run, and the parent thereafter."""
    _, answers = under
    assert set(answers["forks"]) == {expected()}


@no_fork
def test_a_fork_in_the_middle_of_a_fit(under):
    """A callback forks, and the fit goes on in both processes."""
    _, answers = under
    assert answers["fork in a fit"] == [expected()] * 2


@no_fork
def test_a_child_of_a_process_that_has_not_fitted_uses_prange():
    code = FIT + FORKS + WHICH + "print(json.dumps(in_child(lambda: drivers(digest))))"
    assert python(code, NUMBA_NUM_THREADS=2, **processes.layer("omp")) == [expected(), ["prange"]]


def test_python_threads_do_without_any_layer_and_the_calling_one_where_none_can_be_started():
    code = (
        FIT
        + WHICH
        + """
import json, threading
answers = [drivers(digest)]
def start(self):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
print(json.dumps([*answers, drivers(digest)]))
"""
    )
    answers = python(code, NUMBA_NUM_THREADS=2, NUMBA_THREADING_LAYER="none-of-them")
    assert answers == [[expected(), ["python threads"]]] * 2


OTHERS = """
import pathlib, numba, numpy
@numba.njit(parallel=True, cache=False)
def other(x):
    for i in numba.prange(len(x)):
        x[i] = 1.0
other(numpy.ones(1000))
"""


@no_fork
def test_imported_in_a_fork_of_a_process_whose_threads_run(tmp_path):
    """GNU OpenMP would end the child. Without a fork, what others have run before is no reason to avoid prange."""
    (tmp_path / "work.py").write_text(FIT + WHICH + "def run(_=0):\n    return drivers(digest)\n")
    code = (
        OTHERS
        + FORKS
        + """
import multiprocessing
def run(_=0):
    import work
    return work.run()
answers = [in_child(run)]
with multiprocessing.get_context("fork").Pool(1) as pool:
    answers += pool.map(run, [0])
    pool.close()
    pool.join()
print(json.dumps([*answers, run()]))
"""
    )
    *forked, own = python(code, where=tmp_path, NUMBA_NUM_THREADS=2, **processes.layer("omp"))
    assert forked == [[expected(), ["python threads"]]] * 2
    assert own == [expected(), ["prange"]]


@pytest.mark.parametrize(
    "method",
    [
        pytest.param("fork", marks=no_fork),
        pytest.param("spawn", marks=pytest.mark.slow),
        pytest.param("forkserver", marks=[no_fork, pytest.mark.slow]),
    ],
)
def test_multiprocessing(method, tmp_path):
    (tmp_path / "work.py").write_text(FIT)
    code = f"""
import json, multiprocessing, work
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    before = work.digest()
    pool = context.Pool(2)
    print(json.dumps([before, *pool.map(work.digest, [None, 1, 2])]))
    pool.close()
    pool.join()
"""
    assert set(python(code, where=tmp_path, NUMBA_NUM_THREADS=2)) == {expected()}


@pytest.mark.parametrize(
    "backend", ["loky", *(pytest.param(name, marks=pytest.mark.slow) for name in ("threading", "multiprocessing"))]
)
def test_joblib(backend, tmp_path):
    """Loky tells its workers how many threads each may use."""
    (tmp_path / "work.py").write_text(
        FIT + "from kmtoolkit.kernels.threads import workers\ndef run():\n    return digest(), workers()\n"
    )
    code = f"""
import json, work
from joblib import Parallel, cpu_count, delayed
if __name__ == "__main__":
    before = work.digest()
    digests, workers = zip(*Parallel(n_jobs=2, backend={backend!r})(delayed(work.run)() for _ in range(4)))
    print(json.dumps([[before, *digests], max(workers), max(cpu_count() // 2, 1)]))
"""
    digests, most, share = python(code, where=tmp_path, NUMBA_NUM_THREADS=None)
    assert set(digests) == {expected()}
    assert most == share or backend != "loky"


SHARE = """
import json
import numba
import kmtoolkit as km
from kmtoolkit.kernels.jit import most_threads
from kmtoolkit.kernels.threads import workers

X = km.datasets.iris().X
def share(threads):
    seen = []
    def inner(snapshot):
        seen.append(workers())
    def outer(snapshot):
        seen.append(workers())
        km.Solver(max_iter=0, callback=inner).fit(X, 3)
    km.Solver(max_iter=0, callback=outer, threads=threads).fit(X, 3)
    return [*seen, workers()]
answers = {str(threads): share(threads) for threads in (None, 3, 99)}
numba.set_num_threads(min(3, most_threads()))
print(json.dumps(answers | {"Numba's own setting": workers()}))
"""
EIGHT = {"None": [8, 4, 8], "3": [3, 1, 8], "99": [8, 4, 8], "Numba's own setting": 3}  # two fits at once share threads
ONE = {"None": [1, 1, 1], "Numba's own setting": 1}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"NUMBA_NUM_THREADS": 8}, EIGHT),
        ({"OMP_NUM_THREADS": 1}, ONE),  # what Dask tells its workers
        pytest.param({"NUMBA_NUM_THREADS": 1}, ONE, marks=pytest.mark.slow),
        pytest.param({"OMP_NUM_THREADS": 1, "NUMBA_NUM_THREADS": 8}, EIGHT, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_how_many_threads(environment, expected):
    """Of a fit, of one inside its callback, and after both; as many as Numba was set to."""
    answers = python(SHARE, **{"NUMBA_NUM_THREADS": None, "OMP_NUM_THREADS": None} | environment)
    assert {threads: answers[threads] for threads in expected} == expected


def test_array_bounds_are_checked_when_asked():
    """Also if the kernel is in the cache without."""
    code = """
import json
import numpy as np
from kmtoolkit.kernels.squared import distances_to
X = np.zeros((4, 2))
X.flags.writeable = False
try:
    distances_to(X, X, np.full(4, 4, np.int32))
except IndexError:
    print("true")
"""
    X = read_only(np.zeros((4, 2)))
    distances_to(X, X, np.zeros(4, np.int32))
    assert python(code, NUMBA_BOUNDSCHECK=1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_thousand_fits_do_not_grow():
    """Resident memory over the second half of them; the allocator takes steps of 1 MiB, so a step may fall in it."""
    code = (
        FIT
        + """
import json, os, pathlib
def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024
X, sizes = np.random.default_rng(0).normal(size=(9_000, 5)), []
for i in range(1000):
    km.Solver(rng=i, max_iter=3, tol=0).fit(X, 8).predict(X)
    sizes.append(resident())
late = sizes[500:]
print(json.dumps(float(np.polyfit(range(len(late)), late, 1)[0])))
"""
    )
    assert python(code, NUMBA_NUM_THREADS=2) < 8.0  # KiB per fit; one array of labels would be 35
