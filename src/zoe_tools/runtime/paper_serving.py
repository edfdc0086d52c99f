"""`zoe paper serve`: the exchange of one home, in the foreground, until it is told to stop.

Its time never falls: an exchange that is served again begins where it was left, or now if that is
later. What market it has is noted in its folder, so that whoever starts it again starts the same.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zoe_tools.config import Settings
from zoe_tools.errors import ConfigError
from zoe_tools.paper.admin.fault_places import arm_written
from zoe_tools.paper.app import create_app
from zoe_tools.paper.engine.rate_counters import TierName
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.exchange.faults import FaultRule, rules_in
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.exchange.stream_limits import limits_of
from zoe_tools.paper.home import Endpoint, Keys, PaperHome, reached_at
from zoe_tools.paper.markets.file import open_market
from zoe_tools.paper.markets.mirror import MirroredMarket
from zoe_tools.paper.markets.synthetic import SyntheticMarket, SyntheticParams, params_in
from zoe_tools.paper.server import event_loop, resolved, serve
from zoe_tools.paper.values.market import MarketSource
from zoe_tools.paper.values.quirks import Quirks, quirks_in
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import moment_of, ns_of
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.clocks import ScaledClock, SystemClock
from zoe_tools.runtime.paper_clock import note_clock, time_after_a_break
from zoe_tools.runtime.paper_process import folder_of

if TYPE_CHECKING:
    from zoe_tools.runtime.mirror import Mirror

T = TypeVar("T")

FROZEN = "frozen"
"""A market that does not move any more: the exchange only answers for what was."""

SYNTHETIC = "synthetic"

MIRROR = "mirror"
"""The live public market of the configured venue."""

PARAMS = "params.json"
"""Where a home keeps the parameters of its made-up market."""

_MOST_BYTES = 1024 * 1024
_UNCOUNTED = 2**63
"""Open orders of a pair where no tier says how many there may be."""

_EXPOSED = (
    "the paper exchange listens on {}, not on loopback alone: whoever reaches the port can trade "
    "with the demo key, and everything passes in the clear, for there is no TLS."
)

_KEYLESS = "this exchange does not know its home's own key; `zoe paper key NAME` makes another."

STARTING_BALANCES: Mapping[str, Decimal] = {"USD": Decimal(10_000)}
"""What a fresh paper account holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOrder:
    """How to serve; `idle_timeout_s` 0 never stops by itself. `latency_s` in venue seconds.

    With `waits` the market stands still until a socket has subscribed.
    Without a `tier` nobody is limited, neither in calls nor in what is asked of the sockets.
    """

    host: str = "127.0.0.1"
    port: int = 0
    speed: float = 1.0
    market_data: Path | None = None
    waits: bool = False
    seed: int = 1
    pretend_live: bool = False
    idle_timeout_s: float = 0.0
    faults: tuple[FaultRule, ...] = ()
    market_params: Path | None = None
    is_mirror: bool = False
    latency_s: float = 0.0
    tier: TierName | None = "intermediate"
    quirks: Quirks = field(default_factory=Quirks)


def quirks_of(file: Path | None) -> Quirks:
    """The switches of a quirks file; without one everything is as usual.

    Raises:
        ConfigError: it cannot be read, or is no such file.
    """
    if file is None:
        return Quirks()
    return _parsed(file, quirks_in, "quirks file", "docs/paper.md")


def faults_in(file: Path) -> tuple[FaultRule, ...]:
    """The rules of a fault file.

    Raises:
        ConfigError: it cannot be read, or is no such file.
    """
    return _parsed(file, rules_in, "fault file", "docs/commands/paper-fault.md")


def content_of(file: Path) -> bytes:
    """The whole of a small file of settings; a pipe will do too.

    Raises:
        ConfigError: it cannot be read, or has no end.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{file} is too long: {_MOST_BYTES // 1024} KiB are enough.")
    return content


def _parsed(file: Path, parse: Callable[[bytes], T], kind: str, page: str) -> T:
    """What the file says; `page` shows one that is right."""
    content = content_of(file)
    try:
        return parse(content)
    except Refusal as refusal:
        raise ConfigError(
            f"{file} is no {kind}: {refusal.error.rpartition('arguments:')[2]}.",
            hint=f"{page} shows one.",
        ) from refusal


def serve_paper(settings: Settings, order: ServeOrder, printer: Printer) -> int:
    """Serve until SIGINT, SIGTERM, or idleness.

    Raises:
        ConfigError: the port is taken, or the home's exchange is served already.
        MarketDataError: the market file cannot be replayed.
        VenueError: the market that is to be mirrored cannot be asked.
    """
    _check(order)
    address = resolved(order.host)
    if not ip_address(address).is_loopback:
        printer.warn(_EXPOSED.format(address), always_seen=True)
    order = replace(order, host=address)
    home = PaperHome(folder_of(settings.home))
    with home.locked():
        state = StateFile(home.state_path)
        try:
            with asyncio.Runner(loop_factory=event_loop()) as runner:
                runner.run(_serve_market(settings, home, state, order, printer))
        finally:
            home.withdraw()
            state.close()
    return 0


def _check(order: ServeOrder) -> None:
    told = [order.market_data is not None, order.market_params is not None, order.is_mirror]
    if sum(told) > 1:
        raise ConfigError("--market-data, --market-params and --mirror exclude each other.")
    if order.is_mirror and order.speed != 1.0:
        raise ConfigError("A mirrored market goes at the speed of the world: --speed 1.")


async def _serve_market(
    settings: Settings, home: PaperHome, state: StateFile, order: ServeOrder, printer: Printer
) -> None:
    """With the market that is asked for, or the one that the home had."""
    told = order.market_data or order.market_params
    is_mirror = order.is_mirror or (told is None and _market(settings.home) == MIRROR)
    if not is_mirror:
        await _serve(settings.home, home, state, order, printer)
        return
    from zoe_tools.runtime.mirror import open_mirror  # noqa: PLC0415 - loads a whole client

    async with open_mirror(settings, SystemClock()) as mirror:
        note_market(settings.home, MIRROR)
        await _serve(settings.home, home, state, order, printer, mirror)


async def _serve(
    where: Path,
    home: PaperHome,
    state: StateFile,
    order: ServeOrder,
    printer: Printer,
    mirror: Mirror | None = None,
) -> None:
    saved = state.situation()
    is_recorded = order.market_data is not None or _market(where) not in (SYNTHETIC, MIRROR)
    epoch = datetime.now(UTC)  # noqa: TID251 - the exchange hands out the time; here it begins
    if saved is not None:
        left_at = moment_of(state.latest_moment())
        goes_on_at = time_after_a_break(where, left_at=left_at, speed=order.speed)
        epoch = left_at if is_recorded else max(epoch, goes_on_at)
    source: MarketSource | None
    if mirror is None:
        source = _source(where, state, order, starts_at=ns_of(epoch))
    else:
        source = MirroredMarket(mirror.pairs, starts_at=ns_of(epoch))
    if source is not None and is_recorded:
        starts_at = moment_of(source.starts_at)
        epoch = max(epoch, starts_at) if saved is not None else starts_at
    clock = ScaledClock(epoch=epoch, speed=order.speed)
    options = _options(order, is_mirror=mirror is not None)
    exchange = PaperExchange(source, clock, state=state, seed=order.seed, options=options)
    keys = home.keys()
    if saved is None:
        _open_account(exchange, keys)
    elif keys.api_key not in {one.api_key for one in exchange.principals}:
        printer.warn(_KEYLESS, always_seen=True)
    app = create_app(
        exchange,
        proof_secret=None if order.pretend_live else keys.proof_secret,
        speed=order.speed,
        admin_secret=keys.proof_secret,
    )
    _arm(exchange, order.faults)

    def announce(port: int) -> None:
        note_clock(where, venue=clock.now(), speed=order.speed)
        host = reached_at(order.host)
        limits = ("--no-limits",) if order.tier is None else ("--tier", order.tier)
        home.announce(port=port, speed=order.speed, host=host, limits=limits)
        endpoint = Endpoint(host=host, port=port, pid=os.getpid(), speed=order.speed)
        _tell(printer, endpoint, keys)

    serving = serve(
        exchange,
        app,
        host=order.host,
        port=order.port,
        idle_timeout_s=order.idle_timeout_s or None,
        on_listening=announce,
    )
    try:
        await (serving if mirror is None else _side_by_side(serving, mirror.run(exchange)))
    finally:
        exchange.close()


def _open_account(exchange: PaperExchange, keys: Keys) -> None:
    """The home's own account, with money to begin with in every currency that is paid in."""
    quotes = {pair.quote for pair in exchange.pairs}
    balances = dict.fromkeys(sorted(quotes), STARTING_BALANCES["USD"])
    exchange.create_account("paper", keys.api_key, keys.api_secret, balances=balances)


def _arm(exchange: PaperExchange, rules: tuple[FaultRule, ...]) -> None:
    try:
        arm_written(exchange, rules)
    except Refusal as refusal:
        raise ConfigError(
            f"The faults cannot be armed: {refusal.error.rpartition('arguments:')[2]}.",
            hint="`zoe paper fault` lists what there is.",
        ) from refusal


def _options(order: ServeOrder, *, is_mirror: bool) -> ExchangeOptions:
    return ExchangeOptions(
        is_mirror=is_mirror,
        wait_for_subscriber=order.waits,
        latency_s=order.latency_s,
        tier=order.tier,
        max_open_orders=_UNCOUNTED,
        quirks=order.quirks,
        streams=limits_of(order.tier),
    )


async def _side_by_side(
    serving: Coroutine[None, None, None], following: Coroutine[None, None, None]
) -> None:
    """Serve while the mirrored market is followed; a failure of either ends both."""
    tasks = [asyncio.create_task(serving), asyncio.create_task(following)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


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
    if order.market_params is not None:
        note_market(where, SYNTHETIC)
        _keep_params(where, order.market_params)
    market = _market(where)
    if market == FROZEN:
        return None
    if market != SYNTHETIC:
        return open_market(Path(market))
    return SyntheticMarket(
        f"{order.seed}:{starts_at}", starts_at=starts_at, params=_going_on_from(where, state)
    )


def _keep_params(where: Path, file: Path) -> None:
    """The home's market from now on; whoever starts it again gets the same.

    Raises:
        ConfigError: the file cannot be read, or makes no sense.
    """
    content = content_of(file)
    params_in(content)
    (folder_of(where) / PARAMS).write_bytes(content)


def _going_on_from(where: Path, state: StateFile) -> SyntheticParams:
    """The made-up market goes on near the prices it was left at."""
    kept = folder_of(where) / PARAMS
    params = params_in(kept.read_bytes()) if kept.is_file() else SyntheticParams()
    last = state.last_prices()
    prices = tuple(
        (symbol, max(1, int(last.get(symbol, Decimal(price)))))
        for symbol, price in params.start_prices
    )
    return replace(params, start_prices=prices)


def _tell(printer: Printer, endpoint: Endpoint, keys: Keys) -> None:
    rows = {
        "rest_url": endpoint.rest_url,
        "ws_url": endpoint.ws_url,
        "ws_auth_url": endpoint.ws_private_url,
        "ws_l3_url": endpoint.ws_level3_url,
        "api_key": keys.api_key,
        "api_secret": keys.api_secret,
    }
    printer.report(
        "Paper exchange", [(name.replace("_", " "), told) for name, told in rows.items()]
    )
    printer.result(rows)
