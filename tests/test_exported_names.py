"""What ``import pypoolparty`` gives, and what it does not cost."""

import importlib
import importlib.metadata
import operator
import subprocess
import sys

import pytest

import pypoolparty

FACE = {"Pool", "errors", "local", "slurm", "sun_grid_engine"}
POOLS = ("slurm.array", "slurm", "sun_grid_engine.array", "sun_grid_engine", "local")
# Loaded when they are needed: each of them would cost everyone who only wants to import a pool.
LAZY = ("tqdm", "click", "rich", "cloudpickle", "numpy", "zipfile", "asyncio")


def fresh_python(program):
    """Run a program in a fresh interpreter and return what it prints."""
    argv = [sys.executable, "-c", program]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_names():
    """The public names are these, sorted, and each of them is there."""
    assert set(pypoolparty.__all__) >= FACE
    assert sorted(pypoolparty.__all__) == list(pypoolparty.__all__)
    missing = [name for name in pypoolparty.__all__ if not hasattr(pypoolparty, name)]
    assert [] == missing
    assert set(pypoolparty.__all__) <= set(dir(pypoolparty))


def test_unknown_name():
    """A name that is not there is an AttributeError as everywhere."""
    with pytest.raises(AttributeError, match="no_such_name"):
        pypoolparty.no_such_name  # noqa: B018


@pytest.mark.parametrize("name", LAZY)
def test_import_is_light(name):
    """The import brings nothing that not everybody needs."""
    assert "False" == fresh_python(f"import pypoolparty, sys; print({name!r} in sys.modules)")


@pytest.mark.parametrize("name", POOLS)
def test_pools_are_reachable(name):
    """Each pool is reachable after ``import pypoolparty`` alone."""
    assert "Pool" == fresh_python(f"import pypoolparty; print(pypoolparty.{name}.Pool.__name__)")


def test_pools_are_classes():
    """Each pool is a class of its own: one can subclass it and ask for it by isinstance."""
    found = {operator.attrgetter(f"{name}.Pool")(pypoolparty) for name in POOLS}
    assert len(POOLS) == len(found)
    assert all(isinstance(pool, type) for pool in found)


@pytest.mark.parametrize("name", ["errors", "states"])
def test_modules_hold_to_their_names(name):
    """What a public module exports is what it defines without an underscore."""
    module = importlib.import_module(f"pypoolparty.{name}")
    defined = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }
    assert set(module.__all__) == defined


def test_version():
    """The version is the installed distribution's."""
    assert pypoolparty.__version__ == importlib.metadata.version("pypoolparty")
