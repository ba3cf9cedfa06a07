"""qsub, qstat and qdel: what they take, refuse, show and say."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from tests.dummies.conftest import USER, processes_naming, wait_until


def endless(cluster):
    """Return a script that runs for ever once it has left a mark."""
    return cluster.script("touch mark.$SGE_TASK_ID", "while true; do sleep 0.05; done")


def test_replies_of_qsub(cluster):
    """The number of the job is told in the way that is asked for."""
    script = cluster.script()
    assert "1\n" == cluster.ask("qsub", "-terse", script)
    assert "2.1-10:1\n" == cluster.ask("qsub", "-terse", "-t", "1-10", script)
    assert 'Your job 3 ("job.sh") has been submitted\n' == cluster.ask("qsub", script)
    assert 'Your job-array 4.2-8:3 ("x") has been submitted\n' == cluster.ask("qsub", "-N", "x", "-t", "2-9:3", script)


def test_only_appends(cluster):
    """A submission waits until somebody calls qstat."""
    cluster.qsub("-t", "1-2", endless(cluster))
    assert ["1.1", "1.2"] == cluster.dummies.queue()
    assert [("1", "job.sh", "r", "1"), ("1", "job.sh", "r", "2")] == cluster.qstat()


ALL_OPTIONS = (
    "-terse -N n -t 1-4 -tc 2 -o /dev/null -e /dev/null -wd / -cwd -S /bin/sh -q all.q -l h_rt=1:0:0,h_vmem=2.5G "
    "-l gpu=1 -pe smp 2 -P p -V -v A=b,C -j y -b n -r n -h -p -5 -hard -soft -w n -shell n -A account"
)


def test_all_options(cluster):
    """All options that are imitated are taken, and the script's own arguments are left alone."""
    cluster.ask("qsub", *ALL_OPTIONS.split(), cluster.script(), "-t", "x", "-N")
    [job] = cluster.dummies.state()["jobs"]
    assert ["-t", "x", "-N"] == job["arguments"]
    assert ("n", "1-4:1", [1, 2, 3, 4]) == (job["name"], job["array"], job["waiting"])


NAMES = {
    "1a": 'denied: "1a" is not a valid object name (cannot start with a digit)',
    "a:b": "Colon (':') not allowed in objectname",
    "a@b": "At ('@') not allowed in objectname",
    "a\\b": "Backslash ('\\') not allowed in objectname",
    "a*b": "Asterisk ('*') not allowed in objectname",
    "a?b": "Questionmark ('?') not allowed in objectname",
    "a\nb": "Return not allowed in objectname",
    "all": 'Keyword ("ALL") not allowed as objectname',
    "": "job rejected cause there is no job_name in the request",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_refused(cluster, name):
    """Names that the real one refuses are refused with its words."""
    done = cluster("qsub", "-N", name, cluster.script())
    assert (1, f"Unable to run job: {NAMES[name]}\nExiting.\n") == (done.returncode, done.stderr)


REFUSED = {
    "-sync y": (2, 'qsub: invalid option argument "-sync"\n'),
    "-N a/b": (2, "qsub: argument to -N option must not contain / \n"),
    "-t 3-9:0": (7, "qsub: Negative or zero step in range is not allowed\n"),
    "-t a": (7, 'qsub: Numerical value invalid!\nThe initial portion of string "a" contains no decimal number\n'),
    "-tc x": (7, 'qsub: invalid task concurrency number "x". Must be an integer greater or equal to 0.\n'),
    "-j z": (7, 'qsub: invalid option argument "-j z"\n'),
    "-t 0-3": (1, "Unable to run job: job rejected: 0 is an invalid task id\nExiting.\n"),
    "-q no.q": (1, 'Unable to run job: Job was rejected because job requests unknown queue "no.q"\nExiting.\n'),
    "-pe no 2": (
        1,
        'Unable to run job: job rejected: the requested parallel environment "no" does not exist\nExiting.\n',
    ),
    "-l no=2": (1, 'Unable to run job: unknown resource "no"\nExiting.\n'),
    "-l h_rt=x": (1, 'Unable to run job: attribute "h_rt" is not a time value\nExiting.\n'),
}


@pytest.mark.parametrize("words", REFUSED)
def test_qsub_refuses(cluster, words):
    """What the real one refuses is refused with its words and its code, and nothing is queued."""
    done = cluster("qsub", *words.split(), cluster.script())
    assert REFUSED[words] == (done.returncode, done.stderr)
    assert [] == cluster.dummies.queue()


def test_limits(make_cluster):
    """Too many tasks, and too many jobs, are refused."""
    cluster = make_cluster(max_submit_jobs=1)
    cluster.dummies.configure(max_aj_tasks=10)
    script = cluster.script()
    assert "submit a job with more than 10 tasks" in cluster("qsub", "-t", "1-11", script).stderr
    cluster.qsub(script)
    done = cluster("qsub", script)
    assert (25, True) == (done.returncode, "Only 1 jobs are allowed per user" in done.stderr)
    assert re.search(r"^max_aj_tasks +10$", cluster.ask("qconf", "-sconf"), re.MULTILINE)


def test_options_in_the_script(cluster):
    """Options in the script count less than the command line's, and with an empty prefix not at all."""
    script = cluster.script("#$ -N inside -t 2-3")
    cluster.qsub(script)
    cluster.qsub("-N", "outside", "-C", "", script)
    assert [("inside", [2, 3]), ("outside", [0])] == [
        (job["name"], job["waiting"]) for job in cluster.dummies.state()["jobs"]
    ]


def test_table(make_cluster):
    """Running tasks have a row each, waiting ones one together, or one each if asked for."""
    cluster = make_cluster(slots=2, nodes=["n1"])
    cluster.qsub("-N", "a_long_name", "-t", "1-6", endless(cluster))
    cluster.qsub("-h", "-t", "2-3", cluster.script())
    assert [
        ("1", "a_long_nam", "qw", "3-6:1"),
        ("1", "a_long_nam", "r", "1"),
        ("1", "a_long_nam", "r", "2"),
        ("2", "job.sh", "hqw", "2,3"),
    ] == cluster.qstat()
    head, line, row, *_ = cluster.ask("qstat").splitlines()
    assert head.startswith("job-ID  prior   name       user         state submit/start at     queue     ")
    assert "-" * 113 == line
    assert re.fullmatch(
        rf"      1 0\.\d+ a_long_nam {USER:12.12s} r     [\d/]{{10}} [\d:]{{8}} all\.q@n1 {{27}}1 1", row
    )
    each = cluster.ask("qstat", "-g", "d").splitlines()[2:]
    assert ["1", "2", "3", "4", "5", "6", "2", "3"] == [row.split()[-1] for row in each]
    assert "" == cluster.ask("qstat", "-u", "nobody")
    assert 2 == len(cluster.ask("qstat", "-s", "r", "-u", "*").splitlines()[2:])
    assert 2 == len(cluster.ask("qstat", "-s", "p").splitlines()[2:])


def test_xml(make_cluster):
    """The XML has the real one's structure, with full names and its fault for the smaller sign."""
    cluster = make_cluster(slots=1, nodes=["n1"])
    name = """a_long_name&>"'"""
    cluster.qsub("-N", name, "-t", "1-3", endless(cluster))
    cluster.qsub("-N", "a<b", cluster.script())
    text = cluster.ask("qstat", "-xml")
    assert "<JB_name>a%lt;b</JB_name>" in text
    root = ElementTree.fromstring(text)
    [running] = root.findall("queue_info/job_list")
    waiting = root.findall("job_info/job_list")
    assert ["running", "pending", "pending"] == [row.get("state") for row in (running, *waiting)]
    names = "JB_job_number JAT_prio JB_name JB_owner state JAT_start_time queue_name slots tasks"
    assert names.split() == [field.tag for field in running]
    assert (name, "r", "all.q@n1", "1") == tuple(
        running.findtext(tag) for tag in ("JB_name", "state", "queue_name", "tasks")
    )
    assert (name, "qw", "2,3") == tuple(waiting[0].findtext(tag) for tag in ("JB_name", "state", "tasks"))
    assert waiting[0].find("JB_submission_time") is not None
    assert waiting[1].find("tasks") is None


def test_qstat_refuses(cluster):
    """Unknown options and unknown jobs are errors."""
    done = cluster("qstat", "-bogus")
    assert (1, 'invalid option argument "-bogus"\n') == (done.returncode, done.stderr)
    done = cluster("qstat", "-j", "99")
    assert (1, "Following jobs do not exist: \n99\n") == (done.returncode, done.stderr)


def test_ended_jobs_are_gone(cluster):
    """What has ended is not shown, and forgotten."""
    cluster.qsub("-cwd", cluster.script())
    cluster.run_all(cluster.qstat)
    assert "" == cluster.ask("qstat")
    assert [] == cluster.dummies.state()["jobs"]


def test_qdel(make_cluster):
    """Waiting and running tasks are removed, each with the real one's words, and really killed."""
    cluster = make_cluster(slots=2)
    cluster.qsub("-t", "1-9", "-cwd", endless(cluster))
    cluster.qstat()
    wait_until(lambda: len(list(cluster.folder.glob("mark.*"))) == 2)
    assert f"{USER} has registered the job-array task 1.1 for deletion\n" == cluster.ask("qdel", "1.1")
    assert f"{USER} has deleted job-array task 1.9\n" == cluster.ask("qdel", "1", "-t", "9")
    assert f"{USER} has deleted job-array tasks 3-7:2 of job 1\n" == cluster.ask("qdel", "1.3-7:2")
    assert ["1.2", "1.4", "1.6", "1.8"] == cluster.dummies.queue()
    cluster.ask("qdel", "1")
    assert [] == cluster.dummies.queue()
    assert [] == processes_naming(f"{cluster.dummies.folder}/spool")


def test_qdel_by_name_and_user(cluster):
    """Jobs can be deleted by name, pattern and user."""
    for name in ("one", "two", "three"):
        cluster.qsub("-N", name, "-h", cluster.script())
    assert f"{USER} has deleted job 1\n" == cluster.ask("qdel", "one")
    assert f"{USER} has deleted job 2\n{USER} has deleted job 3\n" == cluster.ask("qdel", "-u", USER, "t*")


def test_qdel_of_a_running_job(cluster):
    """A job of its own is registered for deletion, and gone."""
    cluster.qsub("-cwd", endless(cluster))
    cluster.qstat()
    assert f"{USER} has registered the job 1 for deletion\n" == cluster.ask("qdel", "1")
    assert [] == cluster.qstat()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["99"], 'denied: job "99" does not exist\n'),
        (["99.3"], 'denied: job "99" does not exist\n'),
        (["nobody"], f"The job nobody of user(s) {USER} does not exist\n"),
        (["-u", "nobody"], "There is no job registered for the following users: nobody\n"),
        (["1.9"], 'job "1" task "9" does not exist\n'),
    ],
)
def test_qdel_of_what_is_not_there(cluster, words, said):
    """To delete what is not there is an error."""
    cluster.qsub("-h", "-t", "1-2", cluster.script())
    done = cluster("qdel", *words)
    assert (1, said) == (done.returncode, done.stdout + done.stderr)
