"""When a worker has to leave, by clocks that do not agree."""

import sys
import time

import pytest

from pypoolparty import worker
from tests.unit import functions
from tests.unit.jobs import returned, run, said
from tests.unit.maps import make_map, submit


def run_five(tmp_path, python=(sys.executable,), time_limit=None, **variables):
    """Run a queue-job on a chunk of five tasks; return how many are done and why it left."""
    work_dir = make_map(tmp_path / "s", functions.identity, range(5))
    submit(work_dir, 5, chunksize=5, time_limit=time_limit)
    records = run(work_dir, python=python, **variables)
    return len(returned(records)), said(records, worker.GOODBYE)["reason"]


def job_times(since, limit):
    """Return what Slurm tells of a job that began so many seconds ago, by its own clock."""
    begin = int(time.time()) - since
    return {"SLURM_JOB_START_TIME": str(begin), "SLURM_JOB_END_TIME": str(begin + limit)}


@pytest.mark.parametrize("skew", [-3600, 3600])
@pytest.mark.parametrize(("limit", "expected"), [(60, (5, "exhausted")), (5, (1, "out of time"))])
def test_clock_of_another_host(tmp_path, skew, limit, expected):
    """However wrong this node's clock is, a queue-job has the time from the begin to the end that Slurm tells."""
    assert expected == run_five(tmp_path, **job_times(skew, limit))


def test_prolog_that_took_long(tmp_path):
    """What Slurm took before the job script, where the clocks agree, is time that is used up."""
    assert (1, "out of time") == run_five(tmp_path, **job_times(since=58, limit=60))


def test_setup_that_took_long(tmp_path):
    """What the job script took before the worker is time that is used up, whoever tells the limit."""
    slow = ["/bin/sh", "-c", 'sleep 1; exec "$0" "$@"', sys.executable]
    assert (1, "out of time") == run_five(tmp_path / "a", slow, time_limit=1)
    assert (1, "out of time") == run_five(tmp_path / "b", slow, **job_times(since=3600, limit=6))


def test_only_the_end_is_told(tmp_path):
    """Where Slurm tells the end alone, it is by our own clock, unless the time limit is known."""
    told = job_times(since=3600, limit=60)
    del told["SLURM_JOB_START_TIME"]
    assert (1, "out of time") == run_five(tmp_path / "a", **told)
    assert (5, "exhausted") == run_five(tmp_path / "b", time_limit=60, **told)
