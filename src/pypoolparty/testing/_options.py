"""Read a command line as the workload managers do: strictly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Answer:
    """What a command says, and with which code it ends.

    Attributes
    ----------
    then : callable or None
        What is to be done first, but after the state is written and unlocked. May raise `Refused`.
    """

    out: str = ""
    err: str = ""
    code: int = 0
    then: Callable[[], None] | None = None


class Refused(Exception):
    """The command ends at once with this answer."""

    def __init__(self, err: str, code: int = 1, out: str = "") -> None:
        super().__init__(err)
        self.answer = Answer(out, err, code)


class Takes(Enum):
    """What follows an option."""

    NOTHING = 0
    VALUE = 1
    MAYBE = 2  # only if glued to it: --nice=5


Given = tuple[str, str]


class Getopt:
    """The way of GNU's getopt, which Slurm's commands go.

    Parameters
    ----------
    program : str
    long : mapping
        What each long option takes.
    short : mapping
        The long option that each letter stands for.
    code : int
        With which the program ends when it does not understand.
    permute : bool
        Whether options may follow the first word that is none.
    """

    def __init__(
        self, program: str, long: Mapping[str, Takes], short: Mapping[str, str], code: int, permute: bool
    ) -> None:
        self.program, self.long, self.short, self.code, self.permute = program, long, short, code, permute

    def parse(self, words: Sequence[str]) -> tuple[list[Given], list[str]]:
        """Return the options with their values, and the words that are no options."""
        given: list[Given] = []
        rest: list[str] = []
        left = list(words)
        while left:
            word = left.pop(0)
            if word == "--":
                return given, rest + left
            if word.startswith("--"):
                given.append(self._long_option(word[2:], left))
            elif word.startswith("-") and word != "-":
                given += self._letters(word[1:], left)
            elif self.permute:
                rest.append(word)
            else:
                return given, [word, *left]
        return given, rest

    def _long_option(self, text: str, left: list[str]) -> Given:
        start, glued, value = text.partition("=")
        name = self._full_name(start, text)
        takes = self.long[name]
        if glued and takes is Takes.NOTHING:
            raise self._error(f"option '--{name}' doesn't allow an argument")
        if glued or takes is not Takes.VALUE:
            return name, value
        if not left:
            raise self._error(f"option '--{name}' requires an argument")
        return name, left.pop(0)

    def _full_name(self, start: str, text: str) -> str:
        if start in self.long:
            return start
        names = sorted(name for name in self.long if name.startswith(start))
        if not names:
            raise self._error(f"unrecognized option '--{text}'")
        if len(names) > 1:
            possible = "".join(f" '--{name}'" for name in names)
            raise self._error(f"option '--{text}' is ambiguous; possibilities:{possible}")
        return names[0]

    def _letters(self, letters: str, left: list[str]) -> list[Given]:
        given = []
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter not in self.short:
                raise self._error(f"invalid option -- '{letter}'")
            name = self.short[letter]
            takes = self.long[name]
            if takes is Takes.NOTHING:
                given.append((name, ""))
                continue
            if not letters and takes is Takes.VALUE:
                if not left:
                    raise self._error(f"option requires an argument -- '{letter}'")
                letters = left.pop(0)
            given.append((name, letters))
            break
        return given

    def _error(self, text: str) -> Refused:
        return Refused(f'{self.program}: {text}\nTry "{self.program} --help" for more information\n', self.code)


def single_dash(words: Sequence[str], takes: Mapping[str, int]) -> tuple[list[tuple[str, list[str]]], list[str], str]:
    """Read options as Grid Engine's commands do: ``-name`` with a fixed number of words after it.

    Returns
    -------
    tuple
        The options with their values, the words from the first on that is no option, and the option that
        is unknown (``?-name``) or lacks a word (``-name``); empty if all is well.
    """
    given: list[tuple[str, list[str]]] = []
    left = list(words)
    while left and left[0].startswith("-") and left[0] != "-":
        name = left.pop(0)[1:]
        if name not in takes:
            return given, left, "?-" + name
        if len(left) < takes[name]:
            return given, left, "-" + name
        given.append((name, [left.pop(0) for _ in range(takes[name])]))
    return given, left, ""
