"""The displayed book as subscribers of one depth see it: windows, differences, checksums.

A mirror of one pair follows the exchange's book events; a window remembers what its subscribers
were last told. Levels that fall out of a window are not told (subscribers cut for themselves),
levels that enter it are.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from decimal import Decimal
from itertools import islice
from zlib import crc32

from typing_extensions import override

from zoe_tools.paper.values.events import BookEvent
from zoe_tools.paper.values.market import Levels, PairSpec
from zoe_tools.paper.values.rounding import fixed
from zoe_tools.paper.values.times import iso
from zoe_tools.paper.values.views import BookView
from zoe_tools.paper.ws.numbers import checksum_text
from zoe_tools.paper.ws.windows import CHECKED_LEVELS, Window

DEPTHS = (10, 25, 100, 500, 1000)
_ZERO = Decimal(0)

Best = tuple[Decimal, Decimal]
"""Best price and its quantity; zeros for an empty side."""


class _Cell:
    """A level as printed. A new one is made whenever the level is spoken of."""

    __slots__ = ("checked", "json", "price_text", "quantity")

    def __init__(self, quantity: Decimal, price_text: str, quantity_text: str) -> None:
        self.quantity = quantity
        self.price_text = price_text
        self.json = f'{{"price":{price_text},"qty":{quantity_text}}}'
        self.checked = checksum_text(price_text) + checksum_text(quantity_text)

    def spoken(self) -> tuple[str]:
        """As the one row of a level."""
        return (self.json,)


_Window = dict[Decimal, _Cell]


class _MirrorSide:
    def __init__(self, spec: PairSpec, *, is_bids: bool) -> None:
        self._spec = spec
        self._is_bids = is_bids
        self._prices: list[Decimal] = []
        self._cells: _Window = {}
        self._windows: dict[int, _Window] = {}
        self._checked: bytes | None = None
        self._gone = fixed(_ZERO, spec.lot_decimals)
        self.changes = 0

    def replace(self, levels: Levels) -> None:
        self.changes += 1
        self._prices.clear()
        self._cells.clear()
        self._forget()
        self.change(levels)

    def _forget(self) -> None:
        """What was made of the side as it was."""
        self._windows.clear()
        self._checked = None

    def change(self, levels: Levels) -> None:
        if not levels:
            return
        self.changes += 1
        self._forget()
        cells, spec = self._cells, self._spec
        for price, quantity in levels:
            if quantity:
                known = cells.get(price)
                if known is None:
                    insort(self._prices, price)
                    price_text = fixed(price, spec.pair_decimals)
                else:
                    price_text = known.price_text
                cells[price] = _Cell(quantity, price_text, fixed(quantity, spec.lot_decimals))
            elif cells.pop(price, None) is not None:
                del self._prices[bisect_left(self._prices, price)]

    def window(self, depth: int) -> _Window:
        """The best levels, best first; the same until something changes. Not to be written to."""
        found = self._windows.get(depth)
        if found is None:
            ordered = reversed(self._prices) if self._is_bids else iter(self._prices)
            cells = self._cells
            found = {price: cells[price] for price in islice(ordered, depth)}
            self._windows[depth] = found
        return found

    def checked(self) -> bytes:
        """What the side adds to the checksum; joined once a change."""
        if self._checked is None:
            best = self.window(CHECKED_LEVELS).values()
            self._checked = "".join([cell.checked for cell in best]).encode()
        return self._checked

    def best(self) -> Best:
        if not self._prices:
            return (_ZERO, _ZERO)
        price = self._prices[-1 if self._is_bids else 0]
        return (price, self._cells[price].quantity)

    def difference(self, old: _Window, new: _Window, depth: int) -> str:
        """What a subscriber who was told `old` must hear to see `new`, as JSON levels."""
        left = [price for price in old if price not in new]
        told = [self._removal(old[price]) for price in left if self._must_remove(price, new, depth)]
        told += [cell.json for price, cell in new.items() if old.get(price) is not cell]
        return ",".join(told)

    def _must_remove(self, price: Decimal, new: _Window, depth: int) -> bool:
        """Whether a level that is not shown any more must be said to be gone."""
        if len(new) < depth:
            return True
        worst = next(reversed(new))
        return price > worst if self._is_bids else price < worst

    def _removal(self, cell: _Cell) -> str:
        return f'{{"price":{cell.price_text},"qty":{self._gone}}}'


class BookMirror:
    """One pair's displayed book, from a view at the start and the events since."""

    def __init__(self, spec: PairSpec, view: BookView) -> None:
        self.spec = spec
        self.at = view.at
        self.bids = _MirrorSide(spec, is_bids=True)
        self.asks = _MirrorSide(spec, is_bids=False)
        self.bids.replace(view.bids)
        self.asks.replace(view.asks)
        self._checksum: int | None = None

    def follow(self, event: BookEvent) -> None:
        """Take in what the exchange says changed."""
        if event.is_snapshot:
            self.bids.replace(event.bids)
            self.asks.replace(event.asks)
        else:
            self.bids.change(event.bids)
            self.asks.change(event.asks)
        self.at = event.at
        self._checksum = None

    def bests(self) -> tuple[Best, Best]:
        """The best bid and the best ask."""
        return self.bids.best(), self.asks.best()

    def checksum(self) -> int:
        """CRC-32 over the printed best ten of each side, asks first (section 10.6)."""
        if self._checksum is None:
            self._checksum = crc32(self.bids.checked(), crc32(self.asks.checked()))
        return self._checksum


class BookWindow(Window[_Cell]):
    """The window of the book channel."""

    def __init__(self, mirror: BookMirror, depth: int) -> None:
        super().__init__(mirror.bids, mirror.asks, depth)
        self._mirror = mirror

    @override
    def _frame(self, kind: str, bids: str, asks: str) -> str:
        mirror = self._mirror
        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{mirror.spec.symbol}",'
            f'"bids":[{bids}],"asks":[{asks}],"checksum":{mirror.checksum()},'
            f'"timestamp":"{iso(mirror.at)}"}}]}}'
        )
