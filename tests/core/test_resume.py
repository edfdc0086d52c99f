"""Re-arming after a kill: one sentence for each thing that is not as it should be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    BTC,
    ETH,
    NOON,
    d,
    make_intent,
    make_order,
    make_position,
    snapshot_with,
)
from resting_orders import ENTRY, OUR_STOP, STOP
from zoe_tools.core.resume import CauseFacts, plan_resume, resume_blockers
from zoe_tools.domain.breaker import Breaker
from zoe_tools.domain.equity import EquityPoint
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.margin import MarginStanding
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.plan import SetTradingState
from zoe_tools.domain.snapshot import Missing, Snapshot
from zoe_tools.domain.trading_state import (
    CONFIG_SWITCH,
    CONFIG_SWITCH_TOO,
    KillLevel,
    TradingState,
)

RESTING: tuple[VenueOrder, ...] = (ENTRY, STOP)
STOPPED = TradingState(level=KillLevel.REDUCE_ONLY, reason="drill", changed_at=NOON)
SWITCHED = TradingState(
    level=KillLevel.REDUCE_ONLY, reason="x", changed_at=None, changed_by=CONFIG_SWITCH
)


def world(**changes: Any) -> Snapshot:
    """A managed position with its stop, and an entry."""
    values: dict[str, Any] = {
        "open_orders": RESTING,
        "orders": (make_order(venue_order_id=VenueOrderId("O-entry")), OUR_STOP),
        "positions": (make_position(stop_venue_order_id=VenueOrderId("O-stop")),),
        "balances": (Balance(asset="BTC", total=d("2.0004")), Balance(asset="USD", total=d("1"))),
        **changes,
    }
    return snapshot_with(**values)


def test_an_instrument_is_re_armed_by_its_own_list() -> None:
    """A missing stop of another one does not keep it, and the account's level is not its own."""
    halted = TradingState(level=KillLevel.FLATTEN, reason="drill", changed_at=NOON)
    armed = TradingState(level=KillLevel.NONE, reason="", changed_at=None)
    naked = world(
        trading_state=replace(armed, stopped=((ETH, halted), (BTC, halted))), open_orders=()
    )
    wanted = SetTradingState(
        level=KillLevel.NONE,
        reason="fixed",
        before=KillLevel.FLATTEN,
        symbol=ETH,
        stopped_at=NOON,
        times_stopped=0,
    )

    assert plan_resume(naked, "fixed", symbol=ETH).steps == (wanted,)
    assert plan_resume(naked, "fixed", symbol=BTC).is_empty
    assert plan_resume(naked, "fixed").steps == ()


BLOCKERS: list[tuple[dict[str, Any], str]] = [
    ({"unresolved_intents": (make_intent(),)}, "is unknown"),
    ({"trading_state": SWITCHED}, "kill_switch"),
    ({"trading_state": replace(STOPPED, changed_by=CONFIG_SWITCH_TOO)}, "kill_switch"),
    ({"venue_mode": VenueMode.MAINTENANCE}, "maintenance"),
    ({"venue_mode": Missing("down")}, "mode is missing"),
    ({"open_orders": (STOP,)}, "the venue does not show it"),
    ({"open_orders": Missing("down")}, "open orders are missing"),
    ({"open_orders": (ENTRY,), "orders": ()}, "has no stop at the venue"),
    ({"balances": (Balance(asset="BTC", total=d("0.0003")),)}, "zoe manages 0.0004"),
    ({"balances": Missing("down")}, "balances are missing"),
]


@pytest.mark.parametrize(("changes", "sentence"), BLOCKERS)
def test_re_arming_waits_until_the_list_is_clean(changes: dict[str, Any], sentence: str) -> None:
    """Each blocker is one sentence, and no step is planned."""
    snapshot = world(**{"trading_state": STOPPED, "open_orders": RESTING, **changes})
    plan = plan_resume(snapshot, "fixed")

    assert plan.is_empty
    assert [sentence in note for note in plan.notes] == [True]


def test_a_clean_list_re_arms_and_an_armed_account_has_nothing_to_do() -> None:
    """One step down, all the way."""
    clean = world(trading_state=STOPPED, open_orders=RESTING)

    assert resume_blockers(clean) == ()
    assert plan_resume(clean, "fixed").steps == (
        SetTradingState(
            level=KillLevel.NONE,
            reason="fixed",
            before=clean.trading_state.level,
            stopped_at=NOON,
            times_stopped=0,
        ),
    )
    assert plan_resume(world(open_orders=RESTING), "fixed").is_empty


def stopped_for(reason: str, **changes: Any) -> Snapshot:
    """An account in order that was stopped at noon for this."""
    state = TradingState(level=KillLevel.CANCEL_OPEN, reason=reason, changed_at=NOON)
    return world(open_orders=(STOP,), orders=(OUR_STOP,), trading_state=state, **changes)


def point(index: str, **changes: Any) -> EquityPoint:
    """A point of the curve, below a peak of one."""
    values: dict[str, Any] = {
        "taken_at": NOON,
        "currency": "USD",
        "gross": d("850"),
        "net": d("850"),
        "cash": d("850"),
        "holdings": d("0"),
        "return_index": d(index),
        **changes,
    }
    return EquityPoint(**values)


def using(used: str, *, equity: str = "1000") -> CauseFacts:
    """So much of the equity is in use as margin."""
    zero = d("0")
    standing = MarginStanding(
        asset="USD",
        worth=d(equity),
        collateral=d(equity),
        used=d(used),
        unrealised=zero,
        cost=zero,
        value=zero,
        equity=d(equity),
        free=zero,
    )
    return CauseFacts(margin=standing)


def skewed(seconds: str, *, deaf_s: int | None = None) -> CauseFacts:
    """The clock is so far from the venue's, and the loop has heard nothing for so long."""
    return CauseFacts(clock_skew_s=d(seconds), deaf_s=deaf_s)


NOTHING = CauseFacts()
TRIPPED = CauseFacts(breaker=Breaker().forced_open(NOON))
MARGIN, STALE = "margin_critical: margin_pct 93", "data_failure: blind_s 3600"
BROKEN = "invariant_violation: drawdown_pct 15 is beyond 15"


@pytest.mark.parametrize(
    ("reason", "changes", "facts", "blocker"),
    [
        (BROKEN, {"worth": point("0.85")}, NOTHING, "drawdown_pct is 15, and 15 is critical"),
        (BROKEN, {"worth": point("0.86")}, NOTHING, ""),
        (BROKEN, {"worth": point("0.4", lacks=("KFEE",))}, NOTHING, "drawdown_pct is 60"),
        (BROKEN, {}, NOTHING, ""),
        ("my own word", {"worth": point("0.4")}, NOTHING, ""),
        ("api_error: 10 calls", {}, TRIPPED, "circuit breaker is open"),
        ("api_error: 10 calls", {}, CauseFacts(breaker=Breaker()), ""),
        ("invariant_violation: positions", {}, TRIPPED, ""),
        (MARGIN, {}, using("920"), "margin_pct is 92, and 92 is critical"),
        (MARGIN, {}, using("919"), ""),
        (MARGIN, {}, CauseFacts(margin=Missing("down")), "cannot be told: down."),
        (MARGIN, {}, CauseFacts(), "cannot be told: not gathered."),
        ("liquidation_breach: x", {}, using("1250"), "liquidation_pct is 125, and 125 is"),
        ("liquidation_breach: x", {}, using("1", equity="0"), "liquidation_pct is 100000"),
        ("liquidation_breach: x", {}, using("500"), ""),
        (STALE, {}, skewed("300"), "clock_skew_s is 300, and 300 is critical"),
        (STALE, {}, skewed("299"), ""),
        (STALE, {}, CauseFacts(clock_skew_s=Missing("down")), "time cannot be told: down."),
        (STALE, {}, skewed("1", deaf_s=70), "the last that it heard is 70 s old: see `zoe health`"),
        ("my own word", {}, skewed("300", deaf_s=70), ""),
        ("reconciliation_failure: cash", {}, NOTHING, "were not found equal since"),
        ("reconciliation_failure: cash", {"reconciled_at": NOON}, NOTHING, ""),
    ],
)
def test_vector_10_what_stopped_trading_must_be_over_before_it_is_resumed(
    reason: str, changes: dict[str, Any], facts: CauseFacts, blocker: str
) -> None:
    """Each cause has its own line of the checklist; nothing lowers a level by itself."""
    plan = plan_resume(stopped_for(reason, **changes), "fixed", facts=facts)

    if not blocker:
        assert [type(each) for each in plan.steps] == [SetTradingState]
        return
    assert plan.is_empty
    assert any(blocker in note for note in plan.notes)
