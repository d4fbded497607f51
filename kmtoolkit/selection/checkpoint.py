"""A file to which each fit of a sweep is added when it is done."""

import hashlib
import os
import pickle
from pathlib import Path as File
from typing import Any

import numpy as np

from kmtoolkit.result import Result

__all__ = ["Checkpoint"]


class Checkpoint:
    """Pickles one after the other: what was asked for, then a pair (k, result) for each fit.

    A fit that was being written when the process ended is forgotten.
    """

    def __init__(
        self, file: Any, data: tuple[np.ndarray, ...], asked: str, seed: np.random.SeedSequence | None
    ) -> None:
        digest = hashlib.sha256(asked.encode())
        for array in data:
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        self.file, self.key, self.seed = File(os.fspath(file)), digest.hexdigest(), seed
        self.results: dict[int, Result] = {}

    def begin(self, root: np.random.SeedSequence, ks: tuple[int, ...]) -> np.random.SeedSequence:
        """Read what is there, or open a new file; the seed of the sweep."""
        if not self.file.exists() or self.file.stat().st_size == 0:
            with self.file.open("wb") as stream:
                pickle.dump((self.key, root.entropy, root.spawn_key), stream)
            return root
        with self.file.open("rb") as stream:
            try:
                key, entropy, spawn_key = pickle.load(stream)
            except Exception:
                raise ValueError(f"checkpoint {str(self.file)!r} is no file of a sweep; name another one") from None
            seed = np.random.SeedSequence(entropy, spawn_key=spawn_key)
            if key != self.key or (self.seed is not None and _state(self.seed) != _state(seed)):
                raise ValueError(f"checkpoint {str(self.file)!r} is of other data, weights, options or seed; name "
                                 "another file, or remove it")  # fmt: skip
            whole = stream.tell()
            while True:
                try:
                    k, result = pickle.load(stream)
                except Exception:  # the end, or a fit that was not written to its end
                    break
                self.results[k], whole = result, stream.tell()
        if any(k != wanted for k, wanted in zip(self.results, ks, strict=False)):
            has = ", ".join(map(str, self.results))
            raise ValueError(f"checkpoint {str(self.file)!r} has fits for k = {has}, each grown from the one before; "
                             "ks must begin with these, or be the first of them")  # fmt: skip
        os.truncate(self.file, whole)
        return seed

    def add(self, k: int, result: Result) -> None:
        """Add a fit."""
        with self.file.open("ab") as stream:
            pickle.dump((k, result), stream)


def _state(seed: np.random.SeedSequence) -> tuple[int, ...]:
    return tuple(seed.generate_state(4).tolist())
