"""What a setting is: its name, how its text is read, and what it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zoe_tools.config import readers


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One setting: its name, how it is read, what it is when nobody says, and what it is for."""

    name: str
    about: str
    default: str = ""
    read: Callable[[str], object] = readers.as_is
    secret: bool = False
    unset: object = ""
    """What it is when nobody says and there is no default."""
    section: str = ""
    """A heading in the template, where a new group begins."""
