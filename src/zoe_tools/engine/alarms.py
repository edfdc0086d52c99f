"""What of a turn's plan somebody should be told at once."""

from __future__ import annotations

import logging

from zoe_tools.core.run import is_alarming, is_escalated
from zoe_tools.domain.plan import PlaceOrder, Plan
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)


def tell_alarms(plan: Plan) -> None:
    """What is sold because no stop holds it, and what no limit order could sell."""
    for step in plan.steps:
        if isinstance(step, PlaceOrder) and is_alarming(step):
            _LOG.error("INVARIANT_VIOLATION %s: %s", step.request.symbol, step.reason)
        if isinstance(step, PlaceOrder) and is_escalated(step) and step.ticket is not None:
            event(
                _LOG,
                "EXIT_ESCALATED",
                "error",
                symbol=step.request.symbol,
                position_id=step.position_id,
                quantity=step.request.quantity,
                attempts=step.ticket.attempt,
            )
