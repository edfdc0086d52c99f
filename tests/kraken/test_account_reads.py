"""The further private reads over scripted answers: what the paper exchange does not show."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

import kraken_answers as kraken
from builders import d
from zoe_tools.domain.funding import EarnLock, MovementStatus
from zoe_tools.domain.identifiers import FillId, Symbol
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken import strange
from zoe_tools.kraken.account_reads import AccountReads
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual


def ask(script: kraken.Script, use: Callable[[AccountReads], Awaitable[Any]]) -> Any:
    """The answer to one question."""

    async def run() -> Any:
        clock = VirtualClock(kraken.EPOCH)
        rest = kraken.client(script, clock=clock)
        return await use(AccountReads(rest, KrakenSpot(rest, clock).catalogue))

    return run_virtual(run())


def deposit(refid: str, age_s: int = 0, **changes: Any) -> Any:
    """A deposit of 1 XBT."""
    at = int(kraken.EPOCH.timestamp()) - age_s
    row: dict[str, Any] = {
        "method": "Bitcoin",
        "aclass": "currency",
        "asset": "XXBT",
        "refid": refid,
    }
    row |= {"txid": None, "info": "x", "amount": "1.0000000000", "time": at, "status": "Success"}
    return row | changes


async def movements(reads: AccountReads, **asked: Any) -> list[Any]:
    """(refids, cursor) of each page."""
    return [
        ([each.refid for each in page], cursor)
        async for page, cursor in reads.movements("deposit", **asked)
    ]


def test_deposits_come_page_by_page_and_are_taken_up_again() -> None:
    """By the venue's cursor; the ends of the time asked belong to it."""
    pages = [
        {"deposit": [deposit("A"), deposit("B", 1)], "next_cursor": "B"},
        {"deposit": [deposit("C", 2), deposit("D", 3)]},
    ]
    script = kraken.Script(DepositStatus=[kraken.success(page) for page in pages])

    since = kraken.EPOCH - timedelta(seconds=2)

    assert ask(script, lambda reads: movements(reads, since=since)) == [
        (["A", "B"], "B"),
        (["C"], None),
    ]
    assert [each["cursor"] for each in script.seen("DepositStatus")] == ["true", "B"]
    assert ask(script, lambda reads: movements(reads, cursor="B")) == [(["C", "D"], None)]


@pytest.mark.parametrize("page", [{}, {"next_cursor": "X"}, {"deposit": [], "next_cursor": "true"}])
def test_a_page_without_its_list_is_not_an_empty_one(page: Any) -> None:
    """Nor may a page name itself as the next."""
    script = kraken.Script(DepositStatus=kraken.success(page))

    with pytest.raises(VenueMisbehaved):
        ask(script, movements)


def test_a_strange_status_is_unknown_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """An old list without pages is read as well, and a missing fee is none."""
    strange.forget()
    rows = [deposit("A", status="Lost") | {"status-prop": "onhold"}, deposit("B", status="Lost")]
    script = kraken.Script(DepositStatus=kraken.success(rows))

    async def first(reads: AccountReads) -> Any:
        ((found, _), *_rest) = [page async for page, _ in reads.movements("deposit")]
        return found

    found = ask(script, first)

    assert (found.status, found.detail, found.fee) == (MovementStatus.UNKNOWN, "onhold", None)
    assert sum("Lost" in each.getMessage() for each in caplog.records) == 1


def test_earn_is_read_to_its_last_page() -> None:
    """Pages by cursor; a cursor that comes again is not followed for ever."""
    amount = {"native": "0.5", "converted": "100"}
    item = {
        "strategy_id": "ESRFUO3-Q62XD-WIOIL7",
        "native_asset": "XDG",
        "amount_allocated": {"total": amount, "bonding": {}},
        "total_rewarded": {"native": "0.1", "converted": "20"},
    }
    pages = [{"items": [item], "next_cursor": "2"}, {"items": []}]
    script = kraken.Script(
        Allocations=[kraken.success(page) for page in pages],
        AllocateStatus=kraken.success({"pending": True}),
    )

    (found,) = ask(script, lambda reads: reads.earn_allocations())

    assert (found.asset, found.allocated, found.rewarded) == ("DOGE", d("0.5"), d("0.1"))
    assert ask(script, lambda reads: reads.is_earn_pending("E", "Allocate")) is True
    with pytest.raises(VenueMisbehaved):
        ask(kraken.Script(Allocations=kraken.success(pages[0])), lambda r: r.earn_allocations())


STRATEGY: dict[str, Any] = {
    "id": "ESXUM7H-SJHQ6-KOQNNI",
    "asset": "XDG",
    "lock_type": {
        "type": "bonded",
        "payout_frequency": 604800,
        "bonding_period": 0,
        "bonding_rewards": False,
        "unbonding_period": 1814400,
    },
    "apr_estimate": {"low": "5.0000", "high": "8.0000"},
    "user_min_allocation": "0.01",
    "allocation_fee": "0.0000",
    "deallocation_fee": 0,
    "auto_compound": {"type": "enabled"},
    "yield_source": {"type": "staking"},
    "can_allocate": False,
    "can_deallocate": True,
    "allocation_restriction_info": ["tier"],
}


def test_ways_to_earn_are_read_to_the_last_page() -> None:
    """Yields in percent a year, periods as lengths; a strange lock is unknown."""
    bare = {"id": "E2", "asset": "XTZ", "lock_type": {"type": "odd"}, "can_allocate": True}
    pages = [
        {"items": [STRATEGY], "next_cursor": "2"},
        {"items": [bare | {"can_deallocate": True}], "next_cursor": None},
    ]
    script = kraken.Script(Strategies=[kraken.success(page) for page in pages])

    full, sparse = ask(script, lambda reads: reads.earn_strategies("DOGE"))

    assert (full.asset, full.lock, full.source) == ("DOGE", EarnLock.BONDED, "staking")
    assert (full.yield_low_pct, full.yield_high_pct) == (d("5"), d("8"))
    assert (full.bonding, full.unbonding) == (timedelta(0), timedelta(days=21))
    assert (full.may_allocate, full.may_deallocate, full.restrictions) == (False, True, ("tier",))
    assert (full.minimum, full.maximum, full.allocation_fee_pct) == (d("0.01"), None, d("0"))
    assert (sparse.lock, sparse.yield_low_pct, sparse.unbonding) == (EarnLock.UNKNOWN, None, None)
    assert [each.get("cursor") for each in script.seen("Strategies")] == [None, "2"]


def test_addresses_carry_the_memo_their_network_wants() -> None:
    """A number or a text, called memo or tag."""
    out = {"address": "r", "asset": "XXBT", "method": "B", "key": "mine", "verified": False}
    script = kraken.Script(
        DepositAddresses=kraken.success(
            [
                {"address": "a", "expiretm": "0", "new": True, "tag": 1361101127},
                {"address": "b", "expiretm": 1767700000, "memo": "m"},
            ]
        ),
        WithdrawAddresses=kraken.success([out]),
    )

    fresh, used = ask(script, lambda reads: reads.deposit_addresses("XDG", "Dogecoin"))
    (exit_,) = ask(script, lambda reads: reads.withdraw_addresses("XBT"))

    assert (fresh.asset, fresh.memo, fresh.is_fresh, fresh.expires_at) == (
        "DOGE",
        "1361101127",
        True,
        None,
    )
    assert (used.memo, used.is_fresh) == ("m", False)
    assert used.expires_at is not None
    assert (exit_.key, exit_.is_verified, exit_.memo) == ("mine", False, "")


def test_a_line_of_credit_is_read() -> None:
    """By the asset's canonical name."""
    row = {"balance": "1", "credit_limit": "5", "credit_used": "2", "available_credit": "3"}
    script = kraken.Script(CreditLines=kraken.success({"asset_details": {"XXDG": row}}))

    (line,) = ask(script, lambda reads: reads.credit_lines())

    assert (line.asset, line.limit, line.used, line.available) == ("DOGE", d("5"), d("2"), d("3"))


def test_nothing_is_made_up() -> None:
    """Positions without ids, and fees that were asked for and did not come."""
    volume = {"currency": "ZUSD", "volume": "0"}
    script = kraken.Script(
        OpenPositions=kraken.success([{"pair": "XXBTZUSD"}]), TradeVolume=kraken.success(volume)
    )

    with pytest.raises(VenueMisbehaved):
        ask(script, lambda reads: reads.borrowed_positions())
    with pytest.raises(VenueMisbehaved):
        ask(script, lambda reads: reads.fee_standing([Symbol("BTC/USD")]))


def test_single_rows_are_asked_twenty_at_a_time() -> None:
    """The venue's limit."""
    script = kraken.Script(QueryTrades=kraken.success({}))
    ids = [FillId(f"T{number}") for number in range(41)]

    assert ask(script, lambda reads: reads.fills(ids)) == ()
    assert [len(each["txid"].split(",")) for each in script.seen("QueryTrades")] == [20, 20, 1]
