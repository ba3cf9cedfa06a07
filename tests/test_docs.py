"""The documentation says what is so: its code runs, its links lead somewhere."""

import re

import pytest
from tools.site_hooks import COMES_LATER

from tests.docs.blocks import LANGUAGES, MARKERS, PAGES, ROOT, anchors_of, blocks_of, links_of, run_page
from tests.ticking import ticking_dummies

BLOCKS = [block for page in PAGES for block in blocks_of(page)]

by_name = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.is_run for block in blocks_of(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_code_runs(page, tmp_path):
    """The blocks of a page run as they stand, in their order."""
    folder = tmp_path / "here"
    folder.mkdir()
    with ticking_dummies(tmp_path / "dummies") as environment:
        assert run_page(page, folder, environment)


@by_name
def test_blocks_are_understood(page):
    """Each block says its language, and what is said before it is understood."""
    for block in blocks_of(page):
        assert block.language in LANGUAGES, f"{block.where}: {block.language!r}"
        assert set(block.markers) <= MARKERS, f"{block.where}: {block.markers}"
        assert block.markers.get("not run", "a reason"), f"{block.where}: why not?"


def test_all_blocks_are_run():
    """None is left out but those that run the tests; most are run as a part of their page, some in the README."""
    assert {"they run the tests"} == {block.markers["not run"] for block in BLOCKS if "not run" in block.markers}
    n_run = sum(block.is_run for block in BLOCKS)
    assert n_run > 5 * sum(bool(block.markers.get("run by")) for block in BLOCKS)
    assert any(block.is_run for block in blocks_of(ROOT / "README.md"))


@pytest.mark.parametrize("named", sorted({block.run_by for block in BLOCKS if block.run_by}))
def test_blocks_are_run_where_it_is_said(named):
    """The test that runs what needs more than a folder is there."""
    file, _, test = named.partition("::")
    assert re.search(rf"^def {test}\(", (ROOT / file).read_text(), re.MULTILINE), named


def test_extras_are_there():
    """What a page installs with the package can be installed; pip itself would only warn."""
    text = (ROOT / "pyproject.toml").read_text()
    named = {name for page in PAGES for name in re.findall(r"pypoolparty\[(\w+)\]", page.read_text())}
    assert {"examples", "report"} <= named
    assert [] == [name for name in named if not re.search(rf"^{name} = \[", text, re.MULTILINE)]


@by_name
def test_links_lead_somewhere(page):
    """Each link within the project leads to a file, and to a heading in it."""
    for link in links_of(page):
        target, _, anchor = link.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (page.parent / target).resolve() if target else page
        if file.parent == ROOT / "docs" and file.name in COMES_LATER and not file.exists():
            continue
        assert file.exists(), f"{page.name} links to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors_of(file), f"{page.name} links to {target}#{anchor}"


def test_commands_of_the_readme_exist():
    """Each `make` that a page names is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    found = re.findall(r"`make ([a-z-]+)", "".join(page.read_text() for page in PAGES))
    for block in BLOCKS:
        found += re.findall(r"^make ([a-z-]+)", block.code, re.MULTILINE)
    assert found
    assert set(found) <= targets


def run(text, tmp_path):
    """Run a page that consists of this text."""
    with ticking_dummies(tmp_path / "dummies") as environment:
        return run_page(tmp_path / "page.md", tmp_path, environment, text)


def test_block_that_fails_is_found(tmp_path):
    """The test of the blocks can fail: by an exit code, by the lack of one, by what is printed."""
    for text in (
        "```python\nassert False\n```\n",
        "```sh\nfalse\ntrue\n```\n",
        "<!-- fails -->\n```sh\ntrue\n```\n",
        "```sh\necho one\n```\n\n<!-- prints -->\n```text\ntwo\n```\n",
    ):
        with pytest.raises(AssertionError, match=r"page\.md"):
            run(text, tmp_path)
        (tmp_path / "dummies" / "queue_state.json").unlink()


def test_blocks_of_a_page_work_together(tmp_path):
    """A file of one block is there for the next, a continued one knows names, and what is printed is compared."""
    text = """
<!-- file: one.py -->
```python
number = 1
```

```python
import one
```

<!-- continued -->
```python
print(one.number)
```

<!-- prints -->
```text
1
```

<!-- not run: because -->
```sh
false
```
"""
    assert 2 == run(text, tmp_path)
