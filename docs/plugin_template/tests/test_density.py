"""The rules of an initializer, tried on data that are difficult."""

from kmtoolkit import testing


def test_density_biased_keeps_the_rules():
    """It keeps the rules of its role."""
    testing.check_initializer("density-biased")
