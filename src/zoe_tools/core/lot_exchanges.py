"""What each leg of an exchange was worth, where only the ledger tells of it.

The money among the legs values both sides; without money their marks do. A side of several legs
(dust that was swept into one) shares by what each was worth, to the last unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from zoe_tools.core.lots import piece_of
from zoe_tools.core.marks import MarkBook, Worth
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.money import ONE, ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class LegWorth:
    """What a leg was worth before fees, and its share of the fees that were charged in money."""

    value: Decimal | None
    fee: Decimal
    is_estimated: bool


def leg_worths(
    legs: Sequence[LedgerEntry], marks: MarkBook, currency: str
) -> Iterator[tuple[LedgerEntry, LegWorth]]:
    """Each leg of one exchange with what it was worth; those of no amount are left out."""
    came = [each for each in legs if each.amount > ZERO]
    went = [each for each in legs if each.amount < ZERO]
    yield from _valued(came, went, marks, currency)
    yield from _valued(went, came, marks, currency)


def _valued(
    side: Sequence[LedgerEntry], other: Sequence[LedgerEntry], marks: MarkBook, currency: str
) -> Iterator[tuple[LedgerEntry, LegWorth]]:
    own, theirs = _worth(side, marks, currency), _worth(other, marks, currency)
    is_paid_in_money = {each.asset for each in other} == {currency}
    total = theirs if is_paid_in_money or own.value is None else own
    weights = _weights(side, marks, currency)
    left, rest = sum(weights, ZERO), total.value
    fees = sum((each.own_fee for each in other if each.asset == currency), ZERO)
    for leg, weight in zip(side, weights, strict=True):
        value = None if rest is None else piece_of(rest, weight, left)
        fee = piece_of(fees, weight, left)
        yield leg, LegWorth(value=value, fee=fee, is_estimated=total.is_estimated)
        left -= weight
        rest = None if rest is None or value is None else rest - value
        fees -= fee


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
