"""Orders over the private wire: exact on the way out, and never "failed" when it is not known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from feed_rig import START, Rig, run
from stream_server import Answer, StreamServer

from builders import BTC, d, make_instrument, make_request, make_stop_request
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import OrderAmendment, OrderRequest, OrderType
from zoe_tools.errors import OutcomeUnknown, VenueRejected, VenueThrottled, VenueUnavailable
from zoe_tools.kraken.order_socket import REPLY_TIMEOUT_S, OrderSocket
from zoe_tools.ports import FrameDuplex
from zoe_tools.runtime.virtual_loop import run_virtual

DEADLINE = START + timedelta(seconds=5)
INSTRUMENT = make_instrument()
O1 = VenueOrderId("O1")


def answering(**answer: Any) -> Answer:
    """Answer order methods like this."""

    async def reply(server: StreamServer, request: dict[str, Any]) -> bool:
        if not request["method"].endswith("_order"):
            return False
        frame = {"method": request["method"], "req_id": request["req_id"], **answer}
        await server.send(frame)
        return True

    return reply


PLACED = answering(success=True, result={"order_id": "O1", "warnings": ["something is deprecated"]})


def socket_of(rig: Rig) -> OrderSocket:
    """The rig's order socket."""
    assert rig.feed.orders is not None
    return rig.feed.orders


async def place(rig: Rig, request: OrderRequest | None = None) -> VenueOrderId:
    """Place the usual limit entry over the wire, or another order."""
    return await socket_of(rig).place(
        request or make_request(), ClientOrderId("ours"), DEADLINE, INSTRUMENT
    )


def placing(*answers: Answer, request: OrderRequest | None = None) -> Rig:
    """Place one order at a venue that answers so."""

    async def script(rig: Rig) -> None:
        await place(rig, request)

    return run(script, private=True, answers=answers)


# --- what is said --------------------------------------------------------------------------------


def test_an_order_is_placed_and_named() -> None:
    """With our id, a deadline, the connection's token, and fees in quote."""
    placed: list[VenueOrderId] = []

    async def script(rig: Rig) -> None:
        placed.append(await place(rig))

    rig = run(script, private=True, answers=(PLACED,))
    params = rig.private.requests[-1]["params"]

    assert placed == ["O1"]
    assert {key: params[key] for key in ("cl_ord_id", "token", "deadline", "fee_preference")} == {
        "cl_ord_id": "ours",
        "token": "token-1",
        "deadline": "2026-01-05T12:00:05.000000Z",
        "fee_preference": "quote",
    }


EXACT: list[tuple[str, OrderRequest, str]] = [
    ("the smallest quantity", make_request(quantity=d("1E-8")), '"order_qty":0.00000001,'),
    (
        "more digits than a float",
        make_request(quantity=d("90071992.54740993")),
        "90071992.54740993,",
    ),
    ("a round price", make_request(limit_price=d("6E+4")), '"limit_price":60000.0'),
    (
        "a stop",
        make_stop_request(),
        '"triggers":{"reference":"last","price":58800.0,"price_type":"static"}',
    ),
]


@pytest.mark.parametrize(("name", "request_", "text"), EXACT, ids=[row[0] for row in EXACT])
def test_numbers_are_bare_and_exact_in_the_very_bytes(
    name: str, request_: OrderRequest, text: str
) -> None:
    """Strings would be refused, a float would lose digits, an exponent is nobody's price."""
    assert text in placing(PLACED, request=request_).private.texts[-1], name


@pytest.mark.parametrize(
    "request_",
    [
        make_request(limit_price=d("60000.05")),
        make_request(quantity=d("0.000000001")),
        make_request(limit_price=None),
        make_request(order_type=OrderType.TRAILING_STOP),
    ],
)
def test_what_does_not_fit_is_refused_and_never_rounded(request_: OrderRequest) -> None:
    """A definite no, before a byte leaves."""
    told: list[str] = []

    async def script(rig: Rig) -> None:
        with pytest.raises(VenueRejected):
            await place(rig, request_)
        told.extend(rig.private.methods())

    run(script, private=True, answers=(PLACED,))
    assert "add_order" not in told


def test_a_deadline_that_is_past_or_too_far_is_not_sent_as_it_is() -> None:
    """The venue takes 500 ms to 60 s; the journal's deadline is never put back."""

    async def script(rig: Rig) -> None:
        await socket_of(rig).place(
            make_request(), ClientOrderId("ours"), START + timedelta(hours=1), INSTRUMENT
        )
        with pytest.raises(VenueUnavailable, match="too near or past"):
            await socket_of(rig).place(make_request(), ClientOrderId("ours"), START, INSTRUMENT)

    rig = run(script, private=True, answers=(PLACED,))

    assert rig.private.requests[-1]["params"]["deadline"] == "2026-01-05T12:00:58.100000Z"


def test_amend_and_cancel_name_the_order_and_say_only_what_changes() -> None:
    """An amend keeps what it does not say; a cancel names one order."""
    amendment = OrderAmendment(venue_order_id=O1, symbol=BTC, trigger_price=d("58000"))

    async def script(rig: Rig) -> None:
        assert await socket_of(rig).amend(amendment, DEADLINE, INSTRUMENT) == "T1"
        assert await socket_of(rig).cancel(O1) == 1
        nothing_new = OrderAmendment(venue_order_id=O1, symbol=BTC)
        with pytest.raises(VenueRejected, match="changes nothing"):
            await socket_of(rig).amend(nothing_new, DEADLINE, INSTRUMENT)

    answer = answering(success=True, result={"amend_id": "T1", "order_id": "O1"})
    rig = run(script, private=True, answers=(answer,))
    amended, cancelled = rig.private.requests[-2:]

    assert set(amended["params"]) == {"order_id", "deadline", "trigger_price", "token"}
    assert cancelled["params"] == {"order_id": ["O1"], "token": "token-1"}
    assert '"trigger_price":58000.0' in rig.private.texts[-2]


# --- what is answered ----------------------------------------------------------------------------

ANSWERS: list[tuple[str, dict[str, Any], type[Exception]]] = [
    ("a definite no", {"success": False, "error": "EOrder:Insufficient funds"}, VenueRejected),
    ("the parser's words", {"success": False, "error": "Limit_price(s) not found"}, VenueRejected),
    ("wait", {"success": False, "error": "EOrder:Rate limit exceeded"}, VenueThrottled),
    ("an ambiguous error", {"success": False, "error": "EService:Busy"}, OutcomeUnknown),
    ("an unknown error", {"success": False, "error": "EOrder:Never seen"}, OutcomeUnknown),
    ("a no without words", {"success": False}, OutcomeUnknown),
    ("neither yes nor no", {"result": {"order_id": "O1"}}, OutcomeUnknown),
    ("a yes without a result", {"success": True}, OutcomeUnknown),
    ("a yes without an id", {"success": True, "result": {}}, OutcomeUnknown),
    ("a yes that does not parse", {"success": True, "result": {"order_id": 7}}, OutcomeUnknown),
    (
        "an answer to something else",
        {"success": True, "method": "cancel_order", "result": {"order_id": "O1"}},
        OutcomeUnknown,
    ),
]


@pytest.mark.parametrize(("name", "answer", "error"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_only_a_listed_refusal_is_a_no_and_only_a_readable_yes_is_a_yes(
    name: str, answer: dict[str, Any], error: type[Exception]
) -> None:
    """By the error table; all else is an outcome that nobody knows yet."""
    with pytest.raises(error) as raised:
        placing(answering(**answer))

    assert type(raised.value) is error, name


def test_answers_find_their_requests_in_any_order() -> None:
    """The req_id tells, not the order of arrival."""
    held: list[dict[str, Any]] = []

    async def hold(server: StreamServer, request: dict[str, Any]) -> bool:
        if request["method"] != "add_order":
            return False
        held.append(request)
        if len(held) == 2:
            for each in reversed(held):
                result = {"order_id": f"O-{each['params']['cl_ord_id']}"}
                frame = {"method": "add_order", "req_id": each["req_id"], "success": True}
                await server.send({**frame, "result": result})
                await server.send({**frame, "result": {"order_id": "a late second answer"}})
        return True

    names: list[VenueOrderId] = []

    async def script(rig: Rig) -> None:
        names.extend(
            await asyncio.gather(
                *(
                    socket_of(rig).place(make_request(), ClientOrderId(name), DEADLINE, INSTRUMENT)
                    for name in ("first", "second")
                )
            )
        )

    run(script, private=True, answers=(hold,))
    assert names == ["O-first", "O-second"]


# --- what is lost --------------------------------------------------------------------------------


def losing(how: str) -> Answer:
    """Take an order and say nothing; perhaps go away."""

    async def lose(server: StreamServer, request: dict[str, Any]) -> bool:
        if not request["method"].endswith("_order"):
            return False
        if how == "the wire":
            await server.ends[-1].close(1006, "")
        if how == "the sequence":
            for number in (1, 5):
                row = {"order_id": "O1", "exec_type": "new", "order_status": "new"}
                frame = {"channel": "executions", "type": "update", "data": [row]}
                await server.send({**frame, "sequence": number})
        return True

    return lose


@pytest.mark.parametrize("how", ["silence", "the wire", "the sequence"])
def test_no_answer_is_an_unknown_outcome(how: str) -> None:
    """The bytes may have left: neither placed nor failed."""
    with pytest.raises(OutcomeUnknown):
        placing(losing(how))


@pytest.mark.parametrize("act", ["place", "amend", "cancel"])
def test_an_answer_is_waited_for_ten_seconds_on_a_wire_that_lives(act: str) -> None:
    """Then the outcome is unknown, whatever was asked."""
    waited: list[float] = []

    async def script(rig: Rig) -> None:
        acts: dict[str, Callable[[], Awaitable[object]]] = {
            "place": lambda: place(rig),
            "amend": lambda: socket_of(rig).amend(
                OrderAmendment(venue_order_id=O1, symbol=BTC, quantity=d("1")), DEADLINE, INSTRUMENT
            ),
            "cancel": lambda: socket_of(rig).cancel(O1),
        }
        beating = asyncio.create_task(rig.beat(20))
        began = asyncio.get_running_loop().time()
        with pytest.raises(OutcomeUnknown, match="No answer within 10 s"):
            await acts[act]()
        waited.append(asyncio.get_running_loop().time() - began)
        await beating

    run(script, private=True, answers=(losing("silence"),))
    assert waited == [pytest.approx(REPLY_TIMEOUT_S)]


def test_an_order_under_way_when_the_feed_is_closed_is_unknown_at_once() -> None:
    """A stop of the loop does not turn a sent order into a failed one."""
    outcomes: list[BaseException | VenueOrderId] = []

    async def script(rig: Rig) -> None:
        placing_ = asyncio.create_task(place(rig))
        await asyncio.sleep(0.1)
        await rig.feed.close()
        outcomes.extend(await asyncio.gather(placing_, return_exceptions=True))

    run(script, private=True, answers=(losing("silence"),))
    assert [type(each) for each in outcomes] == [OutcomeUnknown]


def test_an_order_under_way_when_nobody_reads_the_feed_any_more_is_unknown_at_once() -> None:
    """The reader was cancelled: nobody is left who could hear the answer."""

    async def main() -> tuple[BaseException | VenueOrderId, float]:
        rig = Rig(private=True, answers=(losing("silence"),))
        collecting = asyncio.create_task(rig.collect())
        await asyncio.sleep(0.1)
        placing_ = asyncio.create_task(place(rig))
        await asyncio.sleep(0.1)
        collecting.cancel()
        (outcome,) = await asyncio.gather(placing_, return_exceptions=True)
        ended = asyncio.get_running_loop().time()
        await rig.private.stop()
        await rig.public.stop()
        return outcome, ended

    outcome, ended = run_virtual(main())

    assert type(outcome) is OutcomeUnknown
    assert ended < 1


class SlowToClose:
    """A duplex whose closing handshake takes its time."""

    def __init__(self, inner: FrameDuplex) -> None:
        self.send = inner.send
        self.receive = inner.receive
        self._inner = inner

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """See `ports.FrameDuplex`."""
        await asyncio.sleep(5)
        await self._inner.close(code, reason)


def test_no_order_goes_by_a_wire_that_is_being_closed() -> None:
    """Provably nothing left, so the caller may go another way."""
    seen: list[type[BaseException]] = []

    async def script(rig: Rig) -> None:
        connect = rig.private.connect

        async def slowly(url: str) -> FrameDuplex:
            return SlowToClose(await connect(url))

        rig.private.connect = slowly  # type: ignore[method-assign]
        await rig.private.ends[-1].close(1001, "going away")
        await asyncio.sleep(1)
        await rig.private.ends[-1].close(1001, "going away")
        await asyncio.sleep(1)
        try:
            await place(rig)
        except VenueUnavailable as error:
            seen.append(type(error))

    run(script, private=True, answers=(PLACED,))
    assert seen == [VenueUnavailable]


def test_without_a_wire_nothing_is_sent() -> None:
    """A definite nothing: the caller may go another way. It works again once the wire is back."""
    seen: list[bool] = []

    async def script(rig: Rig) -> None:
        rig.private.is_reachable = False
        await rig.private.ends[-1].close(1001, "going away")
        await asyncio.sleep(1)
        seen.append(socket_of(rig).is_up)
        with pytest.raises(VenueUnavailable):
            await place(rig)
        rig.private.is_reachable = True
        await rig.beat(60)
        seen.append(socket_of(rig).is_up)
        again = START + timedelta(seconds=70)
        await socket_of(rig).place(make_request(), ClientOrderId("ours"), again, INSTRUMENT)

    rig = run(script, private=True, answers=(PLACED,))
    orders = [each for each in rig.private.requests if each["method"] == "add_order"]

    assert seen == [False, True]
    assert [each["params"]["token"] for each in orders] != ["token-1"]
    assert json.loads(rig.private.texts[-1])["method"] == "add_order"
