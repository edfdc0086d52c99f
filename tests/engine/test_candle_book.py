"""Closed candles: whole ones, and what a gap tore only once it is repaired."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import BTC, ETH, NOON, d, make_instrument
from zoe_tools.core.candles import CandleBuilder
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market import PublicTrade
from zoe_tools.domain.order import Side
from zoe_tools.engine.candle_book import SETTLED_AFTER, CandleBook

MINUTE = timedelta(minutes=1)
HISTORY = 5


def make_book(history: int = HISTORY) -> CandleBook:
    """Two instruments in minutes."""
    instruments = {BTC: make_instrument(), ETH: make_instrument("ETH/USD")}
    return CandleBook(instruments, Timeframe.M1, history)


def at(minutes: float) -> datetime:
    """So long after noon."""
    return NOON + minutes * MINUTE


def trade(minutes: float, price: str, symbol: Symbol = BTC) -> PublicTrade:
    """One print."""
    return PublicTrade(
        symbol=symbol,
        trade_id=1,
        side=Side.BUY,
        price=d(price),
        quantity=d("2"),
        traded_at=at(minutes),
    )


def record(minute: int, close: str) -> Candle:
    """The venue's own record of a minute."""
    builder = CandleBuilder(BTC, Timeframe.M1, price_decimals=1)
    builder.add(trade(minute, close))
    made = builder.close_due(at(minute + 1))
    assert made is not None
    return made


def closes(book: CandleBook, symbol: Symbol = BTC) -> list[tuple[int, str]]:
    """Minute and close of each candle that is shown."""
    return [((each.opened_at - NOON) // MINUTE, f"{each.close:f}") for each in book.candles(symbol)]


def told(book: CandleBook, minutes: float) -> list[int]:
    """The minutes of the candles that are told as closed then."""
    return [(each.opened_at - NOON) // MINUTE for each in book.take_closed(at(minutes))]


def repaired(book: CandleBook, asked: float, *records: Candle) -> None:
    """BTC's history is asked for at that time, and comes."""
    (torn,) = (each for each in book.torn() if each.symbol == BTC)
    book.repair(torn, records, at(asked))


def test_a_stream_that_comes_up_on_the_minute_tears_nothing() -> None:
    """As a replay does: the first candle is whole, and the past may be asked for at once."""
    book = make_book()
    book.stream_is_up(at(0))
    (torn, _) = book.torn()

    assert (torn.due_at, torn.since) == (at(0), at(-HISTORY))
    book.add(trade(0.5, "101"))
    repaired(book, 0.6, record(-2, "98"), record(-1, "99"))
    assert told(book, 1) == [0]
    assert closes(book) == [(-2, "98"), (-1, "99"), (0, "101")]


def test_the_first_candle_is_torn_and_told_once_the_venue_s_record_is_there() -> None:
    """We came in the middle of the minute: its beginning is the venue's to tell."""
    book = make_book()
    book.stream_is_up(at(0.4))
    book.add(trade(0.5, "101"))
    (torn, _) = book.torn()

    assert torn.due_at == at(1) + SETTLED_AFTER
    assert told(book, 1) == []
    repaired(book, 1.1, record(-1, "99"), record(0, "102"), record(1, "103"))
    assert closes(book) == [(-1, "99"), (0, "102")]
    assert told(book, 1.1) == [0]
    assert [each.symbol for each in book.torn()] == [ETH]


def test_what_closed_before_the_stream_was_up_is_history_and_no_news() -> None:
    """A loop that starts again decides nothing on a close that it may have decided on before."""
    book = make_book()
    book.stream_is_up(at(0))
    repaired(book, 0.1, record(-2, "98"), record(-1, "99"))

    assert told(book, 0.1) == []


def test_whole_candles_wait_while_there_is_a_hole_before_them() -> None:
    """And come in their order when it is filled; the newest alone is news."""
    book = make_book()
    book.stream_is_up(at(0.4))
    for minute in (1.5, 2.5):
        book.add(trade(minute, f"10{minute:.0f}"))
    assert told(book, 3) == []
    assert closes(book) == []
    repaired(book, 3.1, record(0, "100"))

    assert closes(book) == [(0, "100"), (1, "102"), (2, "102")]
    assert told(book, 3.1) == [2]


def test_a_gap_drops_what_it_tore_and_keeps_what_was_whole() -> None:
    """Down within minute 1, up within minute 3: the venue tells 1 to 3."""
    book = make_book()
    book.stream_is_up(at(0))
    repaired(book, 0)
    book.add(trade(0.5, "100"))
    book.add(trade(1.2, "101"))
    assert told(book, 1.2) == [0]
    book.stream_is_down()
    book.stream_is_up(at(3.5))
    book.add(trade(3.6, "103"))
    book.add(trade(4.1, "104"))
    assert told(book, 4.1) == []
    repaired(book, 4.2, record(1, "111"), record(2, "112"), record(3, "113"))

    assert closes(book) == [(0, "100"), (1, "111"), (2, "112"), (3, "113")]
    assert told(book, 5) == [3, 4]


def test_an_answer_from_before_the_next_gap_is_of_no_use() -> None:
    """What it tells may have a hole of its own."""
    book = make_book()
    book.stream_is_up(at(0))
    (torn, _) = book.torn()
    book.stream_is_down()
    book.stream_is_up(at(0.5))

    assert book.repair(torn, [record(-1, "99")], at(0.6)) == ()
    assert closes(book) == []
    assert [each.symbol for each in book.torn()] == [BTC, ETH]


def test_nothing_is_asked_while_the_stream_is_away() -> None:
    """It would be torn again."""
    book = make_book()
    assert list(book.torn()) == []
    book.stream_is_up(at(0))
    book.stream_is_down()
    assert list(book.torn()) == []


@pytest.mark.parametrize(
    ("minute", "shown"),
    [
        (1, [(0, "100"), (1, "101")]),
        (3, [(0, "100"), (1, "100"), (2, "100"), (3, "101")]),
        (400, [(396, "100"), (397, "100"), (398, "100"), (399, "100"), (400, "101")]),
    ],
)
def test_a_minute_without_trades_repeats_the_close(
    minute: int, shown: list[tuple[int, str]]
) -> None:
    """As the venue's own records do; never more than the history holds."""
    book = make_book()
    book.stream_is_up(at(0))
    repaired(book, 0)
    book.add(trade(0.5, "100"))
    book.add(trade(minute + 0.5, "101"))

    assert told(book, minute + 1) == [0, minute]
    assert closes(book) == shown
    silent = [each for each in book.candles(BTC) if each.count == 0]
    assert {(each.volume, each.vwap, each.high) for each in silent} <= {(0, 0, d("100"))}


def test_the_running_candle_of_the_venue_is_no_closed_one() -> None:
    """Whatever its record says: what counts is that its time is over."""
    book = make_book()
    book.stream_is_up(at(0.4))
    (torn, _) = book.torn()

    over = book.repair(torn, [record(0, "100"), record(1, "101")], at(1.5))
    assert [each.opened_at for each in over] == [at(0)]
    assert {each.is_final for each in over} == {True}


def truth(trades: list[PublicTrade], until: datetime) -> dict[datetime, Candle]:
    """Every minute in which somebody traded and that is over, as the venue has it."""
    builder = CandleBuilder(BTC, Timeframe.M1, price_decimals=1)
    made = [builder.add(each) for each in trades]
    made.append(builder.close_due(until))
    return {each.opened_at: each for each in made if each is not None}


def test_the_venue_s_trades_tell_its_time_too() -> None:
    """A clock that is behind does not keep a candle waiting that is over by the venue's."""
    book = make_book()
    assert book.time_at(at(1)) == at(1)
    book.add(trade(3, "100"))
    book.add(trade(2, "100"))

    assert book.time_at(at(1)) == at(3)
    assert book.time_at(at(4)) == at(4)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(90, 110)), max_size=60),
    st.lists(st.integers(0, 900), max_size=8, unique=True),
)
def test_whatever_the_gaps_what_is_told_is_the_truth(
    prints: list[tuple[int, int]], cuts: list[int]
) -> None:
    """Second by second: the stream comes and goes, records are asked for when they are due."""
    trades = [trade(second / 60, str(price)) for second, price in sorted(prints)]
    book = make_book(history=30)
    book.stream_is_up(at(0))
    heard: list[Candle] = []
    is_up = True
    for second in sorted({*range(0, 1000, 10), *cuts, *(second for second, _ in prints)}):
        now = at(second / 60)
        if second in cuts:
            is_up = not is_up
            if is_up:
                book.stream_is_up(now)
            else:
                book.stream_is_down()
        for each in trades:
            if each.traded_at == now and is_up:
                book.add(each)
        for torn in list(book.torn()):
            if torn.symbol == BTC and torn.due_at <= now:
                book.repair(
                    torn, truth([t for t in trades if t.traded_at <= now], now).values(), now
                )
        heard.extend(book.take_closed(now))

    true = truth(trades, at(1000 / 60))
    assert [each for each in heard if each != true[each.opened_at]] == []
    opened = [each.opened_at for each in heard]
    assert opened == sorted(set(opened))
    if is_up and BTC not in {each.symbol for each in book.torn()}:
        shown = {each.opened_at: each for each in book.candles(BTC) if each.count}
        assert shown == true
