"""Systems from elsewhere for ``km.bench.compare``: each gets the centers that the strategies start from."""

from typing import Any

import numpy as np

from kmtoolkit.bench import System

__all__ = ["FAISS", "ONEDAL", "SCIKIT_LEARN"]


def scikit_learn(
    X: Any, k: int, *, centers: Any, sample_weight: Any, max_iter: int, tol: float, threads: int, **_: Any
) -> Any:
    """scikit-learn's Lloyd; its ``tol`` is of squared moves, relative to the variance of the rows."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        fit = KMeans(k, init=np.asarray(centers, X.dtype), n_init=1, max_iter=max_iter, tol=tol).fit(
            X, None, sample_weight
        )
    return fit.cluster_centers_, fit.n_iter_


def onedal(X: Any, k: int, *, centers: Any, sample_weight: Any, max_iter: int, tol: float, **_: Any) -> Any:
    """Take oneDAL through scikit-learn-intelex; threads are those of the environment."""
    from sklearnex.cluster import KMeans

    fit = KMeans(k, init=np.asarray(centers, X.dtype), n_init=1, max_iter=max_iter, tol=tol).fit(X, None, sample_weight)
    return fit.cluster_centers_, fit.n_iter_


def faiss(X: Any, k: int, *, centers: Any, sample_weight: Any, max_iter: int, threads: int, seed: int, **_: Any) -> Any:
    """Take faiss on float32 rows and on all of them; it has no tolerance, so it takes all iterations."""
    import faiss as library

    library.omp_set_num_threads(threads)
    fit = library.Kmeans(X.shape[1], k, niter=max_iter, seed=seed % 2**31, max_points_per_centroid=len(X),
                         min_points_per_centroid=1)  # fmt: skip
    weights = None if sample_weight is None else np.asarray(sample_weight, np.float32)
    fit.train(np.ascontiguousarray(X, np.float32), weights=weights, init_centroids=np.asarray(centers, np.float32))
    return fit.centroids.astype(np.float64), max_iter


SCIKIT_LEARN, ONEDAL, FAISS = (
    System("scikit-learn", scikit_learn), System("oneDAL", onedal), System("faiss", faiss),
)  # fmt: skip
