"""Fixtures that several unit tests share."""

import os
import subprocess

import pytest


@pytest.fixture
def small_file_system(tmp_path):
    """A folder on a file system of 64 KiB, and a function that makes it larger."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder]).returncode:
        pytest.skip("only root may mount")
    yield folder, lambda: subprocess.run(["mount", "-o", "remount,size=9m", folder], check=True)
    subprocess.run(["umount", "--lazy", folder], check=True)
