"""Compilation: nothing twice, nothing at import, and nothing at all once the disk cache has it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kmtoolkit as km
from kmtoolkit.kernels.jit import COMPILED


def signatures():
    return {kernel: len(kernel.signatures) for kernel in COMPILED}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_second_fit_of_the_same_dtypes_compiles_nothing(dtype):
    """Whatever the strategies, the shapes, the weights and the layout."""
    X = np.random.default_rng(0).normal(size=(300, 3)).astype(dtype)

    def use_everything(X, w):
        for init in km.available("initializer")["initializer"]:
            for empty in ("farthest", "split", "random", "keep", "drop"):
                result = km.Solver(init, empty=empty, rng=0).fit(X, 9, sample_weight=w)
        result.predict(X)
        result.transform(X)

    use_everything(X, None)
    before = signatures()
    use_everything(np.asfortranarray(X[:50, :1]), np.arange(50) % 3)
    use_everything(X[::2].copy(), np.ones(150))
    assert signatures() == before


PROBE = """
import json
import numba
import kmtoolkit as km
from kmtoolkit.kernels.jit import COMPILED

def compiled():
    return [sum(sum(getattr(k.stats, name).values()) for k in COMPILED) for name in ("cache_misses", "cache_hits")]
at_import = sum(len(k.signatures) for k in COMPILED)
result = km.kmeans(km.datasets.iris().X, 3, rng=0)
result.predict(km.datasets.iris().X)
print(json.dumps([at_import, *compiled(), result.objective]))
"""


def probe(where, **environment):
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE],
        capture_output=True, text=True, cwd=where, env=os.environ | environment,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def test_a_second_process_loads_every_kernel_from_disk(tmp_path):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path)}
    at_import, misses, hits, first = probe(tmp_path, **cache)
    assert at_import == 0
    assert (misses > 0, hits) == (True, 0)
    at_import, misses, hits, second = probe(tmp_path, **cache)
    assert at_import == 0
    assert (misses, hits > 0) == (0, True)
    assert first == second


def test_an_edited_kernel_is_not_served_from_a_stale_cache(tmp_path):
    """Numba checks only a kernel's own file; here a function it calls changes in another."""
    shutil.copytree(Path(km.__file__).parent, tmp_path / "kmtoolkit", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}
    *_, before = probe(tmp_path, **environment)
    source = tmp_path / "kmtoolkit" / "kernels" / "arithmetic.py"
    right, wrong = "two_sum(total[at], value)", "two_sum(total[at], 2.0 * value)"
    assert source.read_text().count(right) == 1
    source.write_text(source.read_text().replace(right, wrong))
    *_, after = probe(tmp_path, **environment)
    assert after == pytest.approx(2 * before)


def test_without_jit_the_answer_is_the_same(tmp_path):
    """NUMBA_DISABLE_JIT=1 runs the same source as plain Python."""
    *_, compiled = probe(tmp_path)
    at_import, misses, hits, plain = probe(tmp_path, NUMBA_DISABLE_JIT="1")
    assert (at_import, misses, hits) == (0, 0, 0)
    assert plain == pytest.approx(compiled, rel=1e-15)
