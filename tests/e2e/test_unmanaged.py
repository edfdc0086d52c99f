"""Two bitcoins that were bought elsewhere are shown and left alone."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from program import Home
from zoe_tools.domain.order import Side


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An account with two bitcoins of somebody else's buying, and half of zoe's."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    made = Home(folder=folder)
    made.fund({"USD": "10000", "BTC": "2.5"})
    made.serve()
    made.init()
    yield made
    made.stop_exchange()


def bitcoins(home: Home) -> Decimal:
    """What the venue holds."""
    balances = home.at_the_venue(lambda venue: venue.balances())
    return next(each.total for each in balances if each.asset == "BTC")


def test_nothing_managed_nothing_touched(home: Home) -> None:
    """Neither synchronising nor flattening makes an order."""
    assert home.here("sync-positions", "--execute").code == 0
    assert home.here("kill", "--level", "flatten", "--execute").code == 0

    assert bitcoins(home) == Decimal("2.5")
    assert home.at_the_venue(lambda venue: venue.closed_orders()) == ()
    assert home.at_the_venue(lambda venue: venue.open_orders()) == ()
    assert home.in_the_books(lambda tx: tx.positions()) == ()


def test_flattening_sells_what_was_adopted_and_no_more(home: Home) -> None:
    """Half a bitcoin goes, two stay."""
    assert home.here("sync-positions", "--adopt", "BTC/USD=0.5", "--execute").code == 0
    assert home.here("sync-positions", "--execute").code == 0
    assert home.here("kill", "--level", "flatten", "--execute").code == 0

    fills = home.at_the_venue(lambda venue: venue.fills())
    assert {fill.side for fill in fills} == {Side.SELL}
    assert sum(fill.quantity for fill in fills) == Decimal("0.5")
    assert bitcoins(home) == Decimal(2)
    assert home.in_the_books(lambda tx: tx.positions(open_only=True)) == ()
    assert home.here("--json", "reconcile").code == 0
