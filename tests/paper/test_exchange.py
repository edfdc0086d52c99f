"""The exchange around the engine: the pump, waiting, expiry, listeners, statistics."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from paper_desk import (
    API_SECRET,
    START,
    ScriptedSource,
    StandingClock,
    ask_for,
    d,
    snapshot,
    traded,
)
from zoe_tools.errors import ConfigError
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.values.events import BookEvent, EngineEvent, OrderEvent, PrintEvent
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS, moment_of
from zoe_tools.ports import Clock
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

SCRIPT = (
    snapshot(["69999.0 1.00000000"], ["70001.0 1.00000000"], at=START + NS),
    traded("70000.0", "0.5", at=START + 10 * NS),
    traded("70002.0", "0.5", at=START + 20 * NS),
)


def _exchange(options: ExchangeOptions | None = None, clock: Clock | None = None) -> PaperExchange:
    exchange = PaperExchange(
        ScriptedSource(SCRIPT), clock or VirtualClock(moment_of(START)), options=options
    )
    exchange.create_account("a", "key", API_SECRET, balances={"USD": d("1000"), "BTC": d("1")})
    return exchange


def test_events_are_told_at_their_own_times_and_then_it_is_finished() -> None:
    """The pump sleeps through the clock until each event is due."""
    told: list[tuple[type[EngineEvent], int]] = []

    async def watch() -> bool:
        exchange = _exchange()

        def listen(event: EngineEvent) -> None:
            told.append((type(event), (event.at - START) // NS))
            assert exchange.now() == event.at

        exchange.add_listener(listen)
        await exchange.run()
        return exchange.finished.is_set()

    assert run_virtual(watch())
    assert told == [(BookEvent, 1), (PrintEvent, 10), (PrintEvent, 20)]


def test_a_listener_that_has_stopped_hears_no_more() -> None:
    """`add_listener` hands back how to stop; twice is harmless."""
    heard: list[EngineEvent] = []

    async def watch() -> None:
        exchange = _exchange()
        stop = exchange.add_listener(heard.append)
        stop()
        stop()
        await exchange.run()

    run_virtual(watch())

    assert heard == []


def test_the_market_waits_for_its_first_subscriber_when_told_to() -> None:
    """So that a replay loses nothing."""

    async def watch() -> list[int]:
        exchange = _exchange(ExchangeOptions(wait_for_subscriber=True))
        seen: list[int] = []
        running = asyncio.create_task(exchange.run())
        await asyncio.sleep(3600)
        exchange.add_listener(lambda event: seen.append(event.at))
        assert exchange.prints("BTC/USD") == ()
        exchange.subscribed()
        await running
        return seen

    assert len(run_virtual(watch())) == 3


def test_an_order_expires_on_its_own_between_two_market_events() -> None:
    """A timer of its own, set as soon as the order is in."""
    ended: list[tuple[str, int]] = []

    async def watch() -> None:
        exchange = _exchange()

        def listen(event: EngineEvent) -> None:
            if isinstance(event, OrderEvent):
                ended.append((event.kind, exchange.now() - START))

        running = asyncio.create_task(exchange.run())
        await asyncio.sleep(12)
        exchange.add_listener(listen)
        request = ask_for("buy", "0.001", "60000.0", time_in_force="gtd", expire_at=START + 15 * NS)
        exchange.add_order("A00001", request)
        await running

    run_virtual(watch())

    assert ended == [("pending_new", 12 * NS), ("new", 12 * NS), ("expired", 15 * NS)]


def test_statistics_forget_what_is_older_than_a_day() -> None:
    """The 24 h window moves with the clock; today starts at midnight."""
    clock = StandingClock()
    exchange = PaperExchange(ScriptedSource(SCRIPT), clock)
    run_virtual(exchange.run())
    now = exchange.ticker("BTC/USD")
    assert (now.volume, now.vwap, now.low, now.high) == (
        d("1.0"),
        d("70001"),
        d("70000.0"),
        d("70002.0"),
    )
    assert (now.opened, now.last, now.trades) == (d("70000.0"), d("70002.0"), 2)

    clock.ns = START + 15 * NS + 86_400 * NS
    later = exchange.ticker("BTC/USD")

    assert (later.volume, later.low, later.trades_today) == (d("0.5"), d("70002.0"), 0)


def test_before_the_first_print_there_is_no_last_price() -> None:
    """An explicit absence, and no candles."""
    exchange = PaperExchange(ScriptedSource(), StandingClock())

    assert exchange.ticker("BTC/USD").last is None
    assert exchange.bars("BTC/USD", 60) == ()
    assert exchange.ticker("BTC/USD").bid == Decimal(0)


def test_candles_aggregate_the_prints_of_their_interval() -> None:
    """Volume-weighted, with the running one last."""
    exchange = PaperExchange(ScriptedSource(SCRIPT), StandingClock())
    run_virtual(exchange.run())
    (bar,) = exchange.bars("BTC/USD", 60)

    assert (bar.begin, bar.open, bar.close, bar.count) == (START, d("70000.0"), d("70002.0"), 2)
    assert (bar.volume, bar.vwap) == (d("1.0"), d("70001"))


def test_deposits_and_withdrawals_are_ledger_rows() -> None:
    """Never more out than is free."""
    exchange = _exchange(clock=StandingClock())
    row = exchange.deposit("A00001", "USD", d("25.5"))
    assert (row.type, row.balance) == ("deposit", d("1025.5000"))
    assert exchange.deposit("A00001", "USD", d("-25.5")).type == "withdrawal"

    for asset, amount in (("USD", "-1000.01"), ("USD", "NaN"), ("GOLD", "1")):
        with pytest.raises(Refusal):
            exchange.deposit("A00001", asset, d(amount))


def test_a_key_exists_once_and_its_secret_is_base64() -> None:
    """A clear error, and no half-made account."""
    exchange = _exchange(clock=StandingClock())
    for key, secret in (("key", API_SECRET), ("other", "not base64!")):
        with pytest.raises(ConfigError):
            exchange.create_account("b", key, secret)

    assert [who.account_id for who in exchange.principals] == ["A00001"]
    assert "A00002" not in exchange._floor.accounts
