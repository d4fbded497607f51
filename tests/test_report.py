"""The report in a browser: sorting, filtering, hovering, keys, narrow and wide, light and dark."""

import os
import shutil

import pytest

from kmtoolkit.bench.comparison import Comparison
from kmtoolkit.bench.entrants import Misfit
from kmtoolkit.bench.report import html

pytestmark = pytest.mark.compiled

EVIL = "<script>window.evil=1</script><img src=x onerror=window.evil=1>&amp;'\""
BROWSER = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def record(problem, repeat, init, assign, seconds, objective, status="fixed_point"):
    head = {"problem": problem, "repeat": repeat, "entrant": f"{init} × {assign}", "init": init, "assign": assign,
            "update": "mean", "empty": "farthest", "system": "", "objective_name": "squared-euclidean"}  # fmt: skip
    if status != "fixed_point":
        return {**head, "status": status, "message": f"broken {EVIL}"}
    trace = [[0.2 * seconds, seconds], [2 * objective, objective], ["init", "assign"]]
    return {**head, "status": status, "objective": objective, "seconds": seconds, "trace": trace}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report in which every string that may come from elsewhere tries to break out."""
    records = [
        record(problem, repeat, init, assign, seconds * (1 + repeat / 10), objective)
        for problem in ("first", EVIL)
        for repeat in range(3)
        for init, objective in (("plain", 2.0), (EVIL, 1.0))
        for assign, seconds in (("slow", 9.0), ("quick", 10.5), ("middle", 0.2))
    ] + [record("first", 0, "bad", "worse", 0, 0, status="error")]
    header = {
        "machine": {"processor": EVIL}, "options": {"max_iter": 3}, "repeats": 3, "rng": 0, "metrics": [],
        "command": f"kmtoolkit bench {EVIL}", "problems": {key: {"n": 3, "d": 1, "k": 2} for key in ("first", EVIL)},
    }  # fmt: skip
    text = html(Comparison(records, [Misfit({"init": EVIL}, EVIL)], header))
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_page_needs_no_network_and_escapes_what_it_shows(page):
    text = page.read_text(encoding="utf-8")
    assert "window.evil=1</script>" not in text
    assert "<img src=x" not in text
    assert "<script src" not in text
    assert '<link rel="stylesheet"' not in text


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        pytest.skip("no Chromium here")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser, page):
    """Open the page, and gather what its console says."""
    pages = []

    def opening(**options):
        tab = browser.new_page(**options)
        said = []
        tab.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(page.as_uri())
        tab.wait_for_selector("#figure-4 .main-svg")
        pages.append((tab, said))
        return tab

    yield opening
    for tab, said in pages:
        assert said == []
        assert tab.evaluate("window.evil") is None
        tab.close()


def column(tab, number):
    return tab.eval_on_selector_all(
        "#medians tbody tr", f"rows => rows.filter(r => !r.hidden).map(r => r.cells[{number}].innerText.split(' ')[0])"
    )


def test_headings_sort(opened):
    tab = opened()
    seconds = tab.get_by_role("button", name="seconds", exact=True)
    seconds.click()
    shown = [float(value) for value in column(tab, 4) if value != "never"]
    assert shown == sorted(shown)
    assert len(shown) == 12
    assert {0.22, 9.9, 11.55} <= set(shown)  # as numbers, not as words
    assert column(tab, 4)[-1] == "never"
    seconds.click()
    assert column(tab, 4)[0] == "never"
    assert tab.locator("th[aria-sort=descending]").count() == 1
    tab.get_by_role("button", name="entrant").click()
    assert column(tab, 1) == sorted(column(tab, 1), key=str.lower)


def test_the_field_filters(opened):
    tab = opened()
    tab.get_by_label("Filter").fill("quick first")
    assert len(column(tab, 0)) == 2
    assert "2 of 13 rows" in tab.locator("#count").inner_text()
    tab.get_by_label("Filter").fill("")
    assert len(column(tab, 0)) == 13


def test_keys_are_enough(opened):
    tab = opened()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "filter"
    tab.keyboard.type("middle")
    assert len(column(tab, 0)) == 4
    tab.keyboard.press("Tab")  # the table, which scrolls
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.innerText") == "problem"
    tab.keyboard.press("Enter")
    assert tab.locator("th").first.get_attribute("aria-sort") == "ascending"


def test_hovering_tells_the_half_step(opened):
    tab = opened(viewport={"width": 1200, "height": 900})
    figure = tab.locator("#figure-4")
    figure.scroll_into_view_if_needed()
    point = figure.locator(".scatterlayer .trace .points path").first
    box = point.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.wait_for_selector("#figure-4 .hoverlayer .hovertext")
    assert "init at" in figure.locator(".hoverlayer").text_content()


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_and_wide_light_and_dark(opened, width, scheme):
    tab = opened(viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for i in range(5):
        drawn = tab.locator(f"#figure-{i} .main-svg").first.bounding_box()
        assert 300 < drawn["width"] <= width
    ink, paper = tab.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    bright = [sum(map(int, color[4:-1].split(","))) for color in (ink, paper)]
    assert (bright[0] < bright[1]) == (scheme == "light")
    axis = tab.locator("#figure-0 .xtick text").first.evaluate("node => getComputedStyle(node).fill")
    assert axis == ink
