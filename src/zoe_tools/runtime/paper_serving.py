"""`zoe paper serve`: the exchange of one home, in the foreground, until it is told to stop.

Its time never falls: an exchange that is served again begins where it was left, or now if that is
later. What market it has is noted in its folder, so that whoever starts it again starts the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from zoe_tools.config import Settings
from zoe_tools.errors import ConfigError
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange import PaperExchange
from zoe_tools.paper.faults import FaultRule, rules_in
from zoe_tools.paper.home import Keys, PaperHome
from zoe_tools.paper.market import MarketSource
from zoe_tools.paper.market_file import open_market
from zoe_tools.paper.market_synthetic import SyntheticMarket, SyntheticParams
from zoe_tools.paper.refusal import Refusal
from zoe_tools.paper.server import serve
from zoe_tools.paper.state import StateFile
from zoe_tools.paper.times import moment_of, ns_of
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.clocks import ScaledClock
from zoe_tools.runtime.paper_process import folder_of, note_clock

FROZEN = "frozen"
"""A market that does not move any more: the exchange only answers for what was."""

SYNTHETIC = "synthetic"

STARTING_BALANCES: Mapping[str, Decimal] = {"USD": Decimal(10_000)}
"""What a fresh paper account holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOrder:
    """How to serve; `idle_timeout_s` 0 never stops by itself."""

    port: int = 0
    speed: float = 1.0
    market_data: Path | None = None
    seed: int = 1
    pretend_live: bool = False
    idle_timeout_s: float = 0.0
    faults: tuple[FaultRule, ...] = ()


def faults_in(file: Path) -> tuple[FaultRule, ...]:
    """The rules of a fault file.

    Raises:
        ConfigError: it cannot be read, or is no such file.
    """
    try:
        return rules_in(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
    except Refusal as refusal:
        raise ConfigError(
            f"{file} is no fault file: {refusal.error.rpartition('arguments:')[2]}.",
            hint="docs/commands/paper-fault.md shows one.",
        ) from refusal


def serve_paper(settings: Settings, order: ServeOrder, printer: Printer) -> int:
    """Serve until SIGINT, SIGTERM, or idleness.

    Raises:
        ConfigError: the port is taken, or the home's exchange is served already.
        MarketDataError: the market file cannot be replayed.
    """
    home = PaperHome(folder_of(settings.home))
    with home.locked():
        state = StateFile(home.state_path)
        try:
            asyncio.run(_serve(settings.home, home, state, order, printer))
        finally:
            home.withdraw()
            state.close()
    return 0


async def _serve(
    where: Path, home: PaperHome, state: StateFile, order: ServeOrder, printer: Printer
) -> None:
    saved = state.situation()
    is_recorded = order.market_data is not None or _market(where) != SYNTHETIC
    epoch = datetime.now(UTC)  # noqa: TID251 - the exchange hands out the time; here it begins
    if saved is not None:
        left_at = moment_of(state.latest_moment())
        epoch = left_at if is_recorded else max(epoch, left_at)
    source = _source(where, state, order, starts_at=ns_of(epoch))
    if source is not None and is_recorded:
        starts_at = moment_of(source.starts_at)
        epoch = max(epoch, starts_at) if saved is not None else starts_at
    clock = ScaledClock(epoch=epoch, speed=order.speed)
    exchange = PaperExchange(source, clock, state=state, seed=order.seed)
    keys = home.keys()
    if saved is None:
        quotes = {pair.quote for pair in exchange.pairs}
        balances = dict.fromkeys(sorted(quotes), STARTING_BALANCES["USD"])
        exchange.create_account("paper", keys.api_key, keys.api_secret, balances=balances)
    app = create_app(
        exchange,
        proof_secret=None if order.pretend_live else keys.proof_secret,
        speed=order.speed,
        admin_secret=keys.proof_secret,
    )
    for rule in order.faults:
        exchange.arm_fault(rule)

    def announce(port: int) -> None:
        note_clock(where, venue=clock.now(), speed=order.speed)
        home.announce(port=port, speed=order.speed)
        _tell(printer, port, keys)

    try:
        await serve(
            exchange,
            app,
            port=order.port,
            idle_timeout_s=order.idle_timeout_s or None,
            on_listening=announce,
        )
    finally:
        exchange.close()


def note_market(where: Path, market: str) -> None:
    """Write down what market the exchange of this home has."""
    (folder_of(where) / "market.json").write_text(json.dumps({"market": market}))


def _market(where: Path) -> str:
    try:
        told = json.loads((folder_of(where) / "market.json").read_text())
        return str(told["market"])
    except FileNotFoundError:
        return SYNTHETIC
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"The paper exchange's market file is damaged: {error}.",
            hint="Run `zoe paper reset --execute` for a fresh exchange.",
        ) from error


def _source(
    where: Path, state: StateFile, order: ServeOrder, *, starts_at: int
) -> MarketSource | None:
    if order.market_data is not None:
        note_market(where, str(order.market_data.absolute()))
        return open_market(order.market_data)
    market = _market(where)
    if market == FROZEN:
        return None
    if market != SYNTHETIC:
        return open_market(Path(market))
    return SyntheticMarket(
        f"{order.seed}:{starts_at}", starts_at=starts_at, params=_going_on_from(state)
    )


def _going_on_from(state: StateFile) -> SyntheticParams:
    """The made-up market goes on near the prices it was left at."""
    params = SyntheticParams()
    last = state.last_prices()
    prices = tuple(
        (symbol, max(1, int(last.get(symbol, Decimal(price)))))
        for symbol, price in params.start_prices
    )
    return SyntheticParams(start_prices=prices)


def _tell(printer: Printer, port: int, keys: Keys) -> None:
    rest_url = f"http://127.0.0.1:{port}"
    ws_url = f"ws://127.0.0.1:{port}/v2"
    rows = {
        "rest_url": rest_url,
        "ws_url": ws_url,
        "ws_auth_url": f"{ws_url}/private",
        "api_key": keys.api_key,
        "api_secret": keys.api_secret,
    }
    printer.report(
        "Paper exchange", [(name.replace("_", " "), told) for name, told in rows.items()]
    )
    printer.result(rows)
