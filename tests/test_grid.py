"""The grid, its drivers, and the files that kernels are kept in: what can be seen without compiled code."""

import sys
import threading
from fractions import Fraction

import numpy as np
import pytest

from kmtoolkit.books import Books
from kmtoolkit.kernels import arithmetic, cache, grid, jit, squared, statistics, threads
from kmtoolkit.kernels.threads import _cpu_quota, on_python_threads
from kmtoolkit.objectives import OBJECTIVES, Step
from kmtoolkit.problem import admit, read_only


@pytest.mark.parametrize(("rows", "operations"), [(1, 1), (100, 10), (10_000, 100), (1_000_003, 3), (5, 10**9)])
def test_the_grid_covers_every_row_once(rows, operations):
    cut = grid.cut(rows, operations)
    bounds = cut.bounds
    assert (bounds[0], bounds[-1]) == (0, rows)
    assert (np.diff(bounds) > 0).all()
    assert 1 <= cut.chunks <= grid.MAX_CHUNKS
    assert grid.cut(rows, operations, most=1).chunks == 1
    assert cut.slices >= rows * operations / grid.OPERATIONS_PER_SLICE


def test_every_row_is_visited_once_and_in_the_order_of_its_chunk(thin_slices):
    visits = []

    @grid.sweep
    def visit(lo, hi, t, out):
        visits.extend((t, i) for i in range(lo, hi))

    visit.chunk = visit.__wrapped__
    cut = grid.cut(1000, 7)
    with threads.sharing_threads(1):
        visit(cut, None)
    assert cut.slices > 5
    assert [i for _, i in sorted(visits, key=lambda visit: visit[0])] == list(range(1000))
    assert all(cut.bounds[t] <= i < cut.bounds[t + 1] for t, i in visits)


@pytest.mark.parametrize("operations", [1, grid.OPERATIONS_PER_CHUNK, 2 * grid.OPERATIONS_PER_SLICE])
def test_the_watch_looks_after_each_slice(operations):
    """Of few rows and of many, and what it raises comes through; afterwards nothing looks."""
    done = []

    @grid.sweep
    def visit(lo, hi, t):
        pass

    visit.chunk = lambda lo, hi, t: done.append("rows")
    cut = grid.cut(1, operations)

    def look():
        done.append("look")
        if done.count("look") == cut.slices:
            raise TimeoutError

    with pytest.raises(TimeoutError), grid.watched(look):
        visit(cut)
    assert done == ["rows", "look"] * cut.slices
    visit(cut)
    assert done.count("look") == cut.slices


@pytest.mark.parametrize("driver", ["prange", "python threads"])
def test_the_drivers_give_the_same_bits(driver, thin_slices, monkeypatch):
    X = read_only(np.random.default_rng(0).normal(size=(200, 3)))
    w = read_only(np.random.default_rng(1).random(200))
    threads_used = min(2, jit.most_threads()) if driver == "prange" else 2

    def sums():
        moments = statistics.column_variances(X, w, X[0])
        return (
            moments.tobytes(),
            squared.cluster_totals(X, w, X[:4], (np.arange(200) % 4).astype(np.int32)).tobytes(),
            squared.distances_to(X, X, 5).tobytes(),
        )

    alone, helped = sums(), []
    monkeypatch.setattr(grid, "workers", lambda: threads_used)
    monkeypatch.setattr(grid, "prange_is_safe", lambda: driver == "prange")
    monkeypatch.setattr(grid, "on_python_threads", lambda *args: (helped.append(1), on_python_threads(*args)))
    assert sums() == alone
    assert bool(helped) == (driver == "python threads")


@pytest.mark.parametrize("body", [lambda lo, hi, t, *rest: None, lambda lo, hi, t, out=None: None, lambda lo, hi: None])
def test_a_body_that_is_no_chunk_body_is_refused(body):
    with pytest.raises(ValueError, match=r"takes \(lo, hi.*; a sweep takes plain \(lo, hi, t, ...\)"):
        grid.sweep(body)


def made(value):
    @grid.sweep
    def add(lo, hi, t, out):
        for i in range(lo, hi):
            out[i] += value

    return add


class One:
    @grid.sweep
    def add(lo, hi, t, out):
        for i in range(lo, hi):
            out[i] += 10.0


class Two:
    @grid.sweep
    def add(lo, hi, t, out):
        for i in range(lo, hi):
            out[i] += 20.0


@pytest.mark.parametrize("again", [False, True])
def test_sweeps_of_one_name_are_not_taken_for_each_other(again, thin_slices, monkeypatch):
    """Neither in this process, nor in the disk cache, whatever runs them."""
    bodies = {1.0: made(1.0), 2.0: made(2.0), 10.0: One.add, 20.0: Two.add}
    for threads_used in (1, min(2, jit.most_threads())):
        monkeypatch.setattr(grid, "workers", lambda used=threads_used: used)
        for value, add in bodies.items():
            out = np.zeros(300)
            add(grid.cut(300, 64), out)
            assert (out == value).all()


def test_arguments_may_have_any_name(thin_slices, monkeypatch):
    @grid.sweep
    def chunk(lo, hi, t, prange, int64, chunk, by_prange):
        for i in range(lo, hi):
            chunk[i] = prange + int64 + by_prange

    monkeypatch.setattr(grid, "workers", lambda: min(2, jit.most_threads()))
    out = np.zeros(300)
    chunk(grid.cut(300, 64), 1.0, 2.0, out, 3.0)
    assert (out == 6.0).all()


def test_python_threads_do_every_chunk_once():
    done = []
    on_python_threads(lambda lo, hi, t, out: out.append((lo, hi, t)), range(7), range(1, 8), (done,), 3)
    assert sorted(done) == [(t, t + 1, t) for t in range(7)]


def test_the_calling_thread_does_what_no_thread_can_be_started_for(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    done = []
    on_python_threads(lambda lo, hi, t: done.append(t), range(7), range(1, 8), (), 3)
    assert sorted(done) == list(range(7))


def test_an_exception_on_a_helping_thread_is_raised_for_the_caller():
    def chunk(lo, hi, t):
        if t == 3:
            raise IndexError("chunk 3")

    with pytest.raises(IndexError, match="chunk 3"):
        on_python_threads(chunk, range(5), range(1, 6), (), 2)


@pytest.mark.parametrize(("text", "processors"), [("150000 100000", 2), ("max 100000", sys.maxsize), ("", sys.maxsize)])
def test_the_quota_of_a_container(text, processors, tmp_path):
    (tmp_path / "cpu.max").write_text(text)
    assert _cpu_quota(tmp_path / "cpu.max") == processors
    assert _cpu_quota(tmp_path / "none") == sys.maxsize


@pytest.mark.parametrize(
    ("numba", "openmp", "limit"),
    [(None, None, 5), (None, "3,2", 3), (None, "0", 1), (None, "9", 5), ("4", "3", sys.maxsize)],
)
def test_what_other_libraries_were_told(numba, openmp, limit, monkeypatch):
    monkeypatch.setattr(threads, "_cpu_quota", lambda: 5)
    for name, value in {"NUMBA_NUM_THREADS": numba, "OMP_NUM_THREADS": openmp}.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert threads._find_limit_of_others() == limit


def test_prange_may_be_avoided():
    before = threads.prange_is_safe()
    with threads.without_prange():
        assert not threads.prange_is_safe()
    assert threads.prange_is_safe() == before


def test_no_thread_is_started_while_python_exits(monkeypatch):
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    assert threads.workers() == 1


class TestEntries:
    def entries(self, folder, stamp="stamp"):
        return cache.Entries(folder, "kernel", stamp)

    def test_what_is_saved_is_loaded(self, tmp_path):
        self.entries(tmp_path).save(("float64", 1), {"code": 1})
        self.entries(tmp_path).save(("float32", 1), {"code": 2})
        assert self.entries(tmp_path).load(("float64", 1)) == {"code": 1}
        assert self.entries(tmp_path).load(("float32", 1)) == {"code": 2}
        assert self.entries(tmp_path).load(("int64", 1)) is None
        assert len(list(tmp_path.iterdir())) == 2

    def test_not_by_other_sources(self, tmp_path):
        self.entries(tmp_path).save("key", 1)
        assert self.entries(tmp_path, "other").load("key") is None
        self.entries(tmp_path, "other").save("key", 2)
        assert self.entries(tmp_path).load("key") is None
        assert len(list(tmp_path.iterdir())) == 1

    @pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x04N.", None])
    def test_not_if_it_is_damaged(self, content, tmp_path):
        self.entries(tmp_path).save("key", 1)
        (path,) = tmp_path.iterdir()
        path.write_bytes(path.read_bytes()[:-3] if content is None else content)
        assert self.entries(tmp_path).load("key") is None

    def test_not_another_key_of_the_same_file(self, tmp_path):
        class Same:
            def __init__(self, value):
                self.value = value

            def __repr__(self):
                return "Same()"

            def __eq__(self, other):
                return self.value == other.value

        self.entries(tmp_path).save(Same(1), "code")
        assert self.entries(tmp_path).load(Same(2)) is None
        assert self.entries(tmp_path).load(Same(1)) == "code"

    def test_nothing_is_left_of_a_save_that_fails(self, tmp_path):
        with pytest.raises(OSError, match="no-such-folder"):
            self.entries(tmp_path / "no-such-folder").save("key", 1)
        assert list(tmp_path.iterdir()) == []

    def test_flush_forgets_all_of_a_kernel(self, tmp_path):
        self.entries(tmp_path).save("key", 1)
        cache.Entries(tmp_path, "other", "stamp").save("key", 2)
        self.entries(tmp_path).flush()
        assert self.entries(tmp_path).load("key") is None
        assert cache.Entries(tmp_path, "other", "stamp").load("key") == 2


class TestExactSums:
    """Pairs (total, error) hold sums to about twice float64's precision, whatever the order and the grouping."""

    def test_a_product_and_its_error_are_exact(self):
        rng = np.random.default_rng(0)
        for a, b in [*rng.lognormal(0, 20, (200, 2)), (1.0, 0.1), (0.1, 1.0), (3.0, 0.1)]:
            product, error = arithmetic.two_product(a, b)
            assert product == a * b
            assert Fraction(product) + Fraction(error) == Fraction(a) * Fraction(b)

    def test_a_sum_and_its_error_are_exact(self):
        rng = np.random.default_rng(1)
        for a, b in rng.lognormal(0, 20, (200, 2)) * rng.choice([-1, 1], (200, 2)):
            total, error = arithmetic.two_sum(a, b)
            assert total == a + b
            assert Fraction(total) + Fraction(error) == Fraction(a) + Fraction(b)

    @pytest.mark.parametrize("chunks", [1, 2, 3, 5, 8, 13])
    def test_chunks_are_merged_without_loss(self, chunks):
        values = np.random.default_rng(chunks).lognormal(0, 8, (chunks, 3)) * [1.0, -1.0, 1.0]
        total, error = values.copy(), values * 2.0**-60
        exact = [sum(map(Fraction, total[:, j])) + sum(map(Fraction, error[:, j])) for j in range(3)]
        arithmetic.merge_pairs(total, error)
        for j in range(3):
            assert abs(Fraction(total[0, j]) + Fraction(error[0, j]) - exact[j]) <= 2.0**-95 * abs(exact[j])

    def test_the_drop_of_a_settled_assignment_is_exact_to_the_last_digit(self):
        """Thousands of tiny terms beside a huge one; a plain sum would lose them all."""
        X = np.concatenate([[2.0**30], np.full(4000, 2.0**-1)])[:, np.newaxis]
        door = admit(X, 1)
        books = Books(door.problem, np.zeros((1, 1)), OBJECTIVES["squared-euclidean"], door.box)
        books.state.labels[:] = 0
        assert books.settle().drop == -(2.0**60 + 1000.0)
        assert books.value() == 2.0**60 + 1000.0


def test_a_step_that_says_nothing_more_did_nothing_more():
    assert Step(1.0) == (1.0, 0.0, 0.0, 0, 0, (0, 0, 0, ""))


def test_a_body_may_take_nothing_more():
    done = []

    @grid.sweep
    def nothing(lo, hi, t):
        pass

    nothing.chunk = lambda *arguments: done.append(arguments)
    nothing(grid.cut(5, 1))
    assert done == [(0, 5, 0)]
