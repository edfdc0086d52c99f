"""`zoe pnl`: what was won and lost, by lots, and what the account is worth.

A figure that rests on a price that is missing or old, or on a cost that nobody has told, says so;
none is invented. The whole history goes through the lots, whatever part of it is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.equity import Equity, curve_of
from zoe_tools.core.lot_events import history_of
from zoe_tools.core.lot_history import FeePaid, Flow, History, Records
from zoe_tools.core.lot_walk import Open, Span, moment_of, realised_of, walk
from zoe_tools.core.lots import in_units
from zoe_tools.core.marks import LONGEST, MarkBook
from zoe_tools.domain.equity import EquityPoint
from zoe_tools.domain.lot import LotMethod, LotOutcome, Match, Moved, Shortfall
from zoe_tools.domain.money import HUNDRED, ONE, ZERO

_DUST = Decimal("1E-8")
_ROUGH_CURVE = (
    "return and drawdown rest on prices that were missing or old, or on much money that came or"
    " went between two looks"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetLine:
    """One asset: what is held, and what was realised in the reported time.

    `unrealised` None: no price. `waiting` is what was sold without a cost that is known, and
    brought `waiting_proceeds`; `shortfall` what was sold beyond all lots. Neither is realised.
    """

    asset: str
    quantity: Decimal
    pending: Decimal
    average_cost: Decimal | None
    mark: Decimal | None
    marked_at: datetime | None
    value: Decimal | None
    unrealised: Decimal | None
    realised: Decimal
    fees: Decimal
    waiting: Decimal
    waiting_proceeds: Decimal
    shortfall: Decimal
    is_estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeLine:
    """What was paid in fees of one asset; `value` of those that have a known one."""

    asset: str
    amount: Decimal
    value: Decimal
    is_estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trades:
    """Closed trades: an order that sold, its fills together. `waiting`: without a result yet.

    `expectancy` is the mean result of those that have one.
    """

    closed: int
    wins: int
    losses: int
    waiting: int
    win_rate_pct: Decimal | None
    expectancy: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PnlReport:
    """The report of a span of time, in `currency`; percentages as percent.

    `realised` is of lots, net of fees; `income`, `margin` and `charges` (negative) come besides.
    `unrealised` is of what has a price and a cost. `return_pct` and the drawdowns are
    time-weighted; None while there is no curve; `is_return_estimated` where the curve rests on
    prices or flows that are not sure. `deposits` and `withdrawals` at their worth when
    they happened; `is_flow_estimated` where one has no sure worth, or no ledger tells of any.
    """

    currency: str
    method: LotMethod
    since: datetime | None
    until: datetime
    realised: Decimal
    income: Decimal
    margin: Decimal
    charges: Decimal
    unrealised: Decimal
    deposits: Decimal
    withdrawals: Decimal
    is_flow_estimated: bool
    fees: tuple[FeeLine, ...]
    trades: Trades
    assets: tuple[AssetLine, ...]
    equity: Equity | None
    return_pct: Decimal | None
    drawdown_pct: Decimal | None
    max_drawdown_pct: Decimal | None
    is_return_estimated: bool
    curve: tuple[EquityPoint, ...]
    is_estimated: bool
    notes: tuple[str, ...]

    @property
    def total(self) -> Decimal:
        """All that was realised: lots, income, margin, charges."""
        return self.realised + self.income + self.margin + self.charges

    @property
    def net_deposits(self) -> Decimal:
        """What came from outside less what went there."""
        return self.deposits - self.withdrawals


@dataclass(frozen=True, slots=True, kw_only=True)
class PnlInput:
    """All that a report is made of; `equity` is as of now, None where nobody could say."""

    records: Records
    marks: MarkBook
    points: Sequence[EquityPoint]
    equity: Equity | None
    currency: str
    now: datetime


def assess_pnl(
    given: PnlInput, span: Span, method: LotMethod, *, asset: str | None = None
) -> PnlReport:
    """The report of a span; of one asset's lots and fees alone, if it is named."""
    history = history_in(given)
    if span.until is not None:
        # What was then, as it was then.
        given = replace(given, now=span.until, equity=None)
        history = history.until(span.until)
    walked = walk(history, method)

    def is_asked(at: datetime, of: str) -> bool:
        return span.covers(at) and asset in {None, of}

    wanted = [each for each in walked.outcomes if is_asked(moment_of(each), each.asset)]
    lines = _asset_lines(given, walked.open_now, wanted, asset)
    fees = fee_lines(each for each in history.fees if is_asked(each.at, each.asset))
    flows = [each for each in history.flows if is_asked(each.at, each.asset)]
    results = [each for each in history.results if is_asked(each.at, each.asset)]
    curve = curve_in(given, history) if asset is None else ()
    seen = tuple(each for each in curve if span.covers(each.taken_at))
    is_rough = any(each.is_estimated for each in seen)
    is_flow_rough = _is_flow_rough(given, flows)
    sums = {
        kind: sum((each.value or ZERO for each in results if each.kind == kind), ZERO)
        for kind in ("income", "margin", "charge")
    }
    return PnlReport(
        currency=given.currency,
        method=method,
        since=span.since,
        until=given.now,
        realised=_sum(each.realised for each in lines),
        income=sums["income"],
        margin=sums["margin"],
        charges=sums["charge"],
        unrealised=_sum(each.unrealised for each in lines),
        deposits=_sum(each.value for each in flows if each.quantity > ZERO),
        withdrawals=-_sum(each.value for each in flows if each.quantity < ZERO),
        is_flow_estimated=is_flow_rough,
        fees=fees,
        trades=trades_of((each for each in wanted if isinstance(each, Match)), history.trades),
        assets=lines,
        equity=given.equity if asset is None else None,
        return_pct=_return_pct(curve, span),
        drawdown_pct=seen[-1].drawdown_pct if seen else None,
        max_drawdown_pct=max((each.drawdown_pct for each in seen), default=None),
        is_return_estimated=is_rough,
        curve=seen,
        is_estimated=is_rough
        or is_flow_rough
        or _is_estimated(given, lines, fees)
        or (given.equity is None and span.until is None),
        notes=(
            *([f"the books know nothing of {asset}"] if asset and not lines else []),
            *_notes(given, history, lines, flows),
            *([_ROUGH_CURVE] if is_rough else []),
        ),
    )


def names_in(given: PnlInput) -> frozenset[str]:
    """Every asset that is in the books, is held, or has a price; by its canonical name."""
    records = given.records
    pairs = {each.symbol for each in records.fills}
    return frozenset(
        {
            given.currency,
            *(each.asset for each in records.entries),
            *(name for pair in pairs for name in pair.split("/")),
            *(each.asset for each in (() if given.equity is None else given.equity.holdings)),
            *given.marks.names,
        }
    )


def history_in(given: PnlInput) -> History:
    """What happened, but for what is dated so far ahead that it cannot have."""
    history = history_of(given.records, given.marks, given.currency)
    end = given.now + LONGEST
    ahead = sum(each.booked_at >= end for each in given.records.entries)
    return replace(history.until(end), ahead=ahead) if ahead else history


def curve_in(given: PnlInput, history: History) -> tuple[EquityPoint, ...]:
    """The equity curve anew, with all flows that the books or the points themselves tell."""
    times = (each.booked_at for each in given.records.entries)
    newest = max((each for each in times if each <= given.now), default=None)
    return tuple(curve_of(given.points, history.flows, newest))


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((each for each in amounts if each is not None), ZERO)


@dataclass(slots=True)
class _Tally:
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    waiting: Decimal = ZERO
    waiting_proceeds: Decimal = ZERO
    shortfall: Decimal = ZERO
    is_estimated: bool = False


@dataclass(slots=True)
class _Trade:
    gain: Decimal = ZERO
    is_waiting: bool = False


def _asset_lines(
    given: PnlInput, held: Sequence[Open], outcomes: Sequence[LotOutcome], asset: str | None
) -> tuple[AssetLine, ...]:
    tallies: dict[str, _Tally] = {}
    for each in outcomes:
        _count(tallies.setdefault(each.asset, _Tally()), each)
    open_by_asset = {each.asset: each for each in held if asset in {None, each.asset}}
    shown = () if given.equity is None else given.equity.holdings
    owned = {
        each.asset for each in shown if each.asset != given.currency and asset in {None, each.asset}
    }
    nothing = _Tally()
    return tuple(
        _line(given, name, open_by_asset.get(name), tallies.get(name, nothing))
        for name in sorted({*open_by_asset, *tallies, *owned})
    )


def _count(tally: _Tally, outcome: LotOutcome) -> None:
    match outcome:
        case Match():
            gain = realised_of(outcome)
            tally.fees += outcome.selling_fee + outcome.buying_fee
            tally.is_estimated |= outcome.is_estimated
            if gain is None:
                tally.waiting += outcome.quantity
                tally.waiting_proceeds += outcome.proceeds or ZERO
            else:
                tally.realised += gain
        case Shortfall():
            tally.shortfall += outcome.quantity
        case Moved():
            pass


def _line(given: PnlInput, asset: str, held: Open | None, tally: _Tally) -> AssetLine:
    price = given.marks.price(asset, given.currency, given.now)
    known = ZERO if held is None else held.known
    pending = ZERO if held is None else held.pending
    basis = ZERO if held is None else held.basis
    quantity = known + pending
    is_old = bool(quantity) and (price is None or price.is_stale)
    return AssetLine(
        asset=asset,
        quantity=quantity,
        pending=pending,
        average_cost=basis / known if known else None,
        mark=price.price if price else None,
        marked_at=price.marked_at if price else None,
        value=in_units(quantity * price.price) if price else None,
        unrealised=in_units(known * price.price) - basis if price and known else None,
        realised=tally.realised,
        fees=tally.fees,
        waiting=tally.waiting,
        waiting_proceeds=tally.waiting_proceeds,
        shortfall=tally.shortfall,
        is_estimated=is_old
        or bool(pending)
        or tally.is_estimated
        or bool(tally.waiting or tally.shortfall)
        or (held is not None and held.is_estimated),
    )


def fee_lines(fees: Iterable[FeePaid]) -> tuple[FeeLine, ...]:
    """Fees by asset."""
    groups: dict[str, list[FeePaid]] = {}
    for each in fees:
        if each.amount:
            groups.setdefault(each.asset, []).append(each)
    return tuple(
        FeeLine(
            asset=asset,
            amount=sum((each.amount for each in paid), ZERO),
            value=_sum(each.value for each in paid),
            is_estimated=any(each.value is None for each in paid),
        )
        for asset, paid in sorted(groups.items())
    )


def trades_of(matches: Iterable[Match], orders: Mapping[str, str]) -> Trades:
    """Closed trades of these matches; money of another name and fees in kind are no trades."""
    found: dict[str, _Trade] = {}
    for each in matches:
        order = orders.get(each.event_id)
        if order is None or each.reason != "sale":
            continue
        trade = found.setdefault(order, _Trade())
        trade.is_waiting |= each.gain is None
        trade.gain += each.gain or ZERO
    gains = [each.gain for each in found.values() if not each.is_waiting]
    wins = sum(gain > ZERO for gain in gains)
    return Trades(
        closed=len(found),
        wins=wins,
        losses=sum(gain < ZERO for gain in gains),
        waiting=len(found) - len(gains),
        win_rate_pct=Decimal(wins) / len(gains) * HUNDRED if gains else None,
        expectancy=sum(gains, ZERO) / len(gains) if gains else None,
    )


def _return_pct(curve: Sequence[EquityPoint], span: Span) -> Decimal | None:
    inside = [each for each in curve if span.covers(each.taken_at)]
    if not inside:
        return None
    before = [each for each in curve if each.taken_at < inside[0].taken_at]
    first = before[-1] if before else inside[0]
    if first is inside[-1] or not first.return_index:
        return None
    return (inside[-1].return_index / first.return_index - ONE) * HUNDRED


def _is_flow_rough(given: PnlInput, flows: Sequence[Flow]) -> bool:
    """Whether what came and went is not sure. Without a ledger nobody knows that nothing did."""
    return _is_untold(given) or any(each.is_estimated or each.value is None for each in flows)


def _is_untold(given: PnlInput) -> bool:
    """Whether there is an account, and no ledger that tells what came and went."""
    has_books = bool(given.records.fills) or given.equity is not None or bool(given.points)
    return has_books and not given.records.entries


def _is_estimated(given: PnlInput, lines: Sequence[AssetLine], fees: Sequence[FeeLine]) -> bool:
    return (
        any(each.is_estimated for each in lines)
        or any(each.is_estimated for each in fees)
        or (given.equity is not None and given.equity.is_estimated)
    )


def _notes(
    given: PnlInput, history: History, lines: Sequence[AssetLine], flows: Sequence[Flow]
) -> Iterator[str]:
    if _is_untold(given):
        fills = "only fills are in the books, " if given.records.fills else ""
        yield (
            f"{fills}no ledger is imported: deposits, withdrawals, rewards and transfers are not in"
            " these figures (zoe ledger import)"
        )
    for line in lines:
        if line.waiting:
            yield (
                f"{line.asset}: {line.waiting.normalize():f} went for"
                f" {line.waiting_proceeds:.2f} {given.currency}, and their cost is pending: their"
                " result is in no sum"
            )
        if line.pending:
            quantity = f"{line.pending.normalize():f}"
            yield f"{line.asset}: {quantity} came in without a cost (zoe pnl basis)"
        if line.shortfall:
            yield (
                f"{line.asset}: {line.shortfall.normalize():f} went out of which the books do not"
                " know how they came in: no gain is booked for them"
            )
    without = sorted({each.asset for each in flows if each.value is None})
    if without:
        yield f"deposits or withdrawals without a price of their moment: {', '.join(without)}"
    if history.ahead:
        yield f"{history.ahead} ledger rows are dated later than now: they are in no sum"
    if history.strange:
        yield f"{len(history.strange)} ledger rows of a kind that is not explained"
    if given.equity is not None:
        yield from _differences(given.equity, lines)
        yield from given.equity.why


def _differences(equity: Equity, lines: Sequence[AssetLine]) -> Iterator[str]:
    """Where the venue holds another quantity than the lots explain."""
    by_lots = {each.asset: each.quantity for each in lines}
    for each in equity.holdings:
        explained = by_lots.get(each.asset)
        if each.asset == equity.currency or explained is None:
            continue
        if abs(each.quantity - explained) > _DUST:
            yield (
                f"{each.asset}: the venue holds {each.quantity.normalize():f}, the lots explain"
                f" {explained.normalize():f}"
            )
