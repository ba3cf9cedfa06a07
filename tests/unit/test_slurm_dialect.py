"""Slurm's language: the commands that are written, and the recorded answers that are read."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypoolparty.command import Completed
from pypoolparty.scheduler import Target
from pypoolparty.slurm.dialect import SlurmDialect, expand_elements, format_elements
from pypoolparty.states import Job, JobState, Limits, Refusal, Resources, Submission
from tests.unit import recordings

VERSION = "slurm-22.05.8"
SLURM = SlurmDialect()


def submission(**more):
    """Return a submission of an array of four."""
    plain = {
        "name": "q-0001",
        "is_array": True,
        "script": "/w/job.sh",
        "script_args": ("/usr/bin/python3", "/w", "0001"),
        "work_dir": "/w",
        "number": 1,
        "elements": (0, 1, 2, 3),
    }
    return Submission(**{**plain, **more})


FIXED = ["--open-mode=append", "--no-requeue", "--ntasks=1"]


def test_array():
    """An array is submitted by one command, each option in one word."""
    assert [
        "sbatch",
        "--parsable",
        "--job-name=q-0001",
        "--array=0-3",
        "--chdir=/w",
        "--output=/w/workers/0001-%a.stdout",
        "--error=/w/workers/0001-%a.stderr",
        *FIXED,
        "/w/job.sh",
        "/usr/bin/python3",
        "/w",
        "0001",
    ] == SLURM.submit_argv(submission())


def test_job_of_its_own():
    """A job that is no array has its element in its name, its output, and its last argument."""
    assert [
        "/opt/sbatch",
        "--parsable",
        "--clusters=a,b",
        "--job-name=q-0001-7",
        "--chdir=/w",
        "--output=/w/workers/0001-7.stdout",
        "--error=/w/workers/0001-7.stderr",
        *FIXED,
        "/w/job.sh",
        "/usr/bin/python3",
        "/w",
        "0001",
        "7",
    ] == SlurmDialect(sbatch="/opt/sbatch", clusters="a,b").submit_argv(submission(is_array=False, elements=(7,)))


def test_throttle_and_gaps():
    """Any elements can be submitted, and the throttle is Slurm's own."""
    argv = SLURM.submit_argv(submission(elements=(0, 1, 2, 5, 7, 8), throttle=3))
    assert "--array=0-2,5,7-8%3" == argv[3]


def test_resources():
    """All resources in Slurm's spelling; what the user writes comes last and wins."""
    asked = Resources(90061, (1 << 30) + 1, 2, 1, "p", "a", "q", ("--constraint=x y", "--mem=0"))
    argv = SLURM.submit_argv(submission(resources=asked, excluded_nodes=("n1", "n2")))
    assert [
        *FIXED,
        "--time=1501:01",
        "--mem=1048577K",
        "--cpus-per-task=2",
        "--gpus=1",
        "--partition=p",
        "--account=a",
        "--qos=q",
        "--exclude=n1,n2",
        "--constraint=x y",
        "--mem=0",
        "/w/job.sh",
    ] == argv[7:-3]


def test_no_gpus_is_nothing_to_ask_for():
    """Zero is like none."""
    assert SLURM.submit_argv(submission()) == SLURM.submit_argv(submission(resources=Resources(gpus=0)))


@pytest.mark.parametrize(
    ("work_dir", "output"),
    [
        ("/a b", "/a b/workers/0001-%a.stdout"),
        ("/a'; echo foo", "/a'; echo foo/workers/0001-%a.stdout"),
        ("/a\nb", "/a\nb/workers/0001-%a.stdout"),
        ("/50%", "/50%%/workers/0001-%a.stdout"),
        ("/%A%%", "/%%A%%%%/workers/0001-%a.stdout"),
        ("/a\\b", "/dev/null"),
        ("/$HOME/雪", "/$HOME/雪/workers/0001-%a.stdout"),
    ],
)
def test_hostile_paths(work_dir, output):
    """A path is one word, and its % signs are no patterns; where a path can not be written, the output is lost."""
    argv = SLURM.submit_argv(submission(work_dir=work_dir))
    assert [f"--chdir={work_dir}", f"--output={output}"] == argv[4:6]
    assert f"--error={output.replace('stdout', 'stderr')}" == argv[6]


def test_query():
    """One squeue for all names, finished jobs too, in our own format, of this user alone."""
    argv = SlurmDialect(squeue="/opt/squeue", clusters="c").query_argv(["q-0001", "r-0002"])
    assert [
        "/opt/squeue",
        "--noheader",
        "--clusters=c",
        "--states=all",
        f"--user={os.getuid()}",
        "--name=q-0001,r-0002",
        "--format=%i|%j|%T|%Q|%N|%r",
    ] == argv


def test_cancel():
    """One scancel for all, whole jobs and elements."""
    targets = [Target("7"), Target("8", (1, 2, 3, 9))]
    assert ["scancel", "7", "8_[1-3,9]"] == SLURM.cancel_argv(targets)


def test_other_commands():
    """Limits and accounting are asked for in one call each."""
    assert ["scontrol", "show", "config"] == SLURM.limits_argv()
    argv = SLURM.accounting_argv(["7", "8"])
    assert ["sacct", "--noheader", "--parsable2", "--format=JobID,JobName,State,ExitCode,NodeList", "--jobs=7,8"] == argv
    assert ["sbatch", "squeue", "scancel"] == SLURM.needed_commands()


def test_labels():
    """The raw output is found under the names that were asked for."""
    assert ["0002-7", "0002-7"] == [SLURM.label(2, 7, is_array) for is_array in (True, False)]


@pytest.mark.parametrize(
    ("text", "job_id"),
    [("123\n", "123"), ("123;party\n", "123"), ("Welcome!\n\nYour balance: 12 h\n123\n", "123"), ("1\n2\n", "2")],
)
def test_submit_answer(text, job_id):
    """The job id is the last line that is one; sites print banners."""
    assert job_id == SLURM.parse_submit(text)


@pytest.mark.parametrize("text", ["", "\n", "Submitted batch job\n", "12x\n", "12 ;\n"])
def test_unreadable_submit_answer(text):
    """Without a job id the answer is doubtful."""
    with pytest.raises(ValueError, match="no job id"):
        SLURM.parse_submit(text)


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
