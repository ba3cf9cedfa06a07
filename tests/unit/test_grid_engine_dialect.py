"""Grid Engine's language: the commands that are written, and the answers that are read."""

import getpass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypoolparty.command import Completed
from pypoolparty.scheduler import Target
from pypoolparty.states import Job, JobState, Limits, Refusal, Resources
from pypoolparty.sun_grid_engine.dialect import GridEngineDialect
from tests.unit.test_slurm_dialect import submission

SGE = GridEngineDialect()
START = ["qsub", "-terse", "-S", "/bin/sh", "-C", "", "-r", "n", "-N"]


def test_array():
    """An array is submitted by one command; our elements count from 0, Grid Engine's tasks from 1."""
    assert [
        *START,
        "q-0001",
        "-t",
        "1-4",
        "-wd",
        "/w",
        "-o",
        ":/w/workers/0001-$TASK_ID.stdout",
        "-e",
        ":/w/workers/0001-$TASK_ID.stderr",
        "/w/job.sh",
        "/usr/bin/python3",
        "/w",
        "0001",
    ] == SGE.submit_argv(submission())


def test_job_of_its_own():
    """A job that is no array has its element in its name, its output, and its last argument."""
    argv = GridEngineDialect(qsub="/opt/qsub").submit_argv(
        submission(is_array=False, elements=(7,), interpreter="/bin/bash")
    )
    assert [
        "/opt/qsub",
        *START[1:3],
        "/bin/bash",
        *START[4:],
        "q-0001-7",
        "-wd",
        "/w",
        "-o",
        ":/w/workers/0001-7.stdout",
        "-e",
        ":/w/workers/0001-7.stderr",
        "/w/job.sh",
        "/usr/bin/python3",
        "/w",
        "0001",
        "7",
    ] == argv


def test_throttle():
    """The throttle is Grid Engine's own."""
    assert ["-t", "3-9", "-tc", "3", "-wd"] == SGE.submit_argv(submission(elements=tuple(range(2, 9)), throttle=3))[
        10:15
    ]


def test_resources():
    """All resources in Grid Engine's spelling, memory for each slot; what the user writes comes last."""
    asked = Resources(90061, 4 << 30, 2, 1, "all.q", "a", "p", ("-l", "x=y z"))
    argv = SGE.submit_argv(submission(resources=asked, excluded_nodes=("n1", "n2")))
    assert [
        *("-pe", "smp", "2"),
        *("-l", "h_rt=90061"),
        *("-l", "h_vmem=2097152K"),
        *("-l", "gpu=1"),
        *("-q", "all.q"),
        *("-A", "a"),
        *("-P", "p"),
        *("-l", "h=!(n1|n2)"),
        *("-l", "x=y z"),
        "/w/job.sh",
    ] == argv[18:-3]


def test_parallel_environment():
    """Its name is the site's; one core needs none."""
    argv = GridEngineDialect(parallel_environment="threads").submit_argv(submission(resources=Resources(cpus=4)))
    assert ["-pe", "threads", "4"] == argv[18:21]
    assert SGE.submit_argv(submission()) == SGE.submit_argv(submission(resources=Resources(cpus=1, gpus=0)))


@pytest.mark.parametrize(
    ("work_dir", "folder", "output"),
    [
        ("/a b", "/a b", ":/a b/workers/0001-$TASK_ID"),
        ("/a'; echo foo", "/a'; echo foo", ":/a'; echo foo/workers/0001-$TASK_ID"),
        ("/a:b", "/a:b", ":/a:b/workers/0001-$TASK_ID"),
        ("/$HOME", "/$$HOME", ":/$$HOME/workers/0001-$TASK_ID"),
        ("/50%/雪", "/50%/雪", ":/50%/雪/workers/0001-$TASK_ID"),
        ("/a\\b", "/a\\b", ":/a\\b/workers/0001-$TASK_ID"),
        ("/a,b", "/a,b", "workers/0001-$TASK_ID"),
    ],
)
def test_hostile_paths(work_dir, folder, output):
    """What begins a variable is doubled, what would begin another path is left out."""
    argv = SGE.submit_argv(submission(work_dir=work_dir))
    assert ["-wd", folder, "-o", f"{output}.stdout", "-e", f"{output}.stderr"] == argv[12:18]


@pytest.mark.parametrize("work_dir", ["/a\nb", "/a,$b"])
def test_paths_that_can_not_be_written(work_dir):
    """Where a path can not be written, the raw output is lost, and nothing else."""
    argv = SGE.submit_argv(submission(work_dir=work_dir))
    assert ["-wd", "/", "-o", "/dev/null", "-e", "/dev/null"] == argv[12:18]


def test_other_commands():
    """Query, limits and accounting in one call each; qstat can not ask for names."""
    assert ["qstat", "-xml", "-u", getpass.getuser()] == SGE.query_argv(["q-0001", "r-0002"])
    assert ["qconf", "-sconf"] == SGE.limits_argv()
    assert ["qacct", "-j", "7"] == SGE.accounting_argv(["7", "8"])
    assert ["qsub", "qstat", "qdel"] == SGE.needed_commands()


def test_cancel():
    """One qdel for all, whole jobs and elements."""
    targets = [Target("7"), Target("8", (0, 1, 2, 8))]
    assert ["qdel", "7", "8.1-3:1", "8.9-9:1"] == SGE.cancel_argv(targets)


def test_labels():
    """The raw output is found under the names that were asked for."""
    assert ["0002-8", "0002-7"] == [SGE.label(2, 7, is_array) for is_array in (True, False)]


@pytest.mark.parametrize(
    ("text", "job_id"),
    [("623\n", "623"), ("624.1-5:1\n", "624"), ("Welcome!\n\nYour queue: 7 jobs\n624.1-5:1\n", "624")],
)
def test_submit_answer(text, job_id):
    """The job id is in the last line that is one; sites print banners."""
    assert job_id == SGE.parse_submit(text)


@pytest.mark.parametrize("text", ["", "Your job 7 has been submitted\n", "7.1-\n", "x7\n"])
def test_unreadable_submit_answer(text):
    """Without a job id the answer is doubtful."""
    with pytest.raises(ValueError, match="no job id"):
        SGE.parse_submit(text)


def xml(*jobs, banner=""):
    """Return what qstat prints of jobs: number, state, tasks, queue."""
    rows = "".join(
        f"<job_list><JB_job_number>{number}</JB_job_number><JB_name>q-0001</JB_name><state>{state}</state>"
        f"<queue_name>{queue}</queue_name>{f'<tasks>{tasks}</tasks>' if tasks else ''}</job_list>"
        for number, state, tasks, queue in jobs
    )
    return f"{banner}<?xml version='1.0'?>\n<job_info><queue_info>{rows}</queue_info><job_info></job_info></job_info>\n"


def test_rows():
    """A row for many elements is a job for each, behind any banner."""
    text = xml((7, "r", "3", "all.q@n1.site"), (7, "qw", "4-8:2,10", ""), (8, "t", "", "all.q@n2"), banner="Hello!\n")
    assert [
        Job("7", 2, "q-0001", JobState.RUNNING, "r", "n1.site"),
        Job("7", 3, "q-0001", JobState.PENDING, "qw"),
        Job("7", 5, "q-0001", JobState.PENDING, "qw"),
        Job("7", 7, "q-0001", JobState.PENDING, "qw"),
        Job("7", 9, "q-0001", JobState.PENDING, "qw"),
        Job("8", None, "q-0001", JobState.RUNNING, "t", "n2"),
    ] == SGE.parse_query(text)


@pytest.mark.parametrize(
    ("letters", "state"),
    [
        ("qw", JobState.PENDING),
        ("hqw", JobState.ERROR),
        ("hRwq", JobState.ERROR),
        ("Eqw", JobState.ERROR),
        ("Ehqw", JobState.ERROR),
        ("r", JobState.RUNNING),
        ("t", JobState.RUNNING),
        ("Rr", JobState.RUNNING),
        ("Rq", JobState.PENDING),
        ("s", JobState.SUSPENDED),
        ("S", JobState.SUSPENDED),
        ("T", JobState.SUSPENDED),
        ("dr", JobState.COMPLETING),
        ("dt", JobState.COMPLETING),
        ("dRr", JobState.COMPLETING),
        ("x", JobState.UNKNOWN),
        ("", JobState.UNKNOWN),
    ],
)
def test_states(letters, state):
    """The letters of qstat, and those that we do not know."""
    assert [(state, letters)] == [(job.state, job.reason) for job in SGE.parse_query(xml((7, letters, "", "")))]


def test_error_state_indicator():
    """What tells a job that will not run is the user's to say."""
    [job] = GridEngineDialect(error_state_indicator="x").parse_query(xml((7, "xqw", "", "")))
    assert JobState.ERROR is job.state


@given(st.integers(0, 5000))
def test_torn_answers(cut):
    """Of an answer that is not whole nothing is taken."""
    text = xml((7, "r", "3", "all.q@n1"), (8, "qw", "", "")).rstrip()
    with pytest.raises(ValueError, match="not the XML"):
        SGE.parse_query(text[: cut % len(text)])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("error: commlib error\n", "not the XML"),
        (xml(("", "r", "", "")), "without a number"),
        (xml((7, "r", "3-", "")), "not a list of tasks"),
        (xml((7, "r", "1-5", "")), "not a list of tasks"),
    ],
)
def test_unreadable_answers(text, words):
    """What is no list of jobs is an error, not missing jobs."""
    with pytest.raises(ValueError, match=words):
        SGE.parse_query(text)


def test_fault_of_qstat():
    """The ``%lt;`` that qstat writes for ``<`` (in names of others' jobs) spoils nothing."""
    [job] = SGE.parse_query(xml((7, "r", "", "")).replace("q-0001", "a%lt;b"))
    assert "a<b" == job.name


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("max_aj_tasks                 75000\nmax_u_jobs                   0\n", Limits(75000)),
        ("max_u_jobs 20\nmax_aj_instances 2000\nmax_aj_tasks 10", Limits(10, 20)),
        ("", Limits()),
    ],
)
def test_limits(text, limits):
    """0 is no limit."""
    assert limits == SGE.parse_limits(text)


def test_unknown_words():
    """They are not guessed, and prove nothing."""
    brand_new = Completed(("qsub",), 1, "", "brand new\n")
    assert Refusal.UNKNOWN is SGE.refusal(brand_new)
    assert not SGE.is_gone(brand_new)
    assert not SGE.is_gone(Completed(("qdel",), 1, "", ""))
