"""What went wrong so far in a plan, and therefore must not be built upon."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from zoe_tools.core.risk import adds_risk
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.money import short
from zoe_tools.domain.plan import AmendOrder, CancelOrder, OutcomeState, PlaceOrder, VenueStep
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Trouble:
    """What went wrong so far in a plan, and therefore must not be built upon."""

    is_unknown: bool = False
    is_naked: bool = False
    symbols: set[Symbol] = field(default_factory=set)
    positions: set[PositionId] = field(default_factory=set)

    def note(self, step: VenueStep, state: OutcomeState) -> None:
        """Remember a step that was not done."""
        if state is OutcomeState.DONE:
            return
        if isinstance(step, CancelOrder) and step.purpose == "entry":
            # It may still buy, and is cancelled again: no reason to keep what is held from leaving.
            self.is_unknown = self.is_unknown or state is OutcomeState.UNKNOWN
            return
        if isinstance(step, PlaceOrder) and step.request.purpose == "stop":
            self.is_naked = True
        if step.position_id is not None:
            self.positions.add(step.position_id)
        if state is OutcomeState.UNKNOWN:
            self.is_unknown = True
            self.symbols.add(symbol_of(step))

    def forbids(self, step: VenueStep) -> str:
        """Why the step has to wait; empty when it may go. Cancels always may."""
        if isinstance(step, CancelOrder):
            return ""
        if self.is_unknown and adds_risk(step):
            return "an earlier step's outcome is unknown, so nothing may add risk"
        if self.is_naked and adds_risk(step):
            return "a position is left without its stop, so nothing may add risk"
        if symbol_of(step) in self.symbols:
            return f"an earlier step's outcome on {symbol_of(step)} is unknown"
        if step.position_id in self.positions:
            return "it depends on an earlier step that was not done"
        return ""


def tell_refusal(step: VenueStep, code: str, words: str) -> None:
    """What the venue refused, why in its own words, and what was asked."""
    event(
        _LOG,
        "ORDER_REJECTED_BY_VENUE",
        "warning",
        symbol=symbol_of(step),
        venue_error_code=code,
        venue_error_message=words,
        payload_summary=_summary(step),
    )


def _summary(step: VenueStep) -> str:
    match step:
        case PlaceOrder(request=asked):
            price = asked.limit_price or asked.trigger_price
            at = f" at {short(price)}" if price is not None else ""
            kind = f"{asked.purpose} {asked.order_type.value}"
            return f"{asked.side.value} {short(asked.quantity)} {asked.symbol}{at} ({kind})"
        case AmendOrder(amendment=change):
            price = change.limit_price or change.trigger_price
            to = f" to {short(price)}" if price is not None else ""
            return f"amend {step.purpose} {change.venue_order_id}{to}"
        case CancelOrder(venue_order_id=name):
            return f"cancel {step.purpose} {name}"


def symbol_of(step: VenueStep) -> Symbol:
    """The instrument a step is about."""
    match step:
        case PlaceOrder(request=request):
            return request.symbol
        case AmendOrder(amendment=change):
            return change.symbol
        case CancelOrder(symbol=symbol):
            return symbol
