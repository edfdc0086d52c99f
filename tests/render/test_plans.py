"""What the operator sees of a plan before and while it is carried out."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import get_args

import pytest

from builders import (
    BTC,
    ETH,
    NOON,
    PAPER,
    d,
    make_candle,
    make_catalogue,
    make_fill,
    make_order,
    make_position,
    make_stop_request,
    make_venue_order,
    place,
    plan_with,
)
from zoe_tools.core.risk import Refusal
from zoe_tools.core.take_profit import levels_for
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.discrepancy import Adjustment, DiscrepancyId, DiscrepancyState
from zoe_tools.domain.identifiers import GroupId, IntentId, PositionId, VenueOrderId
from zoe_tools.domain.intent_group import GroupEnd
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.order import OrderAmendment
from zoe_tools.domain.plan import (
    AdjustPosition,
    AdoptPosition,
    AmendOrder,
    CancelOrder,
    EndGroup,
    LinkStop,
    OrderStillOpen,
    OrderValues,
    OutcomeState,
    PositionStill,
    PostAdjustment,
    RebuildOrder,
    RecordFill,
    RecordOrder,
    ResolveIntent,
    SetTargets,
    SettleDiscrepancy,
    SetTradingState,
    Step,
    StepOutcome,
    WriteCandles,
)
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.rate_cost import PlanRateCost
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.gate.receipt import Receipt
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.render.printer import Printer
from zoe_tools.render.steps import describe

ORDER = VenueOrderId("OQCLML-BW3P3-BUCMWZ")
HELD = make_position(quantity=d("0.5"))
STEPS: list[tuple[Step, str, str]] = [
    (place(), "+", "place entry: buy 0.0004 BTC/USD limit 60000"),
    (
        AmendOrder(
            amendment=OrderAmendment(venue_order_id=ORDER, symbol=BTC, trigger_price=d("58000.0")),
            reason="r",
        ),
        "~",
        f"amend stop {ORDER} on BTC/USD to trigger 58000",
    ),
    (
        CancelOrder(venue_order_id=ORDER, symbol=BTC, reason="r"),
        "-",
        f"cancel entry {ORDER} on BTC/USD",
    ),
    (AdoptPosition(position=HELD, reason="r"), "+", "adopt 0.5 BTC/USD"),
    (
        SetTargets(
            position_id=HELD.position_id,
            symbol=BTC,
            levels=levels_for(HELD, make_catalogue().resolve(BTC), Policy(), at=NOON),
            reason="r",
        ),
        "~",
        "set 1 target of BTC/USD",
    ),
    (
        AdjustPosition(before=HELD, after=make_position(quantity=d("0.25")), reason="r"),
        "~",
        "adjust BTC/USD from 0.5 to 0.25 (open)",
    ),
    (
        LinkStop(position_id=PositionId("P1"), order=make_venue_order(), reason="r"),
        "~",
        "link stop",
    ),
    (RecordFill(fill=make_fill(), reason="r"), "+", "book fill"),
    (RecordOrder(order=make_venue_order(), reason="r"), "~", "record order"),
    (RebuildOrder(order=make_order(), reason="r"), "~", "rebuild order 11111111-2222"),
    (
        SettleDiscrepancy(
            discrepancy_id=DiscrepancyId("D-1"),
            state=DiscrepancyState.WAIVED,
            author="ada",
            reason="r",
            waived_until=NOON,
        ),
        "~",
        "D-1 is waived by ada until 2026-01-05 12:00 UTC",
    ),
    (
        PostAdjustment(
            adjustment=Adjustment(
                adjustment_id="A-1",
                asset="BTC",
                quantity=d("-0.5"),
                author="ada",
                reason="r",
                adjusted_at=NOON,
                position_id=PositionId("P1"),
            ),
            reason="r",
        ),
        "+",
        "post -0.5 BTC to P1 without a price, by ada",
    ),
    (
        ResolveIntent(
            intent_id=IntentId("I1"), state=IntentState.REJECTED, evidence="no trace", reason="r"
        ),
        "~",
        "close intent I1 as rejected: no trace",
    ),
    (
        EndGroup(group_id=GroupId("G1"), symbol=BTC, ending=GroupEnd.EXHAUSTED, reason="r"),
        "-",
        "end intent group G1 on BTC/USD: exhausted",
    ),
    (
        WriteCandles(
            symbol=BTC, timeframe=Timeframe.H1, candles=(make_candle(),), source="x", reason="r"
        ),
        "+",
        "write 1 1h candles of BTC/USD",
    ),
    (
        SetTradingState(level=KillLevel.REDUCE_ONLY, reason="r"),
        "~",
        "set trading to reduce-only",
    ),
    (SetTradingState(level=KillLevel.NONE, reason="r"), "~", "set trading to armed"),
]


def approver(
    *, as_json: bool = False, width: int = 80, closing: str = "DRY RUN: nothing was changed."
) -> tuple[PlanPrinter, io.StringIO]:
    """A plan printer and its stdout."""
    out = io.StringIO()
    printer = Printer(out=out, err=io.StringIO(), command="run", json=as_json, width=width)
    return PlanPrinter(printer, invitation="zoe x --execute", closing=closing), out


def test_every_kind_of_step_is_in_the_table_below() -> None:
    """A new kind without words would crash in an operator's face."""
    assert {type(step) for step, _, _ in STEPS} == set(get_args(Step))


@pytest.mark.parametrize(("step", "sign", "what"), STEPS)
def test_each_step_reads_as_in_a_diff(step: Step, sign: str, what: str) -> None:
    """A sign and words; the reason is the step's own."""
    text = describe(step)

    assert text.sign == sign
    assert text.what.startswith(what)
    assert text.why == step.reason


CHANGES: list[tuple[Step, tuple[str, ...]]] = [
    (
        AmendOrder(
            amendment=OrderAmendment(
                venue_order_id=ORDER, symbol=BTC, quantity=d("0.3"), trigger_price=d("41500.0")
            ),
            reason="r",
            before=OrderValues(quantity=d("0.5"), trigger_price=d("41000.0")),
        ),
        ("quantity 0.5 -> 0.3", "trigger 41000 -> 41500"),
    ),
    (
        CancelOrder(
            venue_order_id=ORDER,
            symbol=BTC,
            reason="r",
            before=OrderValues(quantity=d("0.5"), limit_price=d("41000")),
        ),
        ("0.5 limit 41000 -> gone",),
    ),
    (
        SetTradingState(level=KillLevel.REDUCE_ONLY, reason="r", before=KillLevel.NONE),
        ("armed -> reduce-only",),
    ),
    (
        SetTradingState(level=KillLevel.NONE, reason="r", before=KillLevel.FLATTEN),
        ("flatten -> armed",),
    ),
    (
        AdjustPosition(before=HELD, after=make_position(quantity=d("0.25")), reason="r"),
        ("quantity 0.5 -> 0.25",),
    ),
]


@pytest.mark.parametrize(("step", "changes"), CHANGES)
@pytest.mark.parametrize("width", [80, 120])
def test_a_change_shows_what_is_and_what_will_be(
    step: Step, changes: tuple[str, ...], width: int
) -> None:
    """Each on a line of its own, whole at both usual widths."""
    shown, out = approver(width=width)
    shown.show_plan(plan_with(step))

    assert describe(step).changes == changes
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert [each for each in changes if not any(line.startswith(each) for line in lines)] == []


@pytest.mark.parametrize("width", [80, 120])
def test_a_plan_shows_what_why_and_the_money_at_stake(width: int) -> None:
    """At both usual widths, whole."""
    shown, out = approver(width=width)
    stop = place(make_stop_request(quantity=d("0.5")), notional=d("29000"))
    shown.show_plan(plan_with(place(notional=d("24")), stop, notes=("BTC: 2 unmanaged",)))

    text = out.getvalue()
    assert text.startswith("PAPER kraken 0badcafe\n")
    assert "24" in text
    assert "29000" in text
    assert "2 steps, 2 of them at the venue; orders worth 29024." in text
    assert "note: BTC: 2 unmanaged" in text
    assert max(len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (
            PlanRateCost(rest=d("3"), engine=((BTC, d("1")),)),
            "cost 3 REST points, 1 engine point BTC/USD, no wait.",
        ),
        (
            PlanRateCost(rest=d("1"), engine=((BTC, d("0.5")), (ETH, d("8"))), wait_s=d("3.031")),
            (
                "cost 1 REST point, 0.5 engine points BTC/USD, 8 engine points ETH/USD, "
                "a wait of 3.1 s."
            ),
        ),
        (None, ""),
    ],
)
@pytest.mark.parametrize("width", [80, 120])
def test_a_plan_shows_in_a_line_what_it_takes_of_the_limits(
    width: int, cost: PlanRateCost | None, expected: str
) -> None:
    """Points and waiting, before anything is done; nothing where the venue counts nothing."""
    shown, out = approver(width=width)
    shown.show_plan(plan_with(place(), rate_cost=cost))

    _, _, below = out.getvalue().partition("1 of them at the venue.\n")
    assert " ".join(below.split()) == expected
    assert max(len(line) for line in out.getvalue().splitlines()) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_a_plan_shows_what_must_still_be_so(width: int) -> None:
    """By the number of its step; what has no condition is not named."""
    still = PositionStill(position_id=HELD.position_id, quantity=d("0.5"))
    rests = OrderStillOpen(venue_order_id=ORDER, remaining_quantity=d("0.3"))
    cancel = CancelOrder(venue_order_id=ORDER, symbol=BTC, reason="r", preconditions=(rests,))
    shown, out = approver(width=width)
    shown.show_plan(plan_with(place(), place(preconditions=(still,)), cancel))

    _, _, below = out.getvalue().partition("3 of them at the venue")
    assert " ".join(below.partition("only while")[2].split()) == (
        f"#2 the position holds 0.5; #3 {ORDER} is open with 0.3 to go."
    )
    assert max(len(line) for line in out.getvalue().splitlines()) <= width


def test_a_dry_run_ends_with_the_line_that_would_do_it() -> None:
    """And exits 3, because there is something to do."""
    shown, out = approver(closing="NOTHING HAS BEEN STOPPED")
    plan = plan_with(place())
    shown.show_plan(plan)
    code = shown.finish(Receipt(plan=plan))

    assert code == 3
    last = out.getvalue().splitlines()[-2:]
    assert last == ["NOTHING HAS BEEN STOPPED", "To carry it out: zoe x --execute"]


def test_the_line_repeats_the_options_that_name_the_account() -> None:
    """Quoted for a shell; without them it would act on another account."""
    again = ("--account", "live", "--config", "my home/zoe.toml")
    out = io.StringIO()
    shown = PlanPrinter(Printer(out=out, err=out, again=again), invitation="zoe x --execute")
    plan = plan_with(place())
    shown.finish(Receipt(plan=plan))

    line = "To carry it out: zoe --account live --config 'my home/zoe.toml' x --execute"
    assert out.getvalue().splitlines()[-1] == line


def test_an_empty_plan_says_so_and_invites_to_nothing() -> None:
    """Exit 0."""
    shown, out = approver()
    plan = plan_with()
    shown.show_plan(plan)

    assert shown.finish(Receipt(plan=plan)) == 0
    assert out.getvalue() == "PAPER kraken 0badcafe\nNothing to do.\n"


def test_a_store_that_failed_is_told_although_there_was_nothing_to_do() -> None:
    """Exit 7 without a word would leave an operator with an empty screen."""
    out = io.StringIO()
    shown = PlanPrinter(Printer(out=out, err=out), invitation="zoe x --execute")
    plan = plan_with()
    shown.show_plan(plan)

    trouble = "The store is locked."
    assert shown.finish(Receipt(plan=plan, is_executed=True, store_trouble=trouble)) == 7
    assert "Nothing to do.\nwarning: The store is locked: the books lack" in out.getvalue()


def test_outcomes_are_numbered_with_their_evidence() -> None:
    """One line per step; the exit code is the gate's."""
    shown, out = approver()
    plan = plan_with(place(), place())
    shown.show_plan(plan)
    outcomes = (
        StepOutcome(step=plan.steps[0], state=OutcomeState.DONE, evidence="open at the venue"),
        StepOutcome(step=plan.steps[1], state=OutcomeState.UNKNOWN, evidence="", code="TIMEOUT"),
    )
    for outcome in outcomes:
        shown.show_outcome(outcome)
    code = shown.finish(Receipt(plan=plan, outcomes=outcomes, is_executed=True))

    text = " ".join(out.getvalue().split())
    assert code == 6
    assert "[1/2] done place entry" in text
    assert "- open at the venue" in text
    assert "[2/2] unknown place entry" in text
    assert "(TIMEOUT)" in text
    assert "DRY RUN" not in text


def test_refusals_name_step_reason_and_code() -> None:
    """Counted from one, as the table counts."""
    shown, out = approver()
    plan = plan_with(place())
    refusal = Refusal(step_index=0, code="HALTED", message="Trading is at reduce-only.")
    code = shown.finish(Receipt(plan=plan, refusals=(refusal,)))

    assert code == 4
    assert "refused: step 1: Trading is at reduce-only. (HALTED)" in out.getvalue()


def test_the_steps_of_the_next_plan_are_counted_anew() -> None:
    """A kill carries out several: the second's first step was its second."""
    shown, out = approver()
    for _ in range(2):
        shown.show_plan(plan_with(place()))
        shown.show_outcome(StepOutcome(step=place(), state=OutcomeState.DONE, evidence=""))

    assert out.getvalue().count("[1/1] done") == 2


def test_json_carries_plan_outcomes_and_refusals() -> None:
    """One object, with the plan's hash."""
    shown, out = approver(as_json=True)
    plan = plan_with(place(), expires_at=NOON + timedelta(minutes=1))
    shown.show_plan(plan)
    shown.finish(Receipt(plan=plan))

    told = json.loads(out.getvalue())
    assert told["account"] == PAPER.account_id
    assert told["exit_code"] == 3
    assert told["result"]["plan_hash"] == plan.plan_hash
    assert told["result"]["plan"]["steps"][0]["kind"] == "PlaceOrder"
