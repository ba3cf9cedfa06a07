"""What a real Grid Engine 8.1.9 has printed, as the dialect reads it."""

import pytest

from pypoolparty.states import Limits, Refusal
from pypoolparty.sun_grid_engine.dialect import GridEngineDialect
from tests.unit import recordings

VERSION = "gridengine-8.1.9"
SGE = GridEngineDialect()


@pytest.mark.parametrize(("name", "job_id"), [("qsub-plain", "623"), ("qsub-array", "624")])
def test_recorded_submit_answer(name, job_id):
    """As recorded."""
    assert job_id == SGE.parse_submit(recordings.read(VERSION, name))


RUN = [f"625_{k} RUNNING @localhost r" for k in range(2)]
RECORDED = {
    "empty": [],
    "held": ["623 ERROR hqw", *(f"624_{k} ERROR hqw" for k in range(5))],
    "array": [*RUN, *(f"625_{k} PENDING qw" for k in range(2, 6))],
    "array-by-range": [*RUN, *(f"625_{k} PENDING qw" for k in range(2, 6))],
    "suspended-and-held": [
        "625_0 SUSPENDED @localhost s",
        "625_1 RUNNING @localhost r",
        "625_2 PENDING qw",
        "625_3 ERROR hqw",
        "625_4 PENDING qw",
        "625_5 PENDING qw",
    ],
    "element-deleted": [*RUN, "625_2 PENDING qw", "625_3 ERROR hqw", "625_4 PENDING qw"],
    "hold-jid": [*RUN, "625_2 PENDING qw", "625_3 ERROR hqw", "625_4 PENDING qw", "626 ERROR hqw"],
    "being-deleted": [f"625_{k} COMPLETING @localhost dr" for k in range(2)],
    "error": ["627_0 ERROR Eqw", "627_1 ERROR Eqw", "628 ERROR Eqw", "629 ERROR Eqw"],
    "job-unknown-xml": [],
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_queue(name):
    """Each job, its state, node and letters, exactly."""
    assert RECORDED[name] == recordings.words_of(SGE.parse_query(recordings.read(VERSION, f"qstat-{name}")))


@pytest.mark.parametrize("name", ["text", "f", "j", "job-unknown", "master-down"])
def test_other_answers_are_no_queue(name):
    """A table for people, or nothing at all, is never taken for a queue without jobs."""
    with pytest.raises(ValueError, match="not the XML"):
        SGE.parse_query(recordings.read(VERSION, f"qstat-{name}"))


REFUSED = {
    "array-from-zero": Refusal.NEVER,
    "array-nonsense": Refusal.NEVER,
    "array-too-large": Refusal.ARRAY_SIZE,
    "host-unknown": Refusal.NEVER,
    "master-down": Refusal.LATER,
    "memory-nonsense": Refusal.NEVER,
    "name-with-blank": Refusal.UNKNOWN,
    "name-with-digit": Refusal.NEVER,
    "name-with-slash": Refusal.UNKNOWN,
    "no-suitable-queue": Refusal.NEVER,
    "option-unknown": Refusal.NEVER,
    "output-with-colon": Refusal.NEVER,
    "output-with-comma": Refusal.NEVER,
    "pe-unknown": Refusal.NEVER,
    "project-unknown": Refusal.NEVER,
    "queue-unknown": Refusal.NEVER,
    "resource-unknown": Refusal.NEVER,
    "script-missing": Refusal.NEVER,
    "time-nonsense": Refusal.NEVER,
}


@pytest.mark.parametrize("name", REFUSED)
def test_recorded_refusal(name):
    """Whether it is worth to try again, and what has to change (our own names are never bad)."""
    assert REFUSED[name] is SGE.refusal(recordings.completed(VERSION, f"qsub-{name}"))


def test_all_recorded_refusals_are_read():
    """A new recording gets its place in the table above."""
    assert {f"qsub-{name}" for name in REFUSED} == set(recordings.failures(VERSION, "qsub-.*"))


@pytest.mark.parametrize(
    ("name", "is_gone"),
    [
        ("qdel-job-unknown", True),
        ("qdel-name-unknown", True),
        ("qdel-again", True),
        ("qdel-array", True),
        ("qdel-element-pending", True),
        ("qdel-master-down", False),
        ("qstat-master-down", False),
        ("qsub-master-down", False),
    ],
)
def test_recorded_jobs_that_are_gone(name, is_gone):
    """An outage is no proof that jobs are gone; what is deleted already, or being so, is fine."""
    assert is_gone == SGE.is_gone(recordings.completed(VERSION, name))


def test_recorded_limits():
    """The limit on arrays, and no limit on jobs."""
    assert Limits(array_size=75000) == SGE.parse_limits(recordings.read(VERSION, "qconf-global"))


KILLED = "exit_status 137                  (Killed)"
ACCOUNTS = {
    "completed": ["630 COMPLETED @localhost failed 0, exit_status 0"],
    "array-completed": [f"631_{k} COMPLETED @localhost failed 0, exit_status 0" for k in range(2)],
    "failed": ["632 FAILED @localhost failed 0, exit_status 3"],
    "killed": [f"633 FAILED @localhost failed 100 : assumedly after job, {KILLED}"],
    "over-time": [f"634 TIME_LIMIT @localhost failed 37  : qmaster enforced h_rt, h_cpu, or h_vmem limit, {KILLED}"],
    "over-memory": ["635 FAILED @localhost failed 0, exit_status 1"],
    "rerun": ["636 FAILED @localhost failed 25  : rescheduling, exit_status 99"],
    "deleted": [f"637 FAILED @localhost failed 100 : assumedly after job, {KILLED}"],
    "job-unknown": [],
}


@pytest.mark.parametrize("name", ACCOUNTS)
def test_recorded_accounts(name):
    """How each job ended, with qacct's own words."""
    assert ACCOUNTS[name] == recordings.words_of(SGE.parse_accounting(recordings.read(VERSION, f"qacct-{name}")))


def test_all_recorded_accounts_are_read():
    """A new recording gets its place in the table above."""
    assert {f"qacct-{name}" for name in ACCOUNTS} == set(recordings.names(VERSION, "qacct-.*"))
