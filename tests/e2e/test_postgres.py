"""The same program on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from command_line import Ran
from nursery import nursery
from program import PATIENCE_S, Home, result_of, wait_until
from zoe_tools.kraken.spot import KrakenSpot


@pytest.fixture
def home(tmp_path: Path, postgres_url: str) -> Iterator[Home]:
    """A home whose store is a PostgreSQL database; half of its bitcoins will be zoe's."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    made = Home(folder=folder, environ={"DATABASE_URL": postgres_url})
    made.fund({"USD": "10000", "BTC": "2.5"})
    assert made.here("init").code == 0
    yield made
    made.stop_exchange()


async def stops_at_work(venue: KrakenSpot) -> int:
    """How many stops rest at the venue."""
    return sum(each.order_type.is_stop for each in await venue.open_orders())


def test_adopt_protect_reconcile_and_flatten(home: Home) -> None:
    """The operator's story from end to end, dry runs between; each kill below flatten spares it."""
    home.serve()
    adopt = ("sync-positions", "--adopt", "BTC/USD=0.5")
    before = home.in_the_books(lambda tx: tx.business_fingerprint())
    assert home.here(*adopt).code == 3
    assert home.in_the_books(lambda tx: tx.business_fingerprint()) == before

    assert home.here(*adopt, "--execute").code == 0
    assert home.here("sync-positions").code == 0
    assert home.here("--json", "reconcile").code == 0
    for level in ("pause-entries", "cancel-open", "reduce-only"):
        assert home.here("kill", "--level", level, "--execute").code == 0
        assert home.at_the_venue(stops_at_work) == 1
    assert home.here("kill", "--level", "flatten").code == 3
    assert home.here("kill", "--level", "flatten", "--execute").code == 0
    assert home.here("--json", "reconcile").code == 0
    (position,) = home.in_the_books(lambda tx: tx.positions())
    assert position.quantity == Decimal(0)
    assert home.here("resume", "--execute").code == 0
    assert not (home.folder / "zoe.db").exists()


def test_reconcile_says_by_its_exit_code_what_it_found(home: Home) -> None:
    """Clean 0, findings 3, each time the same answer twice; and none is left once it is mended."""
    home.serve()
    assert home.here("sync-positions", "--adopt", "BTC/USD=0.5", "--execute").code == 0
    assert twice(home) == (0, [])
    home.in_the_books(
        lambda tx: tx._connection.execute(
            text("UPDATE crypto_orders SET status = 'canceled' WHERE purpose = 'stop'")
        )
    )
    assert twice(home) == (3, ["STORE_TAMPERED"])
    assert home.here("reconcile", "--execute").code == 0
    assert twice(home) == (0, [])


def twice(home: Home) -> tuple[int, list[str]]:
    """Exit code and classes, of two looks that say the same."""
    looks = [home.here("--json", "reconcile") for _ in range(2)]
    told = [(each.code, [found["kind"] for found in result_of(each)["findings"]]) for each in looks]
    assert told[0] == told[1]
    return told[0]


def test_a_short_run_is_booked_and_audited(home: Home, tmp_path: Path) -> None:
    """Orders, fills and stops in PostgreSQL; the auditor finds nothing.

    However slow the machine is, it lasts until something was bought.
    """
    home.serve("--speed", "60")
    path = tmp_path / "told"
    bought = "SELECT count(*) > 0 FROM crypto_fills"
    with path.open("w") as out, psycopg.connect(home.environ["DATABASE_URL"]) as books:
        books.autocommit = True
        words = ("--json", "run", "--strategy", "demo", "--speed", "60")
        run = nursery().start(words, home.surroundings(), out=out)
        try:
            wait_until(
                lambda: run.poll() is not None or books.execute(bought).fetchone() == (True,)
            )
            run.terminate()
            code = run.wait(timeout=PATIENCE_S)
        finally:
            run.kill_all()
    told = result_of(Ran(code=code, out=path.read_text(), err=""))["result"]

    assert (code, told["discrepancies"]) == (0, 0), told
    fills = home.in_the_books(lambda tx: tx.fills())
    assert len(fills) == told["fills"] > 0
