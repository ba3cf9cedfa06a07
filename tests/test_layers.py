"""The layers of the package: who may import whom."""

import ast
import sys
from pathlib import Path

import pytest

import pypoolparty

ROOT = Path(pypoolparty.__file__).parent
NAME = "pypoolparty"

# The level of each module (or package, with all in it). Imports point to the same level or down;
# what is at level 6 or above is imported by higher levels only, and by nobody else at its own.
LEVELS = {
    "errors": 0,
    "states": 0,
    "worker": 0,
    "chunks": 0,
    "environment": 0,
    "latch": 0,
    "advice": 1,
    "arguments": 1,
    "cause": 1,
    "payload": 1,
    "events": 1,
    "archive": 1,
    "command": 1,
    "site_names": 1,
    "site_settings": 1,
    "work_dir": 2,
    "batches": 2,
    "history": 2,
    "ledger": 2,
    "decide": 2,
    "verdict": 2,
    "policy": 2,
    "scheduler": 2,
    "waiting_room": 2,
    "lingering": 2,
    "engine": 3,
    "results": 4,
    "setting": 4,
    "new_run": 4,
    "leaving": 4,
    "reporting": 4,
    "progress": 4,
    "pool": 4,
    "slurm": 5,
    "sun_grid_engine": 5,
    "local": 5,
    "failures": 5,
    "map_state": 5,
    "choose": 5,
    "executor": 6,
    "joblib_backend": 6,
    "resuming": 6,
    "summary": 6,
    "report": 6,
    "testing": 6,
    "cli": 7,
    "": 8,
    "__main__": 8,
}
TOP = 6
# Decide and parse from values alone: no system, no clock, no chance.
PURE = ("advice", "chunks", "history", "ledger", "decide", "verdict", "policy", "events")
IMPURE = {"time", "random", "subprocess", "threading", "socket", "shutil", "pathlib", "datetime"}
# Who imports by name what the table would not let it import, and what: nobody else does so.
BY_NAME = {"testing._command": set(), "testing._launch": set(), "reporting": {"report"}}
# These import nothing of the package but themselves.
ALONE = ("errors", "states", "worker", "chunks", "testing")


def module_of(path):
    """Return the dotted name of a file, without the package's own."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def row_of(module):
    """Return the row of the table that a module belongs to: its own, or that of a package around it."""
    while module not in LEVELS and module:
        module = module.rpartition(".")[0]
    return module


def imports_of(module):
    """Return all that a file imports, anywhere in it, as absolute dotted names."""
    path = FILES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(_names_from(node, package))
    return found


def _names_from(node, package):
    """Return what a ``from … import …`` imports; a submodule's name where that is what it names."""
    base = node.module or ""
    if node.level:
        parts = [NAME, *package.split(".")] if package else [NAME]
        base = ".".join(parts[: len(parts) - node.level + 1] + ([node.module] if node.module else []))
    if not (base == NAME or base.startswith(NAME + ".")):
        return {base}
    own = base[len(NAME) + 1 :]
    names = {f"{own}.{alias.name}".lstrip(".") for alias in node.names}
    return {f"{NAME}.{name}" if name in FILES else base for name in names}


def own_imports_of(module):
    """Return the modules of the package that a file imports, without the package's name."""
    return {name[len(NAME) + 1 :] for name in imports_of(module) if name.split(".")[0] == NAME}


@pytest.mark.parametrize("module", FILES)
def test_module_is_in_the_table(module):
    """Each module has a place in the table; a new one is put in it on purpose."""
    assert row_of(module) or not module


@pytest.mark.parametrize("module", FILES)
def test_imports_point_down(module):
    """No module imports from a level above its own."""
    level = LEVELS[row_of(module)]
    for name in own_imports_of(module):
        other = row_of(name)
        assert LEVELS[other] <= level, f"{module} (level {level}) imports {name} (level {LEVELS[other]})"
        assert LEVELS[other] < TOP or other == row_of(module) or LEVELS[other] < level, f"{module}: {name}"


@pytest.mark.parametrize("module", [module for module in FILES if row_of(module) in ALONE])
def test_modules_that_stand_alone(module):
    """The worker, the dummies and the plain values import nothing else of the package."""
    assert {row_of(module)} >= {row_of(name) for name in own_imports_of(module)}


@pytest.mark.parametrize("module", [module for module in FILES if row_of(module) in PURE or module.endswith("dialect")])
def test_pure_modules(module):
    """What decides and parses touches neither system nor clock; of `os`, it may join paths and know its user."""
    assert not {name.split(".")[0] for name in imports_of(module)} & IMPURE
    of_os = {
        node.attr
        for node in ast.walk(ast.parse(FILES[module].read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    assert of_os <= {"path", "getuid"}


def test_imports_by_name_are_known():
    """Nobody goes around the table by `importlib` or `__import__`, but who is listed with what it imports so.

    What is above all levels may import everything, and so by name as well.
    """
    for module in [module for module in FILES if LEVELS[row_of(module)] <= TOP]:
        tree = ast.parse(FILES[module].read_text())
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        if names & {"import_module", "__import__"}:
            assert module in BY_NAME, module
            texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            modules = {text for text in texts if isinstance(text, str) and text.partition(".")[0] == NAME}
            assert {f"{NAME}.{name}" for name in BY_NAME[module]} == {text for text in modules if " " not in text}


def test_worker_needs_the_standard_library_only():
    """The program on the node runs where nothing is installed; cloudpickle comes with the work_dir."""
    roots = {name.split(".")[0] for name in imports_of("worker")}
    assert roots <= set(sys.stdlib_module_names) | {"cloudpickle"}


def test_worker_imports_little_at_its_start():
    """What the worker imports at its start is of the standard library, and cloudpickle is not among it."""
    body = ast.parse(FILES["worker"].read_text()).body
    names = {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in body if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)


def test_no_circles():
    """The modules of one level do not import each other in circles."""
    seen, path = set(), []

    def visit(module):
        assert module not in path, f"a circle: {' → '.join([*path, module])}"
        if module in seen:
            return
        path.append(module)
        for name in sorted(own_imports_of(module) - {module, ""}):
            if name in FILES and not module.startswith(name + "."):
                visit(name)
        path.pop()
        seen.add(module)

    for module in FILES:
        visit(module)


def test_table_finds_what_it_forbids(tmp_path, monkeypatch):
    """The test can fail: a worker that imports the engine is found."""
    wrong = tmp_path / "worker.py"
    wrong.write_text("import os\n\ndef run():\n    from .engine import Engine\n    from . import slurm\n")
    monkeypatch.setitem(FILES, "worker", wrong)
    monkeypatch.setitem(FILES, "engine", wrong)
    monkeypatch.setitem(FILES, "slurm", wrong)
    assert {"engine", "slurm"} == own_imports_of("worker")
    with pytest.raises(AssertionError, match="imports"):
        test_imports_point_down("worker")
