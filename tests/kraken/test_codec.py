"""Payloads become domain values: names by the venue's tables, numbers exact."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kraken_answers as kraken
from builders import d
from zoe_tools.domain.instrument import (
    FeeTier,
    InstrumentCatalogue,
    InstrumentStatus,
    MarginTerms,
)
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken import codec, wire
from zoe_tools.kraken.codec_terms import fee_tiers


def decoded(value: Any, kind: Any) -> Any:
    """As the client decodes it: from text."""
    return msgspec.json.decode(kraken.body_of(value), type=kind)


def catalogue(**more_pairs: Any) -> InstrumentCatalogue:
    """The made-up catalogue."""
    return codec.catalogue_of(
        decoded(kraken.ASSETS, dict[str, wire.AssetRow]),
        decoded({**kraken.PAIRS, **more_pairs}, dict[str, wire.PairRow]),
    )


def order(**changes: Any) -> Any:
    """The made-up order, decoded and read."""
    row = decoded(kraken.order_row(**changes), wire.OrderRow)
    return codec.order_of("OAAAAA-BBBBB-CCCCC4", row, catalogue())


SPELLINGS = {
    "BTC/USD": ("BTC/USD", "BTC-USD", "BTCUSD", "XBT/USD", "XBT-USD", "XBTUSD", "XXBTZUSD"),
    "DOGE/USD": ("DOGE/USD", "DOGE-USD", "DOGEUSD", "XDG/USD", "XDGUSD"),
    "ETH/USD": ("ETH/USD", "ETH-USD", "ETHUSD", "XETHZUSD"),
    "XTZ/USD": ("XTZ/USD", "XTZ-USD", "XTZUSD"),
    "BTC/USDT": ("BTC/USDT", "XBT/USDT", "XBTUSDT"),
    "XBTUSD.d": ("XBTUSD.d", "XXBTZUSD.d"),
}


@given(st.data())
def test_every_spelling_of_an_instrument_is_the_instrument(data: st.DataObject) -> None:
    """In any case, with blanks around it; XTZ keeps its X, and the dark pool is not the lit one."""
    symbol = data.draw(st.sampled_from(sorted(SPELLINGS)))
    spelling = data.draw(st.sampled_from(SPELLINGS[symbol]))
    letters = [data.draw(st.sampled_from((char.lower(), char.upper()))) for char in spelling]
    blanks = data.draw(st.sampled_from(("", " ")))

    assert catalogue().resolve(blanks + "".join(letters) + blanks).symbol == symbol


def test_an_instrument_says_what_its_row_says() -> None:
    """Steps, minimums, both fee schedules."""
    btc = catalogue().resolve("BTC/USD")

    assert (btc.venue_id, btc.altname, btc.base, btc.quote) == ("XXBTZUSD", "XBTUSD", "BTC", "USD")
    assert (btc.price_decimals, btc.quantity_decimals, btc.cost_decimals) == (1, 8, 5)
    assert (btc.tick_size, btc.min_quantity, btc.min_cost) == (d("0.1"), d("0.00005"), d("0.5"))
    assert btc.aliases == ("XBT/USD",)
    assert btc.status is InstrumentStatus.ONLINE
    assert btc.fee_tiers[1] == FeeTier(
        volume_from=d("10000"), taker_pct=d("0.35"), maker_pct=d("0.2")
    )


def test_an_instrument_says_what_may_be_borrowed() -> None:
    """Leverages for each side, and the margin levels in percent; none where the row has none."""
    lent = kraken.pair_row(
        "XBTEUR", "XBT/EUR", "XXBT", "EUR", leverage_buy=[2, 3, 10], leverage_sell=[],
        margin_call=80, margin_stop=40,
    )  # fmt: skip
    book = catalogue(XBTEUR=lent)
    btc = book.resolve("XBTEUR")

    assert btc.margin == MarginTerms(leverage_buy=(2, 3, 10), call_pct=80, stop_pct=40)
    assert book.resolve("ETH/USD").margin == MarginTerms()


def test_what_a_row_leaves_out_is_not_invented() -> None:
    """No tick: the price's last decimal. No status: no restriction. Strange ones, no fees: one."""
    bare = kraken.pair_row(
        "XTZUSDT",
        None,
        "XTZ",
        "USDT",
        tick_size=None,
        cost_decimals=None,
        ordermin=None,
        costmin=None,
        fees=None,
        fees_maker=None,
        status=None,
    )
    book = catalogue(XTZUSDT=bare)
    found = book.resolve("XTZ/USDT")

    assert (found.tick_size, found.cost_decimals) == (d("0.1"), 9)
    assert (found.min_quantity, found.min_cost) == (d("0"), d("0"))
    assert found.status is InstrumentStatus.UNKNOWN
    assert book.resolve("XTZUSD").status is InstrumentStatus.ONLINE
    assert book.resolve("XBTUSDT").status is InstrumentStatus.UNKNOWN


@pytest.mark.parametrize(
    ("taker", "maker", "expected"),
    [
        ([["0", "0.2"]], [], [("0", "0.2", "0.2")]),
        (
            [["0", "0.4"], ["100", "0.3"]],
            [["0", "0.2"], ["50", "0.1"]],
            [("0", "0.4", "0.2"), ("50", "0.4", "0.1"), ("100", "0.3", "0.1")],
        ),
        ([["10", "0.4"]], [], [("0", "0.4", "0.4"), ("10", "0.4", "0.4")]),
    ],
)
def test_two_schedules_become_one(
    taker: list[list[str]], maker: list[list[str]], expected: list[tuple[str, str, str]]
) -> None:
    """A row for every volume that either names, from zero on; a flat schedule counts for both."""
    rows = fee_tiers(decoded(taker, list[wire.FeeRow]), decoded(maker, list[wire.FeeRow]))

    assert expected == [
        (str(row.volume_from), str(row.taker_pct), str(row.maker_pct)) for row in rows
    ]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("XXBT", "BTC"),
        ("XBT", "BTC"),
        ("XXDG", "DOGE"),
        ("XTZ", "XTZ"),
        ("ZUSD", "USD"),
        ("USDT", "USDT"),
        ("XBT.F", "BTC.F"),
        ("XXBT.HOLD", "BTC.HOLD"),
        ("XBT.M", "BTC.M"),
        ("ETH2.S", "ETH2.S"),
        ("ZNEW", "ZNEW"),
    ],
)
def test_an_asset_is_named_by_the_venues_table(key: str, expected: str) -> None:
    """Never by stripping letters; forms of an asset stay apart from it; the unknown stays."""
    assert expected == codec.canonical_asset(key, catalogue())


def test_balances_keep_their_digits_and_their_forms() -> None:
    """Strings or numbers, with or without a hold."""
    rows = decoded(
        {"XXBT": {"balance": "1.2000000000", "hold_trade": "0.2"}, "XBT.F": {"balance": 0.25}},
        dict[str, wire.BalanceRow],
    )

    spot, earning = codec.balances_of(rows, catalogue())

    assert (spot.asset, str(spot.total), spot.available) == ("BTC", "1.2000000000", d("1.0"))
    assert (earning.asset, str(earning.total), earning.hold) == ("BTC.F", "0.25", d("0"))


@pytest.mark.parametrize(
    ("status", "vol_exec", "expected"),
    [
        ("pending", "0.00000000", OrderStatus.PENDING_NEW),
        ("open", "0.00000000", OrderStatus.OPEN),
        ("open", "0.00100000", OrderStatus.PARTIALLY_FILLED),
        ("closed", "0.00200000", OrderStatus.FILLED),
        ("canceled", "0.00100000", OrderStatus.CANCELED),
        ("expired", "0.00000000", OrderStatus.EXPIRED),
        ("paused", "0.00000000", OrderStatus.UNKNOWN),
    ],
)
def test_the_venues_words_for_an_orders_life(
    status: str, vol_exec: str, expected: OrderStatus
) -> None:
    """kraken-spot section 13.1; a new word is UNKNOWN, not a guess."""
    assert expected is order(status=status, vol_exec=vol_exec).status


@pytest.mark.parametrize(
    ("descr", "more", "limit", "trigger"),
    [
        ({}, {}, "60000.0", None),
        ({"ordertype": "market", "price": "0"}, {}, None, None),
        ({"ordertype": "stop-loss", "price": "58000.0"}, {}, None, "58000.0"),
        ({"ordertype": "stop-loss", "price": "1.0"}, {"stopprice": "2.0"}, None, "2.0"),
        ({"ordertype": "stop-loss-limit", "price": "58.0", "price2": "57.9"}, {}, "57.9", "58.0"),
        ({"ordertype": "take-profit", "price": "80.0"}, {}, None, "80.0"),
        (
            {"ordertype": "trailing-stop", "price": "+1.0000%"},
            {"stopprice": "3.9864", "limitprice": "4.0266"},
            None,
            "3.9864",
        ),
        ({"ordertype": "trailing-stop", "price": "+1.0000%"}, {}, None, None),
        ({"ordertype": "surprise", "price": "1.0"}, {}, None, None),
    ],
)
def test_limit_and_trigger_are_told_apart(
    descr: dict[str, str], more: dict[str, str], limit: str | None, trigger: str | None
) -> None:
    """One field holds either, depending on the type; relative prices are no prices."""
    found = order(descr=descr, **more)

    assert (limit, trigger) == (
        None if found.limit_price is None else str(found.limit_price),
        None if found.trigger_price is None else str(found.trigger_price),
    )


def test_an_order_of_a_pair_or_type_nobody_knows_is_kept() -> None:
    """Dropping it would hide risk; it carries what the venue printed."""
    found = order(descr={"pair": "NEWUSD", "ordertype": "surprise"}, cl_ord_id=None)

    assert (found.symbol, found.order_type) == ("NEWUSD", OrderType.UNKNOWN)
    assert found.client_order_id is None
    assert not found.order_type.is_stop


def test_an_order_says_where_it_comes_from_and_what_became_of_it() -> None:
    """Its parent, its times, its flags; zeros and nulls are none."""
    found = order(
        refid="OAAAAA-BBBBB-CCCCC9",
        starttm=1767600100,
        expiretm=1767603700.5,
        oflags="post,fciq",
        misc="touched,partial",
    )
    bare = order(oflags="", misc="")

    assert found.parent_id == "OAAAAA-BBBBB-CCCCC9"
    assert found.starts_at == codec.time_of(d("1767600100"))
    assert found.expires_at == codec.time_of(d("1767603700.5"))
    assert (found.flags, found.marks) == (("post", "fciq"), ("touched", "partial"))
    assert (bare.parent_id, bare.starts_at, bare.expires_at) == (None, None, None)
    assert (bare.flags, bare.marks) == ((), ())


def test_times_are_exact_to_the_microsecond() -> None:
    """A float would print 1767600000.1234560013."""
    found = order(status="closed", closetm=1767600060.654321, reason="User requested")

    assert found.opened_at.isoformat() == "2026-01-05T08:00:00.123456+00:00"
    assert found.closed_at.isoformat() == "2026-01-05T08:01:00.654321+00:00"
    assert found.reason == "User requested"


@given(st.integers(0, 4_000_000_000_000_000))
def test_seconds_and_times_are_inverse(micros: int) -> None:
    """Both ways without a float."""
    seconds = Decimal(micros) / 1_000_000

    assert seconds == codec.seconds_of(codec.time_of(seconds))


def test_a_fill_keeps_its_digits_and_names_its_quote() -> None:
    """Of an unknown pair the quote is not known, and not guessed."""
    known = codec.fill_of("T1", decoded(kraken.fill_row(), wire.FillRow), catalogue())
    row = decoded(kraken.fill_row(pair="NEWUSD", maker=None, type="sell"), wire.FillRow)
    strange = codec.fill_of("T2", row, catalogue())

    assert (known.symbol, known.fee_asset, known.liquidity) == ("BTC/USD", "USD", "maker")
    assert str(known.price) == "68000.10000"
    assert known.client_order_id is None
    assert (strange.symbol, strange.fee_asset, strange.liquidity) == ("NEWUSD", "", "unknown")
    assert strange.side is Side.SELL


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (wire.LedgerRow, kraken.ledger_row(amount="NaN")),
        (wire.LedgerRow, kraken.ledger_row(amount="Infinity")),
        (wire.LedgerRow, kraken.ledger_row(amount="1E+999999")),
        (wire.LedgerRow, kraken.ledger_row(amount=True)),
        (wire.PairRow, kraken.pair_row("A", None, "A", "B", pair_decimals=10**9)),
        (wire.Top, ["1", "NaN", "1"]),
    ],
)
def test_numbers_that_are_none_do_not_get_in(kind: Any, value: Any) -> None:
    """Not finite, absurdly large, or no number at all."""
    with pytest.raises(msgspec.ValidationError):
        decoded(value, kind)


@pytest.mark.parametrize("name", ["amount", "fee", "balance"])
@pytest.mark.parametrize("text", ["9" * 38, "1E20", "0.00000000000001"])
def test_a_ledger_row_that_no_book_could_add_up_is_the_venues_fault(name: str, text: str) -> None:
    """It never gets into books to which rows are only ever added."""
    changes: dict[str, Any] = {name: text}
    row = decoded(kraken.ledger_row(**changes), wire.LedgerRow)

    with pytest.raises(VenueMisbehaved, match="no amount"), codec.understanding("Ledgers"):
        codec.ledger_entry_of("L1", row, catalogue())


@pytest.mark.parametrize(
    "changes",
    [
        {"opentm": -1},
        {"opentm": 1e30},
        {"opentm": 253402300799},
        {"descr": {"type": "hold"}},
        {"descr": {"price": "sixty"}},
        {"descr": {"price": "NaN"}},
    ],
)
def test_an_order_that_makes_no_sense_is_the_venues_fault(changes: dict[str, Any]) -> None:
    """Not a crash, and not a guess."""
    with pytest.raises(VenueMisbehaved, match="OpenOrders"), codec.understanding("OpenOrders"):
        order(**changes)


def test_answers_without_their_rows_make_no_sense() -> None:
    """OHLC and Trades hold one list of rows each, and OHLC says where the finished ones end."""
    btc = catalogue().resolve("BTC/USD")
    rows = decoded([["1.0", "2", 1767600000.5, "b", "m", "", 7]], list[wire.PrintRow])

    assert codec.trades_of(btc, {"XXBTZUSD": rows}, "5")[1] == "5"
    nonsense: list[wire.Prints] = [{}, {"last": "1"}, {"A": rows, "B": rows}]
    for answer in nonsense:
        with pytest.raises(ValueError, match="no single list"):
            codec.trades_of(btc, answer, "0")
