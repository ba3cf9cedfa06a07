"""The parts that only compute: ranges of indices, command lines, requests, the choice of a step."""

import pytest

from pypoolparty.testing import Die, LoseReply, Stuck, Vanish
from pypoolparty.testing._faults import Scripted, job_fault, lost_reply, note_submission
from pypoolparty.testing._options import Getopt, Refused, Takes, single_dash
from pypoolparty.testing._ranges import gridengine_text, parse_gridengine, parse_slurm, shorten, slurm_text
from pypoolparty.testing._resources import excluded_hosts
from pypoolparty.testing._slurm import Asked, expand_hosts, parse_asked
from pypoolparty.testing._state import Element, Job, State, from_json, to_json
from pypoolparty.testing._step import choose


@pytest.mark.parametrize(
    ("text", "indices", "throttle"),
    [
        ("3", [3], 0),
        ("1-3,7", [1, 2, 3, 7], 0),
        ("0-10:5%2", [0, 5, 10], 2),
        ("[1,1-2]%x", [1, 2], 0),
        ("2-1", None, 0),
        ("1-3:0", None, 0),
        ("a", None, 0),
        ("", None, 0),
        ("1,,2", None, 0),
    ],
)
def test_indices_for_slurm(text, indices, throttle):
    """Lists of indices are read as sbatch does."""
    assert (None if indices is None else (indices, throttle)) == parse_slurm(text)


@pytest.mark.parametrize(
    ("indices", "text"),
    [
        ([5], "5"),
        ([1, 2], "1-2"),
        ([1, 3, 4, 5, 9], "1,3-5,9"),
        (list(range(0, 21, 2)), "0-20:2"),
        ([2, 4, 6], "2,4,6"),
        (list(range(12)), "0-11"),
    ],
)
def test_texts_of_slurm(indices, text):
    """Indices are written as squeue does, and can be read again."""
    assert text == slurm_text(indices)
    assert (indices, 0) == parse_slurm(text)


@pytest.mark.parametrize(
    ("indices", "text"),
    [([5], "5"), ([1, 2], "1,2"), ([1, 2, 3], "1-3:1"), ([1, 4, 7, 8], "1-7:3,8"), ([2, 4, 5, 6], "2,4,5,6")],
)
def test_texts_of_grid_engine(indices, text):
    """Indices are written as qstat does."""
    assert text == gridengine_text(indices)


@pytest.mark.parametrize(("text", "indices"), [("4", [4]), ("3-1", [1, 2, 3]), ("1-6:2", [1, 3, 5]), ("1-2:0", None)])
def test_indices_for_grid_engine(text, indices):
    """Ranges are read as qsub does."""
    assert indices == parse_gridengine(text)


def test_shorten():
    """What does not fit into a text of C ends in dots."""
    assert ("abcdefgh", "abcdefgh", "abc...") == tuple(shorten("abcdefgh", size) for size in (0, 9, 7))


GETOPT = Getopt("p", {"one": Takes.VALUE, "on": Takes.NOTHING, "maybe": Takes.MAYBE}, {"o": "one", "n": "on"}, 3, True)


@pytest.mark.parametrize(
    ("words", "given", "rest"),
    [
        (["--one", "-x", "a"], [("one", "-x")], ["a"]),
        (["--one=", "--on", "--may"], [("one", ""), ("on", ""), ("maybe", "")], []),
        (["a", "-noX", "b", "--", "-n"], [("on", ""), ("one", "X")], ["a", "b", "-n"]),
        (["-"], [], ["-"]),
    ],
)
def test_getopt(words, given, rest):
    """Command lines are read as GNU's getopt does."""
    assert (given, rest) == GETOPT.parse(words)


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("--two", "p: unrecognized option '--two'"),
        ("--o", "p: option '--o' is ambiguous; possibilities: '--on' '--one'"),
        ("--one", "p: option '--one' requires an argument"),
        ("-o", "p: option requires an argument -- 'o'"),
        ("-no", "p: option requires an argument -- 'o'"),
        ("-z", "p: invalid option -- 'z'"),
    ],
)
def test_getopt_refuses(word, error):
    """What can not be understood ends the program with its code."""
    with pytest.raises(Refused) as caught:
        GETOPT.parse([word])
    assert (f'{error}\nTry "p --help" for more information\n', 3) == (caught.value.answer.err, caught.value.answer.code)


def test_single_dash():
    """Options have a fixed number of words, whatever these look like."""
    takes = {"a": 0, "pe": 2}
    assert ([("pe", ["-a", "2"]), ("a", [])], ["x", "-a"], "") == single_dash(
        ["-pe", "-a", "2", "-a", "x", "-a"], takes
    )
    assert ([], [], "-pe") == single_dash(["-pe", "1"][:1], takes)
    assert ([], [], "?-b") == single_dash(["-b"], takes)


@pytest.mark.parametrize(
    ("request_text", "excluded"),
    [
        ("", []),
        ("h_rt=5", []),
        ("h=n1", ["n2", "n3"]),
        ("h=!n1,hostname=!n2", ["n1", "n2"]),
        ("h=!(n1|n2)", ["n1", "n2"]),
        ("h=!n1&!n3", ["n1", "n3"]),
        ("h=n*&!(n2)", ["n2"]),
    ],
)
def test_excluded_hosts(request_text, excluded):
    """Expressions of hosts rule out the others."""
    assert excluded == excluded_hosts(request_text, ["n1", "n2", "n3"])


def test_lists_of_slurm():
    """Hosts and jobs in brackets are expanded."""
    assert ["n1", "m", "n3x", "n4x"] == expand_hosts("n1,m,n[3-4]x")
    assert [Asked(1, None), Asked(2, frozenset([3])), Asked(4, frozenset([1, 5, 6]))] == parse_asked(
        "1,2_3,4_[1,5-6%2]"
    )
    assert "2_x" == parse_asked("1,2_x")


def job(number, waiting, **more):
    """Return a job of Slurm."""
    return Job(number, "slurm", f"job{number}", "me", "/", [], "x", list(waiting), **more)


def chosen(state):
    """Do the choice of a step; return the numbers and indices of what is to start."""
    return [(job.number, element.index) for job, element in choose(state, 0.0)]


def test_choice_of_a_step():
    """Jobs start in their order, as slots, throttles and holds allow."""
    state = State(jobs=[job(1, [0, 1, 2], throttle=2), job(2, [0], held=True), job(3, [5, 6, 7])])
    assert [(1, 0), (1, 1), (3, 5), (3, 6)] == chosen(state)
    assert [] == chosen(state)
    state.jobs[0].elements.clear()
    assert [(1, 2), (3, 7)] == chosen(state)


def test_choice_with_faults():
    """A fault takes its victim out of those that start, and a slot is left for another."""
    faults = [Scripted(Stuck(element=1)), Scripted(Vanish(job="job2")), Scripted(Die(element=3))]
    state = State(jobs=[job(1, [1, 2, 3]), job(2, [1, 2])], faults=faults)
    assert [(1, 2), (1, 3), (2, 2)] == chosen(state)
    assert [(1, 1), (1, 1), (0, 1)] == [(scripted.fired, scripted.armed) for scripted in faults]
    assert [2] == [element.fault for element in state.jobs[0].elements if element.fault is not None]


def test_attempts():
    """A submission counts for a fault if it has a matching element, and only the very attempt is befallen."""
    faults = [Scripted(Stuck(job="a*", element=2, attempt=2, times=9)), Scripted(LoseReply(attempt=3))]
    meant = [note_submission(faults, name, [index]) for name, index in (("a", 2), ("b", 2), ("a", 1), ("ab", 2))]
    assert [[], [], [1], [0]] == meant
    assert [None, None, 0] == [job_fault(faults, "ab", *case) for case in ((2, []), (1, [0]), (2, [0]))]
    assert lost_reply(faults, "ab", [2]) is None


def test_state_as_json():
    """The state is the same after it was written and read."""
    faults = [Scripted(Die(element=1, signal=15), fired=1), Scripted(LoseReply(seconds=2.0))]
    state = State(jobs=[job(1, [3], elements=[Element(1, "RUNNING", pid=5)])], faults=faults, calls={"squeue": 3})
    assert state == from_json(to_json(state))
