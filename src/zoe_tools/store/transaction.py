"""One unit of work on one account's books: all that it can read and write.

Domain values go in and come out; rows stay in this folder. Nothing here reads a clock: times are
handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Connection

from zoe_tools.domain.account import Account
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, IntentId, PositionId, Symbol, VenueOrderId
from zoe_tools.domain.journal import Intent, IntentState, OrderEvent, OrderRecord, ProofKind
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.observation import BalanceSnapshot
from zoe_tools.domain.order import OrderPurpose
from zoe_tools.domain.story import Case, Subject
from zoe_tools.store import (
    accounts,
    audit,
    audit_notes,
    balances,
    candles,
    fills,
    fingerprint,
    journal,
    lookup,
    orders,
    settings,
)
from zoe_tools.store.leasing import Leasing
from zoe_tools.store.ledger import LedgerBook
from zoe_tools.store.prune import Retention
from zoe_tools.store.registry import Registry
from zoe_tools.store.results import Results
from zoe_tools.store.spelled import spell_all
from zoe_tools.store.stopping import Stopping
from zoe_tools.store.transactions import has_changed


class Transaction(Registry, Results, Leasing, Stopping):
    """One unit of work on one account's books. Made by `Store.transaction`, used inside it only.

    Made by `Store.reading` or `Store.recalling` it reads alone: the database refuses what writes.
    """

    def __init__(
        self,
        connection: Connection,
        account: Account,
        log: audit.Log,
        *,
        shares_clock: bool = False,
        is_look: bool = False,
    ) -> None:
        super().__init__(connection, account)
        self.is_look = is_look
        """Whether nothing can be written."""
        self._audit = log
        self._shares_clock = shares_clock

    # --- the store, the accounts, the switches ---------------------------------------------------

    def store_epoch(self) -> str:
        """A random name of this very store: new at every create and restore."""
        return accounts.store_epoch(self._connection)

    def renew_epoch(self, at: datetime) -> str:
        """Give this store a new name: what was sent under the old one is not told as its own."""
        return accounts.renew_epoch(self._connection, at)

    def accounts(self) -> tuple[Account, ...]:
        """Every account registered in this store."""
        return accounts.registered(self._connection)

    def config_value(self, key: str) -> str | None:
        """One global row of `config`; None if there is no such row."""
        return settings.config_value(self._connection, key)

    def set_config(self, key: str, value: str, at: datetime, **who: str) -> None:
        """Write one global row of `config`; `who` names the operator and the host."""
        before = settings.config_value(self._connection, key)
        settings.set_config(self._connection, key, value, at)
        audit_notes.config(self._audit, key, (before, value), at, who)

    def limits(self) -> dict[str, str]:
        """The account's limits that were tightened in the store, setting -> text."""
        return settings.limits(self._connection, self.account_id)

    # --- the journal -----------------------------------------------------------------------------

    def record_intent(self, intent: Intent) -> None:
        """Write a new intent. A second one with the same id is a bug and raises."""
        journal.record_intent(self._connection, self.account_id, intent)
        audit_notes.intent(self._audit, intent)

    def advance_intent(
        self,
        intent_id: IntentId,
        state: IntentState,
        *,
        at: datetime,
        evidence: str,
        proof: ProofKind = ProofKind.NONE,
        venue_order_id: VenueOrderId | None = None,
        client_order_id: ClientOrderId | None = None,
    ) -> None:
        """Move an intent to its next state; ids that are None stay as they are.

        Raises:
            IllegalTransition: a bug; there is no such step, no such intent, or this `proof` cannot
                be one of that state.
        """
        journal.advance_intent(
            self._connection,
            self.account_id,
            intent_id,
            state,
            at=at,
            evidence=evidence,
            proof=proof,
            venue_order_id=venue_order_id,
            client_order_id=client_order_id,
        )
        ids = (intent_id, venue_order_id, client_order_id)
        audit_notes.intent_state(self._audit, ids, state, at, (evidence, proof))

    def extend_intent(self, intent_id: IntentId, deadline: datetime) -> None:
        """Give an intent that is sent again its new deadline; one that is later stays."""
        journal.extend_intent(self._connection, self.account_id, intent_id, deadline)
        audit_notes.intent_deadline(self._audit, intent_id, deadline)

    def intent(self, intent_id: IntentId) -> Intent | None:
        """One intent."""
        return journal.intent(self._connection, self.account_id, intent_id)

    def unresolved_intents(self) -> tuple[Intent, ...]:
        """Intents whose outcome is open, oldest first."""
        return journal.unresolved_intents(self._connection, self.account_id)

    def intents(self, since: datetime | None = None) -> tuple[Intent, ...]:
        """All intents created at `since` or later, oldest first."""
        return journal.intents(self._connection, self.account_id, since)

    def refusals(self, since: datetime) -> tuple[Intent, ...]:
        """What the venue said a definite no to, to place or to amend, since then."""
        return journal.refusals(self._connection, self.account_id, since)

    # --- orders ----------------------------------------------------------------------------------

    def record_order(self, order: OrderRecord) -> None:
        """Insert the order, or bring its row to this projection (`created_at` stays)."""
        orders.record_order(self._connection, self.account_id, order)

    def append_order_event(self, event: OrderEvent) -> bool:
        """Append to the log; False if an event with this key is there already."""
        is_new = orders.append_event(self._connection, self.account_id, event)
        if is_new:
            audit_notes.order_event(self._audit, event)
        return is_new

    def order_events(self, client_order_id: ClientOrderId) -> tuple[OrderEvent, ...]:
        """One order's log, in the order it was written."""
        return orders.events(self._connection, self.account_id, client_order_id)

    def orders(
        self, *, open_only: bool = False, since: datetime | None = None
    ) -> tuple[OrderRecord, ...]:
        """Orders made at `since` or later, oldest first; `open_only`: that may still change."""
        return orders.orders(self._connection, self.account_id, open_only=open_only, since=since)

    def orders_of_position(self, position_id: PositionId) -> tuple[OrderRecord, ...]:
        """All orders of a position, over or not; oldest first."""
        return orders.orders_of_position(self._connection, self.account_id, position_id)

    def order(self, client_order_id: ClientOrderId) -> OrderRecord | None:
        """The order with our id."""
        return orders.order(self._connection, self.account_id, client_order_id)

    def order_by_venue_id(self, venue_order_id: VenueOrderId) -> OrderRecord | None:
        """The order with the venue's id."""
        return orders.order_by_venue_id(self._connection, self.account_id, venue_order_id)

    def daily_notional(self, day: date) -> Decimal:
        """Money the UTC day's entry orders put at stake, in quote; see `orders.daily_notional`."""
        return orders.daily_notional(self._connection, self.account_id, day)

    # --- fills, ledger, balances ------------------------------------------------------

    def record_fill(
        self,
        fill: Fill,
        *,
        client_order_id: ClientOrderId | None = None,
        position_id: PositionId | None = None,
        purpose: OrderPurpose | None = None,
    ) -> bool:
        """Book a fill; False if it is booked already. `client_order_id` defaults to the fill's."""
        is_new = fills.record_fill(
            self._connection,
            self.account_id,
            fill,
            client_order_id=client_order_id,
            position_id=position_id,
            purpose=purpose,
        )
        if is_new:
            ours = client_order_id or fill.client_order_id
            audit_notes.booked_fill(self._audit, fill, (ours, position_id), purpose)
        return is_new

    def fills(
        self, since: datetime | None = None, *, venue_order_id: VenueOrderId | None = None
    ) -> tuple[Fill, ...]:
        """Fills at `since` or later (of one order, if named), oldest first."""
        return fills.fills(
            self._connection, self.account_id, since=since, venue_order_id=venue_order_id
        )

    def fills_of_position(self, position_id: PositionId) -> tuple[Fill, ...]:
        """The fills booked for a position, or for one of its orders; oldest first."""
        return fills.fills_of_position(self._connection, self.account_id, position_id)

    @property
    def ledger_book(self) -> LedgerBook:
        """The venue's ledger and the journal: what writes them, and reads them in pages."""
        return LedgerBook(self._connection, self.account_id, self._audit)

    def ledger(self, since: datetime | None = None) -> tuple[LedgerEntry, ...]:
        """Ledger rows at `since` or later, oldest first."""
        return fills.ledger(self._connection, self.account_id, since)

    def record_balances(
        self,
        held: Sequence[Balance],
        *,
        at: datetime,
        source: str,
        quote: str = "USD",
        marks: Mapping[str, Decimal] | None = None,
    ) -> None:
        """Keep what the venue holds: a cash row for `quote`, a holdings row for each other asset.

        `marks` are prices in `quote` by asset; an asset without one has no value, rather than zero.
        """
        balances.record_balances(
            self._connection,
            self.account_id,
            held,
            at=at,
            source=source,
            quote=quote,
            marks=marks or {},
        )

    def latest_balances(self) -> BalanceSnapshot | None:
        """The balances last recorded; None if there are none."""
        return balances.latest_balances(self._connection, self.account_id)

    # --- candles ---------------------------------------------------------------------------------

    def write_candles(self, fresh: Sequence[Candle], source: str) -> int:
        """Store candles; returns how many rows changed. A re-run changes nothing.

        A finished candle is never replaced by a running one.
        """
        return candles.write_candles(self._connection, self.account_id, fresh, source)

    def candles(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[Candle, ...]:
        """Candles opened in [since, until), oldest first."""
        return candles.candles(
            self._connection, self.account_id, symbol, timeframe, since=since, until=until
        )

    # --- the audit log ---------------------------------------------------------------------------

    @property
    def audit(self) -> audit.Log:
        """The account's log of everything that changes here; see `store/audit.py`."""
        return self._audit

    @property
    def retention(self) -> Retention:
        """What is old and needed by nobody, and its removal."""
        return Retention(self._connection, self.account_id, self._audit)

    def find(self, text: str) -> tuple[Subject, ...]:
        """What of this account an id, or the beginning of one, names."""
        return lookup.find(self._connection, self.account_id, text)

    def case_of(self, subject: Subject) -> Case:
        """All that books and log hold on it."""
        return lookup.case_of(self._connection, self._account, subject)

    # --- its beginning and its end ---------------------------------------------------------------

    def make_ready(self) -> None:
        """Do beforehand what the first order would wait for; see `spelled`."""
        if self._connection.dialect.name == "sqlite":
            spell_all()

    @property
    def has_changed(self) -> bool:
        """Whether it has changed anything yet; on a server that is not known, and said to be so."""
        return has_changed(self._connection)

    def conclude(self) -> None:
        """Nothing more is changed here: all that is left is to commit, in whatever thread."""
        self._audit.flush()

    # --- proof -----------------------------------------------------------------------------------

    def business_fingerprint(self) -> str:
        """SHA-256 over all rows of all business tables of all accounts, observations left out."""
        return fingerprint.business_fingerprint(self._connection)
