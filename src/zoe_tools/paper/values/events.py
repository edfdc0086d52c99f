"""What the engine says happened, in order: the one thing both dialects and the state file read.

Times are integer nanoseconds UTC. Values only.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from zoe_tools.paper.values.exports import Export
from zoe_tools.paper.values.ledger import LedgerRow, TradeView
from zoe_tools.paper.values.market import Levels, TakerSide
from zoe_tools.paper.values.movements import Movement
from zoe_tools.paper.values.order import AmendView, OrderView
from zoe_tools.paper.values.positions import Position

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


class OrderEvent(Struct, frozen=True, kw_only=True, gc=False):
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


class AmendEvent(Struct, frozen=True, kw_only=True, gc=False):
    """A step of an order's amend trail."""

    at: int
    account_id: str
    amend: AmendView


class LedgerEvent(Struct, frozen=True, kw_only=True, gc=False):
    """A ledger row came about."""

    at: int
    account_id: str
    row: LedgerRow


class MovementEvent(Struct, frozen=True, kw_only=True, gc=False):
    """A deposit or a withdrawal began, or came to its next stage."""

    at: int
    account_id: str
    movement: Movement


class ExportEvent(Struct, frozen=True, kw_only=True, gc=False):
    """A report was ordered, or taken off the list."""

    at: int
    account_id: str
    export: Export


class PositionEvent(Struct, frozen=True, kw_only=True, gc=False):
    """A position was opened, changed or closed."""

    at: int
    account_id: str
    position: Position


class MarginEvent(Struct, frozen=True, kw_only=True, gc=False):
    """An account may trade on margin from now on, or no more."""

    at: int
    account_id: str
    has_margin: bool


class BookEvent(Struct, frozen=True, kw_only=True, gc=False):
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


class PrintEvent(Struct, frozen=True, kw_only=True, gc=False):
    """A public trade; `trade_id` rises per symbol, `side` is the taker's."""

    at: int
    symbol: str
    trade_id: int
    side: TakerSide
    price: Decimal
    quantity: Decimal
    is_market: bool


class ModeEvent(Struct, frozen=True, kw_only=True, gc=False):
    """The whole exchange changed its mode."""

    at: int
    mode: SystemMode


EngineEvent = (
    OrderEvent
    | AmendEvent
    | LedgerEvent
    | MovementEvent
    | ExportEvent
    | PositionEvent
    | MarginEvent
    | BookEvent
    | PrintEvent
    | ModeEvent
)
