"""Running one command: it ends, with its children, and what it says is understood."""

import os
import signal
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypoolparty.command import Completed, backoff, run
from pypoolparty.errors import CommandFailed, CommandTimedOut
from tests.unit.maps import is_running, wait_until


def sh(text, timeout=20, **more):
    """Run a line of shell."""
    return run(["/bin/sh", "-c", text], timeout, **more)


def test_answer():
    """All that a command says and how it ended is there."""
    done = sh("echo out; echo err >&2; exit 3")
    assert Completed(("/bin/sh", "-c", "echo out; echo err >&2; exit 3"), 3, "out\n", "err\n") == done


@pytest.mark.parametrize(("text", "code"), [("true", 0), ("exit 1", 1), ("exit 255", 255), ("kill -9 $$", -9)])
def test_exit_codes(text, code):
    """An exit code is an answer, no error; a signal is its negative number."""
    assert code == sh(text).returncode


def test_raise_for_returncode():
    """Who wants an error gets it, with the words of the command."""
    assert 0 == sh("true").raise_for_returncode().returncode
    with pytest.raises(CommandFailed, match="ended with 4: some words") as caught:
        sh("echo some words >&2; exit 4").raise_for_returncode()
    assert (4, "some words\n") == (caught.value.returncode, caught.value.stderr)


def test_failed_command_that_said_nothing():
    """The message tells that there were no words."""
    with pytest.raises(CommandFailed, match="it said nothing"):
        sh("exit 1").raise_for_returncode()
    with pytest.raises(CommandFailed, match="on stdout"):
        sh("echo on stdout; exit 1").raise_for_returncode()


def test_undecodable_output():
    """Bytes that are no UTF-8 are kept readable."""
    assert "caf\\xe9 雪\n" == sh(r"printf 'caf\351 雪\n'").stdout


def test_much_output():
    """More than a pipe holds, on both streams, is read."""
    done = sh("for n in 1 2 3 4 5; do head -c 100000 /dev/zero; head -c 100000 /dev/zero >&2; done")
    assert (500_000, 500_000) == (len(done.stdout), len(done.stderr))


@pytest.mark.parametrize("argv", [["/nowhere/sbatch"], ["pypoolparty-no-such-command"], ["/etc/passwd"], ["/"]])
def test_command_that_can_not_be_started(argv):
    """A missing command is told with its path."""
    with pytest.raises(CommandFailed, match=argv[0]) as caught:
        run(argv, 20)
    assert 127 == caught.value.returncode


def test_nothing_goes_through_a_shell():
    """Arguments arrive as they are."""
    hostile = ["a b", "$HOME", "'", '"', "*", "a\nb", ";", "雪", "%s\\n", ""]
    assert hostile == run(["/usr/bin/env", "printf", "%s\\0", *hostile], 20).stdout.split("\0")[:-1]


def test_environment():
    """The variables are those given, or our own."""
    assert "x\n" == sh("echo $COLOUR", environment={"COLOUR": "x"}).stdout
    assert f"{os.environ['PATH']}\n" == sh("echo $PATH").stdout
    assert "unset\n" == sh("echo ${HOME-unset}", environment={}).stdout


def test_stdin_is_empty():
    """A command that asks for input gets none, and does not wait."""
    assert "" == sh("cat").stdout


def test_files_that_it_makes_are_private():
    """Schedulers take over the umask for the raw output of jobs."""
    assert 0o077 == int(sh("umask").stdout, 8)


@pytest.mark.parametrize(
    "text",
    [
        "sleep 600 & echo $! > {0}; wait",  # it waits for its child
        "sleep 600 & echo $! > {0}",  # it has ended, and its child holds the pipe
        "trap '' TERM INT HUP; sleep 600 & echo $! > {0}; while true; do wait; done",  # it does not want to end
    ],
)
def test_timeout_kills_the_children_too(tmp_path, text):
    """A command that hangs is killed with all that it has started."""
    file = tmp_path / "pid"
    start = time.monotonic()
    with pytest.raises(CommandTimedOut, match=r"/bin/sh did not end within 1 s") as caught:
        sh(text.format(file), timeout=1)
    assert 1 <= time.monotonic() - start < 10
    assert 1 == caught.value.seconds
    grandchild = int(file.read_text())
    wait_until(lambda: not is_running(grandchild), "the grandchild's end")


class Interrupted(BaseException):
    """What a signal raises in this test."""


def test_interruption_kills_the_command(tmp_path):
    """Whatever ends the waiting (Ctrl-C, say), the command does not stay behind."""
    file = tmp_path / "pid"

    def raise_it(number, frame):
        raise Interrupted

    def interrupt():
        wait_until(lambda: file.exists() and file.read_text().strip(), "the command")
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, raise_it)
    try:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(Interrupted):
            sh(f"sleep 600 & echo $! > {file}; wait")
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    grandchild = int(file.read_text())
    wait_until(lambda: not is_running(grandchild), "the grandchild's end")


def test_signals_of_the_terminal_do_not_reach_it():
    """It runs in a session of its own: Ctrl-C is for the main process, which decides."""
    assert str(os.getsid(0)) != sh("ps -o sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/$$/stat").stdout.strip()


@given(st.integers(1, 10**6), st.floats(0.01, 100), st.floats(1, 1000), st.floats(0, 1))
def test_backoff(failures, first, most, jitter):
    """The wait doubles, up to a limit, and jitter adds half of it at most."""
    wait = backoff(failures, first, most, 0.0)
    assert min(first, most) <= wait <= most
    assert wait <= backoff(failures, first, most, jitter) <= 1.5 * wait
    assert wait <= backoff(failures + 1, first, most, 0.0) <= 2 * wait


def test_backoff_row():
    """A second, two, four, … at most as told."""
    assert [1, 2, 4, 8, 10, 10] == [backoff(n, 1, 10, 0.0) for n in range(1, 7)]


def test_errors_have_their_argv():
    """Who catches one can say what was called."""
    for error in (CommandFailed(["a", "b"], 1, "", ""), CommandTimedOut(("a", "b"), 1)):
        assert ["a", "b"] == error.argv
