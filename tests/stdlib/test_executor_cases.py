"""Runs the interpreter's own tests of `concurrent.futures`, unmodified, on `pypoolparty.Executor`.

They are the mixins of ``test.test_concurrent_futures``: one file up to Python 3.11, a package since (Debian has them in
``libpython3.X-testsuite``). The same cases run on `concurrent.futures.ProcessPoolExecutor`, as the control.
"""

import concurrent.futures
import importlib
import itertools
import os
import runpy
import unittest
from pathlib import Path

import pytest
import test

import pypoolparty

HOME = "test.test_concurrent_futures"
BOTH = Path(__file__).parent / "both"

# Where each mixin is, since it is a package.
MIXINS = {
    "ExecutorTest": "executor",
    "WaitTests": "test_wait",
    "AsCompletedTests": "test_as_completed",
    "ExecutorShutdownTest": "test_shutdown",
    "InitializerMixin": "test_init",
}

# The cases that can not apply, each with its reason.
_BY_NAME = (
    "starts a program that imports the executor from concurrent.futures; its like is in tests/unit/test_executor.py"
)
NOT_APPLICABLE: dict[str, str] = {
    "test_interpreter_shutdown": _BY_NAME,
    "test_submit_after_interpreter_shutdown": _BY_NAME,
    "test_hang_gh83386": _BY_NAME,
    "test_hang_gh94440": _BY_NAME,
    "test_cancel_futures": "wants some to be under way at once: ours begin together, or are cancelled together",
}


def _import_mixin(name):
    """Return the interpreter's class; without it, skip (in CI: fail)."""
    try:
        # Some interpreters come with a part of their tests only: what is missing is Debian's, of the same version.
        test.__path__ += runpy.run_path(str(BOTH / "test" / "__init__.py"))["__path__"]
        home = importlib.import_module(HOME)
        if not hasattr(home, name):
            home = importlib.import_module(f"{HOME}.{MIXINS[name]}")
        return getattr(home, name)
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the interpreter's own tests are not installed: {error}", allow_module_level=True)


CASES = {name: _import_mixin(name) for name in MIXINS}
pytestmark = pytest.mark.timeout(180, method="signal")


class OnLocalPool:
    """Makes the executor that the cases are to try."""

    folder = None
    numbers = itertools.count()

    @staticmethod
    def executor_type(max_workers=None, **arguments):
        """Return an executor of ours, whose work_dirs go where pytest keeps things."""
        work_dir = os.path.join(OnLocalPool.folder, str(next(OnLocalPool.numbers)))
        return pypoolparty.Executor(max_workers, backend="local", work_dir=work_dir, polling_interval=0.2, **arguments)


class OnProcesses:
    """The control."""

    executor_type = concurrent.futures.ProcessPoolExecutor


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    """Let the work_dirs that are kept go where pytest keeps things, and the workers find what the cases call."""
    OnLocalPool.folder = str(tmp_path_factory.mktemp("executors"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BOTH)
        yield


class _Frame(unittest.TestCase):
    """What the interpreter's own mixin for executors does before and after a case, for both kinds."""

    worker_count = 5
    executor_kwargs = {}

    def setUp(self):
        self.executor = self.executor_type(max_workers=self.worker_count, **self.executor_kwargs)

    def tearDown(self):
        self.executor.shutdown(wait=True)
        self.executor = None


def names_of(cls):
    """Return the names of a class's test cases."""
    return unittest.TestLoader().getTestCaseNames(cls)


def _make_classes():
    for (name, cases), system in itertools.product(CASES.items(), (OnLocalPool, OnProcesses)):
        frame = unittest.TestCase if name.endswith("Mixin") else _Frame  # a mixin of executors has its own
        cls = type(f"Test{name}{system.__name__}", (system, cases, frame), {"__module__": __name__})
        for case in set(names_of(cls)) & set(NOT_APPLICABLE):  # then the control has no meaning, either
            setattr(cls, case, unittest.skip(NOT_APPLICABLE[case])(getattr(cls, case)))
        yield cls


for _cls in _make_classes():
    globals()[_cls.__name__] = _cls
del _cls


def test_every_case_runs_or_is_named():
    """The table names existing cases only, and all others are run as they are."""
    everything = {case for cases in CASES.values() for case in names_of(type("All", (cases, unittest.TestCase), {}))}
    assert set(NOT_APPLICABLE) - {"test_hang_gh94440"} <= everything  # which came with Python 3.12
    assert len(everything) > 20
    for cases in CASES.values():
        ours = globals()[f"Test{next(n for n, c in CASES.items() if c is cases)}OnLocalPool"]
        changed = {case for case in names_of(ours) if getattr(ours, case) is not getattr(cases, case)}
        assert changed == set(names_of(ours)) & set(NOT_APPLICABLE)
