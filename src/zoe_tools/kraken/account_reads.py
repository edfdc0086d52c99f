"""The private reads beyond `ports.Venue`: standing, positions, amends, single rows, funding, earn.

Each is one method of Kraken's (kraken-spot sections 6 and 7) and changes nothing. All raise
`VenueError` subclasses as `ports.Venue` says of reads; amounts are exact and in the asset named.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeVar

from zoe_tools.domain.fill import Fill
from zoe_tools.domain.funding import (
    EarnAllocation,
    EarnStrategy,
    FundingAddress,
    FundingMethod,
    FundsMovement,
    MovementKind,
    WithdrawalTerms,
)
from zoe_tools.domain.identifiers import FillId, LedgerId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.margin import (
    AmendRecord,
    BorrowedPosition,
    CreditLine,
    FeeStanding,
    MarginStanding,
)
from zoe_tools.domain.money import plain
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken import codec, codec_account, wire_account
from zoe_tools.kraken.codec import understanding
from zoe_tools.kraken.pages import range_params
from zoe_tools.kraken.rest import RestClient

V = TypeVar("V")

ROWS_AT_ONCE = 20
"""QueryTrades and QueryLedgers take so many ids."""
MOVEMENTS_AT_ONCE = 500

_STATUS_METHODS = {"deposit": "DepositStatus", "withdrawal": "WithdrawStatus"}


class AccountReads:
    """What an account is, beyond its orders and histories.

    `catalogue` hands out the names, as `KrakenSpot.catalogue` does.
    """

    def __init__(
        self, rest: RestClient, catalogue: Callable[[], Awaitable[InstrumentCatalogue]]
    ) -> None:
        self._rest = rest
        self._catalogue = catalogue

    async def totals(self) -> tuple[Balance, ...]:
        """Balance: totals net of withdrawals under way, holds included and not told apart."""
        catalogue = await self._catalogue()
        rows = await self._rest.private("Balance", {}, wire_account.Totals, is_write=False)
        return tuple(
            Balance(asset=codec.canonical_asset(key, catalogue), total=total)
            for key, total in rows.items()
        )

    async def credit_lines(self) -> tuple[CreditLine, ...]:
        """CreditLines: one an asset; none for an account without."""
        catalogue = await self._catalogue()
        answer: wire_account.CreditLines | None = await self._rest.private(
            "CreditLines", {}, wire_account.CreditAnswer, is_write=False
        )
        return codec_account.credit_lines_of(answer, catalogue)

    async def margin_standing(self, asset: str = "USD") -> MarginStanding:
        """TradeBalance: collateral, equity and margin, valued in `asset`."""
        catalogue = await self._catalogue()
        known = catalogue.asset(asset)
        params = {"asset": known.venue_id if known is not None else asset}
        row = await self._rest.private(
            "TradeBalance", params, wire_account.TradeBalanceRow, is_write=False
        )
        return codec_account.margin_standing_of(row, codec.canonical_asset(asset, catalogue))

    async def fee_standing(self, symbols: Sequence[Symbol] = ()) -> FeeStanding:
        """TradeVolume: the 30-day volume, and the fees on each of `symbols`."""
        catalogue = await self._catalogue()
        instruments = [catalogue.resolve(symbol) for symbol in symbols]
        pairs = ",".join(each.altname for each in instruments)
        row = await self._rest.private(
            "TradeVolume",
            {"pair": pairs} if pairs else {},
            wire_account.TradeVolume,
            is_write=False,
        )
        with understanding("TradeVolume"):
            return codec_account.fee_standing_of(row, instruments, catalogue)

    async def borrowed_positions(self) -> tuple[BorrowedPosition, ...]:
        """OpenPositions, each with its value and unrealised result in quote."""
        catalogue = await self._catalogue()
        rows: wire_account.Positions = await self._rest.private(
            "OpenPositions", {"docalcs": "true"}, wire_account.PositionsAnswer, is_write=False
        )
        with understanding("OpenPositions"):
            return codec_account.positions_of(rows, catalogue)

    async def amends(self, venue_order_id: VenueOrderId) -> tuple[AmendRecord, ...]:
        """OrderAmends: what an order was and became, oldest first."""
        row = await self._rest.private(
            "OrderAmends", {"order_id": venue_order_id}, wire_account.OrderAmends, is_write=False
        )
        with understanding("OrderAmends"):
            return codec_account.amends_of(row)

    async def fills(self, fill_ids: Sequence[FillId]) -> tuple[Fill, ...]:
        """QueryTrades: these executions; ids the venue does not know are absent."""
        catalogue = await self._catalogue()
        found: list[Fill] = []
        for ids in _parted(fill_ids):
            rows = await self._rest.private(
                "QueryTrades", {"txid": ids}, wire_account.QueriedFills, is_write=False
            )
            with understanding("QueryTrades"):
                found += [codec.fill_of(key, row, catalogue) for key, row in rows.items()]
        return tuple(found)

    async def ledger_entries(self, ledger_ids: Sequence[LedgerId]) -> tuple[LedgerEntry, ...]:
        """QueryLedgers: these rows; ids the venue does not know are absent."""
        catalogue = await self._catalogue()
        found: list[LedgerEntry] = []
        for ids in _parted(ledger_ids):
            rows = await self._rest.private(
                "QueryLedgers", {"id": ids}, wire_account.QueriedLedger, is_write=False
            )
            with understanding("QueryLedgers"):
                found += [codec.ledger_entry_of(key, row, catalogue) for key, row in rows.items()]
        return tuple(found)

    # funding

    async def deposit_methods(self, asset: str) -> tuple[FundingMethod, ...]:
        """DepositMethods: the ways to pay `asset` in."""
        catalogue = await self._catalogue()
        rows = await self._rest.private(
            "DepositMethods", {"asset": asset}, wire_account.DepositMethods, is_write=False
        )
        name = codec.canonical_asset(asset, catalogue)
        return tuple(codec_account.deposit_method_of(name, row) for row in rows)

    async def withdraw_methods(self, asset: str | None = None) -> tuple[FundingMethod, ...]:
        """WithdrawMethods: the ways to pay `asset`, or anything, out."""
        catalogue = await self._catalogue()
        params = {} if asset is None else {"asset": asset}
        rows = await self._rest.private(
            "WithdrawMethods", params, wire_account.WithdrawMethods, is_write=False
        )
        return tuple(codec_account.withdraw_method_of(row, catalogue) for row in rows)

    async def deposit_addresses(self, asset: str, method: str) -> tuple[FundingAddress, ...]:
        """DepositAddresses: where `asset` is paid in by `method`; none is made."""
        catalogue = await self._catalogue()
        rows = await self._rest.private(
            "DepositAddresses",
            {"asset": asset, "method": method},
            wire_account.DepositAddresses,
            is_write=False,
        )
        name = codec.canonical_asset(asset, catalogue)
        with understanding("DepositAddresses"):
            return tuple(codec_account.deposit_address_of(name, method, row) for row in rows)

    async def withdraw_addresses(self, asset: str | None = None) -> tuple[FundingAddress, ...]:
        """WithdrawAddresses: where `asset`, or anything, may be paid out to."""
        catalogue = await self._catalogue()
        params = {} if asset is None else {"asset": asset}
        rows = await self._rest.private(
            "WithdrawAddresses", params, wire_account.WithdrawAddresses, is_write=False
        )
        return tuple(codec_account.withdraw_address_of(row, catalogue) for row in rows)

    async def withdrawal_terms(self, asset: str, key: str, amount: Decimal) -> WithdrawalTerms:
        """WithdrawInfo: what a withdrawal of `amount` to the address `key` would bring.

        It asks, and withdraws nothing.
        """
        catalogue = await self._catalogue()
        row = await self._rest.private(
            "WithdrawInfo",
            {"asset": asset, "key": key, "amount": plain(amount)},
            wire_account.WithdrawInfo,
            is_write=False,
        )
        return codec_account.withdrawal_terms_of(codec.canonical_asset(asset, catalogue), row)

    async def movements(
        self,
        kind: MovementKind,
        *,
        asset: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
    ) -> AsyncIterator[tuple[tuple[FundsMovement, ...], str | None]]:
        """DepositStatus or WithdrawStatus, page by page, newest first.

        Each page comes with the cursor to go on from, also in a later process; None at the end.
        """
        catalogue = await self._catalogue()
        method = _STATUS_METHODS[kind]
        params = {"limit": str(MOVEMENTS_AT_ONCE), **range_params(since, until)}
        params |= {} if asset is None else {"asset": asset}
        following: str | None = cursor or "true"
        while following is not None:
            answer: wire_account.Movements = await self._rest.private(
                method,
                {**params, "cursor": following},
                wire_account.MovementsAnswer,
                is_write=False,
            )
            with understanding(method):
                rows, following = _turned(method, answer, following)
                found = [codec_account.movement_of(kind, row, catalogue) for row in rows]
            yield (
                tuple(
                    each
                    for each in found
                    if (since is None or each.moved_at >= since)
                    and (until is None or each.moved_at <= until)
                ),
                following,
            )

    # earn

    async def is_earn_pending(
        self, strategy_id: str, change: Literal["Allocate", "Deallocate"]
    ) -> bool:
        """Earn/AllocateStatus or Earn/DeallocateStatus: whether such a change is under way."""
        answer = await self._rest.private(
            f"Earn/{change}Status",
            {"strategy_id": strategy_id},
            wire_account.EarnPending,
            is_write=False,
        )
        return answer.pending

    async def earn_strategies(self, asset: str | None = None) -> tuple[EarnStrategy, ...]:
        """Earn/Strategies: the ways to earn, on `asset` or on anything, all pages."""
        catalogue = await self._catalogue()
        params = {} if asset is None else {"asset": asset}

        async def page(asked: dict[str, str]) -> tuple[list[EarnStrategy], str | None]:
            answer = await self._rest.private(
                "Earn/Strategies", asked, wire_account.EarnStrategies, is_write=False
            )
            with understanding("Earn/Strategies"):
                found = [codec_account.strategy_of(row, catalogue) for row in answer.items]
            return found, answer.next_cursor

        return await _all_of("Earn/Strategies", page, params)

    async def earn_allocations(self) -> tuple[EarnAllocation, ...]:
        """Earn/Allocations: what each strategy holds, all pages, empty ones left out."""
        catalogue = await self._catalogue()

        async def page(asked: dict[str, str]) -> tuple[list[EarnAllocation], str | None]:
            answer = await self._rest.private(
                "Earn/Allocations", asked, wire_account.EarnAllocations, is_write=False
            )
            found = [codec_account.allocation_of(row, catalogue) for row in answer.items]
            return found, answer.next_cursor

        return await _all_of("Earn/Allocations", page, {"hide_zero_allocations": "true"})


async def _all_of(
    method: str,
    page: Callable[[dict[str, str]], Awaitable[tuple[list[V], str | None]]],
    params: dict[str, str],
) -> tuple[V, ...]:
    """The rows of all pages; a cursor that comes again is not followed for ever."""
    found, following = await page(params)
    seen: set[str] = set()
    while following:
        if following in seen:
            raise VenueMisbehaved(f"Kraken repeats a page of {method}.")
        seen.add(following)
        rows, following = await page({**params, "cursor": following})
        found += rows
    return tuple(found)


def _parted(ids: Sequence[str]) -> list[str]:
    """The ids as lists with commas, as many in each as the venue takes."""
    return [
        ",".join(ids[start : start + ROWS_AT_ONCE]) for start in range(0, len(ids), ROWS_AT_ONCE)
    ]


def _turned(
    method: str, answer: wire_account.Movements, asked: str
) -> tuple[Sequence[wire_account.MovementRow], str | None]:
    rows, following = codec_account.movement_rows(answer)
    if following is not None and following == asked:
        raise ValueError(f"{method} names the same page as the next one")
    return rows, following
