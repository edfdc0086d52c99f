"""What clients by others are expected to pass, and the tables that say so in docs/paper.md.

A cell is what the suite shows: `yes`, the class of an exception, or `no` with a note that names the
client's own fault. `make conformance` shows every cell that is not a `no`, and writes the tables.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

CCXT, PRO, KRAKENEX = "ccxt", "ccxt.pro", "krakenex"
SDK, SDK_WS = "python-kraken-sdk", "python-kraken-sdk (sockets)"
CLIENTS = (CCXT, PRO, KRAKENEX, SDK)
YES = "yes"
PINS = Path(__file__).parents[1] / "constraints.txt"
START, END = "<!-- conformance: made by the suite -->", "<!-- conformance: end -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One table: what is tried, by whom."""

    title: str
    first: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]


NOTES: Mapping[str, str] = {
    "a": "krakenex speaks REST alone.",
    "b": (
        "ccxt.pro has a checksum option, but turns prices into floats first, and stumbles over its "
        "own number format (`AttributeError: 'float' object has no attribute 'split'`)."
    ),
    "c": "ccxt speaks REST alone; its sockets are ccxt.pro.",
    "d": (
        "ccxt.pro sends the cost of a market order as its quantity (`order_qty`), never "
        "`cash_order_qty`."
    ),
    "e": "krakenex raises nothing of its own: the words are in the answer's `error`.",
    "f": "This client's table does not have these words: it raises its general error.",
    "g": "python-kraken-sdk does not know these words: it raises nothing, and returns the answer.",
    "h": (
        "ccxt.pro puts parameters that it does not know beside the request's `params`, where the "
        "socket does not read them."
    ),
    "i": "ccxt.pro has no such stream.",
    "j": "python-kraken-sdk finds `Unknown asset` in these words first.",
    "k": "ccxt and ccxt.pro order a report and see it made, and then take the zip for text.",
}


def _all(*rows: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(rows, (YES, YES, YES, YES))


JOBS = Grid(
    title="What passes per client",
    first="job",
    columns=CLIENTS,
    rows={
        **_all(
            "load markets",
            "server's time and status",
            "ticker, book, candles and trades over REST",
            "balances over REST",
            "place, query, amend and cancel over REST",
            "amend limit and trigger prices",
            "edit an order into a new one",
            "find and cancel by own id and reference",
            "batches and cancel all",
            "dead man's switch",
            "page own trades, closed orders and ledger",
            "page public trades and candles",
            "open, reduce and settle a position",
            "deposits, withdrawals and transfers",
        ),
        "exports": ("no (k)", "no (k)", YES, YES),
        "place, amend and cancel over sockets": ("no (c)", YES, "no (a)", YES),
        "order book over sockets": ("no (c)", YES, "no (a)", YES),
        "checksums of the book": ("no (c)", "no (b)", "no (a)", YES),
        "notice a corrupt checksum": ("no (c)", "no (b)", "no (a)", YES),
        "order by order (level 3)": ("no (c)", "no (i)", "no (a)", YES),
        "ticker, trades and candles over sockets": ("no (c)", YES, "no (a)", YES),
        "own orders and fills over sockets": ("no (c)", YES, "no (a)", YES),
        "balances over sockets": ("no (c)", YES, "no (a)", YES),
        "own streams again after a lost connection": ("no (c)", YES, "no (a)", YES),
        "come back after a lost connection": (YES, YES, YES, YES),
    },
)
ORDERS = Grid(
    title="Orders: placed, queried, amended where they rest, cancelled",
    first="kind",
    columns=(CCXT, PRO, KRAKENEX, SDK, SDK_WS),
    rows={
        "market": (YES, YES, YES, YES, YES),
        "market, sized in quote": (YES, "no (d)", YES, YES, YES),
        "limit": (YES, YES, YES, YES, YES),
        "post-only": (YES, YES, YES, YES, YES),
        "immediate or cancel": (YES, YES, YES, YES, YES),
        "fill or kill": (YES, YES, YES, YES, YES),
        "good till date": (YES, "no (h)", YES, YES, YES),
        "iceberg": (YES, "no (h)", YES, YES, YES),
        "stop-loss": (YES, YES, YES, YES, YES),
        "stop-loss-limit": (YES, YES, YES, YES, YES),
        "take-profit": (YES, YES, YES, YES, YES),
        "take-profit-limit": (YES, YES, YES, YES, YES),
        "trailing-stop": (YES, YES, YES, YES, YES),
        "trailing-stop-limit": (YES, YES, YES, YES, YES),
        "trailing-stop by an amount": (YES, YES, YES, YES, YES),
        "scheduled": (YES, "no (h)", YES, YES, YES),
        "self-trade rule": (YES, "no (h)", YES, YES, YES),
        "conditional close": (YES, YES, YES, YES, YES),
        "own id": (YES, YES, YES, YES, YES),
        "user reference": (YES, "no (h)", YES, YES, YES),
        "fee in base": (YES, "no (h)", YES, YES, YES),
        "with a deadline": (YES, "no (h)", YES, YES, YES),
        "on margin": (YES, "no (h)", YES, YES, YES),
    },
)


def _raised(*names: str) -> tuple[str, ...]:
    """Class names as code; what follows one is its note."""
    told = [name.partition(" ") for name in names]
    return tuple(f"`{name}`{blank}{note}" for name, blank, note in told)


ERRORS = Grid(
    title="What goes wrong, and what the client makes of it",
    first="trouble",
    columns=CLIENTS,
    rows={
        "insufficient funds": _raised(
            "InsufficientFunds", "ExchangeError (f)", "error (e)", "KrakenInsufficientFundsError"
        ),
        "below the minimum": _raised(
            "InvalidOrder", "ExchangeError (f)", "error (e)", "KrakenOrderMinimumNotMetError"
        ),
        "price too fine": _raised(
            "ExchangeError (f)", "ExchangeError (f)", "error (e)", "KrakenInvalidPriceError"
        ),
        "would take, but is post-only": _raised(
            "ExchangeError (f)", "ExchangeError (f)", "error (e)", "error (g)"
        ),
        "unknown pair": _raised(
            "ExchangeError (f)", "ExchangeError (f)", "error (e)", "KrakenUnknownAssetError (j)"
        ),
        "unknown order": _raised(
            "InvalidOrder", "InvalidOrder", "error (e)", "KrakenInvalidOrderError"
        ),
        "unknown key": _raised(
            "AuthenticationError", "AuthenticationError", "error (e)", "KrakenInvalidAPIKeyError"
        ),
        "wrong signature": _raised(
            "ExchangeError (f)", "ExchangeError (f)", "error (e)", "KrakenInvalidSignatureError"
        ),
        "permission missing": _raised(
            "PermissionDenied", "PermissionDenied", "error (e)", "KrakenPermissionDeniedError"
        ),
        "a nonce that does not rise": _raised(
            "InvalidNonce", "InvalidNonce", "error (e)", "KrakenInvalidNonceError"
        ),
        "REST rate limit": _raised(
            "DDoSProtection", "DDoSProtection", "error (e)", "KrakenApiLimitExceededError"
        ),
        "engine's rate limit": _raised(
            "DDoSProtection", "RateLimitExceeded", "error (e)", "KrakenRateLimitExceededError"
        ),
        "stale token of a socket": ("no (c)", "`AuthenticationError`", "no (a)", "`error` (g)"),
        "engine busy": _raised(
            "ExchangeNotAvailable", "ExchangeNotAvailable", "error (e)", "error (g)"
        ),
        "service unavailable": _raised(
            *("ExchangeNotAvailable", "ExchangeNotAvailable", "error (e)"),
            "KrakenServiceUnavailableError",
        ),
        "throttled": _raised("ExchangeError (f)", "ExchangeError (f)", "error (e)", "error (g)"),
        "HTML page, status 502": _raised(
            "ExchangeNotAvailable", "ExchangeNotAvailable", "HTTPError", "Exception"
        ),
        "HTML page, status 520": _raised(
            "ExchangeNotAvailable", "ExchangeNotAvailable", "HTTPError", "Exception"
        ),
        "no answer in time": _raised(
            "RequestTimeout", "RequestTimeout", "ReadTimeout", "ReadTimeout"
        ),
        "connection cut": _raised(
            "NetworkError", "ExchangeNotAvailable", "ConnectionError", "ConnectionError"
        ),
        "maintenance": _raised(
            *("ExchangeNotAvailable", "ExchangeNotAvailable", "error (e)"),
            "KrakenServiceUnavailableError",
        ),
        "cancel-only mode": _raised(
            "OnMaintenance", "OnMaintenance", "error (e)", "KrakenMarketInOnlyCancelModeError"
        ),
        "post-only mode": _raised(
            "OnMaintenance", "OnMaintenance", "error (e)", "KrakenMarketInOnlyPostModeError"
        ),
    },
)
GRIDS: tuple[Grid, ...] = (JOBS, ORDERS, ERRORS)


def cells() -> dict[tuple[str, str], str]:
    """Every cell of every table, by client and row."""
    return {
        (client, row): told
        for grid in GRIDS
        for row, line in grid.rows.items()
        for client, told in zip(grid.columns, line, strict=True)
    }


def missing(shown: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """Cells that claim something nobody showed, and things shown that have no cell."""
    claimed = {where for where, told in cells().items() if not told.startswith("no ")}
    return sorted(claimed ^ set(shown))


def with_tables(page: str, shown: Collection[tuple[str, str]] | None = None) -> str:
    """The page with its tables as they are; None: as if all had been shown."""
    pattern = re.compile(f"{re.escape(START)}.*?{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{START}\n{_told(shown)}\n{END}", page)


def versions() -> dict[str, str]:
    """The clients that are installed, as they are pinned."""
    pinned = dict(line.split("==") for line in PINS.read_text().splitlines() if "==" in line)
    return {name: pinned[name] for name in (CCXT, KRAKENEX, SDK)}


def _told(shown: Collection[tuple[str, str]] | None) -> str:
    tried = ", ".join(f"{name} {version}" for name, version in versions().items())
    tables = [_table(grid, shown) for grid in GRIDS]
    return "\n\n".join([f"Tried: {tried}. ccxt.pro is part of ccxt.", *tables, _notes()])


def _table(grid: Grid, shown: Collection[tuple[str, str]] | None) -> str:
    lines = [f"**{grid.title}**", "", _line(grid.first, *grid.columns)]
    lines.append(_line(*("---" for _ in range(len(grid.columns) + 1))))
    for row, told in grid.rows.items():
        each = zip(grid.columns, told, strict=True)
        cells_here = [_cell(told, (client, row), shown) for client, told in each]
        lines.append(_line(row, *cells_here))
    return "\n".join(lines)


def _cell(told: str, where: tuple[str, str], shown: Collection[tuple[str, str]] | None) -> str:
    if shown is None or where in shown or told.startswith("no "):
        return told
    return "**not shown**"


def _line(*texts: str) -> str:
    return f"| {' | '.join(texts)} |"


def _notes() -> str:
    used = " ".join(cells().values())
    return "\n".join(f"- ({key}) {text}" for key, text in NOTES.items() if f"({key})" in used)
