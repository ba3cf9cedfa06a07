"""sbatch: what it takes, what it refuses, what it says."""

import pytest


@pytest.fixture
def script(cluster):
    """Return a script that does nothing."""
    return cluster.script("exit 0")


def test_replies(cluster, script):
    """The number of the job is told in the way that is asked for, and numbers count up."""
    assert "Submitted batch job 1\n" == cluster.ask("sbatch", script)
    assert "2\n" == cluster.ask("sbatch", "--parsable", script)
    assert "3;dummy\n" == cluster.ask("sbatch", "--parsable", "-M", "dummy", script)


def test_only_appends(cluster, script):
    """A submission waits until somebody calls squeue."""
    cluster.sbatch(script)
    cluster.sbatch("--array=1,3", script)
    assert ["1", "2_1", "2_3"] == cluster.dummies.queue()
    assert ["1 RUNNING", "2_1 RUNNING", "2_3 RUNNING"] == cluster.squeue()


ALL_OPTIONS = (
    "--job-name=n -J n --array=1-3%2 -a 1 --output=/dev/null -o /dev/null --error=/dev/null -e /dev/null --chdir=/ "
    "-D / --time=1-2:3:4 -t 5 --mem=100M --mem-per-cpu=1G --cpus-per-task=2 -c 2 --ntasks=1 -n 1 --nodes=1 -N 1-2 "
    "--gpus=1 --gres=gpu:2 --partition=main -p main --account=a -A a --qos=q -q q --clusters=dummy -M dummy "
    "--exclude=n1,n[2-3] -x n1 --requeue --no-requeue --export=ALL,A=b --open-mode=append --comment=c --hold -H "
    "--begin=now+1hour --constraint=x -C x --nice --nice=5 --exclusive --exclusive=user "
    "--signal=B:USR1@60 --kill-on-invalid-dep=yes"
)


def test_all_options(cluster, script):
    """All options that are imitated are taken, and the script's own arguments are left alone."""
    cluster.sbatch(*ALL_OPTIONS.split(), script, "--array=x", "-J", "not me")
    [job] = cluster.dummies.state()["jobs"]
    assert ["--array=x", "-J", "not me"] == job["arguments"]
    assert ("n", "1", [1]) == (job["name"], job["array"], job["waiting"])


REFUSED = {
    "--bogus": (255, "sbatch: unrecognized option '--bogus'\nTry \"sbatch --help\" for more information\n"),
    "-Y": (255, "sbatch: invalid option -- 'Y'\nTry \"sbatch --help\" for more information\n"),
    "--array=5-2": (1, "sbatch: error: Batch job submission failed: Invalid job array specification\n"),
    "--array=1001": (1, "sbatch: error: Batch job submission failed: Invalid job array specification\n"),
    "--time=abc": (255, "sbatch: error: Invalid --time specification\n"),
    "--mem=1X": (255, "sbatch: error: Invalid --mem specification\n"),
    "-c0": (1, 'sbatch: error: Invalid numeric value "0" for --cpus-per-task.\n'),
    "-Nx": (255, 'sbatch: error: "x" is not a valid node count\n'),
    "--hold=1": (
        255,
        "sbatch: option '--hold' doesn't allow an argument\nTry \"sbatch --help\" for more information\n",
    ),
    "--exclude=n9": (1, "sbatch: error: Batch job submission failed: Invalid node name specified\n"),
    "--partition=nope": (
        1,
        "sbatch: error: invalid partition specified: nope\n"
        "sbatch: error: Batch job submission failed: Invalid partition name specified\n",
    ),
}


@pytest.mark.parametrize("word", REFUSED)
def test_refuses(cluster, script, word):
    """What the real one refuses is refused with its words and its code, and nothing is queued."""
    done = cluster("sbatch", word, script)
    assert REFUSED[word] == (done.returncode, done.stderr)
    assert [] == cluster.dummies.queue()


def test_refuses_what_is_no_script(cluster):
    """A file without an interpreter's line, and one that is not there, are no scripts."""
    (cluster.folder / "plain").write_text("echo\n")
    assert "sbatch: error: Unable to open file nowhere\n" == cluster("sbatch", "nowhere").stderr
    assert "This does not look like a batch script" in cluster("sbatch", "plain").stderr


def test_submit_limit(make_cluster):
    """Elements beyond the limit are refused as a whole, until there is room."""
    cluster = make_cluster(max_submit_jobs=3)
    script = cluster.script()
    cluster.sbatch("--array=0-1", script)
    done = cluster("sbatch", "--array=0-1", script)
    assert 1 == done.returncode
    assert done.stderr.startswith("sbatch: error: QOSMaxSubmitJobPerUserLimit\n")
    cluster.run_all()
    cluster.sbatch("--array=0-2", script)


def test_options_in_the_script(cluster):
    """Options in the script's head count, but less than the command line's."""
    script = cluster.script("#SBATCH --job-name=inside --array=2-3", "echo", "#SBATCH --bogus")
    cluster.sbatch(script)
    cluster.sbatch("-J", "outside", script)
    assert [("inside", [2, 3]), ("outside", [2, 3])] == [
        (job["name"], job["waiting"]) for job in cluster.dummies.state()["jobs"]
    ]


def test_script_is_copied(cluster):
    """What runs is the script as it was when it was submitted."""
    script = cluster.script("echo old > result")
    cluster.sbatch(script)
    cluster.script("echo new > result")
    cluster.run_all()
    assert "old\n" == (cluster.folder / "result").read_text()
