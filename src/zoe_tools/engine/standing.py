"""Why the loop takes no new risk at the moment, as each of its watches tells it.

Whoever finds a reason says so under a name of its own, and takes back only that. While there is
any, working entries are cancelled; stops, exits and cancels go on.
"""

from __future__ import annotations

from collections.abc import Iterator

from zoe_tools.domain.trading_state import TradingState
from zoe_tools.ports import Clock, Narrator


class Standing:
    """The reasons by the watch that gave them; each change is told, with what is latched."""

    def __init__(self, clock: Clock, narrator: Narrator) -> None:
        self._clock = clock
        self._narrator = narrator
        self._by_watch: dict[str, tuple[str, ...]] = {}
        self._latched: tuple[str, ...] = ()

    def set(self, watch: str, reasons: tuple[str, ...]) -> bool:
        """What this watch has against entries now, nothing if empty; True if that is new."""
        if reasons == self._by_watch.get(watch, ()):
            return False
        self._by_watch[watch] = reasons
        self._tell()
        return True

    def note_latched(self, state: TradingState) -> None:
        """A kill is no watch's reason, and outlasts them all: it is told beside them."""
        latched = tuple(_sentences(state))
        if latched != self._latched:
            self._latched = latched
            self._tell()

    def _tell(self) -> None:
        self._narrator.show_standing(self._clock.now(), (*self._latched, *self.reasons))

    def of(self, watch: str) -> tuple[str, ...]:
        """What this watch has against entries."""
        return self._by_watch.get(watch, ())

    @property
    def reasons(self) -> tuple[str, ...]:
        """All of them, in the order in which the watches first spoke."""
        return tuple(reason for each in self._by_watch.values() for reason in each)

    @property
    def only_protects(self) -> bool:
        """Whether there is any."""
        return any(self._by_watch.values())


def _sentences(state: TradingState) -> Iterator[str]:
    for name, each in (("trading", state), *state.stopped):
        if not each.may_enter:
            yield f"{name} is at {each.level.label}: {each.reason or '-'}"
