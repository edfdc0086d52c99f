"""The auditor sees each planted fault, names its class, and has nothing to say without one."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from program import Home, result_of
from recordings import HOUR_S, made_candles, write_candles
from zoe_tools.domain.identifiers import ClientOrderId, Symbol
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.kraken.spot import KrakenSpot

ETH = Symbol("ETH/USD")
DELETED = "DELETE FROM crypto_fills WHERE row_id = (SELECT max(row_id) FROM crypto_fills)"
WRONG_PRICE = (
    "UPDATE crypto_fills SET price = '1.00' WHERE row_id = (SELECT max(row_id) FROM crypto_fills)"
)
NO_FEE = "UPDATE crypto_fills SET fee = '0' WHERE row_id = (SELECT max(row_id) FROM crypto_fills)"


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a replay that ends with an open position and its stop at the venue."""
    folder = tmp_path_factory.mktemp("auditor")
    rows = made_candles(20)
    opens_at, last = rows[-1][0] + HOUR_S, Decimal(rows[-1][4])
    for number in range(2):  # two candles that rise: the second one's close is bought
        high = last + 12
        prices = (f"{last}", f"{high}", f"{last - 1}", f"{last + 10}")
        rows.append((opens_at + number * HOUR_S, *prices, "40.00000000", 20))
        last += 10
    market = write_candles(folder, rows)
    home = Home(folder=folder / "home")
    home.folder.mkdir(mode=0o700)
    words = ("--json", "run", "--market-data", str(market), "--speed", "max")
    ran = home.zoe(*words, "--strategy", "demo")
    told = result_of(ran)["result"]
    assert (ran.code, told["discrepancies"], told["open_positions"]) == (0, 0, 1)
    (run_folder,) = (home.folder / "runs").iterdir()
    return run_folder


@pytest.fixture
def copied(audited: Path, tmp_path: Path) -> Iterator[Home]:
    """A copy of that home, to be spoiled."""
    home = Home(folder=tmp_path / "copy")
    shutil.copytree(audited, home.folder)
    home.serve()
    yield home
    home.stop_exchange()


def in_the_database(statement: str) -> Callable[[Home], None]:
    """The fault of one statement, past the triggers that protect what was booked."""

    def plant(home: Home) -> None:
        with closing(sqlite3.connect(home.folder / "zoe.db")) as database, database:
            for verb in ("update", "delete"):
                database.execute(f"DROP TRIGGER crypto_fills_no_{verb}")
            assert database.execute(statement).rowcount == 1

    return plant


def an_extra_order(home: Home) -> None:
    """Somebody else's order on the account."""

    async def work(venue: KrakenSpot) -> None:
        request = OrderRequest(
            symbol=ETH,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            quantity=Decimal("0.1"),
            limit_price=Decimal("1000.00"),
            purpose="entry",
        )
        stranger = ClientOrderId("7a3bd7c4-3c71-4f64-9a0e-3b1f3c1d9a77")
        deadline = await venue.server_time() + timedelta(seconds=30)
        await venue.place(request, client_order_id=stranger, deadline=deadline)

    home.at_the_venue(work)


def a_deleted_stop(home: Home) -> None:
    """The open position's stop, cancelled behind our back."""

    async def work(venue: KrakenSpot) -> None:
        (stop,) = await venue.open_orders()
        assert stop.order_type is OrderType.STOP_LOSS
        await venue.cancel(stop.venue_order_id)

    home.at_the_venue(work)


def test_without_a_fault_there_is_nothing_to_say(copied: Home) -> None:
    """Exit 0, however often one asks."""
    for _ in range(2):
        ran = copied.here("--json", "reconcile")
        assert (ran.code, result_of(ran)["findings"]) == (0, [])


@pytest.mark.parametrize(
    ("plant", "classes"),
    [
        (in_the_database(DELETED), {"MISSING_FILL"}),
        (in_the_database(WRONG_PRICE), {"FILL_MISMATCH"}),
        (in_the_database(NO_FEE), {"FEE_MISMATCH"}),
        (an_extra_order, {"UNKNOWN_ORDER"}),
        (a_deleted_stop, {"STOP_MISSING", "ORDER_MISMATCH"}),
    ],
    ids=["missing fill", "wrong price", "missing fee", "extra order", "deleted stop"],
)
def test_each_planted_fault_is_named(
    plant: Callable[[Home], None], classes: set[str], copied: Home
) -> None:
    """Exit 3, with its class, its evidence, and no other complaint."""
    plant(copied)
    ran = copied.here("--json", "reconcile")
    findings = result_of(ran)["findings"]

    assert ran.code == 3
    assert {finding["kind"] for finding in findings} == classes
    assert all(finding["evidence"] for finding in findings)
