"""The constructors of the pools are spelled out; what they share is the same in all of them."""

import inspect

import pytest

import pypoolparty

POOLS = {
    "slurm.array": pypoolparty.slurm.array.Pool,
    "slurm": pypoolparty.slurm.Pool,
    "sun_grid_engine.array": pypoolparty.sun_grid_engine.array.Pool,
    "sun_grid_engine": pypoolparty.sun_grid_engine.Pool,
    "local": pypoolparty.local.Pool,
}
SHARED = [
    "num_simultaneously_running_tasks",
    "python_path",
    "work_dir",
    "keep_work_dir",
    "verbose",
    "progress",
    "max_num_resubmissions",
    "processes",
    "time",
    "mem",
    "cpus",
    "gpus",
    "setup",
    "env",
    "retry",
    "initializer",
    "initargs",
    "maxtasksperchild",
]
ON_CLUSTERS = ["polling_interval", "max_calls_per_minute", "partition", "account", "qos", "submit_args"]


def parameters(name):
    """Return the parameters of a pool's constructor."""
    return dict(list(inspect.signature(POOLS[name].__init__).parameters.items())[1:])


@pytest.mark.parametrize("argument", SHARED)
def test_shared_arguments(argument):
    """Each pool has them, with the same default, kind and annotation."""
    found = {(p.default, p.kind, p.annotation) for p in (parameters(name)[argument] for name in POOLS)}
    assert 1 == len(found)


@pytest.mark.parametrize("argument", ON_CLUSTERS)
def test_arguments_on_clusters(argument):
    """Each pool on a cluster has them, with the same default."""
    assert 1 == len({parameters(name)[argument].default for name in POOLS if name != "local"})


@pytest.mark.parametrize("name", POOLS)
def test_docstrings_name_all_arguments(name):
    """Each argument is explained."""
    text = inspect.getdoc(POOLS[name])
    missing = [argument for argument in parameters(name) if argument not in text]
    assert [] == missing


@pytest.mark.parametrize("name", POOLS)
def test_defaults_of_the_seed(name):
    """The names and defaults that earlier releases had."""
    found = parameters(name)
    assert "num_simultaneously_running_tasks" == next(iter(found))
    assert 10 == found["max_num_resubmissions"].default
    if "slurm" in name:
        assert 60.0 == found["slurm_call_timeout"].default
        assert ["sbatch", "squeue", "scancel"] == [
            found[f"{command}_path"].default for command in ("sbatch", "squeue", "scancel")
        ]
    if "grid" in name:
        assert ["qsub", "qstat", "qdel", "E"] == [
            found[argument].default for argument in ("qsub_path", "qstat_path", "qdel_path", "error_state_indicator")
        ]
    if name != "local":
        assert 5.0 == found["polling_interval"].default
    assert ("elastic" in found) == (name == "local" or name.endswith("array"))
    assert ("num_chunks" in found) == (name in ("slurm", "sun_grid_engine"))
