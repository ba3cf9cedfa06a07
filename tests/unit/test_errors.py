"""Exceptions travel between processes."""

import pickle

import pytest

from pypoolparty import errors

EXAMPLES = [
    errors.CommandFailed(["sbatch", "x"], 1, "out", "err"),
    errors.CommandTimedOut(["squeue"], 60.0),
    errors.UnreadableOutput(["squeue"], "half a li"),
    errors.SubmissionRefused("no such partition"),
    errors.OutOfMemory("task 3 was killed", 3, 2, "/work_dir"),
    errors.StillInUse("in use by 7 on n1"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_pickle_round_trip(error):
    """Type, text and attributes survive."""
    copy = pickle.loads(pickle.dumps(error))
    assert (type(error), str(error), vars(error)) == (type(copy), str(copy), vars(copy))


def test_names_are_exported():
    """Each exception class is in the list of public names."""
    classes = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert set(errors.__all__) == {name for name in classes if issubclass(getattr(errors, name), Exception)}
