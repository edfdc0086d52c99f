"""Rows of the streams as domain values: exact, complete, and tolerant of what is new."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import BTC, NOON, d
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.money import plain
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.stream import ExecutionKind, ExecutionReport
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken.codec_stream import (
    REMEMBERED_ORDERS,
    ExecutionDecoder,
    balance_update_of,
    balances_snapshot_of,
    mode_of,
    quote_of,
    time_of,
    trade_of,
)
from zoe_tools.kraken.stream_requests import Number, json_text
from zoe_tools.kraken.wire_stream import BALANCES, BOOK, EXECUTIONS, FRAME, TICKER, TRADE

ORDER = "OK4GJX-KSTLS-7DZZO5"
STAMP = "2026-01-05T10:33:05.709993Z"
RICH = (
    f'{{"order_id":"{ORDER}","symbol":"BTC/USD","order_qty":0.00500000,"cum_cost":0.00000,'
    '"time_in_force":"GTC","exec_type":"pending_new","side":"sell","order_type":"limit",'
    '"order_userref":0,"limit_price_type":"static","limit_price":70000.0,"stop_price":0.0,'
    f'"order_status":"pending_new","fee_ccy_pref":"fciq","timestamp":"{STAMP}","cl_ord_id":"ours"}}'
)
TRADED = (
    f'{{"order_id":"{ORDER}","exec_id":"TGBB7L-HT5LX-J3BZ4A","exec_type":"trade",'
    '"trade_id":62887576,"symbol":"BTC/USD","side":"sell","last_qty":0.00500000,'
    '"last_price":70000.1,"liquidity_ind":"t","cost":350.00050,"order_type":"limit",'
    f'"timestamp":"{STAMP}","order_status":"partially_filled","cum_qty":0.00500000,'
    '"cum_cost":350.00050,"avg_price":70000.1,"fees":[{"asset":"USD","qty":1.40000}]}'
)


def reports(*rows: str, is_snapshot: bool = False) -> list[ExecutionReport]:
    """What these rows say, one after the other."""
    decoder = ExecutionDecoder()
    return [
        decoder.report(row, is_snapshot=is_snapshot, now=NOON)
        for row in EXECUTIONS.decode(f"[{','.join(rows)}]")
    ]


def test_a_balance_is_of_a_wallet() -> None:
    """A snapshot's balance is over all wallets, an update's of the one that it names."""
    wallets = (
        '[{"type":"spot","id":"main","balance":3.0},{"type":"earn","id":"locked","balance":12.0}]'
    )
    rows = BALANCES.decode(
        f'[{{"asset":"DOT","asset_class":"currency","balance":15.0,"wallets":{wallets}}},'
        '{"asset":"USD","balance":7.5}]'
    )
    (reward,) = BALANCES.decode(
        f'[{{"ledger_id":"L1","ref_id":"S1","timestamp":"{STAMP}","type":"staking",'
        '"asset":"DOT","asset_class":"currency","category":"staking-rewards",'
        '"wallet_type":"earn","wallet_id":"locked","amount":0.01,"fee":0,"balance":12.01}]'
    )

    assert balances_snapshot_of(rows).holdings == (
        ("DOT", "spot / main", d("3.0")),
        ("DOT", "earn / locked", d("12.0")),
        ("USD", "spot / main", d("7.5")),
    )
    entry = balance_update_of(reward).entry
    assert (entry.asset, entry.wallet, entry.balance) == ("DOT", "earn / locked", d("12.01"))


def with_fields(text: str, **changes: Any) -> str:
    """The row with some fields changed; None removes one."""
    row = {**json.loads(text), **changes}
    return json.dumps({key: value for key, value in row.items() if value is not None})


# --- numbers and times ---------------------------------------------------------------------------


@given(st.decimals(min_value=0, max_value=10**12, places=8))
def test_the_digits_on_the_wire_are_the_digits_we_keep(value: Decimal) -> None:
    """Trailing zeros included: checksums are computed from the text."""
    text = plain(value)
    (row,) = BOOK.decode(f'[{{"symbol":"X","asks":[{{"price":{text},"qty":{text}}}]}}]')

    assert (plain(row.asks[0].price), plain(row.asks[0].qty)) == (text, text)


@pytest.mark.parametrize("text", ["1e-08", "1E-8", "0.00000001", '"0.00000001"'])
def test_an_exponent_or_a_string_is_the_same_number(text: str) -> None:
    """`1e-08` does occur on the wire."""
    (row,) = BOOK.decode(f'[{{"symbol":"X","asks":[{{"price":1,"qty":{text}}}]}}]')

    assert row.asks[0].qty == d("0.00000001")


TIMES = [
    ("2026-01-05T10:33:05.709993Z", datetime(2026, 1, 5, 10, 33, 5, 709993, tzinfo=UTC)),
    ("2026-01-05T16:25:00.000000000Z", datetime(2026, 1, 5, 16, 25, tzinfo=UTC)),
    ("2026-01-05T18:21:00.097010033Z", datetime(2026, 1, 5, 18, 21, 0, 97010, tzinfo=UTC)),
    ("2026-01-05T10:33:05Z", datetime(2026, 1, 5, 10, 33, 5, tzinfo=UTC)),
    ("2026-01-05T11:33:05.5+01:00", datetime(2026, 1, 5, 10, 33, 5, 500000, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "moment"), TIMES)
def test_times_are_aware_utc_cut_to_microseconds(text: str, moment: datetime) -> None:
    """Never rounded into the future."""
    assert time_of(text) == moment
    assert time_of(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["", "soon", "1767600060.65", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_the_venues_mistake(text: str) -> None:
    """It is not guessed."""
    with pytest.raises(VenueMisbehaved):
        time_of(text)


# --- market data ---------------------------------------------------------------------------------


def test_a_ticker_without_a_time_is_as_old_as_its_arrival() -> None:
    """Servers of 2023 and 2024 sent none."""
    text = '[{"symbol":"BTC/USD","bid":1,"bid_qty":1,"ask":2,"ask_qty":1,"last":1%s}]'
    (old,) = TICKER.decode(text % "")
    (new,) = TICKER.decode(text % f',"timestamp":"{STAMP}"')

    assert quote_of(old, NOON).as_of == NOON
    assert quote_of(new, NOON).as_of == time_of(STAMP)


def test_a_print_has_the_takers_side() -> None:
    """And every digit of its quantity."""
    (row,) = TRADE.decode(
        '[{"symbol":"BTC/USD","side":"sell","price":70000.1,"qty":0.00150000,"ord_type":"market",'
        f'"trade_id":71044953,"timestamp":"{STAMP}"}}]'
    )
    trade = trade_of(row)

    assert (trade.side, plain(trade.quantity), trade.trade_id) == (
        Side.SELL,
        "0.00150000",
        71044953,
    )


def test_a_word_that_nobody_knows_is_unknown_and_a_number_beyond_64_bits_is_no_harm() -> None:
    """`connection_id` exceeds 2^63; new modes may come."""
    frame = FRAME.decode(
        '{"channel":"status","data":[{"connection_id":18266300427528990701,"system":"dreaming"}]}'
    )

    assert frame.channel == "status"
    assert mode_of("dreaming") is VenueMode.UNKNOWN


# --- executions ----------------------------------------------------------------------------------


def test_a_fill_is_complete_and_exact() -> None:
    """All that the books need stands in one value."""
    _, report = reports(RICH, TRADED)

    assert isinstance(report.fill, Fill)
    assert {
        "fill_id": "TGBB7L-HT5LX-J3BZ4A",
        "venue_order_id": ORDER,
        "symbol": BTC,
        "side": Side.SELL,
        "quantity": d("0.00500000"),
        "price": d("70000.1"),
        "cost": d("350.00050"),
        "fee": d("1.40000"),
        "fee_asset": "USD",
        "filled_at": time_of(STAMP),
        "client_order_id": "ours",
        "liquidity": "taker",
    } == dataclasses.asdict(report.fill)
    assert report.cumulative_quantity == report.quantity == d("0.005")


SPARSE = f'{{"timestamp":"{STAMP}","order_id":"{ORDER}","order_userref":0'


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("pending_new", OrderStatus.PENDING_NEW),
        ("new", OrderStatus.OPEN),
        ("partially_filled", OrderStatus.PARTIALLY_FILLED),
        ("filled", OrderStatus.FILLED),
        ("canceled", OrderStatus.CANCELED),
        ("expired", OrderStatus.EXPIRED),
        ("something new", OrderStatus.UNKNOWN),
        ("", OrderStatus.UNKNOWN),
    ],
)
def test_each_of_the_venues_words_has_its_status(words: str, status: OrderStatus) -> None:
    """A word that nobody knows is UNKNOWN, and drops nothing."""
    (report,) = reports(f'{SPARSE},"exec_type":"status","order_status":"{words}"}}')

    assert (report.kind, report.status) == (ExecutionKind.STATUS, status)


def test_a_sparse_row_is_completed_from_what_was_said_before_and_never_invented() -> None:
    """Without a rich row before it, what is not said stays None."""
    sparse = f'{SPARSE},"exec_type":"new","order_status":"new"}}'
    (alone,) = reports(sparse)
    completed = reports(RICH, sparse)[1]

    assert (alone.symbol, alone.side, alone.quantity, alone.client_order_id) == (None,) * 4
    assert (completed.symbol, completed.side, completed.quantity, completed.client_order_id) == (
        BTC,
        Side.SELL,
        d("0.005"),
        "ours",
    )
    assert (completed.order_type, completed.limit_price) == (OrderType.LIMIT, d("70000"))
    assert completed.trigger_price is None


def test_an_amendment_changes_what_later_rows_are_completed_with() -> None:
    """`amended` carries the new values."""
    amended = (
        f'{SPARSE},"exec_type":"amended","order_status":"new","limit_price":60010.0,'
        '"order_qty":0.01200000,"amended":true,"reason":"User requested"}'
    )
    canceled = f'{SPARSE},"exec_type":"canceled","order_status":"canceled","cancel_reason":"GTD"}}'
    _, after, last = reports(RICH, amended, canceled)

    assert (after.quantity, after.limit_price, after.reason) == (
        d("0.012"),
        d("60010"),
        "User requested",
    )
    assert (last.quantity, last.limit_price, last.reason) == (d("0.012"), d("60010"), "GTD")


def test_a_snapshot_s_row_is_not_completed_with_what_may_have_been_amended_unheard() -> None:
    """A frame that never came may have said another quantity; whose order it is stays the same."""
    decoder = ExecutionDecoder()
    rich, traded = EXECUTIONS.decode(
        f'[{RICH},{SPARSE},"exec_type":"canceled","order_status":"canceled"}}]'
    )
    decoder.report(rich, is_snapshot=False, now=NOON)
    after = decoder.report(traded, is_snapshot=True, now=NOON)

    assert (after.quantity, after.limit_price, after.trigger_price) == (None, None, None)
    assert (after.symbol, after.side, after.client_order_id) == (BTC, Side.SELL, "ours")


TRIGGERS: list[tuple[dict[str, Any], Decimal | None]] = [
    ({"triggers": {"price": 58800.0, "status": "untriggered"}}, d("58800")),
    ({"stop_price": 58800.0}, d("58800")),
    ({"stop_price": 0.0}, None),
    ({"triggers": {"price": 58800.0}, "stop_price": 1.0}, d("58800")),
    ({}, None),
]


@pytest.mark.parametrize(("fields", "trigger"), TRIGGERS)
def test_a_trigger_is_read_from_either_spelling(
    fields: dict[str, Any], trigger: Decimal | None
) -> None:
    """`stop_price` is the old one, and 0.0 on plain limits."""
    (report,) = reports(with_fields(RICH, **{"stop_price": None, **fields}))

    assert report.trigger_price == trigger


FEES: list[tuple[list[dict[str, Any]] | None, tuple[str, str]]] = [
    ([{"asset": "USD", "qty": 1.0}, {"asset": "USD", "qty": 0.4}], ("1.4", "USD")),
    ([{"asset": "BTC", "qty": 0.1}], ("0.1", "BTC")),
    ([{"asset": "FEE", "qty": 90}, {"asset": "USD", "qty": 0.4}], ("0.4", "USD")),
    ([], ("0", "USD")),
    (None, ("0", "USD")),
]


@pytest.mark.parametrize(("fees", "expected"), FEES)
def test_fees_are_added_up_within_one_asset_only(
    fees: list[dict[str, Any]] | None, expected: tuple[str, str]
) -> None:
    """Fee credits and dollars are not one sum."""
    (report,) = reports(with_fields(TRADED, fees=fees))

    assert report.fill is not None
    assert (report.fill.fee, report.fill.fee_asset) == (d(expected[0]), expected[1])


def test_a_fill_of_nobody_knows_what_is_not_booked() -> None:
    """Without symbol or side there is no fill, and the wire starts over."""
    with pytest.raises(VenueMisbehaved, match="neither its symbol nor its side"):
        reports(with_fields(TRADED, symbol=None, side=None))
    with pytest.raises(VenueMisbehaved, match="where a side belongs"):
        reports(with_fields(TRADED, side="short"))


def test_the_memory_of_orders_is_bounded() -> None:
    """The least recently heard of goes first."""
    decoder = ExecutionDecoder()
    for number in range(REMEMBERED_ORDERS + 5):
        (row,) = EXECUTIONS.decode(f"[{with_fields(RICH, order_id=f'O{number}')}]")
        decoder.report(row, is_snapshot=False, now=NOON)

    assert len(decoder._known) == REMEMBERED_ORDERS
    assert "O0" not in decoder._known


# --- requests ------------------------------------------------------------------------------------

values = st.recursive(
    st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_a_request_is_json_for_everybody_else(value: object) -> None:
    """Read back by another parser it is the same."""
    assert json.loads(json_text(value)) == value


@given(st.decimals(min_value=0, max_value=10**9, places=8))
def test_a_number_is_printed_as_given(value: Decimal) -> None:
    """Digit by digit, without quotes and without an exponent."""
    assert json_text({"price": Number(plain(value))}) == f'{{"price":{plain(value)}}}'


@pytest.mark.parametrize("value", [1.5, Decimal("1.5"), None])
def test_what_has_no_exact_spelling_is_refused(value: object) -> None:
    """A float's digits would be somebody else's choice."""
    with pytest.raises(TypeError):
        json_text({"price": value})
