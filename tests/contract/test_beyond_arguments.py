"""Arguments that multiprocessing.Pool does not have."""

import datetime
import re

import pytest

import pypoolparty
from tests.contract import functions as f
from tests.contract.helpers import sessions_in

pytestmark = pytest.mark.beyond


def test_two_names_for_one_number(make_pool):
    """`processes` is another name for the seed's first argument; both at once is a mistake."""
    options = make_pool.options(processes=3)
    assert "num_simultaneously_running_tasks" not in options
    with pytest.raises(TypeError, match="processes"):
        make_pool(processes=3, num_simultaneously_running_tasks=3)


@pytest.mark.only("local", "dummy-slurm-array", "dummy-sge")
def test_number_is_the_first_argument(make_pool):
    """The number of processes may come first and without a name, as in multiprocessing."""
    options = make_pool.options()
    number = options.pop("num_simultaneously_running_tasks")
    with make_pool.backend.pool_class()(number, **options) as pool:
        assert [0, 1, 4] == pool.map(f.square, range(3))
    pool.join()


BAD_VALUES = {
    "num_simultaneously_running_tasks": [0, -3, 2.5, "many"],
    "polling_interval": [-1.0, "often"],
    "max_num_resubmissions": [-1, "often"],
    "maxtasksperchild": [0, "few"],
    "time": ["tomorrow", -5, "1:2:3:4:5"],
    "mem": ["4 elephants", -1],
    "cpus": [0, "all"],
    "work_dir": [17],
    "initializer": [17],
}


@pytest.mark.only("local", "dummy-slurm-array", "dummy-slurm", "dummy-sge-array", "dummy-sge")
@pytest.mark.parametrize("name", BAD_VALUES)
def test_bad_values_are_refused(make_pool, name):
    """A value that can not be meant is refused at once, with its name, itself, and what is allowed."""
    for value in BAD_VALUES[name]:
        with pytest.raises((ValueError, TypeError)) as caught:
            make_pool(**{name: value})
        message = str(caught.value)
        assert name in message or "processes" in message, message
        assert repr(value) in message or str(value) in message, message
        assert len(message.split()) > 3, f"does not say what is allowed: {message}"


@pytest.mark.only("local", "dummy-slurm-array", "dummy-sge")
def test_unknown_argument(make_pool):
    """A misspelt argument is refused, not ignored."""
    with pytest.raises(TypeError, match="poling_interval"):
        make_pool(poling_interval=3.0)


@pytest.mark.cheap
@pytest.mark.leaves_work_dir
def test_failures_as_results(pool):
    """With ``on_error="return"`` failures stand in the list at their place."""
    results = pool.map(f.raise_for_three, range(5), chunksize=1, on_error="return")
    assert [0, 1, 2, 4] == results[:3] + results[4:]
    assert (ValueError, ("bad task", 3)) == (type(results[3]), results[3].args)


@pytest.mark.leaves_work_dir
def test_failures_as_results_of_starmap(pool):
    """`starmap` and the asynchronous methods know ``on_error="return"`` as well."""
    [bad] = pool.starmap(f.weigh, [("x",)], on_error="return")
    assert type(bad) is TypeError
    result = pool.map_async(f.raise_value_error, [1], on_error="return")
    assert [ValueError] == [type(error) for error in result.get(60)]
    assert result.successful()


@pytest.mark.only("local")
def test_unknown_on_error(pool):
    """Another word for `on_error` is refused, with the words that are allowed."""
    with pytest.raises(ValueError, match="'ignore'") as caught:
        pool.map(f.square, [1], on_error="ignore")
    assert all(word in str(caught.value) for word in ("on_error", "raise", "return"))


@pytest.mark.cheap
@pytest.mark.leaves_work_dir
def test_note_names_the_work_dir(pool, folder):
    """The exception of `map` carries a note that names the work_dir and how to go on."""
    with pytest.raises(ValueError, match="bad task") as caught:
        pool.map(f.raise_for_three, range(5))
    [session] = sessions_in(folder)
    if hasattr(caught.value, "add_note"):  # from Python 3.11 on
        note = "\n".join(caught.value.__notes__)
        assert str(session) in note
        assert "resume" in note


@pytest.mark.cheap
@pytest.mark.leaves_work_dir
def test_each_exception_says_of_which_task_it_is(pool, folder):
    """With `on_error="return"`, each one has a note with its task, its node, and the next commands."""
    raised = pool.map(f.raise_for_three, [3, 0, 3], on_error="return")
    [session] = sessions_in(folder)
    for itask in (0, 2):
        assert ValueError is type(raised[itask])
        if hasattr(raised[itask], "add_note"):  # from Python 3.11 on
            [note] = raised[itask].__notes__
            assert re.match(rf"task {itask} has raised this on \S+\n", note)
            assert f"next: pypoolparty logs {session} {itask} --stderr" in note
            assert f"next: pypoolparty resume {session} --redo-raised" in note


RESOURCES = [
    {"time": "0-00:10:00", "mem": "200M", "cpus": 1},
    {"time": 600, "mem": 200 * 2**20},
    {"time": datetime.timedelta(minutes=10), "mem": "1G"},
]


@pytest.mark.cheap
@pytest.mark.parametrize("resources", RESOURCES[:1])
def test_resources(make_pool, resources):
    """Time, memory and cores may be asked for."""
    pool = make_pool(**resources)
    assert [0, 1, 4] == pool.map(f.square, range(3))


@pytest.mark.only("local", "dummy-slurm-array", "dummy-sge-array")
@pytest.mark.parametrize("resources", RESOURCES[1:])
def test_spellings_of_resources(make_pool, resources):
    """Each resource has several spellings."""
    pool = make_pool(**resources)
    assert [0, 1, 4] == pool.map(f.square, range(3))


def test_variables_and_setup(make_pool):
    """`env` sets variables, and `setup` runs lines of shell in front of the worker."""
    setup = ['export FROM_SETUP="it\'s $((40 + 2))"']
    pool = make_pool(env={"FROM_ENV": "a 'b' \"c\"\nd"}, setup=setup)
    assert ["it's 42", "a 'b' \"c\"\nd"] == pool.map(f.read_variable, ["FROM_SETUP", "FROM_ENV"])


@pytest.mark.only("local")
def test_choosing_the_backend(backend, folder, tmp_path):
    """`pypoolparty.Pool` makes the pool that is asked for."""
    with pypoolparty.Pool(2, backend="local", work_dir=str(tmp_path / "work")) as pool:
        assert isinstance(pool, backend.pool_class())
        assert [0, 1, 4] == pool.map(f.square, range(3))
    pool.join()
    with pytest.raises(ValueError, match=re.escape("'clod'")):
        pypoolparty.Pool(backend="clod")
