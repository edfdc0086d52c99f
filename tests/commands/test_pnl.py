"""`zoe pnl` over books in memory and a venue in memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, ETH, NOON, PAPER, d, make_candle, make_fill
from command_line import LIVE_KEYS, migrated, zoe
from fakes import Desk, at_the_desk, command_io
from reconcile_rig import World, told_by
from zoe_tools.commands.pnl import Ask, _pnl
from zoe_tools.core.ledger_journal import booked as booked_lines
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import FillId, LedgerId, VenueOrderId
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.lot import LotMethod
from zoe_tools.domain.order import Side
from zoe_tools.errors import ConfigError, VenueUnavailable
from zoe_tools.runtime.venue import Wires

HOLDINGS = {"USD": d("1000"), "BTC": d("0.5")}


def fill(name: str, side: Side, quantity: str, price: str, fee: str, hours: float) -> Fill:
    """An execution of an order of its own, so many hours before noon."""
    return make_fill(
        fill_id=FillId(name),
        venue_order_id=VenueOrderId(f"O-{name}"),
        side=side,
        quantity=d(quantity),
        price=d(price),
        fee=d(fee),
        filled_at=NOON - timedelta(hours=hours),
    )


def row(name: str, kind: str, asset: str, amount: str, hours: float, **more: Any) -> LedgerEntry:
    """A ledger row, so many hours before noon."""
    values: dict[str, Any] = {
        "refid": f"R-{name}",
        "subtype": "",
        "fee": d("0"),
        "balance": d("0"),
        **more,
    }
    return LedgerEntry(
        ledger_id=LedgerId(name),
        booked_at=NOON - timedelta(hours=hours),
        kind=kind,
        asset=asset,
        amount=d(amount),
        **values,
    )


REFERENCE = (
    fill("a", Side.BUY, "1", "100", "0.26", 3),
    fill("b", Side.BUY, "1", "110", "0.286", 2),
    fill("c", Side.SELL, "1.5", "120", "0.468", 1),
)


async def booked(desk: Desk, fills: Sequence[Fill] = (), rows: Sequence[LedgerEntry] = ()) -> None:
    """Put these into the books."""

    def work(transaction: Any) -> None:
        for each in fills:
            transaction.record_fill(each)
        if rows:
            source = f"test/{rows[0].ledger_id}"
            transaction.ledger_book.record(booked_lines(rows), source=source, at=NOON)

    await desk.read(work)


async def reported(desk: Desk, *, width: int = 120, **asked: Any) -> str:
    """Run the command; what it printed."""
    context, invocation, out = command_io(desk, "pnl")
    invocation.output.width = width
    assert await _pnl(context, invocation, Ask(**asked)) == 0
    return out.getvalue()


async def answered(desk: Desk, **asked: Any) -> dict[str, Any]:
    """Run the command with --json; its result."""
    context, invocation, out = command_io(desk, "pnl", json=True)
    assert await _pnl(context, invocation, Ask(**asked)) == 0
    told: dict[str, Any] = json.loads(out.getvalue())["result"]
    return told


def test_the_reference_sum_is_reported(tmp_path: Path) -> None:
    """24.129 realised net of fees, half a coin left of which 0.143 are fees, one trade won."""

    async def story(desk: Desk) -> None:
        desk.venue.prices[BTC] = (d("120"), d("121"))
        await booked(desk, REFERENCE)
        told = await answered(desk)
        report = told["report"]

        assert d(report["realised"]) == d("24.129")
        assert (report["trades"]["closed"], report["trades"]["wins"]) == (1, 1)
        (line,) = report["assets"]
        assert (line["asset"], d(line["quantity"])) == ("BTC", d("0.5"))
        assert d(line["unrealised"]) == d("60") - d("55.143")
        assert d(told["gross_equity"]) == d("1060")
        assert d(told["net_equity"]) == d("1059.76")

    at_the_desk(tmp_path, story, balances=HOLDINGS)


@pytest.mark.parametrize("width", [80, 120])
def test_the_report_fits_the_terminal(tmp_path: Path, width: int) -> None:
    """No line is wider than it, and every figure is there."""

    async def story(desk: Desk) -> None:
        desk.venue.prices[BTC] = (d("120"), d("121"))
        await booked(desk, REFERENCE)
        text = await reported(desk, width=width)

        assert max(len(line) for line in text.splitlines()) <= width
        for word in ("realised", "+24.13", "unrealised", "+4.86", "fees", "1.01", "expectancy"):
            assert word in text

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_wide_figures_are_left_out_and_never_cut(tmp_path: Path) -> None:
    """What has no room goes first; what was won and lost stays."""

    async def story(desk: Desk) -> None:
        desk.venue.prices[BTC] = (d("1234567.8"), d("1234567.9"))
        big = fill("a", Side.BUY, "123456.12345678", "1034567.89", "0", 3)
        await booked(desk, [big, fill("b", Side.SELL, "23456.1", "1134567.89", "0", 1)])
        text = await reported(desk, width=80)

        assert max(len(line) for line in text.splitlines()) <= 80
        (row,) = [line for line in text.splitlines() if line.startswith("BTC  ")]
        assert row.split() == [
            "BTC",
            "100000.02345678",
            "0",
            "s",
            "+19,999,995,691.35",
            "+2,345,610,000.00",
        ]
        assert "value" not in text

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_without_a_ledger_the_report_says_what_is_not_in_it(tmp_path: Path) -> None:
    """Fills alone know of no deposit."""

    async def story(desk: Desk) -> None:
        await booked(desk, REFERENCE)
        text = await reported(desk)
        told = (await answered(desk))["report"]
        assert "only fills are in the books" in text
        assert "net deposits  ~0.00" in text
        assert (told["is_flow_estimated"], told["is_estimated"]) == (True, True)

        await booked(desk, rows=[row("L1", "deposit", "USD", "1000", 9)])
        text = await reported(desk)

        assert "only fills" not in text
        assert "net deposits  1,000.00" in text

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_deposit_without_a_cost_is_sold_without_a_result(tmp_path: Path) -> None:
    """Its proceeds are named, and no gain is invented for them."""

    async def story(desk: Desk) -> None:
        desk.venue.prices[BTC] = (d("120"), d("121"))
        await booked(
            desk,
            [fill("s", Side.SELL, "1", "120", "0.5", 1)],
            [row("L1", "deposit", "BTC", "1.5", 9)],
        )
        told = (await answered(desk))["report"]
        (line,) = told["assets"]

        assert d(told["realised"]) == 0
        assert (d(line["waiting"]), d(line["waiting_proceeds"])) == (d("1"), d("120"))
        assert (d(line["pending"]), told["is_estimated"]) == (d("0.5"), True)
        assert (told["trades"]["closed"], told["trades"]["waiting"]) == (1, 1)
        assert told["trades"]["expectancy"] is None
        text = await reported(desk)
        assert "1 went for 120.00 USD, and their cost is pending" in text
        assert "0.5 came in without a cost (zoe pnl basis)" in text
        assert line["unrealised"] is None

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_defect_16_a_sale_beyond_the_lots_is_named_and_is_no_gain(tmp_path: Path) -> None:
    """Defect 16: nothing is booked as won of coins that nobody knows the price of."""

    async def story(desk: Desk) -> None:
        await booked(desk, [fill("s", Side.SELL, "2", "60000", "1", 1)])
        told = (await answered(desk))["report"]

        assert d(told["realised"]) == 0
        assert d(told["assets"][0]["shortfall"]) == d("2")
        assert "no gain is booked for them" in await reported(desk)

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_while_the_venue_is_away_stored_prices_are_used_and_grow_old(tmp_path: Path) -> None:
    """The report comes all the same; after a quarter of an hour its figures are estimates."""

    async def story(desk: Desk) -> None:
        desk.venue.prices[BTC] = (d("120"), d("121"))
        await booked(desk, REFERENCE)
        await reported(desk)
        for later in (60, 3600):
            desk.venue.cue("balances", VenueUnavailable("down"))
            await desk.clock.sleep(later)
            told = await answered(desk)
            (line,) = told["report"]["assets"]

            assert (line["mark"], told["report"]["equity"]) == ("120", None)
            assert d(told["gross_equity"]) == d("1060")
            assert line["is_estimated"] == (later == 3600)
            assert told["report"]["is_estimated"]

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_an_empty_answer_of_the_venue_is_no_loss(tmp_path: Path) -> None:
    """The curve would keep a drawdown of 100 % for good; the account is worth something."""

    async def lied_to(world: World) -> tuple[str, str, str]:
        context, invocation, out = command_io(world.desk, "pnl")
        wires = Wires(public_url="", private_url="", rest=world.rest)
        context = replace(context, wires=wires)
        await _pnl(context, invocation, Ask(execute=True))
        before = await world.desk.read(lambda books: books.latest_equity())
        world.lie("empty-answer", "BalanceEx")
        out.truncate(0)
        await _pnl(context, invocation, Ask(execute=True))
        after = await world.desk.read(lambda books: books.latest_equity())
        return out.getvalue(), str(before), str(after)

    told = told_by(tmp_path, {"lied to": lied_to})["lied to"]
    text, before, after = told
    assert "holds nothing, and that it is worth" in " ".join(text.split())
    assert before != "None"
    assert after == before


def test_what_was_seen_is_kept_and_nothing_else(tmp_path: Path) -> None:
    """Marks and a point of the curve; no business row without --execute, one a day with it."""

    async def story(desk: Desk) -> None:
        await booked(desk, REFERENCE)
        before = await desk.read(lambda tx: tx.business_fingerprint())
        await reported(desk)

        assert await desk.read(lambda tx: tx.business_fingerprint()) == before
        (mark,) = await desk.read(lambda tx: tx.marks())
        assert (mark.asset, mark.currency, mark.price) == ("BTC", "USD", d("59999.9"))
        (point,) = await desk.read(lambda tx: tx.equity_points())
        assert point.gross == d("30999.95")
        assert await desk.read(lambda tx: tx.pnl_days()) == ()

        assert "Kept in pnl_daily: 1 day," in await reported(desk, execute=True)
        (day,) = await desk.read(lambda tx: tx.pnl_days())
        assert (day.date.isoformat(), day.realised_pnl, day.wins) == ("2026-01-05", d("24.129"), 1)
        assert not day.is_final
        assert "Kept in pnl_daily: 0 days," in await reported(desk, execute=True)

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_late_ledger_row_restates_the_day(tmp_path: Path) -> None:
    """A fee of yesterday that comes today: other figures, and when they became so."""

    async def story(desk: Desk) -> None:
        await booked(desk, REFERENCE, [row("L1", "deposit", "USD", "1000", 9)])
        await reported(desk)
        await desk.clock.sleep(86_400)
        await reported(desk, execute=True)
        before = (await desk.read(lambda tx: tx.pnl_days()))[0]
        await booked(desk, rows=[row("L2", "rollover", "USD", "0", 1, fee=d("5"))])
        await desk.clock.sleep(60)
        await reported(desk, execute=True)
        after = (await desk.read(lambda tx: tx.pnl_days()))[0]

        assert (before.restated_at, before.realised_pnl) == (None, d("24.129"))
        assert (after.restated_at, after.realised_pnl) == (desk.clock.now(), d("19.129"))
        assert after.fees_paid - before.fees_paid == d("5")

    at_the_desk(tmp_path, story, balances=HOLDINGS)


@pytest.mark.parametrize(
    ("method", "realised"),
    [("fifo", "24.129"), ("lifo", "19.116"), ("hifo", "19.116"), ("average", "21.6225")],
)
def test_the_method_decides_which_lot_was_sold(tmp_path: Path, method: str, realised: str) -> None:
    """The same sale; the sums differ."""

    async def story(desk: Desk) -> None:
        await booked(desk, REFERENCE)
        told = await answered(desk, method=LotMethod(method))

        assert d(told["report"]["realised"]) == d(realised)

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_span_tells_a_part_and_counts_with_the_whole(tmp_path: Path) -> None:
    """The sale of the last 90 minutes has the lots of three hours ago."""

    async def story(desk: Desk) -> None:
        await booked(desk, REFERENCE)
        inside = await answered(desk, since="90m")
        outside = await answered(desk, until="2026-01-05T10:30")

        assert d(inside["report"]["realised"]) == d("24.129")
        assert [d(each["amount"]) for each in inside["report"]["fees"]] == [d("0.468")]
        assert d(outside["report"]["realised"]) == 0
        with pytest.raises(ConfigError, match="is not before"):
            await reported(desk, since="1h", until="2h")

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_what_was_then_is_told_as_it_was_then(tmp_path: Path) -> None:
    """Until before the sale: two coins, at the price of that hour, and no equity of today."""

    async def story(desk: Desk) -> None:
        await booked(desk, REFERENCE, [row("L1", "deposit", "USD", "1000", 9)])
        told = await answered(desk, until="2026-01-05T10:05")
        (line,) = told["report"]["assets"]

        assert (d(line["quantity"]), line["mark"]) == (d("2"), "110")
        assert d(line["unrealised"]) == d("220") - d("210.546")
        assert (told["gross_equity"], told["report"]["is_estimated"]) == (None, False)
        assert "equity" not in await reported(desk, until="2026-01-05T10:05")

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_one_asset_is_told_alone(tmp_path: Path) -> None:
    """Its lots and fees; not the account's equity."""

    async def story(desk: Desk) -> None:
        other = make_fill(
            fill_id=FillId("e"), symbol=ETH, quantity=d("1"), price=d("3000"), fee=d("9")
        )
        await booked(desk, [*REFERENCE, other])
        told = (await answered(desk, asset="eth"))["report"]

        assert [each["asset"] for each in told["assets"]] == ["ETH"]
        assert told["equity"] is None
        assert d(told["realised"]) == 0
        old = (await answered(desk, asset="XXBT"))["report"]
        assert [each["asset"] for each in old["assets"]] == ["BTC"]
        assert "the books know nothing of XYZ" in await reported(desk, asset="XYZ")

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_the_csv_has_every_match_and_adds_up(tmp_path: Path) -> None:
    """On standard output alone, or in a file that must be new."""

    async def story(desk: Desk) -> None:
        await booked(desk, REFERENCE)
        text = await reported(desk, csv="-")
        rows = list(csv.DictReader(StringIO(text)))

        assert [(each["lot_id"], each["quantity"]) for each in rows] == [("a", "1"), ("b", "0.5")]
        assert sum(Decimal(each["realised"]) for each in rows) == d("24.129")
        assert text.splitlines()[0].startswith("time,asset,kind")
        await reported(desk, csv=str(tmp_path / "lots.csv"))
        assert (tmp_path / "lots.csv").read_text() == text

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_a_curve_is_drawn_on_terminals_alone(tmp_path: Path) -> None:
    """Blocks from the lowest to the highest."""

    async def story(desk: Desk) -> None:
        for bid in ("60000", "61000", "60500"):
            desk.venue.prices[BTC] = (d(bid), d(bid) + 1)
            await reported(desk)
            await desk.clock.sleep(60)
        assert "▁" not in await reported(desk)
        context, invocation, out = command_io(desk, "pnl")
        invocation.output.is_terminal = True
        await _pnl(context, invocation, Ask())

        assert "▁█▅▅" in out.getvalue()
        assert "30,998.00 to 31,500.00" not in out.getvalue()
        assert "31,000.00 to 31,500.00" in out.getvalue()

    at_the_desk(tmp_path, story, balances=HOLDINGS)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--csv", "-", "--json"), "both want standard output"),
        (("--csv", "/nowhere/at/all.csv"), "its folder is not"),
        (("--method", "dearest"), "dearest"),
        (("--since", "yesterday"), "no such time"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    """Before anything is looked at."""
    answer = zoe(" ".join(("pnl", *words)), LIVE_KEYS, home=migrated(tmp_path / "home"))

    assert answer.code == 2
    assert sentence in answer.out + answer.err


def test_the_account_is_the_one_that_was_asked(tmp_path: Path) -> None:
    """Rows of another account are not read."""

    async def story(desk: Desk) -> None:
        assert PAPER.title in await reported(desk)

    at_the_desk(tmp_path, story, balances=HOLDINGS)


def test_defect_9_a_withdrawal_that_no_ledger_was_imported_for_is_no_drawdown(
    tmp_path: Path,
) -> None:
    """Defect 9: the venue's ledger since the last look is asked, and the next look remembers."""

    async def story(desk: Desk) -> None:
        await reported(desk)
        await desk.clock.sleep(600)
        desk.venue.totals["USD"] -= 300
        desk.venue.entries = (row("W", "withdrawal", "USD", "-300", -0.1),)
        assert "drawdown      0.00 %  deepest 0.00 %" in await reported(desk)
        desk.venue.entries = ()
        await desk.clock.sleep(600)
        told = (await answered(desk))["report"]

        assert d(told["drawdown_pct"]) == 0
        assert d(told["return_pct"]) == 0

    at_the_desk(tmp_path, story, balances={"USD": d("1000")})


def test_a_look_that_knows_no_flows_makes_no_point(tmp_path: Path) -> None:
    """What came or went meanwhile would be taken for a result."""

    async def story(desk: Desk) -> None:
        await reported(desk)
        await desk.clock.sleep(600)
        desk.venue.totals["USD"] -= 300
        desk.venue.cue("ledger", VenueUnavailable("down"))
        text = await reported(desk)

        assert "No point of the equity curve was made: down" in text
        assert "deepest 0.00 %" in text
        assert len(await desk.read(lambda tx: tx.equity_points())) == 1
        await desk.clock.sleep(8 * 86_400)
        desk.venue.calls.clear()
        assert "zoe ledger import --from-venue --execute" in await reported(desk)
        assert not any(method == "ledger" for method, _ in desk.venue.calls)
        gone = row("W", "withdrawal", "USD", "-300", -0.1, balance=d("700"))
        newest = row("N", "rollover", "USD", "0", -190, balance=d("700"))
        await booked(desk, rows=[gone, newest])
        assert "deepest 0.00 %" in await reported(desk)
        assert len(await desk.read(lambda tx: tx.equity_points())) == 2

    at_the_desk(tmp_path, story, balances={"USD": d("1000")})


def test_a_row_of_the_future_hides_no_withdrawal(tmp_path: Path) -> None:
    """It is no flow of now, and does not end the time that the venue is asked of."""

    async def story(desk: Desk) -> None:
        await reported(desk)
        await booked(desk, rows=[row("F", "deposit", "USD", "5000", -5 * 8760, balance=d("6000"))])
        await desk.clock.sleep(600)
        desk.venue.totals["USD"] -= 300
        desk.venue.entries = (row("W", "withdrawal", "USD", "-300", -0.1),)
        answer = await answered(desk)
        told = answer["report"]

        assert d(told["return_pct"]) == 0
        assert d(told["max_drawdown_pct"]) == 0
        assert d(answer["net_deposits"]) == 0

    at_the_desk(tmp_path, story, balances={"USD": d("1000")})


def test_days_of_an_imported_ledger_have_results_where_candles_tell_prices(tmp_path: Path) -> None:
    """Nobody looked then: the ledger says what was held, hourly candles what it was worth."""

    async def story(desk: Desk) -> None:
        rows = [
            row("L1", "deposit", "USD", "1000", 60, balance=d("1000")),
            row("L2", "spend", "USD", "-500", 40, balance=d("500"), refid="B"),
            row("L3", "receive", "BTC", "5", 40, balance=d("5"), refid="B"),
            row("L4", "withdrawal", "USD", "-300", 15, balance=d("200")),
        ]
        await booked(desk, rows=rows)
        closes = [("100", 37), ("110", 13)]
        candles = [
            make_candle(
                timeframe=Timeframe.H1,
                opened_at=NOON - timedelta(hours=hours),
                **dict.fromkeys(("open", "high", "low", "close"), d(price)),
            )
            for price, hours in closes
        ]
        await desk.read(lambda tx: tx.write_candles(candles, "test"))
        desk.venue.totals = {"USD": d("200"), "BTC": d("5")}
        desk.venue.prices[BTC] = (d("110"), d("111"))
        told = await answered(desk)

        days = [
            (each["date"][-2:], each["gross_equity"], each["daily_pnl"]) for each in told["days"]
        ]
        assert [(day, d(gross), d(won)) for day, gross, won in days] == [
            ("03", d("1000"), d("0")),
            ("04", d("750"), d("50")),
            ("05", d("750"), d("0")),
        ]
        assert d(told["report"]["drawdown_pct"]) == 0
        assert d(told["report"]["return_pct"]) > 5

    at_the_desk(tmp_path, story, balances=HOLDINGS)
