"""Blocks of eight rows: their distances are canonical to the bit, and rows behind the last have no weight."""

import numpy as np
import pytest

from kmtoolkit.kernels.eights import EIGHT, room_of
from kmtoolkit.kernels.jit import jit
from kmtoolkit.kernels.soft import rows_to_centers, take_rows, write_labels
from kmtoolkit.kernels.squared import squared_distance


@jit
def distances(X, weights, centers, origin, labels, first, last):
    """The room after the distances of rows first to last of X (n, d) to centers (k, d), of as many as there is for."""
    room = room_of(*centers.shape)
    many = min(len(room.points), (last - first + EIGHT) // EIGHT)
    take_rows(X, weights, first, last, origin, room, many)
    rows_to_centers(centers, room, many)
    last = min(last, first + EIGHT * many - 1)
    write_labels(room, labels, first, last)
    return room, last - first + 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 3, 8, 13, 33])
def test_distances_and_labels(d, dtype):
    rng = np.random.default_rng(d)
    for n, k, first in ((1, 1, 0), (29, 3, 5), (40, 19, 8)):
        X, centers = rng.normal(size=(n, d)).astype(dtype).round(1), rng.normal(size=(k, d)).round(1)  # many are equal
        weights, origin, labels = rng.random(n), rng.normal(size=d), np.full(n, -1, np.int32)
        room, many = distances(X, weights, centers, origin, labels, first, n - 1)
        expected = np.array(
            [[squared_distance(X, i, centers, j) for j in range(k)] for i in range(first, first + many)]
        )
        found = room.distances[:, :k].transpose(0, 2, 1).reshape(-1, k)
        assert (found[:many] == expected).all()
        assert (room.least[:many] == expected.min(axis=1)).all()
        assert (labels[first : first + many] == expected.argmin(axis=1)).all()
        assert (labels[:first] == -1).all()
        assert (room.weights[:many] == weights[first : first + many]).all()
        assert (room.weights[many:] == 0).all()
        moved = room.moved.transpose(0, 2, 1).reshape(-1, d)
        assert (moved[:many] == X[first : first + many].astype(np.float64) - origin).all()
