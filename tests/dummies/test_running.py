"""How jobs are run: their variables, folders, files and arguments, whatever the names."""

import json
import os
import sys

import pytest

from tests.dummies.conftest import NAP, processes_naming

DUMP = "import json,os,sys; json.dump([sys.argv[1:], os.getcwd(), dict(os.environ)], open(sys.argv[1], 'w'))"


def dump_script(folder, name="job.sh"):
    """Write a script which writes its arguments, folder and variables into the file of its first argument."""
    path = folder / name
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{DUMP}" "$@"\n')
    return str(path)


def load(path):
    """Return the arguments without the first, the folder and the variables that a job has written down."""
    words, folder, variables = json.loads(path.read_text())
    return words[1:], folder, variables


def test_variables_of_slurm(make_cluster):
    """An element of an array finds its numbers, and a job of its own no index."""
    cluster = make_cluster(nodes=["n7"])
    script = dump_script(cluster.folder)
    cluster.sbatch("-J", "name", "--array=3,5", "-c2", "--wrap", f'sh {script} "$SLURM_ARRAY_TASK_ID"')
    cluster.sbatch(script, "single")
    cluster.run_all()
    expected = {
        "SLURM_JOB_ID": "3",  # the last of the array has the array's own number, the others new ones
        "SLURM_ARRAY_JOB_ID": "1",
        "SLURM_ARRAY_TASK_ID": "3",
        "SLURM_ARRAY_TASK_COUNT": "2",
        "SLURM_ARRAY_TASK_MIN": "3",
        "SLURM_ARRAY_TASK_MAX": "5",
        "SLURM_ARRAY_TASK_STEP": "2",
        "SLURM_JOB_NAME": "name",
        "SLURMD_NODENAME": "n7",
        "SLURM_CPUS_PER_TASK": "2",
        "SLURM_SUBMIT_DIR": str(cluster.folder),
    }
    variables = load(cluster.folder / "3")[2]
    assert expected == {key: variables[key] for key in expected}
    assert "1" == load(cluster.folder / "5")[2]["SLURM_JOB_ID"]
    variables = load(cluster.folder / "single")[2]
    assert "2" == variables["SLURM_JOB_ID"]
    assert not [key for key in variables if key.startswith("SLURM_ARRAY")]


def test_variables_of_grid_engine(make_cluster):
    """A task of an array finds its numbers, and a job of its own the word undefined."""
    cluster = make_cluster(nodes=["n7"])
    script = dump_script(cluster.folder)
    cluster.qsub(
        "-N", "name", "-t", "3-7:2", "-pe", "smp", "4", "-cwd", "-b", "y", "sh", "-c", f'sh {script} "$SGE_TASK_ID"'
    )
    cluster.qsub("-cwd", script, "single")
    cluster.run_all(cluster.qstat)
    expected = {
        "JOB_ID": "1",
        "SGE_TASK_ID": "5",
        "SGE_TASK_FIRST": "3",
        "SGE_TASK_LAST": "7",
        "SGE_TASK_STEPSIZE": "2",
        "JOB_NAME": "name",
        "QUEUE": "all.q",
        "NSLOTS": "4",
        "HOSTNAME": "n7",
        "SGE_STDOUT_PATH": str(cluster.folder / "name.o1.5"),
    }
    variables = load(cluster.folder / "5")[2]
    assert expected == {key: variables[key] for key in expected}
    assert "undefined" == load(cluster.folder / "single")[2]["SGE_TASK_ID"]


def test_environment_is_exported_by_slurm(cluster):
    """Jobs see the variables of the submitter, or only those that --export names."""
    script = dump_script(cluster.folder)
    for name, words in {"all": [], "none": ["--export=NONE"], "some": ["--export=ONE,TWO=2"]}.items():
        cluster.ask("sbatch", *words, script, name, ONE="a\nb='c", OTHER="x")
    cluster.run_all()
    found = {name: load(cluster.folder / name)[2] for name in ("all", "none", "some")}
    assert ("a\nb='c", "x") == (found["all"]["ONE"], found["all"]["OTHER"])
    assert not {"ONE", "OTHER"} & set(found["none"])
    assert ("a\nb='c", "2") == (found["some"]["ONE"], found["some"]["TWO"])
    assert "OTHER" not in found["some"]


def test_environment_is_not_exported_by_grid_engine(cluster):
    """Jobs see few variables of the submitter, unless -V or -v names them."""
    script = dump_script(cluster.folder)
    for name, words in {"none": [], "all": ["-V"], "some": ["-v", "ONE,TWO=2"]}.items():
        cluster.ask("qsub", "-cwd", *words, script, name, ONE="1", OTHER="x")
    cluster.run_all(cluster.qstat)
    found = {name: load(cluster.folder / name)[2] for name in ("all", "none", "some")}
    assert "x" == found["all"]["OTHER"]
    assert not {"ONE", "OTHER"} & set(found["none"])
    assert ("1", "2") == (found["some"]["ONE"], found["some"]["TWO"])


HOSTILE = ["a 0", "a'; echo foo", 'a"b', "a\nb", "ä€𝄞", "100%A%", "$HOME", "*", "-x", "a&b|c<d>", "\\n"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_slurm(make_cluster, tmp_path, name):
    """Folders, scripts, arguments and outputs may have any name; only % and the backslash mean something."""
    folder = tmp_path / name
    folder.mkdir()
    cluster = make_cluster(folder)
    script = dump_script(folder, name + ".sh")
    output = "out" if "\\" in name else str(folder / "out").replace("%", "%%")
    cluster.sbatch("-J", name, "-D", str(folder), "-o", output, script, str(folder / "dump"), name, "", "*")
    cluster.run_all()
    words, cwd, variables = load(folder / "dump")
    assert ([name, "", "*"], str(folder), name) == (words, cwd, variables["SLURM_JOB_NAME"])
    assert "" == (folder / "out").read_text()


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\n" not in name])
def test_hostile_names_in_grid_engine(make_cluster, tmp_path, name):
    """Folders, scripts and arguments may have any name; in paths of outputs $ and commas mean something."""
    folder = tmp_path / name
    folder.mkdir()
    cluster = make_cluster(folder)
    script = dump_script(folder, name + ".sh")
    escaped = str(folder).replace("$", "$$")
    cluster.qsub(
        "-N", "x", "-wd", escaped, "-o", f":{escaped}/o:$JOB_ID", "-j", "y", script, str(folder / "dump"), name, ""
    )
    cluster.run_all(cluster.qstat)
    assert ([name, ""], str(folder)) == load(folder / "dump")[:2]
    assert "" == (folder / "o:1").read_text()


def test_bytes_that_are_no_text(cluster):
    """Arguments and paths are bytes: what is no UTF-8 goes through unchanged."""
    name = os.fsdecode(b"\xff\xfe")
    cluster.sbatch("-J", name, "-o", f"out.{name}", cluster.script('printf "%s" "$1" > result'), name)
    assert [name] == [os.fsdecode(row) for row in cluster("squeue", "-h", "-o", "%j", text=False).stdout.splitlines()]
    cluster.run_all()
    assert b"\xff\xfe" == (cluster.folder / "result").read_bytes()
    assert (cluster.folder / f"out.{name}").exists()


def test_output_files_of_slurm(cluster):
    """Outputs are named by patterns, and overwritten unless to be appended to."""
    script = cluster.script("echo out; echo err >&2")
    cluster.sbatch("-J", "x", "--array=7", "-o", "%A_%a.%j.%x.%5a.%%", "-e", "err", script)
    cluster.sbatch(script)
    cluster.run_all()
    assert "out\n" == (cluster.folder / "1_7.1.x.00007.%").read_text()
    assert "err\n" == (cluster.folder / "err").read_text()
    assert "out\nerr\n" == (cluster.folder / "slurm-2.out").read_text()
    cluster.sbatch("-o", "err", "-e", "err", "--open-mode=append", script)
    cluster.run_all()
    assert "err\nout\nerr\n" == (cluster.folder / "err").read_text()


def test_output_files_of_grid_engine(cluster):
    """Outputs have names by default, also in a folder, and are appended to."""
    script = cluster.script("echo out; echo err >&2")
    (cluster.folder / "logs").mkdir()
    cluster.qsub("-N", "x", "-t", "3", "-cwd", "-o", "logs", script)
    cluster.qsub("-cwd", "-o", "$JOB_NAME-$JOB_ID-$TASK_ID", "-j", "y", script)
    cluster.run_all(cluster.qstat)
    assert "out\n" == (cluster.folder / "logs" / "x.o1.3").read_text()
    assert "err\n" == (cluster.folder / "x.e1.3").read_text()
    assert "out\nerr\n" == (cluster.folder / "job.sh-2-0").read_text()


def test_folders_that_are_not_there(cluster):
    """Without a place for its output a job fails in Slurm, and gets stuck in Grid Engine."""
    script = cluster.script()
    cluster.sbatch("-o", "/nowhere/out", script)
    cluster.qsub("-wd", "/nowhere", script)
    cluster.step_until(lambda rows: rows == ["1 FAILED JobLaunchFailure"], lambda: cluster.squeue("%i %T %r"))
    cluster.step_until(lambda rows: rows == [("2", "job.sh", "Eqw", "")], cluster.qstat)
    assert "can't chdir to /nowhere: No such file or directory" in cluster.ask("qstat", "-j", "2")
    assert ["2"] == cluster.dummies.queue()


def test_ends_of_jobs(cluster):
    """The exit code or the signal of a job is found out, though nobody waits for it."""
    for line in ("exit 0", "exit 3", "kill -9 $$"):
        cluster.sbatch(cluster.script(line))
    cluster.step_until(
        lambda rows: rows == ["1 COMPLETED None", "2 FAILED NonZeroExitCode", "3 FAILED JobLaunchFailure"],
        lambda: cluster.squeue("%i %T %r"),
    )


def test_exit_codes_of_grid_engine(cluster):
    """The codes 99 and 100 ask for another run, and for a stop in the error state."""
    cluster.qsub("-cwd", cluster.script('test "$RESTARTED" = 1 && exit 100', "exit 99"))
    cluster.step_until(lambda rows: [row[2] for row in rows] == ["Eqw"], cluster.qstat)


def test_nothing_of_a_job_outlives_it(cluster):
    """What a job leaves behind in the background is killed at its end."""
    cluster.sbatch(cluster.script(f"{NAP} & setsid {NAP} & echo $$ > pid"))
    cluster.run_all()
    assert (cluster.folder / "pid").read_text()
    assert [] == processes_naming(NAP)


def test_nodes_are_excluded(make_cluster):
    """Jobs do not run on the nodes that they exclude."""
    cluster = make_cluster(nodes=["n1", "n2", "n3"])
    script = dump_script(cluster.folder)
    for number in range(3):
        cluster.sbatch("--exclude=n[1,3]", script, f"slurm.{number}")
        cluster.qsub("-cwd", "-l", "h=!(n2|n3)", script, f"sge.{number}")
    cluster.run_all()
    assert {"n2"} == {load(path)[2]["SLURMD_NODENAME"] for path in cluster.folder.glob("slurm.*")}
    assert {"n1"} == {load(path)[2]["HOSTNAME"] for path in cluster.folder.glob("sge.*")}
