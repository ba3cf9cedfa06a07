"""The code blocks of the documentation, and how they are run.

The blocks of a page are run in their order, each as a program of its own, all in one folder, where ``sbatch``,
``qsub`` and their kin are the dummies. Comments in the lines before a block, which no reader sees, say what is special:

- ``<!-- not run: REASON -->``
- ``<!-- run by: FILE::TEST -->``: is run there, for it needs more than such a folder
- ``<!-- continued -->``: goes on with the names of the python block before it
- ``<!-- file: NAME -->``: is not run but written into the folder, for later blocks
- ``<!-- fails -->``: ends with an exit code that is not 0
- ``<!-- prints -->``: is not run but what the block before it prints
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
# Pages of which all blocks are run elsewhere.
RUN_BY = {
    ROOT / "docs" / "performance.md": "tests/bench/test_page.py::test_commands_of_the_page",
    ROOT / "docs" / "cli.md": "tests/cli/test_page.py::test_commands_run",
}

# Commands that are not there, and what keeps those that are from doing more than the pages need.
STAND_INS = Path(__file__).parent / "stand_ins"
HARMLESS = {"PIP_DRY_RUN": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

LANGUAGES = {"python", "sh", "text", "toml", "json", "yaml"}
MARKERS = {"not run", "run by", "continued", "file", "fails", "prints"}
_FENCE = re.compile(r"^```(?P<language>\w*)$")
_MARKER = re.compile(r"^<!-- (?P<name>[a-z ]+?)(?:: (?P<value>.+))? -->$")
_END_OF_BLOCK = "=== the end of this block ==="


@dataclass
class Block:
    """One code block.

    Attributes
    ----------
    line : int
        Where it begins.
    markers : dict of str
        What is said before it, and the values.
    """

    page: Path
    line: int
    language: str
    markers: dict[str, str]
    lines: list[str] = field(default_factory=list)

    @property
    def code(self) -> str:
        """The text of it."""
        return "".join(f"{line}\n" for line in self.lines)

    @property
    def where(self) -> str:
        """The place, as editors understand it."""
        return f"{self.page}:{self.line}"

    @property
    def run_by(self) -> str:
        """The test that runs it; empty if that is the one of its page."""
        return self.markers.get("run by") or RUN_BY.get(self.page, "")

    @property
    def is_run(self) -> bool:
        """Whether it is a program, and run as a part of its page."""
        is_program = self.language in ("python", "sh")
        return is_program and not self.is_left_out and not {"file", "prints"} & set(self.markers)

    @property
    def is_left_out(self) -> bool:
        """Whether it is not run as a part of its page."""
        return "not run" in self.markers or bool(self.run_by)


def blocks_of(page: Path, text: str | None = None) -> list[Block]:
    """Return the code blocks of a page."""
    blocks: list[Block] = []
    markers: dict[str, str] = {}
    is_inside = False
    for number, line in enumerate((page.read_text() if text is None else text).splitlines(), 1):
        fence, marker = _FENCE.match(line), _MARKER.match(line)
        if is_inside and line == "```":
            is_inside = False
        elif is_inside:
            blocks[-1].lines.append(line)
        elif fence:
            blocks.append(Block(page, number, fence["language"], markers))
            is_inside, markers = True, {}
        elif marker:
            markers[marker["name"]] = marker["value"] or ""
        elif line.strip():
            markers = {}
    return blocks


def run_page(page: Path, folder: Path, environment: Mapping[str, str], text: str | None = None) -> int:
    """Run the blocks of a page; return how many were run."""
    n_run, printed = 0, ""
    for program in _programs(blocks_of(page, text)):
        first = program[0]
        if first.is_left_out:
            continue
        if "file" in first.markers:
            (folder / first.markers["file"]).write_text(first.code)
        elif "prints" in first.markers:
            assert printed.strip() == first.code.strip(), f"{first.where}: it prints\n{printed}"
        elif first.is_run:
            printed = _run(program, folder, environment)
            n_run += len(program)
    return n_run


def _programs(blocks: list[Block]) -> Iterator[list[Block]]:
    """Yield what is run at once: a block, and those that are continuations of it."""
    program: list[Block] = []
    for block in blocks:
        if "continued" in block.markers:
            assert program, f"{block.where}: nothing to continue"
            assert program[0].language == block.language == "python", f"{block.where}: only python is continued"
            program.append(block)
            continue
        if program:
            yield program
        program = [block]
    if program:
        yield program


def _run(program: list[Block], folder: Path, environment: Mapping[str, str]) -> str:
    """Run one program; return what its last block has printed."""
    first, *_, last = program[0], program[-1]
    if first.language == "sh":
        argv = ["bash", "-euo", "pipefail", "-c", first.code]
    else:
        script = folder / f".block-{first.line}.py"
        script.write_text(f"print({_END_OF_BLOCK!r}, flush=True)\n".join(block.code for block in program))
        argv = [sys.executable, str(script)]
    path = os.pathsep.join([str(Path(sys.executable).parent), str(STAND_INS), environment["PATH"]])
    temporary = folder / ".temporary"
    temporary.mkdir(exist_ok=True)
    environment = {**environment, **HARMLESS, "PATH": path, "TMPDIR": str(temporary)}
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    said = f"{first.where} ends with {done.returncode}:\n{done.stdout}{done.stderr}"
    assert ("fails" in last.markers) == (done.returncode != 0), said
    return done.stdout.rpartition(f"{_END_OF_BLOCK}\n")[2]


def links_of(page: Path) -> list[str]:
    """Return the targets of the links and pictures of a page, but not what looks like one in code."""
    prose: list[str] = []
    is_inside = False
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            is_inside = not is_inside
        elif not is_inside:
            prose.append(re.sub(r"`[^`]*`", "`code`", line))
    return re.findall(r"\[[^\]]+\]\(([^)\s]+)\)", "\n".join(prose))


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that the headings of a page make."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
