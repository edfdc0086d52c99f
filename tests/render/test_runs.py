"""What an operator reads while the loop runs, and when it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest

from builders import (
    NOON,
    d,
    make_fill,
    make_position,
    make_request,
    make_stop_request,
    place,
    plan_with,
)
from zoe_tools.core.left_behind import LeftBehind
from zoe_tools.core.protection_times import ProtectionTimes
from zoe_tools.core.run_report import LoopTally, RunResult, summarise
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.domain.plan import OutcomeState, Step, StepOutcome
from zoe_tools.domain.position import PositionStatus
from zoe_tools.domain.stream import ChecksumTally
from zoe_tools.render.printer import Printer
from zoe_tools.render.runs import RunPrinter, show_result


def printed(width: int = 120, *, json: bool = False) -> tuple[Printer, StringIO]:
    """A printer and what it wrote."""
    out = StringIO()
    return Printer(out=out, err=out, command="run", json=json, width=width), out


def outcome(step: Step, state: OutcomeState = OutcomeState.DONE, evidence: str = "") -> StepOutcome:
    """How a step went."""
    return StepOutcome(step=step, state=state, evidence=evidence)


def result(**changes: object) -> RunResult:
    """An hour with two round trips."""
    tally = LoopTally(
        started_at=NOON,
        ended_at=NOON + timedelta(hours=1),
        cycles=70,
        candles=60,
        prints=400,
        would_be_orders=0,
        unprotected_seconds=3.5,
        unprotected_by_cause={"leaving": 0.0, "opening": 3.5},
        positions_with_stop=2,
        checksums=ChecksumTally(verified=9, failed=0),
        fill_to_protected=ProtectionTimes().with_one(7).with_one(42),
    )
    made = summarise(strategy="demo", tally=tally, orders=(), fills=(), positions=(), marks={})
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_account_is_named_once_and_each_step_has_a_line() -> None:
    """When (UTC), how it went, what, and why; the type of a limit order is said once."""
    printer, out = printed()
    narrator = RunPrinter(printer)
    for step in (place(), place(make_stop_request())):
        narrator.show_plan(plan_with(step))
        narrator.show_outcome(outcome(step))

    done = "2026-01-05 12:00:00Z  done     place"
    assert out.getvalue().splitlines() == [
        "PAPER kraken 0badcafe",
        f"{done} entry: buy 0.0004 BTC/USD limit 60000 - because",
        f"{done} stop: sell 0.0004 BTC/USD stop-loss trigger 58800 - because",
    ]


def test_a_market_order_has_no_price() -> None:
    """Only its type."""
    printer, out = printed()
    step = place(make_request(order_type=OrderType.MARKET, limit_price=None, purpose="exit"))
    RunPrinter(printer).show_outcome(outcome(step))

    assert "place exit: buy 0.0004 BTC/USD market - because" in out.getvalue()


@pytest.mark.parametrize("state", [each for each in OutcomeState if each is not OutcomeState.DONE])
def test_what_was_not_done_says_why(state: OutcomeState) -> None:
    """The evidence follows the reason."""
    printer, out = printed()
    RunPrinter(printer).show_outcome(outcome(place(), state, "Insufficient funds"))

    assert f" {state.value} " in out.getvalue()
    assert out.getvalue().endswith("because - Insufficient funds\n")


def test_fills_and_results_are_told_with_their_currency() -> None:
    """In money of the quote."""
    printer, out = printed()
    narrator = RunPrinter(printer)
    narrator.show_fill(make_fill(side=Side.SELL, quantity=d("0.5"), price=d("110")))
    narrator.show_closed(
        make_position(
            status=PositionStatus.CLOSED,
            closed_at=NOON,
            realised_pnl=d("-0.25701"),
            fees=d("0.199614"),
        )
    )

    assert out.getvalue().splitlines() == [
        "2026-01-05 12:00:00Z  filled   sold 0.5 BTC/USD at 110, fee 0.26 USD",
        "2026-01-05 12:00:00Z  closed   BTC/USD: -0.2570 USD, net of 0.1996 USD fees",
    ]


def test_a_wish_that_came_to_nothing_is_explained() -> None:
    """Not an order, but a line; what is said of other things has a word of its own."""
    printer, out = printed()
    narrator = RunPrinter(printer)
    narrator.show_withheld(NOON, "ETH/USD: no fresh quote")
    narrator.show_note(NOON, "The store is back.")

    assert out.getvalue().splitlines() == [
        "2026-01-05 12:00:00Z  no entry ETH/USD: no fresh quote",
        "2026-01-05 12:00:00Z  note     The store is back.",
    ]


def test_long_lines_continue_under_their_beginning() -> None:
    """At 80 columns nothing is cut and nothing runs over."""
    printer, out = printed(80)
    step = place(make_request(), preconditions=())
    RunPrinter(printer).show_outcome(outcome(step, OutcomeState.REJECTED, "so " * 40))
    lines = out.getvalue().splitlines()

    assert len(lines) > 2
    assert max(map(len, lines)) <= 80


def test_the_report_groups_and_names_its_units() -> None:
    """Course, orders, money, protection."""
    printer, out = printed()
    told = result(
        orders=4,
        orders_by_status={"canceled": 1, "filled": 3},
        fills=3,
        round_trips=2,
        wins=1,
        fees=d("0.39915"),
        realised_pnl=d("-0.51106"),
    )
    show_result(printer, told, 0)

    assert (
        out.getvalue()
        == """
Report
  strategy        demo
  from            2026-01-05 12:00:00Z
  to              2026-01-05 13:00:00Z, after 3600 s of venue time
  market          400 prints, 60 candles, 70 cycles
  book checksums  9 verified, 0 failed

  orders          4 (1 canceled, 3 filled)
  fills           3

  round trips     2, of them 1 won
  fees            0.3992 USD
  realised        -0.5111 USD, net of fees
  unrealised      0.0000 USD
  open positions  0

  stops           2 positions had a stop at the venue
  protected       2 fills, half of them within 10 ms, 99 % within 42 ms, the slowest 42 ms
  unprotected     3.5 s (opening 3.5 s)

0 discrepancies (counted by a separate auditor from the venue's own records)
"""
    )


def test_without_an_auditor_no_discrepancies_are_claimed() -> None:
    """Live runs are not audited here."""
    printer, out = printed()
    show_result(printer, result(), None)

    assert "discrepancies" not in out.getvalue()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"is_estimated": True}, "0.0000 USD (estimated: a price is missing)"),
        ({"would_be_orders": 3}, "would-be orders  3, not sent"),
        ({"unprotected_by_cause": {}, "unprotected_seconds": d("0.000")}, "unprotected     0 s\n"),
    ],
)
def test_what_is_unusual_is_said(changes: dict[str, object], told: str) -> None:
    """And only then."""
    printer, out = printed()
    show_result(printer, result(**changes), 1)

    assert told in out.getvalue()


def test_with_json_nothing_is_written_before_the_answer() -> None:
    """One object on stdout."""
    printer, out = printed(json=True)
    narrator = RunPrinter(printer)
    narrator.show_plan(plan_with(place()))
    narrator.show_outcome(outcome(place()))
    narrator.show_fill(make_fill())
    narrator.show_note(NOON, "no")
    show_result(printer, result(), 0)

    assert out.getvalue() == ""


def test_what_the_loop_may_do_is_told_with_every_reason() -> None:
    """A line a reason; one line when entries are allowed."""
    printer, out = printed()
    narrator = RunPrinter(printer)
    narrator.show_standing(NOON, ("a fill is missing", "the clock is wrong"))
    narrator.show_standing(NOON, ())

    assert out.getvalue().splitlines() == [
        "2026-01-05 12:00:00Z  protect  a fill is missing",
        "2026-01-05 12:00:00Z  protect  the clock is wrong",
        "2026-01-05 12:00:00Z  ready    entries are allowed from now on",
    ]


def test_a_lost_wire_is_a_line() -> None:
    """And its return another."""
    printer, out = printed()
    narrator = RunPrinter(printer)
    narrator.show_wire(NOON, "private", is_up=False)
    narrator.show_wire(NOON, "private", is_up=True)

    assert [line.split("  ")[1] for line in out.getvalue().splitlines()] == ["wire", "wire"]


def test_how_far_a_loop_has_come_is_a_line_and_what_is_soon_over_is_none() -> None:
    """Whoever starts one must see that it runs, and whether it trades."""
    printer, out = printed()
    narrator = RunPrinter(printer)
    narrator.show_phase(NOON, "INITIALIZING", "")
    for phase in ("SYNCING", "RECONCILING"):
        narrator.show_phase(NOON, phase, "")
    narrator.show_phase(NOON, "READY", "")
    narrator.show_phase(NOON, "READY", "trading is stopped")
    narrator.show_phase(NOON, "FAILED", "Books and venue cannot be compared.")
    narrator.show_phase(NOON, "STOPPING", "")

    lines = " ".join(out.getvalue().split()).split("2026-01-05 12:00:00Z ")[1:]
    assert [line.strip() for line in lines] == [
        "start this loop has the account; its books and the venue's are read first",
        "ready books and venue were compared; the loop trades from now on",
        "ready books and venue were compared; trading is stopped, and nothing is entered",
        (
            "failed Books and venue cannot be compared; what is held is protected, nothing is"
            " entered"
        ),
        "stop entries are cancelled; stops stay at the venue",
    ]


def test_what_a_stop_left_undone_is_a_row_of_the_report() -> None:
    """Between what was ordered and what came of it; a stop that is done has no such row."""
    left = LeftBehind(orders=("entry buy 1 BTC/USD is open (O1)",), bare=("1 ETH/USD has NO STOP",))
    printer, out = printed()
    show_result(printer, result(left=left), 0)
    told = " ".join(out.getvalue().split())

    assert "left undone entry buy 1 BTC/USD is open (O1); 1 ETH/USD has NO STOP" in told
    printer, out = printed()
    show_result(printer, result(), 0)
    assert "left undone" not in out.getvalue()
