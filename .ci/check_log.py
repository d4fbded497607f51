"""Check a pytest log: every skip is printed, and listed with its reason; every combination of strategies was tried.

    python .ci/check_log.py LOG [--without-properties]

A line of skips.txt is "FILE: REASON", as pytest's summary has them, without the count and the line number.
"""

import re
import sys
from pathlib import Path

SKIP = re.compile(r"^(?:SKIPPED|XFAIL|XPASS) (?:\[\d+\] )?(\S+?)(?::\d+)?:? (?:- )?(.*)$", re.MULTILINE)
TALLY = re.compile(r"^properties: (\d+) of (\d+) combinations of strategies, (\d+) examples$", re.MULTILINE)


def main() -> int:
    """Return 0 if the log is as it must be."""
    lines = Path(__file__).with_name("skips.txt").read_text(encoding="utf-8").splitlines()
    listed = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    log = Path(sys.argv[1]).read_text(encoding="utf-8", errors="replace")
    skips = [f"{file}: {reason}" for file, reason in SKIP.findall(log)]
    unlisted = [skip for skip in skips if skip not in listed]
    tallies = [tuple(map(int, tally)) for tally in TALLY.findall(log)]
    enough = all(tried == total and examples >= 8 * total for tried, total, examples in tallies)
    complete = "--without-properties" in sys.argv[2:] or (bool(tallies) and enough)
    for skip in skips:
        sys.stdout.write(f"skipped: {skip}\n")
    sys.stdout.write(f"{len(skips)} skips, {len(unlisted)} of them not listed in .ci/skips.txt\n")
    if not complete:
        sys.stdout.write(f"not every combination of strategies was tried often enough: {tallies}\n")
    return 0 if complete and not unlisted else 1


if __name__ == "__main__":
    sys.exit(main())
