"""The documentation says what is so: its python runs, its links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
NOT_RUN = "<!-- not run -->"
BLOCK = re.compile(r"^(?P<before>[^\n]*)\n+```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
# The pools of the documentation become the one that runs everywhere.
ANY_POOL = re.compile(r"pypoolparty\.(slurm|sun_grid_engine)\.(array\.)?Pool\b")
LINK = re.compile(r"\[[^\]]+\]\((?P<target>[^)\s]+)\)")


def blocks_of(page):
    """Yield the python blocks of a page that are to be run."""
    for number, match in enumerate(BLOCK.finditer(page.read_text()), 1):
        if match["before"].strip() != NOT_RUN:
            yield pytest.param(match["code"], id=f"{page.relative_to(ROOT)}-{number}")


def anchors_of(page):
    """Return the anchors that the headings of a page make."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("code", [block for page in PAGES for block in blocks_of(page)])
def test_python_runs(code, tmp_path):
    """Each block runs by itself."""
    script = tmp_path / "block.py"
    script.write_text(ANY_POOL.sub("pypoolparty.local.Pool", code))
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Each link within the project leads to a file, and to a heading in it."""
    for match in LINK.finditer(page.read_text()):
        target, _, anchor = match["target"].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors_of(file), f"{page.name} links to {target}#{anchor}"


def test_there_is_something_to_run():
    """The README has python in it that is run."""
    assert list(blocks_of(ROOT / "README.md"))


def test_commands_of_the_readme_exist():
    """Each `make` that a page names is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for command in re.findall(r"`make ([a-z-]+)|^make ([a-z-]+)", page.read_text(), re.MULTILINE):
            assert "".join(command) in targets, f"{page.name}: make {''.join(command)}"
