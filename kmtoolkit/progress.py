"""A line about a running fit: rich's if it is installed, a plain one otherwise. Nothing for short fits."""

import sys
import time
from typing import Any

__all__ = ["Progress"]

SILENT_SECONDS = 1.0
REFRESH_SECONDS = 0.2


class Progress:
    """Shows restart, iteration and objective on standard error while a fit lasts."""

    def __init__(self, enabled: bool) -> None:
        self.enabled, self.restarts = enabled, 1
        self.shown_at = time.perf_counter() + SILENT_SECONDS - REFRESH_SECONDS
        self.display: Any = None

    def update(self, restart: int, n_iter: int, objective: float) -> None:
        """Show where the fit is, if it is time to."""
        self.say(f"restart {restart + 1} of {self.restarts}, iteration {n_iter}, objective {objective:.6g}")

    def say(self, text: str) -> None:
        """Show a line, if it is time to."""
        now = time.perf_counter()
        if not self.enabled or now - self.shown_at < REFRESH_SECONDS:
            return
        self.shown_at = now
        if self.display is None:
            self.display = _rich_status() or _PlainLine()
            self.display.start()
        self.display.update(text)

    def close(self) -> None:
        """Take the line away."""
        if self.display is not None:
            self.display.stop()


class _PlainLine:
    width = 0

    def start(self) -> None:
        pass

    def update(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self.width))
        sys.stderr.flush()
        self.width = len(text)

    def stop(self) -> None:
        sys.stderr.write("\r" + " " * self.width + "\r")
        sys.stderr.flush()


def _rich_status() -> Any:
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(stderr=True).status("")
