"""The ledger in the store: booked once with its journal, read in pages, held to the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from audit_rig import opened
from builders import NOON, book_ledger, d, make_ledger_entry
from zoe_tools.core.audit_books import LastTold, differences
from zoe_tools.domain.identifiers import LedgerId
from zoe_tools.domain.ledger import LedgerCursor, LedgerEntry, LedgerImport, Posting
from zoe_tools.store import ledger as ledger_module
from zoe_tools.store.database import engine_for
from zoe_tools.store.ledger import LedgerConflict
from zoe_tools.store.store import Store, Transaction


def rows(count: int, first: int = 0) -> tuple[LedgerEntry, ...]:
    """So many rows, a second apart."""
    return tuple(
        make_ledger_entry(
            ledger_id=LedgerId(f"L{number}"),
            booked_at=NOON + timedelta(seconds=number),
            amount=d("-1.10"),
            fee=d("0.0"),
            wallet="earn / flexible" if number % 2 else "spot / main",
            asset_class="currency",
            fee_asset="USD",
        )
        for number in range(first, first + count)
    )


def test_every_column_comes_back_as_it_was_booked(store: Store) -> None:
    """Digits, wallet, class and the fee's asset; sub-seconds too."""
    entry = replace(rows(1)[0], booked_at=NOON + timedelta(microseconds=7), amount=d("-1E-8"))
    with store.transaction() as books:
        book_ledger(books, entry)
        assert books.ledger_book.rows() == (entry,)
        assert books.ledger_book.known(["L0", "L9"]) == {"L0": entry}
        assert not books.ledger_book.is_empty()


def test_rows_are_found_by_time_asset_and_type(store: Store) -> None:
    """Alone and together."""
    first, second = rows(2)
    third = replace(second, ledger_id=LedgerId("L3"), asset="EUR", kind="deposit")
    with store.transaction() as books:
        book_ledger(books, first, second, third)
        book = books.ledger_book
        assert book.rows(NOON + timedelta(seconds=1)) == (second, third)
        assert book.rows(asset="EUR") == book.rows(kind="deposit") == (third,)
        assert book.rows(asset="USD", kind="deposit") == ()


def test_a_row_that_is_known_is_booked_once_among_new_ones(store: Store) -> None:
    """Also where it stands in the same slice twice, and its time has fewer digits."""
    known, *fresh = rows(3)
    again = replace(known, booked_at=known.booked_at + timedelta(milliseconds=3))
    with store.transaction() as books:
        assert book_ledger(books, known) == 1
        assert book_ledger(books, fresh[0], again, fresh[1], fresh[0], source="test/1") == 2
        assert book_ledger(books, source="test/2") == 0
        lines, _ = books.ledger_book.journal_page()
        assert [line.amount for line in lines] == [d("2.20"), d("1.10")]
        assert books.ledger_book.rows() == (known, *fresh)
        assert told_and_found(books) == []


@pytest.mark.parametrize("change", [{"amount": d("-2")}, {"refid": "T2"}, {"balance": d("1")}])
def test_a_known_row_with_other_content_is_refused_and_nothing_of_its_slice_kept(
    store: Store, change: dict[str, Any]
) -> None:
    """The venue never changes a row: one of the two is wrong."""
    known, new = rows(2)
    with store.transaction() as books:
        book_ledger(books, known)
    with pytest.raises(LedgerConflict, match="L0"), store.transaction() as books:
        book_ledger(books, new, replace(known, **change), source="test/1")
    with store.transaction() as books:
        assert books.ledger_book.rows() == (known,)
        assert len(books.ledger_book.journal_page()[0]) == 1


def test_pages_bring_every_row_in_the_order_of_its_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And every line of the journal, however they were booked."""
    monkeypatch.setattr(ledger_module, "PAGE", 3)
    made = rows(8)
    with store.transaction() as books:
        book_ledger(books, *made[4:])
        book_ledger(books, *made[:4], source="test/1")
        seen, after = [], None
        while True:
            page, after = books.ledger_book.chain_page(after)
            seen += [each.ledger_id for each in page]
            if after is None:
                break
        lines: list[Posting] = []
        number: int | None = 0
        while number is not None:
            part, number = books.ledger_book.journal_page(number)
            lines += part
    assert seen == [each.ledger_id for each in made]
    assert sum(line.amount for line in lines) == d("8.80")
    assert {line.to_account for line in lines} == {"conversion"}


def test_imports_and_cursors_are_kept(store: Store) -> None:
    """A cursor moves, an import stays."""
    done = LedgerImport(
        source="a1",
        name="ledgers.csv",
        sha256="00",
        rows_read=3,
        rows_new=2,
        first_at=NOON,
        last_at=None,
        imported_at=NOON,
        operator="tester",
    )
    cursor = LedgerCursor(source="Ledgers", newest_at=NOON, details={"end": "5"})
    with store.transaction() as books:
        assert books.ledger_book.cursor("Ledgers") is None
        books.ledger_book.keep_cursor(cursor)
        books.ledger_book.keep_cursor(replace(cursor, details={}))
        books.ledger_book.record_import(done)
        assert books.ledger_book.cursor("Ledgers") == replace(cursor, details={})
        assert books.ledger_book.imports() == (done,)


def told_and_found(books: Transaction) -> list[str]:
    """Where the books say something else than the log."""
    told = LastTold()
    for row in books.audit.rows():
        told.hear(row)
    return [message for _, message in differences(told, books.audit.books())]


TWICE = (
    "INSERT INTO journal_entries SELECT row_id + 99, account_id, entry_id, line, booked_at, refid,"
    " kind, asset, amount, from_account, to_account, source FROM journal_entries"
    " WHERE entry_id = 'L1'"
)


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE ledger_entries SET amount = '-2' WHERE ledger_id = 'L1'",
        "UPDATE ledger_entries SET wallet = 'x' WHERE ledger_id = 'L1'",
        "DELETE FROM ledger_entries WHERE ledger_id = 'L4'",
        "UPDATE journal_entries SET to_account = 'fees' WHERE entry_id = 'L1'",
        "DELETE FROM journal_entries WHERE entry_id = 'L1'",
        TWICE,
    ],
)
def test_whoever_changes_the_ledger_past_its_triggers_is_found_by_the_log(
    sqlite_url: str, forgery: str
) -> None:
    """Each slice has one digest in the chain: of its rows, and of the journal they made."""
    with closing(opened(sqlite_url, None)) as store, store.transaction() as books:
        book_ledger(books, *rows(3))
        book_ledger(books, *rows(3, first=3), source="test/1")
        assert told_and_found(books) == []
    engine = engine_for(sqlite_url)
    with engine.begin() as connection:
        for table in ("ledger_entries", "journal_entries"):
            for verb in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER {table}_no_{verb}"))
        connection.execute(text(forgery))
    engine.dispose()
    with closing(opened(sqlite_url, None)) as store, store.transaction() as books:
        (found,) = told_and_found(books)

    assert ("test/1" if "L4" in forgery else "test/0") in found


def test_both_databases_reckon_the_same_digest(url: str) -> None:
    """Of what they keep in their own ways: texts here, numbers and times there."""
    entries: Sequence[LedgerEntry] = (
        *rows(2),
        replace(rows(1)[0], ledger_id=LedgerId("LX"), amount=d("1E-8"), fee=d("-0.00")),
    )
    with closing(opened(url, None)) as store, store.transaction() as books:
        book_ledger(books, *entries)
        assert told_and_found(books) == []
        (digest,) = books.audit.books().ledger.values()

    assert digest == "0cb8c4a807eaa5302c656f83a244130745958802beca00f414e854c3b633703f"
