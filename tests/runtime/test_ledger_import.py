"""Imports: proved before they are written, booked once, completed when broken off, proved again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from typing_extensions import override

import builders
import kraken_answers as kraken
import ledger_rows
from builders import d
from fakes import fresh_store
from paper_venue import PaperVenue, context_of, lived, visited
from zoe_tools.core.ledger import AssetProof, ProofState
from zoe_tools.core.ledger_journal import booked as made_up
from zoe_tools.core.ledger_kinds import Book
from zoe_tools.domain.account import Account
from zoe_tools.domain.identifiers import LedgerId, Symbol
from zoe_tools.domain.instrument import Asset, InstrumentCatalogue
from zoe_tools.domain.ledger import Balance
from zoe_tools.errors import LedgerFileError, StoreUnavailable, VenueMisbehaved
from zoe_tools.paper.exchange.faults import FaultRule
from zoe_tools.runtime import ledger_import, ledger_pages
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.ledger_evidence import examined, sought_by
from zoe_tools.runtime.ledger_import import import_file, preview_file, prove_books
from zoe_tools.runtime.ledger_pages import SOURCE, import_pages, preview_pages
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.ledger import LedgerBook
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Store, Transaction

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="no captures of real answers beside the checkout (../shared/data)"
)
CATALOGUE = kraken.catalogue()
EUROS = InstrumentCatalogue(
    tuple(
        replace(
            CATALOGUE.instruments[0],
            symbol=Symbol(f"{base}/EUR"),
            base=base,
            quote="EUR",
            venue_id=f"{base}EUR",
            altname=f"{base}EUR",
            aliases=(),
        )
        for base in ("ALGO", "XTZ", "ATOM")
    ),
    tuple(
        Asset(name=name, venue_id=name, altname=name, decimals=decimals, display_decimals=2)
        for name, decimals in (("EUR", 4), ("ALGO", 8), ("XTZ", 8), ("ATOM", 8))
    ),
)
HEADER = "txid,refid,time,type,subtype,aclass,asset,amount,fee,balance"


def row(
    name: str, amount: str, balance: str, *, at: str = "12:00:00", kind: str = "deposit"
) -> str:
    """A row of the columns of 2021."""
    return f"{name},R{name},2021-01-05 {at},{kind},,currency,ZUSD,{amount},0,{balance}"


def file_of(tmp_path: Path, *rows: str, name: str = "ledgers.csv") -> Path:
    """An export of these rows."""
    path = tmp_path / name
    path.write_text("\n".join((HEADER, *rows)) + "\n")
    return path


async def booked(
    store: InlineRunner, path: Path, catalogue: InstrumentCatalogue = CATALOGUE
) -> int:
    """Import a file as the command does; how many rows were new."""
    preview = await preview_file(path, catalogue, store)
    clock = VirtualClock(builders.NOON)
    return await import_file(path, catalogue, store, clock, preview, "tester")


def in_books(tmp_path: Path, story: Callable[[InlineRunner], Awaitable[Any]]) -> Any:
    """Run a story over fresh books."""

    async def main() -> Any:
        store = InlineRunner(fresh_store(tmp_path))
        try:
            return await story(store)
        finally:
            await store.close()

    return run_virtual(main())


def states(proofs: Sequence[AssetProof]) -> dict[str, ProofState]:
    """How each asset's proof ended."""
    return {each.asset: each.state for each in proofs}


class Breaking(InlineRunner):
    """A store that is gone at its so-manieth transaction."""

    def __init__(self, store: Store, left: int) -> None:
        super().__init__(store)
        self._left = left

    @override
    async def run(self, work: Callable[[Transaction], Any], *, is_urgent: bool = False) -> Any:
        """See `StoreRunner`."""
        self._count()
        return await super().run(work, is_urgent=is_urgent)

    @override
    async def read(self, work: Callable[[Transaction], Any], *, is_urgent: bool = False) -> Any:
        """See `StoreRunner`."""
        self._count()
        return await super().read(work, is_urgent=is_urgent)

    def _count(self) -> None:
        self._left -= 1
        if not self._left:
            raise StoreUnavailable("The disk is full.")


async def sums(store: InlineRunner) -> dict[str, dict[str, Any]]:
    """What each account of the journal holds of each asset."""
    lines, _ = await store.run(lambda books: books.ledger_book.journal_page())
    held: dict[str, dict[str, Any]] = {}
    for asset, amount, source, target in lines:
        of = held.setdefault(asset, {})
        of[source] = of.get(source, d("0")) - amount
        of[target] = of.get(target, d("0")) + amount
    return held


# --- a file --------------------------------------------------------------------------------------


def test_an_import_books_every_row_once_and_proves_what_it_wrote(tmp_path: Path) -> None:
    """A second one finds nothing new; the journal of all assets sums to zero."""
    path = ledger_rows.write(tmp_path / "ledgers.csv", 700)

    async def story(store: InlineRunner) -> None:
        first = await preview_file(path, CATALOGUE, store)
        assert (first.rows_read, first.rows_new, first.rows_known) == (700, 700, 0)
        assert await store.run(lambda books: books.ledger_book.is_empty())
        assert await booked(store, path) == 700
        assert await booked(store, path) == 0
        again = await preview_file(path, CATALOGUE, store)
        assert (again.rows_new, again.rows_known) == (0, 700)
        proofs = await prove_books(store)

        assert states(proofs) == {"BTC": ProofState.NOT_COMPARED, "USD": ProofState.NOT_COMPARED}
        assert {each.asset: each.closing for each in again.assets} == {
            each.asset: each.closing for each in proofs
        }
        assert all(sum(of.values()) == 0 for of in (await sums(store)).values())
        first_run, second_run = await store.run(lambda books: books.ledger_book.imports())
        assert (first_run.rows_new, second_run.rows_new) == (700, 0)

    in_books(tmp_path, story)


@pytest.mark.parametrize("order", [slice(None, None, -1), slice(None, None, 2)])
def test_a_file_in_any_order_is_the_same_history(tmp_path: Path, order: slice) -> None:
    """Newest first, or mixed: what was found is sorted by its times before it is proved."""
    made = list(ledger_rows.lines(120))
    mixed = made[order] + (made[1::2] if order.step == 2 else [])
    path = tmp_path / "ledgers.csv"
    path.write_text("\n".join((ledger_rows.HEADER, *mixed)) + "\n")

    async def story(store: InlineRunner) -> None:
        assert await booked(store, path) == 120
        assert set(states(await prove_books(store)).values()) == {ProofState.NOT_COMPARED}

    in_books(tmp_path, story)


BAD = {
    "a chain that breaks": (
        (row("L1", "10", "10"), row("L2", "5", "16", at="12:00:01")),
        r"line 3: row L2 does not follow: 10 USD in .*, changed by 5, are not 16 .off by 1",
    ),
    "one id, two contents": (
        (row("L1", "10", "10"), row("L1", "11", "11"), row("L2", "1", "11", at="12:00:02")),
        r"line 3: row L1 is deposit 11 USD, .*; in .*, line 2, it is deposit 10 USD",
    ),
    "half a file": ((row("L1", "10", "10"), "L2,RL2,2021-"), r"line 3: 3 cells"),
    "a row left out": (
        (row("L1", "10", "10"), row("L3", "1", "16", at="12:00:02")),
        r"line 3: row L3 does not follow",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_nothing_of_a_bad_file_is_written(tmp_path: Path, case: str) -> None:
    """Refused by line and row, exit 2, before anything is in the books."""
    lines, says = BAD[case]
    path = file_of(tmp_path, *lines)

    async def story(store: InlineRunner) -> None:
        before = await store.run(lambda books: books.business_fingerprint())
        with pytest.raises(LedgerFileError, match=says) as refused:
            await booked(store, path)
        assert (refused.value.exit_code, bool(refused.value.hint)) == (2, True)
        assert await store.run(lambda books: books.business_fingerprint()) == before

    in_books(tmp_path, story)


def test_a_row_that_the_books_know_otherwise_is_refused(tmp_path: Path) -> None:
    """With both tellings; the file is not written at all."""
    first = file_of(tmp_path, row("L1", "10", "10"))
    other = file_of(
        tmp_path, row("L0", "1", "1"), row("L1", "9", "10", at="12:00:00"), name="other.csv"
    )

    async def story(store: InlineRunner) -> None:
        await booked(store, first)
        with pytest.raises(LedgerFileError, match=r"line 3: row L1 .* it is deposit 10"):
            await booked(store, other)
        assert len(await store.run(lambda books: books.ledger())) == 1

    in_books(tmp_path, story)


def test_repeated_and_announced_rows_are_counted_and_unknown_types_kept(tmp_path: Path) -> None:
    """Nothing is dropped: what nobody knows stands against `unclassified`."""
    announced = ",Q1,2021-01-05 11:59:00,deposit,,currency,ZUSD,10,0,"
    path = file_of(
        tmp_path,
        announced,
        row("L1", "10", "10"),
        row("L2", "5", "15", at="12:00:01", kind="lottery"),
        row("L1", "10", "10"),
    )

    async def story(store: InlineRunner) -> None:
        preview = await preview_file(path, CATALOGUE, store)
        assert await booked(store, path) == 2
        assert (preview.rows_read, preview.rows_announced, preview.rows_repeated) == (4, 1, 1)
        assert [(each.kind, each.is_known) for each in preview.kinds] == [
            ("deposit", True),
            ("lottery", False),
        ]
        assert (await sums(store))["USD"][Book.UNCLASSIFIED] == d("-5")

    in_books(tmp_path, story)


def test_an_import_that_was_broken_off_is_completed_by_the_same_import(tmp_path: Path) -> None:
    """The slices that were committed stay; of the one that was not, nothing."""
    path = ledger_rows.write(tmp_path / "ledgers.csv", 400)

    async def story(store: InlineRunner) -> None:
        with closing(fresh_store(tmp_path)) as other, pytest.raises(StoreUnavailable):
            await booked(Breaking(other, left=4), path)
        kept = len(await store.run(lambda books: books.ledger()))
        assert 0 < kept < 400
        assert await store.run(lambda books: books.ledger_book.imports()) == ()
        assert await booked(store, path) == 400 - kept
        assert set(states(await prove_books(store)).values()) == {ProofState.NOT_COMPARED}

    in_books(tmp_path, story)


def test_a_gap_between_two_files_is_found_in_the_books(tmp_path: Path) -> None:
    """Each chains by itself; together a month is missing, and its first row is named."""
    january = file_of(tmp_path, row("L1", "10", "10"))
    march = file_of(tmp_path, row("L3", "1", "16", at="14:00:00"), name="march.csv")
    february = file_of(tmp_path, row("L2", "5", "15", at="13:00:00"), name="february.csv")

    async def story(store: InlineRunner) -> None:
        await booked(store, january)
        await booked(store, march)
        (broken,) = await prove_books(store)
        assert broken.state is ProofState.BROKEN
        assert broken.broken is not None
        assert (broken.broken.ledger_id, broken.broken.off_by) == ("L3", d("5"))
        await booked(store, february)
        (whole,) = await prove_books(store, (Balance(asset="USD", total=d("16")),), CATALOGUE)
        assert whole.state is ProofState.PROVED

    in_books(tmp_path, story)


def test_a_file_that_changes_after_its_preview_is_not_imported(tmp_path: Path) -> None:
    """What was proved is what is written."""
    path = file_of(tmp_path, row("L1", "10", "10"))

    async def story(store: InlineRunner) -> None:
        preview = await preview_file(path, CATALOGUE, store)
        file_of(tmp_path, row("L1", "11", "11"))
        with pytest.raises(LedgerFileError, match="changed while it was read"):
            await import_file(
                path, CATALOGUE, store, VirtualClock(builders.NOON), preview, "tester"
            )

    in_books(tmp_path, story)


@pytest.mark.parametrize(
    ("account", "since_s", "sizes"),
    [
        (None, 0, [50, 400, 400, 50]),
        (builders.PAPER, 0, [50, 100, 100, 100, 100, 100, 100, 100, 100, 50]),
        (builders.LIVE, 0, [50, 100, 100, 100, 100, 100, 100, 100, 100, 50]),
        (builders.LIVE, -31, [50, 400, 400, 50]),
    ],
)
def test_slices_are_short_while_a_loop_works_with_the_database(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    account: Account | None,
    since_s: float,
    sizes: list[int],
) -> None:
    """Of any account: it must not wait. A lease that is over stands for nobody."""
    path = ledger_rows.write(tmp_path / "ledgers.csv", 900)
    monkeypatch.setattr(ledger_import, "_ROWS_ALONE", 400)
    monkeypatch.setattr(ledger_import, "_LEAST_ROWS", 100)
    monkeypatch.setattr(ledger_import, "next_size", lambda *_: 100)
    written: list[int] = []
    record = LedgerBook.record

    def seen(book: LedgerBook, rows: Sequence[Any], **more: Any) -> int:
        written.append(len(rows))
        return record(book, rows, **more)

    monkeypatch.setattr(LedgerBook, "record", seen)

    async def story(store: InlineRunner) -> None:
        if account is not None:
            at = builders.NOON + timedelta(seconds=since_s)
            with closing(fresh_store(tmp_path, account)) as other, other.transaction() as books:
                books.acquire_lease("loop", "host", 1, at, 30)
        assert await booked(store, path) == 900
        assert written == sizes

    in_books(tmp_path, story)


# --- real exports and answers --------------------------------------------------------------------


@needs_data
def test_the_export_of_2026_is_imported_with_every_balance_proved(tmp_path: Path) -> None:
    """Trades, margin, rollover, settlement, rewards, dust, and conversions between currencies."""
    path = DATA / "zcrypto-kraken" / "window-1-ledgers.csv"
    closing_at = {
        "ALGO": "160.245",
        "ATOM": "11.1025",
        "EUR": "1174.1133",
        "EURC": "0",
        "NEAR": "0",
        "XTZ": "0",
    }
    held = [Balance(asset=asset, total=d(total)) for asset, total in closing_at.items()]

    async def story(store: InlineRunner) -> None:
        assert await booked(store, path) == 31
        proofs = await prove_books(store, held, CATALOGUE)
        assert set(states(proofs).values()) == {ProofState.PROVED}
        assert {each.asset: each.opening for each in proofs} == dict.fromkeys(closing_at, 0)
        journal = await sums(store)
        assert journal["EUR"]["realised_pnl"] == d("-1.75")
        assert journal["EURC"]["realised_pnl"] == d("0.75")
        assert journal["ALGO"]["rewards"] == d("-0.35")
        assert not any(Book.UNCLASSIFIED in of for of in journal.values())

    in_books(tmp_path, story)


@needs_data
def test_the_trades_export_of_2026_agrees_with_its_ledger(tmp_path: Path) -> None:
    """But for one that names a row of after its end. A leg may be worth less than a unit."""
    folder = DATA / "zcrypto-kraken"

    async def story(store: InlineRunner) -> None:
        await booked(store, folder / "window-1-ledgers.csv")
        files = [folder / "window-1-trades.csv"]
        (told,) = await examined(files, EUROS, store, sought_by(files, EUROS))
        assert (told.trades, told.agreeing) == (12, 11)
        assert "LFX101-SYNTH-LEDGER is not in the ledger" in told.findings[0]

    in_books(tmp_path, story)


@needs_data
def test_the_captured_page_of_a_ledger_chains_from_its_opening_balance(tmp_path: Path) -> None:
    """Fifteen rows from the middle of a history: proved from what its first row finds."""
    content = (DATA / "kraken-net" / "SpotAccount_GetLedgerInfo.json").read_bytes()

    async def story(store: InlineRunner) -> None:
        listed = {
            name: httpx.Response(200, content=(DATA / "xchange" / file).read_bytes())
            for name, file in (
                ("Assets", "marketdata_example-assets-data.json"),
                ("AssetPairs", "marketdata_example-assetpairs-data.json"),
            )
        }
        page = httpx.Response(200, content=content)
        venue = kraken.spot(kraken.Script(Ledgers=page, **listed))
        context = context_of(venue, store, VirtualClock(builders.NOON))
        done = await import_pages(context, "tester")
        (proof,) = await prove_books(
            store, (Balance(asset="GBP", total=d("459567.9171")),), await venue.catalogue()
        )
        assert (done.rows_new, proof.rows) == (15, 15)
        assert (proof.opening, proof.state) == (d("459694.0300"), ProofState.PROVED)

    in_books(tmp_path, story)


# --- the paper exchange --------------------------------------------------------------------------


def test_a_life_at_the_exchange_is_proved_from_its_pages_and_from_its_export(
    tmp_path: Path,
) -> None:
    """Both bring the same rows; the difference to the balances is nothing, holds told beside."""

    async def use(venue: PaperVenue) -> None:
        store = InlineRunner(fresh_store(tmp_path))
        await lived(venue)
        context = context_of(venue.spot, store, venue.clock)
        catalogue, held = await venue.spot.catalogue(), await venue.spot.balances()
        found = await preview_pages(context)
        done = await import_pages(context, "tester")
        assert (found.rows_new, done.rows_new) == (done.rows_read, found.rows_read)
        assert {each.is_known for each in done.kinds} == {True}
        proofs = {each.asset: each for each in await prove_books(store, held, catalogue)}
        assert {each.state for each in proofs.values()} == {ProofState.PROVED}, proofs
        assert {each.difference for each in proofs.values()} == {d("0")}
        assert proofs["USD"].hold
        assert {each.wallet for each in proofs["BTC"].wallets} == {
            "spot / main",
            "earn / flexible",
            "earn / locked",
        }
        journal = await sums(store)
        assert journal["BTC"][Book.TRANSIT] == d("0")
        assert journal["USD"]["wallet:futures / main"] == d("50")

        report = await venue.exports.ordered(
            "ledgers", since=kraken.EPOCH, until=venue.clock.now(), description="all"
        )
        await venue.exports.finished("ledgers", report)
        path = tmp_path / "report.zip"
        path.write_bytes(await venue.exports.file(report))
        again = await preview_file(path, catalogue, store)
        assert (again.rows_new, again.rows_known) == (0, done.rows_read)
        other = tmp_path / "other"
        other.mkdir()
        fresh = InlineRunner(fresh_store(other))
        assert await booked(fresh, path, catalogue) == done.rows_read
        assert states(await prove_books(fresh, held, catalogue)) == states([*proofs.values()])
        assert await sums(fresh) == journal
        await fresh.close()
        await store.close()

    visited(use)


def test_a_look_at_the_pages_proves_them_before_they_are_written(tmp_path: Path) -> None:
    """With the books, against the venue's balances; of a long history its newest rows alone."""

    async def use(venue: PaperVenue) -> None:
        store = InlineRunner(fresh_store(tmp_path))
        context = context_of(venue.spot, store, venue.clock)
        for _ in range(60):
            venue.exchange.deposit(venue.account, "USD", d("1"))
            await venue.clock.sleep(1)
        whole, part = await preview_pages(context), await preview_pages(context, most=50)
        assert (whole.is_whole, states(whole.assets)) == (True, {"USD": ProofState.PROVED})
        assert (part.is_whole, part.rows_read, part.assets[0].rows) == (False, 50, 50)
        assert part.assets[0].opening == d("100010")
        await import_pages(context, "tester")

        venue.exchange.deposit(venue.account, "USD", d("2"))
        (after,) = (await preview_pages(context)).assets
        assert (after.rows, after.state, after.closing) == (62, ProofState.PROVED, d("100062"))
        (newest, *_) = await venue.spot.ledger()
        await store.run(
            lambda books: books.ledger_book.record(
                made_up([replace(newest, ledger_id=LedgerId("LXXXXX-XXXXX-XXXXXX"))]),
                source="x/0",
                at=venue.clock.now(),
            )
        )
        (wrong,) = (await preview_pages(context)).assets
        assert wrong.state is ProofState.BROKEN
        await store.close()

    visited(use)


def test_the_next_reading_of_the_pages_begins_where_the_last_one_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A while before it, that is: of what is known nothing is booked again."""
    monkeypatch.setattr(ledger_pages, "OVERLAP", timedelta(seconds=10))

    async def use(venue: PaperVenue) -> None:
        store = InlineRunner(fresh_store(tmp_path))
        context = context_of(venue.spot, store, venue.clock)
        for _ in range(60):
            venue.exchange.deposit(venue.account, "USD", d("1"))
            await venue.clock.sleep(1)
        first = await import_pages(context, "tester")
        venue.exchange.deposit(venue.account, "USD", d("2"))
        second = await import_pages(context, "tester")
        third = await import_pages(context, "tester")

        assert (first.rows_new, second.rows_new, third.rows_new) == (61, 1, 0)
        assert second.rows_read < 20
        assert len(await store.run(lambda books: books.ledger_book.imports())) == 2
        await store.close()

    visited(use)


@pytest.mark.parametrize("fault", ["empty-answer", "shrunken-answer"])
def test_an_answer_without_the_row_it_begins_with_is_not_nothing_new(
    tmp_path: Path, fault: str
) -> None:
    """It is asked for from an hour before that row: the venue contradicts itself, nothing moves."""

    async def use(venue: PaperVenue) -> None:
        store = InlineRunner(fresh_store(tmp_path))
        context = context_of(venue.spot, store, venue.clock)
        await import_pages(context, "tester")
        await venue.clock.sleep(1)
        venue.exchange.deposit(venue.account, "USD", d("1"))
        begun = await store.run(lambda books: books.ledger_book.cursor(SOURCE))
        venue.exchange.arm_fault(FaultRule(name=cast("Any", fault), where="Ledgers", times=None))
        for reading in (preview_pages(context), import_pages(context, "tester")):
            with pytest.raises(VenueMisbehaved, match="no row that is in the books"):
                await reading
        assert await store.run(lambda books: books.ledger_book.cursor(SOURCE)) == begun
        venue.exchange.clear_faults()
        assert (await import_pages(context, "tester")).rows_new == 1
        await store.close()

    visited(use)


def test_a_reading_that_was_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    """Pages that are booked are not asked for again, and the last one moves the beginning."""

    async def use(venue: PaperVenue) -> None:
        for _ in range(130):
            venue.exchange.deposit(venue.account, "USD", d("1"))
            await venue.clock.sleep(1)
        opened = fresh_store(tmp_path)
        breaking = Breaking(opened, left=5)
        with pytest.raises(StoreUnavailable):
            await import_pages(context_of(venue.spot, breaking, venue.clock), "tester")
        store = InlineRunner(opened)
        kept = len(await store.run(lambda books: books.ledger()))
        cursor = await store.run(lambda books: books.ledger_book.cursor(SOURCE))
        assert kept == 50
        assert cursor is not None
        assert cursor.details["offset"] == "50"
        rest = await import_pages(context_of(venue.spot, store, venue.clock), "tester")
        ended = await store.run(lambda books: books.ledger_book.cursor(SOURCE))
        newest = (await venue.spot.ledger())[0].booked_at
        assert (rest.rows_read, rest.rows_new) == (81, 81)
        assert ended is not None
        assert (ended.details, ended.newest_at) == ({}, newest)
        await store.close()

    visited(use)


def test_a_venue_that_tells_a_row_otherwise_is_not_believed(tmp_path: Path) -> None:
    """Exit 5: nothing of that page is written."""

    async def use(venue: PaperVenue) -> None:
        venue.exchange.deposit(venue.account, "USD", d("1"))
        store = InlineRunner(fresh_store(tmp_path))
        entry = (await venue.spot.ledger())[0]
        forged = builders.make_ledger_entry(ledger_id=entry.ledger_id)
        await store.run(lambda books: builders.book_ledger(books, forged))
        context = context_of(venue.spot, store, venue.clock)
        for reading in (preview_pages(context), import_pages(context, "tester")):
            with pytest.raises(VenueMisbehaved, match="otherwise"):
                await reading
        await store.close()

    visited(use)
