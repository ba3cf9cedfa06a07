"""What is in the work_dir, and when it is kept."""

import os
import stat

import pytest

from tests.contract import functions as f
from tests.contract.helpers import end, files_in, one_session_in, sessions_in, text_of_task, texts_in

pytestmark = pytest.mark.beyond

# Each of these has broken something somewhere.
HOSTILE_NAMES = {
    "blank": "a b",
    "quotes": 'a\'; echo "foo" `id`',
    "newline": "a\nb",
    "percent": "%j 100% %",
    "unicode": "\N{SNOWMAN}ä",
    "dollar": "$HOME ${x} \\n",
    "comma": "a,b:c=d",
    "dash": "-x",
}


def mode_of(path):
    """Return the permissions of a file."""
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.cheap
def test_removed_at_the_end(pool, folder):
    """A map without mistakes, words or wishes leaves no work_dir."""
    assert [0, 1, 4] == pool.map(f.square, range(3))
    end(pool)
    assert [] == sessions_in(folder)


@pytest.mark.cheap
@pytest.mark.leaves_work_dir
def test_kept_on_request(make_pool, folder):
    """With `keep_work_dir` it stays, and is for nobody else's eyes."""
    pool = make_pool(keep_work_dir=True)
    assert [0, 1, 4] == pool.map(f.square, range(3))
    end(pool)
    session = one_session_in(folder)
    assert 0o700 == mode_of(session)
    assert 0o600 == mode_of(session / "environment.json")
    assert {"tasks.zip", "script.py", "log.jsonl", "tasks.results.zip"} <= set(os.listdir(session))


@pytest.mark.leaves_work_dir
def test_kept_after_an_exception(pool, folder):
    """After an exception it stays, with the traceback in it."""
    with pytest.raises(ValueError, match="bad task"):
        pool.map(f.raise_for_three, range(5))
    end(pool)
    session = one_session_in(folder)
    line = 'raise ValueError("bad task", x)'
    assert any(line in text for text in texts_in(session / "tasks.exceptions.zip"))


@pytest.mark.cheap
@pytest.mark.leaves_work_dir
def test_output_of_tasks(pool, folder):
    """What a task writes to stderr keeps the work_dir, and each task's output is found by its number."""
    assert [0, 1, 2] == pool.map(f.speak, range(3))
    end(pool)
    session = one_session_in(folder)
    for itask in range(3):
        assert f"task {itask} to stdout\n" == text_of_task(session, "stdout", itask)
        assert f"task {itask} to stderr\n" == text_of_task(session, "stderr", itask)


@pytest.mark.leaves_work_dir
def test_archives_are_whole_when_map_returns(make_pool, folder):
    """Who looks into the work_dir after `map` finds ordinary zip files there; the pool need not have ended."""
    pool = make_pool(keep_work_dir=True)
    for _ in range(3):
        pool.map(f.speak, range(3))
    for session in sessions_in(folder):
        assert 3 == len(texts_in(session / "tasks.results.zip"))
        assert "task 2 to stdout\n" == text_of_task(session, "stdout", 2)


@pytest.mark.leaves_work_dir
def test_output_from_below_python(make_pool, folder):
    """Output of C code and of child processes is a task's output as well; stdout keeps no work_dir."""
    pool = make_pool(keep_work_dir=True)
    assert [0, 1] == pool.map(f.speak_below_python, range(2))
    end(pool)
    session = one_session_in(folder)
    for itask in range(2):
        expected = f"task {itask} by write\ntask {itask} by child\n"
        assert expected == text_of_task(session, "stdout", itask)


def test_stdout_alone_keeps_nothing(pool, folder):
    """Words on stdout are no reason to keep the work_dir."""
    assert [None] == pool.map(print, ["hello"])
    end(pool)
    assert [] == sessions_in(folder)


@pytest.mark.cheap
def test_environment(make_pool, monkeypatch, tmp_path):
    """Tasks find the variables and the folder of the main process."""
    value = "blank, 'quote', \"quotes\", new\nline, %j, $HOME, \N{SNOWMAN}"
    monkeypatch.setenv("PARTY_HOSTILE", value)
    monkeypatch.setenv("PARTY_EMPTY", "")
    monkeypatch.delenv("PARTY_ABSENT", raising=False)
    monkeypatch.chdir(tmp_path)
    pool = make_pool()
    names = ["PARTY_HOSTILE", "PARTY_EMPTY", "PARTY_ABSENT"]
    read = pool.map_async(f.read_variable, names)
    assert [str(tmp_path)] == pool.map(f.working_folder, [0])
    assert [value, "", None] == read.get(60)


@pytest.mark.cheap
@pytest.mark.leaves_work_dir
def test_many_calls_become_one_submission(make_pool, folder):
    """Many calls of `apply_async` in a moment are submitted together."""
    pool = make_pool(keep_work_dir=True)
    results = [pool.apply_async(f.square, (x,)) for x in range(10)]
    assert [x * x for x in range(10)] == [result.get(90) for result in results]
    end(pool)
    submissions = [path for session in sessions_in(folder) for path in (session / "submissions").iterdir()]
    assert len(submissions) <= 2


@pytest.mark.only("local", "dummy-slurm-array", "dummy-sge")
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_work_dir(make_pool, folder, name):
    """A folder may have any name."""
    pool = make_pool(work_dir=str(folder / HOSTILE_NAMES[name]))
    assert [0, 1, 4] == pool.map(f.square, range(3))


@pytest.mark.cheap
@pytest.mark.leaves_work_dir
def test_most_hostile_work_dir(make_pool, folder):
    """A folder may have all of these in its name, and the output is there all the same."""
    pool = make_pool(work_dir=str(folder / " ".join(HOSTILE_NAMES.values())), keep_work_dir=True)
    assert [0, 1, 2] == pool.map(f.speak, range(3))
    end(pool)
    assert "task 2 to stdout\n" == text_of_task(one_session_in(folder), "stdout", 2)


@pytest.mark.heavy
@pytest.mark.leaves_work_dir
def test_files_are_few(make_pool, backend, folder):
    """The number of files does not grow with the number of tasks, at no time."""
    pool = make_pool(keep_work_dir=True)
    result = pool.map_async(f.square, range(20_000), backend.chunksize_for_many(20_000))
    most = 0
    while not result.ready():
        most = max(most, files_in(folder))
        result.wait(0.05)
    assert sum(x * x for x in range(20_000)) == sum(result.get(0))
    assert 0 < most < 2000
    assert files_in(folder) < 2000


@pytest.mark.only("local", "slurm-array", "sge-array")
def test_work_dir_given_and_relative(make_pool, monkeypatch, folder):
    """A relative work_dir is meant from the folder of the main process."""
    monkeypatch.chdir(folder)
    pool = make_pool(work_dir="relative")
    assert [0, 1, 4] == pool.map(f.square, range(3))
