"""What an assigner may tell: the rows it moved, and the work of its latest call; and what it is told of repairs."""

import numpy as np
import pytest

import kmtoolkit as km
from kmtoolkit.books import Books
from kmtoolkit.errors import RuleBroken
from kmtoolkit.kernels.changes import FEW, gathered, note, room_for_moves, row_dtype
from kmtoolkit.kernels.grid import cut, sweep
from kmtoolkit.objectives import OBJECTIVES
from kmtoolkit.problem import admit
from kmtoolkit.registry import Row, Strategy

IRIS = km.datasets.iris().X
N = len(IRIS)


def telling(tell):
    """An assigner that returns ``tell(rows it moved)``."""

    def teller(problem, state):
        before = state.labels.copy()
        km.assigners.Dense()(problem, state)
        return tell(np.flatnonzero(state.labels != before))

    return teller


def mixed(moved):
    """The rows and every seventh other, in no order."""
    return np.random.default_rng(len(moved)).permutation(np.union1d(moved, np.arange(0, N, 7)))


WAYS = {
    "in order": lambda moved: moved,
    "backwards": lambda moved: moved[::-1],
    "among others, shuffled": mixed,
    "all rows": lambda moved: np.arange(N),
    "in one byte": lambda moved: moved.astype(np.uint8),
    "in 64 bits without sign": lambda moved: moved.astype(np.uint64),
    "now and then": lambda moved: moved if len(moved) % 2 else None,
}


def swap(problem, state):
    """Turn the centers round, so that all rows move."""
    state.centers[:] = state.centers[::-1].copy()


FITS = {
    "farthest": dict(empty="farthest", init_centers=[[9.0] * 4, [9.1] * 4, [9.2] * 4, [5.0, 3, 1, 0]]),
    "drop": dict(empty="drop", k=5, init_centers=[[90.0] * 4, IRIS[0], IRIS[1], [91.0] * 4, IRIS[2]]),
    "weights": dict(k=7, sample_weight=np.linspace(0.5, 3, N)),
    "all rows move": dict(k=4, update=Strategy(Row(name="swap", role="updater", monotone=False), swap), max_iter=4),
}


def fitted(assign, k=4, init_centers=None, sample_weight=None, **options):
    start = IRIS[:: N // k][:k] if init_centers is None else init_centers
    solver = km.Solver(assign=assign, tol=0, rng=0, **options)
    return solver.fit(IRIS, k, init_centers=start, sample_weight=sample_weight)


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
@pytest.mark.parametrize("tell", WAYS.values(), ids=WAYS)
def test_rows_told_change_nothing(tell, fit):
    silent, told = fitted(telling(lambda moved: None), **fit), fitted(telling(tell), **fit)
    assert silent.n_iter >= 3
    assert told.trace == silent.trace
    assert (told.labels.tobytes(), told.centers.tobytes()) == (silent.labels.tobytes(), silent.centers.tobytes())


def test_only_rows_that_are_told_are_looked_at():
    door = admit(IRIS, 3)
    books = Books(door.problem, IRIS[:3].copy(), OBJECTIVES["squared-euclidean"], door.box)
    books.state.labels[:] = 0
    books.settle(books.proposed()[0])
    books.state.labels[[5, 9, 140]] = [1, 2, 2]
    rows, largest = books.proposed(np.array([5, 7, 9], np.int32))
    assert rows.tolist() == [5, 9]
    assert largest == 2
    books.settle(rows, force=True)
    books.trusted = True
    with pytest.raises(RuleBroken, match="changed the label of row 140, and did not return it"):
        books.close()
    books.settle(books.proposed()[0], force=True)
    books.close()
    books.state.labels[3] = -1
    assert books.proposed(np.array([3, 5], np.int32))[1] == 2**32 - 1
    assert books.proposed(np.array([5], np.int32))[1] == 0
    books.state.labels[:] = 1 - books.accepted
    with pytest.raises(RuleBroken, match="label of row 0,"):  # all rows differ
        books.close()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([0, 1], "returned a list; it must return nothing, or a 1-D integer array of rows it moved"),
        (3, "returned a int; it must return nothing, or a 1-D integer array"),
        (np.zeros(3), r"returned a float64 array of shape \(3,\); it must return nothing, or a 1-D integer array"),
        (np.zeros(N, np.bool_), r"returned a bool array of shape \(150,\); it must return nothing"),
        (np.zeros((2, 1), int), r"returned a int64 array of shape \(2, 1\); it must return nothing, or a 1-D"),
        (np.array([0, N]), f"returned rows 0 to {N}; rows are 0 to {N - 1}"),
        (np.array([5, -1]), f"returned rows -1 to 5; rows are 0 to {N - 1}"),
        (np.array([2**32, 1]), f"returned rows 1 to {2**32}; rows are 0 to {N - 1}"),
        (np.array([7, 3, 7]), "returned row 7 twice; it must return each row it moved once"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("first", [True, False])
def test_a_wrong_answer_is_an_error(value, says, first):
    calls = []

    def teller(problem, state):
        km.assigners.Dense()(problem, state)
        calls.append(None)
        return value if first or len(calls) == 2 else None

    with pytest.raises(km.StrategyError, match=rf"^assigner 'teller' {says}.* \(iteration {0 if first else 1}\)$"):
        fitted(teller)


def test_a_row_that_is_not_told_is_found_at_the_end():
    first, last = fitted("dense", max_iter=0).labels, fitted("dense").labels
    row = np.flatnonzero(first != last)[0]
    with pytest.raises(km.StrategyError) as caught:
        fitted(telling(lambda moved: moved[moved != row]))
    says = f"assigner 'teller' changed the label of row {row}, and did not return it among the rows it moved"
    assert str(caught.value).startswith(f"{says} (iteration ")


def test_a_first_assignment_is_looked_through():
    """Whatever is told of it: a row that never got a label would be in no cluster."""

    def careless(problem, state):
        state.labels[: N // 2] = 0
        return np.arange(N // 2)

    with pytest.raises(km.StrategyError, match=r"wrote label -1; labels must be 0 to 3 \(iteration 0\)"):
        fitted(careless)
    nothing_told = fitted(telling(lambda moved: moved if len(moved) < N else moved[:0]))
    assert nothing_told.trace == fitted(telling(lambda moved: None)).trace


def test_a_label_out_of_range_is_found_among_the_rows_told():
    def too_large(problem, state):
        km.assigners.Dense()(problem, state)
        if (state.counts > 0).any():
            state.labels[11] = 4
            return np.array([3, 11])
        return None

    with pytest.raises(km.StrategyError, match=r"'too_large' wrote label 4; labels must be 0 to 3 \(iteration 1\)"):
        fitted(too_large)


# lists of moved rows, as kernels write them


@sweep
def _note_every(lo, hi, t, step, lists, lengths):
    for i in range(lo, hi):
        if i % step == 0:
            note(lists, lengths, t, i)


@pytest.mark.parametrize("step", [1, FEW, 1000, 10**9])
@pytest.mark.parametrize("n", [1, 20, 200_001])
def test_noted_rows_are_gathered_unless_they_are_many(n, step):
    grid = cut(n, 8)
    lists, lengths = room_for_moves(grid)
    _note_every(grid, step, lists, lengths)
    assert int(lengths.sum()) == len(range(0, n, step))
    rows = gathered(lists, lengths)
    if step == 1 and n > 1:
        assert rows is None
    else:
        assert rows.tolist() == list(range(0, n, step))


def test_a_list_has_room_for_one_row_in_sixteen_and_one():
    grid = cut(160, 1)
    lists, lengths = room_for_moves(grid)
    for row in range(11):
        note(lists, lengths, 0, row)
    assert gathered(lists, lengths).tolist() == list(range(11))
    note(lists, lengths, 0, 11)
    assert gathered(lists, lengths) is None


def test_rows_are_numbered_by_the_smallest_integers():
    assert (row_dtype(2**31 - 1), row_dtype(2**31)) == (np.int32, np.int64)


# repairs


class Told:
    """Writes down what it is told of repairs, and what it has proposed before."""

    def init(self, problem, state):
        return {"proposed": None, "repairs": []}

    def __call__(self, problem, state, memory):
        km.assigners.Dense()(problem, state)
        memory["proposed"] = state.labels.copy()

    def relabeled(self, problem, state, memory, rows):
        assert not state.labels.flags.writeable
        different = np.flatnonzero(state.labels != memory["proposed"])
        memory["repairs"].append((rows.tolist(), different.tolist()))
        self.repairs = memory["repairs"]


def test_an_assigner_is_told_which_rows_were_repaired():
    told = Told()
    result = fitted(told, empty="farthest", init_centers=[[5.0, 3, 1, 0], [90.0] * 4, [91.0] * 4, [92.0] * 4])
    repaired = result.trace.moved[result.trace.phase == "repair"].tolist()
    assert [len(rows) for rows, _ in told.repairs] == repaired
    assert repaired[0] == 3
    assert all(sorted(rows) == different for rows, different in told.repairs)
    assert not hasattr(fitted(Told(), empty="keep"), "repairs")


def test_an_assigner_without_memory_is_told_too():
    class Listening:
        rows = ()

        def __call__(self, problem, state):
            km.assigners.Dense()(problem, state)

        def relabeled(self, problem, state, rows):
            self.rows = (*self.rows, *rows.tolist())

    listening = Listening()
    result = fitted(listening, init_centers=[[5.0, 3, 1, 0], [90.0] * 4, [91.0] * 4, [92.0] * 4])
    assert len(listening.rows) == result.trace.moved[result.trace.phase == "repair"].sum() >= 3


def test_an_exception_in_relabeled_says_where_it_comes_from():
    class Failing(Told):
        def relabeled(self, problem, state, memory, rows):
            raise ZeroDivisionError("my own mistake")

    with pytest.raises(ZeroDivisionError) as caught:
        fitted(Failing(), init_centers=[[5.0, 3, 1, 0], [90.0] * 4, [91.0] * 4, [92.0] * 4])
    assert caught.value.__notes__ == ["raised by assigner 'Failing' in iteration 1"]


# work


def with_work(answer):
    class Worker(km.assigners.Dense):
        def work(self, problem):
            return answer

    return Worker()


def test_the_work_of_an_assigner_is_in_the_trace():
    trace = fitted(with_work(km.Work(7, 8, 9, "by hand"))).trace
    own, update = trace.phase == "assign", trace.phase == "update"
    for column, value, nothing in zip(("distances", "survivors", "memory", "engine"), (7, 8, 9, "by hand"),
                                      (0, 0, 0, ""), strict=True):  # fmt: skip
        assert set(getattr(trace, column)[own].tolist()) == {value}
        assert set(getattr(trace, column)[update].tolist()) == {nothing}


def test_what_an_assigner_does_not_tell():
    assert km.Work() == (-1, -1, -1, "")
    trace = fitted(with_work(km.Work(survivors=5))).trace
    assert [getattr(trace, c)[0].item() for c in ("distances", "survivors", "memory", "engine")] == [-1, 5, -1, ""]


@pytest.mark.parametrize("answer", [450, None, (1, 2, 3, "x")])
def test_work_is_told_in_a_record(answer):
    with pytest.raises(km.StrategyError) as caught:
        fitted(with_work(answer))
    says = f"has a method work that returned {answer!r}; it must return a km.Work (iteration 0)"
    assert str(caught.value) == f"assigner 'dense' {says}" or str(caught.value) == f"assigner 'Worker' {says}"


def test_dense_compares_all_rows_with_all_centers():
    trace = fitted("dense").trace
    own = trace.phase != "update"
    assert set(trace.distances[own].tolist()) == {4 * N}
    assert set(trace.survivors[own].tolist()) == {N}
    assert set(trace.memory[own].tolist()) == {0}
