"""Histories as files: ordered, waited for, taken up by another process, told as the pages tell."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import pytest

import kraken_answers as kraken
from builders import d
from paper_venue import PaperVenue, visited
from zoe_tools.domain.export_report import ExportKind, ExportStatus
from zoe_tools.domain.identifiers import ClientOrderId, Symbol
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.errors import VenueMisbehaved, VenueRejected, VenueUnavailable
from zoe_tools.kraken import export_file
from zoe_tools.kraken.exports import KrakenExports


async def traded(venue: PaperVenue, orders: int = 3) -> None:
    """So many market buys."""
    for number in range(orders):
        request = OrderRequest(
            symbol=Symbol("BTC/USD"),
            side=Side.BUY,
            order_type=OrderType.MARKET,
            quantity=d("0.01"),
        )
        await venue.spot.place(
            request,
            client_order_id=ClientOrderId(f"11112222-3333-4444-8555-{number:012d}"),
            deadline=venue.clock.now() + timedelta(seconds=5),
        )
        await venue.clock.sleep(5)


async def made(venue: PaperVenue, kind: ExportKind) -> str:
    """A finished report of everything so far."""
    report_id = await venue.exports.ordered(
        kind, since=kraken.EPOCH, until=venue.clock.now(), description="all"
    )
    report = await venue.exports.finished(kind, report_id)
    assert (report.kind, report.description, report.status) == (kind, "all", ExportStatus.PROCESSED)
    return report_id


def test_a_report_tells_what_the_pages_tell() -> None:
    """Ids, sides, and every digit; a report's times have fewer digits."""

    async def use(venue: PaperVenue) -> None:
        await traded(venue)

        fills = await venue.exports.fills(await made(venue, "trades"))
        entries = await venue.exports.entries(await made(venue, "ledgers"))

        paged = await venue.spot.fills()
        assert {each.fill_id for each in fills} == {each.fill_id for each in paged}
        by_id = {each.fill_id: each for each in paged}
        for fill in fills:
            twin = by_id[fill.fill_id]
            assert timedelta(0) <= twin.filled_at - fill.filled_at < timedelta(milliseconds=1)
            assert (fill.symbol, fill.side, fill.venue_order_id) == (
                twin.symbol,
                twin.side,
                twin.venue_order_id,
            )
            assert (fill.price, fill.quantity, fill.cost, fill.fee, fill.fee_asset) == (
                twin.price,
                twin.quantity,
                twin.cost,
                twin.fee,
                twin.fee_asset,
            )
        rows = {each.ledger_id: each for each in await venue.spot.ledger()}
        assert {each.ledger_id for each in entries} == set(rows)
        for entry in entries:
            row = rows[entry.ledger_id]
            assert (entry.wallet, entry.asset_class) == (row.wallet, row.asset_class)
            assert (entry.asset, entry.amount, entry.fee, entry.balance, entry.refid) == (
                row.asset,
                row.amount,
                row.fee,
                row.balance,
                row.refid,
            )

    visited(use)


def test_a_report_is_not_ordered_twice() -> None:
    """Another process finds it by its description, and goes on with its id."""

    async def use(venue: PaperVenue) -> None:
        span = {"since": kraken.EPOCH, "until": venue.clock.now()}
        first = await venue.exports.ordered("trades", **span, description="july")
        other = KrakenExports(venue.rest, venue.clock, venue.spot.catalogue)

        assert await other.ordered("trades", **span, description="july") == first
        assert await other.ordered("trades", **span, description="august") != first
        assert len(await other.reports("trades")) == 2
        await other.finished("trades", first)
        await other.remove(first)
        with pytest.raises(VenueMisbehaved, match="knows no"):
            await other.finished("trades", first)

    visited(use)


def test_a_report_that_takes_too_long_may_be_waited_for_again() -> None:
    """The wait ends; the id stays good. Fetched too early, the venue refuses."""

    async def use(venue: PaperVenue) -> None:
        span = {"since": kraken.EPOCH, "until": venue.clock.now()}
        report_id = await venue.exports.order("ledgers", **span, description="slow")
        with pytest.raises(VenueUnavailable, match="still being made"):
            await venue.exports.finished("ledgers", report_id, longest=timedelta(seconds=1))
        with pytest.raises((VenueRejected, VenueUnavailable)):
            await venue.exports.file("NONE")

        await venue.exports.finished("ledgers", report_id)
        assert (await venue.exports.file(report_id)).startswith(b"PK")

    visited(use)


def zipped(*tables: str) -> bytes:
    """A zip file of these tables."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for number, table in enumerate(tables):
            file.writestr(f"{number}.csv", table)
    return content.getvalue()


COLUMNS = "txid,refid,time,type,subtype,aclass,asset,wallet,amount,fee,balance"
ROW = '"L1","T1","2026-01-05 12:00:00","trade","","currency","BTC","spot / main",0.1,0,0.1'


@pytest.mark.parametrize(
    ("asset", "wallet", "expected"),
    [
        ("XXBT", "spot / main", ("BTC", "spot / main")),
        ("BTC", "", ("BTC", "spot / main")),
        ("XBT.F", "spot / main", ("BTC", "earn / flexible")),
        ("BTC", "earn / flexible", ("BTC", "earn / flexible")),
        ("ZEUS", "spot / main", ("ZEUS", "spot / main")),
    ],
)
def test_funds_in_another_wallet_are_another_row(
    asset: str, wallet: str, expected: tuple[str, str]
) -> None:
    """What earns is no balance that could be sold."""
    row = ROW.replace('"BTC"', f'"{asset}"').replace("spot / main", wallet)

    (entry,) = export_file.entries_in(zipped(f"{COLUMNS}\n{row}\n"), kraken.catalogue())

    assert expected == (entry.asset, entry.wallet)


def test_columns_go_by_their_names() -> None:
    """In another order, with one more, by tabs."""
    names = [*COLUMNS.split(",")[::-1], "new"]
    cells = [*ROW.replace('"', "").split(",")[::-1], "x"]
    table = "\t".join(names) + "\n" + "\t".join(cells) + "\n"

    (entry,) = export_file.entries_in(zipped(table), kraken.catalogue())

    assert (entry.ledger_id, entry.refid, entry.amount) == ("L1", "T1", d("0.1"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 cut off",
        zipped(),
        zipped(COLUMNS, COLUMNS),
        zipped(COLUMNS + "\n" + ROW)[:-30],
        zipped(f"{COLUMNS}\n{ROW},more\n"),
        zipped(f"{COLUMNS}\n{ROW.replace('0.1', 'NaN')}\n"),
        zipped(f"{COLUMNS}\n{ROW.replace('2026-01-05 12:00:00', 'today')}\n"),
        zipped(f"{COLUMNS}\n{ROW[:-20]}\n"),
        zipped("a,b\n1,2\n"),
    ],
)
def test_a_file_that_is_not_whole_is_not_believed(content: bytes) -> None:
    """No row is skipped, and nothing but our own error is raised."""
    with pytest.raises(VenueMisbehaved):
        list(export_file.entries_in(content, kraken.catalogue()))
