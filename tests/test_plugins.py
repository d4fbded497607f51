"""Strategies of installed packages: found by their metadata, imported late, and never in the way of others."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import python

TEMPLATE = Path(__file__).parents[1] / "docs" / "plugin_template"

GOOD = """
import kmtoolkit as km

@km.initializer("first-rows", weights=False, reference="here", cost="O(k d)")
def first_rows(problem, rng):
    return problem.X[:problem.k]
"""


def package(folder, name, entries, **modules):
    """Lay out an installed package: its metadata, and its modules."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{entry} = {place}" for entry, place in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[kmtoolkit.strategies]", *lines, ""]))
    for module, code in modules.items():
        (folder / f"{module}.py").write_text(code)


def run(folder, code):
    return python(f"import json, sys, warnings\nimport kmtoolkit as km\n{code}", PYTHONPATH=str(folder))


def test_a_declared_strategy_needs_no_import_and_is_imported_late(tmp_path):
    package(tmp_path, "firsts", {"initializer.first-rows": "firsts:first_rows"}, firsts=GOOD)
    listed, early, centers, late, row = run(tmp_path, """
listed = "first-rows" in km.available()["initializer"]
early = "firsts" in sys.modules
centers = km.Solver("first-rows", max_iter=1).fit([[0.0], [1.0], [5.0]], 2).labels.tolist()
late = "firsts" in sys.modules
row = [row.reference for row in km.registry.rows("initializer") if row.name == "first-rows"]
print(json.dumps([listed, early, centers, late, row]))
""")  # fmt: skip
    assert (listed, early, centers, late, row) == (True, False, [0, 0, 1], True, ["here"])


def test_broken_packages_are_reported_once_and_break_no_others(tmp_path):
    package(tmp_path, "firsts", {"initializer.first-rows": "firsts:first_rows"}, firsts=GOOD)
    package(tmp_path, "fails", {"assigner.fails": "fails:x"}, fails="1 / 0")
    package(tmp_path, "quits", {"assigner.quits": "quits:x"}, quits="raise SystemExit(3)")
    package(tmp_path, "mute", {"updater.mute": "mute:f"}, mute="def f(problem, state): ...")
    package(tmp_path, "short", {"updater.short": "short:missing"}, short="")
    package(tmp_path, "takes", {"assigner.dense": "takes:dense", "initialiser.x": "takes:x"}, takes="")
    package(tmp_path, "zweite", {"initializer.first-rows": "zweite:first_rows"}, zweite="1 / 0")
    first, again, asked, names, fit = run(tmp_path, """
def told():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows = km.registry.rows()
    return sorted(str(one.message) for one in caught)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    before = km.available()
assert all(name in before["assigner"] for name in ("fails", "quits"))
first, again = sorted(str(one.message) for one in caught) + told(), told()
try:
    km.Solver(assign="fails")
except ValueError as error:
    asked = [type(error).__name__, str(error)]
names = km.available()
fit = km.kmeans([[0.0], [1.0], [5.0]], 2, init="first-rows").labels.tolist()
print(json.dumps([first, again, asked, names, fit]))
""")  # fmt: skip
    assert [message for message in first if "'zweite'" in message] == [
        "package 'zweite' 1.0 and package 'firsts' 1.0 both declare 'initializer.first-rows'; "
        "that of package 'firsts' 1.0 is used. Uninstall one of them"
    ]
    assert len(first) == 7
    text = "\n".join(first)
    for said in (
        "assigner 'fails' of package 'fails' 1.0 can't be used: loading 'fails:x' raised ZeroDivisionError: division",
        "assigner 'quits' of package 'quits' 1.0 can't be used: loading 'quits:x' raised SystemExit: 3",
        "updater 'mute' of package 'mute' 1.0 can't be used: loading 'mute:f' registers nothing under this name; "
        'decorate it with @km.updater("mute")',
        "updater 'short' of package 'short' 1.0 can't be used: loading 'short:missing' raised AttributeError",
        "package 'takes' 1.0 declares 'initialiser.x' under [kmtoolkit.strategies]; names are role.name, and roles are",
        "package 'takes' 1.0 declares 'assigner.dense', which is the name of one of kmtoolkit's own strategies; that",
    ):
        assert said in text
    assert again == []
    assert asked[0] == "PluginError"
    assert asked[1].startswith("assigner 'fails' of package 'fails' 1.0 can't be used")
    assert not {"fails", "quits"} & set(names["assigner"])
    assert "first-rows" in names["initializer"]
    assert fit == [0, 0, 1]


@pytest.mark.compiled
def test_the_template_is_built_installed_and_used(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(TEMPLATE, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, source]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", tmp_path / "site", wheel], check=True, capture_output=True
    )
    listed, objective = run(tmp_path / "site", """
result = km.kmeans(km.datasets.iris().X, 3, init="density-biased", n_init=5, rng=0)
print(json.dumps(["density-biased" in km.available()["initializer"], result.objective]))
""")  # fmt: skip
    assert listed
    assert objective == pytest.approx(78.851, abs=0.01)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    kit = [sys.executable, "-m", "kmtoolkit.cli", "check", "density-biased", "--examples", "3"]
    checked = subprocess.run(kit, env=environment, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
    assert checked.stdout.startswith("initializer 'density-biased'")


@pytest.mark.compiled
def test_a_kernel_that_does_not_compile_is_to_be_run_undecorated():
    import numba
    import numpy as np

    import kmtoolkit as km

    @numba.njit
    def uses_a_file(problem, state):
        state.labels[:] = Path("labels").stat()

    with pytest.raises(numba.core.errors.NumbaError) as caught:
        km.kmeans(np.arange(6.0)[:, np.newaxis], 2, assign=uses_a_file)
    assert any("run it undecorated, as plain Python" in note for note in caught.value.__notes__)

    def divides(problem, state):
        state.labels[:] = 1 // 0

    with pytest.raises(ZeroDivisionError) as caught:
        km.kmeans(np.arange(6.0)[:, np.newaxis], 2, assign=divides)
    assert not any("undecorated" in note for note in caught.value.__notes__)
