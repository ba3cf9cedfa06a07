"""Slurm's language: the commands that are written, and the recorded answers that are read."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypoolparty.command import Completed
from pypoolparty.scheduler import Target
from pypoolparty.slurm.dialect import SlurmDialect, expand_elements, format_elements
from pypoolparty.states import Job, JobState, Limits, Refusal, Resources, Submission

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
    assert [
        "sacct",
        "--noheader",
        "--parsable2",
        "--format=JobID,JobName,State,ExitCode,NodeList",
        "--jobs=7,8",
    ] == argv
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


@given(st.sets(st.integers(0, 2000), min_size=1), st.sampled_from(["", "%1", "%16"]))
def test_elements_round_trip(elements, throttle):
    """Elements written as Slurm takes them are read as Slurm prints them."""
    ascending = sorted(elements)
    text = format_elements(ascending)
    assert ascending == expand_elements(f"[{text}{throttle}]")
    assert ascending == expand_elements(text)


@pytest.mark.parametrize(
    ("text", "elements"),
    [("3", [3]), ("[3-9%2]", [3, 4, 5, 6, 7, 8, 9]), ("[1,4-8:2]", [1, 4, 6, 8]), ("[0-10:5,12%1]", [0, 5, 10, 12])],
)
def test_lists_of_elements(text, elements):
    """All of Slurm's ways to write them."""
    assert elements == expand_elements(text)


@pytest.mark.parametrize("text", ["", "[]", "[1,2,...]", "[1-", "[1,,2]", "a", "1 2", "-1"])
def test_unreadable_lists_of_elements(text):
    """A list that is no list, or was shortened, is never guessed."""
    with pytest.raises(ValueError, match="not a list of elements"):
        expand_elements(text)


HEADER = "JOBID|NAME|STATE|PRIORITY|NODELIST|REASON\n"
ROW = "7_[2-3%1]|q-0001|PENDING|10||Resources\n"


def test_rows():
    """A row for many elements is a job for each; a cluster's name and blank lines are passed over."""
    text = f"CLUSTER: party\n{HEADER}\n{ROW}CLUSTER: other\n{HEADER}8|other|RUNNING|10|n[1-2]|a|b\n"
    assert [
        Job("7", 2, "q-0001", JobState.PENDING, "Resources"),
        Job("7", 3, "q-0001", JobState.PENDING, "Resources"),
        Job("8", None, "other", JobState.RUNNING, "a|b", "n[1-2]"),
    ] == SLURM.parse_query(text)


@pytest.mark.parametrize("cut", range(1, len("7_[2-3%1]|q-0001|PENDING|10|")))
def test_half_lines(cut):
    """A torn line tells nothing, and so nothing is taken from the whole answer."""
    with pytest.raises(ValueError, match="not a "):
        SLURM.parse_query(HEADER + ROW + ROW[:cut])


@pytest.mark.parametrize("text", ["a|b|c|d|e|f\n", "7_[1,...]|q|PENDING|1||x\n", "\x00\ufffd<garbage>|||\n", "99\n"])
def test_unreadable_rows(text):
    """What is no row is an error, not a missing job."""
    with pytest.raises(ValueError, match="not a "):
        SLURM.parse_query(HEADER + text)


def test_unknown_state_is_kept():
    """A state of a later Slurm is not guessed."""
    [job] = SLURM.parse_query(f"{HEADER}7|q|BRAND_NEW|10|n1|None\n")
    assert (JobState.UNKNOWN, "None") == (job.state, job.reason)


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("None", "PENDING"),
        ("ReqNodeNotAvail, UnavailableNodes:n1,held", "PENDING"),
        ("ReqNodeNotAvail, May be reserved for other job", "PENDING"),
        ("AssocGrpCpuLimit", "PENDING"),
        ("QOSMaxJobsPerUserLimit", "PENDING"),
        ("Licenses", "PENDING"),
        ("launch failed requeued held", "ERROR"),
        ("JobHeldUser", "ERROR"),
        ("JobHoldMaxRequeue", "ERROR"),
        ("BadConstraints", "HOPELESS"),
        ("PartitionTimeLimit", "HOPELESS"),
        ("PartitionConfig", "HOPELESS"),
        ("MaxMemPerLimit", "HOPELESS"),
        ("QOSMaxWallDurationPerJobLimit", "HOPELESS"),
    ],
)
def test_reasons_to_wait(reason, state):
    """Waits, faults and hopeless requests are told apart by whole reasons, never by parts of them."""
    assert [state] == [job.state.name for job in SLURM.parse_query(f"{HEADER}7|q|PENDING|10||{reason}\n")]


@pytest.mark.parametrize(
    ("err", "is_gone"),
    [
        ("slurm_load_jobs error: Invalid job id specified\n", True),
        ("scancel: error: Kill job error on job id 7: Job/step already completing or completed\n", True),
        ("scancel: error: Kill job error on job id 7: Invalid job id specified\nscancel: error: other\n", False),
        ("", False),
        ("Unable to contact slurm controller\n", False),
    ],
)
def test_jobs_that_are_gone(err, is_gone):
    """Only if all lines say so, all that was asked for is gone."""
    assert is_gone == SLURM.is_gone(Completed(("scancel",), 1, "", err))


@pytest.mark.parametrize(
    ("text", "limits"),
    [("MaxArraySize            = 11\n", Limits(10)), ("x\nMaxArraySize=1001\ny", Limits(1000)), ("", Limits())],
)
def test_limits(text, limits):
    """Indices go up to MaxArraySize - 1; what is not told is unlimited."""
    assert limits == SLURM.parse_limits(text)


def test_unknown_words_of_a_refusal():
    """They are not guessed."""
    assert Refusal.UNKNOWN is SLURM.refusal(Completed(("sbatch",), 1, "", "sbatch: error: brand new\n"))
