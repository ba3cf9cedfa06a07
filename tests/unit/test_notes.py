"""Exceptions that let nobody set anything on them, and values that can not be loaded."""

import dataclasses
import os
import socket
import sys
import traceback
from multiprocessing.pool import RemoteTraceback

import pytest

import pypoolparty

HAS_NOTES = sys.version_info >= (3, 11)


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    """Lets nobody set anything on it."""

    number: int


@dataclasses.dataclass(frozen=True)
class FrozenButLoaded(Exception):
    """Says itself how it is rebuilt, and lets nobody set anything on it then."""

    number: int

    def __reduce__(self):
        return FrozenButLoaded, (self.number,)


class Unloadable:
    """Can be pickled on the node, and not be loaded here before something is mended."""

    def __reduce__(self):
        return load_once_mended, (os.getpid(),)


def load_once_mended(pid):
    """Return the number of the process that made it."""
    if os.environ.get("UNLOADABLE_IS_MENDED") is None:
        raise ImportError("there is no such thing here")
    return pid


def raise_frozen(number):
    """Raise what lets nobody set anything on it."""
    raise Frozen(number)


def raise_frozen_but_loaded(number):
    """Raise what can be loaded, and lets nobody set anything on it then."""
    raise FrozenButLoaded(number)


def make_unloadable(number):
    """Return what the main process can not load."""
    return Unloadable()


def shown(error):
    """Return what a traceback shows of an error."""
    return "".join(traceback.format_exception(error))


def failing(func, folder, **arguments):
    """Return what the only task of a map on this machine ends with, and the map's work_dir."""
    with pypoolparty.local.Pool(1, work_dir=folder, **arguments) as pool:
        result = pool.map_async(func, [1], on_error="return")
        return result.get(60)[0], result.work_dir


@pytest.mark.parametrize(
    ("func", "kind"),
    [
        (raise_frozen, Frozen),
        (raise_frozen_but_loaded, FrozenButLoaded),
    ],
)
def test_exception_that_lets_nobody_set_anything(func, kind, tmp_path):
    """It stays what it is, with the remote traceback as its cause, and says of which task it is."""
    error, _ = failing(func, tmp_path)
    assert kind is type(error)
    assert RemoteTraceback is type(error.__cause__)
    assert f"task 0 has raised this on {socket.gethostname()}\n" in shown(error)  # before 3.11 it is with the cause


@pytest.mark.parametrize("func", [raise_frozen, raise_frozen_but_loaded])
def test_note_of_the_map_goes_with_it(func, tmp_path):
    """What `map` raises has it also where nothing can be set."""
    kinds = (Frozen, FrozenButLoaded)
    with pypoolparty.local.Pool(1, work_dir=tmp_path) as pool, pytest.raises(kinds) as caught:
        pool.map(func, [1])
    assert not HAS_NOTES or "1 of 1 tasks failed" in shown(caught.value)


def test_value_that_can_not_be_loaded_here_is_kept(tmp_path, monkeypatch):
    """It is told as that, and is not thrown away with the work_dir: once it can be loaded, it is there."""
    error, work_dir = failing(make_unloadable, tmp_path)
    assert "there is no such thing here" in str(error)
    assert not HAS_NOTES or "the value of task 0 can not be loaded here" in shown(error)
    assert "there is no such thing here" in str(pypoolparty.load(work_dir).exceptions[0])
    monkeypatch.setenv("UNLOADABLE_IS_MENDED", "1")
    [pid] = pypoolparty.resume(work_dir)
    assert pid not in (0, os.getpid())
