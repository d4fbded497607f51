"""A file to which each record is added when it is made, one line of JSON each, so that a kill loses one run at most."""

import json
import math
import os
from pathlib import Path
from typing import Any

__all__ = ["Journal", "as_json", "from_json"]


class Journal:
    """A first line that says what is compared, and a line for each run.

    Raises
    ------
    ValueError
        If the file holds something else.
    OSError
        If it can't be written.
    """

    def __init__(self, file: Any, plan: str) -> None:
        self.path = Path(os.fspath(file))
        self.records: list[dict[str, Any]] = []
        lines = (
            self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []
        )  # a line that was cut off is none
        if lines:
            try:
                known = json.loads(lines[0])["plan"]
            except (ValueError, KeyError, TypeError):
                raise ValueError(f"checkpoint {str(file)!r} is no file of a comparison; name another one") from None
            if known != plan:
                raise ValueError(f"checkpoint {str(file)!r} is of other strategies, problems or options; name another "
                                 "file, or remove it")  # fmt: skip
            self.records = [from_json(line) for line in lines[1:]]
        elif self.path.exists() and self.path.stat().st_size:
            raise ValueError(f"checkpoint {str(file)!r} is no file of a comparison; name another one")
        self.stream = self.path.open("r+b" if lines else "wb")
        if lines:
            self.stream.truncate(sum(len(line) + 1 for line in lines))
            self.stream.seek(0, os.SEEK_END)
        else:
            self._write(json.dumps({"plan": plan}))

    def add(self, record: dict[str, Any]) -> None:
        """Add a record."""
        self.records.append(record)
        self._write(as_json(record))

    def _write(self, line: str) -> None:
        self.stream.write(line.encode() + b"\n")
        self.stream.flush()

    def close(self) -> None:
        """Close the file."""
        self.stream.close()


def as_json(record: dict[str, Any]) -> str:
    """A record as strict JSON: numbers that are not finite are spelled."""
    return json.dumps({name: _spelled(value) for name, value in record.items()}, allow_nan=False)


def from_json(line: bytes | str) -> dict[str, Any]:
    """What ``as_json`` wrote."""
    return {name: float(value[1:]) if _is_spelled(value) else value for name, value in json.loads(line).items()}


def _spelled(value: Any) -> Any:
    return f"={value}" if isinstance(value, float) and not math.isfinite(value) else value


def _is_spelled(value: Any) -> bool:
    return isinstance(value, str) and value in ("=nan", "=inf", "=-inf")
