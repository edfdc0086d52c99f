"""The payloads of Kraken's account, funding, earn and export methods (kraken-spot section 6).

Shapes only, as in wire.py: exact decimals, unknown fields tolerated, enumerations left as text.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from zoe_tools.kraken.wire import FillRow, LedgerRow, Row, names


class TradeBalanceRow(Row, frozen=True):
    """TradeBalance; `ml` is absent without positions."""

    unread: ClassVar[frozenset[str]] = names("mfo")

    eb: Decimal
    tb: Decimal
    m: Decimal
    n: Decimal
    c: Decimal
    v: Decimal
    e: Decimal
    mf: Decimal
    ml: Decimal | None = None
    uv: Decimal | None = None


class FeeStandingRow(Row, frozen=True):
    """A pair's row of TradeVolume, in percent; no next tier on the last one."""

    unread: ClassVar[frozenset[str]] = names("minfee maxfee tiervolume")

    fee: Decimal
    nextfee: Decimal | None = None
    nextvolume: Decimal | None = None


class TradeVolume(Row, frozen=True):
    """TradeVolume; fees only of the pairs asked for."""

    currency: str
    volume: Decimal
    fees: dict[str, FeeStandingRow] | None = None
    fees_maker: dict[str, FeeStandingRow] | None = None


class PositionRow(Row, frozen=True):
    """A row of OpenPositions; `rollovertm` is text, `net` has a sign and comes with docalcs."""

    unread: ClassVar[frozenset[str]] = names("posstatus class ordertype terms misc oflags leverage")

    ordertxid: str
    pair: str
    time: Decimal
    type: str
    cost: Decimal
    fee: Decimal
    vol: Decimal
    vol_closed: Decimal
    margin: Decimal
    rollovertm: Decimal | None = None
    value: Decimal | None = None
    net: Decimal | None = None


Positions = dict[str, PositionRow] | list[PositionRow]
"""OpenPositions: by position id; an empty list when there are none."""


class AmendRow(Row, frozen=True):
    """A row of OrderAmends; `timestamp` in nanoseconds."""

    unread: ClassVar[frozenset[str]] = names("post_only")

    amend_id: str
    amend_type: str
    order_qty: Decimal
    remaining_qty: Decimal
    timestamp: int
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    display_qty: Decimal | None = None
    reason: str | None = None


class OrderAmends(Row, frozen=True):
    """OrderAmends, oldest first."""

    unread: ClassVar[frozenset[str]] = names("count")

    amends: list[AmendRow]


class CreditRow(Row, frozen=True):
    """An asset's row of CreditLines."""

    balance: Decimal
    credit_limit: Decimal
    credit_used: Decimal
    available_credit: Decimal


class CreditLines(Row, frozen=True):
    """CreditLines, of accounts that have one; null of all others."""

    unread: ClassVar[frozenset[str]] = names("limits_monitor")

    asset_details: dict[str, CreditRow]


QueriedFills = dict[str, FillRow]
"""QueryTrades."""
QueriedLedger = dict[str, LedgerRow]
"""QueryLedgers."""


# --- funding


class DepositMethodRow(Row, frozen=True):
    """A row of DepositMethods; `limit` is false where there is none."""

    unread: ClassVar[frozenset[str]] = names("gen-address address-setup-fee")

    method: str
    limit: Decimal | bool | None = None
    fee: Decimal | None = None
    minimum: Decimal | None = None


class WithdrawMethodRow(Row, frozen=True):
    """A row of WithdrawMethods."""

    unread: ClassVar[frozenset[str]] = names("network_id fee limits")

    asset: str
    method: str
    network: str | None = None
    minimum: Decimal | None = None


class DepositAddressRow(Row, frozen=True):
    """A row of DepositAddresses; `expiretm` is "0" or 0 for never, `new` says it is unused."""

    address: str
    expiretm: Decimal = Decimal(0)
    new: bool = False
    memo: str | int | None = None
    tag: str | int | None = None


class WithdrawAddressRow(Row, frozen=True):
    """A row of WithdrawAddresses."""

    address: str
    asset: str
    method: str
    key: str
    verified: bool = True
    memo: str | int | None = None
    tag: str | int | None = None


class WithdrawInfo(Row, frozen=True):
    """WithdrawInfo: `amount` is what arrives."""

    method: str
    limit: Decimal
    amount: Decimal
    fee: Decimal


class MovementRow(Row, frozen=True):
    """A record of DepositStatus or WithdrawStatus; the fee may be missing."""

    unread: ClassVar[frozenset[str]] = names("aclass key originators")

    method: str
    asset: str
    refid: str
    amount: Decimal
    time: Decimal
    status: str
    txid: str | None = None
    info: str | None = None
    fee: Decimal | None = None
    network: str | None = None
    status_prop: str | None = msgspec.field(name="status-prop", default=None)


class MovementPage(Row, frozen=True):
    """A page of either, asked with `cursor`. The name of the withdrawals' list is not certain."""

    deposit: list[MovementRow] | None = None
    withdrawal: list[MovementRow] | None = None
    withdrawals: list[MovementRow] | None = None
    next_cursor: str | None = None


Movements = list[MovementRow] | MovementPage
"""DepositStatus and WithdrawStatus: a list, or a page of one."""


# --- earn


class EarnPending(Row, frozen=True):
    """Earn/AllocateStatus and Earn/DeallocateStatus."""

    pending: bool


class EarnAmount(Row, frozen=True):
    """An amount in the asset itself and in the currency of the answer."""

    unread: ClassVar[frozenset[str]] = names("allocation_count allocations")

    native: Decimal
    converted: Decimal


class EarnPart(Row, frozen=True):
    """What is on its way in or out, in the asset itself; empty where nothing is."""

    unread: ClassVar[frozenset[str]] = names("converted allocation_count allocations")

    native: Decimal = Decimal(0)


class EarnAmounts(Row, frozen=True):
    """What is allocated: all states together, and what is on its way in or out."""

    unread: ClassVar[frozenset[str]] = names("pending exit_queue allocated")

    total: EarnAmount
    bonding: EarnPart | None = None
    unbonding: EarnPart | None = None


class EarnAllocationRow(Row, frozen=True):
    """One strategy's allocation."""

    unread: ClassVar[frozenset[str]] = names("payout")

    strategy_id: str
    native_asset: str
    amount_allocated: EarnAmounts
    total_rewarded: EarnAmount


class EarnAllocations(Row, frozen=True):
    """A page of Earn/Allocations."""

    unread: ClassVar[frozenset[str]] = names("total_allocated total_rewarded")

    items: list[EarnAllocationRow]
    converted_asset: str = ""
    next_cursor: str | None = None


class EarnLockRow(Row, frozen=True):
    """`lock_type` of a strategy; periods in seconds."""

    unread: ClassVar[frozenset[str]] = names(
        "payout_frequency bonding_period_variable bonding_rewards "
        "unbonding_period_variable unbonding_rewards exit_queue_period"
    )

    type: str
    bonding_period: Decimal | None = None
    unbonding_period: Decimal | None = None


class EarnYieldRow(Row, frozen=True):
    """`apr_estimate` of a strategy, in percent."""

    low: Decimal | None = None
    high: Decimal | None = None


class EarnSourceRow(Row, frozen=True):
    """`yield_source` of a strategy."""

    type: str = ""


class EarnStrategyRow(Row, frozen=True):
    """A row of Earn/Strategies; fees in percent, absent limits are none."""

    unread: ClassVar[frozenset[str]] = names("auto_compound")

    id: str
    asset: str
    lock_type: EarnLockRow
    can_allocate: bool
    can_deallocate: bool
    apr_estimate: EarnYieldRow | None = None
    user_min_allocation: Decimal | None = None
    user_cap: Decimal | None = None
    allocation_fee: Decimal = Decimal(0)
    deallocation_fee: Decimal = Decimal(0)
    yield_source: EarnSourceRow | None = None
    allocation_restriction_info: list[str] | None = None


class EarnStrategies(Row, frozen=True):
    """A page of Earn/Strategies."""

    items: list[EarnStrategyRow]
    next_cursor: str | None = None


# --- exports


class ExportAdded(Row, frozen=True):
    """AddExport."""

    id: str


class ExportRow(Row, frozen=True):
    """A row of ExportStatus; times are texts of unix seconds, "0" where not yet known."""

    unread: ClassVar[frozenset[str]] = names(
        "subtype flags fields starttm endtm completedtm aclass asset"
    )

    id: str
    descr: str
    format: str
    report: str
    status: str
    createdtm: Decimal
    expiretm: Decimal
    datastarttm: Decimal
    dataendtm: Decimal


class ExportRemoved(Row, frozen=True):
    """RemoveExport: one of the two is true."""

    delete: bool = False
    cancel: bool = False


Totals = dict[str, Decimal]
"""Balance."""
CreditAnswer: Any = CreditLines | None
PositionsAnswer: Any = Positions
MovementsAnswer: Any = Movements
"""The three that are one shape or another: what a decoder takes, but no class."""
DepositMethods = list[DepositMethodRow]
DepositAddresses = list[DepositAddressRow]
WithdrawAddresses = list[WithdrawAddressRow]
WithdrawMethods = list[WithdrawMethodRow]
ExportRows = list[ExportRow]
