"""Settings of the test session: how it uses the processors, what runs alone, and the tally that CI prints."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from kmtoolkit import registry
from kmtoolkit.kernels import grid, jit

BOUNDS_CHECKED = os.environ.get("NUMBA_BOUNDSCHECK") == "1"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell leaves it for what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "kmtoolkit",
    deadline=None,  # the first example of a dtype compiles
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    print_blob=True,
)
settings.load_profile("kmtoolkit")


@pytest.fixture(autouse=True)
def _registry_stays_as_it_was(monkeypatch):
    """Strategies that a test registers are gone after it."""
    monkeypatch.setattr(registry, "_rows", registry._rows.copy())
    monkeypatch.setattr(registry, "_targets", registry._targets.copy())


@pytest.fixture
def thin_slices(monkeypatch):
    """Every sweep is cut into many chunks and slices, however small it is."""
    monkeypatch.setattr(grid, "OPERATIONS_PER_CHUNK", 64)
    monkeypatch.setattr(grid, "OPERATIONS_PER_SLICE", 64)


def pytest_report_header():
    """What the kernels run on: never by accident."""
    if jit.plain_python:
        return "kernels: plain Python"
    how = f"compiled, {jit.launch()}, at most {jit.most_threads()} threads"
    return [f"kernels: {how}{', bounds checked' if BOUNDS_CHECKED else ''}", f"kernel cache: {kernel_cache()}"]


def kernel_cache():
    """The folder of the first kernel, or why there is none."""
    folder = getattr(jit.COMPILED[0]._cache, "cache_path", None)
    if folder is None:
        return "none, every process compiles; set NUMBA_CACHE_DIR to a folder that can be written"
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"none, every process compiles: {error}; set NUMBA_CACHE_DIR to a folder that can be written"
    return folder


# combinations of strategies, and how many of them were tried


def fitting():
    """All combinations of registered strategies, one for each role, that fit.

    Updaters for all hard objectives, which are medoids', meet one of the assigners of squared distances, all alike.
    """
    return [names for names in product(*registry.available().values()) if fits(names)]


def fits(names):
    parts = [registry.resolve(role, name) for role, name in zip(registry.ROLES, names, strict=True)]
    squared = "squared-euclidean" in parts[1].row.objectives
    if parts[2].row.objective == registry.HARD and squared and names[1] != "dense":
        return False
    try:
        registry.check_partners(parts[1], parts[2], (parts[0], parts[3]))
    except ValueError:
        return False
    return True


TALLY = pytest.StashKey[Counter]()


@pytest.fixture
def tally(request):
    """Add combinations that are tried; those of all workers are counted together."""

    class Tally:
        def add(self, combination):
            request.config.stash[TALLY][tuple(combination)] += 1

    return Tally()


def pytest_configure(config):
    config.stash[TALLY] = Counter()


def pytest_terminal_summary(terminalreporter, config):
    tried = config.stash[TALLY]
    if not tried:
        return
    parts = {
        "triples of assigner, updater and handler": slice(1, 4),
        "pairs of initializer and assigner": slice(2),
        "combinations of all roles": slice(4),
    }
    for what, part in parts.items():
        counts = Counter({combination[part]: 0 for combination in fitting()})
        for combination, examples in tried.items():
            counts[combination[part]] += examples
        met, least = sum(count > 0 for count in counts.values()), min(counts.values())
        terminalreporter.write_line(f"properties: {met} of {len(counts)} {what}, each by {least} examples or more")


# all processors: workers run the tests, but for those that are alone

ALONE = pytest.StashKey[bool]()
SIGNATURES = pytest.StashKey[dict]()
WORKERS = {"NUMBA_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}  # threads of one must not spin beside another's


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One for each processor; more than eight would compile the same kernels and little else."""
    if given := os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return int(given)
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, 8)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config, specs):
    """What workers find: their environment, and the kernels, so that they need not all compile them."""
    config.stash[ALONE] = True
    for spec in specs:
        spec.env = {name: value for name, value in WORKERS.items() if name not in os.environ}
    whole = config.args == config.getini("testpaths") and not config.option.keyword and not config.option.lf
    if whole and not jit.plain_python:
        try:
            config.stash[SIGNATURES] = warm("float64", "float32")
        except RuntimeError as error:
            pytest.exit(str(error), returncode=1)


def warm(*dtypes):
    """Compile the kernels of all strategies, those of each dtype in a process of its own; their signatures by name."""
    program = str(Path(__file__).with_name("warm.py"))
    commands = [[sys.executable, program, dtype] for dtype in dtypes]
    environment = WORKERS | os.environ
    running = [subprocess.Popen(each, stdout=subprocess.PIPE, text=True, env=environment) for each in commands]
    answers = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError(f"one of {commands} failed: see above why kernels could not be compiled")
    signatures = defaultdict(set)
    for answer in answers:
        for name, used in json.loads(answer):
            signatures[name].update(used)
    return {name: sorted(used) for name, used in signatures.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["signatures"] = node.config.stash.get(SIGNATURES, None)


@pytest.fixture
def signatures_used(request):
    """The signatures of each kernel that every strategy took: before the workers started, or else now."""
    return getattr(request.config, "workerinput", {}).get("signatures") or warm("float64", "float32")


def pytest_collection_modifyitems(config, items):
    """Workers leave out what is to run alone; elsewhere it comes last."""
    alone = [item for item in items if item.get_closest_marker("alone")]
    others = [item for item in items if not item.get_closest_marker("alone")]
    if hasattr(config, "workerinput"):
        items[:] = others
    elif config.stash.get(ALONE, False):
        items[:] = alone
    else:
        items[:] = others + alone


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session):
    """After the workers have ended, this process runs what is alone: tests of signals, threads and memory."""
    done = yield
    if session.config.stash.get(ALONE, False) and not (session.shouldstop or session.shouldfail):
        by_workers = session.testscollected
        session.perform_collect()
        session.testscollected += by_workers
        for item, after in zip(session.items, [*session.items[1:], None], strict=False):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if session.shouldstop or session.shouldfail:
                break
    return done


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = list(session.config.stash[TALLY].items())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for combination, examples in getattr(node, "workeroutput", {}).get("tally", []):
        node.config.stash[TALLY][tuple(combination)] += examples
