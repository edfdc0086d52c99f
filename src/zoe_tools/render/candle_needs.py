"""Shows what the store lacks of candles, and what a backfill brought."""

from __future__ import annotations

from collections.abc import Sequence

from zoe_tools.core.candle_needs import InstrumentNeed, SeriesNeed
from zoe_tools.domain.ages import lasted
from zoe_tools.domain.candle_reads import OhlcRead, TradesRead
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.plan import OutcomeState, Plan, StepOutcome
from zoe_tools.render.printer import Printer


def show_needs(
    printer: Printer, needs: Sequence[InstrumentNeed], *, is_costed: bool = True
) -> None:
    """A row for each series, the longest gaps, and what fetching would take, if it is asked."""
    printer.line()
    printer.table(
        ("!instrument", "!tf", ">!stored", ">!missing", "why", "fetched by"),
        [
            (
                need.symbol,
                each.timeframe,
                f"{each.stored:,}",
                f"{each.missing:,}",
                why(each),
                _how(each),
            )
            for need in needs
            for each in need.series
        ],
    )
    holes = [
        (
            need.symbol,
            each.timeframe,
            f"{hole.since:%Y-%m-%d %H:%M}",
            f"{hole.until:%Y-%m-%d %H:%M}",
            f"{hole.count:,}",
            hole.cause,
        )
        for need in needs
        for each in need.series
        for hole in each.holes
    ]
    if holes:
        printer.heading("The longest gaps")
        printer.table(("!instrument", "!tf", "!from", "!to", ">!candles", "!why"), holes)
    if not is_costed:
        return
    if any(not need.is_complete for need in needs):
        printer.line()
    for need in needs:
        for sentence in cost(need):
            printer.wrapped(f"{need.symbol}: ", sentence)
    if len(needs) > 1 and any(need.calls for need in needs):
        seconds = sum(need.seconds for need in needs)
        calls = sum(need.calls for need in needs)
        printer.line(f"Together {calls:,} calls, about {lasted(seconds)}.")


def why(series: SeriesNeed) -> str:
    """How many are missing for which cause."""
    causes = (
        (series.never_fetched, "never fetched"),
        (series.nothing_traded, "nothing traded"),
        (series.outage, "venue outage"),
    )
    return ", ".join(f"{count:,} {told}" for count, told in causes if count) or "-"


def _how(series: SeriesNeed) -> str:
    ways = ((series.by_ohlc, "OHLC"), (series.by_trades, "Trades"))
    return ", ".join(f"{told} {count:,}" for count, told in ways if count) or "-"


def cost(need: InstrumentNeed) -> list[str]:
    """What fetching takes of the venue, and whether a file would be quicker."""
    if need.is_complete:
        return []
    calls = [f"{need.ohlc_calls:,} of OHLC"] if need.ohlc_calls else []
    told: list[str] = []
    if need.trade_calls:
        calls.append(f"about {need.trade_calls:,} of Trades for {need.trades:,} trades")
    if need.resumes is not None:
        told.append(f"A backfill was broken off after {need.resumes:,} trades: it is gone on with.")
    told.append(
        f"{' and '.join(calls)}: {need.calls:,} {'call' if need.calls == 1 else 'calls'},"
        f" one a second, about {lasted(need.seconds)}."
    )
    if need.is_slow:
        told.append("Kraken's bulk files are quicker: zoe backfill --import FILE")
    return told


def show_fetched(
    printer: Printer, symbol: Symbol, ohlc: Sequence[OhlcRead], trades: Sequence[TradesRead]
) -> None:
    """What was written of an instrument, and how its trades agree with the venue's OHLC."""
    told = [f"{each.timeframe.value} {each.written:,}" for each in ohlc if each.written]
    if ohlc:
        printer.wrapped(f"{symbol}: ", f"OHLC wrote {', '.join(told) or 'nothing'}.")
    for each in trades:
        lengths = ", ".join(length.value for length in each.timeframes)
        printer.wrapped(
            f"{symbol}: ",
            f"{each.trades:,} trades from {each.stretch.since:%Y-%m-%d %H:%M} to"
            f" {each.stretch.until:%Y-%m-%d %H:%M} gave {each.new:,} candles of {lengths}.",
        )
        if each.begins_at is not None:
            printer.warn(
                f"{symbol}: the venue's trades begin at {each.begins_at:%Y-%m-%d %H:%M:%S}. What"
                " traded before, it does not tell any more; nothing is concluded of it."
            )
        if each.alike or each.differ:
            printer.wrapped(
                f"{symbol}: ",
                f"Held against candles that were there: {each.alike:,} alike,"
                f" {each.differ:,} different.",
            )
        if each.unproved:
            printer.warn(
                f"{symbol}: in the time of {each.unproved:,} stored candles something traded, and"
                " the venue's trades know nothing of it. They stay as they are."
            )
        for sentence in each.told:
            printer.warn(f"{symbol} {sentence}.")
    if not ohlc and not trades:
        printer.line(f"{symbol}: nothing was missing.")


class OnlyTrouble:
    """An `Approver` that tells of nothing but steps that were not done."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer

    def show_plan(self, plan: Plan) -> None:
        """The table of what is missing has told it."""

    def show_outcome(self, outcome: StepOutcome) -> None:
        """One that was not done."""
        if outcome.state is not OutcomeState.DONE:
            self._printer.say(f"{outcome.state.value}: {outcome.evidence or outcome.code}")
