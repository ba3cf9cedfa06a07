"""`load` and `resume`: what is there now, and what is missing, after each step at which a main process can die."""

import functools
import json
import os

import pytest

import pypoolparty
from pypoolparty import worker
from pypoolparty.engine import restore
from pypoolparty.errors import StillInUse
from pypoolparty.failures import failures_of
from pypoolparty.map_state import Phase, state_of
from pypoolparty.work_dir import Record, WorkDir, _reduced
from tests.unit import functions
from tests.unit.jobs import run
from tests.unit.maps import files_below, make_map, wait_until

N = 6


def make_local_map(path, func, tasks):
    """Write a map to disk as a local pool does."""
    made = make_map(path, func, tasks)
    with open(made.layout.session) as stream:
        session = json.load(stream)
    with open(made.layout.session, "w") as stream:
        json.dump({**session, "pool": "local", "arguments": {"polling_interval": 0.2}}, stream)
    return made


def count_and_square(folder, task):
    """Return the square, and leave a mark for each time it was computed."""
    number = sum(name.startswith(f"{task}-") for name in os.listdir(folder))
    os.mkdir(os.path.join(folder, f"{task}-{number}-{os.getpid()}"))
    return task * task


class Steps:
    """A map of which three of six tasks are done by a worker, up to the step at which its main process died."""

    def __init__(self, path, marks):
        self.work_dir = make_local_map(path, functools.partial(count_and_square, str(marks)), range(N))

    def written(self):
        """All is on disk; nothing was submitted."""

    def computed(self):
        """A worker has done three tasks; its segments are in the spool."""
        self.written()
        self.work_dir.write_submission(1, TOLD, [[0, 3]])
        self.work_dir.log({"event": "Planned", **PLANNED})
        self.work_dir.log({"event": "Sent", "submission": 1, "elements": [0, 1]})
        run(self.work_dir)

    def added(self):
        """They were added to the archives, which are not synced."""
        self.computed()
        self.work_dir.open_reduced(N)
        self.segments = self.work_dir.collect(refresh=False)
        for record in (record for segment in self.segments for record in segment.records):
            if record.kind <= worker.RAISED:
                self.work_dir.keep_record(record, b"")

    def synced(self):
        """The archives are durable; the segments are still there, and the journal does not know."""
        self.added()
        self.work_dir.sync([b"0,1,2,3,4,h,q,1\n"])

    def removed(self):
        """Some of the segments are removed."""
        self.synced()
        self.work_dir.discard(self.segments[:1])

    def all_removed(self):
        """All segments are removed."""
        self.synced()
        self.work_dir.discard(self.segments)

    def completed(self):
        """The archives have their directories."""
        self.all_removed()
        self.work_dir.complete()


TOLD = {"elastic": True, "width": 1, "tables": ["0001"], "flush_interval": 0.0, "time_limit": None, "cpus": None}
TOLD |= {"workers_per_job": 1, "enforce_mem": None}
PLANNED = {"submission": 1, "name": "s-0001", "elements": 1, "is_elastic": True, "tables": [1], "n_tasks": 3}
STEPS = ["written", "computed", "added", "synced", "removed", "all_removed", "completed"]


@pytest.fixture(params=STEPS)
def died_at(request, tmp_path):
    """A work_dir whose main process died at a step; how many tasks were done; and the folder of marks."""
    (tmp_path / "marks").mkdir()
    steps = Steps(tmp_path / "s", tmp_path / "marks")
    getattr(steps, request.param)()
    steps.work_dir.abandon()
    return tmp_path / "s", 0 if request.param == "written" else 3, tmp_path / "marks"


def test_load_after_each_step(died_at):
    """What was computed is there, wherever it stands; loading changes nothing."""
    path, n_done, _ = died_at
    before = files_below(path)
    snapshot = pypoolparty.load(path)
    assert {itask: itask * itask for itask in range(n_done)} == snapshot.results
    assert list(range(n_done, N)) == snapshot.missing
    assert [0, 1, 4][:n_done] + ["?"] * (N - n_done) == snapshot.as_list("?")
    assert before == files_below(path)


def test_state_after_each_step(died_at):
    """It counts what was computed, wherever it stands, and once; looking changes nothing."""
    path, n_done, _ = died_at
    before = files_below(path)
    state = state_of(path)
    assert (Phase.DEAD, n_done, 0, N - n_done) == (state.phase, state.returned, state.failed, state.open)
    assert ([n_done, N] if n_done < N else []) == state.open_runs
    assert [] == failures_of(path)
    assert before == files_below(path)


def test_resume_after_each_step(died_at):
    """The list is right, and each task was computed exactly once."""
    path, n_done, marks = died_at
    assert n_done == len(list(marks.iterdir()))
    assert [itask * itask for itask in range(N)] == pypoolparty.resume(path, keep_work_dir=True)
    assert list(range(N)) == sorted(int(mark.name.split("-")[0]) for mark in marks.iterdir())
    assert [] == pypoolparty.load(path).missing


def test_resume_is_refused_while_the_map_runs(tmp_path):
    """With the host and the pid of who has it; looking at it is allowed all the same."""
    func = functools.partial(functions.wait_for, str(tmp_path), waiting=[1])
    with pypoolparty.local.Pool(1, work_dir=tmp_path / "work", polling_interval=0.2) as pool:
        result = pool.map_async(func, range(3), chunksize=1)
        wait_until((tmp_path / "at-1").exists, "task 1")
        with pytest.raises(StillInUse, match=f"process {os.getpid()} on host '{os.uname().nodename}'"):
            pypoolparty.resume(result.work_dir)
        wait_until(lambda: {0: 0} == pypoolparty.load(result.work_dir).results, "the first result")
        assert [1, 2] == pypoolparty.load(result.work_dir).missing
        (tmp_path / "go").touch()
        assert [0, 1, 2] == result.get(30)


def test_load_all_the_time(tmp_path):
    """Whenever one looks, what was seen before is seen again: nothing falls between spool and archive."""
    seen = {}
    with pypoolparty.local.Pool(2, work_dir=tmp_path / "work", keep_work_dir=True) as pool:
        result = pool.map_async(functions.take_time, [0.01] * 100, chunksize=1)
        n_looks = 0
        while not result.ready():
            now = pypoolparty.load(result.work_dir).results
            assert not set(seen) - set(now)
            seen, n_looks = now, n_looks + 1
        assert n_looks > 3
        assert [0.01] * 100 == pypoolparty.load(result.work_dir).as_list()


@pytest.mark.parametrize("position", ["header", "name", "data"])
def test_flip_in_an_archive_never_moves_a_result(tmp_path, position):
    """Whatever bit of a member's header, name or data is flipped: no task gets another's result."""
    made = WorkDir.create(str(tmp_path / "s"))
    made.open_reduced(N)
    for itask in range(N):
        made.keep_record(Record(worker.RETURNED, itask, b"", b"value of %d" % itask, b"", b""), b"")
    made.sync([])
    made.abandon()
    path = made.layout.reduced("results")
    with open(path, "rb") as stream:
        whole = stream.read()
    name = whole.index(b"000000002.pickle")
    begin, end = {
        "header": (name - 30, name),
        "name": (name, name + 16),
        "data": (name + 16, name + 16 + 8 + 10),
    }[position]
    expected = {itask: b"value of %d" % itask for itask in range(N)}
    for bit in range(8 * begin, 8 * end):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        with open(path, "wb") as stream:
            stream.write(damaged)
        found = list(_reduced.read_reduced(path, "pickle"))
        assert len(found) == len(dict(found)) == N - 1
        assert {itask: data for itask, data in expected.items() if itask != 2} == dict(found)


def test_restored_ledger_has_no_task_of_a_damaged_member(tmp_path):
    """What is damaged is open again; the rest is done."""
    made = make_map(tmp_path / "s", abs, range(N))
    made.open_reduced(N)
    for itask in range(N):
        made.keep_record(Record(worker.RETURNED, itask, b"", worker.pickle.dumps(itask), b"", b""), b"")
    made.sync([])
    made.abandon()
    path = made.layout.reduced("results")
    with open(path, "r+b") as stream:
        stream.seek(stream.read().index(b"000000002.pickle") + 8)
        stream.write(b"3")  # now it says that it is of task 3
    ledger, deliveries = restore(WorkDir(made.path), N, 0.0)
    assert [0, 1, 3, 4, 5] == [itask for itask, _, _ in deliveries]
    assert [0, 1, 3, 4, 5] == [value for _, _, value in deliveries]
    assert N - 1 == ledger.n_done


def test_load_of_a_map_with_failures(tmp_path):
    """Exceptions and losses are in their places, with the output and the statistics of the tasks."""
    with pypoolparty.local.Pool(1, work_dir=tmp_path / "work", max_num_resubmissions=0) as pool:
        func = functools.partial(functions.fail_on, bad=[1], how="raise")
        result = pool.map_async(func, range(3), on_error="return", chunksize=1)
        result.get(30)
    snapshot = pypoolparty.load(result.work_dir)
    assert {0: 0, 2: 2} == snapshot.results
    assert [ValueError] == [type(error) for error in snapshot.exceptions.values()]
    assert {1: "about to end\n"} == snapshot.stderr
    assert [0, 1, 2] == sorted(row["itask"] for row in snapshot.statistics)
    assert (result.work_dir, 3, "local") == (snapshot.work_dir, snapshot.n_tasks, snapshot.session["pool"])


def test_load_of_a_result_that_can_not_be_rebuilt(tmp_path):
    """What its unpickling raises stands in its place; the others are there."""
    made = make_local_map(tmp_path / "s", abs, range(2))
    made.open_reduced(2)
    made.keep_record(Record(worker.RETURNED, 0, b"", b"cbuiltins\nint\n(Vx\ntR.", b"", b""), b"")
    made.keep_record(Record(worker.RETURNED, 1, b"", worker.pickle.dumps(1), b"", b""), b"")
    made.sync([])
    made.close()
    snapshot = pypoolparty.load(tmp_path / "s")
    assert {1: 1} == snapshot.results
    assert [ValueError] == [type(error) for error in snapshot.exceptions.values()]


def test_load_of_a_map_with_losses(tmp_path):
    """A task that was given up is there with its reason; after a resume it is open, and may succeed."""
    with pypoolparty.local.Pool(1, work_dir=tmp_path / "work", max_num_resubmissions=0) as pool:
        func = functools.partial(functions.end_unless, str(tmp_path / "mended"))
        result = pool.map_async(func, range(2), on_error="return", chunksize=1)
        result.get(30)
    losses = pypoolparty.load(result.work_dir).exceptions
    assert [pypoolparty.errors.Crashed] * 2 == [type(error) for error in losses.values()]
    (tmp_path / "mended").touch()
    assert [0, 1] == pypoolparty.resume(result.work_dir)
