"""What a real Slurm does not take, or never runs: told at once in its own words, or waited for."""

import time

import pytest

import pypoolparty
from tests.contract.helpers import number_of_marks, wait_until
from tests.real.pools import events, pool_on
from tests.real.test_maps import do_nothing, nap, square_slowly

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

NEVER = {
    "partition": ({"partition": "nope"}, "invalid partition specified"),
    "account": ({"account": "nope"}, "Invalid account"),
    "qos": ({"qos": "nope"}, "Invalid qos"),
    "constraint": ({"submit_args": ["--constraint=nope"]}, "Invalid feature"),
    "time of the partition": ({"partition": "short", "time": 3600}, "PartitionTimeLimit"),
    "time of the QOS": ({"qos": "brief", "time": 3600}, "QOSMaxWallDurationPerJobLimit"),
    "memory of the partition": ({"partition": "lean", "mem": "1G"}, "MaxMemPerLimit"),
    "memory of all nodes": ({"mem": "17G"}, "Memory specification can not be satisfied"),
    "cpus of all nodes": ({"cpus": 9}, "CPU count per node can not be satisfied"),
    "cpus of the partition": ({"partition": "short", "cpus": 9}, "PartitionConfig"),
}


@pytest.mark.parametrize("what", NEVER)
def test_request_that_can_never_run(slurm_with_accounting, what, tmp_path, monkeypatch):
    """It fails at once, in Slurm's own words, and nothing stays in the queue."""
    arguments, words = NEVER[what]
    start = time.monotonic()
    with (
        pool_on(slurm_with_accounting, "slurm.array", tmp_path, monkeypatch, **arguments) as pool,
        pytest.raises(pypoolparty.errors.SubmissionRefused, match=words),
    ):
        pool.map(do_nothing, range(8))
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("name", ["slurm.array", "slurm"])
@pytest.mark.parametrize("limit", [{"qos": "few"}, {"account": "small"}], ids=["QOS", "association"])
def test_more_queue_jobs_than_may_be_submitted(slurm_with_accounting, limit, name, tmp_path, monkeypatch):
    """Three jobs are allowed at a time and five are wanted: they are submitted in windows, and nothing is given up."""
    arguments = {"width": 8, "keep_work_dir": True, **limit}
    if name == "slurm.array":
        arguments["elastic"] = False
    with pool_on(slurm_with_accounting, name, tmp_path, monkeypatch, **arguments) as pool:
        assert [0.1] * 5 == pool.map(nap, [0.1] * 5, chunksize=1)
    found = events(tmp_path / "work", "Refused")
    assert {"job limit"} == {event["refusal"] for event in found}


def test_room_that_others_have_taken(slurm_with_accounting, tmp_path, monkeypatch):
    """Others have used up the limit: that is waited for, and when they are gone the map has all the room."""
    held = ("sbatch", "--parsable", "--hold", "--qos=few", "--array=0-2", "--output=/dev/null", "--wrap=true")
    job = slurm_with_accounting.run(*held).stdout.strip()
    arguments = {"width": 3, "qos": "few", "keep_work_dir": True}
    with pool_on(slurm_with_accounting, "slurm.array", tmp_path, monkeypatch, **arguments) as pool:
        result = pool.map_async(nap, [0.3] * 12)
        wait_until(lambda: events(tmp_path / "work", "Refused"), "a refusal")
        assert 0 == slurm_with_accounting.run("scancel", job).returncode
        assert [0.3] * 12 == result.get(60)


def test_preemption(slurm_with_accounting, tmp_path, monkeypatch):
    """Queue-jobs that have to make room for others are submitted again, for that is not their fault."""
    arguments = {"width": 4, "partition": "low", "max_num_resubmissions": 0, "keep_work_dir": True}
    important = ("sbatch", "--partition=high", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    marks = tmp_path / "marks"
    marks.mkdir()
    with pool_on(slurm_with_accounting, "slurm.array", tmp_path, monkeypatch, **arguments) as pool:
        result = pool.map_async(square_slowly, [(i, str(marks)) for i in range(8)], chunksize=1)
        wait_until(lambda: number_of_marks(marks, "ran-") >= 4, "running tasks")
        assert 0 == slurm_with_accounting.run(*important).returncode
        assert [i**2 for i in range(8)] == result.get(90)
    deaths = {event["report"]["death"] for event in events(tmp_path / "work", "Ended") if event["report"]}
    assert {"Preempted"} == deaths
