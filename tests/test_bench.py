"""Comparisons: what fits together, runs that are fair, and runs that go wrong."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from processes import python

import kmtoolkit as km
from kmtoolkit import bench
from kmtoolkit.bench import comparison, schedule
from kmtoolkit.bench.config import read_config
from kmtoolkit.bench.entrants import entrants
from kmtoolkit.bench.journal import Journal
from kmtoolkit.bench.schedule import Plan, order_of_runs

X = np.random.default_rng(0).normal(size=(300, 2))
SQUARES = ("squares", X, 4)


# strategies that go wrong; each is sent to the worker by value, as from a notebook


def hangs(problem, state):
    while True:
        pass


def raises(problem, state):
    raise ZeroDivisionError("by design")


def exhausts(problem, state):
    np.ones(10**14)


def dies(problem, state):
    os.kill(os.getpid(), signal.SIGKILL)


def talks(problem, state):
    print("to standard output")
    difference = problem.X[:, None] - state.centers
    state.labels[:] = np.square(difference).sum(axis=2).argmin(axis=1)


@pytest.fixture(scope="module")
def bad():
    """A comparison in which everything goes wrong."""
    patch = pytest.MonkeyPatch()
    patch.setattr(schedule, "COMPILE_SECONDS", 10.0)
    patch.setattr(schedule, "SLACK_SECONDS", 0.5)
    km.kmeans(X, 4, rng=0, threads=1, tol=0)  # so that kernels need only be loaded
    strategies = {"assign": ["dense", hangs, raises, exhausts, dies, talks]}
    with patch.context():
        return bench.compare(strategies, [SQUARES], repeats=3, seconds=0.5, threads=1, tol=0, rng=3)


def statuses(found, name):
    return [r["status"] for r in found.records if r["assign"] == name]


@pytest.mark.compiled
def test_what_goes_wrong_is_recorded_and_the_rest_goes_on(bad):
    assert len(bad.records) == 18
    assert statuses(bad, "hangs") == ["timeout", "skipped", "skipped"]
    assert statuses(bad, "dies") == ["died", "skipped", "skipped"]
    assert statuses(bad, "exhausts") == ["memory", "skipped", "skipped"]
    assert statuses(bad, "raises") == ["error"] * 3
    assert set(statuses(bad, "talks")) == {"fixed_point"}
    told = {r["assign"]: r["message"] for r in bad.records if r["repeat"] == 0 and "message" in r}
    assert "ZeroDivisionError: by design" in told["raises"]
    assert "raised by assigner 'raises'" in told["raises"]
    assert "SIGKILL" in told["dies"]
    assert bad.ranking()[0][1] > 0
    assert dict(bad.ranking())["k-means++ × hangs × mean × farthest"] == 0
    assert repr(bad) == "<Comparison of 6 entrants on 1 problems: 18 runs, 12 failed>"


@pytest.mark.compiled
def test_starts_are_shared_and_the_fits_are_those_of_the_solver(bad):
    runs = {(r["assign"], r["repeat"]): r for r in bad.records}
    for repeat in range(3):
        dense, numpy = runs["dense", repeat], runs["talks", repeat]
        assert dense["objective"] == pytest.approx(numpy["objective"], rel=1e-12)
        assert dense["iterations"] == numpy["iterations"]
        assert dense["certified"]
        stages = sum(dense[f"seconds_{stage}"] for stage in ("init", "assign", "repair", "update"))
        assert 0 < stages <= dense["seconds"]
        assert dense["trace"][1][-1] == dense["objective"]
        assert dense["trace"][2][-1] == "assign"
    assert len({runs["dense", repeat]["objective"] for repeat in range(3)}) > 1
    assert min(r["objective"] for r in runs.values() if "objective" in r) == bad.best_known()[bad.tasks[0]]


@pytest.mark.compiled
def test_the_table_and_its_files(bad, tmp_path):
    pandas = pytest.importorskip("pandas")
    files = [tmp_path / f"runs{suffix}" for suffix in comparison.FORMATS]
    bad.save(*files)
    table = bad.to_pandas()
    assert len(table) == 18
    assert "trace" not in table
    read = pandas.read_csv(files[0])
    assert read.columns.tolist() == table.columns.tolist()
    assert read["objective"].dropna().tolist() == table["objective"].dropna().tolist()
    parquet = pandas.read_parquet(files[2])
    assert parquet["status"].tolist() == table["status"].tolist()
    whole = json.loads(files[1].read_text())
    assert [r["status"] for r in whole["records"]] == table["status"].tolist()
    assert whole["header"]["machine"]["kmtoolkit"] == km.__version__
    assert "ZeroDivisionError: by design" in files[3].read_text()


# who takes part


def test_what_does_not_fit_is_listed_and_not_run():
    found, misfits = entrants({"assign": ["dense", "manhattan"], "update": ["mean", "median"]}, [])
    assert [(e.labels["assign"], e.labels["update"]) for e in found] == [("dense", "mean"), ("manhattan", "median")]
    assert len(misfits) == 2
    assert "descends" in misfits[0].reason


def test_parameters_are_part_of_the_name():
    greedy = km.initializers.KMeansPlusPlus(trials=1)
    found, _ = entrants({"init": ["k-means++", greedy]}, [])
    assert [e.labels["init"] for e in found] == ["k-means++", "k-means++(trials=1)"]


@pytest.mark.parametrize(
    ("strategies", "message"),
    [
        ({"init": []}, "strategies has no init; name at least one"),
        ({"initt": ["random"]}, "a key of strategies is 'initt'.*did you mean 'init'"),
        ({"init": ["randon"]}, "unknown initializer 'randon'; did you mean 'random'"),
        ({"init": ["random", "random"]}, "strategies has two called 'random' in init"),
        ({"assign": "dense", "update": "median"}, "no combination of strategies fits together: .*descends"),
    ],
)
def test_bad_grids(strategies, message):
    with pytest.raises(ValueError, match=message):
        bench.compare(strategies, ["iris"])


@pytest.mark.parametrize(
    ("problems", "options", "error", "message"),
    [
        ([], {}, ValueError, "problems is empty"),
        (["irs"], {}, ValueError, "unknown problem 'irs'; did you mean 'iris'"),
        ([{"problem": "blobs", "m": 3}], {}, ValueError, "problem 'blobs' has no 'm'; it takes n, d, k, seed, name"),
        ([{"file": "rows.csv"}], {}, ValueError, "has no k"),
        ([{"file": "nowhere.csv", "k": 3}], {}, FileNotFoundError, "nowhere.csv"),
        ([3], {}, TypeError, "a problem is 3; it must be"),
        ([("a", [[np.nan]], 1)], {}, ValueError, "X has nan at row 0(.|\\n)*in problem 'a'"),
        (["iris", "iris"], {}, ValueError, "two problems are called 'iris'"),
        (["iris"], {"repeats": 0}, ValueError, "repeats is 0; it must be at least 1"),
        (["iris"], {"seconds": 0}, ValueError, "seconds is 0"),
        (["iris"], {"metrics": {"m": 3}}, TypeError, r"metrics\['m'\] is 3; it must be a function"),
        (["iris"], {"systems": ["sklearn"]}, TypeError, "systems has 'sklearn'; it must hold km.bench.System"),
        (["iris"], {"save": "runs.txt"}, ValueError, "the name must end in one of .csv, .json, .parquet, .html"),
        (["iris"], {"save": "no/such/folder/runs.csv"}, FileNotFoundError, "folder does not exist"),
    ],
)
def test_bad_arguments_are_found_before_any_run(problems, options, error, message, monkeypatch):
    monkeypatch.setattr("kmtoolkit.bench.door.carry_out", lambda *a: pytest.fail("it ran"))
    with pytest.raises(error, match=message):
        bench.compare({}, problems, **options)


def test_the_order_is_shuffled_and_every_repeat_is_whole():
    found, _ = entrants({"init": ["random", "k-means++"], "assign": ["dense", "hamerly", "elkan"]}, [])
    problems = [bench.Problem(name, X, 2) for name in "ab"]
    plan = Plan(found, problems, 3, {}, {"threads": 1}, None, 0)
    order = list(order_of_runs(plan))
    assert [repeat for repeat, *_ in order] == sorted([0, 1, 2] * 12)
    assert len(set(order)) == plan.total == 36
    assert len({tuple(who for r, _, who in order if r == repeat) for repeat in range(3)}) == 3
    assert order == list(order_of_runs(plan))


# problems


@pytest.mark.parametrize("name", bench.problems.NAMED)
def test_named_problems(name):
    problem = bench.problems.as_problem(name)
    assert problem.name
    assert np.isfinite(problem.X).all()
    again = bench.problems.as_problem(name)
    assert again.key == problem.key
    if problem.classes is not None:
        assert len(problem.classes) == len(problem.X)


def test_sizes_and_seeds_of_problems():
    first = bench.problems.blobs(n=100, d=3, k=5)
    assert repr(first) == "<Problem 'blobs n=100 d=3 k=5': 100 x 3, k = 5>"
    assert bench.problems.blobs(n=100, d=3, k=5, seed=1).key != first.key
    assert bench.problems.as_problem({"problem": "blobs", "n": 100, "d": 3, "k": 5}).key == first.key


# systems and metrics


def nothing(X, k, *, centers, sample_weight, max_iter, tol, threads, seed):
    return centers, 0


@pytest.mark.compiled
def test_systems_get_the_starts_and_are_judged_by_us():
    metrics = {"first": lambda result, problem: result.centers[0, 0], "n": lambda result, problem: len(problem["X"])}
    systems = [bench.System("nothing", nothing)]
    found = bench.compare(
        {"init": ["random"]}, [SQUARES], repeats=2, systems=systems, metrics=metrics, max_iter=1, threads=1
    )
    runs = {(r["system"], r["repeat"]): r for r in found.records}
    for repeat in range(2):
        theirs, ours = runs["nothing", repeat], runs["", repeat]
        assert theirs["status"] == "ended"
        assert theirs["objective"] == pytest.approx(ours["trace"][1][0], rel=1e-12)  # of the start
        assert theirs["n"] == 300
        assert theirs["iterations"] == 0
    assert found.to_pandas()["first"].notna().all()
    assert "random × nothing" in found.entrants


@pytest.mark.compiled
def test_objectives_and_strategies_of_a_script_go_along():
    """Neither can be imported where it is used."""
    code = """
import json
import numpy as np
import kmtoolkit as km

@km.pointwise("clipped")
def clipped(x, c):
    return min((x - c) ** 2, 1.0)

@km.updater("stays", objective="clipped")
def stays(problem, state):
    pass

X = np.random.default_rng(0).normal(size=(300, 2))
grid = {"assign": [clipped], "update": ["stays", "medoid"]}
found = km.bench.compare(grid, [("squares", X, 4)], repeats=1, threads=1)
print(json.dumps([(r["update"], r["status"], r["objective_name"], r.get("message")) for r in found.records]))
"""
    runs = sorted(python(code))
    assert runs == [["medoid", "fixed_point", "clipped", None], ["stays", "fixed_point", "clipped", None]]


# checkpoints


def test_a_line_that_was_cut_off_is_forgotten(tmp_path):
    file = tmp_path / "runs.jsonl"
    journal = Journal(file, "plan")
    for i in range(3):
        journal.add({"run": i, "value": float("inf")})
    journal.close()
    file.write_bytes(file.read_bytes()[:-5])
    journal = Journal(file, "plan")
    assert [r["run"] for r in journal.records] == [0, 1]
    assert journal.records[0]["value"] == np.inf
    journal.add({"run": 2})
    journal.close()
    journal = Journal(file, "plan")
    assert [r["run"] for r in journal.records] == [0, 1, 2]
    journal.close()
    with pytest.raises(ValueError, match="is of other strategies, problems or options"):
        Journal(file, "other plan")
    file.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="is no file of a comparison"):
        Journal(file, "plan")


RESUMED = """
import sys
import numpy as np
import kmtoolkit as km
X = np.random.default_rng(0).normal(size=(300, 2))
found = km.bench.compare({"assign": ["dense", "hamerly"]}, [("squares", X, 4)], repeats=int(sys.argv[2]),
                         checkpoint=sys.argv[1], threads=1)
print(len(found.records))
"""


@pytest.mark.compiled
def test_a_kill_loses_one_run_at_most(tmp_path):
    file, repeats = tmp_path / "runs.jsonl", "400"
    command = [sys.executable, "-c", RESUMED, str(file), repeats]
    first = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (file.exists() and file.read_bytes().count(b"\n") > 20):
        time.sleep(0.02)
    first.kill()
    first.wait()
    before = file.read_bytes()
    kept = before[: before.rfind(b"\n") + 1]
    assert 20 < kept.count(b"\n") < 801
    assert before.count(b"\n") == kept.count(b"\n")  # no more than a line that was being written is lost
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "800\n"
    after = file.read_bytes()
    assert after.startswith(kept)
    lines = [json.loads(line) for line in after.splitlines()[1:]]
    assert len({(r["entrant"], r["repeat"]) for r in lines}) == 800


# files of configuration


CONFIG = """\
problems = ["iris", {problem = "blobs", n = 100, k = 3}, {file = "rows.csv", k = 2}]
repeats = 2

[strategies]
init = ["random", {name = "k-means++", trials = 1}]
assign = ["dense", "hamerly"]
"""


@pytest.fixture
def folder(tmp_path):
    np.savetxt(tmp_path / "rows.csv", X[:20], delimiter=",")
    (tmp_path / "bench.toml").write_text(CONFIG)
    return tmp_path


def test_a_file_is_read(folder):
    given = read_config(folder / "bench.toml")
    assert given["repeats"] == 2
    assert [p.name for p in given["problems"]] == ["iris", "blobs n=100 d=8 k=3", "rows"]
    assert given["strategies"]["init"] == ["random", km.initializers.KMeansPlusPlus(trials=1)]


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('"hamerly"', '"hamerley"', "line 6: unknown assigner 'hamerley'; did you mean 'hamerly'?"),
        ("assign =", "assig =", "line 6: a key of strategies is 'assig'; .*did you mean 'assign'?"),
        ("repeats", "repeat", "line 2: a key is 'repeat'; .*did you mean 'repeats'?"),
        ("trials", "trial", "line 5: a parameter of 'k-means\\+\\+' is 'trial'; .*did you mean 'trials'?"),
        ('"iris"', '"irisses"', "line 1: unknown problem 'irisses'; did you mean 'iris'?"),
        ('"blobs", n', '"blobs", m', "line 1: problem 'blobs' has no 'm'"),
        ("repeats = 2", "repeats = ", "Invalid value \\(at line 2, column 11\\)"),
        (
            "repeats = 2",
            'modules = ["nowhere_at_all"]',
            "line 2: importing 'nowhere_at_all' raised ModuleNotFoundError",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(folder, right, wrong, message):
    assert right in CONFIG
    (folder / "bench.toml").write_text(CONFIG.replace(right, wrong))
    with pytest.raises(ValueError, match=f"bench.toml.*{message}"):
        read_config(folder / "bench.toml")


def test_rows_that_can_not_be_read(folder):
    (folder / "rows.csv").unlink()
    with pytest.raises(OSError, match=r"rows\.csv"):
        read_config(folder / "bench.toml")


@pytest.mark.compiled
def test_the_command(folder):
    command = [
        sys.executable,
        "-m",
        "kmtoolkit.cli",
        "bench",
        "bench.toml",
        "--csv",
        "runs.csv",
        "--html",
        "report.html",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "4 entrants on 3 problems: 24 runs, 0 failed" in done.stdout
    assert "written to runs.csv" in done.stdout
    assert (folder / "runs.csv").read_text().count("\n") == 25
    page = (folder / "report.html").read_text()
    assert "kmtoolkit bench bench.toml --csv runs.csv --html report.html" in page
    done = subprocess.run([*command[:4], "none.toml"], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "error: can't open none.toml: No such file or directory\n")


def test_strategies_as_json():
    done = subprocess.run([sys.executable, "-m", "kmtoolkit.cli", "list", "--json"], capture_output=True, text=True)
    rows = json.loads(done.stdout)
    assert {"name": "dense", "role": "assigner"}.items() <= next(r for r in rows if r["name"] == "dense").items()
    assert len(rows) == sum(map(len, km.available().values()))
