"""Which order goes where two of our own would trade with each other: never the one that ends risk.

By itself the venue cancels the newer one. That would be the stop that fires into our own resting
entry, and the position stood without any.
"""

from __future__ import annotations

from dataclasses import replace

from zoe_tools.domain.order import OrderTerms, SelfTrade
from zoe_tools.domain.plan import PlaceOrder, VenueStep


def as_sent(step: VenueStep) -> VenueStep:
    """The step as the venue is told it: what reduces risk has the older order cancelled.

    What the step itself says of that stays.
    """
    if not isinstance(step, PlaceOrder) or not step.request.reduces_risk:
        return step
    terms = step.request.terms or OrderTerms()
    if terms.self_trade is not None:
        return step
    terms = replace(terms, self_trade=SelfTrade.CANCEL_OLDEST)
    return replace(step, request=replace(step.request, terms=terms))
