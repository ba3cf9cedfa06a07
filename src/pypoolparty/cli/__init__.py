"""The command line: looking at maps, going on with them, and making them, from a shell.

Each command is a function that returns an `Answer`; `_face` prints it, for people or as JSON, and turns errors
into exit codes. What a command needs is imported when it is run: the shell's completion asks for names at each key.
"""

from ._face import main

__all__ = ["main"]
