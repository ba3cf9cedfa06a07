"""A real Slurm on its bad days: answers that are late, lost, wrong, or full of noise; deaths without accounts."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import pypoolparty
from pypoolparty import Retry
from tests.contract.helpers import number_of_marks, wait_until
from tests.real.daemons import running, stop
from tests.real.pools import events, pool_on
from tests.real.slurm import SlurmCluster
from tests.real.test_maps import do_nothing
from tests.real.wrappers import Wrappers

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

LIMITS_TOLD = re.compile(r"> \d+")
POOLS = ("slurm.array", "slurm")


def mark(task: tuple[int, str]) -> int:
    """Leave a mark of each run, return the number."""
    number, folder = task
    Path(folder, f"ran-{number}-{os.getpid()}-{time.time_ns()}").touch()
    time.sleep(0.1)
    return number


def hog(number: int) -> int:
    """Take more memory than there is, until somebody notices."""
    taken = bytearray(300 << 20)
    time.sleep(60)
    return number + len(taken)


def segfault_for_777(number: int) -> int:
    """The task 777 kills its process."""
    if number == 777:
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


def segfault(number: int) -> int:
    """Each task kills its process."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return number


@pytest.fixture
def marks(tmp_path: Path) -> Iterator[Path]:
    """Give a folder for marks, in which each of twelve tasks leaves exactly one."""
    folder = tmp_path / "marks"
    folder.mkdir()
    yield folder
    assert 12 == number_of_marks(folder, "ran-")
    assert 12 == len({name.split("-")[1] for name in os.listdir(folder)})


LOST_REPLIES = {
    "hangs": '"$real" "$@" > /dev/null; once lost && sleep 60; exit 0',
    "is killed": '"$real" "$@" > "$folder/out.$$"; once lost && kill -9 $$; cat "$folder/out.$$"; exit 0',
    "fails": '"$real" "$@" > "$folder/out.$$"; once lost && exit 1; cat "$folder/out.$$"; exit 0',
    "fails and tells": '"$real" "$@"; once lost && exit 1; exit 0',
    "times out": '"$real" "$@" > "$folder/out.$$"; once lost && echo "sbatch: error: Batch job submission failed: '
    'Socket timed out on send/recv operation" >&2 && exit 1; cat "$folder/out.$$"; exit 0',
}


@pytest.mark.parametrize("how", LOST_REPLIES)
def test_submission_whose_answer_is_lost(slurm_with_accounting, how, tmp_path, marks, monkeypatch):
    """What was taken without an answer is found by its name; it is not submitted again, and each task runs once."""
    wrappers = Wrappers(tmp_path / "bin", sbatch=LOST_REPLIES[how])
    arguments = {**wrappers.paths, "slurm_call_timeout": 2.0, "keep_work_dir": True, "width": 3}
    with pool_on(slurm_with_accounting, "slurm.array", tmp_path, monkeypatch, **arguments) as pool:
        assert list(range(12)) == pool.map(mark, [(i, str(marks)) for i in range(12)])
    assert 1 == wrappers.fired("sbatch")
    assert 1 == len(events(tmp_path / "work", "Sent"))
    assert (how == "fails and tells") == (not events(tmp_path / "work", "Doubted"))


NOISE = 'echo "Welcome to the cluster | 7 users"; echo "Loading gcc/12.2" >&2; '


def test_noise_around_all_answers(slurm_with_accounting, tmp_path, marks, monkeypatch):
    """Banners on stdout and stderr of all commands, at each call: a death is noticed and mended all the same."""
    noisy = f'{NOISE}note; "$real" "$@"; code=$?; echo Bye.; exit $code'
    commands = ("sbatch", "squeue", "scancel", "scontrol", "sacct")
    wrappers = Wrappers(tmp_path / "bin", **dict.fromkeys(commands, noisy))
    cancelled: list[str] = []

    def cancel_one() -> bool:
        pending = slurm_with_accounting.run("squeue", "-h", "-r", "-t", "PD", "-o", "%i").stdout.split()
        cancelled.extend(pending[:1])
        return bool(cancelled) and slurm_with_accounting.run("scancel", cancelled[0]).returncode == 0

    arguments = {**wrappers.paths, "submit_args": ["--begin=now+1"], "keep_work_dir": True}
    with pool_on(slurm_with_accounting, "slurm", tmp_path, monkeypatch, **arguments) as pool:
        result = pool.map_async(mark, [(i, str(marks)) for i in range(12)])
        wait_until(cancel_one, "a pending queue-job to cancel")
        assert list(range(12)) == result.get(180)
    assert all(wrappers.fired(command) for command in commands)
    [death] = [event["report"] for event in events(tmp_path / "work", "Ended") if event["report"]]
    assert "Cancelled" == death["death"]


BAD_ANSWERS = {
    "fails": "exit 1",
    "hangs": "sleep 60",
    "prints nothing": "exit 0",
    "prints half a line": '"$real" "$@" | head -c -7; exit 0',
    "prints rubbish": "head -c 4000 /dev/urandom; exit 0",
    "has unknown states": '"$real" "$@" | sed -E "s/RUNNING|PENDING/BRAND_NEW/"; exit 0',
}


@pytest.mark.parametrize("how", BAD_ANSWERS)
def test_queries_that_go_wrong(slurm_with_accounting, how, tmp_path, marks, monkeypatch):
    """Whatever squeue answers for a while, nothing is called dead that lives, and nothing runs twice."""
    often = 'n=$(ls "$folder" | grep -c "^seen-"); touch "$folder/seen-$n"; [ $n -lt 4 ] && note && { %s; }'
    wrappers = Wrappers(tmp_path / "bin", squeue=often % BAD_ANSWERS[how])
    arguments = {**wrappers.paths, "slurm_call_timeout": 0.5, "keep_work_dir": True, "width": 2}
    with pool_on(slurm_with_accounting, "slurm.array", tmp_path, monkeypatch, **arguments) as pool:
        result = pool.map_async(mark, [(i, str(marks)) for i in range(12)], chunksize=1)
        wait_until(lambda: wrappers.fired("squeue") >= 1, "a query that goes wrong")
        assert list(range(12)) == result.get(60)
    assert [] == [event for event in events(tmp_path / "work", "Ended") if event["report"]]
    assert 1 == len(events(tmp_path / "work", "Sent"))


@pytest.mark.parametrize("name", POOLS)
def test_queue_jobs_that_slurm_has_forgotten(slurm_with_accounting, name, tmp_path, monkeypatch):
    """MinJobAge is over: of jobs that died nothing is in the queue, and Slurm calls their ids invalid."""
    forgetful = """
    rows=$("$real" "${@/--states=all/--states=PD,R,CG,S}")
    [ $(echo "$rows" | wc -l) -gt 1 ] && echo "$rows" && exit 0
    note; echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1"""
    wrappers = Wrappers(tmp_path / "bin", squeue=forgetful)
    arguments = {**wrappers.paths, "submit_args": ["--begin=now+1"], "keep_work_dir": True}
    with pool_on(slurm_with_accounting, name, tmp_path, monkeypatch, **arguments) as pool:
        result = pool.map_async(do_nothing, range(4), chunksize=1)
        wait_until(lambda: len(slurm_with_accounting.queue()) == 4, "queue-jobs")
        slurm_with_accounting.run("scancel", *slurm_with_accounting.queue())
        assert list(range(4)) == result.get(60)
    assert wrappers.fired("squeue")
    assert [] != [event for event in events(tmp_path / "work", "Ended") if event["report"]]


ACCOUNTS = {
    "is not there": 'rm "$0"; note; exit 127',
    "is slow": "note; sleep 60",
    "prints rubbish": 'note; head -c 4000 /dev/urandom; "$real" "$@" | cut -c -9; exit 0',
    "is down": "note",
}


@pytest.mark.parametrize("how", ACCOUNTS)
def test_out_of_memory_without_accounts(slurm_with_accounting, how, tmp_path, monkeypatch):
    """Whatever becomes of sacct, what Slurm killed for its memory is OutOfMemory, with node, attempts and evidence."""
    wrappers = Wrappers(tmp_path / "bin", sacct=ACCOUNTS[how])
    arguments = {**wrappers.paths, "slurm_call_timeout": 1.0, "mem": "80M", "max_num_resubmissions": 0}
    with (
        accounting_down(slurm_with_accounting) if how == "is down" else contextlib.nullcontext(),
        pool_on(slurm_with_accounting, "slurm.array", tmp_path, monkeypatch, **arguments) as pool,
    ):
        [error] = pool.map(hog, [0], on_error="return")
    assert (pypoolparty.errors.OutOfMemory, 1, 0) == (type(error), error.attempts, error.itask)
    assert "exceeded memory limit" in str(error)
    assert error.node.startswith("n")
    assert wrappers.fired("sacct")


@contextlib.contextmanager
def accounting_down(cluster: SlurmCluster) -> Iterator[None]:
    """Have no slurmdbd for a while."""
    pid_file, mark = cluster.at.pid_file("slurmdbd"), cluster.at.mark
    stop(running(pid_file, mark))
    try:
        yield
    finally:
        cluster.run("slurmdbd")
        wait_until(lambda: running(pid_file, mark), "slurmdbd")


def test_more_memory_after_out_of_memory(slurm_with_accounting, tmp_path, monkeypatch):
    """The next attempt asks Slurm for more memory, and at the cap the task is lost."""
    arguments = {"mem": "80M", "retry": Retry(max_mem="120M", mem_factor=2), "keep_work_dir": True}
    with pool_on(slurm_with_accounting, "slurm.array", tmp_path, monkeypatch, **arguments) as pool:
        [error] = pool.map(hog, [0], on_error="return")
    assert (pypoolparty.errors.OutOfMemory, 2) == (type(error), error.attempts)
    assert [[0, 0], [1, 0]] == [event["level"] for event in events(tmp_path / "work", "Planned")]
    reports = [event["report"] for event in events(tmp_path / "work", "Ended") if event["report"]]
    assert ["> 83886080", "> 125829120"] == [limit[0] for limit in map(LIMITS_TOLD.findall, map(str, reports))]


def test_slurm_that_has_no_room(slurm_with_accounting, tmp_path, marks, monkeypatch):
    """MaxJobCount is reached, and sbatch sleeps instead of answering: fewer queue-jobs are submitted, later."""
    says = 'echo "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying" >&2; sleep 60'
    wrappers = Wrappers(tmp_path / "bin", sbatch=f'[[ " $*" =~ "--array=0-3 " ]] && note && {{ {says}; }}')
    arguments = {**wrappers.paths, "slurm_call_timeout": 1.0, "keep_work_dir": True}
    with pool_on(slurm_with_accounting, "slurm.array", tmp_path, monkeypatch, **arguments) as pool:
        assert list(range(12)) == pool.map(mark, [(i, str(marks)) for i in range(12)])
    assert 1 == wrappers.fired("sbatch")
    assert "job limit" == events(tmp_path / "work", "Refused")[0]["refusal"]


def test_one_task_of_a_chunk_of_a_thousand(slurm_with_accounting, tmp_path, monkeypatch):
    """A task that segfaults in a chunk of 1,000 loses itself and nothing else."""
    arguments = {"width": 2, "max_num_resubmissions": 1}
    with pool_on(slurm_with_accounting, "slurm.array", tmp_path, monkeypatch, **arguments) as pool:
        results = pool.map(segfault_for_777, range(2000), chunksize=1000, on_error="return")
    lost = results.pop(777)
    assert [i for i in range(2000) if i != 777] == results
    assert (pypoolparty.errors.Crashed, 777, 2) == (type(lost), lost.itask, lost.attempts)
    assert "SIGSEGV" in str(lost)


def test_all_die_alike(slurm_with_accounting, tmp_path, monkeypatch):
    """When the first tasks all die alike the map is given up, long before all have used up their attempts."""
    with pool_on(slurm_with_accounting, "slurm.array", tmp_path, monkeypatch) as pool:
        results = pool.map(segfault, range(200), on_error="return")
    assert {pypoolparty.errors.Crashed} == {type(error) for error in results}
    assert "all crashed alike (signal 11)" in str(results[199])
    assert len(events(tmp_path / "work", "TaskDied")) <= 200


def test_little_time_is_left(slurm_with_accounting, tmp_path, marks, monkeypatch):
    """A worker whose time is nearly over leaves in order; the rest is submitted again, and counts as no attempt."""
    hurry = ["export SLURM_JOB_END_TIME=$((SLURM_JOB_START_TIME + 8))"]
    arguments = {"width": 1, "setup": hurry, "keep_work_dir": True}
    with pool_on(slurm_with_accounting, "slurm.array", tmp_path, monkeypatch, **arguments) as pool:
        result = pool.map_async(mark_slowly, [(i, str(marks)) for i in range(12)], chunksize=12)
        assert list(range(12)) == result.get(100)
    assert {"out of time", "exhausted"} == {event["reason"] for event in events(tmp_path / "work", "Left")}
    assert len(events(tmp_path / "work", "Sent")) > 1
    assert [] == [event for event in events(tmp_path / "work", "Ended") if event["report"]]


def mark_slowly(task: tuple[int, str]) -> int:
    """Take a while more than `mark`."""
    time.sleep(0.2)
    return mark(task)
