"""The loop's own comparison: cheap, never in the way of an exit, and nothing is lost by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from builders import BTC, ETH, NOON, PAPER, d, make_fill, make_venue_order
from loop_rig import LoopRig, run_loop
from zoe_tools.core.ledger_journal import booked
from zoe_tools.core.reconcile import Reconciliation
from zoe_tools.domain.discrepancy import Discrepancy, DiscrepancyState, FindingKind, Level
from zoe_tools.domain.identifiers import FillId, LedgerId, VenueOrderId
from zoe_tools.domain.ledger import LEDGER_OVERLAP, VENUE_LEDGER, LedgerCursor, LedgerEntry
from zoe_tools.domain.order import OrderStatus, Side
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.stream import BalancesSnapshot, BalanceUpdate
from zoe_tools.domain.wallet import MAIN
from zoe_tools.errors import VenueRejected, VenueUnavailable
from zoe_tools.gate.reconciliation import note_reconciliation
from zoe_tools.gather import gather_store, registry_of
from zoe_tools.store.store import Transaction

PERIOD_S = 120
"""`Cadence.reconcile_s`, as it is live."""

SETTLED_S = PERIOD_S + 5
"""With the second look that a difference takes."""


def sql(words: str) -> Callable[[Transaction], None]:
    """What a person types at a database prompt."""

    def work(transaction: Transaction) -> None:
        transaction._connection.execute(text(words))

    return work


async def active(rig: LoopRig) -> tuple[Discrepancy, ...]:
    """What waits for somebody."""
    return await rig.read(lambda tx: tx.reconciliation.active())


def test_a_quiet_loop_costs_four_points_a_period(tmp_path: Path) -> None:
    """Open orders, balances and one page of the ledger; the history is not asked."""

    async def story(rig: LoopRig) -> None:
        await rig.pass_time(PERIOD_S * 3)

    rig, _ = run_loop(tmp_path, story, compares=True)
    asked = [method for method, _ in rig.venue.calls]
    assert asked.count("balances") == asked.count("open_orders") == 4
    assert asked.count("newest_ledger") == 4
    assert {"closed_orders", "fills", "ledger"} & set(asked) == set()


def test_every_comparison_is_a_row(tmp_path: Path) -> None:
    """With its report, clean or not."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(PERIOD_S)
        runs = await rig.read(lambda tx: tx.reconciliation.runs())
        assert len(runs) >= 2
        assert {each.status for each in runs} == {"ok"}
        assert runs[-1].count("registry_positions") == 1
        assert await active(rig) == ()

    run_loop(tmp_path, story, compares=True)


@pytest.mark.parametrize(
    "unlinked",
    ["", "UPDATE crypto_positions SET stop_venue_order_id=NULL, stop_client_order_id=NULL"],
)
def test_a_stop_that_a_prompt_calls_cancelled_gets_no_second_one_beside_it(
    tmp_path: Path, unlinked: str
) -> None:
    """There are coins enough for two, and the second would sell some that are not zoe's."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(5)
        (stop,) = rig.resting(Side.SELL)
        rig.venue.totals["BTC"] += d("1")
        await rig.read(sql("UPDATE crypto_orders SET status='canceled' WHERE purpose='stop'"))
        if unlinked:
            await rig.read(sql(unlinked))
        assert rig.loop is not None
        await rig.loop.books.refresh(rig.clock.now())
        rig.loop.wake()
        await rig.pass_time(10)
        assert rig.resting(Side.SELL) == [stop]
        assert rig.writes == ["place", "place"]

    run_loop(tmp_path, story)


def test_a_row_changed_at_a_prompt_is_noticed_and_not_believed(tmp_path: Path) -> None:
    """The runbook's UPDATE crypto_orders SET status='canceled': the stop is still known."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(5)
        (stop,) = rig.resting(Side.SELL)
        await rig.read(sql("UPDATE crypto_orders SET status='canceled' WHERE purpose='stop'"))
        await rig.pass_time(PERIOD_S)

        found = await rig.read(lambda tx: tx.reconciliation.all())
        assert [each.kind for each in found] == [FindingKind.STORE_TAMPERED]
        row = await rig.read(lambda tx: tx.order_by_venue_id(stop.venue_order_id))
        assert row is not None
        assert row.status is OrderStatus.OPEN
        assert rig.resting(Side.SELL) == [stop]

    run_loop(tmp_path, story, compares=True)


def test_defect_6_a_shortage_keeps_entries_back_once_it_is_seen_again_and_never_the_exit(
    tmp_path: Path,
) -> None:
    """Defect 6: degraded states block entries; the position is still sold."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(5)
        rig.venue.totals["BTC"] -= d("0.0001")  # gone without a trade
        await rig.pass_time(PERIOD_S)
        (once,) = [each for each in await active(rig) if each.kind is FindingKind.QTY_MISMATCH]
        assert once.state is DiscrepancyState.DETECTED
        await rig.pass_time(PERIOD_S)
        state = await rig.read(lambda tx: tx.reconciliation.state())
        assert (state.is_degraded, state.level) == (True, Level.WARN)

        writes = len(rig.writes)
        await rig.enter(ETH)
        assert rig.writes[writes:] == []
        rig.venue.totals["BTC"] += d("0.0001")
        rig.strategy.wanted[BTC] = "exit"
        await rig.close_candle(BTC)
        await rig.pass_time(5)
        assert rig.resting(Side.SELL) == []
        assert await rig.read(lambda tx: tx.positions(open_only=True)) == ()

    run_loop(tmp_path, story, compares=True)


def test_entries_go_on_when_the_operator_wants_it_so(tmp_path: Path) -> None:
    """STOP_TRADING_ON_DEGRADED=false."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(5)
        rig.venue.totals["BTC"] -= d("0.0001")
        await rig.pass_time(PERIOD_S * 2)
        assert (await rig.read(lambda tx: tx.reconciliation.state())).is_degraded
        before = rig.writes.count("place")
        await rig.enter(ETH)
        await rig.pass_time(5)
        assert rig.writes.count("place") > before

    policy = replace(Policy(), stop_trading_on_degraded=False)
    run_loop(tmp_path, story, compares=True, policy=policy)


def test_a_list_that_lacks_our_stop_is_held_against_a_second_endpoint(tmp_path: Path) -> None:
    """The order is asked for by its id, and counts as open: nothing is found."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(5)
        rig.venue.lists_nothing = True
        await rig.pass_time(PERIOD_S * 2)
        assert await active(rig) == ()
        assert "orders" in [method for method, _ in rig.venue.calls]

    run_loop(tmp_path, story, compares=True)


def test_a_look_at_what_is_live_is_no_reconciliation(tmp_path: Path) -> None:
    """A store of yesterday agrees with what is live, and lacks a day's fills: resume waits."""

    async def story(rig: LoopRig) -> None:
        await rig.pass_time(PERIOD_S)
        seen = await gather_store(
            store=rig.store, clock=rig.clock, account=PAPER, policy=rig.policy
        )
        beats = {each.component for each in await rig.read(lambda tx: tx.heartbeats())}
        assert (seen.reconciled_at, "compare" in beats) == (None, True)

        now = rig.clock.now()
        nothing = Reconciliation(findings=(), steps=(), notes=())
        await rig.read(lambda tx: note_reconciliation(tx, nothing, at=now))
        seen = await gather_store(
            store=rig.store, clock=rig.clock, account=PAPER, policy=rig.policy
        )
        assert seen.reconciled_at == now

    run_loop(tmp_path, story, compares=True)


def test_of_a_position_that_is_over_all_orders_count_however_old_they_are(tmp_path: Path) -> None:
    """Its second entry was made within the hour that is looked at, the stop that sold it before."""

    async def live(rig: LoopRig, seconds: int) -> None:
        for _ in range(seconds // 5):
            rig.print_trade()
            rig.quote()
            await rig.pass_time(5)

    async def story(rig: LoopRig) -> None:
        rig.venue.cue("amend", VenueRejected("no", code="EOrder:Amend not allowed"))
        await rig.enter(rests=True)
        (first,) = rig.resting(Side.BUY)
        rig.fill(first, "0.0001")
        await live(rig, 75)
        (second,), (stop,) = rig.resting(Side.BUY), rig.resting(Side.SELL)
        assert stop.opened_at < NOON + timedelta(seconds=PERIOD_S) < second.opened_at
        rig.fill(second, str(second.quantity))
        await live(rig, 3_500)
        (stop,) = rig.resting(Side.SELL)
        rig.fill(stop, str(stop.quantity))
        await live(rig, PERIOD_S)

        assert await rig.read(lambda tx: registry_of(tx).positions) == ()
        assert await rig.read(lambda tx: tx.reconciliation.all()) == ()

    policy = Policy(order_ttl_entry_s=70.0)
    run_loop(tmp_path, story, policy=policy, compares=True)


def test_coins_that_earn_elsewhere_are_no_drift_and_keep_their_worth(tmp_path: Path) -> None:
    """BalanceEx tells of the wallet that trades: 3 DOT; the stream knows of 15, and a reward."""

    async def story(rig: LoopRig) -> None:
        rig.venue.totals["DOT"] = d("3")
        held = ((name, MAIN, total) for name, total in sorted(rig.venue.totals.items()))
        rig.feed.tell(BalancesSnapshot(holdings=(*held, ("DOT", "earn / locked", d("12")))))
        await rig.pass_time(PERIOD_S * 2)
        reward = LedgerEntry(
            ledger_id=LedgerId("L1"),
            refid="S1",
            booked_at=rig.clock.now(),
            kind="staking",
            subtype="",
            asset="DOT",
            amount=d("0.01"),
            fee=d("0"),
            balance=d("12.01"),
            wallet="earn / locked",
        )
        rig.feed.tell(BalanceUpdate(entry=reward))
        await rig.pass_time(PERIOD_S * 2)

        assert await active(rig) == ()
        assert rig.loop is not None
        free = {each.asset: each.total for each in rig.loop.balances()}
        worth = {each.asset: each.total for each in rig.loop.totals()}
        assert (free["DOT"], worth["DOT"]) == (d("3"), d("15.01"))

    run_loop(tmp_path, story, compares=True)


# --- the ledger ----------------------------------------------------------------------------------


def ledger_row(
    rig: LoopRig, asset: str, amount: str, balance: str, *, name: str = "LDEPOSIT", **changes: Any
) -> LedgerEntry:
    """A row of the venue's ledger, of now."""
    return LedgerEntry(
        **{
            "ledger_id": LedgerId(name),
            "refid": "FDEPOSIT",
            "booked_at": rig.clock.now(),
            "kind": "deposit",
            "subtype": "",
            "asset": asset,
            "amount": d(amount),
            "fee": d("0"),
            "balance": d(balance),
            **changes,
        }
    )


async def was_imported(rig: LoopRig) -> None:
    """The ledger was imported from the venue: all it tells is in the books."""
    (at,) = {each.booked_at for each in rig.venue.entries} or {rig.clock.now()}

    def work(transaction: Transaction) -> None:
        book = transaction.ledger_book
        book.record(booked(rig.venue.entries), source="import/0", at=at)
        book.keep_cursor(LedgerCursor(source=VENUE_LEDGER, newest_at=at, details={}))

    await rig.read(work)


async def deposit(rig: LoopRig, amount: str, name: str, ago: timedelta = timedelta()) -> None:
    """Dollars arrive, or have arrived that long ago, and the ledger tells."""
    rig.venue.totals["USD"] += d(amount)
    held = str(rig.venue.totals["USD"])
    row = ledger_row(rig, "USD", amount, held, name=name, booked_at=rig.clock.now() - ago)
    rig.venue.entries = (row, *rig.venue.entries)
    rig.tell_orders()


def test_a_loop_books_what_is_new_in_a_ledger_that_was_imported(tmp_path: Path) -> None:
    """With its journal, once each, and the cursor moves: our own cash is the venue's."""

    async def story(rig: LoopRig) -> None:
        await deposit(rig, "100", "LFIRST")
        await was_imported(rig)
        await rig.pass_time(SETTLED_S)
        await deposit(rig, "50", "LSECOND")
        await rig.pass_time(SETTLED_S * 2)

        rows = await rig.read(lambda tx: tx.ledger())
        assert [each.ledger_id for each in rows] == ["LFIRST", "LSECOND"]
        lines, _ = await rig.read(lambda tx: tx.ledger_book.journal_page())
        assert sum(each.amount for each in lines) == d("150")
        cursor = await rig.read(lambda tx: tx.ledger_book.cursor(VENUE_LEDGER))
        assert cursor is not None
        assert cursor.newest_at == rows[-1].booked_at
        run = (await rig.read(lambda tx: tx.reconciliation.runs()))[-1]
        assert (run.local_cash, run.cash_diff) == (rig.venue.totals["USD"], d("0"))
        assert await active(rig) == ()

    run_loop(tmp_path, story, compares=True)


def test_a_ledger_that_nobody_imported_is_compared_and_not_booked(tmp_path: Path) -> None:
    """A tail without its beginning would make wrong lots of what was held before."""

    async def story(rig: LoopRig) -> None:
        await deposit(rig, "100", "LFIRST")
        rig.venue.totals["USD"] -= d("60")  # gone, and no row tells
        rig.tell_orders()
        await rig.pass_time(SETTLED_S * 2)
        assert await rig.read(lambda tx: tx.ledger()) == ()
        (drift,) = await active(rig)
        assert (drift.kind, drift.subject) == (FindingKind.BALANCE_DRIFT, "USD")

    run_loop(tmp_path, story, compares=True)


def test_a_loop_finds_and_clears_a_balance_that_its_ledger_does_not_explain(
    tmp_path: Path,
) -> None:
    """Our own ledger is the other side, however long ago the asset last moved."""

    async def story(rig: LoopRig) -> None:
        await deposit(rig, "100", "LFIRST", ago=LEDGER_OVERLAP * 2)
        await was_imported(rig)
        await rig.pass_time(SETTLED_S)
        assert await active(rig) == ()
        rig.venue.totals["USD"] -= d("60")
        rig.tell_orders()
        await rig.pass_time(SETTLED_S * 2)
        (drift,) = await active(rig)
        assert (drift.kind, drift.state) == (FindingKind.BALANCE_DRIFT, DiscrepancyState.CONFIRMED)
        assert "the ledger ends at" in drift.evidence
        state = await rig.read(lambda tx: tx.reconciliation.state())
        assert state.is_degraded

        rig.venue.totals["USD"] += d("60")
        rig.tell_orders()
        await rig.pass_time(SETTLED_S)
        assert await active(rig) == ()
        assert not (await rig.read(lambda tx: tx.reconciliation.state())).is_degraded

    run_loop(tmp_path, story, compares=True)


def test_a_row_of_the_ledger_that_was_changed_here_is_told_and_not_booked_again(
    tmp_path: Path,
) -> None:
    """The venue's page says otherwise; no plan mends what is append-only."""

    async def story(rig: LoopRig) -> None:
        await deposit(rig, "100", "LFIRST")
        await was_imported(rig)
        for name in await rig.read(triggers_of_the_ledger):
            await rig.read(sql(f"DROP TRIGGER {name}"))
        await rig.read(sql("UPDATE ledger_entries SET amount='90'"))
        await rig.pass_time(SETTLED_S)
        (found,) = await active(rig)
        assert (found.kind, found.subject) == (
            FindingKind.STORE_TAMPERED,
            "LFIRST in our ledger",
        )
        assert len(await rig.read(lambda tx: tx.ledger())) == 1

    run_loop(tmp_path, story, compares=True)


def triggers_of_the_ledger(transaction: Transaction) -> list[str]:
    """What keeps its rows as they are."""
    found = transaction._connection.execute(
        text("SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='ledger_entries'")
    )
    return [row[0] for row in found]


def test_a_page_that_does_not_reach_our_books_is_not_booked(tmp_path: Path) -> None:
    """Rows in between would be missing for good: it is an import that reads them."""

    async def story(rig: LoopRig) -> None:
        await deposit(rig, "100", "LFIRST", ago=LEDGER_OVERLAP * 2)
        await was_imported(rig)
        await rig.pass_time(PERIOD_S)
        await deposit(rig, "50", "LSECOND")
        rig.venue.entries = rig.venue.entries[:1]  # as if the page were full of newer ones
        rig.venue.tells_all_of_the_ledger = False
        await rig.pass_time(SETTLED_S * 2)
        assert [each.ledger_id for each in await rig.read(lambda tx: tx.ledger())] == ["LFIRST"]
        run = (await rig.read(lambda tx: tx.reconciliation.runs()))[-1]
        assert run.local_cash == rig.venue.totals["USD"]  # by the stream: our ledger is behind

    run_loop(tmp_path, story, compares=True)


def test_an_execution_that_only_the_ledger_tells_of_is_booked(tmp_path: Path) -> None:
    """Defect 16 the other way: the stop sold, the stream kept it to itself, the row told."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(5)
        (stop,) = rig.resting(Side.SELL)
        rig.is_deaf = True
        rig.fill(stop, str(stop.quantity))
        await rig.read(sql("UPDATE crypto_orders SET status='filled' WHERE purpose='stop'"))
        sold = rig.venue.executions[-1]
        held = str(rig.venue.totals["USD"])
        row = ledger_row(rig, "USD", str(sold.cost), held, name="LSALE")
        rig.venue.entries = (replace(row, refid=sold.fill_id, kind="trade", fee=sold.fee),)
        await rig.pass_time(SETTLED_S)
        assert sold.fill_id in {each.fill_id for each in await rig.read(lambda tx: tx.fills())}
        assert await rig.read(lambda tx: tx.positions(open_only=True)) == ()

    run_loop(tmp_path, story, compares=True)


def test_a_trade_by_hand_is_asked_for_once(tmp_path: Path) -> None:
    """Somebody trades with the same account: two points, and never again."""

    async def story(rig: LoopRig) -> None:
        row = ledger_row(rig, "ETH", "1", str(rig.venue.totals.get("ETH", d("0"))), name="LHAND")
        rig.venue.entries = (replace(row, refid="TBYHAN-DDDDD-DDDDDD", kind="trade"),)
        done_by_hand(rig)
        await rig.pass_time(SETTLED_S * 3)
        assert await active(rig) == ()
        assert [method for method, _ in rig.venue.calls].count("fills") == 1
        rig.venue.entries = (
            replace(rig.venue.entries[0], refid="TNEVER-SHOWNN", booked_at=rig.clock.now()),
        )
        await rig.pass_time(SETTLED_S * 3)
        assert [method for method, _ in rig.venue.calls].count("fills") == 2

    run_loop(tmp_path, story, compares=True)


def done_by_hand(rig: LoopRig) -> None:
    """An order that nobody here placed has filled."""
    name = VenueOrderId("OBYHAN-DDDDD-DDDDDD")
    rig.venue.book_of_orders[name] = make_venue_order(
        venue_order_id=name,
        client_order_id=None,
        symbol=ETH,
        status=OrderStatus.FILLED,
        opened_at=rig.clock.now(),
    )
    rig.venue.executions.append(
        make_fill(
            fill_id=FillId("TBYHAN-DDDDD-DDDDDD"),
            venue_order_id=name,
            symbol=ETH,
            filled_at=rig.clock.now(),
        )
    )


def test_a_venue_that_does_not_answer_ends_no_loop(tmp_path: Path) -> None:
    """The comparison is left out and made the next time."""

    async def story(rig: LoopRig) -> None:
        rig.venue.cue("balances", VenueUnavailable("down"), times=1)
        await rig.pass_time(SETTLED_S * 2)
        assert rig.loop is not None
        assert len(await rig.read(lambda tx: tx.reconciliation.runs())) >= 2

    run_loop(tmp_path, story, compares=True)
