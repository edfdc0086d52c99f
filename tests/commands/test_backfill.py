"""`zoe backfill` over a venue in memory that has candles: dry, executed, executed again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from builders import BTC, NOON, make_candle
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.backfill import _backfill, _timeframe
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.errors import ConfigError, UnknownInstrument


async def backfill(desk: Desk, *, execute: bool, symbol: str = "BTC-USD") -> tuple[int, str]:
    """Run the command for hourly candles; its exit code and what it printed."""
    context, invocation, out = command_io(desk, "backfill")
    code = await _backfill(
        context, invocation, symbol=symbol, timeframe=Timeframe.H1, execute=execute
    )
    return code, out.getvalue()


def offer(desk: Desk) -> tuple[Candle, ...]:
    """Let the venue have three finished candles and the running one."""
    candles = tuple(
        make_candle(
            symbol=BTC,
            timeframe=Timeframe.H1,
            opened_at=NOON - timedelta(hours=back),
            is_final=back > 0,
        )
        for back in (3, 2, 1, 0)
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
        _timeframe("7m")
    assert "15m" in unknown.value.hint
