"""What is clustered in a comparison: rows, weights perhaps, and k, under a name."""

import difflib
import inspect
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kmtoolkit import datasets
from kmtoolkit.errors import check_int
from kmtoolkit.files import read_rows
from kmtoolkit.problem import admit

__all__ = ["NAMED", "Problem", "as_problem", "blobs", "duplicates", "from_file", "grid", "iris", "mixed_scales",
           "old_faithful", "overlapping", "square"]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows to cluster.

    Attributes
    ----------
    name : str
        Unique in a comparison.
    X : ndarray of shape (n, d)
        The rows.
    k : int
        Number of clusters.
    sample_weight : ndarray of shape (n,), optional
        Weights of the rows.
    classes : ndarray of shape (n,), optional
        Known classes, for metrics that compare with them.
    best : float, optional
        An objective known from elsewhere, such as a published optimum; targets are relative to the best that is
        known or found.

    Raises
    ------
    TypeError, ValueError
        If rows, weights or k are not what a fit takes.

    Examples
    --------
    >>> import kmtoolkit as km
    >>> km.bench.Problem("geyser", km.datasets.old_faithful().X, k=2)
    <Problem 'geyser': 272 x 2, k = 2>
    """

    name: str
    X: np.ndarray
    k: int
    sample_weight: np.ndarray | None = None
    classes: np.ndarray | None = None
    best: float | None = None
    makes: dict[str, Any] = field(default_factory=dict, compare=False)  # what it was made by, for scaling fits

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and self.name.strip()):
            raise TypeError(f"name is {self.name!r}; it must be a string that names the problem")
        try:
            door = admit(self.X, self.k, self.sample_weight)
        except (TypeError, ValueError) as error:
            error.add_note(f"in problem {self.name!r}")
            raise
        object.__setattr__(self, "X", np.asarray(door.X))
        if self.sample_weight is not None:
            object.__setattr__(self, "sample_weight", np.asarray(self.sample_weight, np.float64))

    @property
    def key(self) -> str:
        """A checksum of name, rows, weights and k."""
        crc = zlib.crc32(np.ascontiguousarray(self.X).data, zlib.crc32(f"{self.name} {self.k}".encode()))
        if self.sample_weight is not None:
            crc = zlib.crc32(np.ascontiguousarray(self.sample_weight).data, crc)
        return f"{crc:08x}"

    def __repr__(self) -> str:
        n, d = self.X.shape
        weights = ", weighted" if self.sample_weight is not None else ""
        return f"<Problem {self.name!r}: {n} x {d}, k = {self.k}{weights}>"


def _generated(make: Callable[..., Any]) -> Callable[..., Problem]:
    """A problem from a generator of rows: its arguments with defaults, and a seed, make its name."""
    kind, signature = make.__name__.replace("_", "-"), inspect.signature(make)

    def problem(*args: Any, seed: int = 0, name: str | None = None, **sizes: Any) -> Problem:
        bound = signature.bind(None, *args, **sizes)
        bound.apply_defaults()
        chosen = {key: value for key, value in bound.arguments.items() if key != "rng"}
        for key, value in {**chosen, "seed": seed}.items():
            check_int(key, value, 0 if key == "seed" else 1)
        X, classes = make(np.random.default_rng([seed, zlib.crc32(kind.encode())]), **chosen)
        title = name or " ".join([kind, *(f"{key}={value}" for key, value in chosen.items())])
        return Problem(title, X, chosen["k"], classes=classes, makes={"kind": kind, **chosen, "seed": seed})

    problem.__name__ = problem.__qualname__ = make.__name__
    problem.__doc__ = make.__doc__
    problem.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[
            *(p for name, p in signature.parameters.items() if name != "rng"),
            inspect.Parameter("seed", inspect.Parameter.KEYWORD_ONLY, default=0),
            inspect.Parameter("name", inspect.Parameter.KEYWORD_ONLY, default=None),
        ],
        return_annotation=Problem,
    )
    return problem


@_generated
def blobs(rng: Any, n: int = 20_000, d: int = 8, k: int = 20) -> Any:
    """Round Gaussians well apart, of one size: the labels are clear, the seeding decides."""
    means = 4.0 * np.sqrt(d) * rng.normal(size=(k, d))
    which = rng.integers(k, size=n)
    return means[which] + rng.normal(size=(n, d)), which


@_generated
def overlapping(rng: Any, n: int = 20_000, d: int = 8, k: int = 20) -> Any:
    """Gaussians of unequal weight and width whose means are near each other: many iterations."""
    means = rng.normal(size=(k, d))
    which = rng.choice(k, n, p=rng.dirichlet(np.full(k, 2.0)))
    return means[which] + rng.normal(size=(n, d)) * rng.uniform(0.5, 1.5, size=(k, 1))[which], which


@_generated
def grid(rng: Any, n: int = 20_000, k: int = 100) -> Any:
    """Gaussians on a square grid, 4 standard deviations apart, as in Birch1 (Zhang, Ramakrishnan and Livny 1996)."""
    side = int(np.ceil(np.sqrt(k)))
    which = rng.integers(k, size=n)
    return 4.0 * np.stack(np.divmod(which, side), axis=1) + rng.normal(size=(n, 2)), which


@_generated
def square(rng: Any, n: int = 20_000, d: int = 2, k: int = 50) -> Any:  # noqa: ARG001
    """Rows uniform in a cube: no clusters at all."""
    return rng.random((n, d)), None


@_generated
def duplicates(rng: Any, n: int = 20_000, d: int = 4, k: int = 30) -> Any:  # noqa: ARG001
    """Few distinct rows, each many times, on a grid of integers: ties and empty clusters."""
    return rng.integers(3, size=(n, d)).astype(np.float64), None


@_generated
def mixed_scales(rng: Any, n: int = 20_000, d: int = 16, k: int = 20) -> Any:
    """Correlated columns of scales from 0.01 to 100, and a few outliers, like a table of measurements."""
    which = rng.integers(k, size=n)
    latent = 3.0 * rng.normal(size=(k, 4))[which] + rng.normal(size=(n, 4))
    X = (latent @ rng.normal(size=(4, d)) + rng.normal(size=(n, d))) * np.logspace(-2, 2, d)
    X[rng.random(n) < 0.001] *= 20.0
    return X, which


def iris(*, k: int = 3) -> Problem:
    """Fisher's irises; the optimum for k = 3 is known (du Merle et al. 2000)."""
    data = datasets.iris()
    classes = np.unique(np.asarray(data.target), return_inverse=True)[1]
    return Problem(
        "iris" if k == 3 else f"iris k={k}", data.X, k, classes=classes, best=78.85144142614601 if k == 3 else None
    )


def old_faithful(*, k: int = 2) -> Problem:
    """Eruptions of the Old Faithful geyser."""
    return Problem("old-faithful" if k == 2 else f"old-faithful k={k}", datasets.old_faithful().X, k)


NAMED: dict[str, Callable[..., Problem]] = {
    make.__name__.replace("_", "-"): make
    for make in (blobs, duplicates, grid, iris, mixed_scales, old_faithful, overlapping, square)
}


def from_file(
    file: Any, k: int, *, columns: str | None = None, weights: str | None = None, name: str | None = None
) -> Problem:
    """Rows of a .csv, .npy or .npz file, as ``kmtoolkit fit`` reads them."""
    path = Path(file)
    X, sample_weight, _ = read_rows(path, columns, weights)
    return Problem(name or path.stem, X, k, sample_weight)


def as_problem(spec: Any) -> Problem:
    """A problem from what a caller may give: a Problem, a name, (name, X, k), or a dict of a name and sizes.

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or its sizes are not what the named problem takes.
    """
    match spec:
        case Problem():
            return spec
        case str():
            return named(spec)
        case (str() as name, X, k):
            return Problem(name, X, k)
        case {"file": file}:
            return _made(from_file, dict(spec), f"the problem of file {str(file)!r}")
        case {"problem": str() as kind}:
            return named(kind, **{name: value for name, value in spec.items() if name != "problem"})
    raise TypeError(f"a problem is {spec!r}; it must be a km.bench.Problem, a name ({', '.join(NAMED)}), "
                    "(name, X, k), or a dict of 'problem' and its sizes, or of 'file' and k")  # fmt: skip


def named(kind: str, **given: Any) -> Problem:
    """The problem that a name stands for, of the sizes given."""
    if kind not in NAMED:
        near = difflib.get_close_matches(kind, NAMED, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(NAMED)}"
        raise ValueError(f"unknown problem {kind!r}; {hint}")
    return _made(NAMED[kind], given, f"problem {kind!r}")


def _made(make: Callable[..., Problem], given: dict[str, Any], who: str) -> Problem:
    takes = [name for name in inspect.signature(make).parameters if name != "rng"]
    for name in given:
        if name not in takes:
            near = difflib.get_close_matches(name, takes, n=1)
            raise ValueError(
                f"{who} has no {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(takes)}")
            )
    if make is from_file and "k" not in given:
        raise ValueError(f"{who} has no k; give the number of clusters")
    return make(**given)
