"""Answers to cancels over the private wire: one for each order, in any order, or fewer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from feed_rig import Rig, run
from stream_server import Answer, StreamServer

from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import OrderName
from zoe_tools.errors import OutcomeUnknown, VenueRejected, VenueUnavailable
from zoe_tools.kraken.order_answers import CancelResult
from zoe_tools.kraken.order_socket import QUIET_S, OrderSocket

O1, O2 = (OrderName(venue_order_id=VenueOrderId(name)) for name in ("O1", "O2"))
OURS = OrderName(client_order_id=ClientOrderId("ours"))
SHARED = OrderName(userref=7)
ALL = (O1, O2, OURS)
YES_1: dict[str, Any] = {"success": True, "result": {"order_id": "O1"}}
YES_2: dict[str, Any] = {"success": True, "result": {"order_id": "O2"}}
YES_OURS: dict[str, Any] = {"success": True, "result": {"cl_ord_id": "ours"}}
GONE: dict[str, Any] = {"success": False, "error": "EOrder:Invalid order"}
BUSY: dict[str, Any] = {"success": False, "error": "EService:Busy"}
DENIED: dict[str, Any] = {"success": False, "error": "EGeneral:Permission denied"}
CUT = "the wire is cut"


def answering(*answers: dict[str, Any] | str) -> Answer:
    """Answer a cancel with these frames, one after another."""

    async def reply(server: StreamServer, request: dict[str, Any]) -> bool:
        if request["method"] not in ("cancel_order", "batch_cancel"):
            return False
        for answer in answers:
            if isinstance(answer, str):
                await server.ends[-1].close(1006, "")
                return True
            frame = {"method": request["method"], "req_id": request["req_id"], **answer}
            await server.send(frame)
            await asyncio.sleep(QUIET_S / 2)
        return True

    return reply


def orders_of(rig: Rig) -> OrderSocket:
    """The rig's order socket."""
    assert rig.feed.orders is not None
    return rig.feed.orders


def cancelled(*answers: dict[str, Any] | str) -> tuple[CancelResult, ...]:
    """What became of all three orders, at a venue that answers so."""
    told: list[CancelResult] = []

    async def script(rig: Rig) -> None:
        told.extend(await orders_of(rig).cancel_each(ALL))

    run(script, private=True, answers=(answering(*answers),))
    return tuple(told)


UNKNOWN = "OutcomeUnknown"
NO = "VenueRejected EOrder:Invalid order"
TOLD: list[tuple[str, tuple[dict[str, Any] | str, ...], tuple[str, str, str]]] = [
    ("all", (YES_1, YES_2, YES_OURS), ("", "", "")),
    ("in another order", (YES_OURS, YES_1, YES_2), ("", "", "")),
    ("one is gone", (YES_1, GONE, YES_OURS), ("", NO, "")),
    ("two are gone", (GONE, YES_2, GONE), (NO, "", NO)),
    ("all are gone", (GONE, GONE, GONE), (NO, NO, NO)),
    ("one perhaps", (YES_1, BUSY, YES_OURS), ("", UNKNOWN, "")),
    ("one of two perhaps", (GONE, BUSY, YES_OURS), (UNKNOWN, UNKNOWN, "")),
    ("one is not told of", (YES_1, YES_2), ("", "", UNKNOWN)),
    ("a no too few", (YES_1, GONE), ("", UNKNOWN, UNKNOWN)),
    ("one is gone and the rest is silence", (GONE,), (UNKNOWN, UNKNOWN, UNKNOWN)),
    ("one is gone and then the wire", (GONE, CUT), (UNKNOWN, UNKNOWN, UNKNOWN)),
    ("cut off", (YES_1, CUT), ("", UNKNOWN, UNKNOWN)),
    ("one told twice", (YES_1, YES_1, YES_1), ("", UNKNOWN, UNKNOWN)),
    ("another's", ({**YES_1, "result": {"order_id": "O9"}}, YES_1, YES_2), ("", "", UNKNOWN)),
]


@pytest.mark.parametrize(("name", "answers", "errors"), TOLD, ids=[row[0] for row in TOLD])
def test_a_yes_is_for_the_order_it_names_and_a_no_for_those_without_a_yes(
    name: str, answers: tuple[dict[str, Any] | str, ...], errors: tuple[str, str, str]
) -> None:
    """A no names nobody: it counts only if there are as many as orders are left."""
    results = cancelled(*answers)
    told = tuple(
        f"{type(each.error).__name__} {getattr(each.error, 'code', '')}" if each.error else ""
        for each in results
    )

    assert [each.name for each in results] == list(ALL), name
    assert [each.count for each in results] == [0 if error else 1 for error in errors]
    assert all(
        one.startswith(other) and bool(one) == bool(other)
        for one, other in zip(told, errors, strict=True)
    ), told


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (DENIED, VenueRejected),
        (BUSY, OutcomeUnknown),
        (CUT, OutcomeUnknown),
        ({**YES_1, "method": "add_order"}, OutcomeUnknown),
        ({"success": True, "result": {"order_id": 7}}, OutcomeUnknown),
    ],
)
def test_one_answer_that_is_no_yes_is_for_the_request_as_a_whole(
    answer: dict[str, Any] | str, error: type[Exception]
) -> None:
    """Nothing of it was done, or nobody knows."""
    with pytest.raises(error) as raised:
        cancelled(answer)

    assert type(raised.value) is error


SHARES: list[tuple[tuple[dict[str, Any] | str, ...], int | type[Exception]]] = [
    ((YES_1,), 1),
    ((YES_1, YES_2), 2),
    ((YES_1, YES_2, CUT), 2),
    ((YES_1, GONE), 1),
    ((GONE,), VenueRejected),
    ((YES_1, BUSY), OutcomeUnknown),
    ((CUT,), OutcomeUnknown),
]


@pytest.mark.parametrize(("answers", "expected"), SHARES)
def test_a_reference_counts_what_is_told_before_it_is_quiet(
    answers: tuple[dict[str, Any] | str, ...], expected: int | type[Exception]
) -> None:
    """How many orders share it the venue alone knows."""
    told: list[int] = []

    async def script(rig: Rig) -> None:
        told.append(await orders_of(rig).cancel(SHARED))

    if isinstance(expected, int):
        run(script, private=True, answers=(answering(*answers),))
        assert told == [expected]
    else:
        with pytest.raises(expected):
            run(script, private=True, answers=(answering(*answers),))


def test_several_are_named_in_lists_of_their_kind() -> None:
    """Ids by ids, ours by ours; a batch of them writes references among the ids, as texts."""

    async def script(rig: Rig) -> None:
        orders = orders_of(rig)
        await orders.cancel_each(ALL)
        await orders.cancel_batch((O1, SHARED, OURS))
        await orders.cancel(SHARED)
        with pytest.raises(VenueUnavailable, match="no batch of one"):
            await orders.cancel_batch((O1,))

    batch = {"success": True, "result": {"count": 3, "order_id": "O1"}}
    rig = run(script, private=True, answers=(answering(batch, YES_2, YES_OURS),))
    said = [
        {name: value for name, value in each["params"].items() if name != "token"}
        for each in rig.private.requests
        if "cancel" in each["method"]
    ]

    assert said == [
        {"order_id": ["O1", "O2"], "cl_ord_id": ["ours"]},
        {"orders": ["O1", "7"], "cl_ord_id": ["ours"]},
        {"order_userref": [7]},
    ]


def test_a_batch_none_of_which_is_open_cancelled_nothing() -> None:
    """As REST says it: a count of none, and no error."""
    told: list[int] = []

    async def script(rig: Rig) -> None:
        told.append(await orders_of(rig).cancel_batch(ALL))

    run(script, private=True, answers=(answering(GONE),))
    with pytest.raises(VenueRejected, match="Permission denied"):
        run(script, private=True, answers=(answering(DENIED),))

    assert told == [0]


def test_without_a_wire_no_cancel_is_sent() -> None:
    """A definite nothing: the caller may go another way."""

    async def script(rig: Rig) -> None:
        rig.private.is_reachable = False
        await rig.private.ends[-1].close(1001, "going away")
        await asyncio.sleep(1)
        for act in (orders_of(rig).cancel_each(ALL), orders_of(rig).cancel(SHARED)):
            with pytest.raises(VenueUnavailable):
                await act

    run(script, private=True)
