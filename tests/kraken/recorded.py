"""Conversations of the client with the paper exchange, as vcrpy keeps them in `cassettes/`.

Recorded by `make cassettes` (this file run as a program): a fixed seed, a clock that only the
conversation moves and a key of its own make every recording the same bytes. In a cassette the key
and the stream token are replaced by words, and a signature counts only with the body beside it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import vcr

import kraken_answers as kraken
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import ClientOrderId, Symbol
from zoe_tools.domain.order import (
    ConditionalClose,
    OrderAmendment,
    OrderEdit,
    OrderName,
    OrderRequest,
    OrderTerms,
    OrderType,
    PriceOffset,
    SelfTrade,
    Side,
    TimeInForce,
)
from zoe_tools.errors import VenueRejected
from zoe_tools.kraken.account_reads import AccountReads
from zoe_tools.kraken.exports import KrakenExports
from zoe_tools.kraken.market_reads import MarketReads
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.order_answers import NewOrder
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.markets.synthetic import SyntheticMarket
from zoe_tools.paper.values.views import PERMISSIONS
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

FOLDER = Path(__file__).parents[2] / "cassettes"
API_KEY = "the-key-of-the-recordings"
SECRET = kraken.SECRET
"""The secret of the venue's own published signature examples: it opens nothing."""

HIDDEN_KEY, HIDDEN_TOKEN = "KEY", "TOKEN"
MATCHED = ("method", "path", "said")
"""`said` is the query or body, decoded, without its nonce."""

_BASE = "https://kraken.invalid"
_STARTS_AT = int(kraken.EPOCH.timestamp()) * 10**9
_OPEN_FOR_S = 120
_KEPT = ("api-key", "api-sign", "content-type")
_TOKEN = re.compile(rb'"token":"[^"]+"')
BTC, ETH = Symbol("BTC/USD"), Symbol("ETH/USD")

Story = Callable[[KrakenSpot, VirtualClock], Awaitable[None]]
Hear = Callable[[Any], None]


# --- the stories ---------------------------------------------------------------------------------


async def _market(venue: KrakenSpot, clock: VirtualClock) -> None:
    """Every public method, with and without its optional parameters."""
    assert await venue.server_time() == clock.now()
    await venue.mode()
    await venue.catalogue()
    await venue.quotes([BTC, ETH])
    await venue.book(BTC)
    await venue.book(ETH, depth=25)
    await venue.candles(BTC, Timeframe.M1)
    await venue.candles(BTC, Timeframe.H1, since=kraken.EPOCH)
    _, last = await venue.trades(BTC)
    assert await venue.trades(BTC, last) == ((), last)


async def _orders(venue: KrakenSpot, clock: VirtualClock) -> None:
    """An order's life: checked, placed, found, amended, cancelled, refused the second time."""
    bid = _order(limit_price=Decimal(30000))
    assert await venue.validate(bid) == "buy 0.01000000 XBTUSD @ limit 30000.0"
    placed = await _placed(venue, clock, bid, 1)
    change = OrderAmendment(
        venue_order_id=placed, symbol=BTC, limit_price=Decimal(31000), quantity=Decimal("0.02")
    )
    await venue.amend(change, deadline=clock.now() + timedelta(seconds=5))
    (resting,) = await venue.open_orders(_client_id(1))
    assert (resting.limit_price, resting.quantity) == (Decimal(31000), Decimal("0.02"))
    assert await venue.cancel(placed) == 1
    with suppress(VenueRejected):
        await venue.cancel(placed)
        raise AssertionError
    more = [await _placed(venue, clock, bid, number) for number in (2, 3)]
    assert len(await venue.open_orders()) == 2
    assert await venue.cancel_batch(more) == 2
    assert len(await venue.orders([placed, *more])) == 3


async def _kinds(venue: KrakenSpot, clock: VirtualClock) -> None:
    """Each order type with the parameters that only it has."""
    lots = {"quantity": Decimal("0.01")}
    sell = {**lots, "side": Side.SELL}
    far, near = Decimal(30000), Decimal(31000)
    kinds: tuple[dict[str, Any], ...] = (
        {**lots, "order_type": OrderType.MARKET},
        {**lots, "limit_price": far, "post_only": True},
        {**lots, "limit_price": far, "time_in_force": TimeInForce.IOC},
        {**sell, "order_type": OrderType.STOP_LOSS, "trigger_price": near},
        {
            **sell,
            "order_type": OrderType.STOP_LOSS_LIMIT,
            "trigger_price": near,
            "limit_price": far,
        },
        {**sell, "order_type": OrderType.TAKE_PROFIT, "trigger_price": Decimal(990_000)},
        {
            **sell,
            "order_type": OrderType.TAKE_PROFIT_LIMIT,
            "trigger_price": Decimal(990_000),
            "limit_price": Decimal(980_000),
        },
    )
    for number, fields in enumerate(kinds, 1):
        await _placed(venue, clock, _order(**fields), number)


async def _account(venue: KrakenSpot, clock: VirtualClock) -> None:
    """What a key may, what it has, and what became of a trade."""
    await venue.key_info()
    assert await venue.websocket_token()
    opened = clock.now()
    await _placed(venue, clock, _order(order_type=OrderType.MARKET), 1)
    await clock.sleep(5)
    assert {each.asset for each in await venue.balances()} >= {"BTC", "USD"}
    assert len(await venue.closed_orders(client_order_id=_client_id(1))) == 1
    assert len(await venue.closed_orders(since=opened, until=clock.now())) == 1
    assert await venue.fills()
    assert await venue.fills(since=opened, until=clock.now())
    assert await venue.ledger(since=opened)


async def _records(venue: KrakenSpot, clock: VirtualClock) -> None:
    """The rest of what the account can be asked: fees, margin, changes of orders, funding."""
    reads = AccountReads(venue._rest, venue.catalogue)
    placed = await _placed(venue, clock, _order(limit_price=Decimal(30000)), 1)
    change = OrderAmendment(venue_order_id=placed, symbol=BTC, limit_price=Decimal(31000))
    await venue.amend(change, deadline=clock.now() + timedelta(seconds=5))
    await _placed(venue, clock, _order(order_type=OrderType.MARKET), 2)
    await clock.sleep(5)
    fills, entries = await venue.fills(), await venue.ledger()
    assert len(await reads.amends(placed)) == 2
    assert len(await reads.fills([each.fill_id for each in fills])) == len(fills)
    assert len(await reads.ledger_entries([each.ledger_id for each in entries])) == len(entries)
    await reads.totals()
    await reads.credit_lines()
    await reads.margin_standing()
    await reads.fee_standing([BTC])
    await reads.borrowed_positions()
    await reads.deposit_methods("BTC")
    await reads.withdraw_methods()
    assert [page async for page, _ in reads.movements("deposit", asset="XBT")]
    assert [page async for page, _ in reads.movements("withdrawal")] == [()]


async def _several(venue: KrakenSpot, clock: VirtualClock) -> None:
    """Orders in batches, edited, priced by the last price, cancelled by each kind of name, or all.

    With a conditional close and the dead man's switch.
    """

    def soon() -> Any:
        return clock.now() + timedelta(seconds=5)

    ends = ConditionalClose(
        order_type=OrderType.STOP_LOSS_LIMIT,
        trigger_offset=_away("-", "2", is_percent=True),
        limit_offset=_away("-", "2.5", is_percent=True),
    )
    shared = OrderTerms(userref=7, close=ends)
    orders: list[NewOrder] = [
        (_client_id(1), _order(limit_price=Decimal(30000))),
        (None, _order(limit_price=Decimal(30000), terms=shared)),
        (_client_id(3), _order(terms=OrderTerms(limit_offset=_away("#", "5", is_percent=True)))),
        (None, _order(limit_price=Decimal(29000), terms=OrderTerms(userref=8))),
    ]
    checked = await venue.validate_batch(orders, deadline=soon())
    assert [each.error for each in checked] == [None] * 4
    members = await venue.place_batch(orders, deadline=soon())
    editable = members[3].venue_order_id
    assert editable is not None
    edit = OrderEdit(
        venue_order_id=editable,
        symbol=BTC,
        order_type=OrderType.LIMIT,
        quantity=Decimal("0.02"),
        limit_offset=_away("-", "5000"),
        post_only=True,
        userref=8,
    )
    assert (await venue.edit(edit, deadline=soon())).original_order_id == editable
    assert await venue.cancel(OrderName(client_order_id=_client_id(1))) == 1
    assert await venue.cancel(OrderName(userref=7)) == 1
    ours = OrderName(client_order_id=_client_id(3))
    assert await venue.cancel_batch([editable, ours, OrderName(userref=8)]) == 2
    assert await venue.cancel_all_after(60) is not None
    assert await venue.cancel_all_after(0) is None
    assert await venue.cancel_all() == 0


async def _terms(venue: KrakenSpot, clock: VirtualClock) -> None:
    """The types and flags that few orders have, one order each."""
    far = Decimal(30000)
    tomorrow = clock.now() + timedelta(days=1)
    kinds: tuple[dict[str, Any], ...] = (
        {
            "order_type": OrderType.ICEBERG,
            "limit_price": far,
            "quantity": Decimal("0.1"),
            "terms": OrderTerms(display_quantity=Decimal("0.01")),
        },
        {
            "order_type": OrderType.TRAILING_STOP,
            "side": Side.SELL,
            "terms": OrderTerms(trigger_offset=_away("+", "5", is_percent=True)),
        },
        {
            "order_type": OrderType.TRAILING_STOP_LIMIT,
            "side": Side.SELL,
            "trigger_price": Decimal(5000),
            "limit_price": Decimal(100),
        },
        {
            "order_type": OrderType.STOP_LOSS,
            "side": Side.SELL,
            "terms": OrderTerms(trigger_offset=_away("-", "10")),
        },
        {
            "order_type": OrderType.MARKET,
            "quantity": Decimal(500),
            "terms": OrderTerms(is_quantity_in_quote=True, fee_in="base"),
        },
        {
            "limit_price": far,
            "time_in_force": TimeInForce.GTD,
            "terms": OrderTerms(expires_at=tomorrow, starts_at=clock.now() + timedelta(hours=1)),
        },
        {"limit_price": far, "terms": OrderTerms(self_trade=SelfTrade.CANCEL_BOTH)},
        {"limit_price": far, "terms": OrderTerms(leverage=2)},
    )
    for number, fields in enumerate(kinds, 1):
        await _placed(venue, clock, _order(**fields), number)
    by_index = OrderTerms(trigger_by="index")
    stop = _order(order_type=OrderType.STOP_LOSS, side=Side.SELL, trigger_price=far, terms=by_index)
    with suppress(VenueRejected):  # this pair has no index on paper
        await _placed(venue, clock, stop, len(kinds) + 1)
        raise AssertionError


async def _files(venue: KrakenSpot, clock: VirtualClock) -> None:
    """Both histories as files: ordered once, waited for, fetched and removed."""
    exports = KrakenExports(venue._rest, clock, venue.catalogue)
    opened = clock.now()
    await _placed(venue, clock, _order(order_type=OrderType.MARKET), 1)
    await clock.sleep(5)
    span: dict[str, Any] = {"since": opened, "until": clock.now(), "description": "the first trade"}
    trades = await exports.ordered("trades", **span)
    ledgers = await exports.ordered("ledgers", **span)
    assert await exports.ordered("trades", **span) == trades
    await exports.finished("trades", trades)
    await exports.finished("ledgers", ledgers)
    assert {each.fill_id for each in await exports.fills(trades)} == {
        each.fill_id for each in await venue.fills(since=opened)
    }
    assert await exports.entries(ledgers)
    await exports.remove(trades)
    assert await exports.reports("trades") == ()


async def _looks(venue: KrakenSpot, clock: VirtualClock) -> None:
    """Markets beyond the usual, addresses, what a withdrawal would bring, and ways to earn.

    Nobody earns on paper, so those questions are asked and refused.
    """
    market = MarketReads(venue._rest, clock, venue.catalogue)
    reads = AccountReads(venue._rest, venue.catalogue)
    await market.spreads(BTC, since=kraken.EPOCH)
    await market.grouped_book(BTC, depth=10, ticks=5)
    await market.orders_book(BTC, depth=10)
    await market.day_statistics([BTC, ETH])
    await venue.instrument_statuses()
    (way_in,) = await reads.deposit_methods("BTC")
    await reads.deposit_addresses("BTC", way_in.method)
    (exit_,) = await reads.withdraw_addresses("BTC")
    await reads.withdrawal_terms("BTC", exit_.key, Decimal("0.5"))
    for asked in (
        reads.earn_strategies("BTC"),
        reads.earn_allocations(),
        reads.is_earn_pending("ESRFUO3-Q62XD-WIOIL7", "Allocate"),
        reads.is_earn_pending("ESRFUO3-Q62XD-WIOIL7", "Deallocate"),
    ):
        with suppress(VenueRejected):
            await asked
            raise AssertionError


STORIES: dict[str, Story] = {
    "account": _account,
    "history-files": _files,
    "looks": _looks,
    "market": _market,
    "order-kinds": _kinds,
    "order-terms": _terms,
    "orders": _orders,
    "records": _records,
    "several-orders": _several,
}


def _order(**fields: Any) -> OrderRequest:
    """A limit buy of 0.01 BTC, but for what is said."""
    given: dict[str, Any] = {
        "symbol": BTC,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "quantity": Decimal("0.01"),
        **fields,
    }
    return OrderRequest(**given)


def _away(direction: Any, distance: str, *, is_percent: bool = False) -> PriceOffset:
    return PriceOffset(distance=Decimal(distance), direction=direction, is_percent=is_percent)


def _client_id(number: int) -> ClientOrderId:
    return ClientOrderId(f"11112222-3333-4444-8555-{number:012d}")


async def _placed(
    venue: KrakenSpot, clock: VirtualClock, request: OrderRequest, number: int
) -> Any:
    deadline = clock.now() + timedelta(seconds=5)
    return await venue.place(request, client_order_id=_client_id(number), deadline=deadline)


# --- recording and playing -----------------------------------------------------------------------


def record(name: str, folder: Path = FOLDER) -> Path:
    """Tell a story to a fresh paper exchange and keep the conversation; returns its file."""
    path = _path(name, folder)
    path.unlink(missing_ok=True)
    with _recorder(lambda _: None).use_cassette(str(path), record_mode="all"):
        run_virtual(_told_to_paper(STORIES[name]))
    return path


def play(name: str, story: Story | None = None, hear: Hear = lambda _: None) -> Any:
    """Tell a story (or another) to the recording, which answers only what it was asked before.

    `hear` gets every request as the client made it. Returns the cassette. There is no network
    under virtual time: a request that the recording does not know fails.
    """
    cassette_of = _recorder(hear).use_cassette(str(_path(name, FOLDER)), record_mode="none")
    with cassette_of as cassette:
        run_virtual(_told(story or STORIES[name], None))
    return cassette


def said(request: Any) -> dict[str, Any]:
    """A request's query or body, decoded, without the nonce; of a form every value is text."""
    body = text_of(request)
    if not body:
        return dict(parse_qsl(urlsplit(request.uri).query))
    fields = (
        json.loads(body) if body.startswith("{") else dict(parse_qsl(body, keep_blank_values=True))
    )
    return {name: value for name, value in fields.items() if name != "nonce"}


def text_of(request: Any) -> str:
    """The body's exact text."""
    body = request.body or b""
    return body if isinstance(body, str) else bytes(body).decode()


def _path(name: str, folder: Path) -> Path:
    return folder / f"{name}.yaml"


def _recorder(hear: Hear) -> Any:
    """How every cassette is written and matched."""

    def kept(request: Any) -> Any:
        wanted = {
            name.lower(): text for name, text in request.headers.items() if name.lower() in _KEPT
        }
        if wanted.get("api-key") != HIDDEN_KEY:  # vcrpy shows a request again that it has shown
            hear(request)
        request.headers = wanted | ({"api-key": HIDDEN_KEY} if "api-key" in wanted else {})
        return request

    machine = vcr.VCR(
        match_on=MATCHED, before_record_request=kept, before_record_response=_without_secrets
    )
    machine.register_matcher("said", _matched)
    return machine


def _matched(one: Any, other: Any) -> None:
    assert said(one) == said(other), f"{said(one)} is not {said(other)}"


def _without_secrets(response: dict[str, Any]) -> dict[str, Any]:
    """An answer names the key it was asked with, or a stream token that is as good as one."""
    text = _TOKEN.sub(f'"token":"{HIDDEN_TOKEN}"'.encode(), response["body"]["string"])
    text = text.replace(API_KEY.encode(), HIDDEN_KEY.encode())
    headers = {**response["headers"], "content-length": [str(len(text))]}
    return {**response, "headers": headers, "body": {**response["body"], "string": text}}


async def _told_to_paper(story: Story) -> None:
    clock = VirtualClock(kraken.EPOCH)
    exchange = PaperExchange(SyntheticMarket(seed=1, starts_at=_STARTS_AT), clock, seed=1)
    exchange.create_account(
        "recorded",
        API_KEY,
        SECRET,
        frozenset({*PERMISSIONS, "add-funds", "withdraw-funds", "earn-funds"}),
        {"USD": Decimal(100_000), "BTC": Decimal(2)},
        has_margin=True,
    )
    pump = asyncio.create_task(exchange.run())
    try:
        app = create_app(exchange, proof_secret=None)
        await _told(story, httpx.ASGITransport(app=app))
    finally:
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump


async def _told(story: Story, transport: httpx.AsyncBaseTransport | None) -> None:
    clock = VirtualClock(kraken.EPOCH)
    rest = RestClient(
        _BASE,
        api_key=API_KEY,
        api_secret=SECRET,
        clock=clock,
        coordination=NonceSource(clock),
        transport=transport,
        unlimited=True,
    )
    await clock.sleep(_OPEN_FOR_S)
    try:
        await story(KrakenSpot(rest, clock), clock)
    finally:
        await rest.aclose()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in STORIES:
        sys.stdout.write(f"{record(each)}\n")
