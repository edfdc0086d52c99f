"""The catalogue of settings: names, defaults, how each is read, and what each is for.

Pure tables; where values come from stands in `sources.py`.
"""

from __future__ import annotations

from zoe_tools.config import readers
from zoe_tools.config.knob import Knob
from zoe_tools.config.market_knobs import MARKET_KNOBS
from zoe_tools.config.safety_knobs import SAFETY_KNOBS
from zoe_tools.config.strategy_knobs import STRATEGY_KNOBS

CONSENT = "I_UNDERSTAND_LIVE"
OWN_PREFIXES = ("ZOE_", "EDGE_FACTORY_")

KNOBS: tuple[Knob, ...] = (
    Knob(
        name="EDGE_FACTORY_MODE",
        default="paper",
        read=readers.one_of("paper", "live", "disabled"),
        about="paper | live | disabled. Live also needs I_UNDERSTAND_LIVE=1 in the environment.",
        section="What runs",
    ),
    Knob(
        name="EDGE_FACTORY_SYMBOLS",
        default="BTC-USD,ETH-USD,SOL-USD",
        read=readers.symbols,
        about="What the loop trades, separated by commas.",
    ),
    Knob(
        name="EXCHANGE",
        default="kraken",
        read=readers.exchange,
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
        read=readers.url_of("https", "http"),
        about="REST.",
    ),
    Knob(
        name="KRAKEN_WS_PUBLIC_URL",
        default="wss://ws.kraken.com/v2",
        read=readers.url_of("wss", "ws"),
        about="Market data.",
    ),
    Knob(
        name="KRAKEN_WS_PRIVATE_URL",
        default="wss://ws-auth.kraken.com/v2",
        read=readers.url_of("wss", "ws"),
        about="Executions, balances and orders.",
    ),
    Knob(
        name="KRAKEN_FUTURES_BASE_URL",
        default="https://futures.kraken.com",
        read=readers.url_of("https", "http"),
        about="Perpetual funding, where EDGE_FACTORY_FUNDING_SOURCE wants it; no key is sent.",
    ),
    Knob(
        name="KRAKEN_TIER",
        default="starter",
        read=readers.one_of("starter", "intermediate", "pro"),
        about="starter | intermediate | pro: the account's verification level sets its budgets.",
    ),
    Knob(
        name="DATABASE_URL",
        read=readers.database_url,
        about="sqlite:///... or postgresql://...; default: zoe.db in ZOE_HOME.",
        section="The store",
    ),
    Knob(name="SUPABASE_DB_URL", read=readers.database_url, about="The same, by Supabase's name."),
    Knob(
        name="BACKUP_MAX_AGE_HOURS",
        default="36",
        read=readers.amount,
        about="How old the newest `zoe db backup` may be, in hours; 0: nobody asks.",
    ),
    Knob(name="SUPABASE_URL", about="Known, not used: zoe talks to the database itself."),
    Knob(name="SUPABASE_KEY", secret=True, about="Known, not used."),
    Knob(name="SUPABASE_SERVICE_ROLE_KEY", secret=True, about="Known, not used."),
    Knob(
        name="ALERT_EXEC",
        read=readers.command,
        unset=(),
        about="A command that is told alerts, as JSON on its standard input; its whole path first.",
        section="Alerts",
    ),
    Knob(
        name="ALERT_REPEAT_SECONDS",
        default="900",
        read=readers.pause,
        about="The same alert about the same thing is told once within this, in seconds.",
    ),
    Knob(
        name="MAX_NOTIONAL_PER_TRADE",
        default="25",
        read=readers.amount,
        about="The most that one entry may cost, in USD.",
        section="Risk: limits of the account, enforced on every new risk; 0 allows no entries",
    ),
    Knob(
        name="MAX_DAILY_NOTIONAL",
        default="50",
        read=readers.amount,
        about="The most that all entries of a UTC day may cost together, in USD.",
    ),
    Knob(name="MAX_OPEN_POSITIONS", default="3", read=readers.count, about="Positions at a time."),
    Knob(
        name="MAX_QUANTITY_PER_TRADE",
        read=readers.quantities,
        unset=(),
        about="The most that one entry may buy, e.g. BTC-USD=0.5,ETH-USD=10; empty: no such cap.",
    ),
    Knob(
        name="MAX_UNEXECUTED_NOTIONAL",
        read=readers.amount,
        unset=None,
        about="What working entries may be worth; empty: MAX_OPEN_POSITIONS full trades.",
    ),
    Knob(
        name="MAX_POSITION_NOTIONAL",
        read=readers.amount,
        unset=None,
        about="What one instrument may hold, in USD; empty: two full trades.",
    ),
    Knob(
        name="MAX_EXPOSURE_NOTIONAL",
        read=readers.amount,
        unset=None,
        about="What all of it may be worth, in USD; empty: MAX_OPEN_POSITIONS such positions.",
    ),
    Knob(
        name="ALLOWED_SYMBOLS",
        read=readers.symbols,
        unset=(),
        about="What may be entered, separated by commas; empty: EDGE_FACTORY_SYMBOLS.",
    ),
    Knob(
        name="MAX_OPEN_ORDERS",
        default="30",
        read=readers.count,
        about="With so many orders open nothing more is entered.",
    ),
    Knob(
        name="MAX_ORDERS_PER_MINUTE",
        default="60",
        read=readers.count,
        about="With so many orders placed within a minute nothing more is entered.",
    ),
    Knob(
        name="MAX_CANCEL_RATIO_PCT",
        default="95",
        read=readers.percent,
        about="No entry while more of the last hour's entries ended without a fill, in percent.",
    ),
    Knob(
        name="DUPLICATE_WINDOW_SECONDS",
        default="10",
        read=readers.window,
        about="The same entry again within this is taken for a mistake, in seconds; 0: never.",
    ),
    Knob(
        name="PRICE_COLLAR_PCT",
        default="5",
        read=readers.percent_above_zero,
        about="How far from the market an entry's price may be, in percent.",
    ),
    Knob(
        name="QUOTE_STALE_SECONDS",
        default="10",
        read=readers.seconds_above_zero,
        about="A quote older than this counts as none, in seconds.",
    ),
    Knob(
        name="ALLOW_WITHDRAWAL_KEY",
        default="false",
        read=readers.flag,
        about="Trade with a key that can also withdraw: whoever steals it takes the money.",
    ),
    Knob(
        name="STOP_LOSS_PCT",
        default="2",
        read=readers.percent_above_zero,
        about="How far below the entry a stop rests, in percent.",
    ),
    Knob(
        name="STOP_DEADLINE_SECONDS",
        default="1",
        read=readers.stop_deadline,
        about="So soon the venue must take a stop, or it is looked for and sent again; REST: 3.5.",
    ),
    Knob(
        name="STOP_REFUSALS_UNTIL_SALE",
        default="3",
        read=readers.count,
        about="A position whose stop the venue refused so often for good is sold; 0: never.",
    ),
    Knob(
        name="TRAILING_STOP_PCT",
        default="0",
        read=readers.share_of_hundred,
        about="How far below the highest bid the stop follows the market up, in percent; 0: never.",
    ),
    Knob(
        name="BREAK_EVEN_AT_PCT",
        default="0",
        read=readers.percent,
        about="From this profit on the stop rests where nothing is lost, in percent; 0: never.",
    ),
    Knob(
        name="MAX_POSITION_HOURS",
        default="0",
        read=readers.hours_or_none,
        about="A position that is held for longer is left; 0: never.",
    ),
    Knob(
        name="TAKE_PROFIT_PCT",
        default="4",
        read=readers.percent_above_zero,
        about="How far above the entry profit is taken, in percent.",
    ),
    Knob(
        name="TAKE_PROFIT_LEVELS",
        read=readers.ladder,
        unset=(),
        about="Several targets instead: shares and profits in percent, e.g. 50@3,50@6.",
    ),
    Knob(
        name="TAKE_PROFIT_MODE",
        default="managed",
        read=readers.one_of("managed", "split", "resting"),
        about="Where targets live: managed / split / resting. See zoe repair-tp.",
    ),
    Knob(
        name="ALLOW_TARGETS_WITHOUT_STOP",
        default="false",
        read=readers.flag,
        about="Let targets rest (split, resting): what they hold has no stop at the venue then.",
    ),
    Knob(
        name="STOP_TRADING_ON_DEGRADED",
        default="true",
        read=readers.flag,
        about="No entries while books and venue differ unexplained. Exits are always allowed.",
    ),
    Knob(
        name="RECONCILE_CASH_TOLERANCE",
        default="2.0",
        read=readers.amount,
        about="A difference in cash up to this, in USD, is a note and no finding.",
    ),
    Knob(
        name="RECONCILE_QTY_TOLERANCE",
        default="0.000001",
        read=readers.amount,
        about="The same for quantities; never finer than the instrument's step.",
    ),
    Knob(
        name="RECONCILE_INTERVAL_SECONDS",
        default="120",
        read=readers.interval,
        about="How often a loop compares its books with the venue; 5 to 600.",
    ),
    Knob(
        name="RECONCILE_CLEAN_RUNS",
        default="3",
        read=readers.runs,
        about="So many comparisons in a row without a finding end an alarm.",
    ),
    Knob(
        name="SAFE_MODE_EMPTY_SCAN_THRESHOLD",
        default="3",
        read=readers.count,
        about="So many rounds in a row without a market to decide about: safe mode; 0: never.",
    ),
    Knob(
        name="SAFE_MODE_MARKET_STALE_SEC",
        default="60",
        read=readers.window,
        about="No entry in an instrument without a quote for so many seconds; 0: no limit.",
    ),
    Knob(
        name="SAFE_MODE_TRADES_STALE_SEC",
        default="300",
        read=readers.window,
        about="The same without a print.",
    ),
    Knob(
        name="SAFE_MODE_CANDLE_STALE_SEC",
        default="120",
        read=readers.window,
        about="The same where a closed candle is overdue by so many seconds.",
    ),
    Knob(
        name="SAFE_MODE_MAX_API_ERRORS",
        default="3",
        read=readers.count,
        about="No entry while so many calls failed within the window; 0: never.",
    ),
    Knob(
        name="SAFE_MODE_API_ERROR_WINDOW_SEC",
        default="300",
        read=readers.window,
        about="That window, in seconds.",
    ),
    Knob(
        name="ORDER_TTL_SECONDS_ENTRY",
        default="60",
        read=readers.seconds_above_zero,
        about="How long an entry order may rest before it is repriced, in seconds.",
        section="Orders",
    ),
    Knob(
        name="ORDER_TTL_SECONDS_EXIT",
        default="30",
        read=readers.seconds_above_zero,
        about="How long an exit order may rest before it is repriced, in seconds.",
    ),
    Knob(
        name="VISIBILITY_LAG_SECONDS",
        default="60",
        read=readers.lag,
        about="How late records may show an order, in seconds; until then silence is no proof.",
    ),
    Knob(
        name="MAX_REPRICE_ATTEMPTS",
        default="3",
        read=readers.count,
        about="How often an order is repriced before it is given up, or sold at the market.",
    ),
    Knob(
        name="REPRICE_STEP_BPS",
        default="5",
        read=readers.amount,
        about="How far the first repricing moves, the second twice as far, ..., in basis points.",
    ),
    Knob(
        name="MAX_CROSS_SPREAD_BPS",
        default="20",
        read=readers.amount,
        about="How far from its own side of the book an order may be priced, in basis points.",
    ),
    Knob(
        name="LIQUIDITY_GUARD_SPREAD_PCT",
        default="0.5",
        read=readers.amount,
        about="No entry where the spread is wider; working ones go, exits hasten; in percent.",
    ),
    Knob(
        name="MAX_AVERAGE_SLIPPAGE_BPS",
        default="50",
        read=readers.amount,
        about="No entries while the last 20 fills slipped more than this on average.",
    ),
    *SAFETY_KNOBS,
    *STRATEGY_KNOBS,
    *MARKET_KNOBS,
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
