"""What mkdocs does with our pages besides making HTML of them.

The pages are read in the repository too, so their links are relative to it. CHANGELOG and CONTRIBUTING become
pages of the site; links to what is not in the site (tests, programs) become plain text.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

# Pages that the navigation names already, and that may not be written yet.
COMES_LATER = ("cli.md", "report.md", "scaling.md")

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCS = os.path.join(ROOT, "docs")
# Pages of the site that are outside of docs/.
FROM_ROOT = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)\s]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Leave out of the navigation what is not there yet."""
    config.nav = _present(config.nav)
    return config


def _present(item: Any) -> Any:
    if isinstance(item, list):
        return [kept for kept in (_present(one) for one in item) if kept]
    if isinstance(item, dict):
        return {title: kept for title, kept in ((title, _present(one)) for title, one in item.items()) if kept}
    is_absent = item in COMES_LATER and not os.path.exists(os.path.join(DOCS, item))
    return None if is_absent else item


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are outside of docs/."""
    from mkdocs.structure.files import File

    for name, source in FROM_ROOT.items():
        files.append(File.generated(config, name, abs_src_path=os.path.join(ROOT, source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let each link lead to a page of the site, or be none."""
    source = page.file.src_uri
    folder = os.path.dirname(os.path.join(ROOT, FROM_ROOT.get(source, os.path.join("docs", source))))
    lines: list[str] = []
    is_code = False
    for line in markdown.splitlines():
        is_code ^= line.startswith("```")
        lines.append(line if is_code else _LINK.sub(lambda found: _linked(found, folder, source), line))
    return "\n".join(lines)


def _linked(found: re.Match[str], folder: str, source: str) -> str:
    """Return a link as the site needs it; its text alone, where it leads out of the site."""
    target, _, anchor = found["target"].partition("#")
    if not target or ":" in target:
        return found[0]
    path = os.path.normpath(os.path.join(folder, target))
    outside = {os.path.join(ROOT, name): page for page, name in FROM_ROOT.items()}
    outside[os.path.join(ROOT, "README.md")] = "index.md"
    name = outside.get(path) or os.path.relpath(path, DOCS)
    if name.startswith("..") or (name in COMES_LATER and not os.path.exists(path)):
        return found["text"]
    link = os.path.relpath(name, os.path.dirname(source) or ".")
    return f"[{found['text']}]({link}{'#' + anchor if anchor else ''})"
