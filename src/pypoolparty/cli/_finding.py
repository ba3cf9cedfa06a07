"""What the doctor finds."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

__all__ = ["Finding", "Weight"]


class Weight(enum.Enum):
    """How much a finding matters."""

    FINE = "fine"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    weight : Weight
    about : str
        What was looked at.
    words : str
        What was found.
    command : str
        What to type, where there is something to mend.
    """

    weight: Weight
    about: str
    words: str
    command: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**vars(self), "weight": self.weight.value}
