"""Notebooks without a browser: cells in a real kernel of IPython, and what is seen below them."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.needed import needed

CELL_SECONDS = 100


class Notebook:
    """A kernel that lives, and the cells that were run in it.

    Parameters
    ----------
    client : nbclient.NotebookClient
        Its kernel has been started.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, code: str) -> list[Any]:
        """Run a cell; return its outputs, an exception among them."""
        from nbformat.v4 import new_code_cell

        cells = self._client.nb.cells
        cells.append(new_code_cell(code))
        self._client.execute_cell(cells[-1], len(cells) - 1)
        outputs: list[Any] = cells[-1].outputs
        return outputs

    def widget(self, kind: str, of: Any) -> dict[str, Any]:
        """Return how the widget of a kind, within the one that an output shows, is now."""
        [state] = self._within(of, kind)
        return state

    def words(self, of: Any) -> str:
        """Return what the texts within the widget say that an output shows."""
        return " ".join(one["value"] for one in self._within(of, "HTMLModel")).replace("\N{FIGURE SPACE}", " ")

    def layout(self, of: Any) -> dict[str, Any]:
        """Return the layout of the widget that an output shows."""
        return self._state(self._box(of)["layout"])

    def style(self, of: Any) -> dict[str, Any]:
        """Return the style of the bar within the widget that an output shows."""
        return self._state(self.widget("FloatProgressModel", of)["style"])

    def _box(self, of: Any) -> dict[str, Any]:
        return self._state(of["data"]["application/vnd.jupyter.widget-view+json"]["model_id"])

    def _within(self, of: Any, kind: str) -> list[dict[str, Any]]:
        return [one for one in map(self._state, self._box(of)["children"]) if one["_model_name"] == kind]

    def _state(self, name: str) -> dict[str, Any]:
        return dict(self._client.widget_state[name.removeprefix("IPY_MODEL_")])


def written(outputs: list[Any], name: str = "stderr") -> str:
    """Return what a cell wrote to a stream."""
    return "".join(one["text"] for one in outputs if one["output_type"] == "stream" and one["name"] == name)


def raised(outputs: list[Any]) -> str:
    """Return the traceback below a cell, without its colours; empty if there is none."""
    lines = [line for one in outputs if one["output_type"] == "error" for line in one["traceback"]]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines))


@contextlib.contextmanager
def notebook_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """Start a kernel in a folder, and end it."""
    needed("nbclient", "nbformat", "ipykernel", "ipywidgets", extra="integrations")
    import nbclient
    import nbformat

    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(folder / ".jupyter"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(
        nbformat.v4.new_notebook(), kernel_name="python3", timeout=CELL_SECONDS, allow_errors=True, resources=resources
    )
    with client.setup_kernel():
        yield Notebook(client)
