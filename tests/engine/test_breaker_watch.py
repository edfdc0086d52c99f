"""The API circuit breaker beside the turns: no entries while it is not closed, and a probe."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import BTC, ETH
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.account import KeyInfo
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.engine.breaker_watch import BREAKER
from zoe_tools.errors import VenueUnavailable
from zoe_tools.kraken.breaker import CircuitBreaker
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.ports import Claim


async def fails(breaker: CircuitBreaker, times: int) -> None:
    """So many calls fail."""
    for _ in range(times):
        with pytest.raises(VenueUnavailable):
            await _fail(breaker)


async def _fail(breaker: CircuitBreaker) -> None:
    async with breaker.passage(Claim(), method="OHLC") as passage:
        passage.is_sent = True
        raise VenueUnavailable("HTTP 502")


def held(rig: LoopRig) -> list[Symbol]:
    """What the loop has positions in."""
    assert rig.loop is not None
    return [each.symbol for each in rig.loop.books.positions]


def with_breaker(rig: LoopRig) -> None:
    """Give the loop one that its probe asks, before it starts."""
    breaker = rig.breaker = CircuitBreaker(NonceSource(rig.clock), rig.clock)
    tell = rig.venue.key_info

    async def key_info() -> KeyInfo:
        async with breaker.passage(Claim(), method="GetApiKeyInfo") as passage:
            passage.is_sent = True
            return await tell()

    rig.venue.key_info = key_info  # type: ignore[method-assign]


def test_vector_11_an_open_breaker_keeps_entries_back_and_no_exit(tmp_path: Path) -> None:
    """The position is left; nothing is entered until the loop's own probe was answered."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        assert rig.breaker is not None
        await rig.enter()
        assert held(rig) == [BTC]
        await fails(rig.breaker, 5)
        await rig.pass_time(2)
        opened = "the API circuit breaker is open (consecutive_failures)"
        assert rig.loop.standing.of(BREAKER) == (opened,)
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]

        rig.strategy.wanted[BTC] = "exit"
        rig.strategy.wanted[ETH] = "enter"
        await rig.close_candle(BTC, ETH)
        assert held(rig) == []
        assert rig.resting(Side.BUY) == []

        await rig.pass_time(10)
        assert rig.loop.standing.of(BREAKER) == ()
        await rig.enter(ETH)
        assert held(rig) == [ETH]

    run_loop(tmp_path, story, prepare=with_breaker)


def test_a_loop_that_starts_beside_an_open_breaker_heeds_it(tmp_path: Path) -> None:
    """What is persisted with the key is what counts."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        assert rig.loop.standing.of(BREAKER) == ()
        assert rig.breaker is not None
        await rig.breaker.force(is_open=True)
        await rig.enter()
        assert rig.loop.standing.of(BREAKER) == ("the API circuit breaker is open (forced)",)
        assert held(rig) == []
        await rig.pass_time(180)
        assert rig.loop.standing.only_protects

    run_loop(tmp_path, story, prepare=with_breaker)
