"""What the decisions' surroundings must offer: Protocols, one per outside thing.

`Venue` is met by the Kraken adapter and by the tests' fakes; `Clock` by the live, scaled and
virtual clocks. Nothing here knows how any of it is done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Protocol, TypeVar, runtime_checkable

from zoe_tools.domain.account import KeyInfo
from zoe_tools.domain.alert import Alert
from zoe_tools.domain.audit import SignedHead
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.funding_rate import FundingRate
from zoe_tools.domain.identifiers import ClientOrderId, FillId, LedgerId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import Balance, LedgerEntry, LedgerPage
from zoe_tools.domain.market import Book, PublicTrade, Quote, VenueMode
from zoe_tools.domain.order import OrderAmendment, OrderRequest, VenueOrder
from zoe_tools.domain.plan import Plan, StepOutcome, VenueStep
from zoe_tools.domain.position import Position
from zoe_tools.domain.rate_cost import VenueRead
from zoe_tools.domain.stream import Backlog, ChecksumTally, InstrumentsUpdate, StreamEvent

T = TypeVar("T")
NoteStep = Callable[[bytes, datetime], tuple[bytes, T]]


class Clock(Protocol):
    """The venue's time: aware UTC, and waiting in its seconds."""

    def now(self) -> datetime:
        """The time at the venue."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds of venue time."""
        ...


class FrameDuplex(Protocol):
    """A connected message socket: whole text frames in, whole text frames out.

    `receive` and `send` raise `FrameClosed` once the other side is gone.
    """

    async def send(self, frame: str) -> None:
        """Send one text frame."""
        ...

    async def receive(self) -> str:
        """Wait for the next text frame."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; idempotent."""
        ...


@runtime_checkable
class EagerDuplex(FrameDuplex, Protocol):
    """A duplex that can show a frame the moment it is here, before those that wait to be read."""

    def show_first(self, take: Callable[[bytes], bool]) -> None:
        """Show each whole text frame to `take`; what it takes is not received. It must not raise.

        Whoever `take` has woken runs before the next frame is received.
        """
        ...


class FrameClosed(Exception):
    """The duplex is closed; `code` as in RFC 6455 (1006 when the socket just went away)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closed with {code}: {reason}")
        self.code = code
        self.reason = reason


class Connect(Protocol):
    """Opens a frame duplex to a URL.

    Raises:
        VenueUnavailable: the connection could not be made.
    """

    async def __call__(self, url: str) -> FrameDuplex:
        """Connect."""
        ...


class Urgency(IntEnum):
    """Who goes first where a key is shared; the lower number does."""

    PROTECTION = 0
    LOOP = 1
    COMMAND = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """On what terms a call asks for its turn with a key.

    `may_go_alone`: if the others cannot be reached it is made all the same, by what this process
    knows; true of reads, cancels and protection, never of new risk. `refusals`: how often the venue
    refused the nonces of this very call.
    """

    urgency: Urgency = Urgency.LOOP
    may_go_alone: bool = False
    refusals: int = 0


ORDINARY = Claim()


class Coordination(Protocol):
    """What processes that share one API key must agree on.

    Both raise `VenueUnavailable` where the others cannot be reached and the claim may not go alone:
    nothing was sent.
    """

    def nonce(self, claim: Claim = ORDINARY) -> AbstractAsyncContextManager[int]:
        """A nonce, strictly greater than all before; hold the context until the reply is in.

        A holder whose reply takes longer than a lease is not waited for; protection waits for
        nobody longer than a fraction of that.
        """
        ...

    async def change(self, step: NoteStep[T], claim: Claim = ORDINARY) -> T:
        """Step the key's shared note at once for all; returns what the step says.

        `step` is pure and quick, and may be asked more than once: the note as it was (empty at
        first) and the time that all who share it go by give the note as it shall be. What is in the
        note is the client's.
        """
        ...

    def post(self, step: NoteStep[object]) -> None:
        """As `change`, in its turn, without waiting for it: what is so never holds anything up."""
        ...

    def known(self) -> bytes | None:
        """The note as this process saw it last, without asking; None: it has not seen it yet."""
        ...


class Pricing(Protocol):
    """Knows what the venue's limits make of a plan."""

    def priced(
        self,
        plan: Plan,
        *,
        looks: Sequence[VenueRead],
        proofs: Callable[[VenueStep], Sequence[VenueRead]],
    ) -> Plan:
        """The plan with the rate-limit cost of each step and of all, and how long it will wait.

        `looks` are made before the first step, `proofs` after each; answers are taken to come at
        once and to be good. Where the venue has no limits, or none are known, the plan comes back
        as it is. Told from memory: nobody is asked, nothing is charged, and no step waits for it.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedNote:
    """A note as it was read: `at` in seconds of the clock that all who share it go by."""

    text: bytes
    version: int
    at: float


class SharedNotes(Protocol):
    """Named notes of one key, which processes read and swap. Synchronous, from any thread.

    Raises:
        StoreError: they cannot be read or written now.
    """

    def read(self, name: str) -> SharedNote:
        """The note; one that was never written is empty."""
        ...

    def swap(self, name: str, before: SharedNote, text: bytes) -> bool:
        """Write it, unless somebody else did since it was read; says whether it was written."""
        ...

    def close(self) -> None:
        """Let go of them."""
        ...


class HeadSigner(Protocol):
    """Signs heads of the audit log, and keeps the newest one outside the database."""

    @property
    def key_id(self) -> str:
        """Which key signs."""
        ...

    def sign(self, statement: bytes) -> str:
        """The Ed25519 signature, in hexadecimal."""
        ...

    def keep(self, head: SignedHead) -> None:
        """Called once the head is committed; must not raise for a full disk."""
        ...


class HeadWitness(Protocol):
    """Remembers outside the database how far an account's audit log had come."""

    def saw(self, seq: int, row_hash: str) -> None:
        """Called once the row is committed; must not raise for a full disk."""
        ...

    def close(self) -> None:
        """Write down what was seen last."""
        ...


Still = Callable[[], Awaitable[str]]
"""Why what was asked for is not wanted any more; empty while it is."""


class Venue(Protocol):
    """The venue as commands and loop see it: domain values in, domain values out.

    Reads raise `VenueError` subclasses. Writes raise `VenueRejected` for a definite no,
    `VenueThrottled` when asked to wait (nothing happened), `VenueUnavailable` when provably no byte
    left, and `OutcomeUnknown` for everything else.
    """

    # public
    async def server_time(self) -> datetime:
        """The venue's clock."""
        ...

    async def mode(self) -> VenueMode:
        """The venue's overall state."""
        ...

    async def catalogue(self) -> InstrumentCatalogue:
        """All instruments and assets."""
        ...

    async def instrument_statuses(self) -> InstrumentsUpdate:
        """What one may do with each instrument, read anew; what left the list is delisted."""
        ...

    async def quotes(self, symbols: Sequence[Symbol]) -> tuple[Quote, ...]:
        """Top of book and last trade of each."""
        ...

    async def book(self, symbol: Symbol, depth: int = 10) -> Book:
        """The public book."""
        ...

    async def candles(
        self, symbol: Symbol, timeframe: Timeframe, since: datetime | None = None
    ) -> tuple[Candle, ...]:
        """Up to 720 finished candles and the running one (`is_final` False), oldest first."""
        ...

    async def trades(self, symbol: Symbol, since: str = "0") -> tuple[tuple[PublicTrade, ...], str]:
        """Prints after the `since` id, oldest first, and the id to go on from."""
        ...

    # private reads
    async def key_info(self) -> KeyInfo:
        """The key's name and permissions."""
        ...

    async def balances(self) -> tuple[Balance, ...]:
        """Totals and holds, canonical asset names."""
        ...

    async def open_orders(
        self, client_order_id: ClientOrderId | None = None
    ) -> tuple[VenueOrder, ...]:
        """Open orders, all or the one with this client id."""
        ...

    async def closed_orders(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        client_order_id: ClientOrderId | None = None,
    ) -> tuple[VenueOrder, ...]:
        """Closed orders (all pages), newest first."""
        ...

    async def orders(self, venue_order_ids: Sequence[VenueOrderId]) -> tuple[VenueOrder, ...]:
        """These orders, open or closed; ids the venue does not know are absent."""
        ...

    async def fills(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Fill, ...]:
        """The account's executions (all pages), one row per execution, newest first."""
        ...

    async def ledger(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[LedgerEntry, ...]:
        """The account's ledger (all pages), newest first."""
        ...

    async def newest_ledger(self, *, since: datetime) -> LedgerPage:
        """One page of the account's ledger since then: its newest rows."""
        ...

    async def balances_again(self) -> tuple[Balance, ...]:
        """What is held, by another endpoint than `balances`; holds are not told apart."""
        ...

    async def fills_named(self, fill_ids: Sequence[FillId]) -> tuple[Fill, ...]:
        """These executions; ids the venue does not know are absent."""
        ...

    async def ledger_rows(self, ledger_ids: Sequence[LedgerId]) -> tuple[LedgerEntry, ...]:
        """These rows of the ledger; ids the venue does not know are absent."""
        ...

    # writes
    @property
    def nearest_deadline_s(self) -> float:
        """How near a deadline may be on the way that a write would go now, in seconds."""
        ...

    async def place(
        self,
        request: OrderRequest,
        *,
        client_order_id: ClientOrderId,
        deadline: datetime,
        still: Still | None = None,
    ) -> VenueOrderId:
        """Place one order; returns the venue's id. Acceptance is not a fill.

        `still` is asked where it had to wait; if it may not go any more, it is not sent.
        """
        ...

    async def validate(self, request: OrderRequest) -> str:
        """Ask the venue to check an order without placing it; returns its description of it."""
        ...

    async def amend(self, amendment: OrderAmendment, *, deadline: datetime) -> str:
        """Change a resting order in place; returns the amend id."""
        ...

    async def cancel(self, venue_order_id: VenueOrderId) -> int:
        """Cancel one order; returns how many were cancelled."""
        ...

    async def cancel_batch(self, venue_order_ids: Sequence[VenueOrderId]) -> int:
        """Cancel up to 50 orders at once; returns how many were cancelled."""
        ...


class Feed(Protocol):
    """The venue's live streams, already decoded, verified and reconnecting by themselves."""

    def events(self) -> AsyncIterator[StreamEvent]:
        """Stream events until the feed is closed. One consumer."""
        ...

    @property
    def checksums(self) -> ChecksumTally:
        """Book checksums so far."""
        ...

    @property
    def backlog(self) -> Backlog:
        """What waits for the consumer now."""
        ...

    async def close(self) -> None:
        """Stop all wires; the event iterator ends."""
        ...


class FundingSource(Protocol):
    """Tells what perpetuals pay. Public: no key is needed, and none is sent."""

    @property
    def name(self) -> str:
        """What stands beside a rate as its source."""
        ...

    async def rates(self) -> tuple[FundingRate, ...]:
        """Every rate there is now.

        Raises:
            VenueError: it cannot be read.
        """
        ...


class Approver(Protocol):
    """Shows a plan and its outcomes to whoever is watching."""

    def show_plan(self, plan: Plan) -> None:
        """Called once, before anything is done."""
        ...

    def show_outcome(self, outcome: StepOutcome) -> None:
        """Called after each step."""
        ...


class Narrator(Approver, Protocol):
    """An approver that also hears what the loop lives through."""

    def show_fill(self, fill: Fill) -> None:
        """An execution was booked."""
        ...

    def show_closed(self, position: Position) -> None:
        """A position is closed, with its result."""
        ...

    def show_withheld(self, at: datetime, reason: str) -> None:
        """Why something that the strategy wanted was not done."""
        ...

    def show_note(self, at: datetime, note: str) -> None:
        """Something that the operator should know."""
        ...

    def show_wire(self, at: datetime, wire: str, *, is_up: bool) -> None:
        """A wire to the venue was lost, or is back."""
        ...

    def show_phase(self, at: datetime, phase: str, reason: str) -> None:
        """How far the loop has come; `reason`: what went wrong, or keeps it from trading."""
        ...

    def show_standing(self, at: datetime, reasons: tuple[str, ...]) -> None:
        """Why the loop only protects what is held; empty: entries are allowed from now on."""
        ...


class ServiceManager(Protocol):
    """Whoever started the loop and wants to know how it does, e.g. systemd."""

    def tell(self, state: str) -> None:
        """One notice in the words of sd_notify(3), e.g. `READY=1`; never waits, never fails."""
        ...


class Output(Protocol):
    """Where a loop's lines go, as far as somebody takes them."""

    def trouble(self) -> str:
        """What keeps lines from being told at the moment, a phrase; empty: nothing does."""
        ...

    @property
    def lines_lost(self) -> int:
        """How many were not shown so far."""
        ...


class Notifier(Protocol):
    """Tells somebody who may be asleep."""

    def notify(self, alert: Alert) -> None:
        """Tell it; may take seconds, so never called from a loop's own thread.

        Raises:
            NotDelivered: it was not told, and may be tried again.
        """
        ...
