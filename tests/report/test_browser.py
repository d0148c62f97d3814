"""The report's page in Chromium: every chart drawn, nothing on the console, no wider than the screen."""

import base64
import json
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from lmul.report.page.page import page as page_of
from lmul.report.page.page import read_contents
from lmul.report.sections.sections import sections
from tests.support.host.reports import shared_report
from tests.support.paths import ROOT

imread = pytest.importorskip("matplotlib.image").imread
webdriver = pytest.importorskip("selenium.webdriver")

SCREENSHOTS = ROOT / "build" / "screenshots"

HEIGHT = 1000

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Give a browser without a window."""
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield found
    found.quit()


@pytest.fixture(params=[400, 1400])
def page(request: pytest.FixtureRequest, browser: Any, shared: Path) -> tuple[Any, Path, int]:
    """Open the page at a width; give the browser, the page's directory and the width."""
    place = shared_report(shared / "report") / "out"
    visit(browser, place / "index.html", request.param)
    return browser, place, request.param


def visit(browser: Any, page: Path, width: int) -> None:
    """Open a page at a width, and wait until its charts are drawn."""
    from selenium.webdriver.support.wait import WebDriverWait

    show(browser, width, HEIGHT)
    browser.get(page.as_uri())
    WebDriverWait(browser, 30).until(lambda found: charts(found)[0] == charts(found)[1])


def show(browser: Any, width: int, height: int) -> None:
    """Let the screen be so large."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < HEIGHT}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def charts(browser: Any) -> tuple[int, int]:
    """Count the places of charts, and the charts that are drawn and not empty."""
    script = """return [document.querySelectorAll(".chart").length,
        [...document.querySelectorAll(".chart svg")].filter(svg => svg.querySelector("path")).length]"""
    places, drawn = browser.execute_script(script)
    return places, drawn


def test_all_charts_are_drawn_and_nothing_is_on_the_console(page: tuple[Any, Path, int]) -> None:
    browser, _, width = page
    assert charts(browser) == (10, 10)
    assert browser.get_log("browser") == []
    height = browser.execute_script("return document.documentElement.scrollHeight")
    show(browser, width, height)
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    (SCREENSHOTS / f"report-{width}.png").write_bytes(base64.b64decode(shot["data"]))


def test_the_page_is_no_wider_than_the_screen(page: tuple[Any, Path, int]) -> None:
    browser, _, width = page
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    wide = browser.execute_script(
        """return [...document.querySelectorAll(".chart svg")]
        .filter(svg => svg.getBoundingClientRect().right > innerWidth + 1).length"""
    )
    assert wide == 0


def test_links_lead_somewhere(page: tuple[Any, Path, int]) -> None:
    browser, place, _ = page
    links = browser.execute_script(
        """return [...document.querySelectorAll("a")].map(a => a.getAttribute("href"))"""
    )
    assert len(links) > 30
    for link in links:
        if link.startswith("#"):
            assert browser.execute_script("return document.getElementById(arguments[0]) !== null", link[1:])
        elif not link.startswith("https://"):
            assert (place / link).stat().st_size > 0, link


def test_another_format_may_be_chosen(page: tuple[Any, Path, int]) -> None:
    browser, _, _ = page
    script = """const menu = document.querySelector("#menu-energy_dots select");
        const before = document.querySelector("#chart-energy_dots svg").outerHTML;
        menu.selectedIndex = 1;
        menu.dispatchEvent(new Event("change")); menu.dispatchEvent(new Event("input"));
        const done = arguments[0];
        setTimeout(() => done(before !== document.querySelector("#chart-energy_dots svg").outerHTML), 500);"""
    assert browser.execute_async_script(script)


MANY = {
    "e4m3": {
        "lmul": (112, 6.3),
        "mitchell": (113, 5.6),
        "addm": (125, 4.1),
        "addc": (140, 3.9),
        "exact": (166, 3.9),
    },
    "e5m2": {
        "lmul": (89, 15.4),
        "mitchell": (88, 7.4),
        "addm": (88, 7.4),
        "addc": (97, 7.3),
        "exact": (97, 7.3),
    },
    "bf16": {"lmul": (188, 2.8), "mitchell": (182, 4.6), "addm": (208, 1.9), "exact": (771, 0.24)},
    "fp16": {"lmul": (222, 3.0), "mitchell": (185, 4.5), "addm": (240, 2.1), "exact": (1435, 0.03)},
    "fp32": {"lmul": (494, 3.2), "mitchell": (405, 4.7), "addm": (508, 2.3), "exact": (7078, 3e-6)},
}
"""Energy in fJ and RMS error in % of points that lie as close as those of a whole report."""


@pytest.fixture(scope="module")
def many(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a page with all formats, its figures made up of those of the small report."""
    report = json.loads((shared_report(shared / "report") / "out" / "report.json").read_text())
    kinds = [point for point in report["points"] if point["design"]["mul"] == "lmul"]
    report["plan"] = {"formats": list(MANY), "multipliers": list(MANY["e4m3"])}
    report["points"] = [
        kind
        | {"design": kind["design"] | {"format": name, "mul": mul}, "rms_error_percent": error}
        | {
            "energy_per_product_fj": energy * (1 if kind["design"]["kind"] == "mul" else 4),
            "interval_95_fj": 0.0,
        }
        for name, own in MANY.items()
        for mul, (energy, error) in own.items()
        for kind in kinds
        if name != "fp32" or kind["design"]["kind"] == "mul"
    ]
    place = tmp_path_factory.mktemp("many") / "index.html"
    place.write_text(page_of(sections(read_contents(json.dumps(report)))))
    return place


COLLISIONS = """
const seen = element => element.textContent && Number(getComputedStyle(element).opacity) > 0;
const box = element => element.getBoundingClientRect();
const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5;
const found = [];
for (const chart of document.querySelectorAll(".chart")) {
    const texts = [...chart.querySelectorAll("svg text")].filter(seen);
    const marks = [...chart.querySelectorAll(".mark-symbol.role-mark path")];
    texts.forEach((text, index) => {
        for (const other of [...texts.slice(index + 1), ...marks])
            if (meet(box(text), box(other)))
                found.push(`${chart.id}: ${text.textContent} on ${other.textContent || "a point"}`);
        const [inner, outer] = [box(text), box(chart)];
        if (inner.left < outer.left - 1 || inner.right > outer.right + 1)
            found.push(`${chart.id}: ${text.textContent} is cut off`);
    });
}
return found;
"""

NEXT_PANEL = """
let changed = false;
for (const menu of document.querySelectorAll(".menu select")) {
    if (menu.selectedIndex + 1 === menu.options.length) continue;
    menu.selectedIndex += 1; changed = true;
    menu.dispatchEvent(new Event("change")); menu.dispatchEvent(new Event("input"));
}
const done = arguments[0];
setTimeout(() => done(changed), 300);
"""


@pytest.mark.parametrize("width", [400, 700, 1400])
def test_no_text_of_a_chart_lies_on_another_or_on_a_point(browser: Any, many: Path, width: int) -> None:
    visit(browser, many, width)
    found = browser.execute_script(COLLISIONS)
    while browser.execute_async_script(NEXT_PANEL):
        found += browser.execute_script(COLLISIONS)
    assert found == []


EDGES = """
const place = document.getElementById(arguments[0]);
const box = place.getBoundingClientRect();
return [box.left + scrollX, box.top + scrollY, box.width, box.height, place.scrollWidth - place.clientWidth];
"""


SHADOW = 14
"""Pixels: what hides less than its width begins to show at once."""


def darkness(browser: Any, table: str) -> list[float]:
    """Tell how dark the left and the right edge of a table's place are, 0 for white, its text left out."""
    left, top, width, height, _ = browser.execute_script(EDGES, table)
    found = []
    for x in (left, left + width - 4):
        clip = {"x": x, "y": top, "width": 4, "height": min(height, 100), "scale": 1}
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip})
        found.append(1 - float(imread(BytesIO(base64.b64decode(shot["data"])))[..., :3].mean()))
    return found


def test_a_table_that_scrolls_sideways_shows_where_there_is_more(page: tuple[Any, Path, int]) -> None:
    browser, _, width = page
    tables = browser.execute_script(
        """document.querySelectorAll("details").forEach(part => part.open = true);
        const style = document.createElement("style");
        style.textContent = ".wide * { color: transparent !important; border-color: transparent !important }";
        document.head.append(style);
        return [...document.querySelectorAll(".wide")].map((place, index) => place.id = `wide-${index}`)"""
    )
    scrolled = [table for table in tables if browser.execute_script(EDGES, table)[-1] > SHADOW]
    assert bool(scrolled) == (width == 400)
    script = """const place = document.getElementById(arguments[0]);
        place.scrollIntoView(); place.scrollLeft = arguments[1];
        place.focus({preventScroll: true}); const reached = document.activeElement === place; place.blur();
        return [place.getAttribute("role"), place.getAttribute("aria-label").length > 0, reached]"""
    for table in scrolled[:3]:
        for far, begin_is_dark, end_is_dark in ((0, False, True), (10_000, True, False)):
            assert browser.execute_script(script, table, far) == ["region", True, True]
            begin, end = darkness(browser, table)
            assert (begin > 0.1, end > 0.1) == (begin_is_dark, end_is_dark), (table, begin, end)


def test_the_first_chart_is_on_the_first_screens(browser: Any, many: Path) -> None:
    for width, height, screens in ((1400, 900, 1), (400, 800, 2)):
        visit(browser, many, width)
        bottom = browser.execute_script(
            """return document.querySelector("#chart-savings").getBoundingClientRect().bottom"""
        )
        assert bottom <= screens * height
        lacking = browser.execute_script(
            """const place = document.querySelector("#answer .wide");
            return place.scrollWidth - place.clientWidth"""
        )
        assert lacking <= 0, "the first table is cut off"
