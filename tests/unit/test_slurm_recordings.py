"""What a real Slurm 22.05.8 has printed, as the dialect reads it."""

import pytest

from pypoolparty.slurm.dialect import SlurmDialect
from pypoolparty.states import Limits, Refusal
from tests.unit import recordings

VERSION = "slurm-22.05.8"
SLURM = SlurmDialect()
HEADER = "JOBID|NAME|STATE|PRIORITY|NODELIST|REASON\n"  # all was recorded without it


@pytest.mark.parametrize(
    ("name", "job_id"), [("sbatch-plain", "1"), ("sbatch-cluster", "74"), ("sbatch-slurmdbd-down", "76")]
)
def test_recorded_submit_answer(name, job_id):
    """As recorded."""
    assert job_id == SLURM.parse_submit(recordings.read(VERSION, name))


RECORDED = {
    "array-throttled": [
        "2_0 RUNNING @n1 None",
        "2_1 RUNNING @n1 None",
        *(f"2_{k} PENDING JobArrayTaskLimit" for k in range(2, 20)),
    ],
    "array-elements-cancelled": [
        "2_0 CANCELLED @n1 None",
        "2_1 RUNNING @n1 None",
        "2_2 RUNNING @n1 None",
        *(f"2_{k} PENDING JobArrayTaskLimit" for k in (3, 4, 5, 6, *range(8, 20))),
    ],
    "array-cancelled": [
        *(f"2_{k} CANCELLED @n1 None" for k in range(3)),
        *(f"2_{k} CANCELLED JobArrayTaskLimit" for k in (3, 4, 5, 6, *range(8, 20))),
    ],
    "array-held-by-user": [f"6_{k} ERROR JobHeldUser" for k in (1, 2, 3)],
    "array-element-released": ["6_1 ERROR JobHeldUser", "6_2 RUNNING @n1 None", "6_3 ERROR JobHeldUser"],
    "array-element-held-by-admin": ["6_1 ERROR JobHeldUser", "6_2 RUNNING @n1 None", "6_3 ERROR JobHeldAdmin"],
    "array-list-in-full": [f"9_{k * k} ERROR JobHeldUser" for k in range(31)],
    "completed": [f"11_{k} COMPLETED @n1 None" for k in range(3)],
    "failed": [f"12_{k} FAILED @n1 NonZeroExitCode" for k in range(2)],
    "cancelled": [f"16_{k} CANCELLED @n2 None" for k in range(2)],
    "completing": ["21 COMPLETING @n1 None"],
    "killed": ["14 FAILED @n1 JobLaunchFailure"],
    "out-of-memory": ["15 FAILED @n2 JobLaunchFailure"],
    "output-folder-missing": ["13 FAILED @n1 JobLaunchFailure"],
    "timeout": ["10 TIME_LIMIT @n1 TimeLimit"],
    "reasons-full": [
        "55 PENDING Resources",
        "56 PENDING Priority",
        "57 PENDING BeginTime",
        "58 PENDING Dependency",
        "59 ERROR DependencyNeverSatisfied",
        "60 HOPELESS PartitionNodeLimit",
        "61_0 PENDING Priority",
        "61_1 PENDING Priority",
    ],
    "reason-qos": ["61_0 RUNNING @n1 None", "61_1 PENDING QOSMaxCpuPerUserLimit"],
    "reasons-node-down": [f"{job} PENDING ReqNodeNotAvail, UnavailableNodes:n2" for job in (63, 64)],
    "suspended": ["65_0 RUNNING @n1 None", "65_1 SUSPENDED @n1 None"],
    "requeued": ["65_0 PENDING BeginTime", "65_1 RUNNING @n1 None"],
    "requeued-and-held": ["65_0 PENDING BeginTime", "65_1 ERROR job requeued in held state"],
    "node-killed-and-not-missed-yet": ["67 RUNNING @n3 None", "68 RUNNING @n3 None"],
    "node-failed": ["67 PENDING BeginTime", "68 NODE_FAILED @n3 NodeDown"],
    "empty": [],
    "jobs-unknown": [],
    "name-unknown": [],
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_queue(name):
    """Each job, its state, node and reason, exactly."""
    assert RECORDED[name] == recordings.words_of(SLURM.parse_query(HEADER + recordings.read(VERSION, f"squeue-{name}")))


def test_all_recordings_of_the_queue_are_read():
    """A new recording gets its place in the table above."""
    others = {"squeue-array-list-shortened", "squeue-refused"}
    recorded = set(recordings.names(VERSION, "squeue-.*")) - set(recordings.failures(VERSION, "squeue-.*")) - others
    assert {f"squeue-{name}" for name in RECORDED} == recorded


def test_shortened_list():
    """Without SLURM_BITSTR_LEN=0, squeue cuts long lists in the middle of a number: that is never taken for whole."""
    with pytest.raises(ValueError, match="not a row"):
        SLURM.parse_query(HEADER + recordings.read(VERSION, "squeue-array-list-shortened"))


REFUSED = {
    "account-unknown": Refusal.NEVER,
    "array-nonsense": Refusal.ARRAY_SIZE,
    "array-too-large": Refusal.ARRAY_SIZE,
    "cluster-unknown": Refusal.NEVER,
    "constraint-unknown": Refusal.NEVER,
    "controller-down": Refusal.LATER,
    "cpus-over-node": Refusal.NEVER,
    "dependency-nonsense": Refusal.NEVER,
    "gres-unknown": Refusal.NEVER,
    "memory-nonsense": Refusal.NEVER,
    "memory-over-node": Refusal.NEVER,
    "munge-down": Refusal.LATER,
    "name-too-long": Refusal.NEVER,
    "node-unknown": Refusal.NEVER,
    "option-unknown": Refusal.NEVER,
    "partition-unknown": Refusal.NEVER,
    "qos-limit": Refusal.JOB_LIMIT,
    "qos-unknown": Refusal.NEVER,
    "reservation-unknown": Refusal.NEVER,
    "script-missing": Refusal.NEVER,
    "time-nonsense": Refusal.NEVER,
}


@pytest.mark.parametrize("name", REFUSED)
def test_recorded_refusal(name):
    """Whether it is worth to try again, and what has to change."""
    assert REFUSED[name] is SLURM.refusal(recordings.completed(VERSION, f"sbatch-{name}"))


def test_all_recorded_refusals_are_read():
    """A new recording gets its place in the table above."""
    assert {f"sbatch-{name}" for name in REFUSED} == set(recordings.failures(VERSION, "sbatch-.*"))


@pytest.mark.parametrize(
    ("name", "is_gone"),
    [
        ("squeue-job-unknown", True),
        ("squeue-controller-down", False),
        ("squeue-munge-down", False),
        ("scancel-controller-down", False),
        ("scancel-munge-down", False),
        ("scancel-nothing", False),
        ("sbatch-controller-down", False),
    ],
)
def test_recorded_jobs_that_are_gone(name, is_gone):
    """An outage is no proof that jobs are gone."""
    assert is_gone == SLURM.is_gone(recordings.completed(VERSION, name))


def test_recorded_limits():
    """Slurm's default MaxArraySize is 1001: indices from 0 to 1000, so 1001 of them are allowed, and 1000 are used."""
    assert Limits(array_size=1000) == SLURM.parse_limits(recordings.read(VERSION, "scontrol-show-config"))


ACCOUNTS = {
    "array-cancelled": [
        *(f"2_{k} CANCELLED @n1 CANCELLED{by}" for k in range(3) for by in (" by 0 0:0", " 0:15")),
    ],
    "completed": [f"11_{k} COMPLETED @n1 COMPLETED 0:0" for k in range(3) for _ in range(2)],
    "failed": [f"12_{k} FAILED @n1 FAILED 3:0" for k in range(2) for _ in range(2)],
    "killed": ["14 FAILED @n1 FAILED 0:9", "14 CANCELLED @n1 CANCELLED 0:9"],
    "timeout": ["10 TIME_LIMIT @n1 TIMEOUT 0:0", "10 CANCELLED @n1 CANCELLED 0:15"],
    "out-of-memory": ["15 FAILED @n2 FAILED 0:9", "15 CANCELLED @n2 CANCELLED by 0 0:9"],
    "node-failed": [
        "67 NODE_FAILED @n3 NODE_FAIL 0:0",
        "67 CANCELLED @n3 CANCELLED ",
        "68 NODE_FAILED @n3 NODE_FAIL 0:0",
        "68 CANCELLED @n3 CANCELLED ",
    ],
    "job-unknown": [],
}


@pytest.mark.parametrize("name", ACCOUNTS)
def test_recorded_accounts(name):
    """What the accounting tells of jobs and their steps (recorded with more columns than we ask for)."""
    lines = recordings.read(VERSION, f"sacct-{name}").splitlines()
    columns = [line.split("|") for line in lines]
    text = "".join("|".join((*row[:4], row[-1])) + "\n" for row in columns)
    assert ACCOUNTS[name] == recordings.words_of(SLURM.parse_accounting(text))
