"""Reports as a browser shows them: headless Chromium, from a phone's width to a wide screen, light and dark."""

import functools
import os
import shutil
import time
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from pypoolparty import report
from tests.real import packages
from tests.real.daemons import DaemonsUnavailable
from tests.report.test_facts import die_once
from tests.report.test_page import be_hostile, be_quiet

SCREENS = [(width, scheme) for width in (400, 800, 1600) for scheme in ("light", "dark")]
QUIET = ("gpu", "quic", "background-networking", "component-update", "sync", "extensions")
PLAIN, DARK = "rgb(245, 246, 248)", "rgb(17, 22, 29)"


@pytest.fixture(scope="module")
def browser():
    """Return Chromium; it is installed where that is possible."""
    try:
        packages.require({"chromium": "chromium"})
    except DaemonsUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Chromium: {error}")
    arguments = [f"--disable-{what}" for what in QUIET] + ["--no-first-run"]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments, chromium_sandbox=os.getuid() != 0
        )
        yield found
        found.close()


class Shown:
    """A report in a window, and all that the browser said and asked for."""

    def __init__(self, browser, path, width, scheme):
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(Path(path).as_uri(), timeout=120_000)
        self.page.wait_for_selector("html[data-drawn=yes]", timeout=120_000)

    def wait_until(self, condition, message):
        """Wait for what the page comes to by itself; its policy lets nobody put a script into it."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, f"waited for {message}"
            self.page.wait_for_timeout(20)

    def fill_of_bars(self):
        """Return the colour of the first bar of the run-times."""
        return self.page.evaluate("getComputedStyle(document.querySelector('#plot-seconds .point path')).fill")


@pytest.fixture
def show(browser):
    """Return a function that shows a report."""
    shown = []

    def open_report(path, width=800, scheme="light"):
        shown.append(Shown(browser, path, width, scheme))
        return shown[-1]

    yield open_report
    for one in shown:
        one.context.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Return reports by their kind: of failures with hostile texts, of retries, and of many tasks."""
    import pypoolparty

    folder = tmp_path_factory.mktemp("reports")
    tasks = {
        "hostile": (be_hostile, range(12)),
        "retries": (functools.partial(die_once, folder=folder), range(24)),
        "many": (be_quiet, range(3000)),
    }
    found = {}
    for name, (func, todo) in tasks.items():
        options = {"keep_work_dir": True, "polling_interval": 0.1, "max_num_resubmissions": int(name == "retries")}
        with pypoolparty.local.Pool(3, work_dir=folder / name, **options) as pool:
            result = pool.map_async(func, todo, on_error="return")
            result.get()
            pool.close()
            pool.join()
        found[name] = report.write(result.work_dir, folder / f"{name}.html")
    return found


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
@pytest.mark.parametrize("kind", ["hostile", "retries", "many"])
def test_report_in_a_browser(kind, width, scheme, reports, show, tmp_path, request):
    """All plots are drawn, nothing is complained of or asked for elsewhere, and nothing sticks out."""
    shown = show(reports[kind], width, scheme)
    page = shown.page
    folder = request.config.getoption("debug_dir") or tmp_path
    page.screenshot(path=Path(folder) / f"{kind}-{width}-{scheme}.png", full_page=True)
    assert [] == shown.said
    assert [] == [url for url in shown.asked if not url.startswith(("file:", "data:", "blob:"))]
    assert 1 == sum(url.startswith("file:") for url in shown.asked)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    plots = page.locator(".plot")
    assert plots.count() >= 6
    assert all(plots.nth(k).locator(".main-svg").count() for k in range(plots.count()))
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (DARK if scheme == "dark" else PLAIN) == background
    assert page.title().startswith("map of ")


def test_colours_follow_the_system(reports, show):
    """Who turns to dark while the page is open sees dark plots."""
    shown = show(reports["retries"], scheme="light")
    light = shown.fill_of_bars()
    shown.page.emulate_media(color_scheme="dark")
    shown.wait_until(lambda: shown.fill_of_bars() != light, "another colour")
    assert "rgb(103, 170, 240)" == shown.fill_of_bars()
    assert [] == shown.said


def test_plots_follow_the_window(reports, show):
    """A window that becomes narrow has narrow plots."""
    shown = show(reports["retries"], width=1600)
    shown.page.set_viewport_size({"width": 400, "height": 900})
    width = "document.querySelector('#plot-seconds .main-svg').getBoundingClientRect().width"
    shown.wait_until(lambda: shown.page.evaluate(width) < 400, "narrow plots")
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 400


def test_browser_tells_of_what_is_forbidden(reports, show, tmp_path):
    """The check can fail: an image from elsewhere in the page is asked for by nobody, and complained of."""
    with open(reports["many"], encoding="utf-8") as stream:
        page = stream.read()
    bad = tmp_path / "bad.html"
    bad.write_text(page.replace("<h1>", '<img src="http://127.0.0.1:9/x.png"><h1>', 1), encoding="utf-8")
    shown = show(bad)
    assert any("Content Security Policy" in words for words in shown.said)
