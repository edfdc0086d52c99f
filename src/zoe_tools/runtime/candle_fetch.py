"""Fetches what instruments lack of candles: OHLC through the gate, then trades, page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from zoe_tools.core.backfill import looked_through, plan_backfill
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

_FINDINGS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What became of one instrument.

    `exit_code` is the gate's where it refused, and 3 where the venue does not have what is missing.
    """

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
    ahead = await _ahead(context, say)
    need = await _need(context, instrument, request, ahead)
    ohlc, code = await _ohlc(context, gate, instrument, need, say)
    if code:
        return Fetched(ohlc=ohlc, trades=(), exit_code=code)
    reader = TradesReading(context.venue, context.store, context.clock, instrument, say)
    done: list[TradesRead] = []
    begins = 0
    while spans := _unread(need, begins, done):
        if need.resumes is None and any(each.stretch.span == spans[0] for each in done):
            raise VenueMisbehaved(f"The trades of {instrument.symbol} are read, and still missing.")
        expected = need.trades + (need.resumes or 0)
        done.append(await reader.run(spans[0], request.timeframes, expected=expected))
        begun_at = done[-1].begins_at
        begins = begins if begun_at is None else second_at(begun_at) + 1
        await context.clock.sleep(CALL_S)
        need = await _need(context, instrument, request, ahead)
    code = _FINDINGS if begins and need.reads else 0
    return Fetched(ohlc=ohlc, trades=tuple(done), exit_code=code)


def _unread(need: InstrumentNeed, begins: int, done: Sequence[TradesRead]) -> list[Span]:
    """What is to be read: a reading that was broken off first, then all that the venue has.

    Its trades begin at `begins`. A candle around that will always be missing: that its time was
    read makes no difference.
    """
    if need.resumes is not None:
        return [Span(0, 0)]
    spans = [each.span for each in need.reads]
    if not begins:
        return spans
    read = [each.stretch.span for each in done]
    left = (Span(max(each.since, begins), each.until) for each in spans)
    return [
        each
        for each in left
        if each.until > each.since
        and not any(one.since <= each.since and each.until <= one.until for one in read)
    ]


async def _ahead(context: Context, say: Callable[[str], object]) -> timedelta:
    """How far this machine's clock is ahead of the venue's: what is to come has no candles."""
    told = await patiently(
        context.venue.server_time,
        clock=context.clock,
        say=say,
        standing=lambda: "Nothing was read",
    )
    return max(timedelta(), context.clock.now() - told)


async def _need(
    context: Context, instrument: Instrument, request: Request, ahead: timedelta
) -> InstrumentNeed:
    return await needs_of(
        instrument,
        request,
        store=context.store,
        venue=context.venue,
        now=context.clock.now() - ahead,
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
        looked = _looked(series, candles)
        plan = await _plan(context, instrument, series, candles, looked)
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
        await note_ohlc(context, instrument.symbol, series.timeframe, looked)
        await context.clock.sleep(CALL_S)
    return tuple(read), 0


def _looked(series: SeriesNeed, candles: tuple[Candle, ...]) -> Span | None:
    """What an answer looked through of what is wanted and written of it."""
    looked = looked_through(candles, series.timeframe, max(series.since, series.ohlc_since))
    return looked and Span(looked.since, min(looked.until, second_at(series.until)))


async def _plan(
    context: Context,
    instrument: Instrument,
    series: SeriesNeed,
    candles: tuple[Candle, ...],
    looked: Span | None,
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
    stored, from_trades = await context.store.read(
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
        looked=looked,
    )
    return replace(plan, notes=())
