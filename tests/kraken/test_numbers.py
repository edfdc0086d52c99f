"""Every number format of Kraken's goes in and out without losing or adding a digit.

The formats are those of the fact sheet's section 4: padded strings over REST, bare numbers over the
socket, seconds with up to nine decimals, nanoseconds, RFC 3339.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kraken_answers as kraken
from zoe_tools.domain.money import plain
from zoe_tools.kraken import codec, codec_stream, wire, wire_account
from zoe_tools.kraken import wire_stream as stream
from zoe_tools.kraken.order_rules import price_text, quantity_text
from zoe_tools.kraken.stream_requests import Number, json_text

BTC = kraken.catalogue().resolve("BTC/USD")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A place where a number stands: its decimals, the payload around it, how it is read."""

    places: int
    payload: Callable[[str], str]
    kind: Any
    read: Callable[[Any], Decimal]
    least: int = 0


def quoted(name: str, **rest: str) -> Callable[[str], str]:
    """A REST row with the number as a string under `name`."""
    return lambda text: msgspec.json.encode({**rest, name: text}).decode()


def bare(before: str, after: str) -> Callable[[str], str]:
    """A frame's row with the number as it is."""
    return lambda text: f"{before}{text}{after}"


_LEDGER = {"refid": "T", "type": "trade", "asset": "ZUSD", "fee": "0", "balance": "0", "time": "1"}
_QUOTE = '[{"symbol":"BTC/USD","bid_qty":1,"ask":2,"ask_qty":1,"last":1,"bid":'
_LEVEL = '{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","asks":[{"price":1,"qty":'

FORMATS: dict[str, Format] = {
    "a candle's price": Format(
        places=1,
        payload=bare('[1,"1","', '","1","1","1","1",1]'),
        kind=wire.OhlcRow,
        read=lambda row: row.high,
    ),
    "a price of the public book": Format(
        places=5, payload=bare('["', '","1.000",1]'), kind=wire.LevelRow, read=lambda row: row.price
    ),
    "a lot volume": Format(
        places=3, payload=bare('["1","1","', '"]'), kind=wire.Top, read=lambda row: row.quantity
    ),
    "a print's volume": Format(
        places=8,
        payload=bare('["1","', '",1.5,"b","m","",7]'),
        kind=wire.PrintRow,
        read=lambda row: row.quantity,
    ),
    "an amount of dollars in the ledger": Format(
        places=4,
        payload=quoted("amount", **_LEDGER),
        kind=wire.LedgerRow,
        read=lambda row: row.amount,
        least=-(10**12),
    ),
    "an amount of bitcoin in the ledger": Format(
        places=10,
        payload=quoted("amount", **_LEDGER),
        kind=wire.LedgerRow,
        read=lambda row: row.amount,
        least=-(10**12),
    ),
    "a balance": Format(
        places=10, payload=quoted("balance"), kind=wire.BalanceRow, read=lambda row: row.balance
    ),
    "a limit of withdrawals": Format(
        places=8,
        payload=quoted("limit", method="B", amount="1", fee="0"),
        kind=wire_account.WithdrawInfo,
        read=lambda row: row.limit,
    ),
    "a price of the socket": Format(
        places=1, payload=bare(_QUOTE, "}]"), kind=list[stream.TickerRow], read=lambda r: r[0].bid
    ),
    "a quantity of the socket": Format(
        places=8,
        payload=bare(_LEVEL, "}]}]}"),
        kind=stream.BookFrame,
        read=lambda frame: frame.data[0].asks[0].qty,
    ),
    "a cost of the socket": Format(
        places=5,
        payload=bare('[{"order_id":"O","exec_type":"trade","cost":', "}]"),
        kind=list[stream.ExecutionRow],
        read=lambda rows: rows[0].cost,
    ),
}


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_a_number_comes_in_with_all_its_digits(name: str, data: st.DataObject) -> None:
    """Zeros at the end included: the book's checksum is made of them."""
    form = FORMATS[name]
    value = data.draw(st.decimals(min_value=form.least, max_value=10**12, places=form.places))
    text = f"{value + 0:f}"

    row = msgspec.json.decode(form.payload(text), type=form.kind)

    assert plain(form.read(row)) == text


@given(st.integers(1, 10**6), st.integers(-12, 8))
def test_an_exponent_is_the_same_number(digits: int, exponent: int) -> None:
    """The instrument channel prints 1e-08; it goes out again without one."""
    text = f"{digits}e{exponent:03d}"

    row = msgspec.json.decode(f'{{"balance":{text}}}', type=wire.BalanceRow)

    assert row.balance == Decimal(text)
    assert "e" not in plain(row.balance).lower()


@given(st.integers(1, 10**14))
def test_a_price_and_a_quantity_go_out_as_they_are(units: int) -> None:
    """Fixed decimals over REST, the same text bare over the socket, and back without a change."""
    price, quantity = Decimal(units).scaleb(-1), Decimal(units).scaleb(-8)

    texts = price_text(price, BTC), quantity_text(quantity, BTC)

    assert [Decimal(text) for text in texts] == [price, quantity]
    assert [len(text.partition(".")[2]) for text in texts] == [1, 8]
    sent = json_text({"limit_price": Number(texts[0]), "order_qty": Number(texts[1])})
    back = msgspec.json.decode(sent, type=dict[str, Decimal])
    assert (plain(back["limit_price"]), plain(back["order_qty"])) == texts
    assert '"' + texts[0] not in sent


# --- times


@given(st.integers(0, 4 * 10**18), st.integers(0, 9))
def test_seconds_with_any_decimals_are_cut_to_the_microsecond(nanos: int, places: int) -> None:
    """As a number or as text; a float would round them."""
    told = nanos // 10 ** (9 - places) * 10 ** (9 - places)
    text = plain(Decimal(told).scaleb(-9).quantize(Decimal(1).scaleb(-places)))
    row = {"opentm": text}

    numbers = [
        msgspec.json.decode(f'{{"opentm":{text}}}', type=dict[str, Decimal]),
        msgspec.json.decode(msgspec.json.encode(row), type=dict[str, Decimal]),
    ]

    expected = EPOCH + timedelta(microseconds=told // 1000)
    assert [codec.time_of(each["opentm"]) for each in numbers] == [expected] * 2


@given(st.integers(0, 4 * 10**18))
def test_nanoseconds_are_cut_to_the_microsecond(nanos: int) -> None:
    """Level3 and OrderAmends: they exceed what a double holds."""
    assert codec.time_of(Decimal(nanos) / 10**9) == EPOCH + timedelta(microseconds=nanos // 1000)


@given(st.datetimes(datetime(2013, 1, 1), datetime(2100, 1, 1)), st.integers(0, 999))  # noqa: DTZ001 - drawn without a zone, and given one below
def test_times_of_the_socket_are_read_to_the_microsecond(moment: datetime, nanos: int) -> None:
    """RFC 3339 in UTC, with microseconds or with nanoseconds."""
    text = moment.isoformat(timespec="microseconds")
    expected = moment.replace(tzinfo=UTC)

    assert codec_stream.time_of(f"{text}Z") == expected
    assert codec_stream.time_of(f"{text}{nanos:03d}Z") == expected
