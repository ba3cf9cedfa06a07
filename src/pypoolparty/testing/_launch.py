"""The program behind the dummies' executables: ``_launch.py <command> <folder> <the command's words>``.

It is started without the site's packages and without the package that it lies in: that is fast, and proves
that the dummies need nothing of it.
"""

import importlib
import os
import sys


def main() -> int:
    """Run the command and return its exit code."""
    package = type(sys)("pypoolparty_dummies")
    package.__path__ = [os.path.dirname(os.path.abspath(__file__))]
    sys.modules[package.__name__] = package
    command: object = importlib.import_module(f"{package.__name__}._command")
    return int(command.main(*sys.argv[1:3], sys.argv[3:]))  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
