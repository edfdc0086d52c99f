"""The catalogue of settings: names, defaults, how each is read, and what each is for.

Pure tables and text readers; where values come from stands in `sources.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from zoe_tools.domain.money import HUNDRED, ZERO, decimal_of

_LARGEST = Decimal(10) ** 12
_HOUR_S = 3600
_SOONEST_S, _LATEST_S = 5, 600

CONSENT = "I_UNDERSTAND_LIVE"
OWN_PREFIXES = ("ZOE_", "EDGE_FACTORY_")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


# --- what a value may be: text in, value out, ValueError with the reason -------------------------


def _text(text: str) -> str:
    return text


def _amount(text: str) -> Decimal:
    value = decimal_of(text)
    if abs(value) > _LARGEST:
        raise ValueError(f"{text!r} is beyond all reason")
    if value < ZERO:
        raise ValueError(f"{text!r} is negative")
    return value


def _percent_above_zero(text: str) -> Decimal:
    value = _amount(text)
    if value == ZERO or value >= HUNDRED:
        raise ValueError(f"{text!r} is not a percentage between 0 and 100")
    return value


def _percent(text: str) -> Decimal:
    value = _amount(text)
    if value > HUNDRED:
        raise ValueError(f"{text!r} is more than 100 percent")
    return value


def _count(text: str) -> int:
    value = _amount(text)
    if value != value.to_integral_value():
        raise ValueError(f"{text!r} is not a whole number")
    return int(value)


def _seconds_above_zero(text: str) -> float:
    value = _amount(text)
    if value == ZERO:
        raise ValueError("0 s is no time at all")
    return float(value)


def _window(text: str) -> float:
    value = _amount(text)
    if value > _HOUR_S:
        raise ValueError(f"{text!r} is more than an hour, which is as far back as anybody looks")
    return float(value)


def _quantities(text: str) -> tuple[tuple[str, Decimal], ...]:
    found: dict[str, Decimal] = {}
    for each in text.split(","):
        name, separator, amount = each.strip().partition("=")
        if not name or not separator:
            raise ValueError(f"{each.strip()!r} is not of the form BTC-USD=0.5")
        found[name.strip().upper()] = _amount(amount.strip())
    return tuple(found.items())


def _ladder(text: str) -> tuple[tuple[Decimal, Decimal], ...]:
    """`50@3,50@6`: half at three percent, half at six."""
    rungs: list[tuple[Decimal, Decimal]] = []
    for each in text.split(","):
        share, separator, profit = each.strip().partition("@")
        if not separator:
            raise ValueError(f"{each.strip()!r} is not of the form 50@3")
        rungs.append((_amount(share.strip()), _amount(profit.strip())))
    profits = [profit for _, profit in rungs]
    if sum(share for share, _ in rungs) != HUNDRED or min(share for share, _ in rungs) == ZERO:
        raise ValueError(f"the shares of {text!r} are not 100 percent together, each above 0")
    if profits != sorted(profits) or profits[0] == ZERO:
        raise ValueError(f"the profits of {text!r} do not rise from above 0")
    return tuple(rungs)


def _lag(text: str) -> float:
    value = _amount(text)
    if value < 1:
        raise ValueError("what was not seen within a second may still come")
    return float(value)


def _interval(text: str) -> float:
    value = _amount(text)
    if not _SOONEST_S <= value <= _LATEST_S:
        raise ValueError(f"{text!r} is not between {_SOONEST_S} and {_LATEST_S} seconds")
    return float(value)


def _runs(text: str) -> int:
    value = _count(text)
    if value < 1:
        raise ValueError("an alarm cannot end before it was looked again")
    return value


def _flag(text: str) -> bool:
    word = text.lower()
    if word in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off"}:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"{text!r} is not one of {', '.join(words)}")
        return text.lower()

    return read


def _exchange(text: str) -> str:
    if text.lower() == "robinhood":
        raise ValueError("robinhood is not built yet; kraken is")
    return _one_of("kraken")(text)


def _nothing_yet(text: str) -> str:
    raise ValueError(
        f"no source of funding rates is built yet, {text!r} names none; leave it empty"
    )


def _symbols(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(each.strip().upper() for each in text.split(",") if each.strip()))
    if not names:
        raise ValueError(f"{text!r} names no symbol")
    return names


def _url_of(secure: str, open_scheme: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in {secure, open_scheme} or not parts.hostname:
            raise ValueError(f"{text!r} is not a {secure}:// address")
        if parts.scheme == open_scheme and parts.hostname not in _LOOPBACK:
            raise ValueError(f"{text!r} would send keys in the clear; use {secure}://")
        return text.rstrip("/")

    return read


def _database_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in {
        "sqlite",
        "sqlite+pysqlite",
        "postgres",
        "postgresql",
        "postgresql+psycopg",
    }:
        raise ValueError("it is neither a sqlite:/// nor a postgresql:// address")
    return text if scheme.startswith("sqlite") else f"postgresql+psycopg://{rest}"


# --- the catalogue of settings -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One setting: its name, how it is read, what it is when nobody says, and what it is for."""

    name: str
    about: str
    default: str = ""
    read: Callable[[str], object] = _text
    secret: bool = False
    unset: object = ""
    """What it is when nobody says and there is no default."""
    section: str = ""
    """A heading in the template, where a new group begins."""


KNOBS: tuple[Knob, ...] = (
    Knob(
        name="EDGE_FACTORY_MODE",
        default="paper",
        read=_one_of("paper", "live", "disabled"),
        about="paper | live | disabled. Live also needs I_UNDERSTAND_LIVE=1 in the environment.",
        section="What runs",
    ),
    Knob(
        name="EDGE_FACTORY_SYMBOLS",
        default="BTC-USD,ETH-USD,SOL-USD",
        read=_symbols,
        about="What the loop trades, separated by commas.",
    ),
    Knob(
        name="EDGE_FACTORY_FUNDING_SOURCE",
        read=_nothing_yet,
        about="Where funding rates come from; empty: the feature is absent and its rule off.",
    ),
    Knob(
        name="EXCHANGE",
        default="kraken",
        read=_exchange,
        about="The venue. Only kraken is built.",
        section="The venue",
    ),
    Knob(name="KRAKEN_API_KEY", secret=True, about="The API key (or KRAKEN_API_KEY_FILE)."),
    Knob(name="KRAKEN_API_SECRET", secret=True, about="Its secret (or KRAKEN_API_SECRET_FILE)."),
    Knob(name="KRAKEN_API_KEY_FILE", about="A file that holds the key; relative to ZOE_HOME."),
    Knob(name="KRAKEN_API_SECRET_FILE", about="A file that holds the secret; same."),
    Knob(
        name="KRAKEN_BASE_URL",
        default="https://api.kraken.com",
        read=_url_of("https", "http"),
        about="REST.",
    ),
    Knob(
        name="KRAKEN_WS_PUBLIC_URL",
        default="wss://ws.kraken.com/v2",
        read=_url_of("wss", "ws"),
        about="Market data.",
    ),
    Knob(
        name="KRAKEN_WS_PRIVATE_URL",
        default="wss://ws-auth.kraken.com/v2",
        read=_url_of("wss", "ws"),
        about="Executions, balances and orders.",
    ),
    Knob(
        name="KRAKEN_TIER",
        default="starter",
        read=_one_of("starter", "intermediate", "pro"),
        about="starter | intermediate | pro: the account's verification level sets its budgets.",
    ),
    Knob(
        name="DATABASE_URL",
        read=_database_url,
        about="sqlite:///... or postgresql://...; default: zoe.db in ZOE_HOME.",
        section="The store",
    ),
    Knob(name="SUPABASE_DB_URL", read=_database_url, about="The same, by Supabase's name."),
    Knob(
        name="BACKUP_MAX_AGE_HOURS",
        default="36",
        read=_amount,
        about="How old the newest `zoe db backup` may be, in hours; 0: nobody asks.",
    ),
    Knob(name="SUPABASE_URL", about="Known, not used: zoe talks to the database itself."),
    Knob(name="SUPABASE_KEY", secret=True, about="Known, not used."),
    Knob(name="SUPABASE_SERVICE_ROLE_KEY", secret=True, about="Known, not used."),
    Knob(
        name="MAX_NOTIONAL_PER_TRADE",
        default="25",
        read=_amount,
        about="The most that one entry may cost, in USD.",
        section="Risk: limits of the account, enforced on every new risk; 0 allows no entries",
    ),
    Knob(
        name="MAX_DAILY_NOTIONAL",
        default="50",
        read=_amount,
        about="The most that all entries of a UTC day may cost together, in USD.",
    ),
    Knob(name="MAX_OPEN_POSITIONS", default="3", read=_count, about="Positions at a time."),
    Knob(
        name="MAX_QUANTITY_PER_TRADE",
        read=_quantities,
        unset=(),
        about="The most that one entry may buy, e.g. BTC-USD=0.5,ETH-USD=10; empty: no such cap.",
    ),
    Knob(
        name="MAX_UNEXECUTED_NOTIONAL",
        read=_amount,
        unset=None,
        about="What working entries may be worth; empty: MAX_OPEN_POSITIONS full trades.",
    ),
    Knob(
        name="MAX_POSITION_NOTIONAL",
        read=_amount,
        unset=None,
        about="What one instrument may hold, in USD; empty: two full trades.",
    ),
    Knob(
        name="MAX_EXPOSURE_NOTIONAL",
        read=_amount,
        unset=None,
        about="What all of it may be worth, in USD; empty: MAX_OPEN_POSITIONS such positions.",
    ),
    Knob(
        name="ALLOWED_SYMBOLS",
        read=_symbols,
        unset=(),
        about="What may be entered, separated by commas; empty: EDGE_FACTORY_SYMBOLS.",
    ),
    Knob(
        name="MAX_OPEN_ORDERS",
        default="30",
        read=_count,
        about="With so many orders open nothing more is entered.",
    ),
    Knob(
        name="MAX_ORDERS_PER_MINUTE",
        default="60",
        read=_count,
        about="With so many orders placed within a minute nothing more is entered.",
    ),
    Knob(
        name="MAX_CANCEL_RATIO_PCT",
        default="95",
        read=_percent,
        about="No entry while more of the last hour's entries ended without a fill, in percent.",
    ),
    Knob(
        name="DUPLICATE_WINDOW_SECONDS",
        default="10",
        read=_window,
        about="The same entry again within this is taken for a mistake, in seconds; 0: never.",
    ),
    Knob(
        name="PRICE_COLLAR_PCT",
        default="5",
        read=_percent_above_zero,
        about="How far from the market an entry's price may be, in percent.",
    ),
    Knob(
        name="QUOTE_STALE_SECONDS",
        default="10",
        read=_seconds_above_zero,
        about="A quote older than this counts as none, in seconds.",
    ),
    Knob(
        name="ALLOW_WITHDRAWAL_KEY",
        default="false",
        read=_flag,
        about="Trade with a key that can also withdraw: whoever steals it takes the money.",
    ),
    Knob(
        name="STOP_LOSS_PCT",
        default="2",
        read=_percent_above_zero,
        about="How far below the entry a stop rests, in percent.",
    ),
    Knob(
        name="STOP_REFUSALS_UNTIL_SALE",
        default="3",
        read=_count,
        about="A position whose stop the venue refused so often for good is sold; 0: never.",
    ),
    Knob(
        name="TAKE_PROFIT_PCT",
        default="4",
        read=_percent_above_zero,
        about="How far above the entry profit is taken, in percent.",
    ),
    Knob(
        name="TAKE_PROFIT_LEVELS",
        read=_ladder,
        unset=(),
        about="Several targets instead: shares and profits in percent, e.g. 50@3,50@6.",
    ),
    Knob(
        name="TAKE_PROFIT_MODE",
        default="managed",
        read=_one_of("managed", "split", "resting"),
        about="Where targets live: managed / split / resting. See zoe repair-tp.",
    ),
    Knob(
        name="STOP_TRADING_ON_DEGRADED",
        default="true",
        read=_flag,
        about="No entries while books and venue differ unexplained. Exits are always allowed.",
    ),
    Knob(
        name="RECONCILE_CASH_TOLERANCE",
        default="2.0",
        read=_amount,
        about="A difference in cash up to this, in USD, is a note and no finding.",
    ),
    Knob(
        name="RECONCILE_QTY_TOLERANCE",
        default="0.000001",
        read=_amount,
        about="The same for quantities; never finer than the instrument's step.",
    ),
    Knob(
        name="RECONCILE_INTERVAL_SECONDS",
        default="120",
        read=_interval,
        about="How often a loop compares its books with the venue; 5 to 600.",
    ),
    Knob(
        name="RECONCILE_CLEAN_RUNS",
        default="3",
        read=_runs,
        about="So many comparisons in a row without a finding end an alarm.",
    ),
    Knob(
        name="SAFE_MODE_EMPTY_SCAN_THRESHOLD",
        default="3",
        read=_count,
        about="So many empty scans in a row put the loop into safe mode.",
    ),
    Knob(
        name="ORDER_TTL_SECONDS_ENTRY",
        default="60",
        read=_seconds_above_zero,
        about="How long an entry order may rest, in seconds.",
        section="Orders",
    ),
    Knob(
        name="ORDER_TTL_SECONDS_EXIT",
        default="30",
        read=_seconds_above_zero,
        about="How long an exit order may rest before it is repriced, in seconds.",
    ),
    Knob(
        name="VISIBILITY_LAG_SECONDS",
        default="60",
        read=_lag,
        about="How late records may show an order, in seconds; until then silence is no proof.",
    ),
    Knob(name="MAX_REPRICE_ATTEMPTS", default="3", read=_count, about="Per order."),
    Knob(
        name="REPRICE_STEP_BPS",
        default="5",
        read=_amount,
        about="How far one repricing moves, in basis points.",
    ),
    Knob(
        name="MAX_CROSS_SPREAD_BPS",
        default="20",
        read=_amount,
        about="How far an order may cross the spread, in basis points.",
    ),
    Knob(
        name="LIQUIDITY_GUARD_SPREAD_PCT",
        default="0.5",
        read=_amount,
        about="No entry where the spread is wider than this, in percent.",
    ),
)
KNOB: dict[str, Knob] = {knob.name: knob for knob in KNOBS}
ENVIRONMENT_ONLY = ("ZOE_HOME", CONSENT)
KNOWN_NAMES = (*KNOB, *ENVIRONMENT_ONLY)
UNUSED = ("SUPABASE_URL", "SUPABASE_KEY", "SUPABASE_SERVICE_ROLE_KEY")
BUILT_IN_PROFILES: dict[str, dict[str, str]] = {
    "paper": {
        "EDGE_FACTORY_MODE": "paper",
        "MAX_DAILY_NOTIONAL": "150",
        "MAX_OPEN_POSITIONS": "5",
    },
    "live": {"EDGE_FACTORY_MODE": "live"},
}


def env_template() -> str:
    """The commented `.env` that `zoe init` writes; every line is a default or an empty example."""
    lines = [
        "# Settings of zoe. A line counts once its leading # is gone.",
        "# An option, the process environment and zoe.toml outrank this file, in that order.",
        f"# {CONSENT} does not belong here: it counts in the process environment only.",
    ]
    for knob in KNOBS:
        if knob.name in UNUSED:
            continue
        if knob.section:
            lines += ["", f"# --- {knob.section}"]
        lines += [f"# {knob.about}", f"#{knob.name}={knob.default}"]
    return "\n".join(lines) + "\n"
