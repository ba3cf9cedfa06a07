"""The result objects, fed by hand: what multiprocessing's do, without any engine."""

import multiprocessing
import threading

import pytest

from pypoolparty import results
from pypoolparty.results import ApplyBatch, AsyncResult, IMapIterator, MapResult, WaveSink


def ok(itask, value):
    """Return the outcome of a task that returned."""
    return itask, True, value


def failed(itask, error):
    """Return the outcome of a task that raised."""
    return itask, False, error


class Calls(list):
    """Remembers what it is called with."""

    def __call__(self, value):
        self.append(value)


def apply_one(**more):
    """Return a result and the batch that delivers to it."""
    result = AsyncResult(**more)
    return result, ApplyBatch([result])


def test_apply_returns():
    """A value is there once it was delivered."""
    result, batch = apply_one()
    assert not result.ready()
    batch.deliver([ok(0, "value")])
    assert result.ready()
    assert result.successful()
    assert ["value", "value"] == [result.get(), result.get(timeout=0)]


def test_apply_raises():
    """An exception is raised, each time it is asked for."""
    result, batch = apply_one()
    error = KeyError("x")
    batch.deliver([failed(0, error)])
    assert result.ready()
    assert not result.successful()
    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            result.get()
        assert error is caught.value


@pytest.mark.parametrize("result", [AsyncResult(), MapResult(3)], ids=lambda result: type(result).__name__)
def test_what_is_not_ready(result):
    """Asked too early, `successful` raises ValueError, `get` multiprocessing's TimeoutError, and `wait` returns."""
    with pytest.raises(ValueError, match="not ready"):
        result.successful()
    with pytest.raises(multiprocessing.TimeoutError):
        result.get(timeout=0.01)
    assert result.wait(timeout=0.01) is None
    assert not result.ready()


def test_get_waits():
    """Another thread's delivery ends the waiting."""
    result, batch = apply_one()
    thread = threading.Timer(0.05, batch.deliver, [[ok(0, 3)]])
    thread.start()
    assert 3 == result.get(timeout=20)
    thread.join()


@pytest.mark.parametrize("outcome", [ok(0, "value"), failed(0, KeyError("x"))])
def test_callbacks(outcome):
    """One of the two is called, once, with the value or the exception, before the result is ready."""
    seen_ready = []
    good, bad = Calls(), Calls()
    result, batch = apply_one(
        callback=lambda value: (good(value), seen_ready.append(result.ready())),
        error_callback=lambda value: (bad(value), seen_ready.append(result.ready())),
    )
    batch.deliver([outcome])
    batch.fail(RuntimeError("late"))
    _, success, value = outcome
    assert ([value], []) == ((good, bad) if success else (bad, good))
    assert [False] == seen_ready


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, TimeoutError])
def test_interrupted_while_waiting_for_a_map(monkeypatch, error):
    """Who alone waits for a map, and is interrupted, wants its end; `get` alone ends nothing."""

    def wait(self, timeout=None):
        raise error

    monkeypatch.setattr(MapResult, "wait", wait)
    result = MapResult(1)
    with pytest.raises(error):
        result.get()
    assert result.asked_to_end is None
    with pytest.raises(error):
        result._get_or_cancel()
    assert "the map was cancelled" == str(result.asked_to_end)


def test_cancelling_comes_too_late():
    """A map that is over is not ended."""
    result = MapResult(1)
    result.deliver([ok(0, 3)])
    assert not result.cancel()
    assert result.asked_to_end is None
    assert [3] == result._get_or_cancel()


def test_callback_that_fails(capsys):
    """Its failure is told, and is not the result's."""
    result, batch = apply_one(callback=lambda value: 1 / 0)
    batch.deliver([ok(0, 3)])
    assert 3 == result.get(timeout=0)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_waiting_is_a_hurry():
    """Who waits for a call that is still being gathered with others makes it start."""
    hurry = []
    result, batch = apply_one(hurry=lambda: hurry.append(1))
    result.wait(timeout=0)
    assert [1] == hurry
    batch.deliver([ok(0, 3)])
    result.get()
    assert [1] == hurry


def test_batch_of_calls():
    """Each call has its own outcome; what has none gets the failure of all."""
    calls = [AsyncResult() for _ in range(4)]
    batch = ApplyBatch(calls)
    batch.deliver([ok(2, "c")])
    batch.deliver([ok(0, "a"), failed(1, KeyError("b"))])
    assert [True, True, True, False] == [result.ready() for result in calls]
    batch.fail(RuntimeError("all"))
    assert ("a", "c") == (calls[0].get(), calls[2].get())
    for result, kind in ((calls[1], KeyError), (calls[3], RuntimeError)):
        with pytest.raises(kind):
            result.get()


def test_map_keeps_the_order():
    """Values are in the order of the tasks, however they come; nothing is there before the last."""
    calls = Calls()
    result = MapResult(3, callback=calls)
    result.deliver([ok(2, "c")])
    result.deliver([ok(0, "a")])
    assert not result.ready()
    result.deliver([ok(1, "b")])
    assert ["a", "b", "c"] == result.get(timeout=0)
    assert [["a", "b", "c"]] == calls


def test_map_of_nothing():
    """It is ready from the start, and calls back."""
    calls = Calls()
    result = MapResult(0, callback=calls)
    assert [] == result.get(timeout=0)
    assert result.successful()
    assert [[]] == calls


def test_map_raises_the_first_failure_by_order():
    """All tasks are waited for; then the failure of the first task is raised, with a note of where all is kept."""
    calls = Calls()
    result = MapResult(3, error_callback=calls)
    result.work_dir = "/some/where"
    result.deliver([failed(2, KeyError("second"))])
    result.deliver([failed(1, ValueError("first"))])
    assert not result.ready()
    result.deliver([ok(0, "a")])
    assert not result.successful()
    with pytest.raises(ValueError, match="first") as caught:
        result.get(timeout=0)
    assert [caught.value] == calls
    [note] = getattr(caught.value, "__notes__", ["2 of 3 tasks failed, task 1, '/some/where', pypoolparty.resume("])
    for words in ("2 of 3 tasks failed", "task 1", "'/some/where'", "pypoolparty.resume("):
        assert words in note


def test_map_returns_errors():
    """Asked for, exceptions stand in the list, and a value that is an exception is just a value."""
    error, value = KeyError("b"), ValueError("a value")
    result = MapResult(3, returns_errors=True)
    result.deliver([ok(0, value), failed(1, error), ok(2, 3)])
    assert [value, error, 3] == result.get(timeout=0)
    assert result.successful()


def test_map_fails_as_a_whole():
    """When the pool is terminated, its open maps raise; a later failure does not change a result."""
    result = MapResult(2)
    result.deliver([ok(0, "a")])
    result.fail(RuntimeError("terminated"))
    result.fail(KeyError("later"))
    with pytest.raises(RuntimeError, match="terminated"):
        result.get(timeout=0)
    done = MapResult(1)
    done.deliver([ok(0, "a")])
    done.fail(RuntimeError("terminated"))
    assert ["a"] == done.get(timeout=0)


def test_late_outcomes_after_a_failure():
    """What comes after the failure of all changes nothing, and is no error."""
    a_map, a_call, an_iterator = MapResult(2), AsyncResult(), results.IMapUnorderedIterator()
    an_iterator._set_length(1)
    for sink in (a_map, ApplyBatch([a_call]), WaveSink(an_iterator, 0, 1)):
        sink.fail(RuntimeError("terminated"))
        sink.deliver([ok(0, "a")])
    a_map.deliver([ok(1, "b")])
    for get in (a_map.get, a_call.get, an_iterator.next):
        with pytest.raises(RuntimeError, match="terminated"):
            get(timeout=0)
    assert [] == list(an_iterator)


def test_imap_is_in_order():
    """A result is yielded when all before it were."""
    iterator = IMapIterator()
    sink = WaveSink(iterator, 0, 3)
    sink.deliver([ok(1, "b")])
    with pytest.raises(multiprocessing.TimeoutError):
        iterator.next(timeout=0.01)
    sink.deliver([ok(0, "a")])
    assert ["a", "b"] == [iterator.next(timeout=0), next(iterator)]
    sink.deliver([ok(2, "c")])
    iterator._set_length(3)
    assert ["c"] == list(iterator)
    with pytest.raises(StopIteration):
        iterator.next(timeout=0)


def test_imap_unordered_is_as_it_comes():
    """A result is yielded when it comes."""
    iterator = results.IMapUnorderedIterator()
    sink = WaveSink(iterator, 0, 3)
    sink.deliver([ok(1, "b")])
    assert "b" == iterator.next(timeout=0)
    sink.deliver([ok(2, "c"), ok(0, "a")])
    iterator._set_length(3)
    assert ["c", "a"] == list(iterator)


def test_imap_raises_in_its_place():
    """A task's exception is raised where its result would be, and the iterator goes on."""
    iterator = IMapIterator()
    WaveSink(iterator, 0, 3).deliver([ok(2, "c"), failed(1, KeyError("b")), ok(0, "a")])
    iterator._set_length(3)
    assert "a" == next(iterator)
    with pytest.raises(KeyError):
        next(iterator)
    assert "c" == next(iterator)
    with pytest.raises(StopIteration):
        next(iterator)


def test_imap_of_nothing():
    """It ends at once."""
    iterator = IMapIterator()
    iterator._set_length(0)
    assert [] == list(iterator)


def test_imap_of_several_waves():
    """The tasks of a later map come behind those of the earlier ones."""
    iterator = IMapIterator()
    first, second = WaveSink(iterator, 0, 2), WaveSink(iterator, 2, 1)
    second.deliver([ok(0, "c")])
    first.deliver([ok(0, "a"), ok(1, "b")])
    iterator._set_length(3)
    assert ["a", "b", "c"] == list(iterator)


def test_imap_fails_for_what_is_open():
    """When the pool is terminated, what was yielded or delivered stays, and each open task raises."""
    iterator = IMapIterator()
    sink = WaveSink(iterator, 0, 3)
    sink.deliver([ok(1, "b")])
    sink.fail(RuntimeError("terminated"))
    sink.fail(RuntimeError("again"))
    iterator._set_length(3)
    outcomes = []
    for _ in range(3):
        try:
            outcomes.append(next(iterator))
        except RuntimeError as error:
            outcomes.append(str(error))
    assert ["terminated", "b", "terminated"] == outcomes
    with pytest.raises(StopIteration):
        next(iterator)


@pytest.mark.parametrize("ends", [False, True])
def test_next_waits(ends):
    """Another thread's delivery, or the end, ends the waiting."""
    iterator = IMapIterator()
    act = (lambda: iterator._set_length(0)) if ends else (lambda: WaveSink(iterator, 0, 1).deliver([ok(0, 3)]))
    thread = threading.Timer(0.05, act)
    thread.start()
    if ends:
        assert [] == list(iterator)
    else:
        assert 3 == iterator.next(timeout=20)
    thread.join()


def test_iterators_are_their_own():
    """As multiprocessing's, an iterator is what `iter` makes of it."""
    iterator = IMapIterator()
    assert iter(iterator) is iterator
