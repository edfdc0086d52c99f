"""What the loop keeps of the account's worth: prices, points, and no flow taken for a result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typing_extensions import override

from builders import BTC, NOON, d, make_quote
from fakes import Desk, at_the_desk
from loop_rig import LoopRig
from zoe_tools.domain.equity import EquityPoint
from zoe_tools.domain.identifiers import LedgerId
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.stream import BalancesSnapshot, BalanceUpdate, Gap, StreamDown
from zoe_tools.engine import worth_watch
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.worth_watch import OverheardFeed, WorthWatch
from zoe_tools.errors import VenueUnavailable
from zoe_tools.runtime.virtual_loop import run_virtual


class Watched:
    """A desk, its watch, and what the streams last told."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.watch: WorthWatch | None = None

    async def look(self, *, quoted: bool = True, after_s: float = 300) -> list[EquityPoint]:
        """Time passes, and the watch looks; all points there are."""
        if self.watch is None:
            await self.restart()
        assert self.watch is not None
        await self.desk.clock.sleep(after_s)
        bid, ask = self.desk.venue.prices[BTC]
        quote = make_quote(BTC, bid=bid, ask=ask, as_of=self.desk.clock.now())
        held = [Balance(asset=name, total=each) for name, each in self.desk.venue.totals.items()]
        await self.watch.look([quote] if quoted else [], held)
        return list(await self.desk.read(lambda tx: tx.equity_points()))

    async def restart(self) -> None:
        """Another process, which heard nothing yet."""
        desk = self.desk
        market = await desk.venue.catalogue()
        self.watch = WorthWatch(desk.venue, desk.store, desk.clock, market)

    async def withdraw(self, amount: str, *, heard: bool) -> None:
        """Dollars leave the account, a second from now."""
        await self.desk.clock.sleep(1)
        self.desk.venue.totals["USD"] -= d(amount)
        entry = LedgerEntry(
            ledger_id=LedgerId(f"L{len(self.desk.venue.entries)}"),
            refid="R",
            booked_at=self.desk.clock.now(),
            kind="withdrawal",
            subtype="",
            asset="USD",
            amount=-d(amount),
            fee=d("0"),
            balance=self.desk.venue.totals["USD"],
        )
        self.desk.venue.entries = (*self.desk.venue.entries, entry)
        if heard and self.watch is not None:
            self.watch.hear(BalanceUpdate(entry=entry))


def watched(folder: Path, story: Callable[[Watched], Awaitable[None]], **totals: str) -> None:
    """Tell a story of an account that holds these."""
    balances = {asset: d(total) for asset, total in totals.items()}
    at_the_desk(folder, lambda desk: story(Watched(desk)), balances=balances)


def drawdowns(points: Sequence[EquityPoint]) -> list[Decimal]:
    """Of each point, in percent."""
    return [each.drawdown_pct for each in points]


def test_each_look_keeps_a_point_and_the_prices(tmp_path: Path) -> None:
    """Cash, holdings at the bid of now, and the index that follows."""

    async def story(desk: Watched) -> None:
        await desk.look()
        desk.desk.venue.prices[BTC] = (d("66000"), d("66001"))
        first, second = await desk.look()

        assert (first.gross, first.return_index) == (d("30999.95"), d("1"))
        assert (second.gross, second.holdings) == (d("34000"), d("33000"))
        assert second.return_index == (d("34000") / d("30999.95")).quantize(d("1E-12"))
        marks = await desk.desk.read(lambda tx: tx.marks())
        assert [each.price for each in marks] == [d("59999.9"), d("66000")]

    watched(tmp_path, story, USD="1000", BTC="0.5")


def test_a_look_right_after_a_flow_leaves_nothing_to_guess(tmp_path: Path) -> None:
    """The price moves before and after a large withdrawal: the index is the price's own."""

    async def story(desk: Watched) -> None:
        await desk.look()
        desk.desk.venue.prices[BTC] = (d("66000"), d("66001"))
        await desk.desk.clock.sleep(100)
        await desk.withdraw("40000", heard=True)
        assert desk.watch is not None
        assert desk.watch.flowed.is_set()
        before = desk.desk.venue.totals["USD"] + 40000
        await desk.look(after_s=0)
        desk.desk.venue.prices[BTC] = (d("72600"), d("72601"))
        *_, point = await desk.look()

        first = (before + d("66000")) / (before + d("59999.9"))
        second = (before - 40000 + d("72600")) / (before - 40000 + d("66000"))
        assert abs(point.return_index - first * second) < d("1E-11")
        assert not point.is_estimated
        assert len(await desk.desk.read(lambda tx: tx.marks())) == 3

    watched(tmp_path, story, USD="50000", BTC="1")


def test_what_is_held_and_not_traded_is_asked_for(tmp_path: Path) -> None:
    """Where the venue does not tell, the price of before is used, and the point is an estimate."""

    async def story(desk: Watched) -> None:
        (point,) = await desk.look()
        assert (point.gross, point.lacks) == (d("4000") - d("0.1"), ())
        await desk.desk.clock.sleep(3600)
        desk.desk.venue.cue("quotes", VenueUnavailable("down"))
        old = (await desk.look())[-1]

        assert (old.gross, old.lacks, old.is_estimated) == (point.gross, (), True)
        assert desk.watch is not None
        assert desk.watch.outdated is not None
        assert (desk.watch.outdated.assets, desk.watch.outdated.matters) == (("ETH",), True)
        assert desk.watch.outdated.oldest == point.taken_at
        await desk.look()
        assert desk.watch.outdated is None

    watched(tmp_path, story, USD="1000", ETH="1")


def test_what_has_no_price_at_all_is_named_and_stops_no_curve(tmp_path: Path) -> None:
    """No pair leads from it to dollars."""

    async def story(desk: Watched) -> None:
        await desk.look()
        desk.desk.venue.prices[BTC] = (d("66000"), d("66001"))
        first, second = await desk.look()

        assert (first.lacks, second.lacks) == (("KFEE",), ("KFEE",))
        assert second.return_index > first.return_index

    watched(tmp_path, story, USD="1000", BTC="1", KFEE="5")


def test_defect_9_a_withdrawal_trips_no_drawdown_while_the_loop_runs(tmp_path: Path) -> None:
    """Defect 9: it was heard on the private wire."""

    async def story(desk: Watched) -> None:
        await desk.look()
        await desk.withdraw("300", heard=True)
        await desk.look()
        points = await desk.look()

        assert drawdowns(points) == [0, 0, 0]
        assert [each.flow for each in points] == [0, d("-300"), 0]

    watched(tmp_path, story, USD="1000")


def test_defect_9_a_withdrawal_trips_no_drawdown_while_the_loop_was_down(tmp_path: Path) -> None:
    """Defect 9: a new process asks the ledger since the stored point, and keeps its peak."""

    async def story(desk: Watched) -> None:
        await desk.look()
        await desk.withdraw("300", heard=False)
        await desk.restart()
        desk.desk.venue.cue("ledger", VenueUnavailable("down"))
        assert len(await desk.look()) == 1
        points = await desk.look()

        assert drawdowns(points) == [0, 0]
        assert points[-1].flow == d("-300")

    watched(tmp_path, story, USD="1000")


def test_after_a_gap_of_the_private_wire_the_ledger_is_asked(tmp_path: Path) -> None:
    """A row may have been missed; each is counted once."""

    async def story(desk: Watched) -> None:
        points = await desk.look()
        for event in (
            Gap(wire="private", channel="balances", since=NOON, until=NOON, cause="test"),
            StreamDown(wire="private", at=NOON, reason="test"),
            BalancesSnapshot(holdings=()),
        ):
            await desk.withdraw("100", heard=False)
            assert desk.watch is not None
            desk.watch.hear(event)
            points = await desk.look()
        quiet = [call for call in desk.desk.venue.calls if call[0] == "ledger"]
        await desk.look()

        assert drawdowns(points) == [0, 0, 0, 0]
        assert sum(each.flow for each in points) == d("-300")
        assert quiet == [call for call in desk.desk.venue.calls if call[0] == "ledger"]

    watched(tmp_path, story, USD="1000")


def test_a_loss_is_a_drawdown_and_a_restart_keeps_the_peak(tmp_path: Path) -> None:
    """A tenth of what BTC was worth, of half the account."""

    async def story(desk: Watched) -> None:
        desk.desk.venue.prices[BTC] = (d("60000"), d("60001"))
        await desk.look()
        desk.desk.venue.prices[BTC] = (d("54000"), d("54001"))
        await desk.look()
        await desk.restart()
        points = await desk.look()

        assert drawdowns(points) == [0, 5, 5]

    watched(tmp_path, story, USD="60000", BTC="1")


def test_a_row_that_is_heard_of_after_a_later_point_is_counted_by_the_next(tmp_path: Path) -> None:
    """The wire is slower than the clock: the point before did not have it."""

    async def story(desk: Watched) -> None:
        await desk.look()
        assert desk.watch is not None
        early = desk.desk.clock.now()
        await desk.look()
        await desk.withdraw("300", heard=False)
        entry = replace(desk.desk.venue.entries[-1], booked_at=early)
        desk.watch.hear(BalanceUpdate(entry=entry))
        points = await desk.look()

        assert drawdowns(points) == [0, 0, 0]

    watched(tmp_path, story, USD="1000")


def test_a_flow_that_another_process_counted_is_not_counted_twice(tmp_path: Path) -> None:
    """`zoe pnl` took a point between the loop's, and asked the ledger itself."""

    async def story(desk: Watched) -> None:
        (first,) = await desk.look()
        await desk.withdraw("300", heard=True)
        await desk.desk.clock.sleep(1)
        theirs = replace(
            first, taken_at=desk.desk.clock.now(), gross=d("700"), cash=d("700"), flow=d("-300")
        )
        await desk.desk.read(lambda tx: tx.record_equity(theirs))
        points = await desk.look()

        assert [each.return_index for each in points] == [1, 1, 1]

    watched(tmp_path, story, USD="1000")


def test_a_deposit_of_before_the_start_is_worth_the_price_of_its_own_time(tmp_path: Path) -> None:
    """An hour later a process starts: the price it brings is too new for it, the old one is not."""

    async def story(desk: Watched) -> None:
        desk.desk.venue.prices[BTC] = (d("60000"), d("60001"))
        await desk.look()
        await desk.withdraw("500", heard=False)
        desk.desk.venue.totals["BTC"] += d("0.5")
        came = replace(
            desk.desk.venue.entries[-1],
            ledger_id=LedgerId("D"),
            kind="deposit",
            asset="BTC",
            amount=d("0.5"),
            balance=d("1.5"),
        )
        desk.desk.venue.entries = (*desk.desk.venue.entries, came)
        await desk.restart()
        first, second = await desk.look(after_s=3600)

        assert (first.gross, second.gross) == (d("61000"), d("90500"))
        assert (second.flow, second.is_blind) == (d("29500"), False)
        assert (second.return_index, second.flow_ids) == (d("1"), ("L0", "D"))

    watched(tmp_path, story, USD="1000", BTC="1")


# --- in a running loop ---------------------------------------------------------------------------


class WorthRig(LoopRig):
    """A loop that keeps its account's worth."""

    @override
    def _parts(self) -> LoopParts:
        parts = super()._parts()
        watch = WorthWatch(self.venue, parts.store, self.clock, parts.catalogue)
        return replace(parts, worth=watch, feed=OverheardFeed(parts.feed, watch))

    def withdraw(self, amount: str) -> None:
        """Dollars leave the account, and the private wire tells."""
        self.venue.totals["USD"] -= d(amount)
        entry = LedgerEntry(
            ledger_id=LedgerId(f"L{self.clock.now():%H%M%S}"),
            refid="R",
            booked_at=self.clock.now(),
            kind="withdrawal",
            subtype="",
            asset="USD",
            amount=-d(amount),
            fee=d("0"),
            balance=self.venue.totals["USD"],
        )
        self.feed.tell(BalanceUpdate(entry=entry))


def test_a_running_loop_keeps_points_and_outlives_its_store(tmp_path: Path) -> None:
    """What was withdrawn while the store was away is no loss either, once it is back."""

    async def main() -> tuple[EquityPoint, ...]:
        rig = WorthRig(tmp_path, policy=Policy(), is_shadow=False, has_spare=True)
        rig.come_up()
        rig.quote()
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(650)
        rig.withdraw("100")
        await rig.pass_time(300)
        rig.disk.is_away = True
        rig.withdraw("200")
        await rig.pass_time(650)
        rig.disk.is_away = False
        await rig.pass_time(650)
        rig.stop.set()
        await running
        points = await rig.read(lambda tx: tx.equity_points())
        await rig.store.close()
        return points

    points = run_virtual(main())
    assert [each.gross for each in points] == [d("1000")] * 3 + [d("900")] + [d("700")] * 2
    assert drawdowns(points) == [0] * 6
    assert sum(each.flow for each in points) == d("-300")
    # Not at the next look of five minutes: the withdrawal itself made the loop look.
    assert timedelta(seconds=50) < points[3].taken_at - points[2].taken_at < timedelta(seconds=60)


def test_a_loop_that_runs_for_half_a_minute_keeps_a_point(tmp_path: Path) -> None:
    """One that is begun again and again measures what it loses all the same."""

    async def main() -> tuple[EquityPoint, ...]:
        rig = WorthRig(tmp_path, policy=Policy(), is_shadow=False)
        rig.come_up()
        rig.quote()
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(30)
        rig.stop.set()
        await running
        points = await rig.read(lambda tx: tx.equity_points())
        await rig.store.close()
        return points

    assert [each.gross for each in run_virtual(main())] == [d("1000")]


def test_rows_that_nobody_looks_at_are_bounded_and_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store is away there is no look; what was forgotten the venue's ledger tells."""
    monkeypatch.setattr(worth_watch, "MOST_HEARD", 2)

    async def story(desk: Watched) -> None:
        await desk.look()
        for _ in range(5):
            await desk.withdraw("10", heard=True)
        assert desk.watch is not None
        assert len(desk.watch._heard) <= 2
        points = await desk.look()
        assert sum(each.flow for each in points) == d("-50")
        assert drawdowns(points) == [0, 0]

    watched(tmp_path, story, USD="1000")
