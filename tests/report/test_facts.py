"""What a report tells is what was in the work_dir: made by hand, and left by maps with failures, losses and retries."""

import functools
import json
import os
import shutil
import signal
import sys
import time

import pytest

from pypoolparty.events import Accepted, Ended, Greeted, Left, Planned, Sent, TaskDied, to_line
from pypoolparty.map_state import Phase
from pypoolparty.report._costs import cores_of, costs_of, wasted_in
from pypoolparty.report._facts import facts_of
from pypoolparty.report._jobs import QueueJobs
from pypoolparty.report._records import Records
from pypoolparty.report._timeline import MOST_BARS, bars_of, load_of
from pypoolparty.states import Death, Report
from tests.unit import functions

HEADER = b"itask,start,stop,cpu_seconds,max_rss_kib,host,queue_job,attempt\n"


def records_of(*rows):
    """Return records of rows as texts."""
    records = Records()
    records.fill(row.encode().split(b",") for row in rows)
    return records


def folded(*events):
    """Return the queue-jobs that a journal of pairs of time and event tells of."""
    jobs = QueueJobs()
    for when, event in events:
        jobs.take(json.loads(json.dumps({"time": when, **to_line(event)})))
    return jobs


TWO_JOBS = (
    (100.0, Planned(1, "q-0001", 2, True, [1], 4)),
    (101.0, Sent(1, [0, 2])),
    (101.5, Accepted(1, [0, 2], [(-1, "77")])),
    (111.0, Greeted("0001-000000-n1-5-1f", "n1", "77")),
    (121.0, Greeted("0001-000001-n2-5-1f", "n2", "78")),
    (130.0, TaskDied(3, "0001-000001-n2-5-1f", Report(Death.CRASHED, "n2", 11))),
    (131.0, Left("0001-000000-n1-5-1f", "exhausted", 0, {"0": 1, "s": 1})),
    (141.0, Ended(1, 1, [], Report(Death.NODE_FAILED, "n2"))),
)
FOUR_ROWS = (
    "0,111,121,9,1024,n1,0001-000000,1",
    "1,121,130,9,2048,n1,0001-000000,1",
    "2,121,126,1,1024,n2,0001-000001,1",
)


def test_queue_jobs_by_their_journal():
    """When they waited, ran, ended and died is what the events say."""
    first, second = folded(*TWO_JOBS).by_name.values()
    assert (10.0, 131.0, "n1", 1, "", "77") == (
        first.wait,
        first.ended,
        first.node,
        first.slots,
        first.death,
        first.job_id,
    )
    assert (20.0, 141.0, "n2", "NodeFailed") == (second.wait, second.ended, second.node, second.death)
    assert [(130.0, "Crashed", False), (141.0, "NodeFailed", True)] == second.deaths


def test_what_was_in_vain():
    """From the outcome before a death to the death, and from there to the next one."""
    wasted = wasted_in(records_of(*FOUR_ROWS), list(folded(*TWO_JOBS).by_name.values()))
    assert {"0001-000001": [(126.0, 130.0, "Crashed", False), (130.0, 141.0, "NodeFailed", True)]} == wasted


def test_death_of_a_wide_queue_job_is_that_of_all_its_cores():
    """What a task wastes is its own core, what a queue-job wastes are all of them."""
    records, jobs = records_of(*FOUR_ROWS), list(folded(*TWO_JOBS).by_name.values())
    cores = cores_of(jobs[1:], {"workers_per_job": 8}) | {"0001-000000": (1, 1.0)}
    costs = costs_of(records, jobs, cores, wasted_in(records, jobs), 0, 141.0)
    assert pytest.approx((4 + 8 * 11) / 3600) == costs.wasted
    assert pytest.approx((20 + 8 * 20) / 3600) == costs.held
    assert pytest.approx(24 / 3600) == costs.busy
    assert pytest.approx(costs.held) == costs.busy + costs.idle + costs.wasted


def test_load_and_bars():
    """Sums over time are those of the tasks and the queue-jobs; bars lie in the lane of their queue-job."""
    records, jobs = records_of(*FOUR_ROWS), list(folded(*TWO_JOBS).by_name.values())
    load = load_of(records, jobs, cores_of(jobs, {}), (101.0, 141.0))
    assert ["n1", "n2"] == load.rows
    assert pytest.approx([19 / 3600, 5 / 3600]) == load.busy_hours
    assert pytest.approx([20 / 3600, 20 / 3600]) == load.held_hours
    assert [2, 1] == load.outcomes
    assert pytest.approx(30.0) == sum(load.waiting) * load.width
    assert load.shares[0][0] is None
    assert 1.0 == load.shares[0][75]
    bars = bars_of(records, jobs, wasted_in(records, jobs), {1}, (101.0, 141.0))
    assert ["n1 · 1-0", "n2 · 1-1"] == bars.lanes
    assert [(0, 10.0, 20.0, 0, False), (0, 20.0, 29.0, 1, True), (1, 20.0, 25.0, 2, False)] == bars.tasks
    assert [(1, 25.0, 29.0, "Crashed"), (1, 29.0, 40.0, "NodeFailed")] == bars.deaths


def test_no_bars_of_too_many_tasks():
    """Where they could not be told apart, there are none."""
    records = Records()
    records.fill(iter([b"0", b"1", b"2", b"0", b"0", b"n", b"0001-000000", b"1"] for _ in range(MOST_BARS + 1)))
    assert bars_of(records, [], {}, set(), (1.0, 2.0)) is None


def test_cores_of_queue_jobs():
    """Those asked for; where a queue-job does several tasks at a time, they share them."""
    jobs = list(folded(*TWO_JOBS).by_name.values())
    assert (4, 4.0) == cores_of(jobs, {"cpus": 4})["0001-000000"]
    assert (8, 2.0) == cores_of([jobs[1]], {"cpus": 8, "workers_per_job": 4})["0001-000001"]


def test_rows_that_are_none_are_left_out():
    """A torn row, one of another version, and numbers that are none tell nothing."""
    rows = "1,2,3", "x,1,2,0,1,n,0001-000000,1", "0,nan,2,0,1,n,0001-000000,1", "5,3,2,-1,1,n,0001-000000,1"
    records = records_of(*rows)
    assert ([5], [3.0], [3.0], [0.0]) == tuple(map(list, (records.itask, records.start, records.stop, records.cpu)))


def fail_some(task):
    """Take some time and memory; some raise."""
    time.sleep(0.02)
    if task % 5 == 4:
        print("about to fail", file=sys.stderr)
        raise ValueError(f"bad {task}")
    return bytes(1000)


def test_map_with_failures(run_local):
    """Counts, causes, times and memory are those of the map."""
    facts = facts_of(run_local(fail_some, range(20)))
    assert (Phase.DONE, 16, 4, 0) == (
        facts.state.phase,
        facts.state.returned,
        facts.state.raised,
        facts.state.lost,
    )
    assert 20 == facts.n_rows == facts.seconds.n == sum(facts.histograms["seconds"].counts)
    assert facts.seconds.least >= 0.02
    assert 2 == facts.n_started == facts.waits.n
    assert facts.memory.most > 4 << 20
    assert 20 * 0.02 <= 3600 * facts.costs.busy <= 3600 * facts.costs.held
    assert 0 == facts.costs.wasted
    assert {4, 9, 14, 19} == {itask for _, _, _, itask, raised in facts.bars.tasks if raised}
    [group] = facts.failures
    assert "about to fail\n" == group.stderr_tail
    assert {"mem", "time"} == set(facts.advice.arguments)


def test_map_with_lost_tasks(run_local):
    """A task that kills its worker again and again is lost; its attempts are counted as wasted."""
    func = functools.partial(functions.fail_on, bad=[3], how="segfault")
    facts = facts_of(run_local(func, range(6), max_num_resubmissions=1))
    assert (5, 0, 1) == (facts.state.returned, facts.state.raised, facts.state.lost)
    assert ["Crashed"] == [group.cause for group in facts.failures]
    assert facts.costs.wasted > 0
    assert {"Crashed"} == {why for _, _, _, why in facts.bars.deaths}


def slow(task):
    """Take a moment."""
    time.sleep(0.1)
    return task


def die_once(task, folder):
    """Let task 3 kill its process, and task 5 its whole queue-job, the first time."""
    time.sleep(0.1)
    if task in (3, 5) and not os.path.exists(os.path.join(folder, str(task))):
        open(os.path.join(folder, str(task)), "x").close()
        os.kill(os.getpid() if task == 3 else os.getppid(), signal.SIGKILL)
        time.sleep(0.1)
    return task


def test_map_with_retries_on_slurm(run_slurm, tmp_path):
    """What died costs time, and is tried again; nothing is lost."""
    facts = facts_of(run_slurm(functools.partial(die_once, folder=tmp_path), range(8)))
    assert {"3", "5"} <= set(os.listdir(tmp_path))
    assert (8, 0, 0) == (facts.state.returned, facts.state.raised, facts.state.lost)
    assert "slurm.array" == facts.state.pool
    assert (1 <= facts.n_again, 2) == (True, facts.most_attempts)
    assert 3600 * facts.costs.wasted > 0.1
    assert {"Crashed"} <= {why for _, _, _, why in facts.bars.deaths}
    assert facts.n_started > 2
    assert facts.waits.most > 0


def test_copy_of_a_live_and_of_a_dead_map(run_local, tmp_path):
    """What is in the spool counts; without the journal's end, what runs has not ended."""
    work_dir = run_local(slow, range(4))
    log = os.path.join(work_dir, "log.jsonl")
    with open(log) as stream:
        lines = [line for line in stream if not any(f'"{name}"' in line for name in ("Left", "Ended", "Closed"))]
    dead = tmp_path / "dead"
    shutil.copytree(work_dir, dead)
    dead.chmod(0o700)
    (dead / "log.jsonl").write_text("".join(lines) + '{"torn": ')
    facts = facts_of(dead)
    assert (Phase.DEAD, 4, 0) == (facts.state.phase, facts.state.returned, facts.state.open)
    assert facts.until >= facts.begun + 0.2
    assert facts.costs.held > 0


def test_segment_in_the_spool_counts_once(run_local):
    """A segment that is merged but not yet deleted has rows that are known; one that is not merged has new ones."""
    from pypoolparty.report._records import read_records
    from pypoolparty.work_dir import Look
    from tests.unit.maps import make_map, stand_in_for_a_job, submit

    folder = run_local(slow, range(2))
    made = make_map(os.path.join(os.path.dirname(folder), "made"), slow, range(3))
    submit(made, 3)
    from pypoolparty import worker

    page = memoryview(bytearray(64)).cast("q")
    segments = worker.Segments(stand_in_for_a_job(made), "0", page, 1e9)
    for itask in range(2):
        segments.append(worker.RETURNED, itask, b"%d,1.5,2.5,0.1,10,n1,0001-000000\n" % itask)
    segments.publish()
    with open(made.layout.stats, "wb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(HEADER + b"0,1.5,2.5,0.1,10,n1,0001-000000,1\n2,3,4,0.1,10,n1,0001-000000,1\n7,torn")
    records = read_records(Look(made.path))
    assert [0, 1, 2] == sorted(records.itask)
    made.abandon()


def test_map_that_has_not_begun(tmp_path):
    """There is nothing to tell yet, and that is no error."""
    from tests.unit.maps import make_map

    made = make_map(tmp_path / "made", slow, range(3))
    facts = facts_of(made.path)
    assert (0, 3, 0) == (facts.n_rows, facts.state.open, facts.n_started)
    assert {} == facts.advice.arguments
    made.abandon()
