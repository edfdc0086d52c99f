"""What a strategy may know of the account."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from builders import BTC, ETH, NOON, d, make_catalogue, make_position, make_quote
from fakes import fresh_store
from zoe_tools.core.strategy.protocol import AccountView
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.stream import BalancesSnapshot
from zoe_tools.domain.wallet import MAIN
from zoe_tools.engine.account_facts import AccountFacts
from zoe_tools.engine.wallets import StreamedWallets
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Transaction


@dataclass
class World:
    """What the loop knows; books and view are told by hand."""

    store: InlineRunner
    wallets: StreamedWallets = field(default_factory=StreamedWallets)
    view: Any = field(default_factory=lambda: SimpleNamespace(quotes={}))
    books: Any = field(
        default_factory=lambda: SimpleNamespace(
            endings=0, positions=(), daily_notional=d("0"), policy=Policy()
        )
    )

    def __post_init__(self) -> None:
        parts = SimpleNamespace(store=self.store, gate=SimpleNamespace(is_store_away=False))
        self.facts = AccountFacts(
            cast("Any", parts),
            self.view,
            self.books,
            self.wallets,
            {each.symbol: each for each in make_catalogue()},
        )

    def hold(self, **totals: str) -> None:
        """These balances in the wallet that trades."""
        told = tuple((asset, MAIN, d(total)) for asset, total in totals.items())
        self.wallets.heed(BalancesSnapshot(holdings=told))

    def look(self) -> AccountView:
        """The account as seen from BTC."""
        return run_virtual(self.facts.look(BTC, NOON))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty store, and nothing told."""
    return World(InlineRunner(fresh_store(tmp_path)))


def closed(number: int, result: str, status: PositionStatus = PositionStatus.CLOSED) -> Position:
    """A position of 100 USD that ended so many minutes after noon."""
    return make_position(
        position_id=PositionId(f"P{number}"),
        status=status,
        quantity=d("0"),
        exit_quantity=d("1"),
        average_cost=d("100"),
        realised_pnl=d(result),
        closed_at=NOON + timedelta(minutes=number),
    )


@pytest.mark.parametrize(
    ("totals", "quotes", "equity"),
    [
        ({}, (), None),
        ({"USD": "100"}, (), "100"),
        ({"USD": "100", "BTC": "0.01"}, (make_quote(),), "699.999"),
        ({"USD": "100", "BTC": "0.01"}, (make_quote(ETH),), None),
        ({"USD": "100", "BTC": "0"}, (), "100"),
        ({"USD": "100", "DOGE": "5000"}, (), "100"),
    ],
)
def test_equity_is_cash_and_followed_coins_at_the_bid_or_it_is_not_known(
    totals: dict[str, str], quotes: tuple[Any, ...], equity: str | None, world: World
) -> None:
    """A followed coin without a price makes it unknown: less than all would look like a loss."""
    if totals:
        world.hold(**totals)
    world.view.quotes |= {each.symbol: each for each in quotes}

    assert world.look().equity == (None if equity is None else Decimal(equity))


def test_closed_trades_are_read_again_when_one_ends(world: World) -> None:
    """Oldest first, what ended without a trade left out; in between the store is left alone."""
    store = world.store

    def write(*positions: Position) -> None:
        for each in positions:
            run_virtual(store.run(partial(Transaction.copy_position, position=each)))

    write(closed(2, "-1"), closed(1, "3"), closed(3, "0", PositionStatus.CANCELLED))
    first = world.look()
    write(closed(4, "5"))
    unread = world.look()
    world.books.endings += 1
    after = world.look()

    assert [each.result for each in first.closed] == [3, -1]
    assert unread.closed == first.closed
    assert [each.result for each in after.closed] == [3, -1, 5]
    assert after.last_fill_at == NOON + timedelta(minutes=4)
    assert [each.cost for each in after.closed] == [100, 100, 100]
