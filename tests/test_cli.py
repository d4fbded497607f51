"""The command line: what it prints, what it writes, and how it fails."""

import re
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
from typer.testing import CliRunner

import kmtoolkit as km
from kmtoolkit import cli, demo, registry, testing

IRIS = str(files("kmtoolkit.datasets").joinpath("iris.csv"))
COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture(autouse=True)
def _plain_page(monkeypatch):
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


def run(*arguments, code=0):
    """The output of a command, which must exit with ``code``."""
    done = CliRunner().invoke(cli.application(), [str(a) for a in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def refused(*arguments):
    """The one line that a refused command prints."""
    output = run(*arguments, code=2)
    assert re.fullmatch(r"error: [^\n]+\n", output)
    return output


def process(*arguments, code="from kmtoolkit.cli import main; main()"):
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)


def write_csv(path, rows, header=None):
    lines = [] if header is None else [",".join(header)]
    path.write_text("\n".join([*lines, *(",".join(map(repr, row)) for row in rows)]) + "\n")
    return path


@pytest.fixture
def X():
    return km.datasets.iris().X


# what is printed


def test_version():
    assert run("--version") == f"kmtoolkit {km.__version__}\n"


def test_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "kmtoolkit.cli", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"kmtoolkit {km.__version__}\n", "")


def test_demo_shows_code_trace_certificate_and_clusters():
    output = run("demo")
    words = " ".join(output.split())
    assert "result = km.Solver(tol=0, rng=0).fit(data.X, 2)" in words
    assert "result = km.Solver(tol=0, n_init=10, rng=0).fit(data.X, 3)" in words
    assert words.count("The objective never rose in") == 2
    assert "the best found, 78.851441, equals it" in words
    for data, k, n_init in ((km.datasets.old_faithful(), 2, 1), (km.datasets.iris(), 3, 10)):
        result = km.kmeans(data.X, k, n_init=n_init, tol=0, rng=0)
        for t in range(len(result.trace)):
            row = rf"{result.trace.iteration[t]} +{result.trace.phase[t]} +{result.trace.objective[t]:.6f} "
            assert re.search(row, output)
        for j in range(k):
            center = " +".join(f"{value:.4f}" for value in result.centers[j])
            assert re.search(rf"{j} +{result.sizes[j]} +{result.cluster_objectives[j]:.6f} +{center}", output)
        assert f"recomputed from labels and centers: {result.objective:.6f}." in words
        assert all(name.replace("_", " ") in words for name in data.columns)


def test_demo_is_reproducible():
    assert run("demo") == run("demo")


@pytest.mark.parametrize("command", ["demo", "list"])
@pytest.mark.parametrize("width", [80, 140])
def test_pages_fit_the_width(monkeypatch, command, width):
    monkeypatch.setenv("COLUMNS", str(width))
    output = run(command)
    assert max(map(len, output.splitlines())) <= width
    assert "…" not in output


def test_color_changes_no_text(monkeypatch):
    plain = run("list")
    monkeypatch.setenv("FORCE_COLOR", "1")
    colored = run("list")
    assert colored != plain
    assert ESCAPES.sub("", colored) == plain


def test_list_shows_every_row_of_the_registry(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    lines = run("list").splitlines()
    for row in registry.rows():
        start = lines.index(next(line for line in lines if line.strip() == row.role.replace("_", " ")))
        at = next(i for i, line in enumerate(lines) if i > start and line.split()[:1] == [row.name])
        line, block = lines[at], " ".join(lines[at : at + len(row.objectives)])
        assert line.split()[1:3] == ["yes" if flag else "-" for flag in (row.exact, row.monotone)]
        assert all(objective in block for objective in row.objectives)
        assert row.reference in line


def test_long_traces_are_elided_in_the_middle():
    trace = km.Solver("random", tol=0, rng=0).fit(np.random.default_rng(0).normal(size=(500, 2)), 20).trace
    assert len(trace) > demo.TRACE_ROWS
    table = demo._trace_table(trace)
    objectives = list(table.columns[2].cells)
    assert len(objectives) == demo.TRACE_ROWS + 1
    assert objectives[demo.TRACE_ROWS // 2] == f"{len(trace) - demo.TRACE_ROWS} not shown"
    assert (objectives[0], objectives[-1]) == (f"{trace.objective[0]:.6f}", f"{trace.objective[-1]:.6f}")


@pytest.mark.slow  # compiles all there is
@pytest.mark.compiled
def test_warmup_says_what_it_did():
    pattern = r"kernels for float32 and float64: \d+ compiled, \d+ from the disk cache, in [\d.]+ seconds\n"
    assert re.fullmatch(pattern, run("warmup"))
    again = run("warmup")
    assert "0 compiled, 0 from the disk cache" in again
    assert sum(cli._kernel_counts()) > 0


# what is fitted


@pytest.mark.parametrize("kind", ["csv", "headerless.csv", "npy", "npz", "single.npz"])
@pytest.mark.parametrize("out", ["csv", "npy", "npz"])
def test_labels_are_those_of_kmeans(tmp_path, X, kind, out):
    file, labels = tmp_path / f"data.{kind}", tmp_path / f"labels.{out}"
    if kind.endswith("csv"):
        write_csv(file, X.tolist(), COLUMNS if kind == "csv" else None)
    elif kind == "npy":
        np.save(file, X)
    else:
        np.savez(file, **({"X": X, "other": np.ones(3)} if kind == "npz" else {"anything": X}))
    output = run("fit", file, "-k", 3, "--n-init", 4, "--seed", 7, "--out", labels)
    expected = km.kmeans(X, 3, n_init=4, rng=7)
    assert output == (
        f"columns     {', '.join(COLUMNS if kind == 'csv' else '0123')}\n"
        f"{expected.summary()}\n\nlabels written to {labels}\n"
    )
    if out == "csv":
        assert labels.read_text().splitlines() == ["label", *map(str, expected.labels)]
    elif out == "npy":
        assert np.array_equal(np.load(labels), expected.labels)
    else:
        with np.load(labels) as written:
            assert np.array_equal(written["labels"], expected.labels)
            assert np.array_equal(written["centers"], expected.centers)
            assert np.array_equal(written["objective"], expected.trace.objective)


def test_options_reach_the_solver(tmp_path, X):
    file = tmp_path / "data.npy"
    np.save(file, X.astype(np.float32))
    options = {"init": "random", "assign": "dense", "update": "mean", "empty": "split", "max_iter": 2, "tol": 0.0,
               "threads": 1, "max_seconds": 60.0, "n_init": 2}  # fmt: skip
    flags = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", value)]
    expected = km.kmeans(X.astype(np.float32), 4, rng=5, **options)
    assert expected.status is km.Status.MAX_ITER
    assert expected.summary() in run("fit", file, "-k", 4, "--seed", 5, *flags)


def test_runs_are_reproducible_without_a_seed():
    flags = "fit", IRIS, "-k", 3, "--columns", ",".join(COLUMNS)
    assert run(*flags) == run(*flags)


def test_columns_are_selected_in_the_order_given(tmp_path, X):
    output = run("fit", IRIS, "-k", 2, "--columns", "petal_width, sepal_length")
    assert output.startswith("columns     petal_width, sepal_length\n")
    assert km.kmeans(X[:, [3, 0]], 2, rng=0).summary() in output
    np.save(tmp_path / "data.npy", X)
    assert km.kmeans(X[:, [3, 0]], 2, rng=0).summary() in run("fit", tmp_path / "data.npy", "-k", 2, "--columns", "3,0")


@pytest.mark.parametrize("kind", ["csv", "headerless.csv", "npy", "npz"])
def test_weights(tmp_path, X, kind):
    weights = np.random.default_rng(0).integers(0, 5, size=len(X)).astype(float)
    file, name = tmp_path / f"data.{kind}", "w"
    both = np.column_stack([X[:, :1], weights, X[:, 1:]])
    if kind.endswith("csv"):
        write_csv(file, both.tolist(), ("a", "w", "b", "c", "d") if kind == "csv" else None)
        name = "w" if kind == "csv" else "1"
    elif kind == "npy":
        np.save(file, both)
        name = "1"
    else:
        np.savez(file, rows=X, w=weights)
    output = run("fit", file, "-k", 3, "--weights", name, "--out", tmp_path / "labels.npy")
    assert f"weights from {name}\n" in output
    expected = km.kmeans(X, 3, sample_weight=weights, rng=0)
    assert expected.summary() in output
    assert np.array_equal(np.load(tmp_path / "labels.npy"), expected.labels)


def test_csv_files_as_they_come(tmp_path):
    file = tmp_path / "data.CSV"
    file.write_bytes(b'\xef\xbb\xbf"length, cm",year\r\n1,2e0\r\n\r\n" 1.5",2\r\n-8,+9\r\n')
    output = run("fit", file, "-k", 2)
    assert output.startswith("columns     length, cm, year\n2 clusters of 3 rows x 2 columns\n")
    assert km.kmeans([[1, 2], [1.5, 2], [-8, 9]], 2, rng=0).summary() in output


def test_an_existing_out_is_replaced(tmp_path, X):
    out = tmp_path / "labels.csv"
    out.write_text("old\n" * 1000)
    run("fit", IRIS, "-k", 3, "--columns", ",".join(COLUMNS), "--out", out)
    assert len(out.read_text().splitlines()) == 1 + len(X)


# what is refused


def test_missing_file(tmp_path):
    for kind in ("csv", "npy", "npz"):
        file = tmp_path / f"none.{kind}"
        assert refused("fit", file, "-k", 3) == f"error: can't open {file}: No such file or directory\n"


def test_unknown_suffixes(tmp_path):
    assert "FILE is 'data.txt'; its name must end in .csv, .npy or .npz" in refused("fit", "data.txt", "-k", 3)
    assert "--out is 'labels.txt'; its name must" in refused("fit", IRIS, "-k", 3, "--out", "labels.txt")


def test_a_column_of_text_is_named_with_the_way_out():
    error = refused("fit", IRIS, "-k", 3)
    assert "line 2: column 'species' has 'setosa', which is not a number" in error
    way_out = re.search(r"--columns \S+", error).group().split()
    assert "150 rows x 4 columns" in run("fit", IRIS, "-k", 3, *way_out)


def test_a_headerless_file_with_text_keeps_its_first_row(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("5.1,3.5,setosa\n4.9,3.0,setosa\n")
    assert "line 1: column '2' has 'setosa'" in refused("fit", file, "-k", 2)
    assert "2 clusters of 2 rows x 2 columns" in run("fit", file, "-k", 2, "--columns", "0,1")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("7", "it has 1 fields, but the first line has 2"),
        ("7,8,9", "it has 3 fields, but the first line has 2"),
        ("7,", "column 'b' has '', which is not a number; correct it or choose columns: --columns a"),
        ("x,8", "column 'a' has 'x', which is not a number; correct it or choose columns: --columns b"),
        ('7,"8"9', "',' expected after '\"'"),
        ('7,"8', "unexpected end of data"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, reason):
    file = tmp_path / "data.csv"
    file.write_text(f"a,b\n1,2\n\n3,4\n{line}\n")
    assert refused("fit", file, "-k", 2).startswith(f"error: {file}, line 5: {reason}")


def test_text_that_is_not_utf8(tmp_path):
    (tmp_path / "data.csv").write_bytes(b"a,b\n1,2\n\xff,3\n")
    assert "can't decode byte" in refused("fit", tmp_path / "data.csv", "-k", 2)


@pytest.mark.parametrize("text", ["", "\n", "a,b\n"])
def test_csv_files_without_rows(tmp_path, text):
    (tmp_path / "data.csv").write_text(text)
    assert "at least one row" in refused("fit", tmp_path / "data.csv", "-k", 2)


def test_broken_arrays(tmp_path):
    file = tmp_path / "data.npz"
    for content in (b"", b"PK\x03\x04 and nothing more"):
        file.write_bytes(content)
        assert f"{file} is not a sound NumPy file" in refused("fit", file, "-k", 2)
    np.savez(file, a=np.ones((3, 2)), b=np.ones((3, 2)))
    assert "has the arrays a, b; it must have X, or one array only" in refused("fit", file, "-k", 2)
    np.save(tmp_path / "data.npy", np.array([{}, {}]))
    assert "allow_pickle=False" in refused("fit", tmp_path / "data.npy", "-k", 2)
    np.save(tmp_path / "data.npy", np.arange(3.0))
    assert "use X.reshape(-1, 1)" in refused("fit", tmp_path / "data.npy", "-k", 2, "--weights", "0")


def test_unknown_columns(tmp_path, X):
    wanted = "column 'petal' must occur once, but the columns are sepal_length, sepal_width, petal_length"
    assert wanted in refused("fit", IRIS, "-k", 3, "--columns", "petal")
    assert wanted in refused("fit", IRIS, "-k", 3, "--weights", "petal")
    np.save(tmp_path / "data.npy", X)
    assert "column '4' must occur once" in refused("fit", tmp_path / "data.npy", "-k", 3, "--weights", "4")
    np.savez(tmp_path / "data.npz", X=X)
    assert "--weights names" in refused("fit", tmp_path / "data.npz", "-k", 3, "--weights", "w")
    write_csv(tmp_path / "data.csv", X.tolist(), "abca")
    assert "column 'a' must occur once, but the columns are a, b, c, a" in refused(
        "fit", tmp_path / "data.csv", "-k", 3
    )


def test_bad_weights(tmp_path):
    write_csv(tmp_path / "data.csv", [[1, 2], [3, -4]], "aw")
    assert "sample_weight is -4.0 at row 1" in refused("fit", tmp_path / "data.csv", "-k", 1, "--weights", "w")
    (tmp_path / "data.csv").write_text("a,w\n1,2\n3,x\n")
    assert "column 'w' has 'x', which is not a number; correct it or choose columns: --columns a\n" in refused(
        "fit", tmp_path / "data.csv", "-k", 1, "--weights", "w"
    )


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["-k", "151"], "k is 151, but X has only 150 rows"),
        (["-k", "0"], "k is 0; it must be at least 1"),
        (["-k", "3", "--init", "kmeans++"], "unknown initializer 'kmeans++'; did you mean 'k-means++' or 'k-means'?"),
        (["-k", "3", "--assign", "lloyd"], "unknown assigner 'lloyd'"),
        (["-k", "3", "--max-iter", "-1"], "max_iter is -1; it must be at least 0"),
        (["-k", "3", "--tol", "nan"], "tol is nan; it must be finite and not negative"),
    ],
)
def test_bad_options(flags, reason):
    assert reason in refused("fit", IRIS, "--columns", ",".join(COLUMNS), *flags)


def test_an_empty_cluster_with_the_error_handler(tmp_path):
    np.save(tmp_path / "data.npy", np.zeros((5, 2)))
    assert "empty" in refused("fit", tmp_path / "data.npy", "-k", 2, "--empty", "error")


def test_usage_errors():
    assert "--nope" in ESCAPES.sub("", run("fit", IRIS, "-k", 3, "--nope", code=2))
    run("fit", IRIS, code=2)
    run("nope", code=2)


def test_out_is_checked_before_the_fit(tmp_path, monkeypatch):
    def fit(*args, **options):
        raise AssertionError("the fit came first")

    monkeypatch.setattr(cli.Solver, "fit", fit)
    flags = "fit", IRIS, "-k", 3, "--columns", ",".join(COLUMNS), "--out"
    nowhere, folder = tmp_path / "no" / "labels.csv", tmp_path / "folder.csv"
    folder.mkdir()
    assert refused(*flags, nowhere) == f"error: can't open {nowhere}: No such file or directory\n"
    assert refused(*flags, folder).startswith(f"error: can't open {folder}: ")
    assert "which is FILE itself; choose another name" in refused(*flags, IRIS)


def test_a_failed_fit_leaves_no_file_and_no_file_changed(tmp_path):
    out = tmp_path / "labels.csv"
    refused("fit", IRIS, "-k", 3, "--out", out)
    assert not out.exists()
    out.write_text("old")
    refused("fit", IRIS, "-k", 3, "--out", out)
    assert out.read_text() == "old"


# how it ends


def test_interrupted(monkeypatch):
    def warmup() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "warmup", warmup)
    assert run("warmup", code=130) == ""


def test_errors_of_the_program_are_not_hidden(monkeypatch):
    def warmup() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "warmup", warmup)
    assert isinstance(CliRunner().invoke(cli.application(), ["warmup"]).exception, ZeroDivisionError)


def test_error_goes_to_stderr():
    done = process("fit", "none.csv", "-k", 3)
    error = "error: can't open none.csv: No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", error)


@pytest.mark.parametrize("command", ["list", "demo", "--help"])
def test_closed_pipe(command):
    arguments = [sys.executable, "-m", "kmtoolkit.cli", command]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.close()
        assert child.stderr.read() == b""


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra(missing):
    done = process(code=f"import sys; sys.modules['{missing}'] = None; from kmtoolkit.cli import main; main()")
    message = 'the command line needs the extra: pip install "kmtoolkit[cli]"\n'
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


# checking strategies


MODULE = """
import numpy as np
import kmtoolkit as km

def nearest(problem, state):
    difference = problem.X[:, None].astype(np.float64) - state.centers
    state.labels[:] = np.square(difference).sum(axis=2).argmin(axis=1)

@km.assigner("test-right")
def right(problem, state):
    nearest(problem, state)

@km.assigner("test-wrong")
def wrong(problem, state):
    state.labels[:] = problem.k
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of strategies in the working directory; its name."""
    (tmp_path / "checked_strategies.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield "checked_strategies"
    sys.modules.pop("checked_strategies", None)


def test_check_prints_every_rule(module):
    lines = run("check", f"{module}:right", "--examples", "0").splitlines()
    assert lines[0] == "assigner 'test-right'"
    assert lines[1] == "  ok      writes-only-its-own"
    assert lines[-1] == "all rules hold"
    assert len(lines) == 2 + len(testing.rules(registry.resolve("assigner", "test-right")))


def test_check_of_a_module_reports_what_is_broken(module):
    output = run("check", module, "--examples", "0", code=1)
    assert output.index("assigner 'test-right'") < output.index("assigner 'test-wrong'")
    assert "  failed  returns-what-its-role-returns\n\nassigner 'test-wrong' breaks the rule" in output
    assert "from checked_strategies import wrong" in output
    assert re.search(r"\nrules broken: \d+\n$", output)


def test_check_takes_a_registered_name():
    assert "all rules hold" in run("check", "keep", "--examples", "0")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ["nope"],
            r"'nope' is neither a registered strategy \(.*'k-means\+\+', .*\) nor a module that can be imported: No ",
        ),
        (["random"], "'random' is the name of an initializer and of an empty handler; give the role"),
        (["math"], "'math' registers no strategy; write module:Name for others"),
        (["math:nope"], "module 'math' has no 'nope'"),
        (["math:sqrt"], "math:sqrt is not registered; give its role, one of initializer, assigner, updater, empty_"),
        (
            ["dense", "--role", "init"],
            "role is 'init'; it must be one of initializer, assigner, updater, empty_handler",
        ),
        (["math:pi", "--role", "updater"], "update is 3.14.* of type float; it must be a name, a configured strategy"),
    ],
)
def test_check_says_what_it_can_not_find(arguments, reason):
    assert re.search(reason, refused("check", *arguments))


def test_a_function_is_checked_in_the_role_given(module):
    assert "assigner 'nearest'" in run("check", f"{module}:nearest", "--role", "assigner", "--examples", "0")


def test_check_without_the_extra_says_which(monkeypatch):
    monkeypatch.setattr(cli.importlib.util, "find_spec", lambda name: None)
    assert 'install the extra: pip install "kmtoolkit[test]"' in refused("check", "dense")
