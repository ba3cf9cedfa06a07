"""The backend for joblib, and scikit-learn on it."""

import os
import subprocess
import sys

import pytest

import pypoolparty
from tests.integrations import problems

joblib = pytest.importorskip("joblib")
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(params=["loky", "ours"])
def config(request, own_pool):
    """Return what to give to `joblib.parallel_config`: joblib's own processes are the control."""
    import pypoolparty.joblib_backend  # noqa: F401

    return ("loky", {"n_jobs": 2}) if request.param == "loky" else ("pypoolparty", {"pool": own_pool})


def test_calls_in_order(config):
    """All results, in order, of calls with keywords and of lambdas; with batches, too."""
    name, given = config
    with joblib.parallel_config(name, **given):
        assert [k**2 for k in range(40)] == joblib.Parallel()(joblib.delayed(pow)(k, 2) for k in range(40))
        assert [2, 4] == joblib.Parallel()(joblib.delayed(lambda number: 2 * number)(k) for k in (1, 2))
        assert list(range(10)) == joblib.Parallel(batch_size=3)(joblib.delayed(abs)(-k) for k in range(10))


def test_generators(config):
    """``return_as`` yields as results come, in order or not."""
    name, given = config
    with joblib.parallel_config(name, **given):
        results = joblib.Parallel(return_as="generator")(joblib.delayed(abs)(-k) for k in range(10))
        assert not isinstance(results, list)
        assert list(range(10)) == list(results)
        results = joblib.Parallel(return_as="generator_unordered")(joblib.delayed(abs)(-k) for k in range(10))
        assert list(range(10)) == sorted(results)


def test_exceptions(config):
    """What a call raises is raised; the next calls work."""
    name, given = config
    with joblib.parallel_config(name, **given):
        with pytest.raises(ZeroDivisionError):
            joblib.Parallel()(joblib.delayed(problems.invert)(k) for k in range(4))
        assert [1.0, 0.5] == joblib.Parallel()(joblib.delayed(problems.invert)(k) for k in (1, 2))


def test_calls_run_in_queue_jobs(own_pool):
    """Not in the main process; and all of them in one submission."""
    import pypoolparty.joblib_backend  # noqa: F401

    with joblib.parallel_config("pypoolparty", pool=own_pool):
        pids = joblib.Parallel()(joblib.delayed(problems.pid_of)(k) for k in range(100))
    assert os.getpid() not in pids
    assert 1 <= len(set(pids)) <= 2


def test_nested_calls_stay_in_their_task(own_pool):
    """A `joblib.Parallel` inside of a task starts no queue-jobs: it runs in the task's own process."""
    import pypoolparty.joblib_backend  # noqa: F401

    with joblib.parallel_config("pypoolparty", pool=own_pool):
        found = joblib.Parallel()(joblib.delayed(problems.nested)(k) for k in range(3))
    assert [(list(range(k)), True) for k in range(3)] == found


def test_nested_calls_use_the_cores_of_their_task(tmp_path):
    """Where a task has several cores, they are threads."""
    from pypoolparty.joblib_backend import Backend

    with pypoolparty.local.Pool(1, work_dir=tmp_path, cpus=3) as pool:
        backend, n_jobs = Backend(pool=pool, nesting_level=0).get_nested_backend()
        assert ("ThreadingBackend", 3) == (type(backend).__name__, n_jobs)
        inner, n_jobs = Backend(pool=pool, nesting_level=1).get_nested_backend()
        assert ("SequentialBackend", None) == (type(inner).__name__, n_jobs)


def test_own_pool_is_closed(tmp_path):
    """Without a pool one is made for each `joblib.Parallel`, as wide as `n_jobs`, and nothing of it stays behind."""
    import pypoolparty.joblib_backend  # noqa: F401

    given = {"scheduler": "local", "work_dir": str(tmp_path / "work"), "n_jobs": 2}
    with joblib.parallel_config("pypoolparty", **given):
        assert [1, 2] == joblib.Parallel()(joblib.delayed(abs)(k) for k in (-1, -2))
        with pytest.raises(ZeroDivisionError):
            joblib.Parallel()(joblib.delayed(problems.invert)(k) for k in range(2))
        assert [3] == joblib.Parallel()(joblib.delayed(abs)(k) for k in (-3,))
    from pypoolparty import leaving

    assert not [
        pool for pool in leaving.live if pool._setting.parent == str(tmp_path / "work") and pool._state == "RUN"
    ]


def test_wrong_arguments():
    """They are named at once."""
    from pypoolparty.joblib_backend import Backend

    with pytest.raises(TypeError, match="pool must be a pool of pypoolparty, not 3"):
        Backend(pool=3)
    with pytest.raises(ValueError, match="n_jobs must not be 0"):
        Backend().effective_n_jobs(0)


def test_one_line_registers_it():
    """Importing the package imports no joblib; naming the backend does, and registers it."""
    program = (
        "import sys, pypoolparty; assert 'joblib' not in sys.modules; pypoolparty.joblib_backend; import joblib; "
        "print(type(joblib.parallel.BACKENDS['pypoolparty']()).__name__)"
    )
    argv = [sys.executable, "-c", program]
    assert "Backend" == subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_grid_search(config):
    """Scikit-learn's grid search finds on a pool what it finds in this process."""
    datasets, svm = pytest.importorskip("sklearn.datasets"), pytest.importorskip("sklearn.svm")
    from sklearn.model_selection import GridSearchCV

    x, y = datasets.make_classification(80, random_state=6)

    def search():
        return GridSearchCV(svm.SVC(), {"C": [0.1, 1.0, 10.0], "kernel": ["linear", "rbf"]}, cv=2).fit(x, y)

    name, given = config
    with joblib.parallel_config(name, **given):
        found = search()
    expected = search()
    assert expected.best_params_ == found.best_params_
    assert list(expected.cv_results_["mean_test_score"]) == list(found.cv_results_["mean_test_score"])
