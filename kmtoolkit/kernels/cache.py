"""Compiled kernels on disk: what is stored, when it is stale, and what happens where nothing can be stored.

Numba's own cache keeps one index for a function, and numbers its files. Two processes that compile into it at once
may take the same number, and then one of them is given the other's code. Here each entry is a file of its own, named
after its key and complete in itself, so the worst that a race can do is to compile twice.

Numba checks only the file of a kernel for changes, not the files of the functions it calls and of the records it
takes. So each entry also carries a fingerprint of them all.
"""

import hashlib
import logging
import os
import pickle
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, NullCache
from numba.core.serialize import dumps

__all__ = ["FINGERPRINT", "disk_cache"]

logger = logging.getLogger("kmtoolkit")


def _fingerprint() -> str:
    """A hash of all that the code of a kernel depends on beyond its own file; empty if that can't be known."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256(f"{numba.__version__} {numba.config.BOUNDSCHECK}".encode())  # type: ignore[attr-defined]
    try:
        for source in (package / "records.py", *sorted((package / "kernels").glob("*.py"))):
            digest.update(source.relative_to(package).as_posix().encode())
            digest.update(source.read_bytes())
    except OSError:  # installed without sources
        return ""
    return digest.hexdigest()


FINGERPRINT = _fingerprint()


class Entries:
    """Files (stamp, key, code) in ``folder``, one for each key of the kernel ``name``."""

    def __init__(self, folder: str, name: str, stamp: Any) -> None:
        self.folder, self.name, self.stamp = Path(folder), name, stamp

    def load(self, key: Any) -> Any:
        """What was stored under this key by the same sources, or None."""
        try:
            stamp, stored, code = pickle.loads(self._path(key).read_bytes())
        except Exception:  # missing, damaged, or of classes that are gone
            return None
        return code if (stamp, stored) == (self.stamp, key) else None

    def save(self, key: Any, code: Any) -> None:
        """Store, in one step for whoever reads; raises OSError."""
        path = self._path(key)
        part = path.with_suffix(f".{uuid.uuid4().hex}")
        try:
            part.write_bytes(dumps((self.stamp, key, code)))
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    def flush(self) -> None:
        """Forget every entry of the kernel."""
        for path in self.folder.glob(f"{self.name}.*.kernel"):
            path.unlink(missing_ok=True)

    def _path(self, key: Any) -> Path:
        return self.folder / f"{self.name}.{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}.kernel"


class DiskCache(FunctionCache):
    """Numba's cache of one kernel, with files of our own, that tells when it compiles and never fails."""

    def __init__(self, function: Callable, use: str, prepare: Callable[[Any], None]) -> None:
        super().__init__(function)
        self.prepare = prepare
        name, numba_file = f"{self._impl.filename_base}{use}", self._cache_file
        self._cache_file: Any = Entries(self.cache_path, name, (numba_file._source_stamp, FINGERPRINT))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        self.prepare(sig)
        loaded = super().load_overload(sig, target_context)
        if loaded is None:
            _tell(self._py_func, "later sessions load them from disk")
        return loaded

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            logger.warning("can't cache kernels in %s (%s); set NUMBA_CACHE_DIR", self.cache_path, error)


class NoCache(NullCache):
    """Of a kernel that has no place on disk."""

    def __init__(self, function: Callable, prepare: Callable[[Any], None]) -> None:
        self.function, self.prepare = function, prepare

    def load_overload(self, sig: Any, _target_context: Any) -> None:
        self.prepare(sig)
        _tell(self.function, "set NUMBA_CACHE_DIR to a folder that can be written, and later sessions need not")


def _nothing(_sig: Any) -> None:
    """What a kernel needs that calls no other by its address."""


def disk_cache(function: Callable, use: str = "", prepare: Callable[[Any], None] = _nothing) -> Any:
    """The cache of a kernel that is made of ``function``; ``use`` tells kernels of one function apart.

    ``prepare`` is called with the signature before a kernel is loaded or compiled. Where nothing can be written, as in
    a read-only installation, the cache stores nothing.
    """
    try:
        return DiskCache(function, use, prepare) if FINGERPRINT else NoCache(function, prepare)
    except RuntimeError:
        return NoCache(function, prepare)


told = False


def _tell(function: Callable, later: str) -> None:
    """Log that a kernel is compiled; tell a user who waits for it, once."""
    global told
    logger.info("compiling %s.%s", function.__module__, function.__qualname__)
    if not told and (hasattr(sys, "ps1") or (sys.stderr is not None and sys.stderr.isatty())):
        sys.stderr.write(f"kmtoolkit compiles its kernels, which takes some seconds; {later}.\n")
    told = True
