"""The public REST endpoints of one pair's trading (section 5): candles, books, trades, spreads.

Reads only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.queries import Queries
from zoe_tools.paper.rest.format import Json, lot_volume
from zoe_tools.paper.rest.params import Params, invalid
from zoe_tools.paper.values.events import BookEvent, EngineEvent, PrintEvent
from zoe_tools.paper.values.market import Levels, PairSpec, wide
from zoe_tools.paper.values.order import ZERO
from zoe_tools.paper.values.rounding import down, fixed, plain
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import BarView, Principal
from zoe_tools.paper.ws.level3 import Level3Order
from zoe_tools.paper.ws.public import desk_of

_DEPTH, _MOST_LEVELS = 100, 500
_GROUPED_DEPTHS = (10, 25, 100, 250, 1000)
_GROUPINGS = (1, 5, 10, 25, 50, 100, 250, 500, 1000)
_LEVEL3_DEPTHS = (0, *_GROUPED_DEPTHS)
_WHOLE_BOOK = 1_000_000
_MOST_TRADES = 1000
_SPREADS = 200
_LATEST_SECONDS = 10**12
"""A `since` above it is in nanoseconds."""
_EMPTY_VWAP = "0.0"


def one_pair(exchange: Queries, params: Params) -> PairSpec:
    """The pair that `pair` names.

    Raises:
        Refusal: none, or an unknown one.
    """
    named = params.text("pair")
    if named is None:
        raise invalid("pair")
    return exchange.pair(named)


def _one_of(params: Params, name: str, allowed: Iterable[int], default: int) -> int:
    asked = params.integer(name)
    if asked is None:
        return default
    if asked not in allowed:
        raise invalid(name)
    return asked


def ohlc(exchange: Queries, params: Params) -> Json:
    """OHLC: committed candles after `since` and always the running one."""
    spec = one_pair(exchange, params)
    asked = params.integer("interval")
    minutes = 1 if asked is None else asked
    since = params.seconds("since")
    bars = exchange.bars(spec.symbol, minutes)
    rows = [
        _bar_row(bar, spec) for bar in bars if since is None or bar.begin > since or bar is bars[-1]
    ]
    # The newest bar is still running: `last` names the one before it, be it empty.
    before = bars[-2].begin if len(bars) > 1 else bars[-1].begin - minutes * 60 * NS if bars else 0
    return {spec.pair_id: rows, "last": before // NS}


def _bar_row(bar: BarView, spec: PairSpec) -> list[object]:
    places = spec.pair_decimals
    prices = [fixed(value, places) for value in (bar.open, bar.high, bar.low, bar.close)]
    # captured: the vwap is cut off, never rounded
    vwap = plain(down(bar.vwap, places)) if bar.count else _EMPTY_VWAP
    return [bar.begin // NS, *prices, vwap, fixed(bar.volume, spec.lot_decimals), bar.count]


def depth(exchange: Queries, params: Params) -> Json:
    """Depth."""
    spec = one_pair(exchange, params)
    book = exchange.book(spec.symbol, _one_of(params, "count", range(1, _MOST_LEVELS + 1), _DEPTH))

    def rows(levels: Levels) -> list[list[object]]:
        return [
            [fixed(price, wide(spec)), lot_volume(size), book.at // NS] for price, size in levels
        ]

    return {spec.pair_id: {"asks": rows(book.asks), "bids": rows(book.bids)}}


def grouped_book(exchange: Queries, params: Params) -> Json:
    """GroupedBook: levels of so many ticks, bids rounded down and asks up."""
    spec = one_pair(exchange, params)
    count = _one_of(params, "depth", _GROUPED_DEPTHS, _GROUPED_DEPTHS[0])
    grouping = _one_of(params, "grouping", _GROUPINGS, 1)
    book = exchange.book(spec.symbol, _WHOLE_BOOK)
    step = spec.tick_size * grouping

    def rows(levels: Levels, rounding: str) -> list[Json]:
        sums: dict[Decimal, Decimal] = {}
        for price, size in levels:
            group = (price / step).to_integral_value(rounding) * step
            if group not in sums and len(sums) == count:
                break
            sums[group] = sums.get(group, ZERO) + size
        return [
            {"price": fixed(price, wide(spec)), "qty": fixed(size, spec.lot_decimals)}
            for price, size in sums.items()
        ]

    return {
        "pair": spec.symbol,
        "grouping": grouping,
        "bids": rows(book.bids, ROUND_FLOOR),
        "asks": rows(book.asks, ROUND_CEILING),
    }


def level3(exchange: PaperExchange, _: Principal, params: Params) -> Json:
    """Level3, a private call: the book order by order; depth 0 is all of it."""
    spec = one_pair(exchange, params)
    count = _one_of(params, "depth", _LEVEL3_DEPTHS, _DEPTH) or _WHOLE_BOOK

    def row(price: Decimal, order: Level3Order) -> Json:
        return {
            "price": fixed(price, wide(spec)),
            "qty": fixed(order.quantity, spec.lot_decimals),
            "order_id": order.order_id,
            "timestamp": order.at,
        }

    bids, asks = desk_of(exchange).level3(spec.symbol).rows(count)
    return {
        "pair": spec.symbol,
        "bids": [row(price, order) for price, order in bids],
        "asks": [row(price, order) for price, order in asks],
    }


def trades(exchange: Queries, params: Params) -> Json:
    """Trades, oldest first; a page never ends between two prints of the same nanosecond."""
    spec = one_pair(exchange, params)
    count = _one_of(params, "count", range(1, _MOST_TRADES + 1), _MOST_TRADES)
    asked = params.decimal("since")
    if asked is None:
        page = exchange.prints(spec.symbol, count)
    else:
        since = int(asked if asked >= _LATEST_SECONDS else asked * NS)
        page = _page(exchange.prints_after(spec.symbol, since), count)
    last = str(page[-1].at) if page else params.text("since") or "0"
    return {spec.pair_id: [_print_row(one, spec) for one in page], "last": last}


def _page(prints: tuple[PrintEvent, ...], count: int) -> tuple[PrintEvent, ...]:
    end = count
    while end < len(prints) and prints[end].at == prints[end - 1].at:
        end += 1
    return prints[:end]


def _print_row(one: PrintEvent, spec: PairSpec) -> list[object]:
    return [
        fixed(one.price, wide(spec)),
        fixed(one.quantity, spec.lot_decimals),
        _short_seconds(one.at),
        "b" if one.side == "buy" else "s",
        "m" if one.is_market else "l",
        "",
        one.trade_id,
    ]


def _short_seconds(ns: int) -> Decimal | int:
    """Unix seconds with as many decimals as there are, as Kraken prints public times."""
    whole, rest = divmod(ns, NS)
    return whole if not rest else Decimal(plain(Decimal(ns).scaleb(-9)).rstrip("0"))


class SpreadLog:
    """The latest changes of each pair's best prices, from when it first listens."""

    def __init__(self, exchange: PaperExchange) -> None:
        self._exchange = exchange
        self._rows: dict[str, deque[tuple[int, Decimal, Decimal]]] = {}
        exchange.add_step_listener(self._hear)

    def _hear(self, events: Sequence[EngineEvent]) -> None:
        for event in events:
            if isinstance(event, BookEvent):
                self._note(event)

    def _note(self, event: BookEvent) -> None:
        bid, ask = self._exchange.best(event.symbol)
        if bid is None or ask is None:
            return
        rows = self._rows.get(event.symbol)
        if rows is None:
            rows = self._rows[event.symbol] = deque(maxlen=_SPREADS)
        if not rows or rows[-1][1:] != (bid[0], ask[0]):
            rows.append((event.at, bid[0], ask[0]))

    def spread(self, exchange: Queries, params: Params) -> Json:
        """Spread: the changes since (and at) `since`, oldest first."""
        spec = one_pair(exchange, params)
        since = params.seconds("since")
        known = self._rows.get(spec.symbol, ())
        rows: list[list[object]] = [
            [at // NS, fixed(bid, wide(spec)), fixed(ask, wide(spec))]
            for at, bid, ask in known
            if since is None or at // NS >= since // NS
        ]
        last = rows[-1][0] if rows else (since or exchange.told_now()) // NS
        return {spec.pair_id: rows, "last": last}
