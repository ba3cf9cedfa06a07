"""Workers that die, are told to end, or have to leave: what is done is kept, and the cause is told."""

import functools
import os
import signal
import threading

import pytest

from pypoolparty import payload, worker
from tests.unit import functions
from tests.unit.jobs import QueueJob, described, records_of, returned, run, said
from tests.unit.maps import is_running, make_map, submit, wait_until


def make_waiting_map(tmp_path, n, waiting, width=1, **described):
    """Return a map whose `waiting` tasks wait for a file named ``go`` in tmp_path."""
    func = functools.partial(functions.wait_for, str(tmp_path), waiting=waiting)
    work_dir = make_map(tmp_path / "s", func, range(n))
    submit(work_dir, n, width, **described)
    return work_dir


def wait_for_task(tmp_path, itask):
    """Wait until a task has begun; return its pid."""
    path = tmp_path / f"at-{itask}"
    wait_until(path.exists, f"task {itask}")
    return int(path.read_text())


@pytest.mark.parametrize(
    ("how", "number", "code"), [("segfault", signal.SIGSEGV, 0), ("exit", 0, 3), ("kill", signal.SIGKILL, 0)]
)
def test_task_that_kills_its_process(tmp_path, how, number, code):
    """It is told which task, how, and what it wrote; the rest of the chunk is done by a fresh process."""
    func = functools.partial(functions.fail_on, bad=[1, 3], how=how)
    work_dir = make_map(tmp_path / "s", func, range(6))
    work_dir.write_submission(1, {**TOLD, "tables": ["0001"]}, [[0, 5], [5, 6]])
    records = run(work_dir)
    assert {0: 0, 2: 2, 4: 4, 5: 5} == returned(records)
    deaths = described(records, worker.DIED)
    assert [1, 3] == sorted(deaths)
    for death in deaths.values():
        assert (number, code, False) == (death["signal"], death["exit_code"], death["oom"])
        assert death["max_rss"] > 1000
    assert [b"about to end\n"] * 2 == [record.err for record in records if record.kind == worker.DIED]
    goodbye = said(records, worker.GOODBYE)
    assert "exhausted" == goodbye["reason"]
    assert len(work_dir.collect(refresh=False)) == sum(goodbye["segments"].values())


TOLD = {"elastic": True, "width": 1, "flush_interval": 0.1, "workers_per_job": 1}


def test_last_task_kills_its_process(tmp_path):
    """Nothing is done twice when the last task of all is the one that dies."""
    func = functools.partial(functions.fail_on, bad=[2], how="exit")
    work_dir = make_map(tmp_path / "s", func, range(3))
    submit(work_dir, 3)
    records = run(work_dir)
    assert [(0, 0), (1, 1)] == sorted(returned(records).items())
    assert 2 == sum(record.kind == worker.RETURNED for record in records)
    assert [2] == list(described(records, worker.DIED))


def test_exit_of_a_task_is_its_outcome(tmp_path):
    """`sys.exit` in a task is an exception like others, and the process goes on."""
    func = functools.partial(functions.fail_on, bad=[0], how="sys.exit")
    work_dir = make_map(tmp_path / "s", func, range(2))
    submit(work_dir, 2)
    records = run(work_dir)
    [raised] = [record for record in records if record.kind == worker.RAISED]
    assert "sys.exit(4)" in str(payload.load_exception(raised.value, 0, ""))
    assert {1: 1} == returned(records)


def test_task_that_forks_and_comes_back(tmp_path):
    """A process that a task has forked and that runs on into our code writes nothing down."""
    func = functools.partial(functions.fail_on, bad=[0], how="fork")
    work_dir = make_map(tmp_path / "s", func, range(2))
    submit(work_dir, 2)
    records = run(work_dir)
    assert {0: 0, 1: 1} == returned(records)
    assert 2 == sum(record.kind == worker.RETURNED for record in records)


def test_memory_is_limited(tmp_path):
    """Where no scheduler does it, the worker limits itself: a greedy task has a MemoryError."""
    func = functools.partial(functions.fail_on, bad=[0], how="memory")
    work_dir = make_map(tmp_path / "s", func, range(2))
    submit(work_dir, 2, enforce_mem=1 << 30)
    records = run(work_dir)
    [raised] = [record for record in records if record.kind == worker.RAISED]
    assert MemoryError is type(payload.load_exception(raised.value, 0, ""))
    assert {1: 1} == returned(records)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU, signal.SIGUSR2])
def test_told_to_end(tmp_path, number):
    """It ends its child, keeps what was done, and says goodbye with the signal."""
    work_dir = make_waiting_map(tmp_path, 4, waiting=[2])
    job = QueueJob(work_dir)
    pid = wait_for_task(tmp_path, 2)
    os.kill(job.process.pid, number)
    code, err = job.end()
    assert (128 + number, "") == (code, err)
    assert not is_running(pid)
    records = records_of(work_dir)
    assert {0: 0, 1: 1} == returned(records)
    goodbye = said(records, worker.GOODBYE)
    assert ("terminated", number) == (goodbye["reason"], goodbye["signal"])
    assert [] == os.listdir(work_dir.layout.spool_tmp)
    assert len(work_dir.collect(refresh=False)) == sum(goodbye["segments"].values())


@pytest.mark.parametrize("attempt", range(10))
def test_whole_group_is_told_to_end(tmp_path, attempt):
    """Schedulers signal all processes of a job at once: it says goodbye all the same, and nobody is accused."""
    work_dir = make_waiting_map(tmp_path, 4, waiting=[2, 3], width=2, chunksize=1, workers_per_job=2)
    job = QueueJob(work_dir)
    wait_for_task(tmp_path, 2)
    wait_for_task(tmp_path, 3)
    os.killpg(job.process.pid, signal.SIGTERM)
    code, err = job.end()
    assert (128 + signal.SIGTERM, "") == (code, err)
    records = records_of(work_dir)
    assert {0: 0, 1: 1} == returned(records)
    assert "terminated" == said(records, worker.GOODBYE)["reason"]


def test_supervisor_is_killed(tmp_path):
    """Without its supervisor, a child ends its task, publishes it, and leaves."""
    work_dir = make_waiting_map(tmp_path, 3, waiting=[0])
    job = QueueJob(work_dir)
    pid = wait_for_task(tmp_path, 0)
    job.process.kill()
    job.process.wait()
    (tmp_path / "go").touch()
    wait_until(lambda: not is_running(pid), "the child's end")
    job.end()
    records = records_of(work_dir)
    assert {0: 0} == returned(records)
    assert [] == [record for record in records if record.kind == worker.GOODBYE]


def test_all_are_killed(tmp_path):
    """What was done stands in spool/tmp, under a name that tells whose it is, and can be rescued."""
    work_dir = make_waiting_map(tmp_path, 3, waiting=[2], flush_interval=1e6)
    job = QueueJob(work_dir, element=0)
    wait_for_task(tmp_path, 2)
    os.killpg(job.process.pid, signal.SIGKILL)
    job.end()
    assert {} == returned(records_of(work_dir))
    [name] = work_dir.unfinished_workers(1, [0])
    work_dir.rescue([name])
    records = records_of(work_dir)
    assert {0: 0, 1: 1} == returned(records)
    assert name == said(records, worker.HELLO)["worker"]
    assert dict.fromkeys(range(3), f"{name}.0") == work_dir.claims(1)


def test_fresh_processes(tmp_path):
    """With maxtasksperchild, so many tasks are done by one process, also across chunks; each task once."""
    work_dir = make_map(tmp_path / "s", functions.pid_of, range(7), maxtasksperchild=2)
    submit(work_dir, 7, chunksize=3)
    done = returned(run(work_dir))
    assert list(range(7)) == sorted(task for task, _ in done.values())
    pids = [pid for _, pid in done.values()]
    assert [2, 2, 2, 1] == sorted((pids.count(pid) for pid in set(pids)), reverse=True)
    assert 4 == len(set(pids))


def test_several_workers_in_one_job(tmp_path):
    """A queue-job with two slots works with two processes, and says one hello and one goodbye."""
    work_dir = make_waiting_map(tmp_path, 4, waiting=[0, 1], width=2, chunksize=1, workers_per_job=2)
    job = QueueJob(work_dir)
    pids = {wait_for_task(tmp_path, 0), wait_for_task(tmp_path, 1)}
    (tmp_path / "go").touch()
    assert (0, "") == job.end()
    records = records_of(work_dir)
    assert {k: k for k in range(4)} == returned(records)
    assert 2 == len(pids)
    assert {"0", "1", "s"} == set(said(records, worker.GOODBYE)["segments"])


def test_leaves_before_its_time_is_over(tmp_path):
    """It begins no task that may not end within the time limit, leaves in order, and the rest is for others."""
    work_dir = make_map(tmp_path / "s", functions.take_time, [0.4] * 20)
    submit(work_dir, 20, time_limit=2, chunksize=20)
    records = run(work_dir)
    done = returned(records)
    assert 1 <= len(done) <= 4
    assert list(range(len(done))) == sorted(done)
    assert "out of time" == said(records, worker.GOODBYE)["reason"]


def test_slurm_tells_the_end(tmp_path):
    """The end that the scheduler tells counts; a first task is tried in any case."""
    work_dir = make_map(tmp_path / "s", functions.identity, range(5))
    submit(work_dir, 5)
    records = run(work_dir, SLURM_JOB_END_TIME="1000")
    assert {0: 0} == returned(records)
    assert "out of time" == said(records, worker.GOODBYE)["reason"]


def test_initializer_that_fails(tmp_path):
    """Without it no task is tried; its traceback and its output are told, and the worker says why it left."""
    work_dir = make_map(tmp_path / "s", functions.identity, range(3), functions.break_set_up)
    submit(work_dir, 3)
    records = run(work_dir)
    assert {} == returned(records)
    [death] = [record for record in records if record.kind == worker.DIED]
    assert -1 == death.itask
    assert b"in the initializer\n" == death.out
    assert "LookupError: no data here" in described(records, worker.DIED)[-1]["traceback"]
    assert "not loaded" == said(records, worker.GOODBYE)["reason"]
    assert {} == work_dir.claims(1)


def test_function_that_can_not_be_loaded(tmp_path):
    """A module that is missing on the node is told by name."""
    work_dir = make_map(tmp_path / "s", functions.identity, range(3))
    pickled = (tmp_path / "s" / "function.pickle").read_bytes()
    with open(work_dir.layout.function, "wb") as stream:
        stream.write(pickled.replace(b"tests.unit.functions", b"tests.unit.not_there"))
    submit(work_dir, 3)
    records = run(work_dir)
    assert "No module named 'tests.unit.not_there'" in described(records, worker.DIED)[-1]["traceback"]
    assert "not loaded" == said(records, worker.GOODBYE)["reason"]


def test_task_that_is_damaged_on_disk(tmp_path):
    """A worker that reads damaged bytes does nothing with them, and says so."""
    work_dir = make_map(tmp_path / "s", functions.identity, ["a", "b"])
    submit(work_dir, 2)
    with open(work_dir.layout.tasks, "r+b") as stream:
        content = stream.read()
        stream.seek(content.index(b"\x8c\x01b"))
        stream.write(b"\x8c\x01c")
    records = run(work_dir)
    assert {0: "a"} == returned(records)
    assert "damaged" == said(records, worker.GOODBYE)["reason"]


def test_work_dir_is_removed(tmp_path):
    """A worker whose map is over and away leaves in order, without a child that stays."""
    work_dir = make_waiting_map(tmp_path, 3, waiting=[0], flush_interval=1e6)
    job = QueueJob(work_dir)
    pid = wait_for_task(tmp_path, 0)
    work_dir.remove()
    (tmp_path / "go").touch()
    job.end()
    wait_until(lambda: not is_running(pid), "the child's end")
    assert not (tmp_path / "s").exists()


def test_file_that_never_comes(tmp_path):
    """A file that is missing is looked for during a while (files may come late), not for ever."""
    with pytest.raises(FileNotFoundError):
        worker.read_json_patiently(str(tmp_path / "session.json"), seconds=0.2)


def test_file_that_comes_late(tmp_path):
    """A file that is not visible on this node yet is waited for."""
    path = tmp_path / "session.json"
    thread = threading.Timer(0.1, path.write_text, ['{"a": 1}'])
    thread.start()
    assert {"a": 1} == worker.read_json_patiently(str(path), seconds=20)
    thread.join()
