"""A map that is asked for its report."""

import os

import pytest

from tests.contract import functions as f
from tests.contract.helpers import sessions_in

pytestmark = pytest.mark.beyond

CALLS = {
    "map": lambda pool, **more: pool.map(f.square, range(5), **more),
    "starmap": lambda pool, **more: pool.starmap(f.weigh, [(1, 2), (3, 4)], **more),
    "map_async": lambda pool, **more: pool.map_async(f.square, range(5), **more).get(60),
    "starmap_async": lambda pool, **more: pool.starmap_async(f.weigh, [(1, 2), (3, 4)], **more).get(60),
}


def text_of(path):
    """Return the report, without what draws its plots."""
    return path.read_text("utf-8").partition('<script type="application/json"')[0]


@pytest.mark.only("local", "dummy-slurm-array", "dummy-slurm", "dummy-sge-array", "slurm-array")
def test_report_is_there_with_the_results(make_pool, tmp_path):
    """Of a map of which nothing else is kept."""
    with make_pool() as pool:
        assert [0, 1, 4, 9, 16] == pool.map(f.square, range(5), report=tmp_path / "x.html")
        text = text_of(tmp_path / "x.html")
    assert "map of 5 tasks" in text
    assert "✓ done" in text


@pytest.mark.only("local")
@pytest.mark.parametrize("call", CALLS)
def test_all_calls_take_it(call, make_pool, tmp_path):
    """The path may be text or a path, and the results are the same."""
    with make_pool() as pool:
        assert CALLS[call](pool) == CALLS[call](pool, report=str(tmp_path / "x.html"))
    assert f"{call.removesuffix('_async')} of " in text_of(tmp_path / "x.html")


@pytest.mark.leaves_work_dir
@pytest.mark.only("local", "dummy-slurm-array", "slurm-array")
def test_report_of_a_map_that_failed(make_pool, tmp_path):
    """It is there when the exception is raised, and tells of it."""
    with make_pool() as pool, pytest.raises(ValueError, match="3"):
        pool.map(f.raise_for_three, range(5), report=tmp_path / "x.html")
    text = text_of(tmp_path / "x.html")
    assert "1 task raised" in text
    assert "in raise_for_three" in text


@pytest.mark.leaves_work_dir
@pytest.mark.only("local")
def test_report_of_a_map_that_was_terminated(make_pool, tmp_path):
    """It is there when the pool has ended."""
    pool = make_pool()
    result = pool.map_async(f.wait_for, [str(tmp_path / "never")] * 3, report=tmp_path / "x.html")
    while not result.work_dir:
        result.wait(0.01)
    pool.terminate()
    pool.join()
    assert "■ interrupted" in text_of(tmp_path / "x.html")


@pytest.mark.only("local", "dummy-slurm-array")
@pytest.mark.parametrize("call", CALLS)
def test_bad_path_is_refused_before_anything_is_submitted(call, make_pool, tmp_path):
    """Neither a work_dir nor a queue-job is made."""
    with make_pool() as pool:
        with pytest.raises(FileNotFoundError, match=r"report='/no/such.*mkdir -p /no/such"):
            CALLS[call](pool, report="/no/such/x.html")
        with pytest.raises(ValueError, match="not of a folder"):
            CALLS[call](pool, report=tmp_path)
        with pytest.raises(TypeError, match="not 7"):
            CALLS[call](pool, report=7)
        assert [] == make_pool.system.queue()
        assert [] == sessions_in(make_pool.folder)


@pytest.mark.leaves_work_dir
@pytest.mark.only("local")
def test_report_that_can_not_be_written_costs_no_result(make_pool, tmp_path, capfd):
    """The results are returned, the reason is told with what to type, and the work_dir is kept for that."""
    folder = tmp_path / "reports"
    folder.mkdir()
    with make_pool() as pool:
        result = pool.map_async(f.wait_for, [str(tmp_path / "gate")], report=folder / "x.html")
        os.rmdir(folder)
        (tmp_path / "gate").touch()
        result.get(60)
        pool.close()
        pool.join()
    told = capfd.readouterr().err
    assert "the report could not be written: FileNotFoundError" in told
    assert f"pypoolparty report {result.work_dir}" in told
    assert os.path.isdir(result.work_dir)
