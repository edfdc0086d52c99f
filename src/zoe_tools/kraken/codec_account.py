"""Payloads of Kraken's account and funding methods become domain values. Pure, as codec.py.

Source: kraken-spot sections 6 and 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from zoe_tools.domain.funding import (
    EarnAllocation,
    EarnLock,
    EarnStrategy,
    FundingAddress,
    FundingMethod,
    FundsMovement,
    MovementKind,
    MovementStatus,
    WithdrawalTerms,
)
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue
from zoe_tools.domain.margin import (
    AmendRecord,
    BorrowedPosition,
    CreditLine,
    FeeStanding,
    MarginStanding,
    PairFees,
)
from zoe_tools.domain.money import ZERO
from zoe_tools.kraken import strange
from zoe_tools.kraken import wire_account as wire
from zoe_tools.kraken.codec import canonical_asset, row_of, side_of, symbol_of, time_of

_NANOSECONDS = 1_000_000_000


def margin_standing_of(row: wire.TradeBalanceRow, asset: str) -> MarginStanding:
    """TradeBalance, in `asset` (canonical name)."""
    return MarginStanding(
        asset=asset,
        worth=row.eb,
        collateral=row.tb,
        used=row.m,
        unrealised=row.n,
        cost=row.c,
        value=row.v,
        equity=row.e,
        free=row.mf,
        level_pct=row.ml,
        unexecuted=row.uv,
    )


def fee_standing_of(
    row: wire.TradeVolume, instruments: Sequence[Instrument], catalogue: InstrumentCatalogue
) -> FeeStanding:
    """Volume and fees; without a maker schedule makers pay what takers pay.

    Raises:
        ValueError: no fees of a pair that was asked for.
    """
    takers = row.fees or {}
    makers = row.fees_maker or {}
    fees: list[PairFees] = []
    for instrument in instruments:
        taker = row_of(takers, instrument)
        is_flat = makers.keys().isdisjoint((instrument.venue_id, instrument.altname))
        maker = taker if is_flat else row_of(makers, instrument)
        fees.append(
            PairFees(
                symbol=instrument.symbol,
                taker_pct=taker.fee,
                maker_pct=maker.fee,
                next_volume=taker.nextvolume,
                next_taker_pct=taker.nextfee,
                next_maker_pct=maker.nextfee,
            )
        )
    currency = canonical_asset(row.currency, catalogue)
    return FeeStanding(currency=currency, volume_30d=row.volume, fees=tuple(fees))


def positions_of(
    rows: wire.Positions, catalogue: InstrumentCatalogue
) -> tuple[BorrowedPosition, ...]:
    """Open positions on margin, by their ids.

    Raises:
        ValueError: rows without ids (only an empty list may come), or a side or time of nonsense.
    """
    if isinstance(rows, list):
        if rows:
            raise ValueError("positions without their ids")
        return ()
    return tuple(_position_of(key, row, catalogue) for key, row in rows.items())


def _position_of(
    key: str, row: wire.PositionRow, catalogue: InstrumentCatalogue
) -> BorrowedPosition:
    return BorrowedPosition(
        position_id=key,
        venue_order_id=VenueOrderId(row.ordertxid),
        symbol=symbol_of(row.pair, catalogue),
        side=side_of(row.type),
        quantity=row.vol,
        closed_quantity=row.vol_closed,
        cost=row.cost,
        fee=row.fee,
        margin=row.margin,
        opened_at=time_of(row.time),
        rolls_at=time_of(row.rollovertm) if row.rollovertm else None,
        value=row.value,
        unrealised=row.net,
    )


def amends_of(row: wire.OrderAmends) -> tuple[AmendRecord, ...]:
    """The trail of one order, oldest first."""
    return tuple(
        AmendRecord(
            amend_id=each.amend_id,
            kind=each.amend_type,
            amended_at=time_of(Decimal(each.timestamp) / _NANOSECONDS),
            quantity=each.order_qty,
            remaining_quantity=each.remaining_qty,
            limit_price=each.limit_price,
            trigger_price=each.trigger_price,
            reason=each.reason or "",
        )
        for each in row.amends
    )


def credit_lines_of(
    row: wire.CreditLines | None, catalogue: InstrumentCatalogue
) -> tuple[CreditLine, ...]:
    """Lines of credit; none of accounts without."""
    return tuple(
        CreditLine(
            asset=canonical_asset(key, catalogue),
            balance=each.balance,
            limit=each.credit_limit,
            used=each.credit_used,
            available=each.available_credit,
        )
        for key, each in (row.asset_details if row is not None else {}).items()
    )


# --- funding


def movement_of(
    kind: MovementKind, row: wire.MovementRow, catalogue: InstrumentCatalogue
) -> FundsMovement:
    """A deposit or a withdrawal; a status zoe does not know is UNKNOWN."""
    return FundsMovement(
        kind=kind,
        refid=row.refid,
        asset=canonical_asset(row.asset, catalogue),
        amount=row.amount,
        fee=row.fee,
        moved_at=time_of(row.time),
        status=_movement_status(row.status),
        method=row.method,
        detail=row.status_prop or "",
        network=row.network or "",
        txid=row.txid or "",
    )


def _movement_status(text: str) -> MovementStatus:
    try:
        return MovementStatus(text)
    except ValueError:
        strange.noted("the status of a deposit or withdrawal", text)
        return MovementStatus.UNKNOWN


def movement_rows(answer: wire.Movements) -> tuple[Sequence[wire.MovementRow], str | None]:
    """A page's rows, and the cursor of the next page; None at the end.

    Raises:
        ValueError: a page without its list: it is not taken for an empty one.
    """
    if isinstance(answer, list):
        return answer, None
    for rows in (answer.deposit, answer.withdrawal, answer.withdrawals):
        if rows is not None:
            return rows, answer.next_cursor or None
    raise ValueError("a page of deposits or withdrawals without them")


def deposit_method_of(asset: str, row: wire.DepositMethodRow) -> FundingMethod:
    """A way to pay `asset` (canonical name) in."""
    return FundingMethod(
        kind="deposit", asset=asset, method=row.method, minimum=row.minimum, fee=row.fee
    )


def withdraw_method_of(
    row: wire.WithdrawMethodRow, catalogue: InstrumentCatalogue
) -> FundingMethod:
    """A way to pay an asset out."""
    return FundingMethod(
        kind="withdrawal",
        asset=canonical_asset(row.asset, catalogue),
        method=row.method,
        network=row.network or "",
        minimum=row.minimum,
    )


def _memo(row: wire.DepositAddressRow | wire.WithdrawAddressRow) -> str:
    """Networks call it memo or tag; numbers may come as such."""
    found = row.memo if row.memo is not None else row.tag
    return "" if found is None else str(found)


def deposit_address_of(asset: str, method: str, row: wire.DepositAddressRow) -> FundingAddress:
    """Where `asset` (canonical name) is paid in by `method`.

    Raises:
        ValueError: an end that is no time.
    """
    return FundingAddress(
        kind="deposit",
        asset=asset,
        method=method,
        address=row.address,
        memo=_memo(row),
        is_fresh=row.new,
        expires_at=time_of(row.expiretm) if row.expiretm else None,
    )


def withdraw_address_of(
    row: wire.WithdrawAddressRow, catalogue: InstrumentCatalogue
) -> FundingAddress:
    """Where an asset may be paid out to."""
    return FundingAddress(
        kind="withdrawal",
        asset=canonical_asset(row.asset, catalogue),
        method=row.method,
        address=row.address,
        memo=_memo(row),
        key=row.key,
        is_verified=row.verified,
    )


def withdrawal_terms_of(asset: str, row: wire.WithdrawInfo) -> WithdrawalTerms:
    """What a withdrawal of `asset` (canonical name) would bring."""
    return WithdrawalTerms(
        asset=asset, method=row.method, limit=row.limit, arrives=row.amount, fee=row.fee
    )


# --- earn


def strategy_of(row: wire.EarnStrategyRow, catalogue: InstrumentCatalogue) -> EarnStrategy:
    """A way to earn; a lock zoe does not know is UNKNOWN.

    Raises:
        ValueError: a period of nonsense.
    """
    estimate = row.apr_estimate or wire.EarnYieldRow()
    return EarnStrategy(
        strategy_id=row.id,
        asset=canonical_asset(row.asset, catalogue),
        lock=_lock(row.lock_type.type),
        yield_low_pct=estimate.low,
        yield_high_pct=estimate.high,
        minimum=row.user_min_allocation,
        maximum=row.user_cap,
        allocation_fee_pct=row.allocation_fee,
        deallocation_fee_pct=row.deallocation_fee,
        bonding=_period(row.lock_type.bonding_period),
        unbonding=_period(row.lock_type.unbonding_period),
        may_allocate=row.can_allocate,
        may_deallocate=row.can_deallocate,
        source=row.yield_source.type if row.yield_source is not None else "",
        restrictions=tuple(row.allocation_restriction_info or ()),
    )


def _lock(text: str) -> EarnLock:
    try:
        return EarnLock(text)
    except ValueError:
        strange.noted("the lock of an earn strategy", text)
        return EarnLock.UNKNOWN


def _period(seconds: Decimal | None) -> timedelta | None:
    """A length of time; `time_of` bounds it as it bounds times."""
    return None if seconds is None else time_of(seconds) - time_of(ZERO)


def allocation_of(row: wire.EarnAllocationRow, catalogue: InstrumentCatalogue) -> EarnAllocation:
    """What one strategy holds."""
    amounts = row.amount_allocated
    return EarnAllocation(
        strategy_id=row.strategy_id,
        asset=canonical_asset(row.native_asset, catalogue),
        allocated=amounts.total.native,
        rewarded=row.total_rewarded.native,
        bonding=amounts.bonding.native if amounts.bonding is not None else ZERO,
        unbonding=amounts.unbonding.native if amounts.unbonding is not None else ZERO,
    )
