"""The program on the node: how it starts, what it finds, what it writes down."""

import functools
import os
import shutil
import subprocess
import sys
import time
from multiprocessing.pool import MaybeEncodingError

import pytest

from pypoolparty import payload, worker
from tests.unit import functions
from tests.unit.jobs import QueueJob, records_of, returned, run, said
from tests.unit.maps import files_below, make_map, submit

BARE = (sys.executable, "-S")
# All that the start of a worker may import on top of what Python itself has at its start.
ALLOWED = {
    *("__future__", "_thread", "errno", "json", "mmap", "os", "pickle", "resource", "signal", "struct", "time", "zlib"),
    *("_collections_abc", "_stat", "genericpath", "os.path", "posixpath", "stat"),
    *("json.decoder", "json.encoder", "json.scanner", "_json"),
    *("_compat_pickle", "_pickle", "_struct", "copyreg"),
    *("re", "re._casefix", "re._compiler", "re._constants", "re._parser", "_sre"),
    *("sre_compile", "sre_constants", "sre_parse"),
    *("collections", "_collections", "enum", "functools", "_functools", "itertools", "keyword"),
    *("operator", "_operator", "reprlib", "types", "_types"),
}


def modules_of(code, *args):
    """Return the modules that are loaded after a bare python has run some code."""
    argv = [*BARE, "-I", "-c", f"import sys\n{code}\nprint(*sys.modules)", *args]
    return set(subprocess.run(argv, capture_output=True, check=True, text=True).stdout.split())


@pytest.fixture
def alone(tmp_path):
    """A folder with the worker in it, and nothing else of ours."""
    shutil.copy(worker.__file__, tmp_path / "script.py")
    return str(tmp_path)


def test_import_of_the_worker(alone):
    """It imports the standard library only, and little of it: each queue-job pays for its start."""
    before = modules_of("")
    after = modules_of("sys.path.append(sys.argv[1])\nimport script", alone)
    assert {"script"} == after - before - ALLOWED


def test_start_of_a_worker(tmp_path):
    """Until its first task runs, a worker has imported nothing more than the func's own module."""
    work_dir = make_map(tmp_path / "s", functions.modules, [0])
    submit(work_dir, 1)
    loaded = set(returned(run(work_dir, python=BARE))[0])
    own = {"tests", "tests.unit", "tests.unit.functions"}
    assert own == loaded - modules_of("") - ALLOWED
    assert not loaded & {"threading", "multiprocessing", "subprocess", "tempfile", "logging", "typing", "cloudpickle"}


HOSTILE = [
    "a b",
    " ",
    "a'; echo foo",
    'a"b',
    "a\nb",
    "50%",
    "%s%n",
    "a\\b",
    "$HOME",
    "`id`",
    "雪 Ω",
    "-n",
    "*",
    "a;b|c&d",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(tmp_path, name):
    """Whatever the work_dir is called, the worker does its tasks in it, and nothing outside of it."""
    work_dir = make_map(tmp_path / name, functions.identity, ["a", "b", "c"])
    submit(work_dir, 3)
    assert {0: "a", 1: "b", 2: "c"} == returned(run(work_dir))
    assert [name] == os.listdir(tmp_path)


def test_what_a_worker_leaves(tmp_path):
    """Hello, the outcomes in segments of the slot, goodbye with the numbers of segments; nothing in spool/tmp."""
    work_dir = make_map(tmp_path / "s", functions.identity, range(5))
    submit(work_dir, 5)
    records = run(work_dir, SLURM_JOB_ID="4711", SLURMD_NODENAME='n7,"x"\n')
    hello, goodbye = said(records, worker.HELLO), said(records, worker.GOODBYE)
    assert ("4711", 0, "n7x") == (hello["job"], hello["element"], hello["host"])
    assert hello["worker"] == goodbye["worker"]
    assert ("exhausted", 0) == (goodbye["reason"], goodbye["signal"])
    assert [] == os.listdir(work_dir.layout.spool_tmp)
    segments = work_dir.collect(refresh=False)
    assert {hello["worker"]} == {segment.worker for segment in segments}
    counts = {slot: sum(s.slot == slot for s in segments) for slot in goodbye["segments"]}
    assert counts == goodbye["segments"]


def test_stat_of_a_task(tmp_path):
    """A row for each task: its times, cpu seconds, memory, node and queue-job."""
    work_dir = make_map(tmp_path / "s", functions.take_time, [0.02])
    submit(work_dir, 1)
    before = time.time()
    records = run(work_dir, SLURMD_NODENAME="n7")
    [stat] = [record.stat.decode() for record in records if record.kind == worker.RETURNED]
    itask, start, stop, cpu, rss, node, job = stat.rstrip("\n").split(",")
    assert ("0", "n7", "0001-000000") == (itask, node, job)
    assert before <= float(start) <= float(stop) - 0.02 <= time.time()
    assert 0 <= float(cpu) < 1
    assert 1000 < int(rss) < 10**6


@pytest.mark.parametrize(
    ("variables", "element"),
    [({"SLURM_ARRAY_TASK_ID": "2"}, 2), ({"SGE_TASK_ID": "3"}, 2), ({"SLURM_ARRAY_TASK_ID": "0"}, 0)],
)
def test_element_of_an_array(tmp_path, variables, element):
    """The scheduler tells which element it is; Grid Engine counts from one."""
    work_dir = make_map(tmp_path / "s", functions.identity, range(3))
    submit(work_dir, 3, width=3, is_elastic=False)
    assert {element: element} == returned(run(work_dir, element=None, **variables))


def test_no_element():
    """Without an element it does not guess."""
    assert 5 == worker.find_element("5")
    with pytest.raises(SystemExit, match="no element"):
        worker.find_element(None)


def test_more_than_one_element(tmp_path):
    """What one has claimed the other leaves alone; one that comes late finds nothing, and leaves in order."""
    work_dir = make_map(tmp_path / "s", functions.identity, range(50))
    submit(work_dir, 50, width=2, chunksize=1)
    jobs = [QueueJob(work_dir, element) for element in range(2)]
    assert [(0, ""), (0, "")] == [job.end() for job in jobs]
    records = records_of(work_dir)
    assert {k: k for k in range(50)} == returned(records)
    assert 50 == sum(record.kind == worker.RETURNED for record in records)
    late = run(work_dir, element=7)
    assert len(records) + 2 == len(late)


def test_own_chunk_only(tmp_path):
    """Where each chunk has a queue-job of its own, that one does it and nothing else; a repeated one does nothing."""
    work_dir = make_map(tmp_path / "s", functions.identity, range(4))
    submit(work_dir, 4, width=2, is_elastic=False, chunksize=2)
    assert {2: 2, 3: 3} == returned(run(work_dir, element=1))
    assert 2 == sum(record.kind == worker.RETURNED for record in run(work_dir, element=1))


@pytest.mark.parametrize(
    ("func", "tasks", "call", "expected"),
    [
        (functions.add, [(1, 2), [3, 4]], "starmap", [3, 7]),
        (None, [(functions.add, (1, 2), {}), (sorted, ([2, 1],), {"reverse": True})], "apply", [3, [2, 1]]),
        (lambda task: task + 1, [1, 2], "map", [2, 3]),
        (functools.partial(functions.add, 10), [1, 2], "map", [11, 12]),
        ([1, 2, 1].count, [1, 2], "map", [2, 1]),
    ],
    ids=["starmap", "apply", "lambda", "partial", "method"],
)
def test_calls(tmp_path, func, tasks, call, expected):
    """All kinds of functions and calls."""
    work_dir = make_map(tmp_path / "s", func, tasks, call=call)
    submit(work_dir, len(tasks))
    assert expected == list(returned(run(work_dir)).values())


def test_lambda_where_nothing_is_installed(tmp_path):
    """Cloudpickle comes from the work_dir where the node's python lacks it."""
    work_dir = make_map(tmp_path / "s", lambda task: __import__("cloudpickle").__file__, [0])
    text = (tmp_path / "s" / "environment.json").read_text()
    site = os.path.dirname(os.path.dirname(sys.modules["cloudpickle"].__file__))
    (tmp_path / "s" / "environment.json").write_text(text.replace(f'"{site}"', '"/nowhere"'))
    submit(work_dir, 1)
    assert returned(run(work_dir, python=BARE))[0].startswith(work_dir.layout.library)


def test_surroundings(tmp_path, monkeypatch):
    """A task finds the main process's folder, umask and variables; and one thread, unless the user has said more."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/some/lib")
    before = os.umask(0o027)
    try:
        work_dir = make_map(tmp_path / "s", functions.surroundings, [0], env={"COLOUR": "blue"})
    finally:
        os.umask(before)
    submit(work_dir, 1, cpus=3)
    found = returned(run(work_dir, LD_LIBRARY_PATH="/other/lib", MKL_NUM_THREADS="1"))[0]
    assert {
        "cwd": str(tmp_path),
        "umask": 0o027,
        "COLOUR": "blue",
        "OMP_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "7",
        "LD_LIBRARY_PATH": "/some/lib",
        "PYPOOLPARTY_REEXECUTED": None,
    } == found


def test_folder_that_is_not_on_the_node(tmp_path, monkeypatch):
    """A missing folder is told in the raw stderr, and the tasks are done."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    work_dir = make_map(tmp_path / "s", functions.identity, [5])
    submit(work_dir, 1)
    monkeypatch.undo()
    folder.rmdir()
    code, err = QueueJob(work_dir).end()
    assert 0 == code
    assert f"can not enter {str(folder)!r}" in err
    assert {0: 5} == returned(records_of(work_dir))


def test_output_is_each_tasks_own(tmp_path):
    """What Python, a file descriptor, a child process and C code write is the task's; nothing is left to the job."""
    work_dir = make_map(tmp_path / "s", functions.shout, [1, 2])
    submit(work_dir, 2)
    code, err = QueueJob(work_dir).end()
    assert (0, "") == (code, err)
    outcomes = {r.itask: r for r in records_of(work_dir) if r.kind == worker.RETURNED}
    for itask in (0, 1):
        assert ["C", "child", "descriptor", "python"] == sorted(outcomes[itask].out.decode().split())
        assert f"child errorpython error {itask + 1}" == outcomes[itask].err.decode()


def test_stdin_is_empty(tmp_path):
    """A task that asks for input gets none, and does not wait."""
    work_dir = make_map(tmp_path / "s", functions.read_stdin, [0])
    submit(work_dir, 1)
    assert {0: ""} == returned(run(work_dir))


def test_initializer(tmp_path):
    """It runs before the first task, in the task's process."""
    work_dir = make_map(tmp_path / "s", functions.surroundings, [0], functions.set_up, ("green",))
    submit(work_dir, 1)
    assert "green" == returned(run(work_dir))[0]["COLOUR"]


def test_task_that_raises(tmp_path):
    """Its exception is its outcome; the others are done by the same process."""
    func = functools.partial(functions.fail_on, bad=[1], how="raise")
    work_dir = make_map(tmp_path / "s", func, range(3))
    submit(work_dir, 3)
    records = run(work_dir)
    assert {0: 0, 2: 2} == returned(records)
    [(itask, data)] = [(r.itask, r.value) for r in records if r.kind == worker.RAISED]
    assert (1, ValueError) == (itask, type(payload.load_exception(data, 1, "")))


def test_result_that_can_not_be_pickled(tmp_path):
    """Exactly this task has multiprocessing's error."""
    work_dir = make_map(tmp_path / "s", lambda task: (k for k in "x") if task else task, range(3))
    submit(work_dir, 3)
    records = run(work_dir)
    assert {0: 0} == returned(records)
    raised = [payload.load_exception(r.value, r.itask, "") for r in records if r.kind == worker.RAISED]
    assert [MaybeEncodingError] * 2 == [type(error) for error in raised]


def test_exit_functions_run(tmp_path):
    """What tasks have left for the end of the process is done."""
    work_dir = make_map(tmp_path / "s", functions.say_goodbye_at_exit, [str(tmp_path / "mark")])
    submit(work_dir, 1)
    run(work_dir)
    assert (tmp_path / "mark-done").exists()
    assert not [name for name in files_below(work_dir.path) if name.startswith("spool/tmp")]
