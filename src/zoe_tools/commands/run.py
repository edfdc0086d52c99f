"""`zoe run`: the trading loop, live, on paper, or over a recorded market."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import re
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from zoe_tools import __version__
from zoe_tools.commands.invocation import Invocation
from zoe_tools.config import Settings
from zoe_tools.core.left_behind import NOTHING, LeftBehind
from zoe_tools.core.run_report import RunResult
from zoe_tools.domain.plan import canonical_json
from zoe_tools.errors import ConfigError, OutcomeUnknown, VenueError
from zoe_tools.observe.outlet import EDGE
from zoe_tools.render.printer import Printer
from zoe_tools.render.runs import RunPrinter, show_result
from zoe_tools.runtime.auditor import Audit, audit_blocking
from zoe_tools.runtime.context import account_of, demand_books
from zoe_tools.runtime.live_run import RunOrder, run_live
from zoe_tools.runtime.paper_process import request_paper
from zoe_tools.runtime.replay_order import ReplayOrder
from zoe_tools.runtime.run_home import new_run_home, wall_time
from zoe_tools.runtime.strategies import strategy_named

_FINDINGS = 3
MAX_SPEED = 120.0
"""Above it a round trip over the wire takes longer than the deadline of an order."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)([smhd])$")


_Strategy = Annotated[str, typer.Option(help="edge, demo, hold, or the name of a plug-in.")]
_MarketData = Annotated[
    Path | None, typer.Option(help="Replay this recorded market on a fresh paper account.")
]
_From = Annotated[
    str, typer.Option("--from", help="Replay from then on: 2019-03-01, or with a time, UTC.")
]
_To = Annotated[str, typer.Option("--to", help="Replay up to then.")]
_Speed = Annotated[
    str, typer.Option(help="Venue seconds per second on paper, or max for a replay.")
]
_Shadow = Annotated[bool, typer.Option("--shadow", help="Decide and record, send nothing.")]
_Standby = Annotated[
    bool, typer.Option("--standby", help="Wait for the loop that runs, and take over from it.")
]
_AllowDuplicates = Annotated[
    bool,
    typer.Option("--allow-duplicates", help="The same entry twice is meant, not a mistake."),
]
_Curve = Annotated[Path | None, typer.Option(help="Write a replay's equity curve here, as CSV.")]


def run(
    ctx: typer.Context,
    *,
    strategy: _Strategy = "edge",
    for_: Annotated[str, typer.Option("--for", help="Stop after, e.g. 90s, 10m, 2h.")] = "",
    cycles: Annotated[int | None, typer.Option(help="Stop after so many cycles.", min=1)] = None,
    market_data: _MarketData = None,
    from_: _From = "",
    to: _To = "",
    speed: _Speed = "",
    seed: Annotated[int, typer.Option(help="For everything that is drawn.", min=0)] = 1,
    shadow: _Shadow = False,
    standby: _Standby = False,
    allow_duplicates: _AllowDuplicates = False,
    report: Annotated[Path | None, typer.Option(help="Write the report here, as JSON.")] = None,
    curve: _Curve = None,
) -> int:
    """Run the trading loop on the account.

    EDGE_FACTORY_MODE says which account: paper (the default) trades on the embedded exchange,
    live needs I_UNDERSTAND_LIVE=1, disabled does nothing. SIGINT, SIGTERM and a
    closed terminal stop in order: entries are cancelled, stops stay at the venue.

    Examples:
      zoe run --strategy demo --speed 60 --for 30m
      zoe run --market-data ETHUSD_60.csv --speed max --from 2019-03-01 --to 2019-06-01
      I_UNDERSTAND_LIVE=1 zoe --account live run
    """
    invocation = _unheld(ctx.obj, market_data)
    settings = invocation.settings(DUPLICATE_WINDOW_SECONDS="0" if allow_duplicates else "")
    printer = invocation.printer()
    if settings.loop_mode == "disabled":
        return _disabled(printer)
    _demand_replay(market_data, **{"--from": from_, "--to": to, "--curve": curve})
    _demand_folder(**{"--report": report, "--curve": curve})
    if market_data is not None:
        _demand_no_replay(for_=for_, cycles=cycles, shadow=shadow, standby=standby)
        replayed = ReplayOrder(
            market_data=market_data,
            strategy=strategy,
            seed=seed,
            home=settings.home,
            since=_moment("--from", from_),
            until=_moment("--to", to),
            curve=curve,
        )
        result, found = _replay(invocation, settings, replayed, speed)
    else:
        order = RunOrder(
            strategy=strategy_named(strategy, settings),
            duration_s=_duration(for_) if for_ else None,
            cycles=cycles,
            is_shadow=shadow,
            is_standby=standby,
            operator=invocation.environ.get("USER", ""),
            notify_socket=invocation.environ.get("NOTIFY_SOCKET", ""),
            seed=seed,
        )
        result, found = _trade(invocation, settings, order, speed)
    return _finish(invocation, result, found, report)


def _unheld(invocation: Invocation, market_data: Path | None) -> Invocation:
    """A loop waits for nobody who reads what it prints: something may be held."""
    if market_data is None:
        EDGE.unblock()
    return invocation


def _disabled(printer: Printer) -> int:
    printer.line("EDGE_FACTORY_MODE is disabled: nothing runs.")
    printer.result({"mode": "disabled"})
    return 0


def _replay(
    invocation: Invocation, settings: Settings, order: ReplayOrder, speed: str
) -> tuple[RunResult, Audit | None]:
    """In a folder of its own; what is refused leaves none."""
    if speed != "max":
        raise ConfigError(
            "A recorded market is replayed with --speed max.",
            hint="To watch one at another speed: zoe paper serve --market-data FILE --speed N",
        )
    strategy_named(order.strategy, settings)
    folder = new_run_home(settings.home, started=wall_time(), name=order.market_data.stem)
    order = replace(order, home=folder)
    # The loop over a venue's wires does not load an exchange.
    from zoe_tools.runtime.replay import replay  # noqa: PLC0415 - as said

    try:
        result = replay(settings, order, RunPrinter(invocation.printer()))
    except ConfigError:
        with contextlib.suppress(OSError):  # one that has begun is not empty, and stays
            folder.rmdir()
        raise
    return result, audit_blocking(order.home, invocation.environ, is_replay=True)


def _demand_replay(market_data: Path | None, **words: object) -> None:
    """Some options are for replays alone.

    Raises:
        ConfigError: one of them is given, and nothing is replayed.
    """
    given = [name for name, value in words.items() if value]
    if market_data is None and given:
        raise ConfigError(
            f"{given[0]} is for a recorded market, and there is none.",
            hint="Name one with --market-data FILE, or leave it out.",
        )


def _demand_no_replay(**words: object) -> None:
    """Some options are for a loop on an account alone: a replay would not heed them.

    Raises:
        ConfigError: one of them is given.
    """
    given = [name.rstrip("_") for name, value in words.items() if value]
    if given:
        raise ConfigError(
            f"--{given[0]} is not for a recorded market.",
            hint="It is replayed whole, or from --from to --to.",
        )


def _demand_folder(**files: Path | None) -> None:
    """Where what is written at the end can be written to: a long run is not for nothing.

    Raises:
        ConfigError: there is no such folder, or it is a folder itself.
    """
    for name, path in files.items():
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            told = "it is a folder" if path.is_dir() else "there is no such folder"
            raise ConfigError(
                f"{name} {path}: {told}.", hint="Name a file in a folder that is there."
            )


def _moment(name: str, text: str) -> datetime | None:
    """A day or a time in UTC, as ISO 8601 writes it; empty is none.

    Raises:
        ConfigError: it is neither.
    """
    if not text:
        return None
    try:
        told = datetime.fromisoformat(text)
        return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{name} {text}: this is neither a day nor a time.",
            hint="2019-03-01, or 2019-03-01T12:00; in UTC.",
        ) from error


def _trade(
    invocation: Invocation, settings: Settings, order: RunOrder, speed: str
) -> tuple[RunResult, Audit | None]:
    if settings.mode == "paper":
        demand_books(settings)
    request_paper(settings, speed=_speed(speed) if speed else None, seed=order.seed)
    audit = partial(audit_blocking, settings.home, invocation.environ, is_replay=False)
    invocation.printer().account(account_of(settings))
    approver = RunPrinter(invocation.printer())
    return run_live(settings, order, approver, audit if settings.mode == "paper" else None)


def _finish(
    invocation: Invocation, result: RunResult, found: Audit | None, report: Path | None
) -> int:
    """Show the report; 3 when the auditor found something.

    Raises:
        VenueError: the stop left something undone; the end of a recorded market leaves what it may.
    """
    printer = invocation.printer()
    left = NOTHING if result.performance is not None else result.left
    discrepancies = found.discrepancies if found is not None else None
    told = {
        **asdict(result),
        "discrepancies": discrepancies,
        "findings": found.findings if found is not None else (),
    }
    canonical = canonical_json(told)
    answer = {
        "result": told,
        "result_sha256": hashlib.sha256(canonical.encode()).hexdigest(),
        "environment": {
            "zoe": __version__,
            "python": platform.python_version(),
            "host": platform.node(),
        },
    }
    code = left.exit_code or (_FINDINGS if discrepancies else 0)
    show_result(printer, result, discrepancies)
    for finding in found.findings if found is not None else ():
        printer.wrapped("  - ", " ".join(str(finding[name]) for name in ("kind", "evidence")))
    printer.result(answer, exit_code=code)
    if report is not None:
        _write(report, canonical_json(answer))
    if not left.is_empty:
        raise _unsettled(printer, left)
    return code


def _unsettled(printer: Printer, left: LeftBehind) -> VenueError:
    """The last words of a run that is over and not done."""
    by_hand = ", then ".join(f"`{printer.to_run(each)}`" for each in left.by_hand)
    kind = OutcomeUnknown if left.is_unproved else VenueError
    return kind(
        f"The loop has ended, and left undone: {left.what}.",
        hint=f"Start it again, and it does what is left; or by hand: {by_hand}.",
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(f"{text}\n")
    except OSError as error:
        raise ConfigError(
            f"The report cannot be written to {path}: {error.strerror}.",
            hint="The run itself is complete, and its books are in the store.",
        ) from error


def _speed(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_SPEED:
        raise ConfigError(
            f"--speed {text}: this is not a number above 0 and up to {MAX_SPEED:.0f}.",
            hint="1 is real time; max, in virtual time, is for --market-data.",
        )
    return value


def _duration(text: str) -> float:
    found = _DURATION.match(text)
    if found is None:
        raise ConfigError(f"--for {text}: this is not a duration.", hint="90s, 10m, 2h or 1d.")
    return float(found.group(1)) * _UNITS[found.group(2)]
