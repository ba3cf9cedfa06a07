"""The archive: an ordinary zip that only grows, and survives the death of its writer at any byte."""

import errno
import os
import resource
import zipfile

import pytest

from pypoolparty.archive import Archive, Member, read_member, scan

CONTENT = {
    "000000000.pickle": b"hello",
    "empty": b"",
    "naïve Ω 雪.txt": b"\x00PK\x03\x04 looks like a header",
    "000000003.pickle": bytes(range(256)),
}


def write(path, content, closes=True):
    """Write an archive; return where its members end."""
    archive, ends = Archive(path), []
    for name, data in content.items():
        ends.append(archive.add(name, data) + len(data))
    if closes:
        archive.close()
    else:
        archive.sync()
        archive.abandon()
    return ends


def read_with_zipfile(path):
    """Return what the standard library finds, checked."""
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def read_by_scan(path):
    """Return the intact members, by our own eyes."""
    with open(path, "rb") as stream:
        return {m.name: read_member(stream.fileno(), m) for m in scan(path) if m.is_intact}


@pytest.fixture
def path(tmp_path):
    """Path of an archive that is not there yet."""
    return str(tmp_path / "some.zip")


def test_round_trip(path):
    """The standard library and we read what was written, names in unicode too."""
    write(path, CONTENT)
    assert CONTENT == read_with_zipfile(path)
    assert CONTENT == read_by_scan(path)


def test_member_of_many_parts(path):
    """Parts are joined, and `add` tells where the data begin."""
    archive = Archive(path)
    archive.add("first", b"1")
    offset = archive.add("second", b"ab", memoryview(b"cd"), b"", b"e")
    archive.close()
    assert {"first": b"1", "second": b"abcde"} == read_with_zipfile(path)
    with open(path, "rb") as stream:
        stream.seek(offset)
        assert b"abcde" == stream.read(5)


def test_empty_archive(path):
    """An archive without members is an ordinary, empty zip."""
    write(path, {})
    assert {} == read_with_zipfile(path)
    assert [] == list(scan(path))


def test_file_is_private(path):
    """Nobody else may read it."""
    write(path, {})
    assert 0o600 == os.stat(path).st_mode & 0o777


def test_equal_content_gives_equal_bytes(tmp_path):
    """No time of day is in an archive."""
    for name in ("a.zip", "b.zip"):
        write(str(tmp_path / name), CONTENT)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_continue_after_close(path):
    """A closed archive can be opened again and grows on; its directory is written anew."""
    write(path, CONTENT)
    write(path, {"more": b"x" * 1000})
    assert {**CONTENT, "more": b"x" * 1000} == read_with_zipfile(path)


def test_continue_after_death(path):
    """Without a central directory nothing is lost that was synced."""
    write(path, CONTENT, closes=False)
    with pytest.raises(zipfile.BadZipFile):
        read_with_zipfile(path)
    write(path, {"more": b"x"})
    assert {**CONTENT, "more": b"x"} == read_with_zipfile(path)


def test_nothing_is_on_disk_before_the_flush(path):
    """What was added and not flushed is lost with the writer, whole members only."""
    archive = Archive(path)
    archive.add("kept", b"1")
    archive.flush()
    archive.add("lost", b"2")
    archive.abandon()
    assert {"kept": b"1"} == read_by_scan(path)


@pytest.mark.parametrize("closes", [True, False])
def test_crash_at_every_byte(path, tmp_path, closes):
    """Cut at any byte, all members before it are there; opening cuts the torn tail off and goes on behind them."""
    ends = write(path, CONTENT, closes)
    whole = open(path, "rb").read()
    torn = str(tmp_path / "torn.zip")
    for cut in range(len(whole) + 1):
        with open(torn, "wb") as stream:
            stream.write(whole[:cut])
        expected = dict(list(CONTENT.items())[: sum(end <= cut for end in ends)])
        assert expected == read_by_scan(torn)
        Archive(torn).abandon()
        assert max([0, *(end for end in ends if end <= cut)]) == os.path.getsize(torn)
        write(torn, {"more": b"after the crash"})
        assert {**expected, "more": b"after the crash"} == read_with_zipfile(torn)


def test_tail_of_zeros_at_every_byte(path, tmp_path):
    """A file system that has lost the last blocks shows zeros: they are cut off like a torn tail."""
    content = {name: data for name, data in CONTENT.items() if data}
    ends = write(path, content, closes=False)
    whole = open(path, "rb").read()
    torn = str(tmp_path / "torn.zip")
    for cut in range(len(whole)):
        with open(torn, "wb") as stream:
            stream.write(whole[:cut].ljust(len(whole), b"\0"))
        expected = dict(list(content.items())[: sum(end <= cut for end in ends)])
        assert expected == read_by_scan(torn)
        write(torn, {"more": b"after the crash"})
        assert {**expected, "more": b"after the crash"} == read_with_zipfile(torn)


def test_bit_flip_in_the_data_is_found(path):
    """A damaged member is told from the others, which stay readable."""
    ends = write(path, CONTENT)
    whole = open(path, "rb").read()
    for end, (name, data) in zip(ends, CONTENT.items()):
        for position in range(end - len(data), end):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << position % 8
            with open(path, "wb") as stream:
                stream.write(damaged)
            found = {member.name: member.is_intact for member in scan(path)}
            assert {other: other != name for other in CONTENT} == found


def test_bit_flip_anywhere_gives_no_wrong_data(path):
    """Whatever single byte is damaged: what is called intact is right, and nothing else is lost."""
    write(path, CONTENT)
    whole = open(path, "rb").read()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        with open(path, "wb") as stream:
            stream.write(damaged)
        expected = list(CONTENT.items())
        found = list(read_by_scan(path).items())
        assert [item for item in expected if item in found] == found  # each under its own name
        assert len(found) >= len(expected) - 1  # and all but the damaged one
        write(path, {"more": b"x"})
        assert {**dict(found), "more": b"x"} == read_with_zipfile(path)


def test_archive_within_a_torn_member(path, tmp_path):
    """What looks like a member within the data of one that is torn is none of ours."""
    write(path, CONTENT)
    inner = open(path, "rb").read()
    outer = str(tmp_path / "outer.zip")
    write(outer, {"first": b"1", "inner": inner + inner}, closes=False)
    os.truncate(outer, os.path.getsize(outer) - 1)
    assert {"first": b"1"} == read_by_scan(outer)
    write(outer, {"more": b"x"})
    assert {"first": b"1", "more": b"x"} == read_with_zipfile(outer)


def test_member_that_is_written_again(path):
    """Of members with one name the directory has the last one alone."""
    write(path, CONTENT, closes=False)
    write(path, {"empty": b"no more"})
    with zipfile.ZipFile(path) as opened:
        assert sorted(CONTENT) == sorted(opened.namelist())
        assert b"no more" == opened.read("empty")


def test_damaged_member_stays_in_its_place(path):
    """Going on behind a member that is damaged in the middle loses nothing of what follows it."""
    write(path, CONTENT)
    with open(path, "r+b") as stream:
        stream.seek(38 + len("000000000.pickle"))
        stream.write(b"J")
    write(path, {"more": b"x"})
    expected = {name: data for name, data in CONTENT.items() if name != "000000000.pickle"}
    assert {**expected, "more": b"x"} == read_by_scan(path)


@pytest.fixture
def small_limit(tmp_path):
    """A folder in which no file can grow beyond 64 KiB, and a function that ends this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, before[1]))
    yield tmp_path, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(params=["small_limit", "small_file_system"])
def small_disk(request):
    """A folder without room for much, and a function that makes room."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("n_tries", [1, 3])
def test_full_disk(small_disk, n_tries):
    """A flush that fails leaves no torn member on disk, and works when there is room."""
    folder, make_room = small_disk
    path = str(folder / "some.zip")
    archive = Archive(path)
    archive.add("first", b"1")
    archive.flush()
    size = os.path.getsize(path)
    archive.add("large", b"x" * 100_000)
    for _ in range(n_tries):
        with pytest.raises(OSError, match=r"No space|too large") as caught:
            archive.flush()
        assert caught.value.errno in (errno.ENOSPC, errno.EFBIG)
        assert size == os.path.getsize(path)
    make_room()
    archive.add("last", b"2")
    archive.close()
    assert {"first": b"1", "large": b"x" * 100_000, "last": b"2"} == read_with_zipfile(path)


def test_full_disk_at_the_end(small_disk):
    """A close that finds no room for the directory can be repeated."""
    folder, make_room = small_disk
    path = str(folder / "some.zip")
    content = {f"{k:09d}": b"1" for k in range(1000)}
    archive = Archive(path)
    for name, data in content.items():
        archive.add(name, data)
    archive.sync()
    with pytest.raises(OSError, match=r"No space|too large"):
        archive.close()
    assert content == read_by_scan(path)
    make_room()
    archive.close()
    assert content == read_with_zipfile(path)


def test_more_members_than_a_plain_zip_takes(path):
    """Beyond 65,535 members the archive becomes a zip64, which the standard library reads, also after a crash."""
    write(path, {f"{k:09d}": b"%d" % k for k in range(65_540)}, closes=False)
    write(path, {"last": b"x"})
    with zipfile.ZipFile(path) as opened:
        names = opened.namelist()
        assert 65_541 == len(names)
        assert b"65539" == opened.read("000065539")
        assert b"x" == opened.read("last")


def test_exactly_as_many_members_as_mean_zip64(path):
    """0xFFFF members say "look into the zip64 record" in a plain one."""
    write(path, {f"{k:x}": b"" for k in range(0xFFFF)})
    with zipfile.ZipFile(path) as opened:
        assert 0xFFFF == len(opened.namelist())


def test_member_behind_four_gigabytes(path):
    """A member that begins beyond 4 GiB has its place in the directory's zip64 field (the file has a hole)."""
    archive = Archive(path)
    archive.add("near", b"1")
    archive.flush()
    archive._end = (4 << 30) + 10
    archive.add("far", b"2")
    archive.close()
    assert {"near": b"1", "far": b"2"} == read_with_zipfile(path)
    os.unlink(path)


def test_scan_tells_name_place_and_size(path):
    """A member says where its data are."""
    write(path, {"a": b"12345"})
    [member] = scan(path)
    assert Member("a", 39, 5, member.crc, 0) == member
