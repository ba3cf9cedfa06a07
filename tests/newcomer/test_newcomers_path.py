"""What somebody does who has just found the package, typed into a real terminal, on a real Slurm.

From the README's demo to a function of their own, a task that fails, why, the mended function, and the report in a
real browser. `PARTY_PICTURES` names a folder in which the pictures are kept to be looked at.
"""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.newcomer.terminal import opened

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
SCRIPT = """\
import pypoolparty


def root(x):
    if x < 0:
        print("this is going to fail")
        raise ValueError(f"no root of {x}")
    return x**0.5


if __name__ == "__main__":
    with pypoolparty.slurm.array.Pool(4) as pool:
        print(pool.map(root, [4, 9, -16, 25], report="first.html"))
"""


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Return the folder for pictures."""
    return Path(os.environ.get("PARTY_PICTURES") or tmp_path / "pictures")


@pytest.fixture
def terminal(slurm_cluster, tmp_path, pictures):
    """A terminal on a login node of the real Slurm, in an empty folder that all nodes see."""
    folder = tmp_path / "home"
    folder.mkdir()
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = {**os.environ, **slurm_cluster.environment, "PATH": path, "HOME": str(folder)}
    with opened(folder, environment, pictures) as made:
        yield made


def test_newcomers_path(terminal, pictures, show):
    """Each step tells what to type next, and at the end the list is whole and nothing was computed twice."""
    _try_the_demo(terminal)
    work_dir = _meet_a_failure(terminal)
    _find_out_why(terminal, work_dir)
    _mend_it(terminal, work_dir)
    _look_at_the_report(terminal, work_dir, pictures, show)
    code, _ = terminal.run(f"pypoolparty clean {work_dir} --yes")
    assert 0 == code
    assert not os.path.exists(work_dir)


def _try_the_demo(terminal):
    """README: make demo; and whether the cluster answers."""
    code, shown = terminal.run(f"make -s -C {ROOT} demo", picture="1-demo")
    assert 0 == code, shown
    code, shown = terminal.run("pypoolparty doctor", picture="2-doctor")
    assert 0 == code, shown
    assert "slurm" in shown.lower()


def _meet_a_failure(terminal):
    """A function of one's own fails for one input: the message names the task, the work_dir, and what to type."""
    (terminal.folder / "scan.py").write_text(SCRIPT)
    code, shown = terminal.run("python scan.py", picture="3-failure")
    assert 1 == code
    assert "ValueError: no root of -16" in shown
    assert 'scan.py", line 7, in root' in shown
    assert "1 of 4 tasks failed; this is of task 2" in shown
    return re.search(r"pypoolparty failures (\S+)", shown)[1]


def _find_out_why(terminal, work_dir):
    """`ls`, `status`, `failures` and `logs` lead from the folder to the line of the mistake."""
    code, shown = terminal.run("pypoolparty ls", picture="4-ls")
    assert 0 == code
    assert os.path.basename(work_dir) in shown
    code, shown = terminal.run(f"pypoolparty status {work_dir}", picture="5-status")
    assert 1 == code, shown
    assert "4: 3 returned, 1 raised, 0 lost" in shown
    code, shown = terminal.run(f"pypoolparty failures {work_dir}", picture="6-failures")
    assert 1 == code
    assert "no root of -16" in shown
    assert "--redo-raised --func" in shown.replace("\n", " ")
    code, shown = terminal.run(f"pypoolparty logs {work_dir} 2", picture="7-logs")
    assert 0 == code
    assert "this is going to fail" in shown


def _mend_it(terminal, work_dir):
    """The mistake is mended in the file, and only the task that failed is done again."""
    mended = SCRIPT.replace('raise ValueError(f"no root of {x}")', "return None")
    (terminal.folder / "scan.py").write_text(mended)
    command = f"pypoolparty resume {work_dir} --redo-raised --func scan.py:root -o roots.jsonl"
    code, shown = terminal.run(command, picture="8-resume")
    assert 0 == code, shown
    lines = (terminal.folder / "roots.jsonl").read_text().splitlines()
    assert 4 == len(lines)
    assert ["2.0", "3.0", "null", "5.0"] == [re.search(r'"value": ([^,}]+)', line)[1] for line in lines]
    with open(f"{work_dir}/tasks.stats.csv") as stream:
        done = [line.partition(",")[0] for line in stream][1:]
    assert ["0", "1", "2", "2", "3"] == sorted(done)


def _look_at_the_report(terminal, work_dir, pictures, show):
    """The report opens in a browser, says what there is to say, and complains of nothing."""
    code, shown = terminal.run(f"pypoolparty report {work_dir} -o report.html", picture="9-report")
    assert 0 == code, shown
    for name in ("first", "report"):
        shutil.copy(terminal.folder / f"{name}.html", pictures)
    shown = show(terminal.folder / "report.html", width=1280)
    assert "map of 4 tasks on slurm.array" in shown.page.inner_text("h1")
    assert "ValueError" not in shown.page.inner_text("body")  # it is mended
    shown.page.screenshot(path=str(pictures / "report.png"), full_page=True)
    assert [] == shown.said
