"""What the engine says happened, in order: the one thing both dialects and the state file read.

Times are integer nanoseconds UTC. Values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from zoe_tools.paper.ledger import LedgerRow, TradeView
from zoe_tools.paper.market import Levels, TakerSide
from zoe_tools.paper.movements import Movement
from zoe_tools.paper.order import AmendView, OrderView

OrderEventKind = Literal[
    "pending_new",
    "new",
    "trade",
    "filled",
    "canceled",
    "expired",
    "amended",
    "triggered",
    "iceberg_refill",
    "restated",
    "status",
]
SystemMode = Literal["online", "maintenance", "cancel_only", "post_only", "limit_only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """One step of an order's life; `order` is the order after it, `trade` only with `trade`.

    An order that fills at once gives pending_new, new, trade..., filled. The completing trade is
    followed by `filled` (or `canceled`) at the same time. `status` says that a trailing stop moved.
    """

    at: int
    account_id: str
    kind: OrderEventKind
    order: OrderView
    trade: TradeView | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendEvent:
    """A step of an order's amend trail."""

    at: int
    account_id: str
    amend: AmendView


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEvent:
    """A ledger row came about."""

    at: int
    account_id: str
    row: LedgerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementEvent:
    """A deposit or a withdrawal began, or came to its next stage."""

    at: int
    account_id: str
    movement: Movement


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEvent:
    """The displayed book changed.

    With `is_snapshot` the whole book (bids descending, asks ascending), else the levels that
    changed with their new displayed quantity, 0 for a level that is gone. Displayed is the source's
    book less what was taken from it plus resting orders; a level of the source that crosses a
    resting order is hidden.
    """

    at: int
    symbol: str
    is_snapshot: bool
    bids: Levels
    asks: Levels


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintEvent:
    """A public trade; `trade_id` rises per symbol, `side` is the taker's."""

    at: int
    symbol: str
    trade_id: int
    side: TakerSide
    price: Decimal
    quantity: Decimal
    is_market: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeEvent:
    """The whole exchange changed its mode."""

    at: int
    mode: SystemMode


EngineEvent = (
    OrderEvent | AmendEvent | LedgerEvent | MovementEvent | BookEvent | PrintEvent | ModeEvent
)
