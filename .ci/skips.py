"""Print every skipped test of a pytest log, and fail on one that skips.txt does not list with its reason.

    python .ci/skips.py LOG

A line of skips.txt is "FILE: REASON", as pytest's summary has them, without the count and the line number.
"""

import re
import sys
from pathlib import Path


def main() -> int:
    """Compare the skips of a log with the list."""
    listed = {
        line.strip()
        for line in Path(__file__).with_name("skips.txt").read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    }
    log = Path(sys.argv[1]).read_text(encoding="utf-8", errors="replace")
    skips = re.findall(r"^(?:SKIPPED|XFAIL|XPASS) (?:\[\d+\] )?(\S+?)(?::\d+)?:? (?:- )?(.*)$", log, re.MULTILINE)
    unlisted = [skip for skip in skips if f"{skip[0]}: {skip[1]}" not in listed]
    for file, reason in skips:
        sys.stdout.write(f"skipped: {file}: {reason}\n")
    sys.stdout.write(f"{len(skips)} skips, {len(unlisted)} of them not listed in .ci/skips.txt\n")
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
