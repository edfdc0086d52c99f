"""The walk through the lots: what each event of a history came to, and what is held at any time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from zoe_tools.core.lot_history import History
from zoe_tools.core.lots import LotBook
from zoe_tools.core.marks import MarkBook
from zoe_tools.domain.lot import Lot, LotMethod, LotOutcome, Match, Moved, Shortfall
from zoe_tools.domain.money import ZERO

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What is reported: from `since` up to, not with, `until`; None is no bound on that side."""

    since: datetime | None = None
    until: datetime | None = None

    def covers(self, at: datetime) -> bool:
        """Whether a moment is in it."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What is held of an asset by its lots.

    `basis` is of the `known` quantity, the buying fees included; `pending` has no cost yet.
    """

    asset: str
    known: Decimal
    basis: Decimal
    pending: Decimal
    is_estimated: bool


def realised_of(match: Match) -> Decimal | None:
    """What a match won, net of all fees; a fee that was paid in kind costs what its lot had cost.

    None while the cost or the proceeds are not known.
    """
    if match.reason == "fee":
        return None if match.cost is None else -(match.cost + match.buying_fee)
    return match.gain


def moment_of(outcome: LotOutcome) -> datetime:
    """When it happened."""
    match outcome:
        case Match():
            return outcome.disposed_at
        case Moved():
            return outcome.moved_at
        case Shortfall():
            return outcome.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """All lot outcomes, oldest first, and what was held at the end of days that were asked for."""

    outcomes: tuple[LotOutcome, ...]
    open_now: tuple[Open, ...]
    open_at: Mapping[date, tuple[Open, ...]]


def walk(history: History, method: LotMethod, days: Iterable[date] = ()) -> Walk:
    """Match the whole history; stop at the end of each of `days` to see what is held."""
    book = LotBook(method)
    outcomes: list[LotOutcome] = []
    at_close: dict[date, tuple[Open, ...]] = {}
    ahead = sorted(set(days), reverse=True)
    for event in history.events:
        while ahead and event.at >= end_of(ahead[-1]):
            at_close[ahead.pop()] = _open_of(book.open_lots())
        outcomes.extend(book.take(event))
    held = _open_of(book.open_lots())
    at_close.update(dict.fromkeys(ahead, held))
    return Walk(outcomes=tuple(outcomes), open_now=held, open_at=at_close)


def end_of(day: date) -> datetime:
    """The first moment after a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY


def _open_of(lots: Iterable[Lot]) -> tuple[Open, ...]:
    by_asset: dict[str, list[Lot]] = {}
    for lot in lots:
        by_asset.setdefault(lot.asset, []).append(lot)
    return tuple(
        Open(
            asset=asset,
            known=sum((each.quantity for each in held if each.basis is not None), ZERO),
            basis=sum((each.basis for each in held if each.basis is not None), ZERO),
            pending=sum((each.quantity for each in held if each.basis is None), ZERO),
            is_estimated=any(each.is_estimated for each in held),
        )
        for asset, held in sorted(by_asset.items())
    )


def unrealised_of(
    held: Iterable[Open], marks: MarkBook, currency: str, at: datetime
) -> tuple[Decimal, bool]:
    """What is held at its marks less its cost; and whether that is an estimate.

    What has no price or no cost is left out, and makes it one.
    """
    total, is_estimated = ZERO, False
    for each in held:
        worth = marks.worth(each.known, each.asset, currency, at)
        is_estimated |= worth.is_estimated or bool(each.pending) or each.is_estimated
        if worth.value is not None:
            total += worth.value - each.basis
    return total, is_estimated
