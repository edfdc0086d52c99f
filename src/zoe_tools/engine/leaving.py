"""Which positions are on their way out, and which of them in panic.

Who once leaves goes on leaving until nothing tradable is held; after a restart the intent groups in
the books say who was.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from zoe_tools.core.run import wants_exit
from zoe_tools.core.stop_moves import is_overdue
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.intent_group import IntentGroup, Style
from zoe_tools.domain.market import Quote
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position
from zoe_tools.domain.take_profit import TakeProfitLevel
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)


class Leaving:
    """Remembers from turn to turn."""

    def __init__(self) -> None:
        self._exiting: set[PositionId] = set()
        self._urgent: set[PositionId] = set()

    @property
    def exiting(self) -> frozenset[PositionId]:
        """On their way out."""
        return frozenset(self._exiting)

    @property
    def urgent(self) -> frozenset[PositionId]:
        """Those of them that are sold in panic."""
        return frozenset(self._urgent)

    def note_decisions(self, held: Iterable[Position], decisions: Sequence[Decision]) -> None:
        """What the strategy wants to leave."""
        wanted = {each.symbol: each.urgency for each in decisions if each.action == "exit"}
        for position in held:
            if position.symbol in wanted:
                self._exiting.add(position.position_id)
            if wanted.get(position.symbol) == "panic":
                self._urgent.add(position.position_id)

    def note_targets(
        self,
        held: Iterable[Position],
        quotes: Mapping[Symbol, Quote],
        instruments: Mapping[Symbol, Instrument],
        policy: Policy,
        targets: Sequence[TakeProfitLevel],
    ) -> None:
        """Who reached a target that takes all of it; `quotes` are fresh."""
        for position in held:
            quote, instrument = quotes.get(position.symbol), instruments[position.symbol]
            if quote is not None and wants_exit(position, quote, instrument, policy, targets):
                self._exiting.add(position.position_id)

    def note_ages(self, held: Iterable[Position], policy: Policy, now: datetime) -> None:
        """Who was held for longer than the policy allows; each is told once."""
        for position in held:
            name = position.position_id
            if name not in self._exiting and is_overdue(position, policy, now):
                self._exiting.add(name)
                event(
                    _LOG,
                    "TIME_STOP",
                    "info",
                    symbol=position.symbol,
                    position_id=name,
                    age_s=round((now - position.opened_at).total_seconds()),
                    limit_s=round(policy.max_position_age_s),
                )

    def note_books(
        self,
        held: Iterable[Position],
        groups: Iterable[IntentGroup],
        *,
        is_stopping: bool,
        may_lack: bool = False,
    ) -> None:
        """Who has an exit that was begun, and who holds nothing tradable any more.

        Of books that may lack executions (`may_lack`) nothing is said to be over.
        What is on its way out when the loop is to end goes out in a hurry.
        """
        names = {each.position_id for each in held}
        for group in groups:
            if group.purpose != "entry" and group.position_id is not None:
                self._exiting.add(group.position_id)
                if group.style is Style.PANIC:
                    self._urgent.add(group.position_id)
        if not may_lack:
            self._exiting &= names
        if is_stopping:
            self._urgent |= self._exiting
        self._urgent &= self._exiting
