"""squeue: one step for each call, and the rows that the real one would show."""

import pytest

from tests.dummies.conftest import USER

ALL_FIELDS = "%i|%j|%T|%t|%Q|%N|%R|%r|%F|%K|%A|%P|%M"


def gate(cluster):
    """Return a script whose jobs run until they are let go."""
    return cluster.script(f"while ! test -e '{cluster.folder}/go'; do sleep 0.02; done")


def let_go(cluster):
    """Let these jobs end."""
    (cluster.folder / "go").touch()


def test_one_step_starts_at_most_slots(make_cluster):
    """A call starts as many jobs as there are free slots, and the next no more while they run."""
    cluster = make_cluster(slots=2)
    cluster.sbatch("--array=0-4", gate(cluster))
    for _ in range(2):
        assert ["1_0 RUNNING", "1_1 RUNNING", "1_[2-4] PENDING"] == cluster.squeue()
    let_go(cluster)
    cluster.run_all()


def test_throttle(cluster):
    """No more elements run than the array's throttle allows; others may."""
    cluster.sbatch("--array=0-20:2%1", gate(cluster))
    cluster.sbatch(gate(cluster))
    assert ["1_0 RUNNING None", "1_[2-20:2%1] PENDING JobArrayTaskLimit", "2 RUNNING None"] == cluster.squeue(
        "%i %T %r"
    )


def test_all_fields(make_cluster):
    """All fields of waiting and running jobs are as the real one shows them."""
    cluster = make_cluster(slots=1, nodes=["n1"])
    cluster.sbatch("-J", "a b%x", "--array=3-5%2", gate(cluster))
    cluster.sbatch("--hold", "-J", "held", gate(cluster))
    assert [
        "1_3|a b%x|RUNNING|R|4294901759|n1|n1|None|1|3|3|main|0:00",
        "1_[4-5%2]|a b%x|PENDING|PD|4294901759||(Resources)|Resources|1|4-5%2|1|main|0:00",
        "2|held|PENDING|PD|0||(JobHeldUser)|JobHeldUser|2|N/A|2|main|0:00",
    ] == [row.replace("|0:01", "|0:00") for row in cluster.squeue(ALL_FIELDS)]


def test_default_layout(cluster):
    """Without a format there are a head and the usual columns."""
    cluster.sbatch("--hold", "-J", "a_name_that_is_long", cluster.script())
    head, row = cluster.ask("squeue", f"--user={USER}").splitlines()
    assert "             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)" == head
    assert f"                 1      main a_name_t {USER:>8.8s} PD       0:00      1 (JobHeldUser)" == row


def test_long_lists_of_indices(cluster):
    """Lists are cut off as SLURM_BITSTR_LEN says; without it, %i is cut off even shorter."""
    indices = ",".join(str(index * index) for index in range(31))
    cluster.sbatch("--hold", f"--array={indices}%5", cluster.script())
    whole = f"1_[0-{indices[2:]}%5]"
    assert [whole] == cluster.squeue("%i", SLURM_BITSTR_LEN="0")
    assert ["1_[0-1,4,9,16,25,36,49,...%5]"] == cluster.squeue("%i", SLURM_BITSTR_LEN="24")
    [row] = cluster.squeue("%i|%K")
    assert (31, 63 + len("%5")) == tuple(len(field) for field in row.split("|"))


def test_each_element(cluster):
    """--array shows a row for each element that waits."""
    cluster.sbatch("--hold", "--array=1-2", cluster.script())
    assert ["1_1 1", "1_2 2"] == cluster.squeue("%i %K", "--array")


def test_choosing_jobs(cluster):
    """Rows can be chosen by number, element, name, user and state."""
    script = cluster.script()
    cluster.sbatch("--hold", "--array=1-5", "-J", "one", script)
    cluster.sbatch("--hold", "-J", "two", script)
    assert ["1_[2,4]"] == cluster.squeue("%i", "--jobs=1_2,1_4")
    assert ["1_[1-2]", "2"] == cluster.squeue("%i", "-j", "1_[1-2],2")
    assert ["2"] == cluster.squeue("%i", "--name=two,three")
    assert ["1_[1-5]", "2"] == cluster.squeue("%i", "--me", f"--user={USER},0")
    assert [] == cluster.squeue("%i", "--user=nobody")
    assert "" == cluster.ask("squeue", "-h", "-t", "R,completed")
    assert cluster.ask("squeue", "-h", "-t", "pd") == cluster.ask("squeue", "-h")


def test_unknown_jobs(cluster):
    """One job that nobody knows is an error; several are just not shown."""
    cluster.sbatch("--hold", cluster.script())
    done = cluster("squeue", "--jobs=77")
    assert (1, "slurm_load_jobs error: Invalid job id specified\n") == (done.returncode, done.stderr)
    assert "" == cluster.ask("squeue", "-h", "--jobs=77,78")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--bogus"], "squeue: unrecognized option '--bogus'\nTry \"squeue --help\" for more information\n"),
        (["extra"], "squeue: error: Unrecognized option: extra\n"),
        (["-j", "x"], "squeue: error: Invalid job id: x\n"),
        (["-o", "%!"], "squeue: error: Invalid job format specification: !\n"),
    ],
)
def test_refuses(cluster, words, error):
    """What the real one refuses is refused with its words."""
    done = cluster("squeue", *words)
    assert (1, error) == (done.returncode, done.stderr)


def test_unknown_state(cluster):
    """An unknown state is refused, together with all that are known."""
    error = cluster("squeue", "-t", "bogus").stderr
    assert error.startswith(
        "squeue: error: Invalid job state specified: bogus\nsqueue: error: Valid job states include: "
    )


def test_clusters(cluster):
    """The own cluster may be named, others are not known."""
    assert cluster.ask("squeue", "-M", "dummy").startswith("CLUSTER: dummy\n")
    assert "" == cluster.ask("squeue", "-h", "-M", "dummy")
    assert "No cluster 'other' known by database." in cluster("squeue", "-M", "other").stderr


def test_ended_jobs_are_forgotten(make_cluster):
    """What has ended is shown with --states=all for as many calls as min_job_age says."""
    cluster = make_cluster(min_job_age=2)
    cluster.sbatch("--array=0-1", cluster.script('test "$SLURM_ARRAY_TASK_ID" = 0'))
    cluster.step_until(
        lambda rows: rows == ["1_0 COMPLETED None", "1_1 FAILED NonZeroExitCode"], lambda: cluster.squeue("%i %T %r")
    )
    cluster.step_until(lambda rows: rows == [])
    assert [] == cluster.dummies.state()["jobs"]
    assert "slurm_load_jobs error: Invalid job id specified\n" == cluster("squeue", "-j1").stderr


def test_ended_jobs_are_not_shown_by_default(cluster):
    """Without --states=all, what has ended is not shown."""
    cluster.sbatch(cluster.script())
    cluster.step_until(lambda rows: rows == ["1 COMPLETED"])
    assert "" == cluster.ask("squeue", "-h")
