"""The worked cases of reconciliation over time, on the paper exchange; what must never happen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import d, make_request, place
from fakes import command_io
from reconcile_rig import World, told_by
from zoe_tools.commands.reconcile import _reconcile
from zoe_tools.domain.discrepancy import DiscrepancyState, Level, Severity
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.domain.position import PositionStatus
from zoe_tools.errors import VenueUnavailable
from zoe_tools.gate.receipt import Receipt


def on_the_floor(home: Path, story: Any) -> Any:
    """What the story brings; what ended it is raised."""
    found = told_by(home, {"story": story})["story"]
    if isinstance(found, Exception):
        raise found
    return found


async def protected(world: World) -> None:
    """A position with its stop."""
    await world.enter()
    await world.protect()


def without_money(world: World) -> None:
    """Neither read of the balances tells any."""
    for where in ("BalanceEx", "Balance"):
        world.lie("empty-answer", where)


async def try_entry(world: World, *, execute: bool = False) -> Receipt:
    """A modest entry through the gate; planned only, unless told otherwise."""
    request = make_request(
        symbol="ETH/USD", quantity=d("0.005"), limit_price=None, order_type=OrderType.MARKET
    )
    desk = world.desk
    plan = desk.plan(place(request, notional=d("15")))
    snapshot = await desk.look()
    receipt: Receipt = await desk.gate().carry_out(plan, snapshot=snapshot, execute=execute)
    return receipt


async def sell_all(world: World) -> Receipt:
    """Leave the position: its stop is cancelled first."""
    (position,) = await world.read(lambda tx: tx.positions(open_only=True))
    await world.spot.cancel((await world.stop()).venue_order_id)
    request = make_request(
        side=Side.SELL,
        order_type=OrderType.MARKET,
        limit_price=None,
        quantity=position.quantity,
        purpose="exit",
    )
    receipt: Receipt = await world.desk.do(place(request, position_id=position.position_id))
    return receipt


def codes(receipt: Receipt) -> list[str]:
    """Why steps were refused."""
    return [each.code for each in receipt.refusals]


def test_vector_6_an_empty_answer_is_confirmed_before_it_counts(tmp_path: Path) -> None:
    """Once: told, unconfirmed, no change. Twice: a warning. Three times: critical, no entries."""

    async def story(world: World) -> None:
        await protected(world)
        before = await world.read(lambda tx: tx.business_fingerprint())
        without_money(world)

        once = await world.reconcile()
        (orphan,) = [each for each in once.result["findings"] if each["kind"] == "ORPHANED"]
        assert (orphan["state"], orphan["severity"]) == ("detected", "info")
        world.truth()
        assert codes(await try_entry(world)) == []
        without_money(world)

        twice = await world.reconcile()
        (orphan,) = [each for each in twice.result["findings"] if each["kind"] == "ORPHANED"]
        assert (orphan["state"], orphan["severity"]) == ("confirmed", "warning")
        assert twice.result["state"]["level"] == "warn"

        thrice = await world.reconcile()
        assert thrice.result["state"]["level"] == "crit"
        assert thrice.result["report"]["orphaned"] == 1
        world.truth()
        assert codes(await try_entry(world)) == ["DEGRADED"]
        assert await world.read(lambda tx: tx.business_fingerprint()) == before

    on_the_floor(tmp_path, story)


def test_vector_6_an_empty_answer_that_a_second_endpoint_denies_never_counts(
    tmp_path: Path,
) -> None:
    """Three times, and no word of coins that are gone; the truth finds the account as it was."""

    async def story(world: World) -> None:
        await protected(world)
        world.lie("empty-answer", "BalanceEx")
        for _ in range(3):
            told = await world.reconcile(execute=True)
            assert (told.kinds, told.states) == (("VENUE_CONTRADICTION",), {"detected"})
            assert told.result["report"]["orphaned"] == 0
            (found,) = told.result["findings"]
            assert "tells 0 BTC, Balance 2.0004" in found["evidence"]
        world.lie("unavailable", "Balance")  # the second endpoint says nothing: nothing is sure
        told = await world.reconcile()
        assert (told.code, told.states) == (3, {"detected"})
        assert "ORPHANED" in told.kinds
        world.truth()
        assert codes(await try_entry(world)) == []
        assert (await world.reconcile()).code == 0

    on_the_floor(tmp_path, story)


def test_defect_14_an_empty_answer_of_the_venue_orphans_no_position(tmp_path: Path) -> None:
    """Every read may be empty, three runs long, with --execute: the registry stays as it is."""

    async def story(world: World) -> None:
        await protected(world)
        held = await world.read(lambda tx: tx.positions())
        for where in ("BalanceEx", "OpenOrders", "ClosedOrders", "TradesHistory", "Ledgers"):
            world.lie("empty-answer", where)
        world.lie("empty-answer", "QueryOrders")
        for _ in range(3):
            await world.reconcile(execute=True)
        assert await world.read(lambda tx: tx.positions()) == held
        world.truth()
        assert (await world.reconcile()).kinds == ()

    on_the_floor(tmp_path, story)


def test_defect_15_a_pending_entry_is_closed_by_no_reconcile_and_no_restart(
    tmp_path: Path,
) -> None:
    """Vector 7: it stays pending; when it fills it is open, at the real price."""

    async def story(world: World) -> None:
        await world.enter(limit="69500.0")
        for _ in range(2):
            assert (await world.reconcile(execute=True)).kinds == ()
        (pending,) = await world.read(lambda tx: tx.positions())
        assert pending.status is PositionStatus.PENDING
        await world.market("69400.0", "69500.0")
        await world.reconcile(execute=True)
        (opened,) = await world.read(lambda tx: tx.positions())
        assert opened.position_id == pending.position_id
        assert opened.status.holds
        assert (opened.quantity, opened.initial_price) == (d("0.0004"), d("69500.0"))

    on_the_floor(tmp_path, story)


def test_defect_6_degraded_blocks_entries_and_never_an_exit(tmp_path: Path) -> None:
    """Vector 18: 2.01 dollars that nobody explains; the position is sold all the same."""

    async def story(world: World) -> None:
        await protected(world)
        world.vanish("USD", "2.01")
        once = await world.reconcile()
        assert (once.kinds, once.states) == (("BALANCE_DRIFT",), {"detected"})
        assert not once.result["state"]["is_degraded"]
        told = await world.reconcile()
        assert told.states == {"confirmed"}
        assert told.result["state"]["is_degraded"]
        refused = await try_entry(world, execute=True)
        assert codes(refused) == ["DEGRADED"]
        assert refused.exit_code == 4
        sold = await sell_all(world)
        assert codes(sold) == []
        assert await world.managed() == 0

    on_the_floor(tmp_path, story)


def test_vector_18_two_dollars_are_inside_the_tolerance(tmp_path: Path) -> None:
    """The boundary belongs to the tolerance; the difference is a note."""

    async def story(world: World) -> None:
        await protected(world)
        world.vanish("USD", "2.00")
        told = await world.reconcile()
        assert (told.code, told.kinds) == (0, ())
        assert any("within the tolerance of 2" in note for note in told.result["notes"])
        assert codes(await try_entry(world)) == []

    on_the_floor(tmp_path, story)


def test_degraded_ends_by_an_explanation_and_stays_listed(tmp_path: Path) -> None:
    """Dry first; then entries are allowed again, exit 0, and who said it is shown."""

    async def story(world: World) -> None:
        await protected(world)
        world.vanish("USD", "50")
        await world.reconcile()
        (found,) = (await world.reconcile()).result["findings"]
        words = (("explain", found["discrepancy_id"]), ("reason", "a fee the venue took back"))
        assert (await world.reconcile(*words)).code == 3
        assert codes(await try_entry(world)) == ["DEGRADED"]
        assert (await world.reconcile(*words, execute=True)).code == 0
        assert codes(await try_entry(world)) == []
        after = await world.reconcile()
        assert (after.code, after.kinds) == (0, ())
        (settled,) = after.result["settled"]
        assert (settled["state"], settled["explained_by"]) == ("explained", "tester")
        world.vanish("USD", "1")
        assert (await world.reconcile()).result["state"]["is_degraded"]

    on_the_floor(tmp_path, story)


def test_an_adjustment_makes_books_and_venue_agree_and_no_result(tmp_path: Path) -> None:
    """Coins that are gone: posted with a reason; the position is over, nothing was won or lost."""

    async def story(world: World) -> None:
        await protected(world)
        (position,) = await world.read(lambda tx: tx.positions(open_only=True))
        await world.spot.cancel((await world.stop()).venue_order_id)
        world.take_out("BTC", "2.0004")
        await world.reconcile(execute=True)
        told = await world.reconcile()
        orphan = next(each for each in told.result["findings"] if each["kind"] == "ORPHANED")
        words = (
            ("adjust", "BTC=-0.0004"),
            ("position", position.position_id),
            ("explain", orphan["discrepancy_id"]),
            ("reason", "withdrawn by hand"),
        )
        await world.reconcile(*words, execute=True)
        assert (await world.reconcile()).kinds == ()
        (over,) = await world.read(lambda tx: tx.positions())
        assert (over.status, over.exit_reason) == (PositionStatus.CLOSED, "reconciliation")
        assert over.realised_pnl == position.realised_pnl
        (posted,) = await world.read(lambda tx: tx.reconciliation.adjustments())
        assert (posted.author, posted.reason) == ("tester", "withdrawn by hand")
        assert (await world.reconcile(execute=True)).kinds == ()

    on_the_floor(tmp_path, story)


def test_an_adjustment_of_cash_ends_degraded(tmp_path: Path) -> None:
    """What the ledger never told is posted; said again it is posted once."""

    async def story(world: World) -> None:
        await protected(world)
        world.vanish("USD", "50")
        await world.reconcile()
        assert (await world.reconcile()).result["state"]["is_degraded"]
        words = (("adjust", "USD=-50"), ("reason", "the venue's mistake, ticket 4711"))
        await world.reconcile(*words, execute=True)
        assert (await world.reconcile(*words, execute=True)).code == 0
        assert len(await world.read(lambda tx: tx.reconciliation.adjustments())) == 1
        told = await world.reconcile()
        assert (told.kinds, told.result["state"]["is_degraded"]) == ((), False)

    on_the_floor(tmp_path, story)


def test_a_waiver_ends_with_its_time(tmp_path: Path) -> None:
    """Until then it is no finding."""

    async def story(world: World) -> None:
        await world.place_by_hand()
        (found,) = (await world.reconcile()).result["findings"]
        words = (
            ("waive", found["discrepancy_id"]),
            ("until", "30m"),
            ("reason", "mine, until lunch"),
        )
        await world.reconcile(*words, execute=True)
        assert (await world.reconcile()).code == 0
        await world.clock.sleep(1800)
        after = await world.reconcile()
        assert (after.code, after.kinds) == (3, ("UNKNOWN_ORDER",))

    on_the_floor(tmp_path, story)


def test_deleted_rows_come_back_from_what_is_append_only(tmp_path: Path) -> None:
    """Orders by their intents and events, the position by its fills; its stop protects it again."""

    async def story(world: World) -> None:
        await protected(world)
        before = await world.read(lambda tx: tx.orders())
        (held,) = await world.read(lambda tx: tx.positions())
        await world.sql("DELETE FROM crypto_orders WHERE account_id = :me")
        await world.sql("DELETE FROM crypto_positions WHERE account_id = :me")
        await world.reconcile(execute=True)

        assert await world.read(lambda tx: tx.orders()) == before
        (again,) = await world.read(lambda tx: tx.positions())
        assert again.status is PositionStatus.PROTECTED
        names = ("position_id", "quantity", "average_cost", "stop_venue_order_id", "stop_price")
        assert [getattr(again, name) for name in names] == [getattr(held, name) for name in names]

    on_the_floor(tmp_path, story)


def test_defect_10_no_comparison_no_row(tmp_path: Path) -> None:
    """A row says what was compared; a venue that is down leaves none, and no beat either."""

    async def story(world: World) -> None:
        await protected(world)
        world.vanish("USD", "50")
        await world.reconcile()
        (unread,) = await world.read(lambda tx: tx.reconciliation.runs())
        assert unread.cash_diff is None  # no ledger of our own, nothing to compare
        await world.learn_the_ledger()
        await world.reconcile()
        once, row = await world.read(lambda tx: tx.reconciliation.runs())
        assert once == unread
        assert (row.status, row.cash_diff) == ("degraded", d("50"))
        assert row.reason.startswith("cash mismatch")
        world.lie("unavailable", "TradesHistory")
        context, invocation, _ = command_io(world.desk, "reconcile", json=True)
        with pytest.raises(VenueUnavailable):
            await _reconcile(context, invocation, execute=True)
        assert len(await world.read(lambda tx: tx.reconciliation.runs())) == 2
        beats = await world.read(lambda tx: tx.heartbeats())
        assert [each.status for each in beats if each.component == "reconcile"] == ["warning"]

    on_the_floor(tmp_path, story)


def test_a_level_falls_after_three_clean_runs(tmp_path: Path) -> None:
    """Critical, then the venue tells the truth again."""

    async def story(world: World) -> None:
        await protected(world)
        without_money(world)
        for _ in range(3):
            await world.reconcile()
        world.truth()
        levels = [(await world.reconcile()).result["state"]["level"] for _ in range(3)]
        assert levels == ["crit", "crit", "ok"]
        assert codes(await try_entry(world)) == []

    on_the_floor(tmp_path, story)


def test_reconcile_is_not_clean_while_entries_are_kept_back(tmp_path: Path) -> None:
    """Critical and nothing found any more: exit 3, said in the first line, three names at most."""

    async def story(world: World) -> str:
        await protected(world)
        for number in range(4):
            await world.enter(quantity=f"0.000{number + 1}")
        await world.protect()
        lies = ("TradesHistory", "ClosedOrders", "QueryTrades")
        for where in lies:
            world.lie("empty-answer", where)
        await world.clock.sleep(90)
        assert [(await world.reconcile()).code for _ in range(3)] == [3, 3, 3]
        world.truth()
        context, invocation, out = command_io(world.desk, "reconcile")
        assert await _reconcile(context, invocation, execute=False) == 3
        after = [await world.reconcile() for _ in range(2)]
        assert [(each.code, each.kinds) for each in after] == [(3, ()), (0, ())]
        return out.getvalue()

    words = " ".join(on_the_floor(tmp_path, story).split())
    assert "0 discrepancies, and no entries" in words
    told = words.partition("CRITICAL: no entries. ")[2].partition("Entries are allowed")[0]
    assert told.count("PHANTOM_FILL of") == 3
    assert "and 2 more" in told
    assert "again after 1 of 3 comparisons in a row without a finding" in words


def test_what_was_found_is_shown_within_eighty_columns(tmp_path: Path) -> None:
    """Name, class, state, evidence and money; and that entries are kept back."""

    async def story(world: World) -> str:
        await protected(world)
        world.vanish("USD", "50")
        await world.place_by_hand()
        await world.reconcile()
        context, invocation, out = command_io(world.desk, "reconcile")
        await _reconcile(context, replace(invocation, output=invocation.output), execute=False)
        return out.getvalue()

    shown = on_the_floor(tmp_path, story)
    words = " ".join(shown.split())
    assert "2 discrepancies" in words
    assert "BALANCE_DRIFT confirmed, warning" in words
    assert "50 USD at stake" in words
    assert "DEGRADED: no entries until it is explained." in words
    assert all(len(line) <= 120 for line in shown.splitlines())


def test_states_are_told_as_they_are_stored(tmp_path: Path) -> None:
    """The answer to a program and the store say the same."""

    async def story(world: World) -> None:
        await world.place_by_hand()
        told = await world.reconcile()
        (kept,) = await world.read(lambda tx: tx.reconciliation.active())
        (shown,) = told.result["findings"]
        assert shown["discrepancy_id"] == kept.discrepancy_id
        assert (kept.state, kept.severity) == (DiscrepancyState.CONFIRMED, Severity.WARNING)
        state = await world.read(lambda tx: tx.reconciliation.state())
        assert (state.level, json.dumps(told.result["report"])) == (
            Level.WARN,
            json.dumps(dict((await world.read(lambda tx: tx.reconciliation.runs()))[-1].counts)),
        )

    on_the_floor(tmp_path, story)
