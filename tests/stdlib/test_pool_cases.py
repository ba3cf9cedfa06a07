"""Runs the interpreter's own tests of multiprocessing.Pool, unmodified, on `pypoolparty.local.Pool`.

They are the cases of ``test._test_multiprocessing._TestPool`` (Debian has them in the package
``libpython3.X-testsuite``).
"""

import importlib
import itertools
import os
import sys
import unittest

import pytest

import pypoolparty

# The cases that can not apply, each with its reason.
NOT_APPLICABLE: dict[str, str] = {
    "test_make_pool": "counts the processes in the private attribute _pool; a pool of ours keeps none",
}


def _import_cases():
    """Return the class with the interpreter's cases; without it, skip (in CI: fail)."""
    try:
        return importlib.import_module("test._test_multiprocessing")
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the interpreter's own tests are not installed: {error}", allow_module_level=True)


cases = _import_cases()
pytestmark = pytest.mark.timeout(120, method="signal")


def names_of(cls):
    """Return the names of a class's test cases."""
    return unittest.TestLoader().getTestCaseNames(cls)


class OnLocalPool:
    """What the cases ask for: the standard library has such a mixin for processes and one for threads."""

    TYPE = "processes"
    folder = None
    numbers = itertools.count()

    @classmethod
    def Pool(cls, *args, **kwargs):
        """Make the pool that the cases are to try."""
        work_dir = os.path.join(cls.folder, str(next(cls.numbers)))
        return pypoolparty.local.Pool(*args, work_dir=work_dir, polling_interval=0.2, **kwargs)


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    """Let the work_dirs that are kept go where pytest keeps things."""
    OnLocalPool.folder = str(tmp_path_factory.mktemp("pools"))


class TestPool(cases._TestPool, OnLocalPool, unittest.TestCase):
    """The interpreter's cases on a pool of ours."""


for _name, _reason in NOT_APPLICABLE.items():
    setattr(TestPool, _name, unittest.skip(_reason)(getattr(TestPool, _name)))


def test_every_case_runs_or_is_named():
    """The table names existing cases only, and all others are run as they are."""
    everything = set(names_of(cases._TestPool))
    run = {name for name in everything if getattr(TestPool, name) is getattr(cases._TestPool, name)}
    assert set(NOT_APPLICABLE) <= everything
    assert set(names_of(TestPool)) == everything
    assert len(run) + len(NOT_APPLICABLE) == len(everything)
    if sys.version_info[:2] == (3, 11):
        assert len(everything) == 25
