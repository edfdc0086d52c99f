"""The settings of the `edge` strategy, by the names of the runbooks; shares are fractions."""

from __future__ import annotations

from zoe_tools.config import readers
from zoe_tools.config.knob import Knob

STRATEGY_KNOBS: tuple[Knob, ...] = (
    Knob(
        name="EDGE_FACTORY_FUNDING_SOURCE",
        read=readers.one_of("kraken-futures"),
        about="kraken-futures, or empty: perpetual funding is absent and its rule off.",
        section="The strategy edge; shares are fractions: 0.15 is 15 percent",
    ),
    Knob(
        name="EDGE_FACTORY_FUNDING_POLL",
        default="300",
        read=readers.pause,
        about="How often funding is asked for, in seconds.",
    ),
    Knob(
        name="EDGE_FACTORY_FUNDING_STALE",
        default="600",
        read=readers.seconds_above_zero,
        about="Funding older than this is not known, in seconds.",
    ),
    Knob(
        name="EDGE_FACTORY_FUNDING_RATE_MAX",
        default="0.0005",
        read=readers.amount,
        about="No entry where longs or shorts pay more than this share in eight hours.",
    ),
    Knob(
        name="EDGE_FACTORY_TREND_Z_THRESHOLD",
        default="0.8",
        read=readers.amount,
        about="Attention that an entry wants: volume, in standard deviations above its mean.",
    ),
    Knob(
        name="EDGE_FACTORY_CORWIN_SCHULTZ_MAX",
        default="0.006",
        read=readers.amount,
        about="No entry where highs and lows imply a wider spread than this share.",
    ),
    Knob(
        name="EDGE_FACTORY_MIN_EXPECTED_MOVE",
        default="0.03",
        read=readers.amount,
        about="No entry where a day's move is expected to be less than this share.",
    ),
    Knob(
        name="EDGE_FACTORY_KELLY_FRACTION",
        default="0.5",
        read=readers.share,
        about="Of Kelly's share of the equity so much is bet; 0: nothing.",
    ),
    Knob(
        name="EDGE_FACTORY_MAX_POSITION_PCT",
        default="0.15",
        read=readers.share,
        about="The largest share of the equity in one position.",
    ),
    Knob(
        name="EDGE_FACTORY_HEAT_MAX",
        default="0.60",
        read=readers.share,
        about="No entry once this share of the equity is held.",
    ),
    Knob(
        name="EDGE_FACTORY_CONSEC_LOSS_MAX",
        default="4",
        read=readers.runs,
        about="No entry after so many losses in a row; forgotten a day after the last one.",
    ),
    Knob(
        name="EDGE_FACTORY_POS_TIMEOUT_HOURS",
        default="48",
        read=readers.hours,
        about="A position as old as this is left.",
    ),
    Knob(
        name="EDGE_FACTORY_SYMBOL_COOLDOWN",
        default="4",
        read=readers.hours_or_none,
        about="For so many hours after a fill its symbol is not entered again; 0: no rest.",
    ),
    Knob(
        name="EDGE_FACTORY_DAILY_TURNOVER_CAP",
        default="2.0",
        read=readers.amount,
        about="No entry once the UTC day's entries come to so many times the equity.",
    ),
    Knob(
        name="EDGE_FACTORY_MIN_TRADE_NOTIONAL",
        default="1.0",
        read=readers.amount,
        about="A size below this is no order, in USD; the venue's own minimum holds besides.",
    ),
    Knob(
        name="EDGE_FACTORY_MIN_REMAINING_EQUITY",
        default="10",
        read=readers.amount,
        about="So much must be left beside all positions after an entry, in USD.",
    ),
)
