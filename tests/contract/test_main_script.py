"""Functions and classes of ``__main__``."""

import pytest

EXPECTED = {
    "squares": [0, 1, 4],
    "state": ["initialised", "initialised"],
    "points": [2, 3],
    "class": True,
    "error": [True, [3]],
}


@pytest.mark.leaves_work_dir
def test_main_script(run_script):
    """A program's own functions, classes, exceptions and global variables work."""
    assert EXPECTED == run_script("try_everything")
