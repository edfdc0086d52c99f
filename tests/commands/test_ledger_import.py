"""`zoe ledger import` over books in memory."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

import ledger_rows
from builders import d
from command_line import LIVE_KEYS, migrated, zoe
from fakes import Desk, at_the_desk, command_io, fresh_store
from paper_venue import PaperVenue, context_of, visited
from zoe_tools.commands.invocation import GlobalOptions, Invocation
from zoe_tools.commands.ledger import _ledger
from zoe_tools.commands.ledger_import import _import, _Way
from zoe_tools.core.ledger_journal import booked
from zoe_tools.domain.identifiers import LedgerId
from zoe_tools.errors import LedgerFileError
from zoe_tools.render.printer import Printer
from zoe_tools.store.runner import InlineRunner

HEADER = "txid,refid,time,type,subtype,aclass,asset,amount,fee,balance"
ROWS = (
    "L1,R1,2026-01-05 10:00:00,deposit,,currency,USD,1000,0,1000",
    "L2,R2,2026-01-05 11:00:00,trade,,currency,USD,-100,0.26,899.74",
    "L3,R2,2026-01-05 11:00:00,trade,,currency,BTC,0.001,0,0.001",
    "L4,R4,2026-01-05 11:30:00,lottery,,currency,BTC,0.002,0,0.003",
)
HELD = {"USD": d("899.74"), "BTC": d("0.003")}


def file_of(tmp_path: Path, *rows: str) -> Path:
    """An export of these rows."""
    path = tmp_path / "ledgers.csv"
    path.write_text("\n".join((HEADER, *rows)) + "\n")
    return path


TRADES = (
    "txid,ordertxid,pair,time,type,ordertype,price,cost,fee,vol,margin,misc,ledgers",
    'R2,O1,BTC/USD,2026-01-05 11:00:00.1234,buy,market,100000,100,0.26,0.001,0,,"L3,L2"',
)


async def run(
    desk: Desk, *files: Path, execute: bool = False, as_json: bool = False
) -> tuple[int, str]:
    """The command's exit code, and all it printed."""
    context, invocation, out = command_io(desk, "ledger import", json=as_json)
    code = await _import(context, invocation, files, execute=execute)
    return code, out.getvalue()


def test_a_dry_run_tells_what_would_be_booked_and_writes_nothing(tmp_path: Path) -> None:
    """Rows, period, types and assets; exit 3, and the line that carries it out."""
    path = file_of(tmp_path, *ROWS)

    async def story(desk: Desk) -> None:
        before = await desk.read(lambda books: books.business_fingerprint())
        code, text = await run(desk, path)
        assert code == 3
        for said in (
            "4 read: 4 new, 0 known",
            "2026-01-05 10:00 to 2026-01-05 11:30 UTC",
            "deposit 1, lottery 1, trade 2",
            "BTC 2, USD 2",
            "every balance chains, from nothing on",
            "does not know are kept, against `unclassified`: lottery",
            f"zoe ledger import {path} --execute",
        ):
            assert said in " ".join(text.split())
        assert await desk.read(lambda books: books.business_fingerprint()) == before

    at_the_desk(tmp_path, story, balances=HELD)


def test_an_import_is_booked_and_proved_against_the_venue_once(tmp_path: Path) -> None:
    """Exit 0 with every balance proved; the second finds nothing to do."""
    path = file_of(tmp_path, *ROWS)

    async def story(desk: Desk) -> None:
        code, text = await run(desk, path, execute=True)
        assert (code, "Booked: 4 rows." in text, text.count("proved")) == (0, True, 2)
        code, text = await run(desk, path)
        assert (code, "Nothing to do" in text) == (0, True)
        code, told = await run(desk, path, execute=True, as_json=True)
        result = json.loads(told)["result"]
        assert (code, result["imports"][0]["rows_known"], result["is_executed"]) == (0, 4, True)
        assert {each["state"] for each in result["proof"]} == {"proved"}

    at_the_desk(tmp_path, story, balances=HELD)


def test_what_stands_in_two_files_is_booked_and_told_once(tmp_path: Path) -> None:
    """What is told is what was written, and not what each file promised."""
    path = file_of(tmp_path, *ROWS)

    async def story(desk: Desk) -> None:
        code, told = await run(desk, path, path, execute=True, as_json=True)
        result = json.loads(told)["result"]
        assert (code, result["rows_booked"]) == (0, 4)
        code, text = await run(desk, path, path, execute=True)
        assert (code, "Booked: 0 rows." in text) == (0, True)

    at_the_desk(tmp_path, story, balances=HELD)


def test_a_balance_that_the_ledger_does_not_explain_is_a_finding(tmp_path: Path) -> None:
    """Exit 3: it is booked all the same, and what is missing is said."""
    path = file_of(tmp_path, *ROWS)

    async def story(desk: Desk) -> None:
        code, text = await run(desk, path, execute=True)
        assert (
            code,
            "The venue has 0.003 BTC less than the ledger tells" in " ".join(text.split()),
        ) == (3, True)

    at_the_desk(tmp_path, story, balances={"USD": d("899.74")})


def test_of_several_files_none_is_written_if_one_is_bad(tmp_path: Path) -> None:
    """All are read and proved first."""
    good = ledger_rows.write(tmp_path / "good.csv", 50)
    bad = file_of(tmp_path, *ROWS[:1], ROWS[1].replace("899.74", "899.75"))

    async def story(desk: Desk) -> None:
        with pytest.raises(LedgerFileError, match="row L2 does not follow"):
            await run(desk, good, bad, execute=True)
        assert await desk.read(lambda books: books.ledger_book.is_empty())

    at_the_desk(tmp_path, story)


def test_what_is_listed_as_a_table_is_an_export_of_the_same_rows(tmp_path: Path) -> None:
    """Written out by `zoe ledger --csv` and read again, every row is known."""
    path = ledger_rows.write(tmp_path / "made.csv", 120)

    async def story(desk: Desk) -> None:
        await run(desk, path, execute=True)
        context, invocation, out = command_io(desk, "ledger")
        await _ledger(context, invocation.printer(), since="2024-01-01", as_csv=True)
        again = tmp_path / "again.csv"
        again.write_text(out.getvalue())
        code, text = await run(desk, again)
        assert (code, "120 read: 0 new, 120 known" in text) == (0, True)

    at_the_desk(tmp_path, story)


def test_a_trades_export_is_held_against_the_ledger_and_not_booked(tmp_path: Path) -> None:
    """Beside the ledger's own export or the books; what they tell otherwise is a finding."""
    path, trades = file_of(tmp_path, *ROWS), tmp_path / "trades.csv"
    trades.write_text("\n".join(TRADES) + "\n")

    async def story(desk: Desk) -> None:
        code, text = await run(desk, trades, path)
        assert (code, "1 read, 1 as the ledger tells them; none is booked" in text) == (3, True)
        code, text = await run(desk, trades)
        assert (code, "trade R2: row L3 is not in the ledger." in text) == (3, True)
        await run(desk, path, execute=True)
        code, text = await run(desk, trades)
        assert (code, "Nothing to do" in text) == (0, True)
        trades.write_text("\n".join(TRADES).replace("0.26", "0.28") + "\n")
        code, text = await run(desk, trades, execute=True)
        assert (code, "its fee is 0.28, the ledger's 0.26" in text) == (3, True)
        assert len(await desk.read(lambda books: books.ledger())) == 4
        assert await desk.read(lambda books: books.fills()) == ()

    at_the_desk(tmp_path, story, balances=HELD)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        pytest.param(
            "L5,R5,2026-01-07 10:00:00,deposit,,currency,USD,1,0,900.74",
            "1 row is of a time yet to come, the last of 2026-01-07",
            id="the future",
        ),
        pytest.param(
            "L5,R5,2026-01-05 12:00:00,withdrawal,,currency,USD,-900,0,-0.26",
            "A balance goes below zero: USD.",
            id="overdrawn",
        ),
        pytest.param(
            "L5,R5,2026-01-05 12:00:00,deposit,,currency,ZEUR9,5,0,5",
            "The venue lists no such assets: ZEUR9.",
            id="unlisted",
        ),
    ],
)
def test_what_is_odd_is_told_and_booked(tmp_path: Path, row: str, told: str) -> None:
    """Nobody here knows better than the export; a day is left to clocks that differ."""
    path = file_of(tmp_path, *ROWS, row)

    async def story(desk: Desk) -> None:
        code, text = await run(desk, path)
        assert (code, told in " ".join(text.split())) == (3, True)
        await run(desk, path, execute=True)
        assert len(await desk.read(lambda books: books.ledger())) == 5
        file_of(tmp_path, *ROWS, "L6,R5,2026-01-06 12:00:00,deposit,,currency,USD,1,0,900.74")
        _, text = await run(desk, path)
        assert "yet to come" not in text

    at_the_desk(tmp_path, story, balances=HELD)


def test_two_files_that_tell_a_row_in_two_ways_are_both_refused(tmp_path: Path) -> None:
    """Nothing of the first is written: the books are append-only, and one of the two is wrong."""
    path, other = file_of(tmp_path, *ROWS), tmp_path / "other.csv"
    other.write_text("\n".join((HEADER, ROWS[0].replace("1000,0,1000", "11,0,11"))) + "\n")

    said = r"other.csv, line 2: row L1 is .* 11 USD.*ledgers.csv, line 2"

    async def story(desk: Desk) -> None:
        for execute in (False, True):
            with pytest.raises(LedgerFileError, match=said):
                await run(desk, path, other, execute=execute)
        assert await desk.read(lambda books: books.ledger_book.is_empty())

    at_the_desk(tmp_path, story, balances=HELD)


def test_a_fee_below_zero_is_told(tmp_path: Path) -> None:
    """It is booked, as the balance follows from it; but nobody overlooks it."""
    path = file_of(tmp_path, ROWS[0], ROWS[1].replace("0.26,899.74", "-0.5,900.5"))

    async def story(desk: Desk) -> None:
        code, text = await run(desk, path, execute=True)
        assert (code, "1 row has a fee below zero" in " ".join(text.split())) == (0, True)

    at_the_desk(tmp_path, story, balances={"USD": d("900.5")})


def test_a_file_without_rows_does_not_say_that_they_are_in_the_books(tmp_path: Path) -> None:
    """A header alone is nothing to do, and no history."""
    path = file_of(tmp_path)

    async def story(desk: Desk) -> None:
        code, text = await run(desk, path)
        assert (code, "there is no row of a ledger in it" in " ".join(text.split())) == (0, True)

    at_the_desk(tmp_path, story)


def test_nothing_is_imported_into_a_damaged_file(tmp_path: Path) -> None:
    """Also where the import would not touch the damaged page: exit 7, and the file is as it was."""
    home = migrated(tmp_path / "home")
    path = home / "zoe.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = (
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_crypto_orders_account_id_status'"
        )
        (number,) = database.execute(page).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    spoilt = bytearray(path.read_bytes())
    spoilt[(number - 1) * size : number * size] = bytes(size)
    path.write_bytes(spoilt)

    ran = zoe(f"ledger import {file_of(tmp_path, *ROWS)} --execute", LIVE_KEYS, home=home)

    assert (ran.code, "the file is damaged" in ran.err) == (7, True), ran.err
    assert "Restore the last backup" in ran.err


@pytest.mark.parametrize("line", ["ledger import", "ledger import x.csv --from-venue"])
def test_one_says_what_is_to_be_imported(tmp_path: Path, line: str) -> None:
    """Files or the venue: exit 2 for neither and for both."""
    assert zoe(line, LIVE_KEYS, home=migrated(tmp_path / "home")).code == 2


def test_what_the_venue_would_bring_is_proved_before_it_is_written(tmp_path: Path) -> None:
    """By pages and by a report; what the ledger does not explain is told, and exit 3."""

    async def use(venue: PaperVenue) -> None:
        context = context_of(venue.spot, InlineRunner(fresh_store(tmp_path)), venue.clock)

        async def told(way: _Way, *, execute: bool = False) -> tuple[int, str]:
            out = StringIO()
            printer = Printer(out=out, err=out, command="ledger import", json=False, width=120)
            invocation = Invocation(
                command="ledger import",
                options=GlobalOptions(),
                environ={"USER": "tester"},
                output=printer,
            )
            code = await _import(context, invocation, [], way=way, execute=execute)
            return code, " ".join(out.getvalue().split())

        code, text = await told(_Way.REPORT)
        assert (code, "none is ordered yet; it would be of all rows from the first" in text) == (
            3,
            True,
        )
        assert "zoe ledger import --from-venue --report --execute" in text
        code, text = await told(_Way.PAGES)
        assert (code, "1 read: 1 new, 0 known" in text) == (3, True)
        assert "met by the venue's balance, with the books: USD" in text
        code, text = await told(_Way.REPORT, execute=True)
        assert (code, "Booked: 1 row." in text, "proved" in text) == (0, True, True)
        code, text = await told(_Way.PAGES)
        assert (code, "Nothing to do: every row is in the books" in text) == (0, True)

        (row,) = await venue.spot.ledger()
        gone = replace(row, amount=d("-1"), balance=row.balance - 1, ledger_id=LedgerId("LX"))
        await context.store.run(
            lambda tx: tx.ledger_book.record(booked([gone]), source="x/0", at=venue.clock.now())
        )
        code, text = await told(_Way.PAGES)
        assert (code, "The venue has 1 USD more than the ledger tells" in text) == (3, True)
        await context.store.close()

    visited(use)
