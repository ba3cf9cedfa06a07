"""What other libraries do with a pool, on a real Slurm."""

import concurrent.futures
import re
from pathlib import Path
from typing import Any

import pytest

import pypoolparty
from tests.integrations import problems
from tests.integrations.notebooks import notebook_in, raised, written
from tests.real.pools import pool_on

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


def test_executor(slurm_cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many calls are one array; their futures come in as they are done."""
    with (
        pool_on(slurm_cluster, "slurm.array", tmp_path, monkeypatch, keep_work_dir=True) as pool,
        pypoolparty.Executor(pool) as executor,
    ):
        futures = {executor.submit(pow, 2, k): 2**k for k in range(20)}
        assert all(future.result() == futures[future] for future in concurrent.futures.as_completed(futures, 120))
    assert 1 == len(list((tmp_path / "work").iterdir()))


def test_notebook(slurm_cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of a cell runs on Slurm, and the bar below the cell fills."""
    for name, value in slurm_cluster.environment.items():
        monkeypatch.setenv(name, value)
    with notebook_in(tmp_path, monkeypatch) as notebook:
        code = """
import pypoolparty
scale = 3
pool = pypoolparty.slurm.array.Pool(2, progress=True, polling_interval=1.0)
print(pool.map(lambda x: scale * x, range(4)))
pool.close(); pool.join()
"""
        outputs = notebook.run(code)
        assert "[0, 3, 6, 9]\n" == written(outputs, "stdout"), raised(outputs)
        assert "[pypoolparty] 4 tasks; submitted 2 queue-jobs to Slurm: " in written(outputs)
        [bar] = [one for one in outputs if one["output_type"] == "display_data"]
        assert "4/4" in notebook.words(bar)


def test_grid_search(slurm_cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scikit-learn's grid search runs on Slurm by one line."""
    joblib, datasets = pytest.importorskip("joblib"), pytest.importorskip("sklearn.datasets")
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    import pypoolparty.joblib_backend  # noqa: F401

    x, y = datasets.make_classification(80, random_state=6)

    def search() -> Any:
        return GridSearchCV(SVC(), {"C": [0.1, 1.0, 10.0]}, cv=2).fit(x, y)

    expected = search().cv_results_["mean_test_score"]
    with (
        pool_on(slurm_cluster, "slurm.array", tmp_path, monkeypatch, mem="2G") as pool,
        joblib.parallel_config("pypoolparty", pool=pool),
    ):
        assert list(expected) == list(search().cv_results_["mean_test_score"])


def test_differential_evolution(slurm_cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scipy's optimiser takes the map of a pool on Slurm."""
    optimize = pytest.importorskip("scipy.optimize")
    bounds = [(-5, 5), (-5, 5)]
    given = {"maxiter": 2, "popsize": 4, "seed": 3, "updating": "deferred", "polish": False}
    expected = optimize.differential_evolution(problems.distance, bounds, **given)
    with pool_on(slurm_cluster, "slurm.array", tmp_path, monkeypatch, linger=20.0) as pool:
        found = optimize.differential_evolution(problems.distance, bounds, workers=pool.map, **given)
    assert list(expected.x) == list(found.x)


def test_calls_are_told(
    slurm_cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With ``verbose`` the map tells what was submitted, how it went, and how often Slurm was called."""
    with pool_on(slurm_cluster, "slurm.array", tmp_path, monkeypatch, verbose=True, polling_interval=5.0) as pool:
        assert list(range(20)) == pool.map(abs, range(20))
    err = capfd.readouterr().err
    assert re.search(r"20 tasks; submitted \d+ queue-jobs? to Slurm: \d+; work_dir: ", err)
    assert re.search(r"\d scheduler calls?: 1 submit.*\(budget 120 a minute\)", err)
