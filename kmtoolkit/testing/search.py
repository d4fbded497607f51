"""The search for a case that breaks a rule, and for a small one."""

import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from kmtoolkit.errors import EmptyClusterError
from kmtoolkit.registry import Strategy
from kmtoolkit.testing.awkward import Case
from kmtoolkit.testing.harness import Broken

__all__ = ["smallest"]

PATIENCE = 20.0  # seconds to spend on making an example smaller
SHRINKING = 300  # random cases to look for a smaller example in, once there is one
Found = tuple[Case, Broken]


def smallest(
    judge: Callable[[Strategy, Case], None], strategy: Strategy, known: Iterable[Case], examples: int, shrink: bool
) -> Found | None:
    """The smallest case found that breaks the rule, and what was seen; None if all cases keep it.

    The known cases come first, then random ones. If a known case breaks the rule, ``shrink`` looks for a smaller one.
    """
    known_break = next((found for case in known if (found := attempt(judge, strategy, case))), None)
    if known_break is not None and shrink:
        examples = max(examples, SHRINKING)
    random_break = _search(judge, strategy, examples) if examples else None
    breaks = [each for each in (random_break, known_break) if each is not None]
    return min(breaks, key=lambda each: each[0].size, default=None)


def attempt(judge: Callable[[Strategy, Case], None], strategy: Strategy, case: Case) -> Found | None:
    """Try one case; whatever the strategy raises breaks the rule, but for the right of ``error`` to stop a fit."""
    case = case.suited(strategy.row)
    try:
        judge(strategy, case)
    except Broken as broken:
        return case, broken
    except EmptyClusterError:
        return None
    except (Exception, SystemExit) as error:
        return case, Broken(f"it raised {_spell(error)}")
    return None


def _search(judge: Callable[[Strategy, Case], None], strategy: Strategy, examples: int) -> Found | None:
    """What hypothesis finds, shrunk; failures that do not occur again count too."""
    try:
        from hypothesis import HealthCheck, Phase, Verbosity, given, settings
        from hypothesis.errors import Flaky
    except ImportError as error:
        raise ImportError('kmtoolkit.testing needs the extra: pip install "kmtoolkit[test]"') from error
    from kmtoolkit.testing.generate import cases

    seen: list[Found] = []
    end = float("inf")

    @settings(
        max_examples=examples, database=None, derandomize=True, deadline=None, print_blob=False,
        report_multiple_bugs=False, verbosity=Verbosity.quiet, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases())
    def search(case: Case) -> None:
        nonlocal end
        if time.perf_counter() > end:
            return  # hypothesis then takes the failure for flaky, and stops
        found = attempt(judge, strategy, case)
        if found is not None:
            seen.append(found)
            end = min(end, time.perf_counter() + PATIENCE)
            raise _Found

    try:
        search()
    except (_Found, Flaky):
        return min(reversed(seen), key=lambda each: each[0].size)  # of equal size, the last is the simplest
    return None


class _Found(Exception):
    pass


def _spell(error: BaseException) -> str:
    """An exception in one line, with the place it comes from."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    message = " ".join(lines[:3]) + (" ..." if len(lines) > 3 else "")
    return f"{type(error).__name__}: {message} ({Path(frame.filename).name}, line {frame.lineno})"
