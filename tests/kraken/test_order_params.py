"""Orders as the venue's parameters: exact texts, and a refusal where they cannot be exact."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import BTC, NOON, d, make_instrument
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import (
    ConditionalClose,
    OrderAmendment,
    OrderEdit,
    OrderRequest,
    OrderTerms,
    OrderType,
    PriceOffset,
    Side,
    TimeInForce,
)
from zoe_tools.errors import VenueRejected, VenueUnavailable
from zoe_tools.kraken.order_answers import NewOrder
from zoe_tools.kraken.order_params import (
    amend_params,
    batch_params,
    edit_params,
    order_params,
    placement_params,
)
from zoe_tools.kraken.order_rules import NOT_SENT, deadline_text, price_text, quantity_text
from zoe_tools.kraken.signing import encoded
from zoe_tools.kraken.stream_requests import add_order_params, batch_add_params, json_text
from zoe_tools.paper.rest.params import from_form
from zoe_tools.paper.values.order import RelativePrice

INSTRUMENT = make_instrument(altname="XBTUSD")


def request(**changes: Any) -> OrderRequest:
    """A market sell of 0.01 BTC."""
    values: dict[str, Any] = {
        "symbol": BTC,
        "side": Side.SELL,
        "order_type": OrderType.MARKET,
        "quantity": d("0.01"),
    }
    return OrderRequest(**{**values, **changes})


def away(direction: Any, distance: str, unit: str = "") -> PriceOffset:
    """So far from the last price, in quote or in percent."""
    return PriceOffset(distance=d(distance), direction=direction, is_percent=unit == "%")


def limited(**changes: Any) -> OrderRequest:
    """A limited sale."""
    return request(order_type=OrderType.LIMIT, **changes)


def trailing(**terms: Any) -> OrderRequest:
    """A trailing stop with a limit."""
    return request(order_type=OrderType.TRAILING_STOP_LIMIT, terms=OrderTerms(**terms))


def closed(**prices: Any) -> OrderTerms:
    """Closed at a limit."""
    return OrderTerms(close=ConditionalClose(order_type=OrderType.LIMIT, **prices))


SCENARIOS: list[tuple[str, OrderRequest, dict[str, str]]] = [
    ("market", request(), {"ordertype": "market"}),
    (
        "post-only limit",
        request(order_type=OrderType.LIMIT, side=Side.BUY, limit_price=d("60000"), post_only=True),
        {"ordertype": "limit", "type": "buy", "price": "60000.0", "oflags": "post,fciq"},
    ),
    (
        "immediate or cancel",
        request(order_type=OrderType.LIMIT, limit_price=d("6E+4"), time_in_force=TimeInForce.IOC),
        {"ordertype": "limit", "price": "60000.0", "timeinforce": "IOC"},
    ),
    (
        "stop",
        request(order_type=OrderType.STOP_LOSS, trigger_price=d("58000")),
        {"ordertype": "stop-loss", "price": "58000.0"},
    ),
    (
        "stop with a limit",
        request(
            order_type=OrderType.STOP_LOSS_LIMIT, trigger_price=d("58000"), limit_price=d("57900")
        ),
        {"ordertype": "stop-loss-limit", "price": "58000.0", "price2": "57900.0"},
    ),
    (
        "target",
        request(order_type=OrderType.TAKE_PROFIT, trigger_price=d("80000")),
        {"ordertype": "take-profit", "price": "80000.0"},
    ),
    (
        "target with a limit",
        request(
            order_type=OrderType.TAKE_PROFIT_LIMIT, trigger_price=d("80000"), limit_price=d("79900")
        ),
        {"ordertype": "take-profit-limit", "price": "80000.0", "price2": "79900.0"},
    ),
    (
        "limit below the last",
        limited(terms=OrderTerms(limit_offset=away("-", "100.5"))),
        {"ordertype": "limit", "price": "-100.5"},
    ),
    (
        "limit where it rests",
        limited(terms=OrderTerms(limit_offset=away("#", "1.50", "%"))),
        {"ordertype": "limit", "price": "#1.5%"},
    ),
    (
        "trailing stop with a limit",
        trailing(trigger_offset=away("+", "1", "%"), limit_offset=away("-", "100")),
        {"ordertype": "trailing-stop-limit", "price": "+1%", "price2": "-100.0"},
    ),
    ("reduce only", request(reduce_only=True), {"ordertype": "market", "reduce_only": "true"}),
]


@pytest.mark.parametrize(("name", "asked", "said"), SCENARIOS, ids=[row[0] for row in SCENARIOS])
def test_each_kind_of_order_is_said_in_the_venues_words(
    name: str, asked: OrderRequest, said: dict[str, str]
) -> None:
    """The table of kraken-spot section 17.2, fees always asked for in quote."""
    common = {"pair": "XBTUSD", "type": "sell", "volume": "0.01000000", "oflags": "fciq"}

    assert common | said == order_params(asked, INSTRUMENT), name


@pytest.mark.parametrize(
    "asked",
    [
        request(order_type=OrderType.LIMIT),
        request(order_type=OrderType.STOP_LOSS, limit_price=d("1")),
        request(order_type=OrderType.STOP_LOSS_LIMIT, trigger_price=d("1")),
        request(order_type=OrderType.TRAILING_STOP, limit_price=d("1")),
        request(order_type=OrderType.ICEBERG, limit_price=d("1")),
        request(terms=OrderTerms(display_quantity=d("0.001"))),
        request(terms=OrderTerms(expires_at=NOON)),
        request(terms=OrderTerms(is_quantity_in_quote=True)),
        request(terms=OrderTerms(close=ConditionalClose(order_type=OrderType.MARKET))),
        request(terms=OrderTerms(close=ConditionalClose(order_type=OrderType.LIMIT))),
        request(order_type=OrderType.UNKNOWN),
        request(time_in_force=TimeInForce.GTD),
        request(limit_price=d("60000")),
        request(trigger_price=d("60000")),
        request(order_type=OrderType.LIMIT, limit_price=d("1"), trigger_price=d("1")),
        request(terms=OrderTerms(limit_offset=away("+", "1"))),
        limited(limit_price=d("1"), terms=OrderTerms(limit_offset=away("+", "1"))),
        limited(terms=OrderTerms(limit_offset=away("+", "0"))),
        limited(terms=OrderTerms(limit_offset=away("+", "-1"))),
        limited(terms=OrderTerms(limit_offset=away("+", "0.05"))),
        limited(terms=OrderTerms(limit_offset=away("+", "0.00001", "%"))),
        limited(terms=OrderTerms(limit_offset=away("+", "NaN", "%"))),
        trailing(trigger_offset=away("-", "500")),
        trailing(trigger_offset=away("#", "500")),
        trailing(trigger_offset=away("+", "500"), limit_offset=away("#", "5")),
        trailing(limit_offset=away("-", "5")),
        request(terms=closed(limit_price=d("1"), trigger_price=d("1"))),
        request(terms=closed(limit_price=d("1"), limit_offset=away("+", "1"))),
        request(quantity=d("0.000000001")),
        request(quantity=d("0")),
        request(quantity=d("-1")),
        request(quantity=d("NaN")),
        request(quantity=d("1E+30")),
        request(quantity=d("12345678901234567890123456789.1")),
        request(order_type=OrderType.LIMIT, limit_price=d("1E+400")),
        request(order_type=OrderType.LIMIT, limit_price=d("60000.05")),
    ],
)
def test_what_cannot_be_said_exactly_is_refused_before_a_byte_leaves(asked: OrderRequest) -> None:
    """Nothing is rounded, guessed or left out; the refusal is a definite no."""
    with pytest.raises(VenueRejected) as raised:
        order_params(asked, INSTRUMENT)

    assert raised.value.code == NOT_SENT


@given(st.decimals(min_value="0.1", max_value="1e9", places=1))
def test_a_price_on_the_tick_is_printed_with_its_decimals_and_reads_back(price: Decimal) -> None:
    """No exponent, no lost digit, one decimal for a one-decimal pair."""
    text = price_text(price, INSTRUMENT)

    assert Decimal(text) == price
    assert text.partition(".")[2].isdigit()
    assert len(text.partition(".")[2]) == 1


def test_a_tiny_quantity_has_no_exponent() -> None:
    """`1E-8` is what `str` would print."""
    assert quantity_text(Decimal("1E-8"), INSTRUMENT) == "0.00000001"


def test_a_placement_carries_client_id_and_deadline() -> None:
    """Every order can be looked up, and dies when it is late."""
    params = placement_params(
        request(),
        INSTRUMENT,
        client_order_id=ClientOrderId("11112222-3333-4444-8555-666677778888"),
        deadline=NOON + timedelta(seconds=5, microseconds=123),
        now=NOON,
    )

    assert params["cl_ord_id"] == "11112222-3333-4444-8555-666677778888"
    assert params["deadline"] == "2026-01-05T12:00:05.000123Z"
    assert "validate" not in params


def test_a_far_deadline_is_brought_forward_and_a_near_one_refused() -> None:
    """The venue takes 2 to 60 seconds; none is put back, and what is too near is not sent."""
    assert deadline_text(NOON + timedelta(hours=1), NOON) == "2026-01-05T12:00:58.000000Z"
    for seconds in (1.9, 0, -5):
        with pytest.raises(VenueUnavailable):
            deadline_text(NOON + timedelta(seconds=seconds), NOON)


def test_an_amendment_says_what_changes_and_nothing_else() -> None:
    """Absent values are not sent; a change of nothing is refused."""
    order = VenueOrderId("OAAAAA-BBBBB-CCCCC4")
    deadline = NOON + timedelta(seconds=5)
    stop = OrderAmendment(venue_order_id=order, symbol=BTC, trigger_price=d("58500"))
    entry = OrderAmendment(
        venue_order_id=order, symbol=BTC, quantity=d("0.02"), limit_price=d("60000.1")
    )

    said = {"txid": order, "deadline": "2026-01-05T12:00:05.000000Z"}
    assert said | {"trigger_price": "58500.0"} == amend_params(
        stop, INSTRUMENT, deadline=deadline, now=NOON
    )
    assert said | {"order_qty": "0.02000000", "limit_price": "60000.1"} == amend_params(
        entry, INSTRUMENT, deadline=deadline, now=NOON
    )
    with pytest.raises(VenueRejected, match="changes nothing"):
        amend_params(
            OrderAmendment(venue_order_id=order, symbol=BTC), INSTRUMENT, deadline=NOON, now=NOON
        )


@pytest.mark.parametrize(
    ("side", "own", "closing"), [("buy", "+5.0", "-7.0"), ("sell", "-5.0", "+7.0")]
)
def test_a_trailing_stops_limit_lies_beyond_its_trigger(side: str, own: str, closing: str) -> None:
    """Below it for a sale, above it for a buy; the order that closes is on the other side."""
    kind = OrderType.TRAILING_STOP_LIMIT
    close = ConditionalClose(order_type=kind, trigger_price=d("600"), limit_price=d("7"))
    asked = request(
        order_type=kind,
        side=Side(side),
        trigger_price=d("500"),
        limit_price=d("5"),
        terms=OrderTerms(close=close),
    )
    said = order_params(asked, INSTRUMENT)

    assert (said["price"], said["price2"]) == ("+500.0", own)
    assert (said["close[price]"], said["close[price2]"]) == ("+600.0", closing)


offsets = st.builds(
    PriceOffset,
    distance=st.decimals(min_value="0.1", max_value="1e9", places=1),
    direction=st.sampled_from(["+", "-", "#"]),
    is_percent=st.booleans(),
)


@given(offsets)
def test_an_offset_is_read_by_the_venue_as_it_was_meant(offset: PriceOffset) -> None:
    """Through the form's escapes too: a bare plus would be a blank."""
    said = order_params(limited(terms=OrderTerms(limit_offset=offset)), INSTRUMENT)
    body, _ = encoded("1", said)
    signed = -offset.distance if offset.direction == "-" else offset.distance

    assert from_form(body).price("price") == RelativePrice(
        value=signed, is_percent=offset.is_percent, is_unsigned=offset.direction == "#"
    )


@pytest.mark.parametrize(
    "asked",
    [
        limited(terms=OrderTerms(limit_offset=away("+", "1"))),
        limited(limit_price=d("60000"), time_in_force=TimeInForce.FOK),
        limited(limit_price=d("60000"), terms=OrderTerms(leverage=2)),
        request(order_type=OrderType.STOP_LOSS, terms=OrderTerms(trigger_offset=away("#", "500"))),
    ],
)
def test_what_the_socket_has_no_words_for_is_said_by_rest(asked: OrderRequest) -> None:
    """Provably nothing left by the socket, of one order or of a batch with it."""
    order_params(asked, INSTRUMENT)
    name, until = ClientOrderId("ours"), NOON + timedelta(seconds=5)
    with pytest.raises(VenueUnavailable, match="nothing was sent"):
        add_order_params(asked, INSTRUMENT, client_order_id=name, deadline=until, now=NOON)
    with pytest.raises(VenueUnavailable, match="nothing was sent"):
        batch_add_params([(name, request()), (name, asked)], INSTRUMENT, deadline=until, now=NOON)


def test_a_batch_is_json_with_true_numbers_flags_and_objects() -> None:
    """Pair, deadline and `validate` are the batch's; a close is an object; a reference a number."""
    close = ConditionalClose(
        order_type=OrderType.STOP_LOSS_LIMIT, trigger_price=d("5"), limit_offset=away("-", "1", "%")
    )
    orders: list[NewOrder] = [
        (ClientOrderId("ours"), limited(limit_price=d("60000"), reduce_only=True)),
        (None, limited(limit_price=d("60000"), terms=OrderTerms(userref=-7, close=close))),
    ]
    until = NOON + timedelta(seconds=5)
    params = batch_params(orders, INSTRUMENT, deadline=until, now=NOON, is_check=True)
    said = {"ordertype": "limit", "type": "sell", "volume": "0.01000000", "oflags": "fciq"}
    said["price"] = "60000.0"

    assert params == {
        "pair": "XBTUSD",
        "orders": [
            said | {"cl_ord_id": "ours", "reduce_only": True},
            said
            | {
                "userref": -7,
                "close": {"ordertype": "stop-loss-limit", "price": "5.0", "price2": "-1%"},
            },
        ],
        "deadline": "2026-01-05T12:00:05.000000Z",
        "validate": True,
    }
    unchecked = batch_params(orders, INSTRUMENT, deadline=until, now=NOON)
    assert "validate" not in unchecked
    assert encoded("1", unchecked)[0].startswith('{"nonce":"1","pair":"XBTUSD","orders":[{"type"')


def test_the_socket_tells_the_batch_once_what_its_orders_share() -> None:
    """Symbol and deadline are no member's."""
    orders: list[NewOrder] = [(ClientOrderId("ours"), limited(limit_price=d("60000")))] * 2
    until = NOON + timedelta(seconds=5)
    text = json_text(batch_add_params(orders, INSTRUMENT, deadline=until, now=NOON))
    member = (
        '{"order_type":"limit","side":"sell","order_qty":0.01000000,"fee_preference":"quote",'
        '"limit_price":60000.0,"cl_ord_id":"ours"}'
    )

    assert text == (
        f'{{"symbol":"BTC/USD","orders":[{member},{member}],'
        '"deadline":"2026-01-05T12:00:05.000000Z"}'
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quantity": d("0.02")}, {"volume": "0.02000000"}),
        ({"limit_price": d("5")}, {"price2": "5.0"}),
        ({"trigger_price": d("6"), "limit_price": d("5")}, {"price": "6.0", "price2": "5.0"}),
        ({"trigger_offset": away("-", "2", "%")}, {"price": "-2%"}),
        ({"userref": 0, "post_only": True}, {"userref": "0", "oflags": "post"}),
    ],
)
def test_an_edit_says_what_changes_and_nothing_else(
    changes: dict[str, Any], said: dict[str, str]
) -> None:
    """Which price is the first depends on the order's type."""
    order = VenueOrderId("OAAAAA-BBBBB-CCCCC4")
    kind = OrderType.STOP_LOSS_LIMIT
    edit = OrderEdit(venue_order_id=order, symbol=BTC, order_type=kind, **changes)
    params = edit_params(edit, INSTRUMENT, deadline=NOON + timedelta(seconds=5), now=NOON)

    common = {"pair": "XBTUSD", "txid": order, "deadline": "2026-01-05T12:00:05.000000Z"}
    assert params == common | said


def test_an_amendments_offset_has_a_sign() -> None:
    """`#` is for new orders alone."""
    order, until = VenueOrderId("OAAAAA-BBBBB-CCCCC4"), NOON + timedelta(seconds=5)
    for direction, words in (("+", "+2%"), ("-", "-2%")):
        change = OrderAmendment(
            venue_order_id=order, symbol=BTC, limit_offset=away(direction, "2", "%")
        )
        said = amend_params(change, INSTRUMENT, deadline=until, now=NOON)
        assert said["limit_price"] == words
    unsigned = OrderAmendment(venue_order_id=order, symbol=BTC, trigger_offset=away("#", "2"))
    with pytest.raises(VenueRejected, match="no '#'"):
        amend_params(unsigned, INSTRUMENT, deadline=until, now=NOON)
