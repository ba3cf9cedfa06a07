"""Reports as a browser shows them: headless Chromium, from a phone's width to a wide screen, light and dark."""

import functools
from pathlib import Path

import pytest

from pypoolparty import report
from tests.report.test_facts import die_once
from tests.report.test_page import be_hostile, be_quiet

SCREENS = [(width, scheme) for width in (400, 800, 1600) for scheme in ("light", "dark")]
PLAIN, DARK = "rgb(245, 246, 248)", "rgb(17, 22, 29)"


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
