"""`Retry` as users give it: by itself, or as a mapping that a shell or a file can hold."""

import json

import pytest

import pypoolparty
from pypoolparty.policy import Retry, read_retry


class OfThisModule(Exception):
    """An exception that can be imported."""


def test_defaults():
    """Nothing is everything as it was."""
    assert Retry() == read_retry(None) == read_retry({})
    assert {} == Retry().as_json()


@pytest.mark.parametrize(
    "retry",
    [
        Retry(),
        Retry(max_mem="64G", mem_factor=2, alike_deaths=5),
        Retry(max_time="8:00:00", retry_exceptions=(ConnectionError, OfThisModule)),
    ],
)
def test_there_and_back(retry):
    """What JSON has of it makes the same again."""
    assert retry == read_retry(json.loads(json.dumps(retry.as_json())))
    assert retry is read_retry(retry)


def test_exceptions_that_have_no_name():
    """Those of a function can not be imported again, and are left out."""

    class OfThisFunction(Exception):
        pass

    assert {"retry_exceptions": ["builtins:OSError"]} == Retry(retry_exceptions=(OfThisFunction, OSError)).as_json()
    assert {} == Retry(retry_exceptions=(OfThisFunction,)).as_json()


def test_names_of_exceptions():
    """One or several, with or without the module of what is built in."""
    assert (OSError,) == read_retry({"retry_exceptions": "OSError"}).retry_exceptions
    given = ["OSError", "json:JSONDecodeError", KeyError]
    assert (OSError, json.JSONDecodeError, KeyError) == read_retry({"retry_exceptions": given}).retry_exceptions


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (3, TypeError, "retry must be a pypoolparty.Retry, or a mapping of its arguments, not 3"),
        ({"max_men": "4G"}, ValueError, "retry has no 'max_men'; it has max_num_resubmissions, mem_factor"),
        ({"max_mem": "4 apples"}, ValueError, "4 apples"),
        ({"retry_exceptions": ["json:NoSuchError"]}, ValueError, "'json:NoSuchError' can not be imported"),
        ({"retry_exceptions": ["no_such_module:Error"]}, ValueError, "No module named 'no_such_module'"),
        ({"retry_exceptions": ["json:dumps"]}, TypeError, "must be exception classes"),
    ],
)
def test_wrong_ones(given, kind, words):
    """The error names what is wrong and what there is."""
    with pytest.raises(kind) as caught:
        pypoolparty.local.Pool(1, retry=given)
    assert words in str(caught.value)
