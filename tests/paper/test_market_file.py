"""Opening recorded markets: trades, frames, and files that are neither."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

from zoe_tools.errors import MarketDataError
from zoe_tools.paper.markets.candles import CandleReplay
from zoe_tools.paper.markets.file import open_market
from zoe_tools.paper.markets.frames import FramesReplay
from zoe_tools.paper.markets.pair_specs import PAIRS, spec_named
from zoe_tools.paper.markets.trades import TradesReplay
from zoe_tools.paper.values.market import BookChange, BookSnapshot, Print

REAL = Path(__file__).parents[2].parent / "shared" / "data"
ROWS = (
    '["70000.10000","0.00150000",1767600000.123456789,"b","l","",1],\n'
    '["70000.00000","0.50000000",1767600001.5,"s","m","",2]'
)
REST = f'{{"error":[],"result":{{"XXBTZUSD":[\n{ROWS}\n],"last":"1767600001500000000"}}}}'
PLAIN = f'{{"pair":"XBTUSD","note":"anything","trades":[\n{ROWS}\n]}}'


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", [REST, PLAIN])
def test_trades_are_told_with_a_book_around_each(text: str, tmp_path: Path) -> None:
    """Both shapes; times to the nanosecond, wire digits, sides and types."""
    source = open_market(_file(tmp_path, "trades.json", text))
    events = list(source.events())

    assert isinstance(source, TradesReplay)
    assert [type(event) for event in events] == [BookSnapshot, Print] * 2
    assert events[1] == Print(
        at=1767600000123456789,
        symbol="BTC/USD",
        side="buy",
        price=Decimal("70000.1"),
        quantity=Decimal("0.00150000"),
        is_market=False,
    )
    assert source.starts_at < events[0].at
    assert list(source.events()) == events


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "line 1: not JSON"),
        ('{"pair":"XBTUSD",\n"trades":[}', "line 2: not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"error":["EQuery:Unknown asset pair"]}', "is an error answer"),
        ('{"error":[],"result":{}}', "no list of trades of one pair"),
        ('{"error":[],"result":[]}', "no list of trades of one pair"),
        ('{"result":{"A":[],"B":[]}}', "no list of trades of one pair"),
        ('{"pair":"XBTUSD","trades":[]}', "holds no trade"),
        ('{"pair":"FOOBAR","trades":[[1]]}', "No pair is called 'FOOBAR'"),
        (PLAIN.replace('"s","m"', '"x","m"'), "line 3: trade 2: its side or type is unknown"),
        (PLAIN.replace('"s","m"', '[],"m"'), "line 3: trade 2: "),
        (PLAIN.replace('"0.50000000"', '"zero"'), "line 3: trade 2: "),
        (PLAIN.replace('"0.50000000"', '"NaN"'), "line 3: trade 2: 'NaN' is not a number above"),
        (PLAIN.replace('"0.50000000"', "true"), "line 3: trade 2: True is not a number"),
        (PLAIN.replace("1767600001.5", "1767500000"), "line 3: trade 2: it is older"),
        (PLAIN.replace(',"m","",2', ""), "line 3: trade 2: it is not a list of 5"),
    ],
)
def test_a_wrong_trade_is_named(text: str, complaint: str, tmp_path: Path) -> None:
    """One sentence with file, line and trade."""
    path = _file(tmp_path, "trades.json", text)

    with pytest.raises(MarketDataError) as caught:
        open_market(path)

    assert str(path) in caught.value.message
    assert complaint in caught.value.message


SNAPSHOT = (
    '1000000000\t{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":'
    '[{"price":63388.7,"qty":0.25761908},{"price":63388,"qty":0.00005100}],"asks":'
    '[{"price":63388.8,"qty":0.34887114},{"price":63389.0,"qty":0.00005100}],"checksum":1}]}'
)
UPDATE = (
    '1000000500\t{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":'
    '[{"price":63388.5,"qty":0.00005100}],"asks":[],"checksum":2}]}'
)
TRADE = (
    '1000000900\t{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell",'
    '"price":63388.7,"qty":0.00010000,"ord_type":"market","trade_id":9}]}'
)
OTHERS = (
    '900000000\t{"channel":"status","type":"update","data":[{"system":"online"}]}\n'
    '950000000\t{"method":"subscribe","result":{"channel":"book","depth":2,'
    '"symbol":"BTC/USD"},"success":true}\n'
    '960000000\t{"channel":"heartbeat"}'
)
FRAMES = f"{OTHERS}\n{SNAPSHOT}\n{UPDATE}\n{TRADE}"


def test_frames_are_told_with_their_digits_and_what_falls_out_is_removed(tmp_path: Path) -> None:
    """Depth two: the third bid leaves the book, though the feed never says so."""
    source = open_market(_file(tmp_path, "btc.frames.tsv", FRAMES))
    book, update, trade = source.events()

    assert isinstance(source, FramesReplay)
    assert (source.starts_at, [spec.symbol for spec in source.pairs]) == (900000000, ["BTC/USD"])
    assert isinstance(book, BookSnapshot)
    assert str(book.bids[1][1]) == "0.00005100"
    assert isinstance(update, BookChange)
    assert update.bids == (
        (Decimal("63388.5"), Decimal("0.00005100")),
        (Decimal(63388), Decimal(0)),
    )
    assert isinstance(trade, Print)
    assert (trade.side, trade.is_market, trade.at) == ("sell", True, 1000000900)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("nonsense", "there is no receive time and tab"),
        ("1000000900 {}", "there is no receive time and tab"),
        ("1000000900\t{", ""),
        ("1000000900\t[]", "the frame is not an object"),
        ("999\t{}", "its time is before the line above's"),
        (TRADE.replace("BTC/USD", "FOO/BAR"), "No pair is called 'FOO/BAR'"),
        (UPDATE.replace("BTC/USD", "ETH/USD"), "an update of ETH/USD comes before any snapshot"),
        (UPDATE.replace('"qty":0.00005100', '"qty":"1"'), "'1' is not a number"),
        (UPDATE.replace('"qty":0.00005100', '"qty":-1'), "a negative quantity"),
        (UPDATE.replace('"qty":0.00005100', '"qty":1e99999999999999999999'), ""),
        (UPDATE.replace('"bids"', '"bid"'), "no 'bids'"),
        (TRADE.replace('"sell"', "[]"), ""),
        (TRADE.replace("0.00010000", "0"), "the trade has no side, price or quantity"),
    ],
)
def test_a_wrong_frame_is_named(line: str, complaint: str, tmp_path: Path) -> None:
    """One sentence with file and line."""
    path = _file(tmp_path, "btc.frames.tsv", f"{SNAPSHOT}\n{UPDATE}\n{line}\n")

    with pytest.raises(MarketDataError) as caught:
        open_market(path)

    assert f"{path}, line 3: " in caught.value.message
    assert complaint in caught.value.message


def test_a_file_without_a_known_suffix_is_known_by_its_first_line(tmp_path: Path) -> None:
    """Frames, trades, candles; the name still has to say a candle's pair."""
    candle = "1546300800,130.77,131.4,130.46,131.03,5601.24,689\n"
    kinds = [
        type(open_market(_file(tmp_path, name, text)))
        for name, text in (("a.txt", FRAMES), ("b.txt", REST), ("ETHUSD_60.txt", candle))
    ]

    assert kinds == [FramesReplay, TradesReplay, CandleReplay]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("notes.txt", b"hello", "has no format that can be replayed"),
        ("empty.txt", b"", "has no format that can be replayed"),
        ("BTCUSD_60.csv", b"", "holds no candle"),
        ("a.frames.tsv", b"", "holds no book or trade frame"),
        ("a.json", b"", "line 1: not JSON"),
        ("a.csv", b"\xff\xfe\x00", "line 1: this is not text"),
    ],
)
def test_a_file_that_is_nothing_is_refused(
    name: str, content: bytes, complaint: str, tmp_path: Path
) -> None:
    """One sentence, and what would be a market."""
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(MarketDataError, match=complaint) as caught:
        open_market(path)

    assert caught.value.hint


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Missing, or a folder."""
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(MarketDataError, match="cannot be read"):
            open_market(path)


def test_every_pair_is_found_by_each_of_its_spellings() -> None:
    """v2 name, REST key, altname, v1 name, plain and dashed; none is ambiguous."""
    for spec in PAIRS:
        for spelling in (
            spec.symbol,
            spec.pair_id,
            spec.altname,
            spec.wsname,
            f"{spec.base}-{spec.quote}",
            f"{spec.base}{spec.quote}".lower(),
        ):
            assert spec_named(spelling) is spec


def test_the_real_trades_are_told_one_by_one() -> None:
    """500 consecutive public trades, in order, volume and price unchanged."""
    path = REAL / "nautilus" / "xbtusdt_trades_first_half.json"
    if not path.exists():
        pytest.skip("the recorded market data is not here")
    rows = json.loads(path.read_text())["trades"]
    prints = [event for event in open_market(path).events() if isinstance(event, Print)]

    assert [(each.price, each.quantity) for each in prints] == [
        (Decimal(row[0]), Decimal(row[1])) for row in rows
    ]


def test_a_line_that_is_no_text_is_named(tmp_path: Path) -> None:
    """The second of two."""
    path = tmp_path / "BTCUSD_60.csv"
    path.write_bytes(b"1600000000,1,2,0.5,1,5,3\n\xff\xfe\n")

    with pytest.raises(MarketDataError, match="line 2"):
        open_market(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """It would block until somebody wrote."""
    path = tmp_path / "BTCUSD_60.csv"
    os.mkfifo(path)

    with pytest.raises(MarketDataError, match="no regular file"):
        open_market(path)
