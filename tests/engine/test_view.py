"""The loop's picture of the market: fresh quotes, closed candles, the state of the wires."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import pytest

from builders import BTC, ETH, NOON, d, make_instrument, make_quote
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market import PublicTrade, VenueMode
from zoe_tools.domain.order import Side
from zoe_tools.domain.stream import (
    QuoteUpdate,
    StreamDown,
    StreamUp,
    TradeUpdate,
    VenueModeUpdate,
)
from zoe_tools.engine.view import LiveView


def make_view(history: int = 3) -> LiveView:
    """A view of two instruments in minutes."""
    return LiveView(
        {BTC: make_instrument(), ETH: make_instrument("ETH/USD")},
        timeframe=Timeframe.M1,
        history=history,
        wires=frozenset({"public", "private"}),
    )


def listening_view(history: int = 3) -> LiveView:
    """The same, with the public wire up since noon and nothing missed before."""
    view = make_view(history)
    view.apply(up("public"), NOON)
    for torn in tuple(view.candle_book.torn()):
        view.candle_book.repair(torn, (), NOON)
    return view


def at(seconds: float) -> datetime:
    """So long after noon."""
    return NOON + timedelta(seconds=seconds)


def up(wire: Literal["public", "private"]) -> StreamUp:
    """A wire came up."""
    return StreamUp(wire=wire, at=NOON)


def down(wire: Literal["public", "private"]) -> StreamDown:
    """A wire was lost."""
    return StreamDown(wire=wire, at=NOON, reason="test")


def trade(seconds: float, price: str, symbol: Symbol = BTC) -> TradeUpdate:
    """One print."""
    made = PublicTrade(
        symbol=symbol,
        trade_id=1,
        side=Side.BUY,
        price=d(price),
        quantity=d("2"),
        traded_at=at(seconds),
    )
    return TradeUpdate(trades=(made,))


def test_it_is_live_while_all_wanted_wires_are_up() -> None:
    """One of two is not enough, and one lost is too few."""
    view = make_view()
    seen = [view.is_live]
    for event in (up("public"), up("private"), down("public"), up("public")):
        view.apply(event, NOON)
        seen.append(view.is_live)

    assert seen == [False, False, True, False, True]


@pytest.mark.parametrize(("age_s", "is_given"), [(0, True), (10, True), (10.001, False)])
def test_a_quote_is_given_until_it_is_stale(age_s: float, is_given: bool) -> None:  # noqa: FBT001 - a table
    """The age counts from when it was true at the venue."""
    view = make_view()
    view.apply(up("public"), NOON)
    view.apply(QuoteUpdate(quote=make_quote(as_of=NOON)), at(3))

    assert (view.fresh_quote(BTC, at(age_s), 10.0) is not None) == is_given


def test_a_quote_of_a_lost_wire_is_not_given() -> None:
    """However young: nobody would tell that it changed."""
    view = make_view()
    view.apply(up("public"), NOON)
    view.apply(QuoteUpdate(quote=make_quote(as_of=NOON)), NOON)
    view.apply(down("public"), NOON)

    assert view.fresh_quote(BTC, NOON, 10.0) is None


def test_a_lost_private_wire_takes_no_quotes_away() -> None:
    """They come by the other one."""
    view = make_view()
    view.apply(up("public"), NOON)
    view.apply(QuoteUpdate(quote=make_quote(as_of=NOON)), NOON)
    view.apply(down("private"), NOON)

    assert view.fresh_quote(BTC, NOON, 10.0) is not None


def test_an_instrument_that_was_never_quoted_has_no_quote() -> None:
    """Absent, not zero."""
    view = make_view()
    view.apply(up("public"), NOON)

    assert view.fresh_quote(ETH, NOON, 10.0) is None


def test_a_candle_is_given_once_and_only_when_it_is_over() -> None:
    """By the clock, even when nobody trades any more."""
    view = listening_view()
    view.apply(trade(10, "100"), at(10))
    view.apply(trade(50, "103"), at(50))

    assert view.take_closed(at(59)) == ()
    (candle,) = view.take_closed(at(60))
    assert (candle.open, candle.close, candle.volume) == (d("100"), d("103"), d("4"))
    assert view.take_closed(at(61)) == ()
    assert view.candles(BTC) == (candle,)
    assert view.candles(ETH) == ()


def test_a_trade_of_the_next_minute_ends_the_one_before() -> None:
    """The stream may run ahead of the turn."""
    view = listening_view()
    view.apply(trade(10, "100"), at(10))
    view.apply(trade(60, "101"), at(60))

    assert [each.close for each in view.take_closed(at(60))] == [d("100")]


def test_only_so_much_history_is_kept() -> None:
    """As much as the strategy looks back on."""
    view = listening_view(history=3)
    for minute in range(6):
        view.apply(trade(minute * 60, str(100 + minute)), at(minute * 60))
    view.take_closed(at(360))

    assert [each.close for each in view.candles(BTC)] == [d("103"), d("104"), d("105")]


def test_prints_of_other_instruments_are_counted_and_ignored() -> None:
    """A stream may say more than was asked."""
    view = make_view()
    view.apply(trade(10, "1", Symbol("DOGE/USD")), at(10))

    assert (view.prints, view.take_closed(at(100))) == (1, ())


def test_the_venue_s_mode_is_unknown_until_told() -> None:
    """And then what was last told."""
    view = make_view()
    before = view.mode
    view.apply(VenueModeUpdate(mode=VenueMode.CANCEL_ONLY), NOON)

    assert (before, view.mode) == (VenueMode.UNKNOWN, VenueMode.CANCEL_ONLY)


def test_the_last_event_is_remembered_for_the_heartbeat() -> None:
    """When it arrived, whatever it was."""
    view = make_view()
    assert view.last_event_at is None
    view.apply(VenueModeUpdate(mode=VenueMode.ONLINE), at(7))

    assert view.last_event_at == at(7)


@pytest.mark.parametrize(("bid", "ask"), [("0", "60000.1"), ("0", "0"), ("60001", "60000")])
def test_a_quote_that_makes_no_sense_is_passed_over(bid: str, ask: str) -> None:
    """A side that nobody is on has the price 0: the last one that had both goes on, while fresh."""
    view = listening_view()
    good = make_quote(as_of=at(1))
    view.apply(QuoteUpdate(quote=good), at(1))
    view.apply(QuoteUpdate(quote=make_quote(bid=d(bid), ask=d(ask), as_of=at(2))), at(2))

    assert view.fresh_quote(BTC, at(3), stale_s=10.0) == good
