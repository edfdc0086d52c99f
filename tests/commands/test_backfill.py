"""`zoe backfill` over a venue in memory that has candles: dry, executed, executed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar, cast

import pytest

from builders import BTC, ETH, NOON, d, make_candle
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.backfill import _backfill, planner, timeframes_in
from zoe_tools.commands.listing import timeframe_in
from zoe_tools.core.backfill import looked_through
from zoe_tools.domain.candle import Candle, Source, Span, Timeframe
from zoe_tools.domain.plan import WriteCandles
from zoe_tools.domain.plan_file import plan_in, plan_text
from zoe_tools.errors import ConfigError, UnknownInstrument
from zoe_tools.gate.bulk_steps import Slice
from zoe_tools.gate.store_steps import apply_store_step
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.runtime.gates import open_gate
from zoe_tools.store.runner import InlineRunner, StoreRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")


class Died(Exception):
    """The process did."""


class Killed:
    """A store's runner whose process dies before the slice after these."""

    def __init__(self, store: StoreRunner, *, after: int) -> None:
        self._store = store
        self._left = after

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        if isinstance(work, Slice):
            self._left -= 1
            if self._left < 0:
                raise Died
        return await self._store.run(work, is_urgent=is_urgent)

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        return await self._store.read(work, is_urgent=is_urgent)

    async def close(self) -> None:
        """See `StoreRunner`."""
        await self._store.close()


async def backfill(desk: Desk, *, execute: bool, symbol: str = "BTC-USD") -> tuple[int, str]:
    """Run the command for hourly candles; its exit code and what it printed."""
    context, invocation, out = command_io(desk, "backfill")
    code = await _backfill(
        context, invocation, symbol=symbol, timeframe=Timeframe.H1, execute=execute
    )
    return code, out.getvalue()


def offer(desk: Desk, finals: int = 3) -> tuple[Candle, ...]:
    """Let the venue have three finished candles, or so many, and the running one."""
    candles = tuple(
        make_candle(
            symbol=BTC,
            timeframe=Timeframe.H1,
            opened_at=NOON - timedelta(hours=back),
            is_final=back > 0,
        )
        for back in range(finals, -1, -1)
    )

    async def answer(*_: object, **__: object) -> tuple[Candle, ...]:
        return candles

    desk.venue.candles = answer  # type: ignore[method-assign]
    return candles


def test_missing_candles_are_planned_then_written_once(tmp_path: Path) -> None:
    """The running candle is never stored; a second run writes nothing."""

    async def story(desk: Desk) -> None:
        offered = offer(desk)
        code, text = await backfill(desk, execute=False)
        assert code == 3
        assert "--symbol BTC/USD --tf 1h --execute" in text
        assert await desk.read(lambda tx: tx.candles(BTC, Timeframe.H1)) == ()

        assert (await backfill(desk, execute=True))[0] == 0
        assert await desk.read(lambda tx: tx.candles(BTC, Timeframe.H1)) == offered[:3]
        before = await desk.read(lambda tx: tx.business_fingerprint())
        assert (await backfill(desk, execute=True))[0] == 0
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before

    at_the_desk(tmp_path, story)


def test_many_candles_are_written_in_slices_and_an_interrupted_run_is_continued(
    tmp_path: Path,
) -> None:
    """What was committed stays; the next run writes the rest, and each candle is there once."""

    async def story(desk: Desk) -> None:
        many = tuple(
            make_candle(symbol=BTC, timeframe=Timeframe.H1, opened_at=NOON - timedelta(hours=back))
            for back in range(700, 0, -1)
        )

        async def answer(*_: object, **__: object) -> tuple[Candle, ...]:
            return many

        desk.venue.candles = answer  # type: ignore[method-assign]
        store = desk.store
        desk.store = cast("InlineRunner", Killed(store, after=2))
        with pytest.raises(Died):
            await backfill(desk, execute=True)
        desk.store = store
        written = await desk.read(lambda tx: tx.candles(BTC, Timeframe.H1))
        assert written == many[: len(written)]
        assert 0 < len(written) < len(many)

        assert (await backfill(desk, execute=True))[0] == 0
        assert await desk.read(lambda tx: tx.candles(BTC, Timeframe.H1)) == many
        assert (await backfill(desk, execute=False))[0] == 0

    at_the_desk(tmp_path, story)


def test_what_ohlc_looked_through_is_noted_once_it_is_written(tmp_path: Path) -> None:
    """A market younger than OHLC's reach has nothing before its first candle."""

    async def story(desk: Desk) -> None:
        offer(desk)
        await backfill(desk, execute=False)
        assert await desk.read(lambda tx: tx.market.read_spans(BTC, Timeframe.H1)) == ()

        await backfill(desk, execute=True)
        until = int(NOON.timestamp())
        assert await desk.read(lambda tx: tx.market.read_spans(BTC, Timeframe.H1)) == (
            Span(until - 720 * 3_600, until),
        )

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(("finals", "running"), [(720, 1), (720, 0), (3, 1), (0, 1)])
def test_an_answer_looks_through_what_it_reaches(finals: int, running: int) -> None:
    """All of a younger market; where nothing is finished, nothing was."""
    candles = tuple(
        make_candle(opened_at=NOON - timedelta(hours=back), is_final=back > 0)
        for back in range(finals, -running, -1)
    )
    noon = int(NOON.timestamp())

    assert looked_through(candles, Timeframe.H1) == Span(noon - 720 * 3_600, noon)
    assert looked_through((), Timeframe.H1) is None
    asked = NOON - timedelta(hours=2)
    assert looked_through(candles, Timeframe.H1, asked) == Span(noon - 2 * 3_600, noon)


@pytest.mark.parametrize("finals", [3, 600])
def test_a_plan_that_is_carried_out_notes_what_was_looked_through(
    tmp_path: Path, finals: int
) -> None:
    """Whoever does so: `zoe apply` has the plan alone. In slices with the last of them."""

    async def story(desk: Desk) -> None:
        offer(desk, finals)
        context, invocation, _ = command_io(desk, "backfill")
        look = planner(context, (("symbol", "BTC/USD"), ("tf", "1h")))
        snapshot, plan = await look()
        kept = plan_in(plan_text(plan).encode(), "file")
        gate = open_gate(
            context,
            approver=PlanPrinter(invocation.printer(), invitation=""),
            command="apply",
            environ={},
        )
        receipt = await gate.carry_out(kept, snapshot=snapshot, execute=True)

        assert receipt.is_done
        until = int(NOON.timestamp())
        looked = Span(until - 720 * 3_600, until)
        assert await desk.read(lambda tx: tx.market.read_spans(BTC, Timeframe.H1)) == (looked,)

        (step,) = kept.steps
        assert isinstance(step, WriteCandles)
        one = replace(step, symbol=ETH)  # a single step by itself does the same
        await desk.read(lambda tx: apply_store_step(tx, one, now=NOON, changed_by="ada"))
        assert await desk.read(lambda tx: tx.market.read_spans(ETH, Timeframe.H1)) == (looked,)

    at_the_desk(tmp_path, story)


def test_a_candle_that_came_from_trades_stays(tmp_path: Path) -> None:
    """OHLC's own figures do not take its place, so that a second run changes nothing."""

    async def story(desk: Desk) -> None:
        offered = offer(desk)
        exact = replace(offered[1], volume=d("12.5"), count=43)
        await desk.read(lambda tx: tx.write_candles((exact,), Source.TRADES))
        await backfill(desk, execute=True)

        stored = await desk.read(lambda tx: tx.candles(BTC, Timeframe.H1))
        assert stored == (offered[0], exact, offered[2])

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("names", "told"),
    [("1h", ["1h"]), ("1h,1m", ["1m", "1h"]), (" 1d , 1h,1d", ["1h", "1d"])],
)
def test_several_lengths_are_named_in_one_word(names: str, told: list[str]) -> None:
    """The shortest first, each once."""
    assert [each.value for each in timeframes_in(names)] == told


@pytest.mark.parametrize("names", ["", ",", "1h,7m"])
def test_lengths_that_are_none_are_refused(names: str) -> None:
    """Exit 2."""
    with pytest.raises(ConfigError):
        timeframes_in(names)


def test_an_unknown_instrument_is_an_error_with_a_hint(tmp_path: Path) -> None:
    """Nothing is guessed."""

    async def story(desk: Desk) -> None:
        with pytest.raises(UnknownInstrument) as unknown:
            await backfill(desk, execute=False, symbol="BTC/USX")
        assert "BTC/USD" in unknown.value.hint

    at_the_desk(tmp_path, story)


def test_an_unknown_timeframe_names_the_known_ones() -> None:
    """Exit 2."""
    with pytest.raises(ConfigError) as unknown:
        timeframe_in("7m")
    assert "15m" in unknown.value.hint
