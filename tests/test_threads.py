"""Right answers, and the same bits, whatever runs them: threads, layers, forks, pools."""

import functools
import json
import sys

import processes
import pytest
from processes import FIT, python

pytestmark = pytest.mark.compiled
LAYERS = ["omp", "workqueue", "tbb"]


@functools.cache
def loads(layer):
    code = """
import json
from kmtoolkit.kernels.jit import launch
print(json.dumps(launch()))
"""
    return python(code, **processes.layer(layer)) == layer


@functools.cache
def expected():
    """The digest of the serial driver."""
    return python(FIT + "import json; print(json.dumps(digest(threads=1)))", NUMBA_NUM_THREADS=1)


WHICH = """
import json
import numba
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


@pytest.mark.parametrize("layer", LAYERS)
def test_the_same_bits_for_any_threads_and_driver(layer):
    """1, 2, 3 and 8 threads under each threading layer: serial, prange and Python threads, explicitly."""
    if not loads(layer):
        pytest.skip(f"the threading layer {layer} does not load here")
    code = (
        FIT
        + WHICH
        + """
print(json.dumps([drivers(lambda: digest(threads=t)) for t in (1, 2, 3, 8, None)] + [numba.threading_layer()]))
"""
    )
    *runs, used_layer = python(code, NUMBA_NUM_THREADS=8, **processes.layer(layer))
    assert used_layer == layer
    parallel = ["python threads"] if layer == "workqueue" else ["prange"]
    assert [used for _, used in runs] == [[], *[parallel] * 4]
    assert {digest for digest, _ in runs} == {expected()}


def test_without_any_threading_layer_python_threads_do():
    code = FIT + WHICH + "print(json.dumps(drivers(digest)))"
    digest, used = python(code, NUMBA_NUM_THREADS=2, NUMBA_THREADING_LAYER="none-of-them")
    assert used == ["python threads"]
    assert digest == expected()


@pytest.mark.parametrize("layer", LAYERS)
def test_eight_python_threads_at_once(layer):
    if not loads(layer):
        pytest.skip(f"the threading layer {layer} does not load here")
    code = (
        FIT
        + """
import json
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(digest, [None, 1, 2, 2] * 4))))
"""
    )
    assert set(python(code, NUMBA_NUM_THREADS=2, **processes.layer(layer))) == {expected()}


def test_asyncio_executor():
    code = (
        FIT
        + """
import asyncio, json
async def main():
    return await asyncio.gather(*(asyncio.to_thread(digest) for _ in range(6)))
print(json.dumps(asyncio.run(main())))
"""
    )
    assert set(python(code, NUMBA_NUM_THREADS=2)) == {expected()}


FORKS = (
    FIT
    + """
import json, os
def in_child(run):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, run().encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read) as pipe:
        text = pipe.read()
    assert os.waitpid(pid, 0)[1] == 0
    return text
"""
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("threads", [None, 1, 2])
def test_after_a_fork(layer, threads):
    """Child and grandchild of a process whose threads run, and the parent thereafter."""
    if not loads(layer):
        pytest.skip(f"the threading layer {layer} does not load here")
    code = (
        FORKS
        + f"""
fit = lambda: digest(threads={threads})
print(json.dumps([digest(), in_child(fit), in_child(lambda: in_child(fit)), fit()]))
"""
    )
    assert set(python(code, NUMBA_NUM_THREADS=2, **processes.layer(layer))) == {expected()}


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_child_of_a_process_that_has_not_fitted_uses_prange():
    code = FORKS + WHICH + "print(json.dumps(json.loads(in_child(lambda: json.dumps(drivers(digest))))))"
    digest, used = python(code, NUMBA_NUM_THREADS=2, **processes.layer("omp"))
    assert (digest, used) == (expected(), ["prange"])


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_fork_in_the_middle_of_a_fit():
    """A callback forks, and the fit goes on in both processes."""
    code = (
        FORKS
        + """
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
    print(json.dumps([result, pipe.read()]))
assert os.waitpid(child, 0)[1] == 0
"""
    )
    assert set(python(code, NUMBA_NUM_THREADS=2)) == {expected()}


OTHERS = """
import pathlib, numba, numpy
@numba.njit(parallel=True, cache=False)
def other(x):
    for i in numba.prange(len(x)):
        x[i] = 1.0
other(numpy.ones(1000))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("how", ["os.fork", "multiprocessing", None])
def test_imported_in_a_fork_of_a_process_whose_threads_run(how, tmp_path):
    """GNU OpenMP would end the child. Without a fork, what others have run before is no reason to avoid prange."""
    (tmp_path / "work.py").write_text(FIT + WHICH + "def run(_=0):\n    return drivers(digest)\n")
    code = (
        OTHERS
        + {
            "os.fork": """
import json, os
if (child := os.fork()) == 0:
    import work
    pathlib.Path("answer").write_text(json.dumps(work.run()))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
            "multiprocessing": """
import json, multiprocessing
def run(_):
    import work
    return work.run()
pool = multiprocessing.get_context("fork").Pool(1)
pathlib.Path("answer").write_text(json.dumps(pool.map(run, [0])[0]))
pool.close()
pool.join()
""",
            None: "import json, work\npathlib.Path('answer').write_text(json.dumps(work.run()))\n",
        }[how]
        + "print('null')"
    )
    python(code, where=tmp_path, NUMBA_NUM_THREADS=2, **processes.layer("omp"))
    digest, used = json.loads((tmp_path / "answer").read_text())
    assert (digest, used) == (expected(), ["python threads"] if how else ["prange"])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method, tmp_path):
    if method != "spawn" and sys.platform == "win32":
        pytest.skip("no fork")
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


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_joblib(backend, tmp_path):
    (tmp_path / "work.py").write_text(FIT)
    code = f"""
import json, work
from joblib import Parallel, delayed
if __name__ == "__main__":
    before = work.digest()
    print(json.dumps([before, *Parallel(n_jobs=2, backend={backend!r})(delayed(work.digest)() for _ in range(4))]))
"""
    assert set(python(code, where=tmp_path, NUMBA_NUM_THREADS=2)) == {expected()}


SHARE = """
import json
import kmtoolkit as km
from kmtoolkit.kernels.threads import workers

X = km.datasets.iris().X
seen = []
def inner(snapshot):
    seen.append(workers())
def outer(snapshot):
    seen.append(workers())
    km.Solver(max_iter=0, callback=inner).fit(X, 3)
km.Solver(max_iter=0, callback=outer, threads=THREADS).fit(X, 3)
print(json.dumps([*seen, workers()]))
"""


@pytest.mark.parametrize(
    ("environment", "threads", "expected"),
    [
        ({"NUMBA_NUM_THREADS": 8}, None, [8, 4, 8]),  # two fits at once share the threads
        ({"NUMBA_NUM_THREADS": 8}, 3, [3, 1, 8]),
        ({"NUMBA_NUM_THREADS": 8}, 99, [8, 4, 8]),
        ({"NUMBA_NUM_THREADS": 1}, None, [1, 1, 1]),
        ({"OMP_NUM_THREADS": 1}, None, [1, 1, 1]),  # what Dask tells its workers
        ({"OMP_NUM_THREADS": 1, "NUMBA_NUM_THREADS": 8}, None, [8, 4, 8]),
    ],
)
def test_how_many_threads(environment, threads, expected):
    clean = {"NUMBA_NUM_THREADS": None, "OMP_NUM_THREADS": None}
    assert python(SHARE.replace("THREADS", str(threads)), **clean | environment) == expected


def test_numbas_own_setting_is_respected():
    code = """
import json, numba
from kmtoolkit.kernels.threads import workers
numba.set_num_threads(3)
print(json.dumps(workers()))
"""
    assert python(code, NUMBA_NUM_THREADS=8) == 3


@pytest.mark.slow
def test_loky_shares_the_processors(tmp_path):
    """Workers of joblib are told how many threads each may use."""
    (tmp_path / "work.py").write_text(
        "def count():\n    from kmtoolkit.kernels.threads import workers\n    return workers()"
    )
    code = """
import json, os, work
from joblib import Parallel, cpu_count, delayed
if __name__ == "__main__":
    counts = Parallel(n_jobs=2)(delayed(work.count)() for _ in range(4))
    print(json.dumps([max(counts), max(cpu_count() // 2, 1)]))
"""
    most, share = python(code, where=tmp_path, NUMBA_NUM_THREADS=None)
    assert most == share


def test_where_no_thread_can_be_started_the_calling_one_does_the_work():
    code = (
        FIT
        + WHICH
        + """
import threading
def start(self):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
print(json.dumps(drivers(digest)))
"""
    )
    digest, used = python(code, NUMBA_NUM_THREADS=2, **processes.layer("workqueue"))
    assert (digest, used) == (expected(), ["python threads"])


def test_array_bounds_are_checked_when_asked():
    """Also if the kernel is in the cache without."""
    code = """
import json
import numpy as np
from kmtoolkit.kernels.squared import distances_to
X, caught = np.zeros((4, 2)), False
distances_to(X, X, np.zeros(4, np.int32))
if CHECKED:
    try:
        distances_to(X, X, np.full(4, 4, np.int32))
    except IndexError:
        caught = True
print(json.dumps(caught))
"""
    python(code.replace("CHECKED", "False"))
    assert python(code.replace("CHECKED", "True"), NUMBA_BOUNDSCHECK=1)


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
