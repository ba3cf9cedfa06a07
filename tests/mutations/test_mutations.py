"""What a row of docs/failures.md promises is held by its tests: without the handling in src they fail."""

import concurrent.futures
import os

import pytest

from tests.mutations.mutation import PAGE, Mutation, parse_rows
from tests.mutations.runner import copied_source, passes, run_mutated, run_tests
from tests.mutations.tables import MUTATIONS

ROWS = {(row.section, row.first): row for row in parse_rows(PAGE.read_text())}
TESTS = sorted({test for mutation in MUTATIONS for test in mutation.tests})
by_name = pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)


def test_each_row_has_a_mutation():
    """No row is trusted."""
    assert [] == sorted(set(ROWS) - {(mutation.section, mutation.row) for mutation in MUTATIONS})


@by_name
def test_mutation_fits(mutation):
    """It is of a row of the page, takes out what is there once, and is to be found by tests of that row."""
    assert (mutation.section, mutation.row) in ROWS
    assert mutation.tests
    assert {test.partition("[")[0] for test in mutation.tests} <= ROWS[mutation.section, mutation.row].tests
    assert 1 == mutation.source.count(mutation.old)
    compile(mutation.mutated, mutation.file, "exec")


@pytest.fixture(scope="session")
def unmutated():
    """How all tests of all mutations end on the source as it is."""
    with copied_source() as folder:
        return run_tests(folder, TESTS, seconds=300)


@pytest.mark.timeout(320)
@pytest.mark.parametrize("test", TESTS)
def test_passes_without_mutation(unmutated, test):
    """A test that fails in any case proves nothing."""
    assert passes(test, unmutated), {name: ends for name, ends in unmutated.items() if name.startswith(test)}


@pytest.fixture(scope="module")
def verdicts(request):
    """What comes of the mutations that are asked for: on each core one is tried, ahead of the tests."""
    found = [item for item in request.session.items if getattr(item, "originalname", "") == "test_mutation_is_found"]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
        mutations = [item.callspec.params["mutation"] for item in found]
        yield {mutation: executor.submit(run_mutated, mutation) for mutation in mutations}
        executor.shutdown(cancel_futures=True)


@pytest.mark.slow
@by_name
def test_mutation_is_found(verdicts, mutation):
    """Without the handling each of its tests fails, and for no other reason."""
    verdict = verdicts[mutation].result()
    assert verdict.is_killed, verdict.words


def test_mutation_that_changes_nothing_survives():
    """The runner can say so."""
    [first, *_] = [mutation for mutation in MUTATIONS if mutation.tests[0].startswith("tests/unit/test_decide.py")]
    harmless = Mutation(first.section, first.row, first.file, first.old, first.old, first.tests)
    verdict = run_mutated(harmless)
    assert (False, True) == (verdict.is_killed, "passed" in verdict.words)


def test_mutation_that_is_no_program_survives():
    """A test that fails for a name that is not there tells nothing of a promise."""
    old = "    if ledger.is_done:\n        return [Finish()]\n"
    broken = Mutation("", "", "decide.py", old, "    not_there\n", ("tests/unit/test_decide.py::test_no_tasks",))
    verdict = run_mutated(broken)
    assert (False, True) == (verdict.is_killed, "NameError" in verdict.words)
