"""Events, and the lines of ``log.jsonl`` that they are written in."""

import dataclasses
import json
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypoolparty import events
from pypoolparty.events import Event, from_line, to_line
from pypoolparty.states import Death, Refusal, Report


def any_of(kind):
    """Return a strategy for a dataclass with any values in all of its fields that are logged."""
    hints = typing.get_type_hints(kind)
    unlogged = getattr(kind, "unlogged", ())
    names = [item.name for item in dataclasses.fields(kind) if item.name not in unlogged]
    return st.builds(kind, **{name: st.from_type(hints[name]) for name in names})


st.register_type_strategy(Report, any_of(Report))


@pytest.mark.parametrize("kind", Event.__subclasses__(), ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(st.data())
def test_round_trip_through_json(kind, data):
    """Each event comes back from its line, equal and of its own types."""
    event = data.draw(any_of(kind))
    assert event == from_line(json.loads(json.dumps(to_line(event))))


def test_unlogged_fields_have_defaults():
    """A line without them can be read."""
    for kind in Event.__subclasses__():
        unlogged = [item for item in dataclasses.fields(kind) if item.name in kind.unlogged]
        assert all(item.default_factory is not dataclasses.MISSING for item in unlogged)


def test_chunk_table_is_not_in_the_log():
    """A table of thousands of chunks is on disk elsewhere."""
    line = to_line(events.Planned(1, "name", 2, True, [1], 10, [[0, 5], [5, 10]]))
    assert "chunks" not in line
    assert ("Planned", 2, 10) == (line["event"], line["elements"], line["n_tasks"])


def test_line_is_for_people():
    """Causes stand in the log by name."""
    report = Report(Death.OUT_OF_MEMORY, "n1", 9, 0, 1024, ("seen",), "Killed")
    line = to_line(events.Ended(1, 2, [(1, 3)], report))
    assert "OutOfMemory" == line["report"]["death"]
    assert "job limit" == to_line(events.Refused(1, [0, 1], Refusal.JOB_LIMIT, "words"))["refusal"]


@pytest.mark.parametrize("line", [{}, {"event": "NotPicklable", "tasks": []}, {"event": "Event"}, {"time": 3}])
def test_lines_for_people_are_no_events(line):
    """What is no event (of this version) is passed over."""
    assert from_line(line) is None


def test_unknown_fields_are_passed_over():
    """A later version's log may have more to tell, and each line has its time."""
    line = {"time": 1.5, "event": "Sent", "submission": 1, "elements": [0, 3], "colour": "blue"}
    assert events.Sent(1, [0, 3]) == from_line(line)
