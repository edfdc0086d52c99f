"""Makes one stream of lot events of fills, ledger rows and declared costs.

A booked fill counts as what it is; the ledger's legs of it are left out. Everything else that the
ledger tells is read by what its kind means. What is worth nothing that anybody knows has no value
here: it is never given one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.accounting import base_of, quote_of
from zoe_tools.core.ledger_kinds import Book, Movement, Role, is_flow, movement_of
from zoe_tools.core.lot_exchanges import NATIONAL, LegWorth, leg_worths
from zoe_tools.core.lot_history import FeePaid, Flow, History, Records, Result
from zoe_tools.core.lots import piece_of
from zoe_tools.core.marks import MarkBook, Worth
from zoe_tools.domain.discrepancy import Adjustment
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.lot import Acquire, CostBasis, Dispose, LotEvent, MoveOut
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import Side

_TRADE = "trade"
_EXCHANGED = frozenset({Role.ACQUISITION, Role.DISPOSAL})


def history_of(records: Records, marks: MarkBook, currency: str) -> History:
    """One stream of all that happened, valued in `currency`.

    What happened in one moment: first what came in, so that what went out finds it.
    """
    teller = _Teller(marks, currency, {each.ledger_id: each for each in records.costs})
    on_margin = {
        each.refid for each in records.entries if movement_of(each).counter == Book.REALISED_PNL
    }
    fills = [each for each in records.fills if each.fill_id not in on_margin]
    for fill in fills:
        teller.tell_fill(fill)
    told = {each.fill_id for each in fills}
    groups: dict[str, list[LedgerEntry]] = {}
    for entry in records.entries:
        movement = movement_of(entry)
        if movement.role in _EXCHANGED:
            if entry.refid not in told or entry.kind != _TRADE:
                groups.setdefault(entry.refid, []).append(entry)
        else:
            teller.tell_entry(entry, movement)
    for legs in groups.values():
        teller.tell_exchange(legs)
    for posted in records.adjustments:
        teller.tell_adjustment(posted)
    return teller.history()


def flows_in(entries: Iterable[LedgerEntry], marks: MarkBook, currency: str) -> tuple[Flow, ...]:
    """What of these rows came from outside, or went there; oldest first."""
    teller = _Teller(marks, currency, {})
    for entry in entries:
        movement = movement_of(entry)
        if is_flow(movement):
            teller.tell_entry(entry, movement)
    return teller.history().flows


class _Teller:
    """Collects what fills and ledger rows come to."""

    def __init__(self, marks: MarkBook, currency: str, costs: Mapping[str, CostBasis]) -> None:
        self._marks = marks
        self._currency = currency
        self._costs = costs
        self._events: list[LotEvent] = []
        self._flows: list[Flow] = []
        self._fees: list[FeePaid] = []
        self._results: list[Result] = []
        self._trades: dict[str, str] = {}
        self._strange: list[LedgerEntry] = []

    def history(self) -> History:
        """Everything told so far, in order."""
        return History(
            events=tuple(
                sorted(self._events, key=lambda each: (each.at, not isinstance(each, Acquire)))
            ),
            flows=tuple(sorted(self._flows, key=lambda each: each.at)),
            fees=tuple(sorted(self._fees, key=lambda each: each.at)),
            results=tuple(sorted(self._results, key=lambda each: each.at)),
            trades=self._trades,
            strange=tuple(self._strange),
        )

    def _worth(self, quantity: Decimal, asset: str, at: datetime) -> Worth:
        return self._marks.worth(quantity, asset, self._currency, at)

    # --- fills -----------------------------------------------------------------------------------

    def tell_fill(self, fill: Fill) -> None:
        """A trade of base against quote, and its fee in whichever asset."""
        at, base, quote = fill.filled_at, base_of(fill.symbol), quote_of(fill.symbol)
        money = self._worth(fill.cost, quote, at)
        fee = self._fee_of(fill, money)
        self._fees.append(FeePaid(at=at, asset=fill.fee_asset, amount=fill.fee, value=fee.value))
        quote_fee = fill.fee if fill.fee_asset == quote else ZERO
        base_fee = fill.fee if fill.fee_asset == base else ZERO
        third = fill.fee if fill.fee_asset not in {base, quote} else ZERO
        estimated = money.is_estimated or (bool(third) and fee.is_estimated)
        self._trades[fill.fill_id] = fill.venue_order_id
        if third:
            self._paid(fill.fill_id, at, fill.fee_asset, third, fee.value)
        paid = ZERO if fee.value is None else fee.value
        if fill.side is Side.BUY:
            cost = money.value
            if base_fee and cost is not None:
                paid = piece_of(cost, base_fee, fill.quantity)
                cost -= paid
            self._got(fill, base, fill.quantity - base_fee, cost, paid, estimated)
            self._gave_money(fill, quote, fill.cost + quote_fee)
        else:
            selling_fee = ZERO if base_fee else paid
            self._events.append(
                Dispose(
                    fill.fill_id,
                    at,
                    base,
                    fill.quantity + base_fee,
                    money.value,
                    selling_fee,
                    is_estimated=estimated,
                )
            )
            self._got_money(fill, quote, fill.cost - quote_fee)

    def _fee_of(self, fill: Fill, money: Worth) -> Worth:
        """What the fee was worth: a fee in base or quote by the trade's own price."""
        if not fill.fee:
            return Worth(value=ZERO, is_estimated=False)
        if money.value is not None and fill.fee_asset == base_of(fill.symbol):
            return Worth(
                value=piece_of(money.value, fill.fee, fill.quantity),
                is_estimated=money.is_estimated,
            )
        return self._worth(fill.fee, fill.fee_asset, fill.filled_at)

    def _got(
        self,
        fill: Fill,
        asset: str,
        quantity: Decimal,
        cost: Decimal | None,
        fee: Decimal,
        estimated: bool,  # noqa: FBT001 - one of the values of the event that is made
    ) -> None:
        if quantity > ZERO:
            self._events.append(
                Acquire(
                    fill.fill_id,
                    fill.filled_at,
                    asset,
                    quantity,
                    cost,
                    fee,
                    is_estimated=estimated,
                )
            )

    def _gave_money(self, fill: Fill, quote: str, amount: Decimal) -> None:
        """Money that is not the report's is an asset like others: its lots are realised."""
        if quote != self._currency and amount > ZERO:
            worth = self._worth(amount, quote, fill.filled_at)
            self._events.append(
                Dispose(
                    f"{fill.fill_id}:{quote}",
                    fill.filled_at,
                    quote,
                    amount,
                    worth.value,
                    is_estimated=worth.is_estimated,
                )
            )

    def _got_money(self, fill: Fill, quote: str, amount: Decimal) -> None:
        if quote != self._currency and amount > ZERO:
            worth = self._worth(amount, quote, fill.filled_at)
            name = f"{fill.fill_id}:{quote}"
            self._events.append(
                Acquire(
                    name,
                    fill.filled_at,
                    quote,
                    amount,
                    worth.value,
                    is_estimated=worth.is_estimated,
                )
            )

    def _paid(
        self, name: str, at: datetime, asset: str, amount: Decimal, value: Decimal | None
    ) -> None:
        """A fee in an asset of its own: given away at what it was worth, if that is known.

        Its worth is part of the trade; without one the trade bears nothing, and the fee its cost.
        """
        if asset == self._currency:
            return
        reason = "fee" if value is None else "sale"
        self._events.append(Dispose(f"{name}:fee", at, asset, amount, value, reason=reason))

    # --- ledger rows -----------------------------------------------------------------------------

    def tell_entry(self, entry: LedgerEntry, movement: Movement) -> None:
        """A row that is no exchange of one thing for another."""
        match movement.role:
            case Role.DEPOSIT:
                self._came_in(entry)
            case Role.WITHDRAWAL:
                self._went_out(entry)
            case Role.INCOME:
                self._result(entry, "income")
            case Role.PROFIT:
                self._result(entry, "margin")
            case Role.ADJUSTMENT | Role.UNKNOWN:
                self._unexplained(entry)
            case Role.FEE:
                self._charge(entry, entry.own_fee - entry.amount)
            case _:
                if is_flow(movement):  # its lots stay the owner's
                    worth = self._worth(entry.amount, entry.asset, entry.booked_at)
                    self._flow(entry, entry.amount, worth)
                self._charge(entry, entry.own_fee)
        if entry.fee != entry.own_fee:
            self._charged(entry, entry.fee_asset, entry.fee)

    def _came_in(self, entry: LedgerEntry) -> None:
        quantity = entry.change
        worth = self._worth(quantity, entry.asset, entry.booked_at)
        self._flow(entry, quantity, worth)
        if entry.asset != self._currency and quantity > ZERO:
            cost, is_estimated = self._declared(entry), False
            if cost is None and entry.asset in NATIONAL:
                cost, is_estimated = worth.value, worth.is_estimated
            self._acquire(entry, quantity, cost, "deposit", is_estimated=is_estimated)
        elif entry.asset != self._currency and quantity < ZERO:
            worth = self._worth(-quantity, entry.asset, entry.booked_at)
            self._give(entry, entry.asset, -quantity, worth)
        self._note_fee(entry)

    def _declared(self, entry: LedgerEntry) -> Decimal | None:
        """What the operator says that it had cost: in the report's currency, or in another one."""
        basis = self._costs.get(entry.ledger_id)
        if basis is None:
            return None
        total = basis.unit_cost * entry.change
        return self._worth(total, basis.currency, entry.booked_at).value

    def _went_out(self, entry: LedgerEntry) -> None:
        quantity = -entry.amount
        self._flow(entry, -quantity, self._worth(-quantity, entry.asset, entry.booked_at))
        if entry.asset != self._currency:
            self._events.append(MoveOut(entry.ledger_id, entry.booked_at, entry.asset, quantity))
        self._charge(entry, entry.own_fee)

    def _flow(self, entry: LedgerEntry, quantity: Decimal, worth: Worth) -> None:
        self._flows.append(
            Flow(
                ledger_id=entry.ledger_id,
                at=entry.booked_at,
                asset=entry.asset,
                quantity=quantity,
                value=worth.value,
                is_estimated=worth.is_estimated,
            )
        )

    def _result(self, entry: LedgerEntry, kind: str) -> None:
        """Won or lost as such; what came is a lot at its worth, what went took lots along."""
        gross = entry.amount
        worth = self._worth(gross, entry.asset, entry.booked_at)
        self._results.append(
            Result(
                at=entry.booked_at,
                kind=kind,
                asset=entry.asset,
                amount=gross,
                value=worth.value,
                is_estimated=worth.is_estimated,
            )
        )
        if entry.asset != self._currency and gross > ZERO:
            self._acquire(entry, gross, worth.value, kind, is_estimated=worth.is_estimated)
        elif entry.asset != self._currency and gross < ZERO:
            self._events.append(
                Dispose(
                    f"{entry.ledger_id}:{kind}",
                    entry.booked_at,
                    entry.asset,
                    -gross,
                    None if worth.value is None else -worth.value,
                    is_estimated=worth.is_estimated,
                )
            )
        self._charge(entry, entry.own_fee)

    def _unexplained(self, entry: LedgerEntry) -> None:
        """Nobody knows why: what came has no cost, what went is not realised; both are named."""
        self._strange.append(entry)
        if entry.asset != self._currency and entry.amount > ZERO:
            self._acquire(entry, entry.amount, self._declared(entry), entry.kind)
        elif entry.asset != self._currency and entry.amount < ZERO:
            self._events.append(
                MoveOut(entry.ledger_id, entry.booked_at, entry.asset, -entry.amount)
            )
        self._charge(entry, entry.own_fee)

    def _charge(self, entry: LedgerEntry, fee: Decimal) -> None:
        """What was charged: in the currency it is money, in an asset it takes lots.

        Less than nothing was given back, and is income.
        """
        self._note_fee(entry)
        if fee:
            self._charged(entry, entry.asset, fee)

    def _charged(self, entry: LedgerEntry, asset: str, fee: Decimal) -> None:
        worth = self._worth(fee, asset, entry.booked_at)
        if asset == self._currency or fee < ZERO:
            self._results.append(
                Result(
                    at=entry.booked_at,
                    kind="charge",
                    asset=asset,
                    amount=-fee,
                    value=None if worth.value is None else -worth.value,
                    is_estimated=worth.is_estimated,
                )
            )
        if asset == self._currency:
            return
        if fee < ZERO:
            cost = None if worth.value is None else -worth.value
            self._acquire(entry, -fee, cost, "rebate", asset=asset, is_estimated=worth.is_estimated)
        else:
            self._give(entry, asset, fee, worth)

    def _give(self, entry: LedgerEntry, asset: str, fee: Decimal, worth: Worth) -> None:
        """A fee in kind: given away at its worth."""
        self._events.append(
            Dispose(
                f"{entry.ledger_id}:fee",
                entry.booked_at,
                asset,
                fee,
                worth.value,
                reason="fee",
                is_estimated=worth.is_estimated,
            )
        )

    def _note_fee(self, entry: LedgerEntry) -> None:
        """The row's fee, in whichever asset: of one in another asset no other row tells."""
        if entry.fee <= ZERO:
            return
        asset = entry.fee_asset or entry.asset
        value = self._worth(entry.fee, asset, entry.booked_at).value
        self._fees.append(FeePaid(at=entry.booked_at, asset=asset, amount=entry.fee, value=value))

    def _acquire(
        self,
        entry: LedgerEntry,
        quantity: Decimal,
        cost: Decimal | None,
        origin: str,
        *,
        asset: str = "",
        is_estimated: bool = False,
    ) -> None:
        self._events.append(
            Acquire(
                f"{entry.ledger_id}:fee" if asset and asset != entry.asset else entry.ledger_id,
                entry.booked_at,
                asset or entry.asset,
                quantity,
                cost,
                origin=origin,
                is_estimated=is_estimated,
            )
        )

    def tell_adjustment(self, posted: Adjustment) -> None:
        """What an operator added or took away, for a price or not yet for one: then no result."""
        if posted.asset == self._currency:
            return
        quantity, at = abs(posted.quantity), posted.adjusted_at
        basis = self._costs.get(posted.adjustment_id)
        unit, currency = posted.unit_price, posted.currency or self._currency
        if basis is not None:
            unit, currency = basis.unit_cost, basis.currency
        worth = self._worth(quantity, posted.asset, at)
        if unit is not None:
            worth = self._worth(unit * quantity, currency, at)
        name, asset, value = posted.adjustment_id, posted.asset, worth.value
        is_known = unit is not None or asset in NATIONAL
        rough = worth.is_estimated and is_known
        if posted.quantity > ZERO:
            cost = value if is_known else None
            self._events.append(
                Acquire(name, at, asset, quantity, cost, origin="adjustment", is_estimated=rough)
            )
        elif unit is None:
            self._events.append(MoveOut(name, at, asset, quantity))
        else:
            self._events.append(Dispose(name, at, asset, quantity, value, is_estimated=rough))

    # --- one thing for another, told by the ledger alone -----------------------------------------

    def tell_exchange(self, legs: Sequence[LedgerEntry]) -> None:
        """The rows of one trade or conversion: what was given, what was got, what it cost.

        A fee in an asset that is none of the legs' own is given away, and its worth is the trade's.
        """
        charged = Worth(value=ZERO, is_estimated=False)
        for leg in legs:
            self._note_fee(leg)
            if leg.fee != leg.own_fee:
                charged = _both(charged, self._paid_beside(leg))
        for leg, worth in leg_worths(legs, self._marks, self._currency, charged):
            self._leg(leg, worth)

    def _paid_beside(self, leg: LedgerEntry) -> Worth:
        """What a fee in another asset costs the trade; what was given back is no part of it."""
        if leg.fee < ZERO:
            self._charged(leg, leg.fee_asset, leg.fee)
            return Worth(value=ZERO, is_estimated=False)
        worth = self._worth(leg.fee, leg.fee_asset, leg.booked_at)
        self._paid(leg.ledger_id, leg.booked_at, leg.fee_asset, leg.fee, worth.value)
        return worth

    def _leg(self, leg: LedgerEntry, worth: LegWorth) -> None:
        if leg.asset == self._currency:
            return
        fee = leg.own_fee
        if leg.amount > ZERO:
            quantity = leg.amount - fee
            if quantity > ZERO:
                self._events.append(
                    Acquire(
                        leg.ledger_id,
                        leg.booked_at,
                        leg.asset,
                        quantity,
                        worth.value,
                        worth.fee,
                        origin=leg.kind,
                        is_estimated=worth.is_estimated,
                    )
                )
            elif quantity < ZERO:  # dust whose fee was more than it was
                worth_of_it = self._worth(-quantity, leg.asset, leg.booked_at)
                self._give(leg, leg.asset, -quantity, worth_of_it)
            return
        if not worth.is_paying:
            self._trades[leg.ledger_id] = leg.refid
        self._events.append(
            Dispose(
                leg.ledger_id,
                leg.booked_at,
                leg.asset,
                fee - leg.amount,
                worth.value,
                worth.fee,
                is_estimated=worth.is_estimated,
            )
        )


def _both(one: Worth, other: Worth) -> Worth:
    return Worth(
        value=(one.value or ZERO) + (other.value or ZERO),
        is_estimated=one.is_estimated or other.is_estimated,
    )
