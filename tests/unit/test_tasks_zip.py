"""The tasks on disk: a worker finds one of many by the index, and knows a damaged one."""

import os
import pickle
import random
import zipfile

import pytest

from pypoolparty.work_dir import TasksWriter
from pypoolparty.work_dir._tasks import BLOCK_BYTES, SINGLE_TASKS
from pypoolparty.worker import LARGEST_READ, Tasks


def write(folder, tasks):
    """Write tasks into a folder; return the writer."""
    writer = TasksWriter(os.path.join(folder, "tasks.zip"), os.path.join(folder, "tasks.index"))
    writer.extend(tasks)
    writer.close()
    return writer


def read(folder, itasks):
    """Read tasks as a worker does; None is a damaged one."""
    tasks = Tasks(str(folder))
    try:
        return [None if data is None else pickle.loads(data) for data in tasks.read(itasks)]
    finally:
        os.close(tasks.archive)
        os.close(tasks.index)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder with 20,000 tasks."""
    folder = tmp_path_factory.mktemp("many")
    assert 20_000 == write(folder, ((k, "x" * (k % 7)) for k in range(20_000))).n
    return folder


@pytest.mark.parametrize("itask", [0, 1, 9_999, 10_000, 12_345, 19_999])
def test_one_task_of_many(many, itask):
    """A task is found, whether it has a member of its own or shares one."""
    assert [(itask, "x" * (itask % 7))] == read(many, [itask])


def test_any_tasks_in_any_order(many):
    """Neighbours are read together, others one by one; the order is kept."""
    rng = random.Random(1)
    begin = rng.randrange(15_000)
    wanted = [*range(begin, begin + 3000), *(rng.randrange(20_000) for _ in range(200)), 5, 4, 3]
    assert wanted == [task[0] for task in read(many, wanted)]


def test_no_tasks(many):
    """Asking for nothing gives nothing."""
    assert [] == read(many, [])


def test_task_that_does_not_exist(many):
    """A task beyond the last is told like a damaged one."""
    assert [(19_999, ""), None, None] == [task and (task[0], "") for task in read(many, [19_999, 20_000, 30_000])]


def test_many_tasks_are_few_members(many):
    """The archive is an ordinary zip; beyond the first 10,000, a member holds a thousand tasks."""
    with zipfile.ZipFile(many / "tasks.zip") as opened:
        assert SINGLE_TASKS + 10 == len(opened.namelist())
        assert (7, "") == pickle.loads(opened.read("000000007.pickle"))
        assert opened.read("000010000-000010999.pickles").startswith(pickle.dumps((10_000, "x" * 4), 5))


def test_blocks_are_bounded_in_size(tmp_path):
    """Large tasks beyond the first 10,000 do not pile up in one member."""
    write(tmp_path, (b"x" * (300_000 if k >= SINGLE_TASKS else 1) for k in range(SINGLE_TASKS + 12)))
    with zipfile.ZipFile(tmp_path / "tasks.zip") as opened:
        assert max(info.file_size for info in opened.infolist()) <= BLOCK_BYTES + 310_000
    assert [b"x" * 300_000] * 12 == read(tmp_path, range(SINGLE_TASKS, SINGLE_TASKS + 12))


def test_task_larger_than_one_read(tmp_path):
    """A task of 6 MB is read whole, and so are its neighbours."""
    size = 6 << 20
    assert size > LARGEST_READ
    write(tmp_path, [b"before", b"x" * size, b"after"])
    assert [b"before", b"x" * size, b"after"] == read(tmp_path, range(3))
    assert [b"x" * size] == read(tmp_path, [1])


@pytest.mark.parametrize("itask", [0, 500, 10_500])
def test_damaged_task_is_known(tmp_path, itask):
    """A single damaged byte spoils this task, and no other."""
    write(tmp_path, range(11_000))
    rows = (tmp_path / "tasks.index").read_bytes()
    offset = int.from_bytes(rows[24 * itask : 24 * itask + 8], "little")
    with open(tmp_path / "tasks.zip", "r+b") as stream:
        stream.seek(offset + 3)
        byte = stream.read(1)
        stream.seek(offset + 3)
        stream.write(bytes([byte[0] ^ 1]))
    near = range(max(0, itask - 2), itask + 3)
    assert [None if k == itask else k for k in near] == read(tmp_path, near)


def test_torn_files_give_no_wrong_task(tmp_path):
    """Of an archive or index that is not whole, the whole tasks are read and the others known as damaged."""
    write(tmp_path, range(5))
    whole = {name: (tmp_path / name).read_bytes() for name in ("tasks.zip", "tasks.index")}
    for name, content in whole.items():
        for cut in range(len(content)):
            (tmp_path / name).write_bytes(content[:cut])
            assert all(task in (None, k) for k, task in enumerate(read(tmp_path, range(5))))
        (tmp_path / name).write_bytes(content)
    assert [0, 1, 2, 3, 4] == read(tmp_path, range(5))


def test_task_that_can_not_be_pickled_keeps_its_place(tmp_path):
    """The others are written; its error is told."""
    writer = write(tmp_path, [1, (k for k in "no"), 3])
    assert [1] == list(writer.failed)
    assert isinstance(writer.failed[1], TypeError)
    assert [1, 3] == read(tmp_path, [0, 2])


def test_error_of_the_iterable_passes_through(tmp_path):
    """What the user's iterable raises is the user's."""

    def iterate():
        yield 1
        raise LookupError("mine")

    writer = TasksWriter(str(tmp_path / "tasks.zip"), str(tmp_path / "tasks.index"))
    with pytest.raises(LookupError, match="mine"):
        writer.extend(iterate())
    writer.abandon()
