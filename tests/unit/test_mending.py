"""Going on with a map whose function had a mistake: only what is not finished is computed, by the mended one."""

import functools
import threading

import pytest

import pypoolparty
from pypoolparty.errors import TaskRaised, WorkDirError

pytestmark = pytest.mark.timeout(60)


def reciprocal(folder, task):
    """Fail for zero, and leave a mark for each time that it is called."""
    with open(folder / f"{task}", "a") as stream:
        stream.write("x")
    return 1 / task


def mended(folder, task):
    """Return what `reciprocal` should."""
    return reciprocal(folder, task) if task else float("inf")


def offset(value):
    """Initializer: set what `with_offset` adds."""
    import builtins

    builtins.offset_of_this_worker = value


def with_offset(task):
    """Use what the initializer has set."""
    import builtins

    return task + builtins.offset_of_this_worker


def failed_map(tmp_path, call="map", tasks=(2, 0, 4), **options):
    """Return the work_dir of a map in which the task 0 has raised."""
    (tmp_path / "runs").mkdir()
    func = functools.partial(reciprocal, tmp_path / "runs")
    with pypoolparty.local.Pool(1, work_dir=tmp_path / "work", **options) as pool:
        result = getattr(pool, f"{call}_async")(func, tasks)
        with pytest.raises(ZeroDivisionError):
            result.get(30)
    return result.work_dir


@pytest.mark.parametrize(("call", "tasks"), [("map", [2, 0, 4]), ("starmap", [(2,), (0,), (4,)])])
def test_raised_tasks_are_done_again_by_the_mended_function(tmp_path, call, tasks):
    """The list is whole, and what had returned before is not computed again."""
    path = failed_map(tmp_path, call, tasks)
    func = functools.partial(mended, tmp_path / "runs")
    assert [0.5, float("inf"), 0.25] == pypoolparty.resume(path, redo_raised=True, func=func)
    assert {"2": "x", "0": "x", "4": "x"} == {path.name: path.read_text() for path in (tmp_path / "runs").iterdir()}


def test_mended_lambda_needs_no_module(tmp_path):
    """A function without a name can take the place of another."""
    path = failed_map(tmp_path)
    assert [0.5, None, 0.25] == pypoolparty.resume(path, redo_raised=True, func=lambda task: None)


def test_raised_tasks_stay_as_they_are_unless_asked(tmp_path):
    """Without redo_raised the exception is raised again, and nothing is computed."""
    path = failed_map(tmp_path)
    with pytest.raises(ZeroDivisionError):
        pypoolparty.resume(path, func=lambda task: None)
    assert "x" == (tmp_path / "runs" / "0").read_text()


def test_raised_tasks_can_be_done_again_by_the_same_function(tmp_path):
    """With redo_raised alone they are tried once more, each exception is kept, and it fails as before."""
    path = failed_map(tmp_path)
    with pytest.raises(ZeroDivisionError):
        pypoolparty.resume(path, redo_raised=True)
    assert "xx" == (tmp_path / "runs" / "0").read_text()
    assert "x" == (tmp_path / "runs" / "2").read_text()


def test_initializer_is_kept(tmp_path):
    """The mended function finds what the map's initializer has set."""
    path = failed_map(tmp_path, initializer=offset, initargs=(40,))
    assert [0.5, 40, 0.25] == pypoolparty.resume(path, redo_raised=True, func=with_offset)


def test_function_is_refused_where_it_has_no_place(tmp_path):
    """What is no function, and a work_dir of `apply`, are told; nothing is changed by that."""
    path = failed_map(tmp_path)
    with pytest.raises(TypeError, match="func must be callable, not 3"):
        pypoolparty.resume(path, func=3)
    with pypoolparty.local.Pool(1, work_dir=tmp_path / "work") as pool:
        result = pool.apply_async(reciprocal, (tmp_path / "runs", 0))
        with pytest.raises(ZeroDivisionError):
            result.get(30)
    (applied,) = {str(entry) for entry in (tmp_path / "work").iterdir()} - {path}
    with pytest.raises(ValueError, match="func= can not be given for a work_dir of `apply`"):
        pypoolparty.resume(applied, redo_raised=True, func=abs)
    with pytest.raises(ZeroDivisionError):
        pypoolparty.resume(path)


def test_initializer_that_can_not_be_read(tmp_path):
    """It is told, and the map's own function stays."""
    path = failed_map(tmp_path)
    function = tmp_path / "work" / path.rpartition("/")[2] / "function.pickle"
    function.write_bytes(b"nonsense")
    with pytest.raises(WorkDirError, match="can not be replaced"):
        pypoolparty.resume(path, func=abs)
    assert b"nonsense" == function.read_bytes()


def test_task_that_can_not_be_pickled(tmp_path):
    """Its error is that of the map, also for those who look later or go on; it can not be done again."""
    with pypoolparty.local.Pool(1, work_dir=tmp_path / "work") as pool:
        result = pool.map_async(type, [1, threading.Lock(), 2], on_error="return")
        first = result.get(30)
    assert [int, TypeError, int] == [first[0], type(first[1]), first[2]]
    found = pypoolparty.load(result.work_dir)
    assert (str(first[1]), []) == (str(found.exceptions[1]), found.missing)
    again = pypoolparty.resume(result.work_dir, on_error="return")
    assert (int, str(first[1]), int) == (again[0], str(again[1]), again[2])
    last = pypoolparty.resume(result.work_dir, redo_raised=True, on_error="return")
    assert [int, TaskRaised, int] == [last[0], type(last[1]), last[2]]
    assert "was never sent" in str(last[1])
