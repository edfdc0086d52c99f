"""Replay of bulk candles: four prints that add up, a book no deeper than the trade, hard errors."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.errors import MarketDataError
from zoe_tools.paper.markets.candles import CandleReplay, CandleRow, read_candles
from zoe_tools.paper.markets.file import open_market
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.market import BookSnapshot, MarketEvent, Print
from zoe_tools.paper.values.times import NS

ETH = spec_named("ETH/USD")
HOUR = 3600
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "aironav"


@st.composite
def candle_rows(draw: st.DrawFn) -> list[CandleRow]:
    """Some candles with gaps, thin ones and empty ones among them."""
    rows = []
    opens_at = 1_546_300_800
    for _ in range(draw(st.integers(1, 6))):
        low = draw(st.integers(1, 500_000))
        high = low + draw(st.integers(0, 20_000))
        rows.append(
            CandleRow(
                opens_at=opens_at,
                open=draw(st.integers(low, high)),
                high=high,
                low=low,
                close=draw(st.integers(low, high)),
                volume=draw(st.one_of(st.just(0), st.integers(4, 50), st.integers(4, 10**13))),
            )
        )
        opens_at += HOUR * draw(st.integers(1, 4))
    return rows


def aggregated(events: list[MarketEvent], interval_s: int) -> list[CandleRow]:
    """The candles that the prints make, by plain folding."""
    buckets: dict[int, list[Print]] = {}
    for event in events:
        if isinstance(event, Print):
            start = event.at // NS // interval_s * interval_s
            buckets.setdefault(start, []).append(event)
    rows = []
    for start, prints in buckets.items():
        prices = [int(each.price * 100) for each in prints]
        volume = sum((each.quantity for each in prints), Decimal(0))
        rows.append(
            CandleRow(
                opens_at=start,
                open=prices[0],
                high=max(prices),
                low=min(prices),
                close=prices[-1],
                volume=int(volume * 10**8),
            )
        )
    return rows


@given(candle_rows())
def test_prints_add_up_to_their_candle_exactly(rows: list[CandleRow]) -> None:
    """Open, high, low, close and volume come back; an empty candle gives nothing."""
    events = list(CandleReplay(rows, ETH, HOUR).events())

    assert aggregated(events, HOUR) == [row for row in rows if row.volume]


@given(candle_rows())
def test_a_candle_is_told_inside_itself_and_low_comes_before_high(rows: list[CandleRow]) -> None:
    """Nothing before the opening, the last print just before the end, the adverse price first."""
    by_start = {row.opens_at: row for row in rows}
    prints: dict[int, list[Print]] = {}
    events = list(CandleReplay(rows, ETH, HOUR).events())
    for event in events:
        start = event.at // NS // HOUR * HOUR
        assert start in by_start
        if isinstance(event, Print):
            prints.setdefault(start, []).append(event)

    assert [event.at for event in events] == sorted(event.at for event in events)
    for start, told in prints.items():
        row = by_start[start]
        path = [int(each.price * 100) for each in told]
        assert path == [row.open, row.low, row.high, row.close]
        assert told[0].at > start * NS
        assert told[-1].at == (start + HOUR) * NS - NS


@given(candle_rows())
def test_what_can_be_taken_is_what_was_traded(rows: list[CandleRow]) -> None:
    """Before every print a whole book: uncrossed, print at its best, no deeper than the print."""
    events = list(CandleReplay(rows, ETH, HOUR).events())

    assert len(events) % 2 == 0
    for book, told in zip(events[::2], events[1::2], strict=True):
        assert isinstance(book, BookSnapshot)
        assert isinstance(told, Print)
        assert book.at == told.at
        best = book.asks[0] if told.side == "buy" else book.bids[0]
        shown = sum((quantity for _, quantity in (*book.bids, *book.asks)), Decimal(0))
        assert best[0] == told.price
        assert shown <= max(told.quantity, Decimal("0.00000002"))
        assert all(bid[0] < ask[0] for bid in book.bids for ask in book.asks)
        assert all(one[0] < other[0] for one, other in pairwise(book.asks))
        assert all(one[0] > other[0] > 0 for one, other in pairwise(book.bids))


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ((100, 120, 90, 110, 3), None),
        ((100, 100, 100, 100, 1), [100]),
        ((100, 100, 90, 90, 2), [100, 90]),
        ((90, 100, 90, 90, 3), [90, 100, 90]),
        ((100, 120, 90, 110, 4), [100, 90, 120, 110]),
    ],
)
def test_a_candle_of_a_few_units_prints_no_more_than_it_can(
    row: tuple[int, int, int, int, int], path: list[int] | None, tmp_path: Path
) -> None:
    """Fewer units than prints: only the prices that the candle needs, else the row is wrong."""
    prices = ",".join(f"{price / 100:.2f}" for price in row[:4])
    text = f"1546300800,{prices},{row[4] / 10**8:.8f},9\n"
    if path is None:
        with pytest.raises(MarketDataError, match="too small"):
            read_candles(tmp_path / "ETHUSD_60.csv", text)
        return
    events = list(read_candles(tmp_path / "ETHUSD_60.csv", text).events())

    assert [int(e.price * 100) for e in events if isinstance(e, Print)] == path


def test_a_file_says_pair_and_length_by_its_name(tmp_path: Path) -> None:
    """`XBTUSD_5.csv` is BTC/USD in five minutes; unpadded and noisy numbers are read exactly."""
    path = tmp_path / "XBTUSD_5.csv"
    path.write_text("1546300800,3700,3701.049999,3699.9,3700.1,0.40000000000001,3\n\n")
    source = open_market(path)

    assert isinstance(source, CandleReplay)
    assert [spec.symbol for spec in source.pairs] == ["BTC/USD"]
    assert (source.starts_at, source.granularity_s) == (1546300800 * NS, 75.0)
    assert source.rows == (
        CandleRow(
            opens_at=1546300800, open=37000, high=37010, low=36999, close=37001, volume=40000000
        ),
    )


GOOD = "1546300800,130.77,131.4,130.46,131.03,5601.24,689"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("1546304400,130.77,131.4,130.46,131.03,5601.24", "6 columns instead of 7"),
        ("1546304400,130.77,131.4,130.46,131.03,abc,1", "'abc' is not a number"),
        ("1546304400,130.77,131.4,nan,131.03,1,1", "'nan' is not a number from zero up"),
        ("1546304400,130.77,inf,130.46,131.03,1,1", "'inf' is not a number from zero up"),
        ("1546304400,130.77,131.4,130.46,131.03,-1,1", "'-1' is not a number from zero up"),
        ("1546304400,130.77,1e400,130.46,131.03,1,1", "'1e400' is beyond every market"),
        ("1546304400,130.77,131.4,130.46,131.03,1e30,1", "'1e30' is beyond every market"),
        ("1546304400,131,130,132,131,1,1", "the high 130 is below the low 132"),
        ("1546304400,140,131.4,130.46,131.03,1,1", "open or close lie outside"),
        ("1546304400,0,0,0,0,1,1", "the low 0 is not a price"),
        ("1546304400.5,1,1,1,1,1,1", "not in whole seconds"),
        (GOOD, "the timestamp 1546300800 does not come after 1546300800"),
        ("1546297200,1,1,1,1,1,1", "does not come after"),
        ("1546300860,1,1,1,1,1,1", "starts 60 s after the one before, inside its 3600 s"),
        ("timestamp,open,high,low,close,volume,trades", "'timestamp' is not a number"),
    ],
)
def test_a_wrong_line_is_named(line: str, complaint: str, tmp_path: Path) -> None:
    """One sentence with file and line number, exit code 2."""
    path = tmp_path / "ETHUSD_60.csv"
    path.write_text(f"{GOOD}\n{line}\n")

    with pytest.raises(MarketDataError) as caught:
        open_market(path)

    assert f"{path}, line 2: " in caught.value.message
    assert complaint in caught.value.message
    assert (bool(caught.value.hint), caught.value.exit_code) == (True, 2)


@pytest.mark.parametrize("name", ["candles.csv", "ETHUSD.csv", "_60.csv", "FOOBAR_60.csv"])
def test_a_name_that_says_too_little_is_refused(name: str, tmp_path: Path) -> None:
    """Pair and interval are guessed from nothing else."""
    path = tmp_path / name
    path.write_text(f"{GOOD}\n")

    with pytest.raises(MarketDataError) as caught:
        open_market(path)

    assert "ETHUSD_60.csv" in caught.value.hint


def test_the_real_hours_come_back_one_by_one() -> None:
    """Kraken's own ETHUSD file: 15,333 candles in, the same 15,333 out, twice the same."""
    path = REAL / "ETHUSD_60.csv"
    if not path.exists():
        pytest.skip("the recorded market data is not here")
    source = open_market(path)
    events = list(source.events())
    wanted = []
    for line in path.read_text().splitlines():
        stamp, *prices, volume, _ = line.split(",")
        units = [
            int((Decimal(price) * 100).quantize(Decimal(1), ROUND_HALF_UP)) for price in prices
        ]
        lots = int((Decimal(volume) * 10**8).quantize(Decimal(1), ROUND_HALF_UP))
        wanted.append((int(stamp), *units, lots))
    got = [
        (row.opens_at, row.open, row.high, row.low, row.close, row.volume)
        for row in aggregated(events, HOUR)
    ]

    assert len(got) == 15_333
    assert got == wanted
    assert all(one == other for one, other in zip(events, source.events(), strict=True))
