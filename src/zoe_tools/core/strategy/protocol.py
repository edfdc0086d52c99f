"""What a strategy is: a name, the candles it wants, and one pure function.

A strategy sees a candle only after its close, and never places an order: it says what it wants,
and the gate decides what may be done. One of somebody else's comes by an entry point of the group
`zoe_tools.strategies`: a factory that takes the length of the candles, or None for its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market import Quote
from zoe_tools.domain.position import Position

Action = Literal["enter", "exit", "hold"]
Urgency = Literal["patient", "normal", "panic"]


Quality = Literal["good", "stale", "missing", "failed", "absent"]
"""Of a feature: absent has no configured source, missing was not told, failed makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One thing that was looked at; `value` is None unless the quality is good."""

    name: str
    value: float | None
    as_of: datetime | None
    source: str = "kraken candles"
    quality: Quality = "good"
    note: str = ""

    @property
    def told(self) -> str:
        """Its value, or why there is none."""
        return f"{self.quality}: {self.note}" if self.value is None else f"{self.value:.6f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingView:
    """What the instrument's perpetual pays, as last read.

    `rate_8h` is a fraction of the notional per eight hours, above zero where longs pay. `as_of` is
    the source's own time; None where nothing was read, and `note` says why.
    """

    rate_8h: Decimal | None
    as_of: datetime | None
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedTrade:
    """A round trip of this account: its result net of fees, and what had been put in, in quote."""

    symbol: Symbol
    closed_at: datetime
    result: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The account as a strategy may know it, at `as_of`; money in quote.

    `equity` is None where it cannot be told. `closed` are the latest round trips of all
    instruments, oldest first; `last_fill_at` is this instrument's own.
    """

    as_of: datetime
    equity: Decimal | None
    open_notional: Decimal
    daily_notional: Decimal
    max_notional: Decimal
    closed: tuple[ClosedTrade, ...] = ()
    last_fill_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketView:
    """All a strategy may look at for one instrument; `candles` are closed, oldest first.

    `funding` is None where no source is configured, `account` where nobody told.
    """

    symbol: Symbol
    now: datetime
    quote: Quote
    candles: Sequence[Candle]
    position: Position | None
    funding: FundingView | None = None
    account: AccountView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the strategy wants.

    `strength`, 0 to 1, is how sure it is. An entry costs `notional` at most, in quote; where that
    is None, the share `strength` of what the limits leave. `features` are texts that belong into
    the trace, `seen` what the decision was made from, both in the order of their making.

    An entry that is `patient` waits at its own side of the book where the spread is small; an exit
    in `panic` goes to the market if its first limit does not fill.
    """

    symbol: Symbol
    action: Action
    reason: str
    strength: Decimal = Decimal(1)
    notional: Decimal | None = None
    urgency: Urgency = "normal"
    features: tuple[tuple[str, str], ...] = ()
    seen: tuple[Feature, ...] = ()


class Strategy(Protocol):
    """One way to trade."""

    @property
    def name(self) -> str:
        """What an operator types behind `--strategy`."""
        ...

    @property
    def timeframe(self) -> Timeframe:
        """Length of the candles it decides on."""
        ...

    @property
    def stop_loss_pct(self) -> Decimal | None:
        """Distance of the protective stop below the average cost; None: the policy's."""
        ...

    @property
    def take_profit_pct(self) -> Decimal | None:
        """Distance of the target above the average cost; None: the policy's."""
        ...

    @property
    def history(self) -> int:
        """How many closed candles it looks back on at most."""
        ...

    @property
    def absent_features(self) -> tuple[str, ...]:
        """Features that have no configured source; their rules are off, pre-flight names them."""
        ...

    def decide(self, view: MarketView) -> Decision:
        """The decision after the newest candle closed."""
        ...
