"""Headless Chromium as a fixture, and what it says and asks for when it shows a page."""

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.real import packages
from tests.real.daemons import DaemonsUnavailable

QUIET = ("gpu", "quic", "background-networking", "component-update", "sync", "extensions")


@pytest.fixture(scope="module")
def browser():
    """Return Chromium; it is installed where that is possible."""
    try:
        packages.require({"chromium": "chromium"})
    except DaemonsUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Chromium: {error}")
    from playwright.sync_api import sync_playwright

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
