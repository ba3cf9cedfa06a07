"""The site: built without a warning, read without a network, and no link in it leads nowhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from tools.site_hooks import COMES_LATER

from tests.docs.blocks import PAGES, ROOT
from tests.needed import needed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NEEDED = ("mkdocs", "material", "mkdocstrings")
# What a browser asks for by itself, and so what may not be elsewhere.
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
FETCHED_BY_LINK = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "manifest"}


class Seen(HTMLParser):
    """What a page links to, fetches, and can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in FETCHED and FETCHED[tag] in given:
            self.fetched.append(given[FETCHED[tag]])
        if tag == "link" and FETCHED_BY_LINK & set(given.get("rel", "").split()):
            self.fetched.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site, where nothing of the network can be reached."""
    needed(*NEEDED, extra="docs")
    folder = tmp_path_factory.mktemp("site")
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, **nowhere}, capture_output=True, text=True, timeout=500)
    assert 0 == done.returncode, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def seen(site: Path) -> dict[Path, Seen]:
    """Read all pages of the site."""
    return {path.resolve(): Seen(path) for path in site.rglob("*.html")}


def test_all_pages_are_there(site: Path) -> None:
    """Each page of docs/, and the ones from outside of it, is a page of the site and in its navigation."""
    index = (site / "index.html").read_text()
    for page in [*PAGES, ROOT / "changelog.md", ROOT / "contributing.md"]:
        if page.parent == ROOT and page.name[0].isupper():
            continue
        name = page.name if page.parent == ROOT else str(page.relative_to(ROOT / "docs"))
        html = re.sub(r"README\.md$", "index.html", name).replace(".md", ".html")
        assert (site / html).exists(), name
        is_single = "decisions/" in name and not name.endswith("README.md")
        assert is_single or f'href="{html}"' in index or name == "index.md" or name in COMES_LATER, name


def test_links_lead_somewhere(seen: dict[Path, Seen]) -> None:
    """Each link leads to a page of the site, and to a place that is in it."""
    n_links = 0
    for path, page in seen.items():
        for link in page.links:
            if re.match(r"[a-z]+:", link) or path.name == "404.html":
                continue
            target, _, anchor = link.partition("#")
            file = (path.parent / unquote(target.partition("?")[0])).resolve() if target else path
            file = file / "index.html" if file.is_dir() else file
            assert file.exists(), f"{path.name} links to {link}"
            if anchor and file in seen:
                assert unquote(anchor) in seen[file].ids, f"{path.name} links to {link}"
            n_links += 1
    assert n_links > 500


def test_reading_needs_no_network(site: Path, seen: dict[Path, Seen]) -> None:
    """No page fetches anything from elsewhere, and no style sheet does."""
    fetched = [(path.name, one) for path, page in seen.items() for one in page.fetched]
    assert fetched
    assert [] == [pair for pair in fetched if re.match(r"(https?:)?//", pair[1])]
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", sheet.read_text()), sheet


def test_reference_tells_what_docstrings_tell(site: Path) -> None:
    """Arguments, what is returned, what is raised and the source come out of the docstrings."""
    text = re.sub(r"<[^>]+>", "", (site / "reference" / "resume.html").read_text())
    for words in (
        "redo_raised",
        "Finished tasks are not computed again",
        "StillInUse",
        "Source code in",
        "max_rss_kib",
    ):
        assert words in text


def test_nothing_of_the_site_is_in_the_repository() -> None:
    """Who builds by hand makes it in a folder that git does not see."""
    assert "site/" in (ROOT / ".gitignore").read_text().splitlines()
