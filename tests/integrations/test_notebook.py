"""A notebook: the bar, maps in the background, *Interrupt*, and awaiting."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.helpers import wait_until
from tests.integrations.notebooks import Notebook, notebook_in, raised, written

pytestmark = pytest.mark.timeout(240)

POOL = """
import asyncio, os, pathlib, time, pypoolparty
pool = pypoolparty.local.Pool(2, progress=True, work_dir="work")
"""


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """Return a notebook with a pool."""
    with notebook_in(tmp_path, monkeypatch) as opened:
        assert [] == opened.run(POOL)
        yield opened
        assert "" == raised(opened.run("pool.terminate(); pool.join()"))


def bars(outputs: list[Any]) -> list[Any]:
    """Return the outputs that show a widget."""
    return [one for one in outputs if one["output_type"] == "display_data"]


def test_bar_is_a_widget(notebook: Notebook) -> None:
    """One bar below the cell, full and green at the end; what was submitted is told in words."""
    outputs = notebook.run("print(pool.map(abs, [-3, 2, -1]))")
    assert "[3, 2, 1]\n" == written(outputs, "stdout")
    [bar] = bars(outputs)
    state = notebook.widget("FloatProgressModel", bar)
    assert (3, 3, "success") == (state["value"], state["max"], state["bar_style"])
    assert "3/3" in notebook.words(bar)
    assert "[pypoolparty] 3 tasks; submitted" in written(outputs)
    assert "%|" not in written(outputs)  # no bar of text beside it
    assert "100%" == notebook.layout(bar)["width"]  # of the cell, and not so many pixels


def test_failures_are_counted(notebook: Notebook) -> None:
    """The bar is red and says how many tasks failed, and the exception says what to do next."""
    outputs = notebook.run("pool.map(int, ['1', 'one', '2'])")
    [bar] = bars(outputs)
    assert "1 failed" in notebook.words(bar)
    assert "red" == notebook.style(bar)["bar_color"]
    assert "ValueError: invalid literal for int()" in raised(outputs)
    assert "next: pypoolparty failures" in raised(outputs)


def test_bar_without_widgets(notebook: Notebook) -> None:
    """Who has no ipywidgets sees a bar of text."""
    notebook.run("import sys; sys.modules['ipywidgets'] = None")
    outputs = notebook.run("print(pool.map(abs, [-3, 2, -1]))")
    assert "[3, 2, 1]\n" == written(outputs, "stdout")
    assert "| 3/3 [" in written(outputs)
    assert "Warning" not in written(outputs)
    assert [] == bars(outputs)


def test_map_in_the_background(notebook: Notebook) -> None:
    """The cell ends at once; the results are there in a later one, and the bar where the map was begun."""
    code = """
def task(number):
    while not os.path.exists("go"):
        time.sleep(0.01)
    return -number

result = pool.map_async(task, range(4))
print(result.ready())
"""
    assert "False\n" == written(notebook.run(code), "stdout")
    later = notebook.run("pathlib.Path('go').touch(); print(result.get(60))")
    assert "[0, -1, -2, -3]\n" == written(later, "stdout")
    assert [] == bars(later)
    assert "" == written(later)  # what was submitted is told there, too


def test_awaiting(notebook: Notebook) -> None:
    """Cells may await calls, for the kernel has an event loop."""
    code = "print(await asyncio.wrap_future(pypoolparty.Executor(pool).submit(pow, 2, 5)))"
    outputs = notebook.run(code)
    assert "32\n" == written(outputs, "stdout"), raised(outputs)


def test_interrupt(notebook: Notebook, tmp_path: Path) -> None:
    """It ends the map and keeps what is done; the kernel and the pool go on, and the map can be resumed."""
    pid = int(written(notebook.run("print(os.getpid())"), "stdout"))
    code = """
def task(number):
    if number == 0:
        return 0
    pathlib.Path("begun").touch()
    while not os.path.exists("go"):
        time.sleep(0.01)
    return number

pool.map(task, [0, 1])
"""

    def interrupt() -> None:
        wait_until((tmp_path / "begun").exists, lambda: "a task that has begun", 60)
        os.kill(pid, signal.SIGINT)

    thread = threading.Thread(target=interrupt, name="interrupt")
    thread.start()
    outputs = notebook.run(code)
    thread.join()
    assert "KeyboardInterrupt" in raised(outputs)
    resumed = notebook.run("pathlib.Path('go').touch(); [w] = pathlib.Path('work').glob('q*'); print(pool.resume(w))")
    assert "[0, 1]\n" == written(resumed, "stdout"), raised(resumed)
