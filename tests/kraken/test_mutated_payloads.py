"""Answers broken in many ways: the client raises its own errors, and no others."""

from __future__ import annotations

import io
import json
import random
import re
import zipfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import kraken_answers as kraken
from builders import d
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import ClientOrderId, FillId, LedgerId, Symbol, VenueOrderId
from zoe_tools.domain.order import OrderAmendment, OrderEdit, OrderRequest, OrderType, Side
from zoe_tools.errors import VenueError, VenueMisbehaved
from zoe_tools.kraken import strange
from zoe_tools.kraken.account_reads import AccountReads
from zoe_tools.kraken.exports import KrakenExports
from zoe_tools.kraken.market_reads import MarketReads
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

ROOT = Path(__file__).parents[2]
BTC = Symbol("BTC/USD")
ORDER_ID = VenueOrderId("OAAAAA-BBBBB-CCCCC4")
CLIENT_ID = ClientOrderId("11112222-3333-4444-8555-666677778888")
LIMIT = kraken.EPOCH + timedelta(days=365)
BUY = OrderRequest(
    symbol=BTC,
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    quantity=d("0.01"),
    limit_price=d("60000"),
)
EDIT = OrderEdit(
    venue_order_id=ORDER_ID, symbol=BTC, order_type=OrderType.LIMIT, limit_price=d("61000")
)
CHANGE = OrderAmendment(venue_order_id=ORDER_ID, symbol=BTC, limit_price=d("61000"))
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**70, 1.5, -0.0, 1e300, "", " ", "0", "-1", "NaN", "sNaN"),
    *("Infinity", "1e400", "1e-400", "9" * 400, "\x00", "XXBT", "buy", "EService:Busy", "x" * 5000),
    *([], {}, [[]], [None], {"": None}, {"error": []}, ["EAPI:Invalid nonce"], "\u20ac\U0001f680"),
)


@dataclass(frozen=True, slots=True)
class Desk:
    """All of the client."""

    spot: KrakenSpot
    reads: AccountReads
    exports: KrakenExports
    market: MarketReads
    clock: VirtualClock


Use = Callable[[Desk], Awaitable[Any]]
_TOP = {"a": ["2.0", "1", "0.5"], "b": ["1.0", "1", "0.4"], "c": ["1.5", "0.1"]}
_DAY = {
    "v": ["1", "2"],
    "p": ["1", "2"],
    "t": [1, 2],
    "l": ["1", "2"],
    "h": ["1", "2"],
    "o": "1",
}
_RESTING = {"price": "1", "qty": "2", "order_id": "O", "timestamp": 1765622008594292000}
_STRATEGY = {
    "id": "E",
    "asset": "XXDG",
    "lock_type": {"type": "bonded", "bonding_period": 0, "unbonding_period": 1814400},
    "apr_estimate": {"low": "5.0", "high": "8.0"},
    "allocation_fee": "0",
    "can_allocate": True,
    "can_deallocate": True,
    "yield_source": {"type": "staking"},
    "allocation_restriction_info": ["tier"],
}
_CLOSED = kraken.order_row(status="closed", closetm=1767600200.5, vol_exec="0.002", reason=None)
_MOVED = {
    "method": "Bitcoin",
    "asset": "XXBT",
    "refid": "A",
    "amount": "1",
    "fee": "0.1",
    "time": 1767600000,
    "status": "Success",
    "status-prop": "onhold",
    "txid": None,
}
_POSITION = {
    "ordertxid": "O",
    "pair": "XXBTZUSD",
    "time": 1767600000.1,
    "type": "buy",
    "cost": "1",
    "fee": "0.1",
    "vol": "1",
    "vol_closed": "0",
    "margin": "1",
    "rollovertm": "1767614400",
    "value": "27.0",
    "net": "+0.6015",
}
_AMEND = {
    "amend_id": "T",
    "amend_type": "user",
    "order_qty": "1",
    "remaining_qty": "1",
    "limit_price": "61032.8",
    "timestamp": 1724158070287557853,
}
_STANDING = dict.fromkeys(("eb", "tb", "m", "n", "c", "v", "e", "mf", "ml"), "1.0")
_FEES = {"XXBTZUSD": {"fee": "0.35", "nextfee": "0.24", "nextvolume": "50000"}}
_VOLUME = {"currency": "ZUSD", "volume": "12000.5", "fees": _FEES, "fees_maker": _FEES}
_EARN = {
    "strategy_id": "E",
    "native_asset": "XXDG",
    "amount_allocated": {"total": {"native": "0.5", "converted": "100"}},
    "total_rewarded": {"native": "0.1", "converted": "20"},
}
_EXPORT = {
    "id": "TCJA",
    "descr": "all",
    "format": "CSV",
    "report": "trades",
    "status": "Processed",
    "createdtm": "1767600000",
    "expiretm": "1767700000",
    "datastarttm": "0",
    "dataendtm": "1",
}


async def drained(pages: Any) -> None:
    """Every page, but no more than ten."""
    count = 0
    async for _ in pages:
        count += 1
        if count == 10:
            return


CASES: tuple[tuple[str, Any, Use], ...] = (
    ("Time", {"unixtime": 1767614400}, lambda k: k.spot.server_time()),
    ("SystemStatus", {"status": "online"}, lambda k: k.spot.mode()),
    ("Assets", kraken.ASSETS, lambda k: KrakenSpot(k.spot._rest, k.clock).catalogue()),
    ("AssetPairs", kraken.PAIRS, lambda k: KrakenSpot(k.spot._rest, k.clock).catalogue()),
    ("Ticker", {"XXBTZUSD": _TOP}, lambda k: k.spot.quotes([BTC])),
    ("Depth", {"XXBTZUSD": {"asks": [["2", "1", 1]], "bids": []}}, lambda k: k.spot.book(BTC)),
    (
        "OHLC",
        {"XXBTZUSD": [[1767600000, "1", "2", "1", "2", "1", "3", 4]], "last": 1767600000},
        lambda k: k.spot.candles(BTC, Timeframe.M1),
    ),
    (
        "Trades",
        {"XXBTZUSD": [["1", "2", 1767600000.1, "b", "m", "", 7]], "last": "1767600000000000000"},
        lambda k: k.spot.trades(BTC),
    ),
    (
        "GetApiKeyInfo",
        {
            "api_key_name": "a",
            "permissions": ["query-funds"],
            "nonce": "1774350056123",
            "nonceWindow": "0",
            "valid_until": "1767700000",
            "ip_allowlist": [""],
            "last_used": None,
        },
        lambda k: k.spot.key_info(),
    ),
    ("GetWebSocketsToken", {"token": "abc"}, lambda k: k.spot.websocket_token()),
    ("BalanceEx", {"ZUSD": {"balance": "1", "hold_trade": "0"}}, lambda k: k.spot.balances()),
    ("OpenOrders", {"open": {ORDER_ID: kraken.order_row()}}, lambda k: k.spot.open_orders()),
    (
        "ClosedOrders",
        {"closed": {ORDER_ID: _CLOSED}, "count": 1},
        lambda k: k.spot.closed_orders(until=LIMIT),
    ),
    ("QueryOrders", {ORDER_ID: _CLOSED}, lambda k: k.spot.orders([ORDER_ID])),
    ("TradesHistory", {"trades": {"T": kraken.fill_row()}, "count": 1}, lambda k: k.spot.fills()),
    ("Ledgers", {"ledger": {"L": kraken.ledger_row()}, "count": 1}, lambda k: k.spot.ledger()),
    (
        "AddOrder",
        {"descr": {"order": "buy"}, "txid": [ORDER_ID]},
        lambda k: k.spot.place(
            BUY, client_order_id=CLIENT_ID, deadline=k.clock.now() + timedelta(seconds=30)
        ),
    ),
    (
        "AmendOrder",
        {"amend_id": "T"},
        lambda k: k.spot.amend(CHANGE, deadline=k.clock.now() + timedelta(seconds=30)),
    ),
    ("CancelOrder", {"count": 1}, lambda k: k.spot.cancel(ORDER_ID)),
    ("CancelOrderBatch", {"count": 1}, lambda k: k.spot.cancel_batch([ORDER_ID])),
    (
        "AddOrderBatch",
        {"orders": [{"txid": ORDER_ID}, {"error": "EOrder:Insufficient funds"}]},
        lambda k: k.spot.place_batch(
            [(CLIENT_ID, BUY), (CLIENT_ID, BUY)], deadline=k.clock.now() + timedelta(seconds=30)
        ),
    ),
    (
        "EditOrder",
        {"status": "ok", "txid": "O2", "originaltxid": ORDER_ID, "orders_cancelled": 1},
        lambda k: k.spot.edit(EDIT, deadline=k.clock.now() + timedelta(seconds=30)),
    ),
    ("CancelAll", {"count": 1}, lambda k: k.spot.cancel_all()),
    (
        "CancelAllOrdersAfter",
        {"currentTime": "2026-01-05T12:00:00Z", "triggerTime": "0"},
        lambda k: k.spot.cancel_all_after(60),
    ),
    ("Balance", {"ZUSD": "1.0", "XXBT": "2"}, lambda k: k.reads.totals()),
    (
        "CreditLines",
        {
            "asset_details": {
                "USD": dict.fromkeys(
                    ("balance", "credit_limit", "credit_used", "available_credit"), "1"
                )
            }
        },
        lambda k: k.reads.credit_lines(),
    ),
    ("TradeBalance", _STANDING, lambda k: k.reads.margin_standing()),
    ("TradeVolume", _VOLUME, lambda k: k.reads.fee_standing([BTC])),
    ("OpenPositions", {"T": _POSITION}, lambda k: k.reads.borrowed_positions()),
    ("OrderAmends", {"count": 1, "amends": [_AMEND]}, lambda k: k.reads.amends(ORDER_ID)),
    ("QueryTrades", {"T": kraken.fill_row()}, lambda k: k.reads.fills([FillId("T")])),
    ("QueryLedgers", {"L": kraken.ledger_row()}, lambda k: k.reads.ledger_entries([LedgerId("L")])),
    ("DepositMethods", [{"method": "B", "limit": False}], lambda k: k.reads.deposit_methods("XBT")),
    ("WithdrawMethods", [{"asset": "XXBT", "method": "B"}], lambda k: k.reads.withdraw_methods()),
    ("DepositStatus", {"deposit": [_MOVED]}, lambda k: drained(k.reads.movements("deposit"))),
    ("WithdrawStatus", [_MOVED], lambda k: drained(k.reads.movements("withdrawal"))),
    (
        "DepositAddresses",
        [{"address": "a", "expiretm": "0", "new": True, "tag": 7}],
        lambda k: k.reads.deposit_addresses("XBT", "B"),
    ),
    (
        "WithdrawAddresses",
        [{"address": "a", "asset": "XXBT", "method": "B", "key": "k", "verified": True}],
        lambda k: k.reads.withdraw_addresses(),
    ),
    (
        "WithdrawInfo",
        {"method": "B", "limit": "1", "amount": "0.5", "fee": "0.1"},
        lambda k: k.reads.withdrawal_terms("XBT", "k", d("0.6")),
    ),
    ("Spread", {"XXBTZUSD": [[1, "1", "2"]], "last": 1}, lambda k: k.market.spreads(BTC)),
    (
        "GroupedBook",
        {"pair": "BTC/USD", "grouping": 1, "bids": [{"price": "1", "qty": "2"}], "asks": []},
        lambda k: k.market.grouped_book(BTC),
    ),
    (
        "Level3",
        {"pair": "BTC/USD", "bids": [_RESTING], "asks": []},
        lambda k: k.market.orders_book(BTC),
    ),
    ("Ticker", {"XXBTZUSD": _TOP | _DAY}, lambda k: k.market.day_statistics([BTC])),
    ("Strategies", {"items": [_STRATEGY]}, lambda k: k.reads.earn_strategies()),
    ("DeallocateStatus", {"pending": True}, lambda k: k.reads.is_earn_pending("E", "Deallocate")),
    ("AllocateStatus", {"pending": True}, lambda k: k.reads.is_earn_pending("E", "Allocate")),
    ("Allocations", {"items": [_EARN], "next_cursor": None}, lambda k: k.reads.earn_allocations()),
    (
        "AddExport",
        {"id": "TCJA"},
        lambda k: k.exports.order("trades", since=kraken.EPOCH, until=LIMIT, description="all"),
    ),
    ("ExportStatus", [_EXPORT], lambda k: k.exports.finished("trades", "TCJA")),
    ("RetrieveExport", None, lambda k: k.exports.entries("TCJA")),
    ("RemoveExport", {"delete": True}, lambda k: k.exports.remove("TCJA")),
)


def report() -> bytes:
    """A whole ledger report."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(
            "ledgers.csv",
            "txid,refid,time,type,subtype,aclass,asset,wallet,amount,fee,balance\n"
            '"L1","T1","2026-01-05 12:00:00","trade","","currency","BTC","spot / main",0.1,0,0.1\n',
        )
    return content.getvalue()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a payload."""
    if isinstance(value, dict):
        inner = [places(each, (*path, key)) for key, each in value.items()]
    elif isinstance(value, list):
        inner = [places(each, (*path, number)) for number, each in enumerate(value)]
    else:
        inner = []
    return [path, *(place for each in inner for place in each)]


def with_odd_value(rng: random.Random, payload: Any) -> Any:
    """The payload with one value replaced, left out, or doubled."""
    changed = json.loads(json.dumps(payload))
    path = rng.choice(places(changed))
    if not path:
        return rng.choice(ODD)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    kind = rng.random()
    if kind < 0.7:
        parent[path[-1]] = rng.choice(ODD)
    elif kind < 0.85:
        del parent[path[-1]]
    elif isinstance(parent, list):
        parent.append(rng.choice(ODD))
    else:
        parent[str(rng.choice(ODD))] = parent[path[-1]]
    return changed


def with_odd_bytes(rng: random.Random, content: bytes) -> bytes:
    """The content cut off, or with a few bytes changed, left out or put in."""
    changed = bytearray(content)
    if rng.random() < 0.2:
        return bytes(changed[: rng.randrange(len(changed))])
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed))
        changed[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        if not changed:
            break
    return bytes(changed)


def mutated(rng: random.Random, payload: Any) -> bytes:
    """An answer that was right, broken."""
    if payload is None:
        return with_odd_bytes(rng, report())
    envelope: Any = {"error": [], "result": payload}
    if rng.random() < 0.6:
        for _ in range(rng.randint(1, 3)):
            if isinstance(envelope, dict) and rng.random() < 0.9:
                envelope = envelope | {"result": with_odd_value(rng, envelope.get("result"))}
            else:
                envelope = with_odd_value(rng, envelope)
        return json.dumps(envelope).encode(errors="surrogatepass")
    return with_odd_bytes(rng, kraken.body_of(envelope))


def told(seed: int, rounds: int) -> Counter[str]:
    """How often each method's broken answers were read all the same, and refused."""
    rng = random.Random(seed)
    answer = [b""]
    asked = [""]

    def venue(request: httpx.Request) -> httpx.Response:
        method = request.url.path.rpartition("/")[2]
        if method == asked[0]:
            return httpx.Response(200, content=answer[0])
        return kraken.success(kraken.ASSETS if method == "Assets" else kraken.PAIRS)

    async def run() -> Counter[str]:
        clock = VirtualClock(kraken.EPOCH)
        rest = RestClient(
            "http://venue.test",
            api_key="key",
            api_secret=kraken.SECRET,
            clock=clock,
            coordination=NonceSource(clock),
            transport=httpx.MockTransport(venue),
            unlimited=True,
        )
        spot = KrakenSpot(rest, clock)
        await spot.catalogue()
        catalogue = await spot.catalogue()

        async def known() -> Any:
            return catalogue

        desk = Desk(
            spot,
            AccountReads(rest, known),
            KrakenExports(rest, clock, known),
            MarketReads(rest, clock, known),
            clock,
        )
        count: Counter[str] = Counter()
        for number in range(rounds):
            method, payload, use = CASES[number % len(CASES)]
            asked[0], answer[0] = method, mutated(rng, payload)
            try:
                await use(desk)
            except VenueError as error:
                count[f"{method} {type(error).__name__}"] += 1
            except Exception as error:
                error.add_note(f"{method} was answered with {answer[0][:2000]!r}")
                raise
            else:
                count[f"{method} read"] += 1
        await rest.aclose()
        return count

    count: Counter[str] = run_virtual(run())
    return count


@pytest.fixture(autouse=True)
def _no_words_left_over() -> Any:
    """The words of one test are not known in the next."""
    strange.forget()
    yield
    strange.forget()


def test_every_call_of_the_client_is_broken_here() -> None:
    """All that the page of coverage names a method for."""
    page = (ROOT / "docs" / "reference" / "coverage.md").read_text("utf-8")
    calls = re.findall(r"^\| `([\w/]+)` \| `\w+\.\w+`", page, re.MULTILINE)
    wanted = {call.rpartition("/")[2] for call in calls if call[0].isupper()}

    assert len(wanted) == 50
    assert {method for method, _, _ in CASES} == wanted


def test_every_case_is_right_before_it_is_broken() -> None:
    """Else the broken answers would prove nothing."""
    answers = {
        method: httpx.Response(200, content=report())
        if payload is None
        else kraken.success(payload)
        for method, payload, _ in CASES
    }

    async def run() -> None:
        clock = VirtualClock(kraken.EPOCH)
        rest = kraken.client(kraken.Script(**answers), clock=clock)
        spot = KrakenSpot(rest, clock)
        desk = Desk(
            spot,
            AccountReads(rest, spot.catalogue),
            KrakenExports(rest, clock, spot.catalogue),
            MarketReads(rest, clock, spot.catalogue),
            clock,
        )
        for _, _, use in CASES:
            await use(desk)

    run_virtual(run())


def test_a_broken_answer_raises_only_our_errors() -> None:
    """Two thousand of them, each method's turn by turn; both ends are met."""
    count = told(seed=1, rounds=2_000)

    assert count.total() == 2_000
    assert any(name.endswith(" read") for name in count)
    assert any(name.endswith(VenueMisbehaved.__name__) for name in count)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_thousand_broken_answers_raise_only_our_errors(seed: int) -> None:
    """Ten seeds of ten thousand."""
    assert told(seed=100 + seed, rounds=10_000).total() == 10_000
