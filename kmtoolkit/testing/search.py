"""The search for a case that breaks a rule, and for a small one."""

import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from kmtoolkit.errors import EmptyClusterError
from kmtoolkit.registry import Strategy
from kmtoolkit.testing.awkward import Case
from kmtoolkit.testing.harness import Broken

__all__ = ["SHRINKING", "smallest"]

SHRINKING = 300  # cases to look for a smaller example in, once there is one
Found = tuple[Case, Broken]


def smallest(
    judge: Callable[[Strategy, Case], None], strategy: Strategy, known: Iterable[Case], examples: int, shrinking: int
) -> Found | None:
    """The smallest case found that breaks the rule, and what was seen; None if all cases keep it.

    The known cases come first, then ``examples`` random ones. Once a case breaks the rule, ``shrinking`` more are tried
    to find a smaller one.
    """
    first = next((found for case in known if (found := attempt(judge, strategy, case))), None)
    seen = [] if first is None else [first]
    examples = shrinking if seen else examples
    if examples:
        _search(judge, strategy, examples, shrinking, seen)
    return min(reversed(seen), key=lambda each: each[0].size, default=None)  # of equal size, the last is the simplest


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


def _search(
    judge: Callable[[Strategy, Case], None], strategy: Strategy, examples: int, shrinking: int, seen: list[Found]
) -> None:
    """Add to ``seen`` what hypothesis finds, and shrinks; failures that do not occur again count too."""
    try:
        from hypothesis import HealthCheck, Phase, Verbosity, given, settings
        from hypothesis.errors import Flaky
    except ImportError as error:
        raise ImportError('kmtoolkit.testing needs the extra: pip install "kmtoolkit[test]"') from error
    from kmtoolkit.testing.generate import cases

    left = shrinking

    @settings(
        max_examples=examples, database=None, derandomize=True, deadline=None, print_blob=False,
        report_multiple_bugs=False, verbosity=Verbosity.quiet, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases())
    def search(case: Case) -> None:
        nonlocal left
        if seen:
            left -= 1
        if left < 0:
            return  # hypothesis then takes the failure for flaky, and stops
        found = attempt(judge, strategy, case)
        if found is not None:
            seen.append(found)
            raise _Found

    with suppress(_Found, Flaky):
        search()


class _Found(Exception):
    pass


def _spell(error: BaseException) -> str:
    """An exception in one line, with the place it comes from."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    message = " ".join(lines[:3]) + (" ..." if len(lines) > 3 else "")
    return f"{type(error).__name__}: {message} ({Path(frame.filename).name}, line {frame.lineno})"
