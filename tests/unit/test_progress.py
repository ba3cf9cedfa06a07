"""What is shown of a map that is under way."""

import io
import os
import pty
import re
import subprocess
import sys
import threading

import pytest

import pypoolparty
from pypoolparty import progress
from pypoolparty.batches import Batch, Element, Trace
from pypoolparty.engine import Standing, Unwatched
from pypoolparty.engine._standing import standing_of
from pypoolparty.ledger import Ledger
from pypoolparty.states import Outcome
from tests.unit.maps import wait_until

PROGRAM = """
import sys, time, pypoolparty
def nap(seconds):
    time.sleep(seconds)
    return seconds
def fail(number):
    raise ValueError(number)
if __name__ == "__main__":
    with pypoolparty.local.Pool(2, work_dir=sys.argv[1], **eval(sys.argv[2])) as pool:
        exec(sys.argv[3])
"""


def program(tmp_path, arguments, body):
    """Return the argv of a program with a pool."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    return [sys.executable, str(script), str(tmp_path / "work"), repr(arguments), body]


def run(tmp_path, arguments, body, **given):
    """Run a program with a pool; return what it wrote to stderr, which is a pipe."""
    argv = program(tmp_path, arguments, body)
    return subprocess.run(argv, stderr=subprocess.PIPE, text=True, check=True, timeout=60, **given).stderr


def run_in_terminal(tmp_path, arguments, body):
    """Run a program with a pool; return what a terminal gets."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(program(tmp_path, arguments, body), stderr=theirs, stdout=theirs, stdin=theirs)
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 65536):
            text += chunk
    except OSError:
        pass  # that is how a pty ends
    os.close(ours)
    assert 0 == process.wait(60)
    return text.decode()


# ---------------------------------------------------------------------- the numbers


def test_standing():
    """The numbers are those of the ledger: outcomes by kind, attempts, and queue-jobs by what was heard of them."""
    ledger = Ledger(10)
    for itask, outcome in enumerate([Outcome.RETURNED, Outcome.RETURNED, Outcome.RAISED, Outcome.LOST]):
        ledger.record(itask, outcome)
    ledger.attempts, ledger.free_attempts = {7: 2}, {8: 1}
    elements = [Element(traces={"w": Trace()}), Element(), Element(), Element(traces={"x": Trace()}, is_ended=True)]
    ledger.batches[1] = Batch(1, "q-0001", True, [1], [], elements, 0, 10, n_left=3, n_live=3)
    assert Standing(10, done=4, failed=2, resubmitted=3, running=1, pending=2) == standing_of(ledger)


# ---------------------------------------------------------------------- when


def times_of_looks(seconds, most):
    """Return the seconds at which somebody looks, who is asked ten times in each."""
    pace, times = progress.Pace(seconds, 0.0), []
    for tenth in range(10 * most):
        if pace.is_due(tenth / 10):
            pace.go_on(tenth / 10)
            times.append(tenth / 10)
    return times


def test_lines_become_rarer():
    """After one second, two more, five more, … and at last once in a minute."""
    assert [1, 3, 8, 18, 38, 68, 128, 188, 248] == times_of_looks(progress.LINE_SECONDS, 260)


def test_bars_are_moved_four_times_a_second():
    """From the first instant on."""
    assert [0, 0.3, 0.6] == times_of_looks(progress.BAR_SECONDS, 1)[:3]


# ---------------------------------------------------------------------- what


def painted(standing, seconds, initial, capsys):
    """Return one line."""
    progress.Lines("map f", initial).paint(standing, seconds)
    return capsys.readouterr().err.removeprefix("[pypoolparty] ").strip()


@pytest.mark.parametrize(
    ("standing", "initial", "expected"),
    [
        (Standing(10), 0, "map f: 0 of 10 tasks done (0 %), after 1:00"),
        (Standing(10, 5, 1, 2, 3, 4), 0, "…running, 4 pending, 1 failed, 2 resubmitted, after 1:00, about 1:00 left"),
        (Standing(10, 6, running=1), 4, "… (60 %), 1 running, after 1:00, about 2:00 left"),
        (Standing(10, 10, running=2), 4, "map f: 10 of 10 tasks done (100 %), after 1:00"),
    ],
)  # fmt: skip
def test_lines(standing, initial, expected, capsys):
    """A line says what is not zero; the time left is reckoned from what was done since the map began or was resumed."""
    assert painted(standing, 60.0, initial, capsys).endswith(expected.removeprefix("…"))


@pytest.mark.parametrize(("seconds", "words"), [(0, "0:00"), (59.6, "1:00"), (3723, "1:02:03"), (360000, "100:00:00")])
def test_durations(seconds, words):
    """Seconds as people read them."""
    assert words == progress.duration(seconds)


# ---------------------------------------------------------------------- to a pipe


def test_lines_in_a_pipe(tmp_path):
    """First what was submitted and how to watch it, then lines, one of them at the end; no control characters."""
    err = run(tmp_path, {"progress": True}, "pool.map(nap, [0.3] * 10)")
    lines = err.splitlines()
    assert re.fullmatch(
        r"\[pypoolparty\] 10 tasks; submitted 2 queue-jobs to this machine: local-\S+; "
        r"work_dir: (\S+); to watch it: pypoolparty watch \1",
        lines[0],
    )
    assert lines[-1].startswith("[pypoolparty] map nap: 10 of 10 tasks done (100 %), after 0:0")
    assert 3 <= len(lines) <= 5
    assert not set(err) & {"\r", "\x1b"}


def test_silent_by_default(tmp_path):
    """As multiprocessing is."""
    assert "" == run(tmp_path, {}, "pool.map(abs, range(10))")


def test_verbose_shows_progress_too(tmp_path):
    """Unless it is told not to."""
    assert "10 of 10 tasks done" in run(tmp_path, {"verbose": True}, "pool.map(abs, range(10))")
    assert "tasks done" not in run(tmp_path, {"verbose": True, "progress": False}, "pool.map(abs, range(10))")


def test_failures_are_counted(tmp_path):
    """The last line of a map that fails says how many did."""
    body = "pool.map(fail, range(3), on_error='return')"
    assert "3 of 3 tasks done (100 %), 3 failed, after" in run(tmp_path, {"progress": True}, body)


def test_terminated_map_has_a_last_line(tmp_path):
    """Terminate is an end like any other."""
    body = "pool.map_async(nap, [60] * 4); time.sleep(1.2); pool.terminate(); pool.join()"
    err = run(tmp_path, {"progress": True}, body)
    assert re.search(r"map nap: 0 of 4 tasks done \(0 %\)[^\n]*after 0:0\d\n(?!.*tasks done)", err), err


def test_several_maps_have_a_last_line_each(tmp_path):
    """The lines say whose they are."""
    body = "a = pool.map_async(nap, [0.1] * 4); b = pool.map_async(abs, range(5)); a.get(); b.get()"
    err = run(tmp_path, {"progress": True}, body)
    assert 1 == err.count("map nap: 4 of 4 tasks done")
    assert 1 == err.count("map abs: 5 of 5 tasks done")


def test_resumed_map_begins_with_what_is_done(tmp_path):
    """A bar or a line of a resumed map counts all tasks, and says first how many are done."""
    with pypoolparty.local.Pool(2, work_dir=tmp_path / "first", keep_work_dir=True) as pool:
        assert [0, 1, 2] == pool.map(abs, range(3))
    [work_dir] = (tmp_path / "first").iterdir()
    err = run(tmp_path, {"progress": True}, f"assert [0, 1, 2] == pool.resume({str(work_dir)!r})")
    assert f"resuming {work_dir}: 3 of 3 tasks are done; to watch it: pypoolparty watch {work_dir}" in err
    assert "resume: 3 of 3 tasks done (100 %)" in err


def test_resumed_map_tells_once_how_to_watch_it(tmp_path):
    """What is submitted then has a line, without the words that are there already."""
    with pypoolparty.local.Pool(2, work_dir=tmp_path / "first", keep_work_dir=True) as pool:
        pool.map(int, ["1", "one"], on_error="return")
    [work_dir] = (tmp_path / "first").iterdir()
    err = run(tmp_path, {"progress": True}, f"pool.resume({str(work_dir)!r}, redo_raised=True, func=len)")
    first, second, *_ = err.splitlines()
    assert f"[pypoolparty] resuming {work_dir}: 1 of 2 tasks are done; to watch it:" in first
    assert re.fullmatch(r"\[pypoolparty\] submitted 1 queue-job to this machine: local-\S+", second)


# ---------------------------------------------------------------------- to a terminal


def test_bar_in_a_terminal(tmp_path):
    """One bar, repainted in its line, with what is running; it ends at all tasks, before what the program prints."""
    text = run_in_terminal(tmp_path, {"progress": True}, "pool.map(nap, [0.4] * 6); print('after')")
    bars = re.findall(r"\rmap nap: +(\d+)%\|[^\r]*\| (\d+)/6 [^\r]*", text)
    assert ("0", "0") == bars[0]
    assert ("100", "6") == bars[-1]
    assert 3 < len(bars)
    assert "2 running" in text
    assert text.index("6/6") < text.index("after")
    assert "submitted 2 queue-jobs" in text


def test_several_bars(tmp_path):
    """Each map of a pool has a bar of its own, and all of them end."""
    body = "a = pool.map_async(nap, [0.3] * 4); b = pool.map_async(abs, range(5)); a.get(); b.get()"
    text = run_in_terminal(tmp_path, {"progress": True}, body)
    assert re.search(r"map nap: 100%\|[^\r]*4/4", text)
    assert re.search(r"map abs: 100%\|[^\r]*5/5", text)


# ---------------------------------------------------------------------- bad days


def test_closed_stderr(tmp_path):
    """Where nobody can see it, a map goes on all the same."""
    for closing in ("sys.stderr.close()", "sys.stderr = None", "import os; os.close(2)"):
        body = f"{closing}; assert [0, 1] == pool.map(abs, range(2)); print('done')"
        argv = program(tmp_path, {"verbose": True}, body)
        found = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert (0, "done\n") == (found.returncode, found.stdout), (closing, found.stderr)


class Broken:
    """A view that can not paint."""

    def __init__(self):
        self.calls = 0

    def paint(self, standing, seconds):
        """Fail."""
        self.calls += 1
        raise OSError("no paint")

    def close(self):
        """Fail as well."""
        raise RuntimeError("no paint at all")


def test_exception_in_painting_ends_no_map():
    """What goes wrong in painting stays there."""
    view = Broken()
    shown = progress.Progress(lambda: view, (0.0, 1.0), 0.0)
    assert shown.is_due(0.0)
    shown.see(Standing(3), 0.0)
    wait_until(lambda: view.calls)
    shown.end(Standing(3, 3), 5.0)
    shown.end(Standing(3, 3), 6.0)
    assert 1 == view.calls
    assert not shown.is_due(99.0)


class Stopped:
    """A view on a terminal that was stopped, until it goes on."""

    def __init__(self):
        self.go_on, self.painted = threading.Event(), []

    def paint(self, standing, seconds):
        """Wait until the terminal goes on."""
        assert self.go_on.wait(20)
        self.painted.append(standing.done)

    def close(self):
        """Nothing is left open."""


def test_stopped_terminal_holds_nobody_up(monkeypatch):
    """The engine goes on while nothing can be painted; what was missed is left out, but not the end."""
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.01)
    view = Stopped()
    shown = progress.Progress(lambda: view, (0.0, 1.0), 0.0)
    for second in range(100):
        shown.see(Standing(200, second), float(second))
    shown.end(Standing(200, 200), 100.0)
    assert [] == view.painted
    view.go_on.set()
    wait_until(lambda: view.painted and view.painted[-1] == 200)
    assert len(view.painted) <= 3


def test_where_it_goes(monkeypatch):
    """No console, nobody to watch; a file that is closed is no terminal, and no error."""
    closed = io.StringIO()
    closed.close()
    assert isinstance(progress.watch_over("map", 3, 0, 0.0, closed), progress.Progress)
    monkeypatch.setattr(sys, "stderr", None)
    assert isinstance(progress.watch_over("map", 3, 0, 0.0), Unwatched)
