"""The snapshot of a turn, or of one instrument: what the books say, with what the streams tell now.

What comes from the books is put together once for each time that they are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from zoe_tools.core.glance import at_stake, concerning
from zoe_tools.domain.account import KeyInfo
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.snapshot import Missing, Reading, Snapshot
from zoe_tools.engine.books import Books
from zoe_tools.engine.following import Following
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.safe_mode import SafeMode
from zoe_tools.engine.view import LiveView

Key = Reading[KeyInfo] | Missing

_NOT_FOLLOWED = (
    "it is held or at work, and not followed: its stop is looked after, its target is not"
    " (EDGE_FACTORY_SYMBOLS)"
)


class Picture:
    """Takes snapshots; the loop's own thread only."""

    def __init__(
        self,
        parts: LoopParts,
        view: LiveView,
        books: Books,
        following: Following,
        safe_mode: SafeMode,
    ) -> None:
        self._parts = parts
        self._view = view
        self._books = books
        self._following = following
        self._safe_mode = safe_mode
        self._followed = tuple(each.symbol for each in parts.catalogue)
        self._others: tuple[Symbol, ...] = ()
        self._told: frozenset[Symbol] = frozenset()
        self._started_at = parts.clock.now()
        self._made_of: tuple[int, InstrumentCatalogue, Key] | None = None
        self._whole: Snapshot | None = None
        self._parts_of: dict[Symbol, Snapshot] = {}

    def of_all(self, now: datetime, key: Key) -> Snapshot:
        """What a turn looks at."""
        known = self._known(key)
        return self._as_of(now, known, (*self._followed, *self._others))

    def of_one(self, now: datetime, key: Key, symbol: Symbol) -> Snapshot:
        """What of it concerns one instrument."""
        whole = self._known(key)
        if symbol not in self._parts_of:
            self._parts_of[symbol] = concerning(whole, symbol)
        return self._as_of(now, self._parts_of[symbol], (symbol,))

    def _as_of(self, now: datetime, known: Snapshot, symbols: Iterable[Symbol]) -> Snapshot:
        stale_s = self._parts.policy.quote_stale_s
        quotes = tuple(
            quote
            for symbol in symbols
            if (quote := self._view.fresh_quote(symbol, now, stale_s)) is not None
        )
        balances: Reading[tuple[Balance, ...]] | Missing = Missing("no balances streamed yet")
        if self._following.wallets.is_known:
            balances = Reading(self._following.wallets.trading(), now, "balances stream")
        return replace(
            known,
            taken_at=now,
            may_lack=self._following.records.is_behind,
            venue_mode=Reading(self._view.mode, now, "status stream"),
            balances=balances,
            quotes=Reading(quotes, now, "ticker stream"),
            held_back=self._safe_mode.held_back(now, symbols),
        )

    def _known(self, key: Key) -> Snapshot:
        catalogue, version = self._following.statuses.catalogue, self._books.version
        made_of = self._made_of
        if (
            self._whole is None
            or made_of is None
            or made_of[0] != version
            or made_of[1] is not catalogue
            or made_of[2] is not key
        ):
            self._whole = self._from_books(catalogue, key)
            self._made_of = (version, catalogue, key)
            self._parts_of.clear()
        return self._whole

    def _from_books(self, catalogue: InstrumentCatalogue, key: Key) -> Snapshot:
        books = self._books
        others = self._not_followed()
        return Snapshot(
            taken_at=self._started_at,
            account=self._parts.account,
            policy=books.policy,
            trading_state=books.trading_state,
            reconciliation=books.reconciliation,
            catalogue=Reading(catalogue.joined_by(others), self._started_at, "AssetPairs"),
            positions=books.positions,
            unbooked=books.unbooked,
            stops_lowered=books.stops_lowered,
            refusals=books.refusals,
            groups=books.groups,
            given_up=books.given_up,
            targets=books.targets,
            orders=books.orders,
            recent_orders=books.recent_orders,
            key=key,
            unresolved_intents=books.unresolved,
            daily_notional=books.daily_notional,
        )

    def _not_followed(self) -> tuple[Instrument, ...]:
        """What the books hold, or have at work, and nobody follows; it is told once."""
        books = self._books
        found = at_stake(books.positions, books.orders, books.groups)
        others = found.difference(self._followed)
        for symbol in others - self._told:
            self._parts.narrator.show_note(self._parts.clock.now(), f"{symbol}: {_NOT_FOLLOWED}")
        self._told |= others
        listed = [self._parts.listed.find(symbol) for symbol in sorted(others)]
        known = tuple(each for each in listed if each is not None)
        self._others = tuple(each.symbol for each in known)
        return known
