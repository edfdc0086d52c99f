"""Positions on margin: opened by orders with leverage, closed first in first out by opposite ones.

Values, and the shelf that keeps an account's. Nothing here moves money or takes time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from zoe_tools.paper.values.margin import profit_of, share_of
from zoe_tools.paper.values.market import PairSpec

PositionStatus = Literal["open", "closed"]
PositionSide = Literal["buy", "sell"]
_ZERO = Decimal(0)


class Position(Struct, frozen=True, kw_only=True, gc=False):
    """A position at one moment; its id is that of the trade which opened it (section 7.3).

    `cost`, `fee` and `margin` are of its opening; what was closed since has `closed` of its
    quantity, `closed_cost` and `closed_margin` of those, and brought `proceeds` at `closing_fee`.
    `charged` is what rollovers have cost so far; `rolls_at` when the next one comes, ns. The rate
    is locked when it is opened.
    """

    position_id: str
    account_id: str
    order_id: str
    symbol: str
    side: PositionSide
    order_type: str
    at: int
    quantity: Decimal
    cost: Decimal
    fee: Decimal
    margin: Decimal
    leverage: int
    rollover_pct: Decimal
    rollover_ns: int
    rolls_at: int
    charged: Decimal = _ZERO
    closed: Decimal = _ZERO
    closed_cost: Decimal = _ZERO
    closed_margin: Decimal = _ZERO
    proceeds: Decimal = _ZERO
    closing_fee: Decimal = _ZERO
    profit: Decimal = _ZERO
    closing_ids: tuple[str, ...] = ()

    @property
    def is_long(self) -> bool:
        """Whether it gains when the price rises."""
        return self.side == "buy"

    @property
    def remaining(self) -> Decimal:
        """What of it is open, in base."""
        return self.quantity - self.closed

    @property
    def remaining_cost(self) -> Decimal:
        """What the open rest was opened for."""
        return self.cost - self.closed_cost

    @property
    def remaining_margin(self) -> Decimal:
        """What the open rest ties up."""
        return self.margin - self.closed_margin

    @property
    def status(self) -> PositionStatus:
        """Open as long as there is a rest."""
        return "open" if self.remaining > 0 else "closed"

    def value_at(self, price: Decimal) -> Decimal:
        """What the open rest is worth at this price."""
        return self.remaining * price

    def profit_at(self, price: Decimal) -> Decimal:
        """What the open rest has made at this price, before fees."""
        return profit_of(
            is_long=self.is_long, opened=self.remaining_cost, closed=self.value_at(price)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Part of a position that is to be closed: the position before it, and what goes with it."""

    position: Position
    quantity: Decimal
    cost: Decimal
    margin: Decimal

    def done(self, proceeds: Decimal, fee: Decimal, trade_id: str) -> Position:
        """The position after it, for what the closing brought."""
        old = self.position
        return replace(
            old,
            closed=old.closed + self.quantity,
            closed_cost=old.closed_cost + self.cost,
            closed_margin=old.closed_margin + self.margin,
            proceeds=old.proceeds + proceeds,
            closing_fee=old.closing_fee + fee,
            profit=old.profit + self.profit(proceeds),
            closing_ids=(*old.closing_ids, trade_id) if trade_id else old.closing_ids,
        )

    def profit(self, proceeds: Decimal) -> Decimal:
        """What it made, before fees."""
        return profit_of(is_long=self.position.is_long, opened=self.cost, closed=proceeds)


class Shelf:
    """An account's positions, the open ones in the order they were opened."""

    def __init__(self) -> None:
        self.open: dict[str, Position] = {}
        self.closed: dict[str, Position] = {}

    def put(self, position: Position) -> None:
        """Keep the position as it is now."""
        if position.remaining > 0:
            self.open[position.position_id] = position
            return
        self.open.pop(position.position_id, None)
        self.closed[position.position_id] = position

    def trim(self, most: int) -> None:
        """Let go of all but the newest `most` closed ones, once there are twice as many."""
        if len(self.closed) > 2 * most:
            for name in list(islice(self.closed, len(self.closed) - most)):
                del self.closed[name]

    def against(self, symbol: str, side: PositionSide) -> Iterator[Position]:
        """The open positions that an order of this side closes, oldest first."""
        return (each for each in self.open.values() if each.symbol == symbol and each.side != side)

    def closable(self, symbol: str, side: PositionSide) -> Decimal:
        """How much an order of this side can close."""
        return sum((each.remaining for each in self.against(symbol, side)), _ZERO)

    def size(self, symbol: str, side: PositionSide) -> Decimal:
        """How much is open on this side."""
        return sum(
            (
                each.remaining
                for each in self.open.values()
                if each.symbol == symbol and each.side == side
            ),
            _ZERO,
        )

    def closings(self, spec: PairSpec, side: PositionSide, quantity: Decimal) -> list[Closing]:
        """First in, first out: what an order of this side closes with so much of its quantity."""
        found: list[Closing] = []
        left = quantity
        for each in self.against(spec.symbol, side):
            if left <= 0:
                break
            part = min(left, each.remaining)
            left -= part
            found.append(
                Closing(
                    position=each,
                    quantity=part,
                    cost=share_of(spec, each.remaining_cost, part, each.remaining),
                    margin=share_of(spec, each.remaining_margin, part, each.remaining),
                )
            )
        return found


def split(spec: PairSpec, amount: Decimal, parts: list[Decimal]) -> list[Decimal]:
    """An amount shared out in proportion to these quantities; the last takes what rounding left."""
    whole = sum(parts, _ZERO)
    shares: list[Decimal] = []
    for part in parts:
        shares.append(share_of(spec, amount, part, whole))
        amount -= shares[-1]
        whole -= part
    return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginFill:
    """What an execution with leverage does: closes first in first out, then opens with the rest.

    `proceeds` and `closing_fees` go with `closings`; `opening` is a quantity, `opening_cost` and
    `opening_share` are the rest of cost and fee.
    """

    closings: tuple[Closing, ...]
    proceeds: tuple[Decimal, ...]
    closing_fees: tuple[Decimal, ...]
    opening: Decimal
    opening_cost: Decimal
    opening_share: Decimal

    @property
    def closed(self) -> Decimal:
        """How much it closes."""
        return sum((one.quantity for one in self.closings), _ZERO)

    @property
    def profit(self) -> Decimal:
        """What the closed made, before fees."""
        pairs = zip(self.closings, self.proceeds, strict=True)
        return sum((closing.profit(proceeds) for closing, proceeds in pairs), _ZERO)

    @property
    def closes_whole(self) -> bool:
        """Whether nothing is left of what it closes."""
        return all(one.quantity == one.position.remaining for one in self.closings)

    def closed_positions(self, trade_id: str) -> list[Position]:
        """The positions that it closes, as they are after it."""
        rows = zip(self.closings, self.proceeds, self.closing_fees, strict=True)
        return [closing.done(proceeds, fee, trade_id) for closing, proceeds, fee in rows]


def fill_of(
    shelf: Shelf,
    spec: PairSpec,
    side: PositionSide,
    quantity: Decimal,
    money: tuple[Decimal, Decimal],
) -> MarginFill:
    """How an execution of this side and (cost, fee) meets the positions there are."""
    closings = shelf.closings(spec, side, quantity)
    parts = [one.quantity for one in closings]
    opening = quantity - sum(parts, _ZERO)
    costs, fees = (split(spec, amount, [*parts, opening]) for amount in money)
    return MarginFill(
        closings=tuple(closings),
        proceeds=tuple(costs[:-1]),
        closing_fees=tuple(fees[:-1]),
        opening=opening,
        opening_cost=costs[-1],
        opening_share=fees[-1],
    )
