"""A private request arrives late where the exchange is far away; public ones do not."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from paper_desk import START
from paper_socket import KEY, SECRET, ScriptedMarket, Wire
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.paper.values.times import moment_of
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.venue import in_process_transport
from zoe_tools.runtime.virtual_loop import run_virtual


def far_away() -> PaperExchange:
    """An exchange forty milliseconds away, with one account."""
    exchange = PaperExchange(
        ScriptedMarket(), VirtualClock(moment_of(START)), options=ExchangeOptions(latency_s=0.04)
    )
    exchange.create_account("desk", KEY, SECRET)
    return exchange


@pytest.mark.parametrize(("path", "took_s"), [("private/Balance", 0.04), ("public/Time", 0.0)])
def test_a_signed_call_takes_its_way(path: str, took_s: float) -> None:
    """In the exchange's own seconds."""

    async def story() -> tuple[object, float]:
        transport = in_process_transport(create_app(far_away(), proof_secret=None))
        body = "nonce=1"
        headers = {
            "API-Key": KEY,
            "API-Sign": sign(secret=SECRET, path=f"/0/{path}", body=body.encode(), nonce="1"),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        async with httpx.AsyncClient(transport=transport, base_url="http://paper") as client:
            began = asyncio.get_running_loop().time()
            answer = await client.post(f"/0/{path}", content=body, headers=headers)
            return answer.json()["error"], asyncio.get_running_loop().time() - began

    error, took = run_virtual(story())

    assert (error, round(took, 3)) == ([], took_s)


@pytest.mark.parametrize(("is_private", "answers"), [(True, [0, 1]), (False, [1, 1])])
def test_a_request_on_a_private_socket_takes_its_way(
    *, is_private: bool, answers: list[int]
) -> None:
    """What is public comes as it always did."""

    async def story() -> list[int]:
        wire = Wire(far_away(), is_private=is_private)
        found = [len([each for each in await wire.ask("ping") if each.get("method") == "pong"])]
        await asyncio.sleep(0.05)
        later = [each for each in wire.frames() if each.get("method") == "pong"]
        await wire.close()
        return [*found, found[0] + len(later)]

    assert run_virtual(story()) == answers
