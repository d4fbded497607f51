"""Exponentials and logarithms in vectors: how far from NumPy's, and what happens at the edges."""

import numpy as np
import pytest

from kmtoolkit.kernels.elementary import exponentials, logarithms
from kmtoolkit.kernels.lanes import CENTER_LANES

RNG = np.random.default_rng(0)
EXPONENTS = -np.concatenate([
    RNG.exponential(1.0, 40_000), RNG.uniform(0, 720, 40_000), 10.0 ** RNG.uniform(-20, 0, 5_000),
    np.log(2) * np.arange(0, 1022, 0.5), [0.0, 708.0, 5e-324],
])  # fmt: skip
NUMBERS = np.concatenate([
    RNG.random(40_000), 2.0 ** -RNG.uniform(0, 1022, 40_000), 1 - 10.0 ** RNG.uniform(-16, -1, 5_000),
    2.0 ** -np.arange(1022), np.sqrt(0.5) * (1 + np.arange(-8, 9) * 2.0**-53), [1.0, 2.0**-1022],
    RNG.uniform(1, 1000, 5_000),
])  # fmt: skip


def of(function, values):
    """The function of values (n,), in room that is filled up to whole vectors."""
    room = np.zeros(len(values) + -len(values) % CENTER_LANES)
    room[: len(values)] = values
    out = np.empty_like(room)
    function(room, out, len(room))
    return out[: len(values)]


def ulps(out, expected):
    """How far off the farthest is, in units in the last place."""
    return float((np.abs(out - expected) / np.spacing(np.abs(expected))).max())


def test_exponentials():
    normal = EXPONENTS[EXPONENTS >= -708]
    assert ulps(of(exponentials, normal), np.exp(normal)) <= 2


def test_logarithms():
    assert ulps(of(logarithms, NUMBERS), np.log(NUMBERS)) <= 2


@pytest.mark.parametrize(
    ("function", "values", "expected"),
    [
        (exponentials, [0.0, -0.0, -708.0000001, -745.0, -1e300, -np.inf], [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
        (logarithms, [1.0, 0.0, 5e-324], [0.0, -np.inf, -np.inf]),
    ],
)
def test_edges(function, values, expected):
    assert of(function, np.array(values)).tolist() == expected


@pytest.mark.parametrize(("function", "values"), [(exponentials, EXPONENTS), (logarithms, NUMBERS)])
def test_an_entry_is_the_same_wherever_it_stands(function, values):
    some = values[:1000]
    whole = of(function, some)
    for start in range(1, 9):
        assert (of(function, some[start:]) == whole[start:]).all()


@pytest.mark.parametrize(("function", "values"), [(exponentials, EXPONENTS), (logarithms, NUMBERS)])
def test_in_place_and_no_further_than_size(function, values):
    room = values[: 5 * CENTER_LANES].copy()
    function(room, room, 4 * CENTER_LANES)
    assert (room[: 4 * CENTER_LANES] == of(function, values[: 4 * CENTER_LANES])).all()
    assert (room[4 * CENTER_LANES :] == values[4 * CENTER_LANES : 5 * CENTER_LANES]).all()
