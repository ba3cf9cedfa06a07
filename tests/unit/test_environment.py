"""What a task finds on the node: the user's variables, without those of a scheduler around us."""

import json
import os
import sys

import pytest

from pypoolparty.environment import describe_environment, exported_variables, is_owned_by_scheduler

OWNED = [
    "SLURM_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_CPUS_ON_NODE",
    "SLURMD_NODENAME",
    "SBATCH_PARTITION",
    "PBS_JOBID",
    "PMI_RANK",
    "PMIX_RANK",
    "SGE_TASK_ID",
    "SGE_O_HOST",
    "SGE_STDOUT_PATH",
    "JOB_ID",
    "JOB_NAME",
    "JOB_SCRIPT",
    "QUEUE",
    "NSLOTS",
    "NHOSTS",
    "PE_HOSTFILE",
    "RESTARTED",
    "TMPDIR",
    "TMP",
    "HOSTNAME",
    "CUDA_VISIBLE_DEVICES",
    "XDG_RUNTIME_DIR",
]
KEPT = [
    "SLURM_CONF",
    "SLURM_CLUSTERS",
    "SGE_ROOT",
    "SGE_CELL",
    "SGE_CLUSTER_NAME",
    "SGE_QMASTER_PORT",
    "SGE_EXECD_PORT",
    "PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "MY_SLURM_X",
    "slurm_x",
    "JOB",
    "JOB_ID_OF_MINE",
    "QUEUES",
]


@pytest.mark.parametrize("name", OWNED)
def test_variables_of_a_scheduler_stay_here(name, monkeypatch):
    """What a job around us or this host has set means nothing in another job."""
    monkeypatch.setenv(name, "x")
    assert is_owned_by_scheduler(name)
    assert name not in exported_variables({})


@pytest.mark.parametrize("name", KEPT)
def test_variables_of_the_user_go_along(name, monkeypatch):
    """The user's own go along, and by which the commands find their scheduler."""
    monkeypatch.setenv(name, "x")
    assert not is_owned_by_scheduler(name)
    assert "x" == exported_variables({})[name]


def test_extra_variables_are_on_top(monkeypatch):
    """What the user gives for the tasks wins, also over what would be left out."""
    monkeypatch.setenv("COLOUR", "red")
    exported = exported_variables({"COLOUR": "blue", "SLURM_X": "mine"})
    assert ("blue", "mine") == (exported["COLOUR"], exported["SLURM_X"])
    assert "red" == os.environ["COLOUR"]


@pytest.mark.parametrize("value", [b"\xff\xfe", b"caf\xe9", "雪".encode(), b"a\nb", b"' \" $HOME"])
def test_any_bytes_survive(value, monkeypatch):
    """A variable's value is any bytes, on the way through JSON too."""
    monkeypatch.setitem(os.environb, b"ANYTHING", value)
    described = json.loads(json.dumps(describe_environment({})))
    assert value == os.fsencode(described["variables"]["ANYTHING"])


def test_folder_and_umask(monkeypatch, tmp_path):
    """The task is in the same folder, and makes files with the same mode."""
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o027)
    try:
        described = describe_environment({})
        assert 0o027 == os.umask(0o027)
    finally:
        os.umask(before)
    assert (str(tmp_path), 0o027) == (described["cwd"], described["umask"])


def test_import_path(monkeypatch, tmp_path):
    """Entries are absolute; the user's own are told from those of this python, for another python on the node."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "relative", *sys.path, "/opt/mine"])
    described = describe_environment({})
    assert [str(tmp_path), str(tmp_path / "relative")] == described["sys_path"][:2]
    assert all(os.path.isabs(entry) for entry in described["sys_path"])
    user = described["user_path"]
    assert [str(tmp_path), str(tmp_path / "relative")] == user[:2]
    assert "/opt/mine" == user[-1]
    assert os.path.dirname(os.__file__) not in user
    assert not any("site-packages" in entry for entry in user)


def test_python_is_described():
    """A worker can tell whether it runs the same python."""
    described = describe_environment({})
    assert (sys.prefix, sys.version) == (described["prefix"], described["version"])
