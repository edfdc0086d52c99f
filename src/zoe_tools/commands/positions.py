"""`zoe positions`: what zoe manages, what it is worth, and what is not zoe's. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.listing import SinceOption, SymbolOption, number, since_of, symbol_of
from zoe_tools.core.given_up import still_resting, told_resting
from zoe_tools.core.position_rows import told_gone
from zoe_tools.core.positions import (
    AssetShare,
    PositionLine,
    PositionStory,
    list_positions,
    shares_of,
)
from zoe_tools.core.protection import WAY_OUT
from zoe_tools.core.registry_audit import KeyOf, RegistryAudit, as_spelled, audit_registry
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import round_half_up, short
from zoe_tools.domain.position import GonePosition, Position
from zoe_tools.domain.snapshot import Missing, Snapshot
from zoe_tools.errors import ConfigError
from zoe_tools.gather import Need
from zoe_tools.render.printer import Printer, age
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.store.store import Transaction

_NEEDS = frozenset({Need.CATALOGUE, Need.BALANCES, Need.QUOTES})
_VENUE, _FINDINGS = 5, 3
_CENTS, _DIGITS = 2, 4
_WIDE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the operator wants to see."""

    position_id: str = ""
    everything: bool = False
    since: str = ""
    symbol: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    lines: tuple[PositionLine, ...]
    assets: tuple[AssetShare, ...] | None
    audit: RegistryAudit
    story: PositionStory | None
    gone: tuple[GonePosition, ...]
    given_up: tuple[OrderRecord, ...]
    as_of: datetime


def positions(
    ctx: typer.Context,
    *,
    position_id: Annotated[
        str,
        typer.Argument(
            metavar="[ID]", help="One position's story: its id, or the beginning of it."
        ),
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    since: SinceOption = "",
    symbol: SymbolOption = "",
) -> int:
    """List the positions that zoe manages, what they are worth, and what is not zoe's.

    Each asset is told as managed and unmanaged: what is unmanaged is never stopped and never sold.
    The registry is audited as it is stored. Exits 3 when it contradicts itself, when a row is gone
    whose position holds something, when a stop or target still rests for a position that was given
    up, when the market is through a stop, or when less is held than is managed; 5 when the venue
    could not be asked and the books speak alone.

    Examples:
      zoe positions
      zoe positions --all --since 7d
      zoe positions P-3b6a8adc
      zoe positions --json
    """
    invocation: Invocation = ctx.obj
    asked = _Asked(position_id=position_id, everything=everything, since=since, symbol=symbol)
    return run_with_context(
        invocation.settings(),
        lambda context: _positions(context, invocation.printer(), asked),
    )


async def _positions(context: Context, printer: Printer, asked: _Asked) -> int:
    printer.account(context.account)
    first = since_of(asked.since, context.clock.now())
    snapshot = await context.look(_NEEDS)
    everything = asked.everything or bool(asked.position_id)
    registry, audit = await context.store.read(
        lambda tx: (
            tx.positions(active_only=not everything),
            audit_registry(tx.raw_positions(), phase="on_demand", key_of=_keys(snapshot)),
        )
    )
    story = None
    if asked.position_id:
        chosen = _named(registry, asked.position_id)
        story = await context.store.read(lambda tx: _story(tx, chosen))
        registry = (chosen,)
    only = symbol_of(asked.symbol, snapshot.catalogue)
    answer = _Answer(
        lines=list_positions(registry, snapshot, symbol=only, since=first),
        assets=None if asked.position_id else shares_of(snapshot.positions, snapshot),
        audit=audit,
        story=story,
        gone=snapshot.positions_gone,
        given_up=still_resting(snapshot),
        as_of=snapshot.taken_at,
    )
    code = _exit_code(answer, snapshot)
    if isinstance(snapshot.balances, Missing):
        printer.warn(
            "The venue could not be asked, these are zoe's books alone:"
            f" {snapshot.balances.reason}."
        )
    _show(printer, answer)
    printer.result(
        {
            "positions": answer.lines,
            "assets": answer.assets,
            "story": answer.story,
            "audit": audit.told(),
            "gone": answer.gone,
            "given_up": answer.given_up,
            "as_of": answer.as_of,
        },
        exit_code=code,
    )
    return code


def _keys(snapshot: Snapshot) -> KeyOf:
    if isinstance(snapshot.catalogue, Missing):
        return as_spelled
    catalogue = snapshot.catalogue.value

    def key_of(symbol: str) -> str:
        found = catalogue.find(symbol)
        return symbol if found is None else found.symbol

    return key_of


def _named(registry: Sequence[Position], text: str) -> Position:
    found = [each for each in registry if each.position_id == text] or [
        each for each in registry if each.position_id.startswith(text)
    ]
    if len(found) != 1:
        raise ConfigError(
            f"{len(found) or 'No'} positions are called {text}.",
            hint="Their ids: zoe positions --all --json",
        )
    return found[0]


def _story(transaction: Transaction, position: Position) -> PositionStory:
    return PositionStory(
        position=position,
        orders=transaction.orders_of_position(position.position_id),
        fills=transaction.fills_of_position(position.position_id),
        events=transaction.position_events(position.position_id),
        targets=transaction.targets(position.position_id),
    )


def _exit_code(answer: _Answer, snapshot: Snapshot) -> int:
    if isinstance(snapshot.balances, Missing):
        return _VENUE
    is_short = any(each.unmanaged < 0 for each in answer.assets or ())
    is_left = bool(answer.gone or answer.given_up) or any(each.is_through for each in answer.lines)
    return _FINDINGS if is_short or answer.audit.violations or is_left else 0


# --- for a person --------------------------------------------------------------------------------


def _show(printer: Printer, answer: _Answer) -> None:
    printer.line()
    if not answer.lines:
        printer.line("No positions.")
    else:
        _show_lines(printer, answer)
    if answer.story is not None:
        _show_story(printer, answer.story)
    _show_assets(printer, answer.assets or ())
    for line in answer.lines:
        if line.is_through:
            printer.wrapped("(!) ", _told_through(line))
    for gone in answer.gone:
        printer.wrapped("(!) ", told_gone(gone))
    for order in answer.given_up:
        printer.wrapped("(!) ", told_resting(order))
    for violation in answer.audit.violations:
        printer.wrapped("(!) ", f"REGISTRY: {violation}")
    if answer.audit.violations:
        printer.line(
            "No entries until it is mended; what can be, a loop mends at its start: zoe run"
        )


def _show_lines(printer: Printer, answer: _Answer) -> None:
    columns = (
        "!instrument",
        "!quantity",
        "!cost",
        "!bid",
        "!result",
        "!stop",
        "!status",
        "!age",
        "!position",
    )
    # An id that is cut in two cannot be copied: where there is no room, --json tells it.
    room = len(columns) - (2 if printer.width < _WIDE else 0)
    rows = [_row(each, answer.as_of)[:room] for each in answer.lines]
    printer.table(columns[:room], rows)
    quoted = [each.quoted_at for each in answer.lines if each.quoted_at is not None]
    if quoted:
        printer.line()
        printer.wrapped(
            "",
            f"Bids are {age(min(quoted), answer.as_of)} old at most. Costs are with their fees,"
            " results before that of a sale.",
        )


def _told_through(line: PositionLine) -> str:
    return (
        f"{line.symbol}: UNPROTECTED. The bid, {number(line.bid)}, is through its stop at"
        f" {number(line.stop_price)}: it does not rest any more, or is filling now. {WAY_OUT}."
    )


def _row(line: PositionLine, now: datetime) -> tuple[str, ...]:
    return (
        line.symbol,
        number(line.quantity),
        _rounded(line.average_cost, _DIGITS),
        number(line.bid),
        _result(line),
        _stop_of(line),
        line.status.value,
        age(line.closed_at or line.opened_at, now),
        line.position_id[:18],
    )


def _stop_of(line: PositionLine) -> str:
    if not line.quantity:
        return "-"
    if line.is_through:
        return f"PASSED {number(line.stop_price)}"
    return number(line.stop_price) if line.has_stop else "NO STOP"


def _result(line: PositionLine) -> str:
    """What selling now would bring, or what it has brought."""
    if line.status.is_terminal:
        return _rounded(line.realised_pnl, _CENTS)
    if line.unrealised_pnl is None:
        return "-"
    share = "" if line.unrealised_pct is None else f" ({_rounded(line.unrealised_pct, _CENTS)}%)"
    return f"{_rounded(line.unrealised_pnl, _CENTS)}{share}"


def _show_assets(printer: Printer, assets: Sequence[AssetShare]) -> None:
    if not assets:
        return
    printer.heading("held at the venue")
    printer.table(
        ("asset", "!held", "!managed", "!unmanaged"),
        [
            (each.asset, short(each.held_at_venue), short(each.managed), short(each.unmanaged))
            for each in assets
        ],
    )
    for each in assets:
        if each.unmanaged < 0:
            printer.wrapped(
                "(!) ",
                f"{each.asset}: the venue holds less than zoe manages. Nothing was written off;"
                " run `zoe reconcile`.",
            )


def _show_story(printer: Printer, story: PositionStory) -> None:
    position = story.position
    printer.heading("as it was planned")
    printer.report(
        "",
        [
            ("position", position.position_id),
            ("quantity", number(position.initial_quantity)),
            ("price", number(position.initial_price)),
            ("stop", number(position.initial_stop_price)),
            ("target", number(position.initial_take_profit_price)),
        ],
    )
    printer.heading("what happened")
    for event in story.events:
        told = ", ".join(f"{name} {text}" for name, text in event.details.items())
        printer.wrapped(f"{event.occurred_at:%m-%d %H:%M:%S}  {event.what}  ", told or "-")
    if story.targets:
        printer.heading("its targets")
    for each in story.targets:
        printer.line(
            f"  {each.level}  {short(each.quantity)} at {short(each.price)}  {each.mode.value}"
            f"  {each.status.value}"
        )
    printer.heading("its orders")
    for order in story.orders:
        price = order.trigger_price or order.limit_price
        at = f" at {short(price)}" if price else ""
        printer.line(
            f"  {order.venue_order_id or order.client_order_id}  {order.purpose}"
            f" {order.side.value} {short(order.quantity)}{at}  {order.status.value}"
        )
    printer.heading("its fills")
    for fill in story.fills:
        printer.line(
            f"  {fill.filled_at:%m-%d %H:%M:%S}  {fill.side.value} {short(fill.quantity)} at"
            f" {short(fill.price)}, fee {short(fill.fee)} {fill.fee_asset}"
        )


def _rounded(amount: Decimal, digits: int) -> str:
    return f"{round_half_up(amount, digits):f}"
