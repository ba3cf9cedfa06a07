"""Pages that list something list all of it, and nothing else."""

import ast
import inspect
import operator
import re
import subprocess
import sys
import typing

import pytest

import pypoolparty
from pypoolparty import errors, events
from pypoolparty.work_dir import FORMAT_VERSION, Layout
from tests.docs.blocks import PAGES, ROOT, blocks_of

DOCS = ROOT / "docs"
POOLS = ("slurm.array", "slurm", "sun_grid_engine.array", "sun_grid_engine", "local")
# What the names in a work_dir are made of.
PLACES = {
    "<itask>": r"\d{9}",
    "<number>": r"\d+",
    "<submission>": r"\d{4}",
    "<element>": r"\d+",
    "<ichunk>": r"\d{6}",
    "<worker>": r"\d{4}-\d{6}-.+",
    "<slot>": r"\w+",
    "<sequence>": r"\d{6}",
    "<tag>": r"[\w-]+",
}


def table_after(page, heading):
    """Return the cells of the rows of the first table below a heading."""
    text = (DOCS / page).read_text().partition(f"\n## {heading}\n")[2]
    rows = re.search(r"^(\|.*\n)+", text, re.MULTILINE)
    assert rows, f"{page}: no table after {heading}"
    return [[cell.strip() for cell in line.strip("|\n").split(" | ")] for line in rows[0].splitlines()[2:]]


def signature_of(name):
    """Return the parameters of a pool."""
    return inspect.signature(operator.attrgetter(f"{name}.Pool")(pypoolparty)).parameters


def pools_in(cell):
    """Return the pools that a cell of the table of options names."""
    groups = {
        "all": POOLS,
        "Slurm": POOLS[:2],
        "Grid Engine": POOLS[2:4],
        "all but local": POOLS[:4],
        "arrays": (POOLS[0], POOLS[2]),
        "arrays, local": (POOLS[0], POOLS[2], "local"),
        "without arrays": (POOLS[1], POOLS[3]),
    }
    return groups[cell]


def default_in(cell, name):
    """Return the default for a pool in a cell like ```5.0`, local: `0.1```."""
    first, *others = re.findall(r"(?:([\w.]+): )?`([^`]*)`", cell)
    return dict(others).get(name, first[1])


@pytest.mark.parametrize("name", POOLS)
def test_options_of_each_pool(name):
    """The table of options has all arguments of each pool, and their defaults."""
    told = {row[0].strip("`"): default_in(row[1], name) for row in table_of_options() if name in pools_in(row[2])}
    assert {one.name: repr(one.default) for one in signature_of(name).values()} == told


def table_of_options():
    """Return the rows of the table of options, each with a meaning."""
    rows = table_after("pools.md", "Options")
    assert all(len(row) == 4 and row[3] for row in rows)
    return rows


def files_of_the_page():
    """Return the names in the table of files."""
    return [row[0].strip("`") for row in table_after("reference/work-dir.md", "Files")]


def test_work_dir_page_has_all_of_the_layout():
    """Each name that the layout knows is in the page."""
    layout = Layout("W")
    text = (DOCS / "reference" / "work-dir.md").read_text()
    for name, kind in inspect.getmembers(Layout, lambda one: isinstance(one, property)):
        value = getattr(layout, name)
        for path in value if isinstance(value, list) else [value]:
            relative = path.removeprefix("W").lstrip("/").replace(sys.implementation.cache_tag, "<tag>")
            assert f"`{relative}" in text or not relative, f"{name}: {kind.__doc__}"
    for name in ("results", "stdout", "stderr", "exceptions"):
        assert layout.reduced(name).removeprefix("W/") in files_of_the_page()
    assert f"version: **{FORMAT_VERSION}**" in text


def test_each_file_of_a_work_dir_is_in_the_page(tmp_path):
    """A map that returns, raises and writes leaves no file that the page does not name."""

    def task(number):
        print("out")
        print("err", file=sys.stderr)
        return 1 // number

    with pypoolparty.local.Pool(2, work_dir=tmp_path, keep_work_dir=True) as pool:
        pool.map(task, range(3), on_error="return")
    [work_dir] = tmp_path.glob("q*")
    patterns = []
    for name in files_of_the_page():
        parts = re.split(r"(<\w+>)", name)
        patterns.append(re.compile("".join(PLACES.get(part) or re.escape(part) for part in parts)))
    found = [str(path.relative_to(work_dir)) for path in work_dir.rglob("*") if path.is_file()]
    assert len(found) > 20
    assert [] == [name for name in found if not any(pattern.fullmatch(name) for pattern in patterns)]


def test_columns_and_events_are_told():
    """The page has the columns of the statistics and all kinds of events."""
    from pypoolparty.work_dir._reduced import STATS_HEADER

    text = (DOCS / "reference" / "work-dir.md").read_text()
    assert f"`{STATS_HEADER.decode().strip()}`" in text
    told = {row[0].strip("`") for row in table_after("reference/work-dir.md", "log.jsonl")}
    assert {kind.__name__ for kind in events.Event.__subclasses__()} == told


def test_causes_have_an_advice():
    """The page on debugging says something about each way in which a task is lost."""
    text = (DOCS / "how-to" / "debug.md").read_text()
    lost = [kind.__name__ for kind in errors.TaskLost.__subclasses__()]
    assert [] == [name for name in lost if f"`{name}`" not in text]


def test_toy_dialect_has_all_methods():
    """The walk-through writes all that the protocol of a dialect asks for."""
    from pypoolparty.scheduler import Dialect

    page = DOCS / "how-to" / "add-a-scheduler.md"
    [block] = [block for block in blocks_of(page) if block.markers.get("file") == "toy.py"]
    [toy] = [node for node in ast.parse(block.code).body if getattr(node, "name", "") == "ToyDialect"]
    written = {node.name for node in ast.walk(toy) if isinstance(node, ast.FunctionDef)}
    asked = {name for name, one in vars(Dialect).items() if inspect.isfunction(one) and not name.startswith("_")}
    assert asked == written


def test_all_decisions_are_listed():
    """The list of decisions has each of them."""
    listed = set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", (DOCS / "decisions" / "README.md").read_text()))
    assert {path.name for path in (DOCS / "decisions").glob("0*.md")} == listed


def test_readme_leads_to_the_pages():
    """The README is one page, and leads to the others."""
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) < 160
    for name in ("tutorial.md", "pools.md", "how-to/debug.md", "failures.md", "peers.md", "performance.md"):
        assert f"(docs/{name})" in text


def test_public_names_are_in_the_reference():
    """What the package shows is in the reference."""
    text = "".join(page.read_text() for page in PAGES if page.parent.name == "reference")
    for name in pypoolparty.__all__:
        if not name.startswith("__") and name not in ("slurm", "sun_grid_engine", "local"):
            assert f"::: pypoolparty.{name}\n" in text
    for name in POOLS:
        assert f"::: pypoolparty.{name}.Pool\n" in text


def test_examples_of_docstrings_run():
    """The examples in docstrings print what they say."""
    program = (
        "import doctest, sys, pypoolparty.local, pypoolparty.choose, pypoolparty.testing._dummies as dummies\n"
        "modules = (pypoolparty.local, pypoolparty.choose, dummies)\n"
        "import pypoolparty\n"
        "results = [doctest.testmod(module, extraglobs={'Dummies': dummies.Dummies}) for module in modules]\n"
        "sys.exit(any(result.failed or not result.attempted for result in results))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_annotations_can_be_read():
    """What is shown beside each argument is a type that exists."""
    for name in POOLS:
        assert typing.get_type_hints(operator.attrgetter(f"{name}.Pool.__init__")(pypoolparty))
