"""What is told about runs, against definitions and published numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmtoolkit.bench import analysis

costs = st.lists(
    st.lists(st.sampled_from([1.0, 1.5, 2.0, 5.0, np.inf]), min_size=4, max_size=4), min_size=2, max_size=6
)


def test_medians_and_their_intervals():
    values = np.random.default_rng(0).exponential(size=200)
    middle, low, high = analysis.median_interval(values)
    assert middle == np.median(values)
    assert low < middle < high
    assert low < np.log(2) < high  # the true median
    assert high - low < 4 * 1.96 / np.sqrt(200)  # its asymptotic standard error is 1 / √n
    assert analysis.median_interval([1.0, np.inf, np.inf]) == (np.inf, 1.0, np.inf)
    assert analysis.median_interval([2.0, np.nan, 4.0])[0] == 3.0
    assert np.isnan(analysis.median_interval([np.nan])).all()


def test_the_interval_covers_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(size=(300, 25))
    hits = sum(low <= 0 <= high for _, low, high in (analysis.median_interval(d, resamples=400) for d in draws))
    assert 0.9 <= hits / 300 <= 0.99


@settings(max_examples=60)
@given(costs)
def test_profiles_are_what_dolan_and_more_define(rows):
    rows = np.array(rows)
    factors, shares = analysis.performance_profiles(rows)
    for entrant, share in zip(rows, shares, strict=True):
        for factor, value in zip(factors, share, strict=True):
            best = rows.min(axis=0)
            assert value == np.mean(np.isfinite(entrant) & (entrant <= factor * best))
    assert factors[0] == 1


def test_profiles_of_costs_that_are_zero_or_missing():
    factors, shares = analysis.performance_profiles([[0.0, np.nan], [0.0, 1.0], [1.0, 2.0]])
    assert factors.tolist() == [1.0, 2.0]
    assert shares.tolist() == [[0.5, 0.5], [1.0, 1.0], [0.0, 0.5]]


def test_time_to_target():
    assert analysis.time_to_target([0.1, 0.2, 0.3], [5.0, 3.0, 2.0], 3.0) == 0.2
    assert analysis.time_to_target([0.1, 0.2, 0.3], [5.0, 3.0, 2.0], 1.0) == np.inf


@pytest.mark.parametrize(("entrants", "q"), [(2, 1.960), (4, 2.569), (7, 2.949), (10, 3.164)])
def test_critical_differences_are_those_of_the_table(entrants, q):
    """Table 5a of Demšar (2006)."""
    rows = np.random.default_rng(0).random((entrants, 14))
    expected = q * np.sqrt(entrants * (entrants + 1) / (6 * 14))
    assert analysis.critical_difference(rows).difference == pytest.approx(expected, rel=5e-4)


def test_ranks_test_and_groups():
    rows = np.array([[1.0] * 8, [2.0] * 8, [2.0] * 8, [np.inf] * 8])
    told = analysis.critical_difference(rows)
    assert told.ranks.tolist() == [1.0, 2.5, 2.5, 4.0]
    assert told.pvalue < 1e-3
    assert told.difference == pytest.approx(2.569 * np.sqrt(20 / 48), rel=5e-4)
    assert told.groups == [(0, 1, 2), (1, 2, 3)]
    assert np.isnan(analysis.critical_difference(rows[:2]).pvalue)


def test_scaling():
    sizes = np.array([1e3, 1e4, 1e5, 1e6])
    noise = np.array([1.05, 0.95, 1.02, 0.98])
    fit = analysis.scaling(sizes, 3e-6 * sizes**1.2 * noise)
    assert fit.exponent == pytest.approx(1.2, abs=3 * fit.error)
    assert fit.error < 0.02
    assert fit.factor == pytest.approx(3e-6, rel=0.2)
    with pytest.raises(ValueError, match="sizes has 1 different values; a scaling fit needs at least two"):
        analysis.scaling([10, 10], [1.0, 2.0])
    with pytest.raises(ValueError, match="must be positive"):
        analysis.scaling([10, 100], [0.0, 2.0])


@settings(max_examples=60)
@given(st.lists(st.tuples(*[st.sampled_from([0.0, 1.0, 2.0, 3.0, np.inf])] * 2), min_size=1, max_size=8))
def test_the_front_is_that_of_the_definition(points):
    front = analysis.pareto_front(points)
    for point, on_front in zip(points, front, strict=True):
        beaten = any(np.isfinite(o).all() and all(np.less_equal(o, point)) and o != point for o in points)
        assert on_front == (np.isfinite(point).all() and not beaten)
