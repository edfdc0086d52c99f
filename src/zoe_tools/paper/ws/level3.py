"""The book order by order: queues inside levels, what changes in them, and their checksum.

An account's order stands where the engine has it. What the source displays has no orders: each
growth of a level is taken for one more order at its back, and what leaves without having been
traded is taken from the back. Source: kraken-spot sections 10.5, 10.6 and 17.5.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from typing import Protocol
from zlib import crc32

from typing_extensions import override

from zoe_tools.paper.engine.ids import IdMint
from zoe_tools.paper.values.events import BookEvent, PrintEvent
from zoe_tools.paper.values.market import Levels, PairSpec
from zoe_tools.paper.values.order import ZERO, Side
from zoe_tools.paper.values.rounding import fixed
from zoe_tools.paper.values.times import iso_nanos
from zoe_tools.paper.values.views import BookView, QueuedOrder
from zoe_tools.paper.ws.numbers import checksum_text
from zoe_tools.paper.ws.windows import Window, checksum_of

LEVEL3_DEPTHS = (10, 100, 1000)


class Live(Protocol):
    """A book as it is now, which may be a step further than the event that is being told."""

    def shown(self, symbol: str, side: Side, price: Decimal) -> Decimal:
        """The displayed quantity of a level, zero where there is none."""
        ...

    def queue(self, symbol: str, side: Side, price: Decimal) -> tuple[QueuedOrder, ...]:
        """The accounts' orders that rest at a price, first come first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Level3Order:
    """One order of the book. `place` tells two stays of one order at a level apart."""

    order_id: str
    quantity: Decimal
    at: int
    is_own: bool = False
    ahead: Decimal = ZERO
    place: int = 0


class _Level:
    """A level as printed; a new one is made whenever the level changes."""

    __slots__ = ("checked", "orders", "price_text", "rows")

    def __init__(self, price: Decimal, orders: tuple[Level3Order, ...], spec: PairSpec) -> None:
        self.orders = orders
        self.price_text = fixed(price, spec.pair_decimals)
        shown = checksum_text(self.price_text)
        self.rows: list[str] = []
        checked: list[str] = []
        for order in orders:
            quantity = fixed(order.quantity, spec.lot_decimals)
            self.rows.append(
                f'"order_id":"{order.order_id}","limit_price":{self.price_text},'
                f'"order_qty":{quantity},"timestamp":"{iso_nanos(order.at)}"}}'
            )
            checked.append(shown + checksum_text(quantity))
        self.checked = "".join(checked)

    def spoken(self, event: str | None = None) -> Iterator[str]:
        head = "{" if event is None else f'{{"event":"{event}",'
        return (head + row for row in self.rows)

    def difference(self, old: _Level) -> Iterator[str]:
        """What turns the old queue into this one: deletes, then changes and additions."""
        before = {(one.order_id, one.place): one.quantity for one in old.orders}
        after = {(one.order_id, one.place) for one in self.orders}
        for one, row in zip(old.orders, old.rows, strict=True):
            if (one.order_id, one.place) not in after:
                yield f'{{"event":"delete",{row}'
        for one, row in zip(self.orders, self.rows, strict=True):
            quantity = before.get((one.order_id, one.place))
            if quantity is None:
                yield f'{{"event":"add",{row}'
            elif quantity != one.quantity:
                yield f'{{"event":"modify",{row}'


_Window = dict[Decimal, _Level]


class _Side:
    """One side of the book, order by order."""

    def __init__(self, spec: PairSpec, side: Side, live: Live, mint: IdMint) -> None:
        self._spec = spec
        self._side: Side = side
        self._live = live
        self._mint = mint
        self._prices: list[Decimal] = []
        self._levels: _Window = {}
        self.changes = 0

    def replace(self, levels: Levels, at: int) -> None:
        present = {price for price, _ in levels}
        self.change([price for price in self._prices if price not in present], at, {})
        self.change(present, at, {})

    def change(self, prices: Iterable[Decimal], at: int, traded: dict[Decimal, Decimal]) -> None:
        symbol = self._spec.symbol
        self.changes += 1
        for price in prices:
            # not as the event has it: a batch is several steps, and its queues are the last one's
            shown = self._live.shown(symbol, self._side, price)
            if shown <= 0:
                if self._levels.pop(price, None) is not None:
                    del self._prices[bisect_left(self._prices, price)]
                continue
            old = self._levels.get(price)
            if old is None:
                insort(self._prices, price)
            told = old.orders if old is not None else ()
            queued = self._live.queue(symbol, self._side, price)
            orders = self._queued(told, queued, shown, traded.get(price, ZERO), at)
            if old is None or orders != told:
                self._levels[price] = _Level(price, orders, self._spec)

    def _queued(
        self,
        old: tuple[Level3Order, ...],
        own: tuple[QueuedOrder, ...],
        shown: Decimal,
        traded: Decimal,
        at: int,
    ) -> tuple[Level3Order, ...]:
        """The queue of a level that now shows so much, of which these are the accounts' orders."""
        known = {(one.order_id, one.place): one for one in old if one.is_own}
        others = [one for one in old if not one.is_own]
        wanted = shown - sum((one.quantity for one in own), ZERO)
        excess = sum((one.quantity for one in others), ZERO) - wanted
        if excess < 0:
            fresh = Level3Order(order_id=self._mint.order(), quantity=-excess, at=at)
            others.append(fresh)
        elif excess > 0:
            front = max(traded, _moved_up(known, own))
            others = _without(others, min(excess, front))
            others = _without(others[::-1], excess - min(excess, front))[::-1]
        return tuple(_interleaved(others, own, known, at))

    def window(self, depth: int) -> _Window:
        ordered = reversed(self._prices) if self._side == "buy" else iter(self._prices)
        return {price: self._levels[price] for price in islice(ordered, depth)}

    def difference(self, old: _Window, new: _Window, depth: int) -> str:
        told: list[str] = []
        worst = next(reversed(new)) if len(new) >= depth else None
        for price, level in old.items():
            if price not in new and (worst is None or self._is_inside(price, worst)):
                told += level.spoken("delete")
        for price, level in new.items():
            before = old.get(price)
            if before is None:
                told += level.spoken("add")
            elif before is not level:
                told += level.difference(before)
        return ",".join(told)

    def _is_inside(self, price: Decimal, worst: Decimal) -> bool:
        return price > worst if self._side == "buy" else price < worst


def _moved_up(known: dict[tuple[str, int], Level3Order], own: tuple[QueuedOrder, ...]) -> Decimal:
    """How far the first known order has come forward in the queue."""
    for one in own:
        before = known.get((one.order_id, one.queue_number))
        if before is not None:
            return max(ZERO, before.ahead - one.ahead)
    return ZERO


def _without(orders: list[Level3Order], quantity: Decimal) -> list[Level3Order]:
    """The orders less so much, taken from the first ones."""
    left: list[Level3Order] = []
    for one in orders:
        gone = min(one.quantity, quantity)
        quantity -= gone
        if one.quantity > gone:
            left.append(one if not gone else replace(one, quantity=one.quantity - gone))
    return left


def _interleaved(
    others: list[Level3Order],
    own: tuple[QueuedOrder, ...],
    known: dict[tuple[str, int], Level3Order],
    at: int,
) -> Iterator[Level3Order]:
    """The accounts' orders at their places among the others."""
    waiting = list(own)
    passed = ZERO
    for other in (*others, None):
        while waiting and (other is None or waiting[0].ahead <= passed):
            one = waiting.pop(0)
            before = known.get((one.order_id, one.queue_number))
            yield Level3Order(
                order_id=one.order_id,
                quantity=one.quantity,
                at=at if before is None else before.at,
                is_own=True,
                ahead=one.ahead,
                place=one.queue_number,
            )
        if other is not None:
            yield other
            passed += other.quantity


class Level3Book:
    """One pair, order by order, from a view at the start and the events since."""

    def __init__(self, spec: PairSpec, view: BookView, live: Live) -> None:
        self.spec = spec
        self.at = view.at
        mint = IdMint(crc32(spec.symbol.encode()))
        self.bids = _Side(spec, "buy", live, mint)
        self.asks = _Side(spec, "sell", live, mint)
        self.bids.replace(view.bids, view.at)
        self.asks.replace(view.asks, view.at)
        self._traded: dict[Side, dict[Decimal, Decimal]] = {"buy": {}, "sell": {}}
        self._checksum: int | None = None

    def hear(self, event: PrintEvent) -> None:
        """A trade: the next change of its level takes from the front of the queue."""
        side: Side = "sell" if event.side == "buy" else "buy"
        traded = self._traded[side]
        traded[event.price] = traded.get(event.price, ZERO) + event.quantity

    def follow(self, event: BookEvent) -> None:
        """Take in what the exchange says changed."""
        self.at = event.at
        for side, levels, name in (
            (self.bids, event.bids, "buy"),
            (self.asks, event.asks, "sell"),
        ):
            if event.is_snapshot:
                side.replace(levels, event.at)
            else:
                prices = [price for price, _ in levels]
                side.change(prices, event.at, self._traded["buy" if name == "buy" else "sell"])
        self._traded["buy"].clear()
        self._traded["sell"].clear()
        self._checksum = None

    def rows(
        self, depth: int
    ) -> tuple[list[tuple[Decimal, Level3Order]], list[tuple[Decimal, Level3Order]]]:
        """Bids and asks as (price, order), best first, for whoever prints them otherwise."""
        bids, asks = (
            [(price, one) for price, level in side.window(depth).items() for one in level.orders]
            for side in (self.bids, self.asks)
        )
        return bids, asks

    def checksum(self) -> int:
        """CRC-32 over every order of the best ten levels, asks first."""
        if self._checksum is None:
            self._checksum = checksum_of(self.asks, self.bids)
        return self._checksum


class Level3Window(Window[_Level]):
    """The window of the level3 channel."""

    def __init__(self, book: Level3Book, depth: int) -> None:
        super().__init__(book.bids, book.asks, depth)
        self._book = book

    @override
    def _frame(self, kind: str, bids: str, asks: str) -> str:
        book = self._book
        return (
            f'{{"channel":"level3","type":"{kind}","data":[{{"checksum":{book.checksum()},'
            f'"symbol":"{book.spec.symbol}","bids":[{bids}],"asks":[{asks}],'
            f'"timestamp":"{iso_nanos(book.at)}"}}]}}'
        )
