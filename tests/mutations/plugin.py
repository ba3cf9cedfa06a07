"""A plugin of pytest that notes which package was tested, and how each test ended in each of its phases."""

import json
import os

import pytest

import pypoolparty

OUTCOMES = {}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Note how a phase ended, and with which exception."""
    outcome = yield
    error = call.excinfo.typename if call.excinfo is not None else ""
    OUTCOMES.setdefault(item.nodeid, {})[call.when] = [outcome.get_result().outcome, error]


def pytest_sessionfinish():
    """Leave the notes where the runner has asked for them."""
    with open(os.environ["PYPOOLPARTY_MUTATION_NOTES"], "w") as stream:
        json.dump({"package": pypoolparty.__file__, "outcomes": OUTCOMES}, stream)
