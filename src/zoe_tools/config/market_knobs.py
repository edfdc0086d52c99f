"""The settings of the market watch: how many instruments, how often they are kept, what moves."""

from __future__ import annotations

from zoe_tools.config import readers
from zoe_tools.config.knob import Knob

MARKET_KNOBS: tuple[Knob, ...] = (
    Knob(
        name="MD_QUOTE_CURRENCY",
        default="USD",
        read=readers.asset,
        about="Instruments in this currency are watched.",
        section="The market watch: zoe markets",
    ),
    Knob(
        name="MD_MAX_WS_PAIRS",
        default="500",
        read=readers.pairs,
        about="So many instruments at most, those with the greatest turnover; 1 to 1000.",
    ),
    Knob(
        name="MD_DEFAULT_FOCUS",
        default="BTC-USD,ETH-USD,SOL-USD,DOGE-USD,XRP-USD",
        read=readers.symbols,
        about="Instruments that are always in focus, separated by commas.",
    ),
    Knob(
        name="MD_FOCUS_FLUSH_MS",
        default="1000",
        read=readers.milliseconds,
        about="How often instruments in focus are written into the store; 100 to 3600000.",
    ),
    Knob(
        name="MD_SCOUT_FLUSH_MS",
        default="30000",
        read=readers.milliseconds,
        about="The same of all the others.",
    ),
    Knob(
        name="MD_SPARKLINE_INTERVAL",
        default="900",
        read=readers.pause,
        about="A point of each instrument's price curve so often, in seconds; 5 to 3600.",
    ),
    Knob(
        name="MD_SPARKLINE_KEEP_HOURS",
        default="168",
        read=readers.hours,
        about="Points of price curves are forgotten after this.",
    ),
    Knob(
        name="MD_MOVER_MOMENTUM_PCT",
        default="3.0",
        read=readers.percent,
        about="What changed by so many percent within an hour is a mover; 0: nothing is.",
    ),
    Knob(
        name="MD_MOVER_VOLUME_ACCEL",
        default="2.0",
        read=readers.amount,
        about="And one whose last hour's turnover was so many times a usual hour's; 0: none is.",
    ),
    Knob(
        name="MD_MOVER_SPREAD_MAX_PCT",
        default="1.0",
        read=readers.percent,
        about="An instrument with a wider spread is no mover, in percent.",
    ),
    Knob(
        name="MD_MOVER_FOCUS_MIN",
        default="30",
        read=readers.minutes,
        about="So long a mover stays in focus, and is not told again, in minutes.",
    ),
    Knob(
        name="MD_CATALOG_REFRESH_HOURS",
        default="24",
        read=readers.hours,
        about="How often the venue's list of instruments is read anew; changes are heard at once.",
    ),
)
