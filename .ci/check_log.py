"""Check a pytest log: tests ran, every skip is listed with its reason, and strategies were tried together.

    python .ci/check_log.py LOG [--examples N | --product N | --without-properties]

Every triple of assigner, updater and handler must have been tried on N examples (12), and every pair of initializer and
assigner on one; or every combination of all roles on N. A line of skips.txt is "PLATFORM: FILE: REASON", file and
reason as pytest's summary has them, without the count and the line number.
"""

import argparse
import re
import sys
from pathlib import Path

SKIP = re.compile(r"^(?:SKIPPED|XFAIL|XPASS) (?:\[\d+\] )?(\S+?)(?::\d+)?:? (?:- )?(.*)$", re.MULTILINE)
TALLY = re.compile(
    r"^properties: (\d+) of (\d+) (triples|pairs|combinations) of .*, each by (\d+) examples or more$", re.MULTILINE
)
PASSED = re.compile(r"^=+ .*?\b(\d+) passed\b", re.MULTILINE)


def main() -> int:
    """Return 0 if the log is as it must be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("log", type=Path)
    parser.add_argument("--examples", type=int, default=12)
    parser.add_argument("--product", type=int)
    parser.add_argument("--without-properties", action="store_true")
    options = parser.parse_args()
    lines = Path(__file__).with_name("skips.txt").read_text(encoding="utf-8").splitlines()
    listed = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    log = options.log.read_text(encoding="utf-8", errors="replace")
    found = SKIP.findall(log.replace("\\", "/"))
    skips = [f"{sys.platform}: {file}: {reason}" for file, reason in found]
    faults = [f"not listed in .ci/skips.txt: {skip}" for skip in skips if skip not in listed]
    if not PASSED.search(log):
        faults.append("no test passed")
    if not options.without_properties:
        tallies = {what: (int(met), int(total), int(least)) for met, total, what, least in TALLY.findall(log)}
        due = {"combinations": options.product} if options.product else {"triples": options.examples, "pairs": 1}
        for what, examples in due.items():
            met, total, least = tallies.get(what, (0, 1, 0))
            if met < total or least < examples:
                faults.append(f"{met} of {total} {what} were tried, each by {least} examples; {examples} are due")
    for line in (*(f"skipped: {skip}" for skip in skips), f"{len(skips)} skips", *faults):
        sys.stdout.write(f"{line}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
