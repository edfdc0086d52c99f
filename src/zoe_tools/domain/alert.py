"""What somebody who may be asleep is told: one event, about one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An event of `docs/events.md`; `entity` is what it is about, `at` an ISO time (UTC).

    `fields` hold texts and numbers that JSON knows, redacted and bounded already.
    """

    at: str
    event: str
    severity: str
    entity: str
    fields: Mapping[str, object]

    @property
    def key(self) -> tuple[str, str]:
        """What is told once within a window."""
        return self.event, self.entity

    def told(self) -> dict[str, object]:
        """As JSON tells it."""
        return {
            "at": self.at,
            "event": self.event,
            "severity": self.severity,
            "entity": self.entity,
            "fields": dict(self.fields),
        }


class NotDelivered(Exception):
    """A notifier could not tell an alert; the text says why. It may be tried again."""
