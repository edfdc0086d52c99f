"""What the store tells a watch: who claims focus, and what a watch before it has kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from zoe_tools.core.market_movers import LOOKS_BACK
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market_watch import FocusClaim, FocusReason, Mover, SparkPoint
from zoe_tools.store.store import Transaction

CURVE = timedelta(hours=24)
"""So much of a price curve is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Who claims focus: `candidates` the strategy wanted to enter a while ago."""

    claims: tuple[FocusClaim, ...] = ()
    held: frozenset[Symbol] = frozenset()
    working: frozenset[Symbol] = frozenset()
    candidates: frozenset[Symbol] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Claims, the curves of a day, and the movers of an hour and of each move that lasts longer."""

    claims: Claims = Claims()
    points: tuple[SparkPoint, ...] = ()
    movers: tuple[Mover, ...] = ()


def claims_in(tx: Transaction, now: datetime, lasts: timedelta) -> Claims:
    """Who claims focus now; a wish to enter does so for as long as it `lasts`."""
    return Claims(
        claims=tx.market.watch.claims(),
        held=frozenset(each.symbol for each in tx.positions(active_only=True)),
        working=frozenset(each.symbol for each in tx.orders(open_only=True)),
        candidates=tx.market.watch.candidates(now - lasts),
    )


def kept_in(tx: Transaction, now: datetime, lasts: timedelta) -> Kept:
    """All of it, for a watch that begins."""
    found, watch = claims_in(tx, now, lasts), tx.market.watch
    moving = [each.since for each in found.claims if each.reason is FocusReason.MOVER]
    return Kept(
        claims=found,
        points=watch.points(now - CURVE),
        movers=watch.movers(min([now - LOOKS_BACK, *moving])),
    )
