"""What chaos has found, reduced to the few events that it takes."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import pypoolparty
from pypoolparty import worker
from pypoolparty.decide import Inspect, Plan, Send, decide
from pypoolparty.engine import Driver, MapRun, Options
from pypoolparty.events import Accepted, Doubted, Ended, Greeted, Left, Planned, Sent, TaskDied
from pypoolparty.ledger import Ledger
from pypoolparty.local.scheduler import LocalScheduler
from pypoolparty.policy import Policy
from pypoolparty.results import MapResult
from pypoolparty.states import Death, Job, JobState, Report
from pypoolparty.sun_grid_engine.dialect import GridEngineDialect
from pypoolparty.work_dir import WorkDir
from tests.unit.maps import make_map, stand_in_for_a_job

CHUNKS = [[0, 5], [5, 10], [10, 15]]


def ledger_of(*events: object) -> Ledger:
    """Return the ledger of 15 tasks in 3 chunks, for which 2 queue-jobs were planned."""
    ledger = Ledger(15)
    for event in (Planned(1, "name", 2, True, [1], 15, CHUNKS), *events):
        ledger.apply(event, 0.0)  # type: ignore[arg-type]
    return ledger


def left(worker: str, reason: str) -> list[object]:
    """Return the events of a worker that comes and leaves."""
    return [Greeted(worker, "n1", "7"), Left(worker, reason, 0, {})]


def test_submitted_again_after_a_doubt() -> None:
    """Queue-jobs that are sent again are not counted twice: there is room for others when they have ended."""
    again = [Sent(1, [0, 2]), Accepted(1, [0, 2], [(-1, "7")])]
    ledger = ledger_of(Sent(1, [0, 2]), Doubted(1, [0, 2], "no answer"), *again)
    assert 2 == ledger.live
    for element in (0, 1):
        ledger.apply(Ended(1, element, []), 1.0)
    assert 0 == ledger.live
    [action] = decide(ledger, Policy(width=2), 9.0)
    assert isinstance(action, Plan)
    assert 15 == sum(stop - start for start, stop in action.chunks)


def test_sent_and_refused_in_part() -> None:
    """What was not taken waits to be sent, and only that is counted when it is."""
    ledger = ledger_of(Sent(1, [0, 1]), Accepted(1, [0, 1], [(-1, "7")]))
    assert 1 == ledger.live
    assert [Send(1, (1,))] == decide(ledger, Policy(width=2), 0.0)
    ledger.apply(Sent(1, [1, 2]), 0.0)
    assert 2 == ledger.live


def test_queue_job_that_ran_twice() -> None:
    """Where the second worker found nothing to do, the first may still have left something undone."""
    sent = [Sent(1, [0, 2]), Accepted(1, [0, 2], [(-1, "7")])]
    first, second = left("0001-000000-n1-1-a", "terminated"), left("0001-000000-n1-2-b", "exhausted")
    assert Inspect(1, ((0, None, True),)) in decide(ledger_of(*sent, *first, *second), Policy(width=2), 0.0)
    assert Inspect(1, ((0, None, False),)) in decide(ledger_of(*sent, *second), Policy(width=2), 0.0)


def test_killed_before_the_first_event(tmp_path: Path) -> None:
    """A map whose main process was killed when all was written but nothing submitted is gone on with."""
    script = f"""if True:
        import os
        import pypoolparty
        from pypoolparty.work_dir import WorkDir
        WorkDir.log = lambda *args, **kwds: os.kill(os.getpid(), 9)
        pypoolparty.local.Pool(2, work_dir={str(tmp_path)!r}).map(abs, [-1, -2])
    """
    assert -9 == subprocess.run([sys.executable, "-c", script]).returncode
    [work_dir] = tmp_path.iterdir()
    assert not (work_dir / "log.jsonl").exists()
    assert [] == pypoolparty.load(work_dir).as_list()[2:]
    assert [1, 2] == pypoolparty.resume(work_dir)


class FullDisk(WorkDir):
    """A work_dir without room when the scheduler has just answered."""

    refused = 0

    def log(self, line: Mapping[str, Any], durable: bool = False) -> None:
        """Refuse the first two tries."""
        if line["event"] == "Accepted" and self.refused < 2:
            self.refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        super().log(line, durable)


def test_disk_full_when_the_scheduler_answers(tmp_path: Path) -> None:
    """What follows from an answer waits for room, as all else does; the driver lives on."""
    made: WorkDir = make_map(tmp_path / "map", abs, [-1, -2])  # type: ignore[no-untyped-call]
    made.__class__ = FullDisk
    made.open_reduced(2)
    scheduler, result = LocalScheduler(2), MapResult(2)
    told: list[str] = []
    driver = Driver(scheduler, 0.1, told.append)
    options = Options(sys.executable, tell=told.append)
    driver.start(MapRun(made, Ledger(2), Policy(width=2), options, scheduler, result, driver.clock))
    assert [1, 2] == result.get(timeout=60)
    driver.close()
    driver.join(60)
    assert isinstance(made, FullDisk)
    assert 2 == made.refused
    assert any("no room" in line for line in told)


def test_claims_wait_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that begins while the disk is full waits; it does not die, and the map is not given up."""
    refusals: list[str] = []

    def full_at_first(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def refuse_or_call(*words: Any) -> Any:
            if refusals.count(name) < 2:
                refusals.append(name)
                raise OSError(errno.ENOSPC, "No space left on device")
            return call(*words)

        return refuse_or_call

    work_dir = WorkDir.create(str(tmp_path / "session"))
    work_dir.write_submission(1, {"width": 1}, [[0, 5]])
    for name in ("link", "pwrite"):
        monkeypatch.setattr(os, name, full_at_first(name, getattr(os, name)))
    monkeypatch.setattr(worker, "FLUSH_RETRY_SECONDS", 0.01)
    job = stand_in_for_a_job(work_dir)  # type: ignore[no-untyped-call]
    table = worker.Table(job, "0001", "0")
    assert 0 == table.claim_next()
    assert {0: f"{job.worker}.0"} == work_dir.claims(1)
    assert ["pwrite", "pwrite", "link", "link"] == refusals


def test_resume_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused with the reason and leaves nothing behind; with room it goes on."""
    made: WorkDir = make_map(tmp_path / "map", abs, [-1, -2])  # type: ignore[no-untyped-call]
    made.abandon()
    session = tmp_path / "map" / "session.json"
    session.write_text(session.read_text().replace('"unit"', '"local","arguments":{}'))
    before = sorted(path.name for path in (tmp_path / "map").iterdir())

    def refuse(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", refuse)
        with pytest.raises(pypoolparty.errors.WorkDirError, match="No space left"):
            pypoolparty.resume(tmp_path / "map")
    assert before == sorted(path.name for path in (tmp_path / "map").iterdir())
    assert [1, 2] == pypoolparty.resume(tmp_path / "map")


def deaths_on(node: str, death: Death, number: int) -> list[object]:
    """Return the deaths of so many tasks of one worker."""
    report = Report(death, node)
    return [TaskDied(itask, "0001-000000-n1-1-a", report) for itask in range(number)]


def test_only_node_is_not_left_out() -> None:
    """A node that the scheduler calls by another name than the worker does is not left out, lest there be none."""
    greeted = Greeted("0001-000000-n1-1-a", "n1", "7")
    assert [] == ledger_of(greeted, *deaths_on("localhost", Death.CRASHED, 5)).bad_nodes(3)
    assert [] == ledger_of(greeted, *deaths_on("n1", Death.CRASHED, 5)).bad_nodes(3)
    other = Greeted("0001-000001-n2-1-a", "n2", "7")
    assert ["n1"] == ledger_of(greeted, other, *deaths_on("n1", Death.CRASHED, 5)).bad_nodes(3)


def test_deletion_of_an_array_blames_no_node() -> None:
    """Grid Engine's deleted jobs just vanish: that tells nothing of their nodes."""
    greeted = [Greeted(f"0001-00000{k}-n{k}-1-a", f"n{k}", "7") for k in (0, 1)]
    assert [] == ledger_of(*greeted, *deaths_on("n1", Death.VANISHED, 5)).bad_nodes(3)


def test_requeued_after_its_end() -> None:
    """A queue-job that the scheduler has requeued though its worker left in order is noticed; no other is."""
    sent = [Sent(1, [0, 2]), Accepted(1, [0, 2], [(-1, "7")])]
    ledger = ledger_of(*sent, *left("0001-000000-n1-1-a", "exhausted"), Ended(1, 0, []))
    for state in (JobState.PENDING, JobState.ERROR):
        ledger.batches[1].risen.clear()
        ledger.observe([Job("7", k, "name", state) for k in (0, 1)], [1], 1.0)
        assert {0} == ledger.batches[1].risen


def test_held_while_it_runs() -> None:
    """Grid Engine's hold on a running queue-job does nothing to it; on a waiting one, it does."""
    row = "<job_list><JB_job_number>7</JB_job_number><JB_name>n</JB_name><state>{}</state></job_list>"
    states = ("hr", "ht", "hqw", "hRq", "Eqw", "r", "qw")
    jobs = GridEngineDialect().parse_query(f"<info>{''.join(row.format(state) for state in states)}</info>")
    running, error = JobState.RUNNING, JobState.ERROR
    assert [running, running, error, error, error, running, JobState.PENDING] == [job.state for job in jobs]


def test_resumed_with_its_chunksize(tmp_path: Path) -> None:
    """A map that is gone on with has as many tasks in a chunk as it was told at first."""
    script = f"""if True:
        import os
        import pypoolparty
        from pypoolparty.work_dir import WorkDir
        WorkDir.log = lambda *args, **kwds: os.kill(os.getpid(), 9)
        pool = pypoolparty.local.Pool(2, elastic=False, keep_work_dir=True, work_dir={str(tmp_path)!r})
        pool.map(abs, range(-10, 0), chunksize=5)
    """
    assert -9 == subprocess.run([sys.executable, "-c", script]).returncode
    [work_dir] = tmp_path.iterdir()
    assert list(range(10, 0, -1)) == pypoolparty.resume(work_dir)
    events = [json.loads(line) for line in (work_dir / "log.jsonl").read_text().splitlines()]
    assert [2] == [event["elements"] for event in events if event["event"] == "Planned"]
