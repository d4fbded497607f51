"""Settings of the test session, and the tally that CI prints."""

import os
import signal
from dataclasses import dataclass, field
from itertools import combinations, product

import pytest
from hypothesis import HealthCheck, settings

from kmtoolkit import registry
from kmtoolkit.kernels import grid, jit

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell leaves it for what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # the threads of one worker do not spin while others have work

settings.register_profile(
    "kmtoolkit",
    deadline=None,  # the first example of a dtype compiles
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    print_blob=True,
)
settings.load_profile("kmtoolkit")


BOUNDS_CHECKED = os.environ.get("NUMBA_BOUNDSCHECK") == "1"


@dataclass
class Tally:
    """How much the property tests have tried."""

    combinations: set = field(default_factory=set)
    examples: int = 0


def fitting():
    """All combinations of registered strategies, one for each role, that fit.

    Initializers are all tried with squared distances; other hard objectives come with two, and updaters for all hard
    objectives, which are medoids', with one.
    """
    return [names for names in product(*registry.available().values()) if fits(names)]


def covering(names):
    """Of combinations, as many as it takes that strategies meet in pairs wherever they meet in any."""
    met, chosen = set(), []
    for combination in names:
        pairs = set(combinations(enumerate(combination), 2))
        if not pairs <= met:
            chosen.append(combination)
            met |= pairs
    return chosen


def fits(names):
    parts = [registry.resolve(role, name) for role, name in zip(registry.ROLES, names, strict=True)]
    medoids, squared = parts[2].row.objective == registry.HARD, "squared-euclidean" in parts[1].row.objectives
    if medoids and (names[0] != "k-means++" or (squared and names[1] != "dense")):
        return False
    if not (medoids or squared or parts[1].row.soft) and names[0] not in ("k-means++", "random"):
        return False
    try:
        registry.check_partners(parts[1], parts[2], (parts[0], parts[3]))
    except ValueError:
        return False
    return True


def pytest_configure(config):
    config.stash[TALLY] = Tally()


TALLY = pytest.StashKey[Tally]()


def pytest_sessionfinish(session):
    """A worker hands its tally over."""
    if hasattr(session.config, "workeroutput"):
        tally = session.config.stash[TALLY]
        session.config.workeroutput["tally"] = (sorted(tally.combinations), tally.examples)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    combinations, examples = getattr(node, "workeroutput", {}).get("tally", ((), 0))
    tally = node.config.stash[TALLY]
    tally.combinations.update(map(tuple, combinations))
    tally.examples += examples


@pytest.fixture(autouse=True)
def _registry_stays_as_it_was(monkeypatch):
    """Strategies that a test registers are gone after it."""
    monkeypatch.setattr(registry, "_rows", registry._rows.copy())
    monkeypatch.setattr(registry, "_targets", registry._targets.copy())


def pytest_report_header():
    """What the kernels run on: never by accident."""
    how = "plain Python" if jit.plain_python else f"compiled, {jit.launch()}, at most {jit.most_threads()} threads"
    return f"kernels: {how}{', bounds checked' if BOUNDS_CHECKED else ''}"


@pytest.fixture
def thin_slices(monkeypatch):
    """Every sweep is cut into many chunks and slices, however small it is."""
    monkeypatch.setattr(grid, "OPERATIONS_PER_CHUNK", 64)
    monkeypatch.setattr(grid, "OPERATIONS_PER_SLICE", 64)


@pytest.fixture
def tally(request):
    return request.config.stash[TALLY]


def pytest_terminal_summary(terminalreporter, config):
    tally = config.stash[TALLY]
    if tally.combinations:
        tried, total = len(tally.combinations), len(fitting())
        terminalreporter.write_line(
            f"properties: {tried} of {total} combinations of strategies, {tally.examples} examples"
        )
