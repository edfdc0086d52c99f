"""Fetches what instruments lack of candles: OHLC through the gate, then trades, page by page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from zoe_tools.core.backfill import plan_backfill
from zoe_tools.core.candle_needs import CALL_S, InstrumentNeed, SeriesNeed
from zoe_tools.domain.candle import Candle, Span, second_at
from zoe_tools.domain.candle_reads import OhlcRead, TradesRead
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.plan import OutcomeState, Plan, WriteCandles
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.gate.gate import Gate
from zoe_tools.runtime.candle_backfill import TradesReading, patiently
from zoe_tools.runtime.candle_ohlc import note_ohlc, stored_of
from zoe_tools.runtime.candle_survey import Request, needs_of
from zoe_tools.runtime.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What became of one instrument. `exit_code` is the gate's where it refused."""

    ohlc: tuple[OhlcRead, ...]
    trades: tuple[TradesRead, ...]
    exit_code: int = 0


async def fetch(
    context: Context,
    gate: Gate,
    instrument: Instrument,
    request: Request,
    say: Callable[[str], object],
) -> Fetched:
    """Fetch all that one instrument lacks of what is wanted.

    Raises:
        VenueError: the venue gave no answer for too long, or one that makes no sense.
        StoreError: the store cannot be read or written; what was committed stays.
    """
    need = await _need(context, instrument, request)
    ohlc, code = await _ohlc(context, gate, instrument, need, say)
    if code:
        return Fetched(ohlc=ohlc, trades=(), exit_code=code)
    reader = TradesReading(context.venue, context.store, context.clock, instrument, say)
    done: list[TradesRead] = []
    while need.resumes is not None or need.reads:
        span = need.reads[0].span if need.reads else Span(0, 0)
        if need.resumes is None and any(each.stretch.span == span for each in done):
            raise VenueMisbehaved(f"The trades of {instrument.symbol} are read, and still missing.")
        done.append(await reader.run(span, request.timeframes, expected=need.trades))
        await context.clock.sleep(CALL_S)
        need = await _need(context, instrument, request)
    return Fetched(ohlc=ohlc, trades=tuple(done))


async def _need(context: Context, instrument: Instrument, request: Request) -> InstrumentNeed:
    return await needs_of(
        instrument,
        request,
        store=context.store,
        venue=context.venue,
        now=context.clock.now(),
    )


async def _ohlc(
    context: Context,
    gate: Gate,
    instrument: Instrument,
    need: InstrumentNeed,
    say: Callable[[str], object],
) -> tuple[tuple[OhlcRead, ...], int]:
    """OHLC of every series that it helps."""
    read: list[OhlcRead] = []
    for series in need.series:
        if not series.asks_ohlc(reads_trades=bool(need.reads)):
            continue
        candles = await patiently(
            partial(context.venue.candles, instrument.symbol, series.timeframe),
            clock=context.clock,
            say=say,
            standing=lambda: f"{instrument.symbol}: {len(read)} series of OHLC were read",
        )
        plan = await _plan(context, instrument, series, candles)
        receipt = await gate.carry_out(plan, snapshot=await context.look(frozenset()), execute=True)
        written = sum(
            len(each.step.candles)
            for each in receipt.outcomes
            if each.state is OutcomeState.DONE and isinstance(each.step, WriteCandles)
        )
        read.append(
            OhlcRead(
                symbol=instrument.symbol,
                timeframe=series.timeframe,
                candles=len(candles),
                written=written,
            )
        )
        if receipt.exit_code:
            return tuple(read), receipt.exit_code
        kept = Span(second_at(max(series.since, series.ohlc_since)), second_at(series.until))
        await note_ohlc(context, instrument.symbol, series.timeframe, candles, kept)
        await context.clock.sleep(CALL_S)
    return tuple(read), 0


async def _plan(
    context: Context, instrument: Instrument, series: SeriesNeed, candles: tuple[Candle, ...]
) -> Plan:
    """Write what is wanted of an OHLC answer, and missing or different."""
    timeframe = series.timeframe
    wanted = tuple(
        each
        for each in candles
        if series.ohlc_since <= each.opened_at
        and series.since <= each.opened_at
        and each.opened_at + timeframe.length <= series.until
    )
    stored, from_trades = await context.store.run(
        partial(stored_of, instrument.symbol, timeframe, series.ohlc_since)
    )
    plan = plan_backfill(
        account=context.account,
        now=context.clock.now(),
        symbol=instrument.symbol,
        timeframe=timeframe,
        stored=stored,
        fetched=wanted,
        lifetime_s=context.policy.plan_lifetime_s,
        from_trades=from_trades,
    )
    return replace(plan, notes=())
