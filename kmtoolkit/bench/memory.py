"""How much memory a fit took, and a limit to it, where the operating system has them."""

import os
from pathlib import Path

__all__ = ["limit_memory", "peak_since", "physical"]

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")


def physical() -> int | None:
    """Bytes of memory of this machine; None where that can't be found out."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def limit_memory(limit: int | None) -> None:
    """Let this process have no more memory than that; where systems know no such limit, nothing happens."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY)) if limit else None
    except (ImportError, AttributeError, OSError, ValueError):
        return


def peak_since(before: int | None) -> int | None:
    """Start to look for the peak of resident memory (``before`` None); then, by how much it was above the start."""
    if not STATUS.exists():
        return None
    if before is None:
        try:
            CLEAR_REFS.write_text("5")  # resets the peak
        except OSError:
            return None
        return _resident("VmRSS")
    return max(_resident("VmHWM") - before, 0)


def _resident(field: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024
