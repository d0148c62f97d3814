"""The report's page in Chromium: every chart drawn, nothing on the console, no wider than the screen."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.host.reports import shared_report
from tests.support.paths import ROOT

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
    width: int = request.param
    show(browser, width, HEIGHT)
    browser.get((place / "index.html").as_uri())
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(browser, 30).until(lambda found: charts(found)[0] == charts(found)[1])
    return browser, place, width


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
    assert charts(browser) == (8, 8)
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
