"""Runs each body of the contract on its backends, and looks behind it."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.contract.backends import BACKENDS, EVERYWHERE, HEAVY, MOST, as_json
from tests.contract.helpers import processes_about, sessions_in, wait_until

HERE = Path(__file__).parent


def pytest_configure(config):
    """Register the marks of the contract."""
    for line in (
        "cheap: runs on every backend",
        "heavy: runs on few backends",
        "only(*names): runs on these backends",
        "beyond: about what multiprocessing.Pool does not have",
        "cannot(name, reason): this backend can not do that, and why",
        "leaves_work_dir: the rule for work_dirs says that one is kept",
    ):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc):
    """Make one test of each body for each backend that it is for."""
    if "backend" not in metafunc.fixturenames:
        return
    marks = list(metafunc.definition.iter_markers())
    chosen = metafunc.config.getoption("backends")
    names = _allowed(marks, bool(chosen))
    if chosen:
        unknown = set(chosen.split(",")) - set(BACKENDS)
        if unknown:
            raise pytest.UsageError(f"--backends: {sorted(unknown)}; there are {', '.join(BACKENDS)}")
        names = [name for name in names if name in chosen.split(",")]
    params = [pytest.param(name, marks=_marks_for(name, marks)) for name in names]
    metafunc.parametrize("backend", params, indirect=True)


def _allowed(marks, all_of_it):
    """Return the names of the backends that a body with these marks is for."""
    kinds = {mark.name for mark in marks}
    names = EVERYWHERE if "cheap" in kinds else HEAVY if "heavy" in kinds else MOST
    if all_of_it:
        names = tuple(BACKENDS)
    for mark in marks:
        if mark.name == "only":
            names = mark.args
            if all_of_it and any(BACKENDS[name].has_scheduler for name in names):
                names = [name for name in BACKENDS if name in names or BACKENDS[name].has_scheduler]
    return [name for name in names if not ("beyond" in kinds and BACKENDS[name].is_reference)]


def _marks_for(name, marks):
    """Return the marks for one body on one backend."""
    found = [pytest.mark.real] if BACKENDS[name].cluster else []
    for mark in marks:
        if mark.name == "cannot" and mark.args[0] == name:
            found.append(pytest.mark.skip(reason=f"{name} can not: {mark.kwargs['reason']}"))
    return found


def pytest_collection_modifyitems(items):
    """Let a body that hangs fail by itself, and let no exception of a thread or a finalizer go unseen."""
    items[:] = [item for item in items if not _has_no_backend(item)]
    for item in items:
        if HERE not in item.path.parents:
            continue
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(120, method="signal"))
        for kind in ("PytestUnhandledThreadExceptionWarning", "PytestUnraisableExceptionWarning"):
            item.add_marker(pytest.mark.filterwarnings(f"error::pytest.{kind}"), append=False)


def _has_no_backend(item):
    """Tell whether ``--backends`` left none of those that the body is for."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get("backend", "") not in ("", *BACKENDS)


@pytest.fixture
def backend(request):
    """Return the backend that this test is for."""
    return BACKENDS[request.param]


@pytest.fixture
def folder(request, backend, tmp_path):
    """Return the folder for the pools' work_dirs: temporary, or where ``--debug_dir`` says."""
    debug_dir, kept = request.config.getoption("debug_dir"), None
    if debug_dir:
        kept = Path(debug_dir).resolve() / re.sub(r"[^\w.=-]+", "_", request.node.nodeid)
        shutil.rmtree(kept, ignore_errors=True)
    if not backend.is_late:
        yield kept or tmp_path / "pools"
        return
    cluster = request.getfixturevalue(backend.cluster)
    yield cluster.late / tmp_path.name
    if kept:
        shutil.copytree(cluster.store / tmp_path.name, kept)


class System:
    """The scheduler behind a backend: a real one, the dummies, or none."""

    def __init__(self, backend, request, folder):
        self.paths, self._queue, self.dummies = {}, list, None
        if backend.cluster:
            cluster = request.getfixturevalue(backend.cluster)
            monkeypatch = request.getfixturevalue("monkeypatch")
            for name, value in cluster.environment.items():
                monkeypatch.setenv(name, value)
            self._queue = cluster.queue
        elif backend.dummies:
            from pypoolparty.testing import Dummies

            self.dummies = Dummies(folder)
            self._queue = self.dummies.queue
            self.paths = {f"{name}_path": str(self.dummies.path(name)) for name in backend.dummies}

    def queue(self):
        """Return what is in the queue."""
        return list(self._queue())

    def close(self):
        """End the dummies; the real ones serve other tests."""
        if self.dummies is not None:
            self.dummies.close()


@pytest.fixture
def system(backend, request, tmp_path):
    """Return the scheduler behind the backend."""
    system = System(backend, request, tmp_path / "dummies")
    yield system
    system.close()


class PoolMaker:
    """Makes the pools of one test, and ends them."""

    def __init__(self, backend, system, folder):
        self.backend, self.system, self.folder = backend, system, folder
        self.pools = []
        folder.mkdir(parents=True, exist_ok=True)

    def options(self, **given):
        """Return the arguments of the next pool."""
        work_dir = self.folder / str(len(self.pools))
        return self.backend.options(work_dir, self.system.paths, given)

    def __call__(self, **given):
        pool = self.backend.pool_class()(**self.options(**given))
        self.pools.append(pool)
        return pool

    def as_json(self, **given):
        """Write down a pool for a program of its own to make."""
        return as_json(self.backend, self.options(**given))

    def end(self):
        """End all pools that are still there."""
        for pool in reversed(self.pools):
            pool.terminate()
            pool.join()

    def check_nothing_is_left(self, keeps_work_dir):
        """Check that neither processes nor queue-jobs nor work_dirs are left."""
        wait_until(
            lambda: not processes_about(self.folder),
            lambda: f"the end of {processes_about(self.folder)}",
        )
        # What comes later is somebody else's, who shares the scheduler.
        left = set(self.system.queue())
        wait_until(
            lambda: not left.intersection(self.system.queue()),
            lambda: f"the end of queue-jobs {sorted(left.intersection(self.system.queue()))}",
        )
        if not keeps_work_dir:
            assert sessions_in(self.folder) == []


@pytest.fixture
def make_pool(request, backend, system, folder):
    """Return a function that makes a pool of the backend; see that nothing is left after the test."""
    maker = PoolMaker(backend, system, folder)
    yield maker
    maker.end()
    maker.check_nothing_is_left(request.node.get_closest_marker("leaves_work_dir") is not None)


@pytest.fixture
def pool(make_pool):
    """Return one pool."""
    return make_pool()


@pytest.fixture
def run_script(make_pool):
    """Return a function that starts `main_script` with a pool, as a program of its own."""
    import subprocess

    def run(*words, **given):
        argv = [sys.executable, str(HERE / "main_script.py"), make_pool.as_json(**given), *words]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_and_read(*words, **given):
        with run(*words, **given) as process:
            out, err = process.communicate(timeout=90)
        assert process.returncode == 0, err
        return json.loads(out)

    run_and_read.start = run
    return run_and_read
