"""Every order type and flag over both wires at the paper exchange: QueryOrders tells one story."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest
from test_stream_against_paper import Client, at_venue

from builders import BTC, d, make_instrument, make_request
from paper_desk import traded
from paper_socket import KEY, SECRET
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
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
from zoe_tools.errors import OutcomeUnknown, VenueRejected
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.order_answers import BatchMember
from zoe_tools.kraken.order_rules import NOT_SENT
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.faults import FaultName, FaultRule
from zoe_tools.runtime.venue import in_process_transport

INSTRUMENT = make_instrument(altname="XBTUSD")
TRIGGERED = {"trigger_price": d("58000")}
DISTANT = {"trigger_price": d("500")}
OWN = ("opentm", "closetm", "cl_ord_id", "trades", "starttm", "expiretm")
"""What differs by its nature: when, under which id, and by which fills."""


def order(kind: OrderType = OrderType.LIMIT, terms: Any = None, **changes: Any) -> OrderRequest:
    """A buy of 0.001 BTC, limited at 59000 where it has a limit, with these terms."""
    limit = d("59000") if kind in (OrderType.LIMIT, OrderType.ICEBERG) else None
    asked = {"quantity": d("0.001"), "side": Side.BUY, "limit_price": limit}
    if terms is not None:
        asked["terms"] = OrderTerms(**terms)
    return make_request(order_type=kind, **{**asked, **changes})


def closing(kind: OrderType, **prices: Any) -> OrderRequest:
    """A limited buy by user reference that is closed so."""
    close = ConditionalClose(order_type=kind, **prices)
    return order(terms={"userref": 7, "close": close})


def away(direction: Any, distance: str, unit: str = "") -> PriceOffset:
    """So far from the last price, in quote or in percent."""
    return PriceOffset(distance=d(distance), direction=direction, is_percent=unit == "%")


SELL = {"side": Side.SELL}
ABOVE = {"trigger_price": d("62000")}
ORDERS: dict[str, OrderRequest] = {
    "market": order(OrderType.MARKET),
    "limit": order(),
    "iceberg": order(OrderType.ICEBERG, {"display_quantity": d("0.0002")}),
    "stop": order(OrderType.STOP_LOSS, **ABOVE),
    "stop limit": order(OrderType.STOP_LOSS_LIMIT, **ABOVE, limit_price=d("62100")),
    "target": order(OrderType.TAKE_PROFIT, **TRIGGERED),
    "target limit": order(OrderType.TAKE_PROFIT_LIMIT, **TRIGGERED, limit_price=d("58100")),
    "trailing": order(OrderType.TRAILING_STOP, **DISTANT),
    "trailing limit": order(OrderType.TRAILING_STOP_LIMIT, **DISTANT, limit_price=d("10")),
    "trailing sale": order(OrderType.TRAILING_STOP_LIMIT, **DISTANT, limit_price=d("10"), **SELL),
    "post only": order(post_only=True),
    "immediate": order(limit_price=d("60001"), time_in_force=TimeInForce.IOC),
    "in quote": order(OrderType.MARKET, {"is_quantity_in_quote": True}, quantity=d("50")),
    "fee in base": order(terms={"fee_in": "base"}),
    "user reference": order(terms={"userref": 7}),
    "the oldest goes": order(terms={"self_trade": SelfTrade.CANCEL_OLDEST}),
    "both go": order(terms={"self_trade": SelfTrade.CANCEL_BOTH}),
    "leverage": order(terms={"leverage": 2}),
    "fill or kill": order(limit_price=d("60001"), time_in_force=TimeInForce.FOK),
    "closed at a limit": closing(OrderType.LIMIT, limit_price=d("61000")),
    "closed by a stop": closing(OrderType.STOP_LOSS, **TRIGGERED),
    "closed by a trailing stop": closing(OrderType.TRAILING_STOP, **DISTANT),
    "index": order(OrderType.STOP_LOSS, {"trigger_by": "index"}, **ABOVE),
    "reduce only": order(reduce_only=True),
    "settle": order(OrderType.SETTLE_POSITION, {"leverage": 2}, quantity=d("0")),
    "limit below the last": order(terms={"limit_offset": away("-", "100.5")}, limit_price=None),
    "limit above the last": order(
        terms={"limit_offset": away("+", "0.5", "%")}, limit_price=None, side=Side.SELL
    ),
    "limit where it rests": order(terms={"limit_offset": away("#", "1", "%")}, limit_price=None),
    "stop above the last": order(OrderType.STOP_LOSS, {"trigger_offset": away("+", "500")}),
    "stop in percent": order(
        OrderType.STOP_LOSS, {"trigger_offset": away("-", "1.25", "%")}, **SELL
    ),
    "stop where it protects": order(OrderType.STOP_LOSS, {"trigger_offset": away("#", "500")}),
    "target in percent, limited": order(
        OrderType.TAKE_PROFIT_LIMIT, {"trigger_offset": away("-", "2", "%")}, limit_price=d("58000")
    ),
    "both relative": order(
        OrderType.STOP_LOSS_LIMIT,
        {"trigger_offset": away("+", "500"), "limit_offset": away("+", "510")},
    ),
    "trailing in percent": order(OrderType.TRAILING_STOP, {"trigger_offset": away("+", "1", "%")}),
    "trailing limit in percent": order(
        OrderType.TRAILING_STOP_LIMIT,
        {"trigger_offset": away("+", "1.5", "%"), "limit_offset": away("-", "0.1", "%")},
        **SELL,
    ),
    "closed at a relative limit": closing(OrderType.LIMIT, limit_offset=away("+", "1", "%")),
    "closed by a relative stop": closing(
        OrderType.STOP_LOSS_LIMIT,
        trigger_offset=away("-", "500"),
        limit_offset=away("-", "510"),
    ),
    "closed by a trailing percentage": closing(
        OrderType.TRAILING_STOP, trigger_offset=away("+", "2", "%")
    ),
}
REFUSED = {
    "leverage": "EOrder:Cannot open position",
    "index": "EGeneral:Invalid arguments:Index unavailable",
    "reduce only": "EOrder:Reduce only:No position exists",
    "settle": "EOrder:Unknown position",
}
"""What this account may not do, or this venue does not have; all else is placed."""


def client_id(request: OrderRequest, number: int) -> ClientOrderId | None:
    """Our id number so-and-so; none for an order with a user reference."""
    if request.terms is not None and request.terms.userref is not None:
        return None
    return ClientOrderId(f"11112222-3333-4444-8555-{number:012d}")


class Told:
    """What the venue says of one order, or the words it refuses it with."""

    def __init__(self, client: Client) -> None:
        self._clock = client.clock
        exchange = client.desk.exchange
        self.rest = RestClient(
            "http://paper",
            api_key=KEY,
            api_secret=SECRET,
            clock=client.clock,
            coordination=NonceSource(client.clock),
            transport=in_process_transport(create_app(exchange, proof_secret=None)),
            unlimited=True,
        )
        self.by_rest = KrakenSpot(self.rest, client.clock)
        self.by_socket = KrakenSpot(self.rest, client.clock, orders=client.orders)

    @property
    def deadline(self) -> datetime:
        """Five seconds from now."""
        return self._clock.now() + timedelta(seconds=5)

    async def of(self, venue: KrakenSpot, request: OrderRequest, number: int) -> Any:
        """The row of QueryOrders, without what must differ."""
        try:
            placed = await venue.place(
                request, client_order_id=client_id(request, number), deadline=self.deadline
            )
        except VenueRejected as error:
            return error.code
        return await self.row(placed)

    async def row(self, placed: VenueOrderId | None) -> Any:
        """The row of QueryOrders of one order, without what must differ."""
        asked = {"txid": str(placed)}
        rows = await self.rest.private("QueryOrders", asked, dict[str, Any], is_write=False)
        return {key: value for key, value in rows[str(placed)].items() if key not in OWN}


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_is_the_same_order_by_either_wire(name: str) -> None:
    """The venue's own record says so; where it refuses, it refuses both with one code."""
    told: list[Any] = []

    async def story(client: Client) -> None:
        client.desk.hear(traded("60000.1", "0.5", "buy"))
        both = Told(client)
        told.append(await both.of(both.by_rest, ORDERS[name], 1))
        told.append(await both.of(both.by_socket, ORDERS[name], 2))
        await both.rest.aclose()

    at_venue(story)
    by_rest, by_socket = told

    assert by_rest == by_socket
    assert (by_rest if isinstance(by_rest, str) else None) == REFUSED.get(name)


@pytest.mark.parametrize("name", ["limit", "trailing limit"])
def test_an_order_till_a_date_ends_then_by_either_wire(name: str) -> None:
    """The very second is told."""
    told: list[Any] = []

    async def story(client: Client) -> None:
        client.desk.hear(traded("60000.1", "0.5", "buy"))
        both = Told(client)
        ends = (client.clock.now() + timedelta(hours=1)).replace(microsecond=0)
        base = ORDERS[name]
        request = order(
            base.order_type,
            {"expires_at": ends},
            time_in_force=TimeInForce.GTD,
            limit_price=base.limit_price,
            trigger_price=base.trigger_price,
        )
        for number, venue in enumerate((both.by_rest, both.by_socket)):
            told.append(await both.of(venue, request, number))
        rows = await both.rest.private("OpenOrders", {}, dict[str, Any], is_write=False)
        told.extend(row["expiretm"] - ends.timestamp() for row in rows["open"].values())
        await both.rest.aclose()

    at_venue(story)

    assert told[0] == told[1]
    assert told[2:] == [0, 0]


def test_all_orders_go_by_either_wire_at_once_or_when_the_switch_goes_off() -> None:
    """The switch is set, extended and disarmed; nothing is open after a cancel of all."""

    async def story(client: Client) -> None:
        both = Told(client)
        for number, venue in enumerate((both.by_rest, both.by_socket)):
            began = client.clock.now()
            await both.of(venue, order(), 2 * number)
            ends = await venue.cancel_all_after(60)
            assert ends is not None
            assert 59 <= (ends - began).total_seconds() <= 61
            assert await venue.cancel_all_after(0) is None
            assert await venue.cancel_all() == 1
            assert await venue.cancel_all() == 0
            with pytest.raises(VenueRejected, match="Invalid timeout"):
                await venue.cancel_all_after(86400)

            await both.of(venue, order(), 2 * number + 1)
            await venue.cancel_all_after(2)
            await client.clock.sleep(5)
            assert await venue.open_orders() == ()
        await both.rest.aclose()

    at_venue(story)


@pytest.mark.parametrize(
    ("fault", "is_done"),
    [("accept-then-drop", 1), ("reply-lost-before", 0), ("reply-lost-after", 1), ("busy", 0)],
)
def test_a_lost_answer_is_an_unknown_outcome_and_nothing_goes_by_the_other_wire(
    fault: FaultName, is_done: int
) -> None:
    """Done or not, only the venue's records tell; a second placement would be a second order."""

    async def story(client: Client) -> None:
        both = Told(client)
        await both.by_socket.catalogue()
        client.desk.exchange.arm_fault(FaultRule(name=fault, where="add_order"))
        with pytest.raises(OutcomeUnknown):
            await both.of(both.by_socket, order(), 1)
        assert len(await both.by_socket.open_orders()) == is_done
        await both.rest.aclose()

    at_venue(story)


def test_an_amendment_shows_less_of_an_iceberg_and_never_takes_by_either_wire() -> None:
    """What it shows is changed in place; a post-only price across the market is refused."""

    async def story(client: Client) -> None:
        both = Told(client)
        for number, venue in enumerate((both.by_rest, both.by_socket)):
            deadline, asked = both.deadline, ORDERS["iceberg"]
            name = client_id(asked, number)
            placed = await venue.place(asked, client_order_id=name, deadline=deadline)
            less = OrderAmendment(venue_order_id=placed, symbol=BTC, display_quantity=d("0.0001"))
            await venue.amend(less, deadline=deadline)
            across = OrderAmendment(
                venue_order_id=placed, symbol=BTC, limit_price=d("61000"), post_only=True
            )
            with pytest.raises(VenueRejected, match="Post only"):
                await venue.amend(across, deadline=deadline)
        await both.rest.aclose()

    at_venue(story)


AMENDED: dict[str, tuple[str, dict[str, Any]]] = {
    "limit below the last": ("limit", {"limit_offset": away("-", "2", "%")}),
    "limit above the last": ("limit sale", {"limit_offset": away("+", "1500")}),
    "trigger above the last": ("stop", {"trigger_offset": away("+", "3", "%")}),
    "both": (
        "stop limit",
        {"trigger_offset": away("+", "2500"), "limit_offset": away("+", "2600")},
    ),
    "distance": ("trailing", {"trigger_offset": away("+", "700")}),
    "distance in percent": ("trailing limit", {"trigger_offset": away("+", "2", "%")}),
    "limit beside the trigger": ("trailing limit", {"limit_offset": away("+", "25")}),
}


@pytest.mark.parametrize("name", AMENDED)
def test_an_offset_amends_an_order_to_the_same_by_either_wire(name: str) -> None:
    """The venue works it out of the same last price."""
    kind, changes = AMENDED[name]
    request = {**ORDERS, "limit sale": order(limit_price=d("61000"), side=Side.SELL)}[kind]
    told: list[Any] = []

    async def story(client: Client) -> None:
        client.desk.hear(traded("60000.1", "0.5", "buy"))
        both = Told(client)
        for number, venue in enumerate((both.by_rest, both.by_socket)):
            name = client_id(request, number)
            placed = await venue.place(request, client_order_id=name, deadline=both.deadline)
            before = await both.row(placed)
            change = OrderAmendment(venue_order_id=placed, symbol=BTC, **changes)
            await venue.amend(change, deadline=both.deadline)
            told.append(await both.row(placed))
            assert told[-1] != before
            await venue.cancel(placed)
        await both.rest.aclose()

    at_venue(story)

    assert told[0] == told[1]


class Counted:
    """How many writes went by REST, in front of a client."""

    def __init__(self, rest: RestClient) -> None:
        self.writes = 0
        self._private = rest.private
        rest.private = self.private  # type: ignore[method-assign]

    async def private(
        self, method: str, params: Any, answer: Any, *, is_write: bool, is_urgent: bool = False
    ) -> Any:
        """Count it and pass it on."""
        self.writes += is_write
        return await self._private(method, params, answer, is_write=is_write, is_urgent=is_urgent)


def test_orders_go_by_rest_while_the_socket_is_away_and_by_the_socket_once_it_is_back() -> None:
    """One after another, each once: the venue has as many as were asked for."""

    async def story(client: Client) -> None:
        both = Told(client)
        counted = Counted(both.rest)
        venue = both.by_socket
        await both.of(venue, order(), 1)
        by_rest = [counted.writes]
        await client.ends[-1].close(1001, "going away")
        for _ in takewhile(lambda _: client.orders.is_up, range(100)):
            await asyncio.sleep(0)
        is_up = [client.orders.is_up]
        await both.of(venue, order(), 2)
        by_rest.append(counted.writes)
        await client.clock.sleep(30)
        is_up.append(client.orders.is_up)
        await both.of(venue, order(), 3)
        by_rest.append(counted.writes)

        assert (by_rest, is_up) == ([0, 1, 1], [False, True])
        assert len(await venue.open_orders()) == 3
        await both.rest.aclose()

    at_venue(story)


@pytest.mark.parametrize("is_done", [True, False])
def test_a_socket_that_drops_under_an_order_leaves_it_unknown_and_rest_alone(
    *, is_done: bool
) -> None:
    """The next order goes by REST; the one under way is never sent again."""

    async def story(client: Client) -> None:
        both = Told(client)
        counted = Counted(both.rest)
        fault: FaultName = "accept-then-drop" if is_done else "reply-lost-before"
        await both.by_socket.catalogue()
        client.desk.exchange.arm_fault(FaultRule(name=fault, where="add_order"))
        with pytest.raises(OutcomeUnknown):
            await both.of(both.by_socket, order(), 1)
        assert counted.writes == 0
        await both.of(both.by_socket, order(), 2)
        assert len(await both.by_socket.open_orders()) == 1 + is_done
        await both.rest.aclose()

    at_venue(story)


# --- several at once


BATCHES: dict[str, tuple[OrderRequest, ...]] = {
    "every kind": tuple(
        ORDERS[name]
        for name in ("limit", "stop", "trailing limit", "iceberg", "user reference", "both go")
    ),
    "what REST alone can say": (ORDERS["limit"], ORDERS["fill or kill"], ORDERS["limit"]),
    "closes": (ORDERS["closed at a limit"], ORDERS["closed by a trailing stop"]),
    "one without funds": (ORDERS["limit"], order(quantity=d("90")), ORDERS["post only"]),
    "one beyond the market": (ORDERS["limit"], order(post_only=True, limit_price=d("61000"))),
    "fifteen": (ORDERS["limit"],) * 15,
}


def words(member: BatchMember) -> str:
    """What the venue refused an order with."""
    return member.error.message if member.error is not None else ""


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_is_the_same_orders_by_either_wire(name: str) -> None:
    """In the order given, each with its own yes or no; a no leaves the others alive."""
    told: list[list[Any]] = []

    async def story(client: Client) -> None:
        client.desk.hear(traded("60000.1", "0.5", "buy"))
        both = Told(client)
        for start, venue in ((0, both.by_rest), (20, both.by_socket)):
            orders = [
                (client_id(each, start + number), each) for number, each in enumerate(BATCHES[name])
            ]
            await venue.validate_batch(orders, deadline=both.deadline)
            assert await venue.open_orders() == ()
            members = await venue.place_batch(orders, deadline=both.deadline)
            assert [each.client_order_id for each in members] == [one for one, _ in orders]
            told.append(
                [
                    await both.row(each.venue_order_id)
                    if (each.error is None)
                    else each.error.message
                    for each in members
                ]
            )
            await venue.cancel_all()
        await both.rest.aclose()

    at_venue(story)

    assert told[0] == told[1]
    assert len(told[0]) == len(BATCHES[name])


UNSOUND: dict[str, tuple[OrderRequest, str]] = {
    "too small": (order(quantity=d("0.00000001")), "minimum not met"),
    "no price": (order(limit_price=None), "which is missing"),
    "too many decimals": (order(limit_price=d("59000.05")), "more than 1 decimals"),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_one_unsound_order_has_its_whole_batch_refused_by_either_wire(name: str) -> None:
    """Placed or only checked: nothing of it is at the venue."""
    unsound, told = UNSOUND[name]

    async def story(client: Client) -> None:
        both = Told(client)
        for venue in (both.by_rest, both.by_socket):
            orders = [(client_id(each, 1 + n), each) for n, each in enumerate((order(), unsound))]
            with pytest.raises(VenueRejected, match=told):
                await venue.place_batch(orders, deadline=both.deadline)
            with pytest.raises(VenueRejected, match=told):
                await venue.validate_batch(orders, deadline=both.deadline)
            assert await venue.open_orders() == ()
        await both.rest.aclose()

    at_venue(story)


LOST: list[tuple[str, FaultName, int]] = [
    ("batch_add", "accept-then-drop", 3),
    ("batch_add", "reply-lost-before", 1),
    ("batch_add", "reply-lost-after", 3),
    ("AddOrderBatch", "accept-then-drop", 3),
    ("AddOrderBatch", "reply-lost-before", 1),
    ("AddOrderBatch", "http-502", 1),
    ("edit_order", "accept-then-drop", 1),
    ("edit_order", "reply-lost-before", 1),
    ("EditOrder", "accept-then-drop", 1),
    ("batch_cancel", "accept-then-drop", 0),
    ("batch_cancel", "reply-lost-before", 1),
    ("CancelOrderBatch", "accept-then-drop", 0),
    ("cancel_order", "accept-then-drop", 0),
    ("cancel_order", "reply-lost-before", 1),
    ("CancelOrder", "accept-then-drop", 0),
]


async def use(venue: KrakenSpot, method: str, resting: VenueOrderId, deadline: datetime) -> None:
    """Have one method of either wire called."""
    asked = method.casefold().replace("_", "")
    if asked in ("batchadd", "addorderbatch"):
        await venue.place_batch(
            [(client_id(order(), number), order()) for number in (1, 2)], deadline=deadline
        )
    elif asked == "editorder":
        await venue.edit(edit_of(resting, quantity=d("0.002")), deadline=deadline)
    elif asked in ("batchcancel", "cancelorderbatch"):
        await venue.cancel_batch([resting, OrderName(userref=7)])
    else:
        await venue.cancel(OrderName(userref=7))


@pytest.mark.parametrize(("method", "fault", "left"), LOST)
def test_a_lost_answer_to_several_orders_or_a_change_is_unknown_by_either_wire(
    method: str, fault: FaultName, left: int
) -> None:
    """It is told as such, once, and nothing goes by the other wire; the records tell the rest."""

    async def story(client: Client) -> None:
        both = Told(client)
        venue = both.by_socket if method.islower() else both.by_rest
        request = ORDERS["user reference"]
        resting = await venue.place(request, client_order_id=None, deadline=both.deadline)
        client.desk.exchange.arm_fault(FaultRule(name=fault, where=method))
        with pytest.raises(OutcomeUnknown):
            await use(venue, method, resting, both.deadline)
        assert len(await both.by_rest.open_orders()) == left
        await both.rest.aclose()

    at_venue(story)


# --- a new order in the place of one


def edit_of(venue_order_id: VenueOrderId, **changes: Any) -> OrderEdit:
    """An edit of a limit order."""
    values = {"order_type": OrderType.LIMIT, "symbol": BTC, **changes}
    return OrderEdit(venue_order_id=venue_order_id, **values)


EDITS: dict[str, tuple[OrderRequest, dict[str, Any]]] = {
    "quantity": (order(terms={"userref": 7}), {"quantity": d("0.002")}),
    "price": (order(terms={"userref": 7}), {"limit_price": d("58500")}),
    "post only": (order(terms={"userref": 7}), {"post_only": True, "limit_price": d("58000")}),
    "user reference": (order(terms={"userref": 7}), {"userref": -9}),
    "price below the last": (order(terms={"userref": 7}), {"limit_offset": away("-", "2", "%")}),
    "shown": (
        order(OrderType.ICEBERG, {"display_quantity": d("0.0005"), "userref": 7}),
        {"order_type": OrderType.ICEBERG, "display_quantity": d("0.0002")},
    ),
    "stop": (
        order(OrderType.STOP_LOSS, {"userref": 7}, **ABOVE),
        {"order_type": OrderType.STOP_LOSS, "trigger_price": d("63000")},
    ),
    "stop above the last": (
        order(OrderType.STOP_LOSS, {"userref": 7}, **ABOVE),
        {"order_type": OrderType.STOP_LOSS, "trigger_offset": away("+", "700")},
    ),
    "limit of a stop": (
        order(OrderType.STOP_LOSS_LIMIT, {"userref": 7}, **ABOVE, limit_price=d("62100")),
        {"order_type": OrderType.STOP_LOSS_LIMIT, "limit_price": d("62200")},
    ),
    "distance": (
        order(OrderType.TRAILING_STOP, {"userref": 7}, **DISTANT),
        {"order_type": OrderType.TRAILING_STOP, "trigger_price": d("700")},
    ),
    "limit of a trailing stop": (
        order(OrderType.TRAILING_STOP_LIMIT, {"userref": 7}, **DISTANT, limit_price=d("10")),
        {"order_type": OrderType.TRAILING_STOP_LIMIT, "limit_offset": away("+", "20")},
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_makes_the_same_new_order_by_either_wire(name: str) -> None:
    """The old one is cancelled for it, and both are named."""
    request, changes = EDITS[name]
    told: list[tuple[Any, Any]] = []

    async def story(client: Client) -> None:
        client.desk.hear(traded("60000.1", "0.5", "buy"))
        both = Told(client)
        for venue in (both.by_rest, both.by_socket):
            old = await venue.place(request, client_order_id=None, deadline=both.deadline)
            await venue.validate_edit(edit_of(old, **changes), deadline=both.deadline)
            assert [each.venue_order_id for each in await venue.open_orders()] == [old]
            edited = await venue.edit(edit_of(old, **changes), deadline=both.deadline)
            assert edited.original_order_id == old != edited.venue_order_id
            gone, new = await both.row(old), await both.row(edited.venue_order_id)
            assert new.pop("refid") == old
            told.append((gone, new))
            assert await venue.cancel_all() == 1
        await both.rest.aclose()

    at_venue(story)

    assert told[0] == told[1]
    gone, new = told[0]
    assert (gone["status"], new["status"]) == ("canceled", "open")
    assert any(
        new.get(key) != gone.get(key) for key in ("descr", "vol", "oflags", "userref", "displayvol")
    )


def test_what_cannot_be_edited_is_refused_by_either_wire_and_stays() -> None:
    """An order with our id; an edit that says nothing, or what the order's type does not have."""

    async def story(client: Client) -> None:
        both = Told(client)
        for number, venue in enumerate((both.by_rest, both.by_socket)):
            name = client_id(order(), number)
            old = await venue.place(order(), client_order_id=name, deadline=both.deadline)
            for changes, words in (
                ({"quantity": d("0.002")}, "Kraken answered"),
                ({}, "changes nothing"),
                ({"trigger_price": d("1")}, "no trigger price"),
                ({"display_quantity": d("1")}, "Only an iceberg"),
                ({"userref": 2**31}, "32 bits"),
            ):
                for act in (venue.edit, venue.validate_edit):
                    with pytest.raises(VenueRejected, match=words):
                        await act(edit_of(old, **changes), deadline=both.deadline)
            assert [each.venue_order_id for each in await venue.open_orders()] == [old]
            await venue.cancel_all()
        await both.rest.aclose()

    at_venue(story)


# --- cancels by any name


def test_orders_are_cancelled_by_any_of_their_names_by_either_wire() -> None:
    """By the venue's id, by ours, by the reference that several share; what is gone is a no."""

    async def story(client: Client) -> None:
        both = Told(client)
        for start, venue in ((0, both.by_rest), (10, both.by_socket)):
            ours = [client_id(order(), start + number) for number in range(4)]
            ids = [
                await venue.place(order(), client_order_id=name, deadline=both.deadline)
                for name in ours
            ]
            for _ in range(3):
                request = ORDERS["user reference"]
                await venue.place(request, client_order_id=None, deadline=both.deadline)
            assert await venue.cancel(ids[0]) == 1
            assert await venue.cancel(OrderName(client_order_id=ours[1])) == 1
            assert await venue.cancel(OrderName(userref=7)) == 3
            gone = (ids[0], OrderName(client_order_id=ours[1]), OrderName(userref=7))
            for name in gone:
                with pytest.raises(VenueRejected, match="Invalid order"):
                    await venue.cancel(name)
            assert await venue.cancel_batch(gone) == 0
            assert await venue.cancel_batch(gone[:1]) == 0
            assert await venue.cancel_batch([ids[2], OrderName(client_order_id=ours[3])]) == 2
            assert await venue.open_orders() == ()
        await both.rest.aclose()

    at_venue(story)


def test_each_of_several_cancels_tells_its_own_end_by_either_wire() -> None:
    """One that is gone does not keep the others from going; a reference says how many."""
    told: list[list[tuple[int, str]]] = []

    async def story(client: Client) -> None:
        both = Told(client)
        for start, venue in ((0, both.by_rest), (10, both.by_socket)):
            ours = [client_id(order(), start + number) for number in range(3)]
            ids = [
                await venue.place(order(), client_order_id=name, deadline=both.deadline)
                for name in ours
            ]
            for _ in range(2):
                request = ORDERS["user reference"]
                await venue.place(request, client_order_id=None, deadline=both.deadline)
            await venue.cancel(ids[1])
            ours_last = OrderName(client_order_id=ours[2])
            names: list[VenueOrderId | OrderName] = [OrderName(userref=7), *ids[:2], ours_last]
            results = await venue.cancel_each([*names, OrderName(userref=8)])
            assert [each.name for each in results[:4]] == [OrderName.of(each) for each in names]
            told.append([(each.count, getattr(each.error, "code", "")) for each in results])
            assert await venue.open_orders() == ()
            assert await venue.cancel_each([]) == ()
        await both.rest.aclose()

    at_venue(story)

    gone = (0, "EOrder:Invalid order")
    assert told[0] == told[1] == [(2, ""), (1, ""), gone, (1, ""), gone]


# --- names


def test_orders_whose_answers_were_lost_are_found_by_their_reference() -> None:
    """Open or closed, and no others: it is the only name that such an order has."""

    async def story(client: Client) -> None:
        both = Told(client)
        venue = both.by_socket
        await venue.place(order(), client_order_id=client_id(order(), 1), deadline=both.deadline)
        for userref in (7, -8):
            request = order(terms={"userref": userref})
            await venue.place(request, client_order_id=None, deadline=both.deadline)
        client.desk.exchange.arm_fault(FaultRule(name="accept-then-drop", where="add_order"))
        request = ORDERS["user reference"]
        with pytest.raises(OutcomeUnknown):
            await venue.place(request, client_order_id=None, deadline=both.deadline)

        assert [each.userref for each in await venue.open_orders(userref=7)] == [7, 7]
        assert [each.userref for each in await venue.open_orders(userref=-8)] == [-8]
        assert len(await venue.open_orders()) == 4
        assert await venue.cancel(OrderName(userref=7)) == 2
        assert await venue.open_orders(userref=7) == ()
        assert [each.userref for each in await venue.closed_orders(userref=7)] == [7, 7]
        assert await venue.closed_orders(userref=-8) == ()
        await both.rest.aclose()

    at_venue(story)


@pytest.mark.parametrize(
    ("userref", "ours"),
    [
        (7, ClientOrderId("ours")),
        (None, None),
        (2**31, None),
        (-(2**31) - 1, None),
        (None, ClientOrderId("nineteen-characters")),
        (None, ClientOrderId("a blank")),
        (None, ClientOrderId("11112222-3333-4444-8555-66667777888")),
        (None, ClientOrderId("")),
    ],
)
def test_an_order_has_one_name_and_exactly_one_by_either_wire(
    userref: int | None, ours: ClientOrderId | None
) -> None:
    """A client id as the venue takes them, or a reference of 32 bits: else nothing is sent."""
    request = order(terms={"userref": userref})

    async def story(client: Client) -> None:
        both = Told(client)
        for venue in (both.by_rest, both.by_socket):
            with pytest.raises(VenueRejected) as raised:
                await venue.place(request, client_order_id=ours, deadline=both.deadline)
            assert raised.value.code == NOT_SENT
            orders = [(client_id(order(), 1), order()), (ours, request)]
            with pytest.raises(VenueRejected) as raised:
                await venue.place_batch(orders, deadline=both.deadline)
            assert raised.value.code == NOT_SENT
            assert await venue.open_orders() == ()
        await both.rest.aclose()

    at_venue(story)
