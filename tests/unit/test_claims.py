"""Claims: each chunk is one worker's, and everybody can tell whose."""

import errno
import multiprocessing
import os

import pytest

from pypoolparty import worker
from pypoolparty.chunks import tasks_of
from pypoolparty.work_dir import WorkDir
from tests.unit.maps import stand_in_for_a_job, submit

N_PROCESSES, N_CHUNKS = 8, 2000


@pytest.fixture
def work_dir(tmp_path):
    """An empty work_dir."""
    return WorkDir.create(str(tmp_path / "session"))


def refuse_links(source, target):
    """Be a file system without hard links."""
    raise PermissionError(errno.EPERM, "Operation not permitted", source, None, target)


@pytest.fixture(params=["links", "no links"])
def has_links(request, monkeypatch):
    """Claim by links, and without: not all file systems have them."""
    if request.param == "no links":
        monkeypatch.setattr(os, "link", refuse_links)
    return request.param == "links"


def table_of(work_dir, element, number=1, slot="0"):
    """Return the chunk table as a slot of a worker sees it, and the slot's name."""
    job = stand_in_for_a_job(work_dir, element=element, number=number)
    return worker.Table(job, f"{number:04d}", slot), f"{job.worker}.{slot}"


def claim_all(path, element, barrier, pipe):
    """Claim until nothing is unclaimed; send what was got."""
    work_dir = WorkDir(path)
    barrier.wait()
    table, name = table_of(work_dir, element)
    got = []
    while True:
        ichunk = table.claim_next()
        if ichunk is None:
            break
        got.append(ichunk)
    pipe.send((name, got))


def test_each_chunk_is_claimed_once(work_dir, has_links):
    """Eight processes at once claim 2,000 chunks: each exactly once, and the folder tells whose it is."""
    work_dir.write_submission(1, {"width": N_PROCESSES}, [[k, k + 1] for k in range(N_CHUNKS)])
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(N_PROCESSES)
    pipes, processes = [], []
    for element in range(N_PROCESSES):
        mine, its = context.Pipe(duplex=False)
        process = context.Process(target=claim_all, args=(work_dir.path, element, barrier, its))
        process.start()
        pipes.append(mine)
        processes.append(process)
    got = dict(pipe.recv() for pipe in pipes)
    for process in processes:
        process.join()
    assert list(range(N_CHUNKS)) == sorted(ichunk for chunks in got.values() for ichunk in chunks)
    assert {ichunk: name for name, chunks in got.items() for ichunk in chunks} == work_dir.claims(1)
    links = {os.stat(work_dir.layout.submission(1, "claims", f"{k:06d}")).st_nlink for k in range(N_CHUNKS)}
    assert has_links == (1 not in links)


def watch_claims(table):
    """Return the list of chunks that a table tries to claim from now on."""
    tried = []
    claim = table.claim
    table.claim = lambda ichunk: tried.append(ichunk) or claim(ichunk)
    return tried


def test_workers_have_columns_of_their_own(work_dir):
    """While all of them work, no two workers ever meet at one chunk."""
    submit(work_dir, 40, width=4, chunksize=1)
    tables = [table_of(work_dir, element)[0] for element in range(4)]
    tried = [watch_claims(table) for table in tables]
    for _ in range(10):
        for table in tables:
            table.claim_next()
    assert [list(range(element, 40, 4)) for element in range(4)] == tried


def test_more_workers_than_columns(work_dir):
    """A replacement beyond the width finds a place, too."""
    submit(work_dir, 5, width=2, chunksize=1)
    table, _ = table_of(work_dir, element=7)
    assert [1, 3, 0, 2, 4, None] == [table.claim_next() for _ in range(6)]


def test_help_goes_where_most_is_left(work_dir):
    """Who is done with its own column helps with one that nobody has begun, chunk after chunk."""
    submit(work_dir, 40, width=4, chunksize=1)
    begun, _ = table_of(work_dir, element=1)
    for _ in range(3):
        begun.claim_next()
    mine, _ = table_of(work_dir, element=0)
    tried = watch_claims(mine)
    claimed = [mine.claim_next() for _ in range(20)]
    assert [*range(0, 40, 4), *range(2, 40, 4)] == claimed == tried


def test_few_refusals_where_others_have_claimed(work_dir):
    """A worker does not try name after name that others have claimed long ago."""
    submit(work_dir, 200, width=5, chunksize=1)
    late, _ = table_of(work_dir, element=0)
    other, _ = table_of(work_dir, element=1)
    claimed = {other.claim_next() for _ in range(100)}
    tried = watch_claims(late)
    rest = [late.claim_next() for _ in range(100)]
    assert not claimed & set(rest)
    assert len(tried) <= 105


def test_claim_that_is_another_ones(work_dir, has_links):
    """A claimed chunk is not given twice, also to the worker that has it."""
    submit(work_dir, 3, width=1, chunksize=1)
    mine, name = table_of(work_dir, element=0)
    other, _ = table_of(work_dir, element=1)
    assert mine.claim(1)
    assert not other.claim(1)
    assert {1: name} == work_dir.claims(1)


def test_slots_of_one_worker_are_apart(work_dir, has_links):
    """Two processes of one queue-job do not take each other's claims for their own."""
    submit(work_dir, 3, width=1, chunksize=1)
    one, name = table_of(work_dir, element=0)
    two, _ = table_of(work_dir, element=0, slot="1")
    assert one.claim(0)
    assert not two.claim(0)
    assert {0: name} == work_dir.claims(1)


def test_lost_answer_of_a_link(work_dir):
    """An NFS server may have made the link and lost the answer: the name exists, and the claim is ours."""
    submit(work_dir, 3, width=1, chunksize=1)
    table, name = table_of(work_dir, element=0)
    os.link(table.identity, work_dir.layout.submission(1, "claims", "000002"))
    assert table.claim(2)
    assert {2: name} == work_dir.claims(1)


def test_a_fresh_child_goes_on_with_the_identity(work_dir):
    """The next child of the same worker finds the claims of the one before, and claims others."""
    submit(work_dir, 3, width=1, chunksize=1)
    before, name = table_of(work_dir, element=0)
    assert 0 == before.claim_next()
    after, _ = table_of(work_dir, element=0)
    assert [1, 2, None] == [after.claim_next() for _ in range(3)]
    assert dict.fromkeys(range(3), name) == work_dir.claims(1)


def test_claim_in_a_folder_that_is_gone(work_dir, has_links):
    """When the work_dir is removed, a worker is sent home."""
    submit(work_dir, 3, width=1, chunksize=1)
    table, _ = table_of(work_dir, element=0)
    work_dir.remove()
    with pytest.raises((worker.Withdrawn, FileNotFoundError)):
        table.claim(0)


def test_nothing_claimed(work_dir):
    """Before the first worker there are no claims; looking leaves no file behind."""
    submit(work_dir, 3, width=1, chunksize=1)
    assert {} == work_dir.claims(1)
    assert [] == os.listdir(work_dir.layout.submission(1, "claims"))


def test_chunks_on_disk_are_the_planned_ones(work_dir):
    """A worker finds the tasks of a chunk as they were planned, also those with gaps."""
    chunks = submit(work_dir, 1000, width=2)
    work_dir.write_submission(2, {"width": 1}, [[0, 3, 5, 6]])
    table, _ = table_of(work_dir, element=0)
    assert [list(tasks_of(chunk)) for chunk in chunks] == [list(table.tasks(k)) for k in range(len(chunks))]
    assert [0, 1, 2, 5] == table_of(work_dir, 0, number=2)[0].tasks(0)


def test_one_worker_alone_claims_all(work_dir):
    """In each column in the order of the rounds, for later rounds have the smaller chunks."""
    chunks = submit(work_dir, 10_000, width=7)
    table, _ = table_of(work_dir, element=3)
    order = [table.claim_next() for _ in chunks]
    assert list(range(len(chunks))) == sorted(order)
    columns = [[ichunk for ichunk in order if ichunk % 7 == column] for column in range(7)]
    assert [sorted(column) for column in columns] == columns
    assert table.claim_next() is None
