"""What a loop stops for by itself, and the one thing that it takes back."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, PAPER, d
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.discrepancy import Level, ReconciliationState
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.invariants import InvariantLimits
from zoe_tools.domain.margin import MarginStanding
from zoe_tools.domain.order import OrderRequest
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.stream import StreamDown, StreamUp
from zoe_tools.domain.trading_state import KillLevel, KillReason, TradingState
from zoe_tools.engine.margin_watch import SELDOM, MarginWatch
from zoe_tools.errors import VenueRejected, VenueUnavailable
from zoe_tools.gate.journal import Author
from zoe_tools.gate.latch import latch_level
from zoe_tools.observe.log import event_of

LOOKED_S = 12
ASKED_S, KEPT_S = 30, 20
"""How long until the venue is asked of margin, and until a level may be taken back: shortened."""

POLICY = Policy(invariants=InvariantLimits(margin_rearm_after_s=d("20")))


class Borrower:
    """Others trade on the account: so many of 1000 USD are in use."""

    def __init__(self) -> None:
        self.used = d("0")
        self.is_away = False

    async def ask(self) -> MarginStanding:
        """What TradeBalance says."""
        if self.is_away:
            raise VenueUnavailable("down")
        zero = Decimal(0)
        return MarginStanding(
            asset="USD",
            worth=d("1000"),
            collateral=d("1000"),
            used=self.used,
            unrealised=zero,
            cost=zero,
            value=zero,
            equity=d("1000"),
            free=d("1000") - self.used,
        )

    def looked_at(self, rig: LoopRig) -> None:
        """Have the loop ask, seldom."""
        rig.margin = MarginWatch(self.ask, rig.clock, Cadence(health_s=ASKED_S / SELDOM))


def state(rig: LoopRig) -> TradingState:
    """What is latched, as the loop knows it."""
    assert rig.loop is not None
    return rig.loop.books.trading_state


async def kill_by_hand(rig: LoopRig, level: KillLevel, reason: str) -> None:
    """As `zoe kill` of somebody on another terminal latches it."""
    author = Author(account=PAPER, command="kill", operator="ada", host="desk")
    await latch_level(
        store=rig.store,
        clock=rig.clock,
        account=PAPER,
        policy=rig.policy,
        level=level,
        reason=reason,
        author=author,
    )


def refuse_stops(rig: LoopRig) -> asyncio.Event:
    """The venue takes every order but those, while the event is set."""
    taken, is_refused = rig.venue.place, asyncio.Event()
    is_refused.set()

    async def place(request: OrderRequest, **named: Any) -> VenueOrderId:
        if request.order_type.is_stop and is_refused.is_set():
            raise VenueRejected("No stops today.", code="EOrder:Invalid order")
        return await taken(request, **named)

    rig.venue.place = place  # type: ignore[method-assign]
    return is_refused


async def margin_comes_and_goes(rig: LoopRig, borrower: Borrower) -> TradingState:
    """Ninety-three percent, latched; then a half, and a while and a look later."""
    borrower.used = d("930")
    await rig.pass_time(ASKED_S + LOOKED_S)
    latched = state(rig)
    borrower.used = d("500")
    await rig.pass_time(KEPT_S + LOOKED_S)
    return latched


def test_vector_10_margin_is_taken_back_twice_a_day_and_a_restart_forgives_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The third time a person has to look, whichever loop it is that counts."""
    borrower, ended_at = Borrower(), list[datetime]()

    async def story(rig: LoopRig) -> None:
        latched = await margin_comes_and_goes(rig, borrower)
        assert (latched.level, latched.cause) == (
            KillLevel.CANCEL_OPEN,
            KillReason.MARGIN_CRITICAL,
        )
        assert (state(rig).level, state(rig).changed_by) == (KillLevel.NONE, "margin rule")
        await margin_comes_and_goes(rig, borrower)
        assert state(rig).may_enter
        ended_at.append(rig.clock.now())

    async def after_a_restart(rig: LoopRig) -> None:
        assert (await margin_comes_and_goes(rig, borrower)).level is KillLevel.CANCEL_OPEN
        await rig.pass_time(60)
        assert state(rig).level is KillLevel.CANCEL_OPEN

    with caplog.at_level(logging.INFO):
        run_loop(tmp_path, story, prepare=borrower.looked_at, policy=POLICY)
        (starts_at,) = ended_at
        run_loop(
            tmp_path,
            after_a_restart,
            prepare=borrower.looked_at,
            policy=POLICY,
            starts_at=starts_at,
        )
    assert caplog.messages.count("AUTO_RECOVERY") == 2


def test_a_margin_call_is_a_liquidation_breach_and_never_passes_by_itself(tmp_path: Path) -> None:
    """More than margin being critical: it takes that level over, and a person has to look."""
    borrower = Borrower()

    async def story(rig: LoopRig) -> None:
        borrower.used = d("930")
        await rig.pass_time(ASKED_S + LOOKED_S)
        assert state(rig).cause is KillReason.MARGIN_CRITICAL
        borrower.used = d("1250")
        await rig.pass_time(ASKED_S + LOOKED_S)
        found = state(rig)
        assert (found.level, found.cause) == (KillLevel.REDUCE_ONLY, KillReason.LIQUIDATION_BREACH)
        assert "liquidation_pct 125 is beyond 125" in found.reason
        borrower.used = d("100")
        await rig.pass_time(120)
        assert state(rig) == found

    run_loop(tmp_path, story, prepare=borrower.looked_at, policy=POLICY)


def test_vector_10_what_a_person_ordered_meanwhile_does_not_pass_with_the_margin(
    tmp_path: Path,
) -> None:
    """A pause of entries, which is less than what margin had latched: it stays, with its words."""
    borrower = Borrower()

    async def story(rig: LoopRig) -> None:
        borrower.used = d("930")
        await rig.pass_time(ASKED_S + LOOKED_S)
        assert state(rig).cause is KillReason.MARGIN_CRITICAL
        await kill_by_hand(rig, KillLevel.PAUSE_ENTRIES, "let me look")
        borrower.used = d("100")
        await rig.pass_time(120)
        assert (state(rig).level, state(rig).reason) == (KillLevel.CANCEL_OPEN, "let me look")

    run_loop(tmp_path, story, prepare=borrower.looked_at, policy=POLICY)


def test_margin_that_nobody_tells_of_is_neither_critical_nor_over(tmp_path: Path) -> None:
    """Its last word counts for a while, and then no level is latched or taken back by it."""
    borrower = Borrower()

    async def story(rig: LoopRig) -> None:
        borrower.used = d("930")
        await rig.pass_time(ASKED_S + LOOKED_S)
        borrower.used, borrower.is_away = d("0"), True
        await rig.pass_time(120)
        assert state(rig).level is KillLevel.CANCEL_OPEN

    run_loop(tmp_path, story, prepare=borrower.looked_at, policy=POLICY)


def test_a_kill_that_the_books_read_first_is_told_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A turn reads everything anew between two looks at the switch: the log must not miss it."""

    async def story(rig: LoopRig) -> None:
        halted = TradingState(
            level=KillLevel.REDUCE_ONLY, reason="by hand", changed_at=rig.clock.now()
        )
        await rig.read(lambda tx: tx.latch(halted))
        assert rig.loop is not None
        await rig.loop.books.refresh(rig.clock.now())
        await rig.pass_time(1)

    with caplog.at_level(logging.INFO):
        run_loop(tmp_path, story)
    assert caplog.messages.count("KILL_SWITCH_ACTIVATED") == 1


def test_the_scope_of_a_kill_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An instrument's, an account's, and that of the switch, which stops all accounts."""

    async def story(rig: LoopRig) -> None:
        halted = TradingState(level=KillLevel.CANCEL_OPEN, reason="r", changed_at=rig.clock.now())
        await rig.read(lambda tx: tx.latch(halted, BTC))
        await rig.pass_time(1)
        await rig.read(lambda tx: tx.latch(halted))
        await rig.pass_time(1)
        await rig.read(lambda tx: tx.set_config("kill_switch", "true", rig.clock.now()))
        await rig.pass_time(1)

    with caplog.at_level(logging.INFO):
        run_loop(tmp_path, story)
    told = [
        (found[1]["scope"], found[1].get("symbol"))
        for each in caplog.records
        if (found := event_of(each)) is not None and found[0] == "KILL_SWITCH_ACTIVATED"
    ]
    assert told == [("instrument", BTC), ("account", None), ("global", None)]


def test_books_that_stay_critical_latch_a_reconciliation_failure(tmp_path: Path) -> None:
    """After half an hour; a moment of it only keeps entries back."""

    async def story(rig: LoopRig) -> None:
        since = rig.clock.now() - timedelta(seconds=1800 - 30)
        critical = ReconciliationState(level=Level.CRIT, reason="orphaned", since=since)
        await rig.read(lambda tx: tx.reconciliation.set_state(critical, rig.clock.now()))
        await rig.pass_time(LOOKED_S)
        assert state(rig).may_enter
        await rig.pass_time(30)
        assert (state(rig).level, state(rig).cause) == (
            KillLevel.CANCEL_OPEN,
            KillReason.RECONCILIATION_FAILURE,
        )

    run_loop(tmp_path, story)


def test_a_position_that_stays_without_a_stop_latches_a_reconciliation_failure(
    tmp_path: Path,
) -> None:
    """The venue takes none and no sale is wanted: after so many seconds nothing is entered."""
    limits = InvariantLimits(naked_crit_s=d("4"))
    policy = Policy(invariants=limits, stop_refusals_until_sale=0)

    async def story(rig: LoopRig) -> None:
        is_refused = refuse_stops(rig)
        await rig.enter()
        await rig.pass_time(1)
        assert state(rig).may_enter
        await rig.pass_time(LOOKED_S - 3)
        assert (state(rig).level, state(rig).cause) == (
            KillLevel.CANCEL_OPEN,
            KillReason.RECONCILIATION_FAILURE,
        )
        assert rig.venue.totals["BTC"] > 0
        is_refused.clear()  # or the orderly end would wait for it

    run_loop(tmp_path, story, policy=policy)


def test_streams_that_stay_down_latch_a_data_failure(tmp_path: Path) -> None:
    """Down for long, not twice for a while."""
    policy = Policy(invariants=InvariantLimits(blind_crit_s=d("60")))

    async def story(rig: LoopRig) -> None:
        for _ in range(2):
            rig.feed.tell(StreamDown(wire="public", at=rig.clock.now(), reason="cut"))
            await rig.pass_time(40)
            rig.feed.tell(StreamUp(wire="public", at=rig.clock.now()))
            await rig.pass_time(LOOKED_S)
        assert state(rig).may_enter
        rig.feed.tell(StreamDown(wire="public", at=rig.clock.now(), reason="cut"))
        await rig.pass_time(60 + LOOKED_S)
        assert (state(rig).level, state(rig).cause) == (
            KillLevel.CANCEL_OPEN,
            KillReason.DATA_FAILURE,
        )

    run_loop(tmp_path, story, policy=policy)
