"""Every order type and flag over both wires at the paper exchange: QueryOrders tells one story."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from test_stream_against_paper import Client, at_venue

from builders import BTC, d, make_instrument, make_request
from paper_desk import traded
from paper_socket import KEY, SECRET
from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.order import (
    ConditionalClose,
    OrderAmendment,
    OrderRequest,
    OrderTerms,
    OrderType,
    SelfTrade,
    Side,
    TimeInForce,
)
from zoe_tools.errors import OutcomeUnknown, VenueRejected
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.faults import FaultName, FaultRule

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
}
REFUSED = {
    "leverage": "EOrder:Cannot open position",
    "index": "EGeneral:Invalid arguments:Index unavailable",
    "reduce only": "EOrder:Reduce only:No position exists",
    "settle": "EOrder:Unknown position",
}
"""What this account may not do, or this venue does not have; all else is placed."""


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
            transport=httpx.ASGITransport(app=create_app(exchange, proof_secret=None)),
            unlimited=True,
        )
        self.by_rest = KrakenSpot(self.rest, client.clock)
        self.by_socket = KrakenSpot(self.rest, client.clock, orders=client.orders)

    async def of(self, venue: KrakenSpot, request: OrderRequest, number: int) -> Any:
        """The row of QueryOrders, without what must differ."""
        deadline = self._clock.now() + timedelta(seconds=5)
        name = ClientOrderId(f"11112222-3333-4444-8555-{number:012d}")
        try:
            placed = await venue.place(request, client_order_id=name, deadline=deadline)
        except VenueRejected as error:
            return error.code
        asked = {"txid": placed}
        rows = await self.rest.private("QueryOrders", asked, dict[str, Any], is_write=False)
        return {key: value for key, value in rows[placed].items() if key not in OWN}


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
            deadline = client.clock.now() + timedelta(seconds=5)
            name = ClientOrderId(f"11112222-3333-4444-8555-{number:012d}")
            placed = await venue.place(ORDERS["iceberg"], client_order_id=name, deadline=deadline)
            less = OrderAmendment(venue_order_id=placed, symbol=BTC, display_quantity=d("0.0001"))
            await venue.amend(less, deadline=deadline)
            across = OrderAmendment(
                venue_order_id=placed, symbol=BTC, limit_price=d("61000"), post_only=True
            )
            with pytest.raises(VenueRejected, match="Post only"):
                await venue.amend(across, deadline=deadline)
        await both.rest.aclose()

    at_venue(story)
