"""DECISION_TRACE: what was decided on each instrument, from what, and why; in the log and as rows.

A hold that says the same as the last one is kept once in a while, not every time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from zoe_tools.core.strategy.protocol import Decision, MarketView
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.money import plain
from zoe_tools.domain.observation import Details
from zoe_tools.domain.plan import OutcomeState, PlaceOrder, Plan
from zoe_tools.gate.receipt import Receipt
from zoe_tools.observe.log import event
from zoe_tools.store.observations import HOLD
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

SAME_AGAIN = timedelta(seconds=300)
"""So long an instrument's hold for the same reason is not told again."""

FORGET_EVERY = timedelta(hours=1)
FORGOTTEN_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRules:
    """`is_logged`: into the log, too. Rows of holds older than `holds_kept` go; None: none does."""

    is_logged: bool = True
    holds_kept: timedelta | None = timedelta(days=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """One question and what came of it; `decision` None where there is none, `why` says why."""

    symbol: Symbol
    view: MarketView | None
    decision: Decision | None
    why: str = ""

    @property
    def action(self) -> str:
        """What is wanted; nothing is as good as to hold."""
        return HOLD if self.decision is None else self.decision.action

    @property
    def reason(self) -> str:
        """Why."""
        return self.why if self.decision is None else self.decision.reason


class DecisionTrace:
    """Tells decisions once; remembers the last hold of each instrument."""

    def __init__(self, rules: TraceRules) -> None:
        self._rules = rules
        self._held: dict[Symbol, tuple[str, datetime]] = {}
        self._forgot_at: datetime | None = None

    def note(self, traced: Sequence[Traced], now: datetime) -> tuple[Traced, ...]:
        """Write to the log what is new; returns it, for the rows."""
        new = tuple(each for each in traced if self._is_new(each, now))
        if self._rules.is_logged:
            for each in new:
                event(_LOG, "DECISION_TRACE", "info", **_fields(each))
        return new

    def tell_entries(
        self, decisions: Sequence[Decision], plan: Plan, receipt: Receipt | None = None
    ) -> None:
        """Write to the log what became of wishes to enter."""
        if self._rules.is_logged:
            for each in decisions:
                event(_LOG, "DECISION_TRACE", "info", **entry_fields(each, plan, receipt))

    def write(self, transaction: Transaction, traced: Sequence[Traced], now: datetime) -> None:
        """A row each; and now and then, what was held long ago goes."""
        for each in traced:
            transaction.record_decision(now, each.symbol, each.action, _details(each))
        kept = self._rules.holds_kept
        if kept is not None and (self._forgot_at is None or now - self._forgot_at >= FORGET_EVERY):
            transaction.forget_holds(now - kept, FORGOTTEN_AT_ONCE)
            self._forgot_at = now

    def _is_new(self, traced: Traced, now: datetime) -> bool:
        if traced.action != HOLD:
            self._held.pop(traced.symbol, None)
            return True
        reason, at = self._held.get(traced.symbol, ("", now))
        if reason == traced.reason and abs(now - at) < SAME_AGAIN:
            return False
        self._held[traced.symbol] = traced.reason, now
        return True


def entry_fields(
    decision: Decision, plan: Plan, receipt: Receipt | None = None
) -> dict[str, object]:
    """What became of a wish to enter: an order, or why there is none."""
    index, step = next(
        (
            (index, step)
            for index, step in enumerate(plan.steps)
            if isinstance(step, PlaceOrder)
            and step.request.purpose == "entry"
            and step.request.symbol == decision.symbol
        ),
        (-1, None),
    )
    placed, why = False, ""
    if step is None:
        own = (note for note in plan.notes if note.startswith(f"{decision.symbol}: "))
        why = next(own, "nothing was planned").removeprefix(f"{decision.symbol}: ")
    elif receipt is not None:
        found = next((each for each in receipt.outcomes if each.step == step), None)
        refused = next((each for each in receipt.refusals if each.step_index == index), None)
        placed = found is not None and found.state is OutcomeState.DONE
        if found is not None and not placed:
            why = f"{found.state.value}: {found.evidence}"
        elif refused is not None:
            why = f"{refused.code}: {refused.message}"
        elif not placed:
            why = "it was withheld"
    return {
        "symbol": decision.symbol,
        "signal": decision.action,
        "reason": decision.reason,
        "status": "ordered" if placed else "not ordered",
        "order_placed": placed,
        **({"order_fail_reason": why} if why else {}),
    }


def _fields(traced: Traced) -> dict[str, object]:
    """For the log: every feature with its time, its source and its quality."""
    fields: dict[str, object] = {
        "symbol": traced.symbol,
        "signal": traced.action,
        "reason": traced.reason,
        "status": "skipped" if traced.decision is None else "decided",
    }
    if traced.view is not None:
        fields["spot_price"] = traced.view.quote.mid
        fields["candle_count"] = len(traced.view.candles)
        fields["has_position"] = traced.view.position is not None
    if traced.decision is not None:
        fields["strength"] = traced.decision.strength
        fields["notional"] = traced.decision.notional
        fields["urgency"] = traced.decision.urgency
        fields |= {name: value for name, value in traced.decision.features if name not in fields}
        fields["features"] = {
            each.name: {
                "value": each.value,
                "as_of": None if each.as_of is None else each.as_of.isoformat(),
                "source": each.source,
                "quality": each.quality,
                **({"note": each.note} if each.note else {}),
            }
            for each in traced.decision.seen
        }
    return fields


def _details(traced: Traced) -> Details:
    """For the row: the same in a line each."""
    details: dict[str, str | int] = {"reason": traced.reason}
    if traced.view is not None:
        details["spot_price"] = plain(traced.view.quote.mid)
        details["candle_count"] = len(traced.view.candles)
    decision = traced.decision
    if decision is None:
        return {"skipped": 1, **details}
    details |= {each.name: each.told for each in decision.seen}
    details |= dict(decision.features)
    if decision.action == "enter":
        details["strength"] = plain(decision.strength)
        details["notional"] = "" if decision.notional is None else plain(decision.notional)
    return details
