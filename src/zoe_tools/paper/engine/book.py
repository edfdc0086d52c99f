"""One pair's book: what the source displays, what accounts rest in it, who is ahead of whom.

It keeps and answers; it decides no trade. `buy` is the bid side, `sell` the ask side.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter

from zoe_tools.paper.engine.triggers import Triggers
from zoe_tools.paper.values.events import BookEvent
from zoe_tools.paper.values.market import Levels, PairSpec
from zoe_tools.paper.values.order import ZERO, OrderView, Side
from zoe_tools.paper.values.rounding import half_up


def other(side: Side) -> Side:
    """The opposite side."""
    return "sell" if side == "buy" else "buy"


def is_better(side: Side, price: Decimal, than: Decimal) -> bool:
    """Whether a resting order of that side at `price` trades before one at `than`."""
    return price > than if side == "buy" else price < than


def crosses(side: Side, price: Decimal, opposite: Decimal) -> bool:
    """Whether an order of that side at `price` would trade with the other side at `opposite`."""
    return price >= opposite if side == "buy" else price <= opposite


class Ladder:
    """Price levels of one side of the source's book."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._prices: list[Decimal] = []
        self._sizes: dict[Decimal, Decimal] = {}

    def set(self, price: Decimal, size: Decimal) -> None:
        """Display `size` at `price`; zero removes the level."""
        if size > 0:
            sizes = self._sizes
            before = len(sizes)
            sizes[price] = size
            if len(sizes) > before:
                insort(self._prices, price)
        elif self._sizes.pop(price, None) is not None:
            del self._prices[bisect_left(self._prices, price)]

    def size(self, price: Decimal) -> Decimal:
        """Displayed at this price."""
        return self._sizes.get(price, ZERO)

    def clear(self) -> None:
        """Empty."""
        self._prices.clear()
        self._sizes.clear()

    def best(self) -> Decimal | None:
        """The best price."""
        if not self._prices:
            return None
        return self._prices[-1] if self.side == "buy" else self._prices[0]

    def prices(self) -> Iterator[Decimal]:
        """Best first."""
        return reversed(self._prices) if self.side == "buy" else iter(self._prices)

    def between(self, one: Decimal, another: Decimal) -> list[Decimal]:
        """The prices in the closed interval."""
        low, high = min(one, another), max(one, another)
        return self._prices[bisect_left(self._prices, low) : bisect_right(self._prices, high)]

    def rows(self) -> Levels:
        """All levels, best first."""
        return tuple((price, self._sizes[price]) for price in self.prices())


@dataclass(slots=True)
class Resting:
    """An order in the book; `ahead` is the source's size that was there before it.

    `place` is what the queue of its side is ordered by: price, best first, then time.
    """

    order_id: str
    account_id: str
    side: Side
    price: Decimal
    queue_number: int
    remaining: Decimal
    ahead: Decimal
    place: tuple[Decimal, int] = field(init=False)

    def __post_init__(self) -> None:
        self.place = _rank(self.side, self.price), self.queue_number


def _rank(side: Side, price: Decimal) -> Decimal:
    return -price if side == "buy" else price


_place = attrgetter("place")


def _price_rank(resting: Resting) -> Decimal:
    return resting.place[0]


class PairBook:
    """The book of one pair.

    `source_version` rises whenever the source's levels may have changed, `ahead_version` when only
    what is ahead of an account's order may have: so nobody needs to look at all of it.
    """

    def __init__(self, spec: PairSpec) -> None:
        self.spec = spec
        self.source: dict[Side, Ladder] = {"buy": Ladder("buy"), "sell": Ladder("sell")}
        self.resting: dict[Side, list[Resting]] = {"buy": [], "sell": []}
        self.waiting = Triggers()
        self.last: Decimal | None = None
        self.changed_at = 0
        self.source_version = 0
        self.ahead_version = 0
        self._by_id: dict[str, Resting] = {}
        self._own: dict[Side, dict[Decimal, Decimal]] = {"buy": {}, "sell": {}}
        self._touched: dict[Side, dict[Decimal, None]] = {"buy": {}, "sell": {}}
        self._shown_best: dict[Side, Decimal | None] = {"buy": None, "sell": None}
        self._shown: dict[Side, tuple[Decimal, Decimal] | None] = {}
        self._nothing = half_up(ZERO, spec.lot_decimals)

    def _touch(self, side: Side, price: Decimal) -> None:
        """What is displayed at this price may be another; what is best may be on either side."""
        self._touched[side][price] = None
        self._shown.clear()

    # what the source says
    def replace(self, bids: Levels, asks: Levels) -> None:
        """The source's whole book anew."""
        self._fill("buy", bids)
        self._fill("sell", asks)

    def _fill(self, side: Side, levels: Levels) -> None:
        ladder = self.source[side]
        self._touched[side].update(dict.fromkeys(ladder.prices()))
        self._shown.clear()
        self.source_version += 1
        ladder.clear()
        self.change(side, levels)
        for resting in self.resting[side]:
            resting.ahead = min(resting.ahead, ladder.size(resting.price))

    def change(self, side: Side, levels: Levels) -> None:
        """Levels of the source in order; whoever left the queue is taken to have stood behind."""
        if not levels:
            return
        ladder, touched = self.source[side], self._touched[side]
        self.source_version += 1
        self._shown.clear()
        own = self._own[side]
        for price, size in levels:
            ladder.set(price, size)
            touched[price] = None
            if price in own:
                for resting in self._level(side, price):
                    resting.ahead = min(resting.ahead, size)

    def consume(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        """A taker ate displayed size: gone until the source speaks of this level again."""
        ladder = self.source[side]
        ladder.set(price, ladder.size(price) - quantity)
        self.source_version += 1
        self._touch(side, price)
        self.advance(side, price, quantity)

    def advance(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        """The queue at a price moved by so much."""
        for resting in self._level(side, price):
            self.ahead_version += 1
            resting.ahead = max(ZERO, resting.ahead - quantity)

    def _level(self, side: Side, price: Decimal) -> list[Resting]:
        """The orders that rest at one price, first come first."""
        queue, rank = self.resting[side], _rank(side, price)
        if price not in self._own[side]:
            return []
        first = bisect_left(queue, rank, key=_price_rank)
        return queue[first : bisect_right(queue, rank, key=_price_rank)]

    # what accounts do
    def rest(self, order: OrderView, price: Decimal, ahead: Decimal | None = None) -> None:
        """Put an order at the back of its level (or back where it was, with `ahead` given)."""
        resting = Resting(
            order_id=order.order_id,
            account_id=order.account_id,
            side=order.side,
            price=price,
            queue_number=order.queue_number,
            remaining=order.visible,
            ahead=self.source[order.side].size(price) if ahead is None else ahead,
        )
        insort(self.resting[order.side], resting, key=_place)
        if resting.ahead:
            self.ahead_version += 1
        self._by_id[order.order_id] = resting
        own = self._own[order.side]
        own[price] = own.get(price, ZERO) + resting.remaining
        self._touch(order.side, price)

    def find(self, order: OrderView) -> Resting | None:
        """The order's place in the book."""
        return self._by_id.get(order.order_id)

    def _leave(self, resting: Resting) -> None:
        queue = self.resting[resting.side]
        del queue[bisect_left(queue, resting.place, key=_place)]
        del self._by_id[resting.order_id]
        own = self._own[resting.side]
        own[resting.price] -= resting.remaining
        if own[resting.price] <= 0:
            del own[resting.price]

    def update(self, order: OrderView) -> None:
        """The order's remaining quantity changed; nothing remaining leaves the book."""
        resting = self.find(order)
        if resting is None:
            return
        self._touch(order.side, resting.price)
        if order.visible <= 0 or not order.is_open:
            self._leave(resting)
            return
        self._own[order.side][resting.price] += order.visible - resting.remaining
        resting.remaining = order.visible

    def remove(self, order: OrderView) -> None:
        """Take the order out of the book and out of the triggers."""
        self.waiting.pop(order.order_id, None)
        resting = self.find(order)
        if resting is not None:
            self._touch(order.side, resting.price)
            self._leave(resting)

    # who is next
    def best_any(self, side: Side) -> Decimal | None:
        """The best price a taker would meet, hidden levels included."""
        source, queue = self.source[side].best(), self.resting[side]
        if not queue:
            return source
        own = queue[0].price
        return own if source is None or is_better(side, own, source) else source

    def next_maker(self, side: Side) -> tuple[Decimal, Decimal, Resting | None] | None:
        """The next liquidity by price, then time: (price, quantity, order or the source)."""
        price = self.best_any(side)
        if price is None:
            return None
        size = self.source[side].size(price)
        first = self.resting[side][0] if self.resting[side] else None
        if first is None or first.price != price:
            return price, size, None
        ahead = min(first.ahead, size)
        return (price, ahead, None) if ahead > 0 else (price, first.remaining, first)

    def _prices(self, side: Side) -> Iterable[Decimal]:
        """Where there is anything, the source's or an order's own; best first."""
        own, ladder = self._own[side], self.source[side]
        return sorted({*ladder.prices(), *own}, reverse=side == "buy") if own else ladder.prices()

    def liquidity(self, side: Side) -> Iterator[tuple[Decimal, Decimal]]:
        """Everything a taker would meet, best first."""
        own, ladder = self._own[side], self.source[side]
        for price in self._prices(side):
            yield price, ladder.size(price) + own.get(price, ZERO)

    # what is shown
    def _is_hidden(self, side: Side, price: Decimal) -> bool:
        """Whether a level of the source crosses an order that rests on the other side."""
        against = self.resting[other(side)]
        return bool(against) and crosses(other(side), against[0].price, price)

    def displayed(self, side: Side, depth: int) -> Levels:
        """The displayed levels of a side, best first."""
        rows: list[tuple[Decimal, Decimal]] = []
        own = self._own[side]
        for price in self._prices(side):
            if len(rows) == depth:
                break
            size = self._shown_size(side, price, own)
            if size > 0:
                rows.append((price, size))
        return tuple(rows)

    def shown_at(self, side: Side, price: Decimal) -> Decimal:
        """What one level displays."""
        return self._shown_size(side, price, self._own[side])

    def best_displayed(self, side: Side) -> tuple[Decimal, Decimal] | None:
        """The first displayed level, without a look at the others; looked up once a change."""
        if side not in self._shown:
            self._shown[side] = self._first_displayed(side)
        return self._shown[side]

    def _first_displayed(self, side: Side) -> tuple[Decimal, Decimal] | None:
        queue = self.resting[side]
        best = queue[0].price if queue else None
        for price in self.source[side].prices():
            if not self._is_hidden(side, price):
                best = price if best is None or is_better(side, price, best) else best
                break
        return None if best is None else (best, self._shown_size(side, best, self._own[side]))

    def _shown_size(self, side: Side, price: Decimal, own: dict[Decimal, Decimal]) -> Decimal:
        size = ZERO if self._is_hidden(side, price) else self.source[side].size(price)
        size += own.get(price, ZERO)
        return size if size > 0 else self._nothing

    def drain(self, at: int, *, is_snapshot: bool = False) -> BookEvent | None:
        """What changed on display since the last call; None when no level was touched."""
        for side in ("buy", "sell"):
            self._uncover(side)
        if not is_snapshot and not self._touched["buy"] and not self._touched["sell"]:
            return None
        self.changed_at = at
        bids = self.displayed("buy", -1) if is_snapshot else self._changes("buy")
        asks = self.displayed("sell", -1) if is_snapshot else self._changes("sell")
        self._touched["buy"].clear()
        self._touched["sell"].clear()
        return BookEvent(
            at=at, symbol=self.spec.symbol, is_snapshot=is_snapshot, bids=bids, asks=asks
        )

    def _uncover(self, side: Side) -> None:
        """A new best resting order hides or uncovers levels of the source across."""
        best = self.resting[side][0].price if self.resting[side] else None
        shown = self._shown_best[side]
        if best == shown:
            return
        self._shown_best[side] = best
        across = self.source[other(side)]
        edge = across.best()
        if edge is None:
            return
        touched = self._touched[other(side)]
        for price in (best, shown):
            if price is not None and crosses(side, price, edge):
                touched.update(dict.fromkeys(across.between(edge, price)))

    def _changes(self, side: Side) -> Levels:
        touched, own = self._touched[side], self._own[side]
        if not touched:
            return ()
        if not own and not self.resting[other(side)]:  # only the source has anything here
            size, nothing = self.source[side].size, self._nothing
            return tuple([(price, size(price) or nothing) for price in touched])
        return tuple([(price, self._shown_size(side, price, own)) for price in touched])
