"""Published optima: du Merle, Hansen, Jaumard, Mladenovic, SIAM J. Sci. Comput. 21, 2000, and values verified since."""

from pathlib import Path

import numpy as np
import pytest

import kmtoolkit as km

pytestmark = pytest.mark.compiled

# Ruspini, Information Sciences 2, 1970, as in R's package cluster.
RUSPINI = np.loadtxt(Path(__file__).with_name("ruspini.csv"), delimiter=",", skiprows=1)
IRIS = km.datasets.iris().X
OPTIMA = [
    ("iris", IRIS, 2, 152.347951760358),
    ("iris", IRIS, 3, 78.8514414261460),
    ("iris", IRIS, 4, 57.2284732142857),
    ("iris", IRIS, 5, 46.4461820512821),
    ("ruspini", RUSPINI, 2, 89337.832142857),
    ("ruspini", RUSPINI, 3, 51063.4750456705),
    ("ruspini", RUSPINI, 4, 12881.0512361466),
    ("ruspini", RUSPINI, 5, 10126.7197881828),
]


@pytest.mark.parametrize(("name", "X", "k", "optimum"), OPTIMA, ids=[f"{n}-{k}" for n, _, k, _ in OPTIMA])
@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_best_of_restarts_is_the_optimum(name, X, k, optimum, init, dtype):
    rounded = 1e-12 if dtype == np.float64 or name == "ruspini" else 1e-6
    result = km.kmeans(X.astype(dtype), k, init=init, n_init=120, rng=0, tol=0)
    assert result.objective == pytest.approx(optimum, rel=rounded)
    assert min(run.objective for run in result.runs) == result.objective
