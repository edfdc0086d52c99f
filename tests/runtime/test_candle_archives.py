"""Tables of Kraken's bulk archives: what is read of them, and what is refused, by file and line."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import pytest

import kraken_answers as kraken
from builders import BTC, ETH, d
from zoe_tools.domain.candle import Timeframe
from zoe_tools.errors import MarketDataError
from zoe_tools.runtime import candle_archives
from zoe_tools.runtime.candle_archives import Kind, contents_of, parts_of

CATALOGUE = kraken.catalogue()
TRADES = "1704067200,42000.1,0.5\n1704067200,42000.1,0.5\n1704067201,41999.9,0.00000001\n"
CANDLES = "1704067200,10,12,9,11,3.5,4\n1704070800,11.0,11,11,11,0.1,1\n"


def rows_of(path: Path) -> list[tuple[object, ...]]:
    """All rows of a table."""
    (table,) = contents_of(path, CATALOGUE).tables
    return [row for part in parts_of(table) for row in part.rows()]


def written(tmp_path: Path, name: str, text: str) -> Path:
    """A file of this text."""
    path = tmp_path / name
    path.write_text(text)
    return path


def zipped(tmp_path: Path, **members: str) -> Path:
    """A zip of tables."""
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(f"Kraken/{name}.csv", text)
    return path


@pytest.mark.parametrize("part_bytes", [1, 10, 30, 1 << 20])
def test_every_row_counts_in_parts_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    """Two trades that are the same are two; the last line may lack its end."""
    monkeypatch.setattr(candle_archives, "PART_BYTES", part_bytes)
    expected = [
        (1704067200, d("42000.1"), d("0.5")),
        (1704067200, d("42000.1"), d("0.5")),
        (1704067201, d("41999.9"), d("0.00000001")),
    ]
    for text in (TRADES, TRADES.rstrip("\n"), TRADES.replace("\n", "\r\n")):
        assert rows_of(written(tmp_path, "XBTUSD.csv", text)) == expected


def test_a_table_is_named_after_its_pair_and_length(tmp_path: Path) -> None:
    """In any spelling that the venue has for the pair."""
    (table,) = contents_of(written(tmp_path, "ETHUSD_60.csv", CANDLES), CATALOGUE).tables
    assert (table.symbol, table.kind, table.timeframe) == (ETH, Kind.CANDLES, Timeframe.H1)
    assert rows_of(table.path)[1] == (1704070800, *map(d, ("11", "11", "11", "11", "0.1")), 1)
    for name in ("NOPE.csv", "XBTUSD_61.csv", "XBTUSD.txt", "notes.csv.bak"):
        with pytest.raises(MarketDataError, match="not named after a pair"):
            contents_of(written(tmp_path, name, TRADES), CATALOGUE)


def test_a_zip_holds_tables_and_what_is_none_is_told(tmp_path: Path) -> None:
    """Pairs that left the venue's list, and lengths that zoe does not keep."""
    path = zipped(
        tmp_path, XBTUSD=TRADES, ETHUSD_60=CANDLES, GONEUSD=TRADES, XBTUSD_720=CANDLES, XTZUSD=""
    )
    contents = contents_of(path, CATALOGUE)

    assert [each.name for each in contents.tables] == [
        f"archive.zip:Kraken/{name}.csv" for name in ("XBTUSD", "ETHUSD_60", "XTZUSD")
    ]
    assert contents.strange == ("Kraken/GONEUSD.csv", "Kraken/XBTUSD_720.csv")
    assert contents.tables[0].symbol == BTC
    assert [len(list(parts_of(each))) for each in contents.tables] == [1, 1, 0]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1704067202,42000.1", "2 cells, 3 are wanted"),
        ("1704067202,42000.1,1,1", "4 cells, 3 are wanted"),
        ("1704067202,much,1", "price: 'much' is not a number"),
        ("1704067202,NaN,1", "price: 'NaN' is not a finite number"),
        ("1704067202,,1", "price: '' is not a number"),
        ("1704067202,0,1", "price is 0"),
        ("1704067202,-1,1", "price is -1"),
        ("1704067202,1,-0.1", "volume is -0.1"),
        ("-5,1,1", "at is -5"),
        ("1704067202,1,0.0000000000001", "it must be below"),
        ("1704067202,1000000000000000,1", "it must be below"),
        ("time,price,volume", "at: 'time' is not a number"),
        ("", "1 cells, 3 are wanted"),
        ("1704067199,42000.1,1", "it is older than the trade before it"),
        ("1704067202,1,1e-13", "it must be below"),
        ("1704067202,1.5,1.23456789e-8", "it must be below"),
        ("1704067202,1.5 ,1", "price: '1.5 ' is not written as a number"),
        ("1704067202,1_000,1", "price: '1_000' is not written as a number"),
        ("1704067202123,1,1", "at is 1704067202123, and no time in seconds"),
        ("1704067202123456789,1,1", "it must be below"),
        ("1704067202,1,1\r1704067203,1,1", "5 cells, 3 are wanted"),
    ],
)
@pytest.mark.parametrize("part_bytes", [40, 1 << 20])
def test_a_row_of_trades_that_makes_no_sense_is_named_by_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str, part_bytes: int
) -> None:
    """Whatever part of the file it stands in."""
    monkeypatch.setattr(candle_archives, "PART_BYTES", part_bytes)
    path = written(tmp_path, "XBTUSD.csv", f"{TRADES}{line}\n1704067300,1,1\n")
    with pytest.raises(MarketDataError, match=r"XBTUSD\.csv, line 4: ") as caught:
        rows_of(path)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1704074400,10,9,9,11,3.5,4", "high and low are not around open and close"),
        ("1704074400,10,12,11.5,11,3.5,4", "high and low are not around open and close"),
        ("1704074400,10,12,9,11,3.5,-4", "count is -4"),
        ("1704074400,10,12,9,11,3.5,4.5", "count"),
        ("1704074400,10,12,9,11,3.5,3.0", "count: '3.0' is not written as a number"),
        ("1704074400,10,12,9,11,3.5,3000000000", "count is 3000000000"),
        ("1704074400000,10,12,9,11,3.5,4", "no time in seconds"),
        ("1704070800,10,12,9,11,3.5,4", "it does not begin a later 1h"),
        ("1704074401,10,12,9,11,3.5,4", "it does not begin a later 1h"),
    ],
)
def test_a_candle_that_makes_no_sense_is_named_by_its_line(
    tmp_path: Path, line: str, words: str
) -> None:
    """Each stands on its grid, once, and its prices are within each other."""
    path = written(tmp_path, "ETHUSD_60.csv", f"{CANDLES}{line}\n")
    with pytest.raises(MarketDataError, match=r"ETHUSD_60\.csv, line 3") as caught:
        rows_of(path)
    assert words in caught.value.message


def test_a_zip_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    """Cut off, or changed within: its own checksum tells."""
    path = zipped(tmp_path, XBTUSD=TRADES * 1_000)
    content = path.read_bytes()
    at = content.index(b".csv") + 40
    path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
    with pytest.raises(MarketDataError, match=r"archive\.zip is not whole"):
        rows_of(path)
    path.write_bytes(content[:-30])
    with pytest.raises(MarketDataError, match=r"archive\.zip is not whole"):
        rows_of(path)
    cut = tmp_path / "XBTUSD.csv"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(MarketDataError, match=r"XBTUSD\.csv, line 1"):
        rows_of(cut)


@pytest.mark.parametrize(
    "packed_by", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_zip_with_any_byte_changed_is_read_exactly_or_refused(
    tmp_path: Path, packed_by: int
) -> None:
    """Whatever unpacks it, and wherever the byte is: no other error comes out of it."""
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w", packed_by) as archive:
        archive.writestr("XBTUSD.csv", TRADES)
    whole, exact = path.read_bytes(), rows_of(path)
    refused = 0
    for at in range(len(whole)):
        for flip in (0x01, 0x80, 0xFF):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
            try:
                found = [
                    row
                    for table in contents_of(path, CATALOGUE).tables
                    for part in parts_of(table)
                    for row in part.rows()
                ]
            except MarketDataError:
                refused += 1
            else:
                assert found in (exact, [])  # [] where the member lost its name

    assert refused > len(whole)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    """Only the second one could be opened: the rows of the first would be lost."""
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("XBTUSD.csv", TRADES)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("XBTUSD.csv", CANDLES)
    with pytest.raises(MarketDataError, match=r"it holds 'XBTUSD\.csv' twice"):
        contents_of(path, CATALOGUE)


def test_a_line_without_an_end_takes_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gigabytes of zeros in a few kilobytes of zip are given up at the first piece."""
    monkeypatch.setattr(candle_archives, "PART_BYTES", 1 << 16)
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("XBTUSD.csv", b"0" * (32 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(MarketDataError, match="line 1: 1 cells, 3 are wanted"):
            rows_of(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 4 << 20


def test_a_power_of_ten_is_read_exactly(tmp_path: Path) -> None:
    """As some tools write a small volume."""
    rows = rows_of(written(tmp_path, "XBTUSD.csv", "1704067200,1.5e3,1E-05\n"))
    assert rows == [(1704067200, d("1500"), d("0.00001"))]


def test_a_member_s_name_does_nothing_to_the_terminal(tmp_path: Path) -> None:
    """Whoever packed it may have put anything there, and a way out of the folder."""
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("\x1b[31mred\n.csv", TRADES)
        archive.writestr("../\x1b[2J/XBTUSD.csv", TRADES)
    contents = contents_of(path, CATALOGUE)
    (table,) = contents.tables

    assert all(each.isprintable() for each in (*contents.strange, table.name))
    assert [row for part in parts_of(table) for row in part.rows()]
    assert [each.name for each in tmp_path.iterdir()] == ["archive.zip"]
