"""What a turn would do now, about everything or about one instrument, and what may be done at all.

The decision itself is core's; here stands what it has to know of the loop: what is being left, what
grows, whether new risk is kept back, and how much of the books is certain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from zoe_tools.core.risk import without_risk
from zoe_tools.core.run import plan_run
from zoe_tools.core.stop_moves import without_moves
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.core.untold import Known, known_of, narrowed
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.plan import Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.engine.books import Books
from zoe_tools.engine.leaving import Leaving
from zoe_tools.engine.outage import Outage
from zoe_tools.engine.picture import Key, Picture
from zoe_tools.engine.protection import ProtectionWatch
from zoe_tools.engine.records import Records
from zoe_tools.engine.standing import Standing
from zoe_tools.engine.unsold import UnsoldWatch
from zoe_tools.engine.view import LiveView
from zoe_tools.engine.work import Phase, WorkLog
from zoe_tools.gate.gate import Gate


@dataclass(slots=True, kw_only=True)
class Planner:
    """Makes the plans of one loop; `is_stopping` once that is to end."""

    gate: Gate
    view: LiveView
    books: Books
    records: Records
    picture: Picture
    standing: Standing
    outage: Outage
    leaving: Leaving
    watch: ProtectionWatch
    unsold: UnsoldWatch
    work: WorkLog
    is_stopping: bool = False

    def of_all(
        self, now: datetime, key: Key, decisions: tuple[Decision, ...]
    ) -> tuple[Snapshot, Plan]:
        """What a turn sees, and what it would do."""
        return self._planned(self.picture.of_all(now, key), decisions)

    def of_one(self, now: datetime, key: Key, symbol: Symbol) -> tuple[Snapshot, Plan]:
        """What there is to see of one instrument, and what would be done about it; no entry."""
        return self._planned(self.picture.of_one(now, key, symbol), ())

    @property
    def may_act(self) -> bool:
        """With a wire down or not up yet, too, if the records told what it would have.

        Stops cannot wait for it. REST is there, and what is held is ours; nothing new is risked.
        """
        return self.view.is_live or not self.records.is_behind

    @property
    def is_ready(self) -> bool:
        """Whether the start is over, and went well; until then no order that buys is sent.

        Entries that work already are left alone: they were made by a loop that was ready.
        """
        return self.work.phase is Phase.READY

    @property
    def only_reduces(self) -> bool:
        """Whether nothing new is risked."""
        is_sound = self.books.is_sound and not self.gate.is_store_away
        return self.standing.only_protects or not (is_sound and self.view.is_live)

    @property
    def known(self) -> Known | None:
        """What may be done though the records have not told yet; None: they have."""
        if self.may_act:
            return None
        if self.gate.is_store_away:
            return known_of((), (), (), ())  # the copy of the books may lack an order
        books = self.books
        orders = (*books.orders, *books.recent_orders)
        return known_of(books.positions, orders, books.unresolved, books.fills)

    def _planned(self, seen: Snapshot, decisions: tuple[Decision, ...]) -> tuple[Snapshot, Plan]:
        judged = seen
        if not self.gate.has_room_to_spare:
            # The journal's last room is for stops and sales: a long outage would use it up.
            judged = replace(seen, policy=without_moves(seen.policy))
        plan = plan_run(
            judged,
            decisions,
            self.leaving.exiting,
            is_stopping=self.is_stopping or self.only_reduces,
            urgent=self.leaving.urgent,
            unsold=self.unsold.found,
            growing={} if self.is_stopping else self.watch.growing,
        )
        known = self.known
        plan = self.outage.narrowed(plan if known is None else narrowed(plan, known))
        return seen, plan if self.is_ready else without_risk(plan)
