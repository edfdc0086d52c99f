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
    OrderRequest,
    OrderTerms,
    OrderType,
    Side,
    TimeInForce,
)
from zoe_tools.errors import VenueRejected
from zoe_tools.kraken.order_params import amend_params, order_params, placement_params
from zoe_tools.kraken.order_rules import NOT_SENT, deadline_text, price_text, quantity_text

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
        request(quantity=d("0.000000001")),
        request(quantity=d("0")),
        request(quantity=d("-1")),
        request(quantity=d("NaN")),
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
    """The venue takes 2 to 60 seconds; the journal's deadline is never put back."""
    assert deadline_text(NOON + timedelta(hours=1), NOON) == "2026-01-05T12:00:58.000000Z"
    for seconds in (1.9, 0, -5):
        with pytest.raises(VenueRejected):
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
