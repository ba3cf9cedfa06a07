"""docs/performance.md: it is what its last command makes, and its other commands can be read."""

import shlex
import shutil
import sys

from bench.workloads import WORKLOADS

from bench import __main__ as bench
from tests.docs.blocks import ROOT, blocks_of
from tests.needed import needed

PAGE = ROOT / "docs" / "performance.md"


def test_commands_of_the_page(tmp_path, monkeypatch):
    """The results and the page are there; made anew of the results, the page is the same.

    What takes hours is not measured again: `test_bench.py` runs these verbs on a tiny workload.
    """
    needed("matplotlib", extra="examples")
    [block] = [block for block in blocks_of(PAGE) if block.language == "sh"]
    words = [shlex.split(line)[3:] for line in block.lines]
    asked = [bench.make_parser().parse_args(line) for line in words]
    assert {"run", "micro", "report"} == {one.verb for one in asked}
    for one in asked:
        assert set(getattr(one, "workloads", [])) <= set(WORKLOADS)
        assert (ROOT / one.output).exists(), one.output
    shutil.copytree(ROOT / "bench" / "results", tmp_path / "bench" / "results")
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench", *words[-1]])
    bench.main(words[-1])
    assert PAGE.read_text() == (tmp_path / "docs" / "performance.md").read_text()
