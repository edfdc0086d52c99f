"""Live consent: a live account changes nothing at the venue until somebody said yes."""

from __future__ import annotations

from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder, Plan, Step
from zoe_tools.errors import ConsentMissing

CONSENT_LINE = "export I_UNDERSTAND_LIVE=1"


def is_venue_step(step: Step) -> bool:
    """Whether the step changes something at the venue."""
    return isinstance(step, PlaceOrder | AmendOrder | CancelOrder)


def needs_consent(plan: Plan) -> bool:
    """Whether the plan changes something at a live venue, beyond what `kill` may always do.

    `kill` cancels entries and exits without asking. Cancelling a protective stop and selling are
    flattening, and flattening asks.
    """
    if plan.account.mode != "live":
        return False
    steps = [step for step in plan.steps if is_venue_step(step)]
    if plan.command == "kill":
        return any(not isinstance(step, CancelOrder) or step.purpose == "stop" for step in steps)
    return bool(steps)


def demand_consent(plan: Plan, *, live_consent: bool) -> None:
    """Pass, or say what is missing.

    Raises:
        ConsentMissing: the plan needs consent and there is none.
    """
    if live_consent or not needs_consent(plan):
        return
    account = plan.account
    raise ConsentMissing(
        f"{account.title}: `zoe {plan.command} --execute` would change orders at {account.venue}"
        f" on the live account {account.fingerprint}, and nobody has consented.",
        hint=f"If you mean it: {CONSENT_LINE}",
    )
