"""Sends one step, once, and says what the answer was worth. It does not judge what is true."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zoe_tools.core.risk import adds_risk
from zoe_tools.core.self_trade import as_sent
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder, VenueStep
from zoe_tools.errors import (
    OutcomeUnknown,
    StoreError,
    VenueMisbehaved,
    VenueRejected,
    VenueThrottled,
    VenueUnavailable,
)
from zoe_tools.gate.journal import Entry
from zoe_tools.gate.keeper import Keeper
from zoe_tools.gate.preconditions import HALTED, why_halted
from zoe_tools.ports import Still, Venue


class Answer(StrEnum):
    """What the venue's answer was worth."""

    YES = "yes"
    NO = "no"
    NOT_SENT = "not sent"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one write."""

    answer: Answer
    words: str
    code: str = ""
    venue_order_id: VenueOrderId | None = None
    is_passing: bool = False
    """A no whose cause passes."""
    is_seen: bool = False
    """No answer, but what the venue told of the order by another way."""
    is_late: bool = False
    """The venue says that it came after its deadline: nothing of it is on its way."""


async def send(venue: Venue, step: VenueStep, entry: Entry, keeper: Keeper | None = None) -> Reply:
    """Send it. Every failure becomes a reply; nothing is sent twice.

    What adds risk is not sent after a wait, if by the `keeper` trading was stopped meanwhile; who
    only reduces has none.
    """
    halted: list[str] = []

    async def still() -> str:
        halted[:] = ["" if keeper is None else await _why_not(keeper, step)]
        return halted[0]

    try:
        return await _send(venue, step, entry, still)
    except VenueRejected as error:
        if isinstance(step, AmendOrder) and error.is_as_asked:
            name = step.amendment.venue_order_id
            return Reply(answer=Answer.YES, words=error.message, venue_order_id=name)
        return Reply(
            answer=Answer.NO, words=error.message, code=error.code, is_passing=error.is_passing
        )
    except VenueThrottled as error:
        code = error.code or "THROTTLED"
        return Reply(answer=Answer.NO, words=error.message, code=code, is_passing=True)
    except VenueUnavailable as error:
        code = HALTED if any(halted) else "UNREACHABLE"
        return Reply(answer=Answer.NOT_SENT, words=error.message, code=code)
    except OutcomeUnknown as error:
        return Reply(
            answer=Answer.LOST, words=error.message, code=error.code, is_late=error.is_late
        )
    except VenueMisbehaved as error:
        return Reply(answer=Answer.LOST, words=error.message, code="UNREADABLE")


async def _why_not(keeper: Keeper, step: VenueStep) -> str:
    """Why it may not go any more; where nobody can say, it may not."""
    try:
        return await keeper.run(lambda tx: why_halted(tx, step))
    except StoreError as error:
        return error.message.rstrip(".")


async def _send(venue: Venue, step: VenueStep, entry: Entry, still: Still) -> Reply:
    intent = entry.intent
    match as_sent(step):
        case PlaceOrder(request=request):
            if intent.client_order_id is None:
                raise AssertionError("a place intent has a client order id")
            venue_order_id = await venue.place(
                request,
                client_order_id=intent.client_order_id,
                deadline=intent.deadline,
                still=still if adds_risk(step) else None,
            )
            words = f"accepted as {venue_order_id}"
            return Reply(answer=Answer.YES, words=words, venue_order_id=venue_order_id)
        case AmendOrder(amendment=change):
            amend_id = await venue.amend(change, deadline=intent.deadline)
            return Reply(
                answer=Answer.YES,
                words=f"amended as {amend_id}",
                venue_order_id=change.venue_order_id,
            )
        case CancelOrder(venue_order_id=venue_order_id):
            count = await venue.cancel(venue_order_id)
            return Reply(
                answer=Answer.YES, words=f"{count} cancelled", venue_order_id=venue_order_id
            )
