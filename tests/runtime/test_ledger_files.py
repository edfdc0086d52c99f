"""Files of a history: both column sets, three wrappings, and every way to be no such file."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

import kraken_answers as kraken
import ledger_rows
from builders import d
from zoe_tools.errors import LedgerFileError
from zoe_tools.runtime import ledger_files
from zoe_tools.runtime.ledger_files import ledger_lines

OLD = "txid,refid,time,type,subtype,aclass,asset,amount,fee,balance"
OLD_ROW = "L1,T1,2021-01-05 12:00:00,trade,,currency,ZUSD,-100.0000,0.2600,899.7400"
NEW_ROW = (
    '"L1","T1","2026-01-05 12:00:00","trade","tradespot","currency","fiat","USD","spot / main",'
    '-100.0000,0.2600,899.7400,"","","","USD"'
)
NEW = ledger_rows.HEADER


def zipped(*tables: str) -> bytes:
    """A zip file of these tables."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for number, table in enumerate(tables):
            file.writestr(f"{number}.csv", table)
    return content.getvalue()


def told(tmp_path: Path, content: str | bytes) -> list[tuple[int, str, str, str]]:
    """Line, id, asset and fee asset of each row of a file with this content."""
    path = tmp_path / "ledgers.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [
        (line.number, line.entry.ledger_id, line.entry.asset, line.entry.fee_asset)
        for line in ledger_lines(path, kraken.catalogue())
        if line.entry is not None
    ]


@pytest.mark.parametrize(
    ("content", "paid_in"),
    [
        (f"{OLD}\n{OLD_ROW}\n", ""),
        (f"{OLD}\n{OLD_ROW}", ""),
        (f"{OLD}\r\n{OLD_ROW}\r\n", ""),
        (f"{OLD}\n\n{OLD_ROW}\n\n".replace("\n\nL1", "\nL1"), ""),
        (f"{OLD}\n{OLD_ROW}\n".replace(",", "\t"), ""),
        (f"\ufeff{OLD}\n{OLD_ROW}\n", ""),
        (f"{NEW}\n{NEW_ROW}\n", "USD"),
        (zipped(f"{NEW}\n{NEW_ROW}\n"), "USD"),
        (zipped(f"{OLD}\n{OLD_ROW}\n".replace(",", "\t")), ""),
    ],
)
def test_both_column_sets_are_read_however_they_are_wrapped(
    tmp_path: Path, content: str | bytes, paid_in: str
) -> None:
    """Of 2021 and 2026; by commas, tabs or in a zip; with a mark at the beginning or without."""
    assert told(tmp_path, content) == [(2, "L1", "USD", paid_in)]


def test_a_row_that_only_announces_is_told_apart(tmp_path: Path) -> None:
    """The web export tells a deposit first without id and balance: it is never booked."""
    path = tmp_path / "ledgers.csv"
    path.write_text(f'{OLD}\n"","Q1","2021-01-05 12:00:00","deposit","","currency","ZUSD",5,0,""\n')
    (line,) = ledger_lines(path, kraken.catalogue())

    assert (line.number, line.entry) == (2, None)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("\n", "empty"),
        ("a,b,c\n1,2,3\n", "lacks txid, refid"),
        (OLD.replace("balance", "balances") + "\n", "lacks balance .'balances' is not it"),
        (f"{OLD},fee\n", "names 'fee' twice"),
        (f"{OLD}\n{OLD_ROW},more\n", "line 2: 11 cells"),
        (f"{OLD}\n{OLD_ROW}\nL2,T2,2021-01", "line 3: 3 cells"),
        (f"{NEW}\n{NEW_ROW[:-3]}", "line 2: unexpected end of data"),
        (f"{OLD}\n{OLD_ROW.replace('-100.0000', 'NaN')}\n", "line 2: 'NaN' is not a finite"),
        (f"{OLD}\n{OLD_ROW.replace('-100.0000', '1E400')}\n", "line 2: 1E.400 is no amount"),
        (f"{OLD}\n{OLD_ROW}\n{OLD_ROW.replace('0.2600', '9' * 38)}\n", "line 3: 99.* no amount"),
        (f"{OLD}\n{OLD_ROW.replace('899.7400', '1E-13')}\n", "line 2: 1E-13 is no amount"),
        (f"{OLD}\n{OLD_ROW.replace('-100.0000', '1,5')}\n", "line 2: 11 cells"),
        (f"{OLD}\n{OLD_ROW.replace('2021-01-05 12:00:00', '05.01.2021 12:00')}\n", "is no time"),
        (f"{OLD}\n{OLD_ROW.replace('2021', '9999')}\n", "line 2: '9999-.*no time of an account"),
        (f"{OLD}\n{OLD_ROW.replace('2021', '0001')}\n", "line 2: '0001-.*no time of an account"),
        (f"{OLD}\n{OLD_ROW.replace('trade', chr(27) + '[31m')}\n", "line 2: a control character"),
        (f"{OLD}\n{OLD_ROW.replace('T1', 'T' + chr(0))}\n", r"line 2: a control character in 'T"),
        (f"{OLD}\n{OLD_ROW.replace('currency', chr(0x9B))}\n", "line 2: a control character"),
        (f"{OLD}\n{OLD_ROW.replace('T1', 'T' * 101)}\n", "line 2: a cell of more than 100"),
        (f"{OLD}\n{OLD_ROW.replace('trade', 'x' * 5000)}\n", "line 2: a cell of more than 100"),
        (f"{OLD}\n{OLD_ROW.replace('ZUSD', '=cmd')}\n", "line 2: '=cmd' is no name of an asset"),
        (f"{OLD}\n{OLD_ROW.replace('ZUSD', '')}\n", "without an asset"),
        (f"{OLD}\n{OLD_ROW.replace('899.7400', '')}\n", "a row with an id has a balance"),
        (f"{OLD}\n{OLD_ROW}\n".encode("utf-16"), "not UTF-8"),
        (f"{OLD}\n{OLD_ROW}\n".encode() + b"\xff\xfe\n", "not UTF-8, at line"),
        (f"{OLD}\n{OLD_ROW}\0\n", "line"),
        (b"PK\x03\x04 cut off", "not a whole zip file"),
        (zipped(f"{NEW}\n{NEW_ROW}\n")[:-30], "not a whole zip file"),
        (zipped(OLD, OLD), "2 files in it"),
        (zipped(), "0 files in it"),
    ],
)
def test_what_is_no_whole_export_is_refused_by_name_and_line(
    tmp_path: Path, content: str | bytes, says: str
) -> None:
    """Exit 2, with a hint; no line is skipped."""
    with pytest.raises(LedgerFileError, match=says) as refused:
        told(tmp_path, content)

    assert refused.value.exit_code == 2
    assert refused.value.hint
    assert "ledgers.csv" in refused.value.message


def test_a_small_file_that_would_unpack_to_anything_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it claims to hold is looked at first."""
    monkeypatch.setattr(ledger_files, "MOST_BYTES", 10_000)
    with pytest.raises(LedgerFileError, match="would unpack to 2,000,"):
        told(tmp_path, zipped("x" * 2_000_000))


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """A pipe that nobody writes to would be waited for without end."""
    pipe = tmp_path / "ledgers.csv"
    os.mkfifo(pipe)

    for path in (pipe, tmp_path):
        with pytest.raises(LedgerFileError, match="not a file"):
            ledger_files.is_trades(path)
        with pytest.raises(LedgerFileError, match="not a file"):
            next(ledger_lines(path, kraken.catalogue()))
    with pytest.raises(FileNotFoundError):
        ledger_files.is_trades(tmp_path / "none.csv")


def test_a_zip_whose_content_was_changed_is_not_believed(tmp_path: Path) -> None:
    """Its own checksum says so, at the latest at its end."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as file:
        file.writestr("ledgers.csv", f"{OLD}\n{OLD_ROW}\n")
    forged = content.getvalue().replace(b"-100.0000", b"-900.0000")

    with pytest.raises(LedgerFileError, match="not a whole zip file"):
        told(tmp_path, forged)


def test_the_rows_that_the_project_makes_are_an_export(tmp_path: Path) -> None:
    """They are what the other tests and the measurement stand on."""
    path = ledger_rows.write(tmp_path / "made.csv", 60)
    rows = [line.entry for line in ledger_lines(path, kraken.catalogue())]

    assert len(rows) == 60
    assert {each.kind for each in rows if each} == {"deposit", "trade", "earn", "rollover"}
    assert rows[0] is not None
    assert rows[0].balance == d("100000000")
