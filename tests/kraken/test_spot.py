"""The venue port over scripted answers: which question is asked, and what is made of the answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

import kraken_answers as kraken
from builders import d
from zoe_tools.domain.account import KeyInfo
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import ClientOrderId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import Instrument, InstrumentStatus
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.order import (
    OrderAmendment,
    OrderEdit,
    OrderName,
    OrderRequest,
    OrderType,
    Side,
)
from zoe_tools.errors import (
    OutcomeUnknown,
    UnknownInstrument,
    VenueError,
    VenueMisbehaved,
    VenueRejected,
    VenueUnavailable,
)
from zoe_tools.kraken import codec
from zoe_tools.kraken.order_answers import BatchMember, CancelResult, EditedOrder, NewOrder
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.ports import Venue
from zoe_tools.runtime.virtual_loop import run_virtual

BTC = Symbol("BTC/USD")
CLIENT_ID = ClientOrderId("11112222-3333-4444-8555-666677778888")
ORDER_ID = VenueOrderId("OAAAAA-BBBBB-CCCCC4")
DEADLINE = kraken.EPOCH + timedelta(seconds=5)
BUY = OrderRequest(
    symbol=BTC,
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    quantity=d("0.01"),
    limit_price=d("60000"),
)
PLACED = kraken.success({"descr": {"order": "buy it"}, "txid": [ORDER_ID]})


def ask(script: kraken.Script, use: Callable[[KrakenSpot], Coroutine[Any, Any, Any]]) -> Any:
    """The answer to one question."""

    async def run() -> Any:
        return await use(kraken.spot(script))

    return run_virtual(run())


def test_the_adapter_is_a_venue() -> None:
    """The port's whole surface, as the type checker sees it."""
    venue: Venue = kraken.spot(kraken.Script())

    assert venue is not None


# --- the public market


def test_time_and_mode_are_the_venues() -> None:
    """A mode zoe has never heard of is UNKNOWN."""
    script = kraken.Script(
        Time=kraken.success({"unixtime": 1767614400, "rfc1123": "Mon,  5 Jan 26 12:00:00 +0000"}),
        SystemStatus=[kraken.success({"status": "post_only"}), kraken.success({"status": "new"})],
    )

    async def both(venue: KrakenSpot) -> tuple[datetime, VenueMode, VenueMode]:
        return await venue.server_time(), await venue.mode(), await venue.mode()

    assert ask(script, both) == (kraken.EPOCH, VenueMode.POST_ONLY, VenueMode.UNKNOWN)


def test_quotes_come_in_the_order_asked() -> None:
    """The answer is keyed by the venue's ids, in its own order."""
    row = {"a": ["2.0", "1", "0.5"], "b": ["1.0", "1", "0.4"], "c": ["1.5", "0.1"], "o": "1"}
    dear = {**row, "c": ["60000.10000", "0.1"]}
    script = kraken.Script(Ticker=kraken.success({"XDGUSD": row, "XXBTZUSD": dear}))

    quotes = ask(script, lambda venue: venue.quotes((BTC, Symbol("DOGE/USD"))))

    assert [(each.symbol, str(each.last)) for each in quotes] == [
        ("BTC/USD", "60000.10000"),
        ("DOGE/USD", "1.5"),
    ]
    assert (quotes[1].bid, quotes[1].ask, quotes[1].bid_quantity) == (d("1.0"), d("2.0"), d("0.4"))
    assert quotes[0].as_of == kraken.EPOCH
    assert script.seen("Ticker") == [{"pair": "XBTUSD,XDGUSD"}]


def test_no_symbols_is_no_question() -> None:
    """Asked without a pair, the venue would answer with all of them."""
    script = kraken.Script()

    assert ask(script, lambda venue: venue.quotes(())) == ()
    assert script.requests == []


def test_a_missing_row_is_the_venues_fault_and_an_unknown_name_ours() -> None:
    """A quote is never made up."""
    script = kraken.Script(Ticker=kraken.success({}))

    with pytest.raises(VenueMisbehaved):
        ask(script, lambda venue: venue.quotes((BTC,)))
    with pytest.raises(UnknownInstrument):
        ask(script, lambda venue: venue.quotes((Symbol("BTC/MOON"),)))


def test_the_book_keeps_its_order() -> None:
    """Best levels first on both sides."""
    rows = {
        "asks": [["2.0", "1.250", 1767614400], ["3.0", "1", 1767614400]],
        "bids": [["1.0", "2", 1767614400]],
    }
    script = kraken.Script(Depth=kraken.success({"XXBTZUSD": rows}))

    book = ask(script, lambda venue: venue.book(BTC, 25))

    assert [level.price for level in book.asks] == [d("2.0"), d("3.0")]
    assert str(book.asks[0].quantity) == "1.250"
    assert script.seen("Depth") == [{"pair": "XBTUSD", "count": "25"}]


def test_only_the_last_candle_is_still_running() -> None:
    """`last` is the start of the newest finished one; what opened before `since` is cut."""
    times = [1767610800, 1767614400, 1767618000]
    rows = [[at, "1", "2", "0.5", "1.5", "0.0", "3.00000000", 4] for at in times]
    script = kraken.Script(OHLC=kraken.success({"XXBTZUSD": rows, "last": times[1]}))

    candles = ask(script, lambda venue: venue.candles(BTC, Timeframe.H1, kraken.EPOCH))

    assert [(each.opened_at, each.is_final) for each in candles] == [
        (kraken.EPOCH, True),
        (kraken.EPOCH + timedelta(hours=1), False),
    ]
    assert script.seen("OHLC") == [{"pair": "XBTUSD", "interval": "60", "since": "1767614399"}]


def test_prints_carry_the_id_to_go_on_from() -> None:
    """The id is text: as a number it would lose its last digits."""
    rows = [["60000.10000", "0.00100000", 1767614400.9717445, "s", "m", "", 7]]
    script = kraken.Script(Trades=kraken.success({"XXBTZUSD": rows, "last": "1767614400971744512"}))

    trades, last = ask(script, lambda venue: venue.trades(BTC, "5"))

    assert last == "1767614400971744512"
    assert (trades[0].side, trades[0].trade_id) == (Side.SELL, 7)
    assert trades[0].traded_at == kraken.EPOCH + timedelta(microseconds=971744)
    assert script.seen("Trades") == [{"pair": "XBTUSD", "since": "5"}]


def test_the_catalogue_is_read_once_and_again_after_an_hour() -> None:
    """Every price is printed by it; it must neither cost a call each nor grow old for ever."""
    script = kraken.Script()

    async def use(venue: KrakenSpot) -> None:
        await venue.catalogue()
        await venue.catalogue()
        await venue._clock.sleep(3601)
        await venue.catalogue()

    ask(script, use)

    assert len(script.seen("AssetPairs")) == 2


def test_a_pair_that_changes_or_leaves_the_list_is_told() -> None:
    """Once each; what left keeps its name, and what comes back is told as well."""
    post_only = {**kraken.PAIRS["XXBTZUSD"], "status": "post_only"}
    fewer = {key: row for key, row in kraken.PAIRS.items() if key != "XETHZUSD"}
    lists = [kraken.PAIRS, {**fewer, "XXBTZUSD": post_only}, fewer, kraken.PAIRS]
    script = kraken.Script(AssetPairs=[kraken.success(each) for each in lists])

    async def told(venue: KrakenSpot) -> Any:
        await venue.catalogue()
        changes = [dict((await venue.instrument_changes()).statuses) for _ in range(4)]
        return changes, (await venue.catalogue()).resolve("XETHZUSD").symbol

    online, gone = InstrumentStatus.ONLINE, InstrumentStatus.DELISTED
    assert ask(script, told) == (
        [
            {"BTC/USD": InstrumentStatus.POST_ONLY, "ETH/USD": gone},
            {"BTC/USD": online},
            {"ETH/USD": online},
            {},
        ],
        "ETH/USD",
    )


def test_an_empty_catalogue_is_not_believed() -> None:
    """An empty answer is no evidence that nothing is traded."""
    with pytest.raises(VenueMisbehaved):
        ask(kraken.Script(AssetPairs=kraken.success({})), lambda venue: venue.catalogue())


# --- the account


KEY: dict[str, Any] = {
    "api_key_name": "paper",
    "api_key": "AbC",
    "nonce": "1774350056123",
    "nonce_window": "5000",
    "permissions": ["query-funds"],
    "iban": "AA00 N00G 0000 0000",
    "valid_until": "1767700000",
    "query_from": "1767600000",
    "query_to": "0",
    "created_time": "1722132642",
    "modified_time": "1722132643",
    "ip_allowlist": ["10.0.0.1", ""],
    "last_used": None,
}


def camel(name: str) -> str:
    """`api_key_name` as `apiKeyName`."""
    first, *others = name.split("_")
    return first + "".join(each.title() for each in others)


@pytest.mark.parametrize("style", [str, camel])
def test_all_of_the_key_is_read_in_both_styles(style: Callable[[str], str]) -> None:
    """The documentation shows one style, a live account the other; zero and null are no limit."""
    answer = {style(name): value for name, value in KEY.items()}

    info = ask(kraken.Script(GetApiKeyInfo=kraken.success(answer)), lambda venue: venue.key_info())

    assert info == KeyInfo(
        name="paper",
        permissions=frozenset({"query-funds"}),
        nonce=1774350056123,
        nonce_window=5000,
        valid_until=codec.time_of(d("1767700000")),
        query_from=codec.time_of(d("1767600000")),
        query_to=None,
        allowed_addresses=("10.0.0.1",),
        created_at=codec.time_of(d("1722132642")),
        modified_at=codec.time_of(d("1722132643")),
        last_used_at=None,
        iban="AA00 N00G 0000 0000",
    )


def test_a_key_without_permissions_in_its_answer_is_no_key_that_may_nothing() -> None:
    """What is not told is not taken for none."""
    script = kraken.Script(GetApiKeyInfo=kraken.success({"api_key_name": "paper"}))

    with pytest.raises(VenueMisbehaved, match="GetApiKeyInfo"):
        ask(script, lambda venue: venue.key_info())


def test_a_token_is_handed_on_and_an_empty_one_refused() -> None:
    """The streams present it."""
    script = kraken.Script(
        GetWebSocketsToken=[
            kraken.success({"token": "t0ken", "expires": 900}),
            kraken.success({"token": "", "expires": 900}),
        ]
    )

    async def twice(venue: KrakenSpot) -> str:
        token = await venue.websocket_token()
        with pytest.raises(VenueMisbehaved):
            await venue.websocket_token()
        return token

    assert ask(script, twice) == "t0ken"


def test_open_orders_can_be_asked_by_client_id() -> None:
    """The answer is narrowed here too: the venue ignores parameters it does not know."""
    other = kraken.order_row(cl_ord_id="another")
    script = kraken.Script(
        OpenOrders=kraken.success({"open": {ORDER_ID: kraken.order_row(), "OTHER": other}})
    )

    found = ask(script, lambda venue: venue.open_orders(CLIENT_ID))

    assert [each.venue_order_id for each in found] == [ORDER_ID]
    assert script.seen("OpenOrders")[0]["cl_ord_id"] == CLIENT_ID


def test_unknown_ids_are_absent_even_when_one_fails_the_whole_question() -> None:
    """A refused question is asked again in halves."""
    known = {"OA", "OD"}

    def query(request: httpx.Request) -> httpx.Response:
        ids = kraken.fields(request)["txid"].split(",")
        if not set(ids) <= known:
            return kraken.failure("EOrder:Unknown order")
        return kraken.success({each: kraken.order_row() for each in ids})

    script = kraken.Script(QueryOrders=query)
    ids = [VenueOrderId(name) for name in ("OA", "OB", "OC", "OD")]

    found = ask(script, lambda venue: venue.orders(ids))

    assert {each.venue_order_id for each in found} == known


def test_many_ids_are_asked_fifty_at_a_time() -> None:
    """The venue's limit."""
    script = kraken.Script(QueryOrders=kraken.success({}))
    ids = [VenueOrderId(f"O{number}") for number in range(101)]

    assert ask(script, lambda venue: venue.orders(ids)) == ()
    assert [len(each["txid"].split(",")) for each in script.seen("QueryOrders")] == [50, 50, 1]


def test_a_history_is_read_to_its_end_while_rows_arrive() -> None:
    """130 fills, and a new one before every page: none is missed, none is doubled."""
    base = 1767600000
    times = [float(base + 10 * number) for number in range(130)]
    arriving = [float(base + 5000 + number) for number in range(10)]

    def trades(request: httpx.Request) -> httpx.Response:
        times.append(arriving.pop(0))
        newest = sorted(times, reverse=True)
        rows = {f"T{at}": kraken.fill_row(at) for at in newest}
        answer: httpx.Response = kraken.page(rows, request, "trades", newest)
        return answer

    script = kraken.Script(TradesHistory=trades)

    fills = ask(script, lambda venue: venue.fills())

    assert len(fills) == len({each.fill_id for each in fills}) == 131
    assert fills == tuple(sorted(fills, key=lambda each: each.filled_at, reverse=True))
    assert {each["consolidate_taker"] for each in script.seen("TradesHistory")} == {"false"}
    assert [each.get("ofs") for each in script.seen("TradesHistory")] == [None, "50", "100"]


def test_a_venue_that_repeats_its_page_does_not_hold_the_reader() -> None:
    """A full page without a new row is the end."""
    rows = {f"T{number}": kraken.fill_row() for number in range(50)}
    script = kraken.Script(TradesHistory=kraken.success({"trades": rows}))

    assert len(ask(script, lambda venue: venue.fills())) == 50
    assert len(script.requests) == 4


def test_a_history_is_cut_to_the_times_asked() -> None:
    """The venue counts in whole seconds and leaves out its start; both ends belong to us."""
    base = kraken.EPOCH.timestamp()
    times = [base + 2.5, base + 2, base + 1, base, base - 0.5]
    rows = {f"L{at}": kraken.ledger_row(at) for at in times}

    def ledgers(request: httpx.Request) -> httpx.Response:
        answer: httpx.Response = kraken.page(rows, request, "ledger", times)
        return answer

    script = kraken.Script(Ledgers=ledgers)

    found = ask(
        script,
        lambda venue: venue.ledger(since=kraken.EPOCH, until=kraken.EPOCH + timedelta(seconds=2)),
    )

    assert [(each.booked_at - kraken.EPOCH).total_seconds() for each in found] == [2, 1, 0]
    assert {each.asset for each in found} == {"BTC"}


def test_closed_orders_are_asked_by_the_time_they_closed() -> None:
    """An old order that closed today belongs to today."""
    at = kraken.EPOCH.timestamp()
    row = kraken.order_row(status="canceled", opentm=at - 86400, closetm=at, reason=None)
    script = kraken.Script(ClosedOrders=kraken.success({"closed": {ORDER_ID: row}, "count": 1}))

    found = ask(
        script, lambda venue: venue.closed_orders(since=kraken.EPOCH, client_order_id=CLIENT_ID)
    )

    assert [each.venue_order_id for each in found] == [ORDER_ID]
    asked = script.seen("ClosedOrders")[0]
    assert (asked["closetime"], asked["start"]) == ("close", str(int(at) - 1))
    assert asked["cl_ord_id"] == CLIENT_ID


# --- writes


def test_an_order_is_placed_in_the_venues_words() -> None:
    """And its id is the venue's."""
    script = kraken.Script(AddOrder=PLACED)

    found = ask(
        script, lambda venue: venue.place(BUY, client_order_id=CLIENT_ID, deadline=DEADLINE)
    )

    sent = script.seen("AddOrder")[0]
    sent.pop("nonce")
    assert found == ORDER_ID
    assert sent == {
        "pair": "XBTUSD",
        "type": "buy",
        "ordertype": "limit",
        "volume": "0.01000000",
        "price": "60000.0",
        "oflags": "fciq",
        "cl_ord_id": CLIENT_ID,
        "deadline": "2026-01-05T12:00:05.000000Z",
    }


@pytest.mark.parametrize("ids", [[], ["OA", "OB"]])
def test_an_acceptance_without_one_id_is_unknown(ids: list[str]) -> None:
    """Something was taken; which order it is nobody said."""
    script = kraken.Script(AddOrder=kraken.success({"descr": {}, "txid": ids}))

    with pytest.raises(OutcomeUnknown):
        ask(script, lambda venue: venue.place(BUY, client_order_id=CLIENT_ID, deadline=DEADLINE))


def test_validation_places_nothing_and_shouts_if_it_did() -> None:
    """`validate=true` is answered without an id."""
    script = kraken.Script(AddOrder=[kraken.success({"descr": {"order": "buy it"}}), PLACED])

    async def twice(venue: KrakenSpot) -> str:
        text = await venue.validate(BUY)
        with pytest.raises(OutcomeUnknown):
            await venue.validate(BUY)
        return text

    assert ask(script, twice) == "buy it"
    assert {each["validate"] for each in script.seen("AddOrder")} == {"true"}


def test_amend_and_cancel_by_id() -> None:
    """Each says what it did."""
    script = kraken.Script(
        AmendOrder=kraken.success({"amend_id": "TEZA4R-DSDGT-IJBOJK"}),
        CancelOrder=kraken.success({"count": 1}),
        CancelOrderBatch=kraken.success({"count": 2}),
    )
    change = OrderAmendment(venue_order_id=ORDER_ID, symbol=BTC, limit_price=d("60001"))

    async def all_three(venue: KrakenSpot) -> tuple[str, int, int, int]:
        return (
            await venue.amend(change, deadline=DEADLINE),
            await venue.cancel(ORDER_ID),
            await venue.cancel_batch([ORDER_ID, ORDER_ID]),
            await venue.cancel_batch([]),
        )

    assert ask(script, all_three) == ("TEZA4R-DSDGT-IJBOJK", 1, 2, 0)
    assert script.seen("CancelOrder")[0]["txid"] == ORDER_ID


def test_cancelling_what_is_gone_is_told_apart_from_success() -> None:
    """It may have filled."""
    script = kraken.Script(CancelOrder=kraken.failure("EOrder:Unknown order"))

    with pytest.raises(VenueRejected) as raised:
        ask(script, lambda venue: venue.cancel(ORDER_ID))

    assert "may have filled" in raised.value.hint


def test_a_batch_beyond_the_venues_limit_is_refused() -> None:
    """Half of it done would be told as one failure."""
    with pytest.raises(ValueError, match="51"):
        ask(kraken.Script(), lambda venue: venue.cancel_batch([ORDER_ID] * 51))


def test_a_write_whose_instrument_cannot_be_read_was_not_sent() -> None:
    """Not unknown, and not the venue's no."""
    script = kraken.Script(AddOrder=PLACED, AssetPairs=httpx.Response(200, text="<html>"))

    with pytest.raises(VenueUnavailable, match="Nothing was sent"):
        ask(script, lambda venue: venue.place(BUY, client_order_id=CLIENT_ID, deadline=DEADLINE))
    assert script.seen("AddOrder") == []


class Socket:
    """An order socket that does what it is told."""

    def __init__(self, *, is_up: bool = True, fault: Exception | None = None) -> None:
        self.is_up = is_up
        self.fault = fault
        self.calls: list[str] = []

    def _enter(self, name: str) -> None:
        self.calls.append(name)
        if self.fault is not None:
            raise self.fault

    async def place(
        self,
        request: OrderRequest,
        client_order_id: ClientOrderId | None,
        deadline: datetime,
        instrument: Instrument,
    ) -> VenueOrderId:
        """Place."""
        self._enter(f"place {request.quantity} {instrument.symbol} {client_order_id} {deadline}")
        return VenueOrderId("OSOCKET")

    async def validate(self, request: OrderRequest, instrument: Instrument) -> str:
        """Check."""
        self._enter(f"validate {request.quantity} {instrument.symbol}")
        return ""

    async def place_batch(
        self, orders: Sequence[NewOrder], deadline: datetime, instrument: Instrument
    ) -> tuple[BatchMember, ...]:
        """Place several."""
        self._enter(f"place batch {len(orders)} {instrument.symbol} {deadline}")
        return tuple(
            BatchMember(client_order_id=name, venue_order_id=VenueOrderId(f"OSOCKET{number}"))
            for number, (name, _) in enumerate(orders)
        )

    async def validate_batch(
        self, orders: Sequence[NewOrder], deadline: datetime, instrument: Instrument
    ) -> tuple[BatchMember, ...]:
        """Check several."""
        self._enter(f"validate batch {len(orders)} {instrument.symbol} {deadline}")
        return ()

    async def amend(
        self, amendment: OrderAmendment, deadline: datetime, instrument: Instrument
    ) -> str:
        """Amend."""
        self._enter(f"amend {amendment.venue_order_id} {instrument.symbol} {deadline}")
        return "TSOCKET"

    async def edit(
        self, edit: OrderEdit, deadline: datetime, instrument: Instrument
    ) -> EditedOrder:
        """Edit."""
        self._enter(f"edit {edit.venue_order_id} {instrument.symbol} {deadline}")
        return EditedOrder(
            venue_order_id=VenueOrderId("OSOCKET"), original_order_id=edit.venue_order_id
        )

    async def validate_edit(
        self, edit: OrderEdit, deadline: datetime, instrument: Instrument
    ) -> None:
        """Check an edit."""
        self._enter(f"validate edit {edit.venue_order_id} {instrument.symbol} {deadline}")

    async def cancel(self, name: OrderName) -> int:
        """Cancel."""
        self._enter(f"cancel {name.text}")
        return 1

    async def cancel_each(self, names: Sequence[OrderName]) -> tuple[CancelResult, ...]:
        """Cancel each."""
        self._enter(f"cancel each {len(names)}")
        return tuple(CancelResult(name=name, count=1) for name in names)

    async def cancel_batch(self, names: Sequence[OrderName]) -> int:
        """Cancel several."""
        self._enter(f"cancel batch {len(names)}")
        return len(names)

    async def cancel_all(self) -> int:
        """Cancel all."""
        self._enter("cancel all")
        return 0

    async def cancel_all_after(self, timeout_s: int) -> datetime | None:
        """Set the switch."""
        self._enter(f"cancel all after {timeout_s}")
        return None


Use = Callable[[KrakenSpot], Coroutine[Any, Any, Any]]
CHANGE = OrderAmendment(venue_order_id=ORDER_ID, symbol=BTC, quantity=Decimal("0.02"))
EDIT = OrderEdit(
    venue_order_id=ORDER_ID, symbol=BTC, order_type=OrderType.LIMIT, quantity=Decimal("0.02")
)
TWO = (VenueOrderId("O1"), OrderName(client_order_id=CLIENT_ID))
PAIR: tuple[NewOrder, ...] = ((CLIENT_ID, BUY), (ClientOrderId("another"), BUY))
WRITES: dict[str, tuple[str, Any, Use]] = {
    "place": (
        "AddOrder",
        {"descr": {"order": "buy it"}, "txid": [ORDER_ID]},
        lambda venue: venue.place(BUY, client_order_id=CLIENT_ID, deadline=DEADLINE),
    ),
    "place batch": (
        "AddOrderBatch",
        {"orders": [{"txid": "O1"}, {"txid": "O2"}]},
        lambda venue: venue.place_batch(PAIR, deadline=DEADLINE),
    ),
    "amend": (
        "AmendOrder",
        {"amend_id": "TREST"},
        lambda venue: venue.amend(CHANGE, deadline=DEADLINE),
    ),
    "edit": (
        "EditOrder",
        {"status": "ok", "txid": "O2", "originaltxid": ORDER_ID, "orders_cancelled": 1},
        lambda venue: venue.edit(EDIT, deadline=DEADLINE),
    ),
    "cancel": ("CancelOrder", {"count": 1}, lambda venue: venue.cancel(ORDER_ID)),
    "cancel each": ("CancelOrder", {"count": 1}, lambda venue: venue.cancel_each(TWO)),
    "cancel batch": ("CancelOrderBatch", {"count": 2}, lambda venue: venue.cancel_batch(TWO)),
    "cancel all after": (
        "CancelAllOrdersAfter",
        {"triggerTime": "0"},
        lambda venue: venue.cancel_all_after(60),
    ),
    "cancel all": ("CancelAll", {"count": 7}, lambda venue: venue.cancel_all()),
}
"""Every write: REST's method, its answer, and how it is asked for."""


def sent(name: str, socket: Socket) -> tuple[int, Exception | None]:
    """How often REST was asked for one write, and what it raised."""
    method, answer, use = WRITES[name]
    script = kraken.Script(**{method: kraken.success(answer)})

    async def run() -> Exception | None:
        try:
            await use(kraken.spot(script, orders=socket))
        except VenueError as error:
            return error
        return None

    error = run_virtual(run())
    return len(script.seen(method)), error


@pytest.mark.parametrize("name", WRITES)
def test_a_write_goes_by_the_socket_while_it_is_up(name: str) -> None:
    """And by nothing else: protective orders need no nonce there."""
    socket = Socket()

    assert sent(name, socket) == (0, None)
    assert [call.startswith(name) for call in socket.calls] == [True]


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("state", ["down", "closing"])
def test_a_write_goes_by_rest_where_the_socket_provably_sent_nothing(name: str, state: str) -> None:
    """Down, or closed before the frame left."""
    socket = Socket(is_up=state != "down", fault=VenueUnavailable("closed under us"))
    asked, error = sent(name, socket)

    assert error is None
    assert asked == (2 if name == "cancel each" else 1)


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("fault", [OutcomeUnknown("lost"), VenueRejected("no", code="EOrder:x")])
def test_nothing_that_may_have_left_by_the_socket_goes_by_rest_as_well(
    name: str, fault: Exception
) -> None:
    """That would be a second order."""
    socket = Socket(fault=fault)

    assert sent(name, socket) == (0, fault)
    assert len(socket.calls) == 1


CHECKS: dict[str, tuple[str, Any, Use]] = {
    "validate": ("AddOrder", {"descr": {"order": "buy it"}}, lambda venue: venue.validate(BUY)),
    "validate batch": (
        "AddOrderBatch",
        {"orders": [{"descr": {}}, {"descr": {}}]},
        lambda venue: venue.validate_batch(PAIR, deadline=DEADLINE),
    ),
    "validate edit": (
        "EditOrder",
        {"status": "ok", "originaltxid": ORDER_ID},
        lambda venue: venue.validate_edit(EDIT, deadline=DEADLINE),
    ),
}
"""Every check: as `WRITES`."""


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_goes_by_either_wire_and_says_that_it_is_one(name: str) -> None:
    """By the socket while it is up; what is lost there is asked again by REST."""
    method, answer, use = CHECKS[name]
    script = kraken.Script(**{method: kraken.success(answer)})
    sockets = Socket(), Socket(fault=VenueUnavailable("no answer")), Socket(is_up=False)

    async def run() -> None:
        for socket in sockets:
            await use(kraken.spot(script, orders=socket))

    run_virtual(run())

    assert [len(socket.calls) for socket in sockets] == [1, 1, 0]
    assert sockets[0].calls[0].startswith(name)
    bodies = [each.content for each in script.requests if each.url.path.endswith(method)]
    assert [b"validate" in each and b"true" in each for each in bodies] == [True, True]


def test_what_is_only_checked_is_asked_again_by_rest() -> None:
    """Nothing can happen twice; the socket says no more than that the order would do."""
    script = kraken.Script(AddOrder=kraken.success({"descr": {"order": "buy it"}}))
    told: list[str] = []

    async def run() -> None:
        lost = Socket(fault=VenueUnavailable("no answer"))
        told.append(await kraken.spot(script, orders=Socket()).validate(BUY))
        told.append(await kraken.spot(script, orders=lost).validate(BUY))

    run_virtual(run())

    assert told == ["", "buy it"]
    assert [each["validate"] for each in script.seen("AddOrder")] == ["true"]
