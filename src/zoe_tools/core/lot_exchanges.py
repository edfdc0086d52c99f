"""What each leg of an exchange was worth, where only the ledger tells of it.

One worth holds for both sides, so that none is made or lost: that of the money among the legs, else
that of the side with the better price. A side of several legs (dust that was swept into one)
shares by what each was worth, to the last unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from zoe_tools.core.lots import piece_of
from zoe_tools.core.marks import MarkBook, Worth
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.money import ONE, ZERO

NATIONAL = frozenset({"USD", "EUR", "GBP", "CAD", "AUD", "CHF", "JPY"})
"""Money of countries: it is bought nowhere, so what comes in cost what it is worth."""

_STABLE = frozenset(
    {"USDT", "USDC", "USDG", "USDQ", "RLUSD", "PYUSD", "DAI", "EURC", "EURQ", "EURR"}
)
"""Coins that things are paid with. It says which leg pays, never what a coin is worth."""

_THING = 3
"""The rank of what is no money: the last that another leg is valued by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegWorth:
    """What a leg was worth, its fee in kind included if it is money, and its share of the fees.

    `is_paying`: it is what was paid with, and no trade of its own.
    """

    value: Decimal | None
    fee: Decimal
    is_estimated: bool
    is_paying: bool


def leg_worths(
    legs: Sequence[LedgerEntry], marks: MarkBook, currency: str, charged: Worth
) -> Iterator[tuple[LedgerEntry, LegWorth]]:
    """Each leg of one exchange with what it was worth; those of no amount are left out.

    The side that was traded bears all fees in money, and `charged`: fees that no leg's asset paid.
    """
    came = [each for each in legs if each.amount > ZERO]
    went = [each for each in legs if each.amount < ZERO]
    total = _total((went, came), marks, currency)
    gross = {
        leg.ledger_id: value
        for side in (came, went)
        for leg, value in _shared(side, total.value, marks, currency)
    }
    in_kind = {
        leg.ledger_id: _money_fee(leg, gross[leg.ledger_id], currency) for leg in (*came, *went)
    }
    traded = max((side for side in (came, went) if side), key=lambda side: _rank(side, currency))
    bears = [leg for leg in traded if leg.asset != currency]
    fees = sum(in_kind.values(), charged.value or ZERO)
    shares = {leg.ledger_id: share or ZERO for leg, share in _shared(bears, fees, marks, currency)}
    is_rough = total.is_estimated or charged.is_estimated
    for side, other in ((came, went), (went, came)):
        is_paying = _rank(side, currency) < _rank(other, currency)
        for leg in side:
            value, own = gross[leg.ledger_id], in_kind[leg.ledger_id]
            signed = own if leg.amount < ZERO else -own
            yield (
                leg,
                LegWorth(
                    value=None if value is None else value + signed,
                    fee=shares.get(leg.ledger_id, ZERO),
                    is_estimated=is_rough,
                    is_paying=is_paying,
                ),
            )


def _total(sides: Iterable[Sequence[LedgerEntry]], marks: MarkBook, currency: str) -> Worth:
    """What either side was worth: by the money in it first, then by the price that is not old."""
    found = [(side, _worth(side, marks, currency)) for side in sides]
    known = [(side, worth) for side, worth in found if worth.value is not None]
    if not known:
        return Worth(value=None, is_estimated=True)
    _, best = min(known, key=lambda each: (_rank(each[0], currency), each[1].is_estimated))
    return best


def _rank(side: Sequence[LedgerEntry], currency: str) -> int:
    """How near a side is to the report's own money; of no legs, as far as can be."""
    return max((_rank_of(each.asset, currency) for each in side), default=_THING)


def _rank_of(asset: str, currency: str) -> int:
    if asset == currency:
        return 0
    if asset in NATIONAL:
        return 1
    return 2 if asset in _STABLE else _THING


def _money_fee(leg: LedgerEntry, value: Decimal | None, currency: str) -> Decimal:
    """What a leg's own fee was worth, if the leg is money; else it is part of its quantity."""
    if leg.asset == currency:
        return leg.own_fee
    if value is None or not leg.own_fee or _rank_of(leg.asset, currency) == _THING:
        return ZERO
    return piece_of(value, leg.own_fee, abs(leg.amount))


def _shared(
    side: Sequence[LedgerEntry], whole: Decimal | None, marks: MarkBook, currency: str
) -> Iterator[tuple[LedgerEntry, Decimal | None]]:
    """Each leg with its part of the whole."""
    weights = _weights(side, marks, currency)
    left, rest = sum(weights, ZERO), whole
    for leg, weight in zip(side, weights, strict=True):
        part = None if rest is None else piece_of(rest, weight, left)
        yield leg, part
        left -= weight
        rest = None if rest is None or part is None else rest - part


def _worth(legs: Iterable[LedgerEntry], marks: MarkBook, currency: str) -> Worth:
    """What one side is worth; nothing that anybody knows if it has no legs."""
    worths = [marks.worth(abs(each.amount), each.asset, currency, each.booked_at) for each in legs]
    values = [each.value for each in worths if each.value is not None]
    if not worths or len(values) < len(worths):
        return Worth(value=None, is_estimated=True)
    return Worth(value=sum(values, ZERO), is_estimated=any(each.is_estimated for each in worths))


def _weights(side: Sequence[LedgerEntry], marks: MarkBook, currency: str) -> list[Decimal]:
    """By what each leg is worth; evenly where a price is missing."""
    worths = [_worth([leg], marks, currency).value for leg in side]
    known = [each for each in worths if each]
    return known if len(known) == len(side) else [ONE for _ in side]
