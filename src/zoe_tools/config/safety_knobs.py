"""The settings of safe mode's neighbour: invariants of the account, and what follows from them."""

from __future__ import annotations

from zoe_tools.config import readers
from zoe_tools.config.knob import Knob

LEVELS = ("pause-entries", "cancel-open", "reduce-only", "flatten")


def _limit(name: str, default: str, about: str) -> Knob:
    return Knob(name=name, default=default, read=readers.bound, unset=None, about=about)


SAFETY_KNOBS: tuple[Knob, ...] = (
    Knob(
        name="DEAD_MAN_SECONDS",
        default="0",
        read=readers.countdown,
        about="While an entry works: so long without the loop, and the venue cancels all; 0: off.",
    ),
    Knob(
        name="INVARIANT_DRAWDOWN_WARN_PCT",
        default="10",
        read=readers.percent_above_zero,
        about="A drawdown of so many percent warns; deposits and withdrawals are taken out.",
        section="Invariants: two warnings keep entries back, one critical latches a kill level",
    ),
    Knob(
        name="INVARIANT_DRAWDOWN_CRIT_PCT",
        default="15",
        read=readers.percent_above_zero,
        about="One of so many percent is critical.",
    ),
    Knob(
        name="INVARIANT_EQUITY_FLOOR",
        default="",
        read=readers.amount,
        unset=None,
        about="Equity below this is critical, in USD; empty: none.",
    ),
    _limit("INVARIANT_OPEN_NOTIONAL_CRIT", "500000", "So much in positions is critical, in USD."),
    _limit("INVARIANT_POSITIONS_WARN", "22", "So many positions at a time warn."),
    _limit("INVARIANT_POSITIONS_CRIT", "27", "So many are critical."),
    _limit("INVARIANT_POSITION_WARN_PCT", "35", "One position of so many percent of equity warns."),
    _limit("INVARIANT_REJECTS_WARN", "5", "So many refused orders within a minute warn."),
    _limit("INVARIANT_API_ERRORS_CRIT", "10", "So many failed calls within a minute are critical."),
    _limit("INVARIANT_CLOCK_SKEW_WARN_SEC", "30", "A clock so far from the venue's warns."),
    _limit("INVARIANT_CLOCK_SKEW_CRIT_SEC", "300", "One so far from it is critical."),
    _limit("INVARIANT_CANDLE_AGE_WARN_SEC", "120", "A closed candle overdue by so much warns."),
    _limit("INVARIANT_BLIND_CRIT_SEC", "3600", "Streams down for so long are critical."),
    _limit("INVARIANT_NAKED_CRIT_SEC", "240", "A position without a stop for so long is critical."),
    _limit(
        "INVARIANT_UNRECONCILED_CRIT_SEC",
        "1800",
        "Books that differ critically from the venue's for so long are critical.",
    ),
    _limit("INVARIANT_MARGIN_WARN_PCT", "85", "So many percent of equity used as margin warn."),
    _limit("INVARIANT_MARGIN_CRIT_PCT", "92", "So many are critical."),
    _limit(
        "INVARIANT_LIQUIDATION_CRIT_PCT",
        "125",
        "So many are Kraken's margin call (it liquidates from 250 on): liquidation_breach.",
    ),
    Knob(
        name="MARGIN_REARM_AFTER_SEC",
        default="300",
        read=readers.amount,
        about="What was latched for margin alone may be taken back after so many seconds.",
    ),
    Knob(
        name="MARGIN_REARMS_PER_DAY",
        default="2",
        read=readers.count,
        about="So often within a day, below INVARIANT_MARGIN_WARN_PCT; 0: never.",
    ),
    Knob(
        name="INVARIANT_HALT_LEVEL",
        default="cancel-open",
        read=readers.one_of(*LEVELS),
        about="The kill level that one critical violation latches.",
    ),
    Knob(
        name="INVARIANT_EMERGENCY_LEVEL",
        default="reduce-only",
        read=readers.one_of(*LEVELS),
        about="The one that two latch; flatten sells everything zoe manages, at the market.",
    ),
)
