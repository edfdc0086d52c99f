"""What the account is worth, and how that grew by itself: flows from outside left out.

Gross is cash and marked assets; net is gross less liabilities and the fees of leaving everything.
An asset that never had a price is in no sum, and is named; it is never put in at its cost. One that
had a price once is worth the last of them, and how old that is is told.

Returns are time-weighted over the points of the curve. Between two points the flows weigh as long
as they were there (modified Dietz), so that neither a deposit nor a withdrawal is a result.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from zoe_tools.core.lot_history import Flow
from zoe_tools.core.lots import in_units
from zoe_tools.core.marks import LONGEST, STALE_AFTER, MarkBook
from zoe_tools.domain.equity import EquityPoint
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.margin import MarginStanding
from zoe_tools.domain.money import HUNDRED, ONE, ZERO
from zoe_tools.domain.wallet import holding_of

EXIT_FEE_PCT = Decimal("0.40")
"""What leaving costs, in percent, where the venue's own fee is not known: its dearest step."""

MUCH = Decimal("0.1")
"""A flow of more than this part of what was there makes the result of a long stretch a guess."""

OUTDATED_PCT = Decimal(3)
"""Of gross equity: where more of it has old prices, they could hide a loss that counts."""

AT_ONCE = timedelta(minutes=1)
"""So much later than it was booked a row may be heard of on the private wire."""

_NEXT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One asset at its mark; `value` None where there is no mark. Cash has a mark of one."""

    asset: str
    quantity: Decimal
    mark: Decimal | None
    marked_at: datetime | None
    value: Decimal | None
    is_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Equity:
    """The account's worth at `as_of`; see the module. `why`: what makes it an estimate."""

    as_of: datetime
    currency: str
    cash: Decimal
    assets: Decimal
    liabilities: Decimal
    exit_fees: Decimal
    holdings: tuple[Holding, ...]
    is_estimated: bool
    why: tuple[str, ...]

    @property
    def gross(self) -> Decimal:
        """Cash and marked assets."""
        return self.cash + self.assets

    @property
    def net(self) -> Decimal:
        """What would be left if everything was sold now and all debts were paid."""
        return self.gross - self.exit_fees - self.liabilities

    @property
    def lacks(self) -> tuple[str, ...]:
        """Assets that are held and have no price."""
        return tuple(each.asset for each in self.holdings if each.value is None)


def by_asset(balances: Iterable[Balance], catalogue: InstrumentCatalogue) -> tuple[Balance, ...]:
    """The same money without the names of its wallets: `BTC.F` that earns is BTC."""
    return tuple(replace(each, asset=holding_of(each.asset, catalogue)[0]) for each in balances)


def assess_equity(
    balances: Iterable[Balance],
    marks: MarkBook,
    *,
    at: datetime,
    currency: str,
    exit_fee_pct: Decimal = EXIT_FEE_PCT,
    margin: MarginStanding | None = None,
) -> Equity:
    """The account's worth at `at` by the marks of then; a negative balance is a liability.

    What open positions on `margin` have won or lost is in no balance, and not in here: it is told.
    """
    totals: dict[str, Decimal] = {}
    for each in balances:
        totals[each.asset] = totals.get(each.asset, ZERO) + each.total
    holdings = tuple(
        _held(asset, total, marks, at, currency) for asset, total in sorted(totals.items()) if total
    )
    known = [(each, each.value) for each in holdings if each.value is not None]
    own = [(each, value) for each, value in known if value > ZERO]
    assets = sum((value for each, value in own if each.asset != currency), ZERO)
    why = (*_doubts(holdings, at), *_borrowed(margin))
    return Equity(
        as_of=at,
        currency=currency,
        cash=sum((value for each, value in own if each.asset == currency), ZERO),
        assets=assets,
        liabilities=-sum((value for _, value in known if value < ZERO), ZERO),
        exit_fees=in_units(assets * exit_fee_pct / HUNDRED),
        holdings=holdings,
        is_estimated=bool(why),
        why=why,
    )


def _held(asset: str, quantity: Decimal, marks: MarkBook, at: datetime, currency: str) -> Holding:
    found = marks.price(asset, currency, at)
    return Holding(
        asset=asset,
        quantity=quantity,
        mark=found.price if found else None,
        marked_at=found.marked_at if found else None,
        value=in_units(quantity * found.price) if found else None,
        is_stale=found is not None and found.is_stale,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """What is held and has no price but an old one; `oldest` is the oldest of them."""

    assets: tuple[str, ...]
    oldest: datetime
    worth: Decimal
    share_pct: Decimal

    @property
    def matters(self) -> bool:
        """Whether what it was worth last is too much of the account to be guessed at."""
        return self.share_pct > OUTDATED_PCT


def outdated_in(equity: Equity) -> Outdated | None:
    """What of the equity is reckoned at old prices; None where all are of now, or never were."""
    old = [
        (each.asset, each.marked_at, abs(each.value))
        for each in equity.holdings
        if each.is_stale and each.marked_at is not None and each.value
    ]
    if not old:
        return None
    worth = sum((value for _, _, value in old), ZERO)
    return Outdated(
        assets=tuple(asset for asset, _, _ in old),
        oldest=min(at for _, at, _ in old),
        worth=worth,
        share_pct=worth * HUNDRED / equity.gross if equity.gross > ZERO else HUNDRED,
    )


def _doubts(holdings: Sequence[Holding], at: datetime) -> Iterator[str]:
    for each in holdings:
        if each.marked_at is None:
            yield f"no price of {each.asset}: it is in no sum"
        elif each.is_stale:
            minutes = round(abs((at - each.marked_at).total_seconds()) / 60)
            yield f"the price of {each.asset} is {minutes} min old"


def _borrowed(margin: MarginStanding | None) -> Iterator[str]:
    if margin is None or not (margin.used or margin.cost or margin.unrealised):
        return
    yield (
        f"positions on margin are open: their {margin.unrealised:+,.2f} {margin.asset} so far are"
        " in no sum"
    )


# --- the curve -----------------------------------------------------------------------------------


def flows_between(flows: Iterable[Flow], since: datetime | None, now: datetime) -> tuple[Flow, ...]:
    """Flows later than `since`, without one all; none that is dated so far ahead that it is not."""
    end = now + LONGEST
    return tuple(each for each in flows if (since is None or each.at > since) and each.at < end)


def point_of(equity: Equity) -> EquityPoint:
    """The equity as a point that nothing was compared with yet."""
    return EquityPoint(
        taken_at=equity.as_of,
        currency=equity.currency,
        gross=equity.gross,
        net=equity.net,
        cash=equity.cash,
        holdings=equity.assets,
        is_estimated=equity.is_estimated,
        lacks=equity.lacks,
    )


def advanced(base: EquityPoint | None, point: EquityPoint, flows: Sequence[Flow]) -> EquityPoint:
    """The point with its index and its peak, after `base`, the one before.

    `flows` are those between the two. What never had a price is nothing in both, also where it
    comes or goes. Where a price was lost the index stays where it was, as it does where a flow has
    no worth of what is in the sums. Where one was found it may fall, and does not rise by that.
    """
    flow = sum((each.value for each in flows if each.value is not None), ZERO)
    if base is None:
        return replace(point, flow=ZERO)
    before, lacks = frozenset(base.lacks), frozenset(point.lacks)
    worthless = {each.asset for each in flows if each.value is None} & (before | lacks)
    is_blind = any(each.value is None and each.asset not in worthless for each in flows)
    is_silent = is_blind or bool(lacks - before - worthless)
    growth = ONE if is_silent else _growth(base, point, flows, flow)
    if before - lacks:
        growth = min(ONE, growth)
    index = in_units(base.return_index * growth)
    return replace(
        point,
        flow=flow,
        flow_ids=tuple(each.ledger_id for each in flows if each.ledger_id),
        is_blind=is_blind,
        return_index=index,
        peak_index=max(base.peak_index, index),
        is_estimated=point.is_estimated
        or is_silent
        or lacks != before
        or any(each.is_estimated for each in flows)
        or (growth != ONE and _is_rough(base, point, flows)),
    )


def _is_rough(base: EquityPoint, point: EquityPoint, flows: Sequence[Flow]) -> bool:
    """Whether so much came or went, so long before the next look, that its weight is a guess."""
    moved = sum((abs(each.value) for each in flows if each.value is not None), ZERO)
    is_long = point.taken_at - base.taken_at > STALE_AFTER
    return is_long and moved > base.gross * MUCH


def _growth(base: EquityPoint, point: EquityPoint, flows: Sequence[Flow], flow: Decimal) -> Decimal:
    """How much one unit of money became between two points."""
    span_s = Decimal(str((point.taken_at - base.taken_at).total_seconds()))
    weighed = ZERO
    for each in flows:
        stayed_s = Decimal(str((point.taken_at - each.at).total_seconds()))
        share = min(ONE, max(ZERO, stayed_s / span_s)) if span_s else ZERO
        weighed += (each.value or ZERO) * share
    employed = base.gross + weighed
    gain = point.gross - base.gross - flow
    # Where hardly anything worked, nothing can be said of how well it did.
    if employed <= ZERO:
        return ONE
    return max(ZERO, ONE + gain / employed)


def curve_of(
    points: Sequence[EquityPoint], flows: Iterable[Flow], known_until: datetime | None = None
) -> Iterator[EquityPoint]:
    """All points anew, oldest first, with the flows that the books or the points themselves tell.

    A point may bring a flow that was heard of when it was taken; until the books have all of its
    rows, they do not tell of its time. Of a point that names none they do if it is not later than
    `known_until`, the newest ledger row.
    """
    ordered = _after_their_points(points, flows)
    booked = {each.ledger_id for each in ordered}
    base: EquityPoint | None = None
    after = 0
    for point in points:
        until = after
        while until < len(ordered) and ordered[until].at <= point.taken_at:
            until += 1
        between = ordered[after:until]
        if base is not None and not _is_booked(point, booked, known_until):
            between = _noted(base, point)
        done = advanced(base, point, between)
        yield done
        base, after = done, until


def _after_their_points(points: Sequence[EquityPoint], flows: Iterable[Flow]) -> list[Flow]:
    """The flows by time; one that was booked at once before a point, and heard of after it, later.

    The balances of that point did not have it yet.
    """
    heard: dict[str, datetime] = {}
    for base, point in pairwise(points):
        heard.update(dict.fromkeys(point.flow_ids, base.taken_at))
    moved = []
    for each in flows:
        base_at = heard.get(each.ledger_id)
        is_late = base_at is not None and base_at - AT_ONCE <= each.at <= base_at
        moved.append(replace(each, at=base_at + _NEXT) if base_at and is_late else each)
    return sorted(moved, key=lambda each: each.at)


def _is_booked(point: EquityPoint, booked: Collection[str], known_until: datetime | None) -> bool:
    """Whether the books know at least as much of its flows as the point does."""
    if point.flow_ids:
        return all(each in booked for each in point.flow_ids)
    is_known = known_until is not None and point.taken_at <= known_until
    return is_known or not (point.flow or point.is_blind)


def _noted(base: EquityPoint, point: EquityPoint) -> list[Flow]:
    """A flow of which only the worth is known: half way between the points. Blind: and another."""
    known = Flow(
        ledger_id="",
        at=base.taken_at + (point.taken_at - base.taken_at) / 2,
        asset=point.currency,
        quantity=point.flow,
        value=point.flow,
        is_estimated=False,
    )
    return [known, replace(known, value=None, is_estimated=True)] if point.is_blind else [known]
