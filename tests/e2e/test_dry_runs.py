"""A dry run changes nothing, `--execute` does what the plan said, and a second look has no plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from program import Home, result_of, wait_until
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.identifiers import ClientOrderId, Symbol
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.kraken.spot import KrakenSpot

BTC = Symbol("BTC/USD")
ADOPT = ("sync-positions", "--adopt", "BTC/USD=0.5", "--price", "65000")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything a dry run must leave alone: the business tables and the venue's records."""

    books: str
    venue: str


def world_of(home: Home) -> World:
    """As it is now."""
    return World(
        books=home.in_the_books(lambda tx: tx.business_fingerprint()),
        venue=home.venue_records(),
    )


@pytest.fixture
def funded(tmp_path: Path) -> Iterator[Home]:
    """Two and a half bitcoins that were bought elsewhere, and cash."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    home = Home(folder=folder)
    home.fund({"USD": "50000", "BTC": "2.5"})
    home.serve()
    home.init()
    yield home
    home.stop_exchange()


@pytest.fixture
def busy(funded: Home) -> Home:
    """Half a bitcoin is managed and has its stop; an order to buy rests at the venue."""
    assert funded.here(*ADOPT, "--execute").code == 0
    place_a_buy(funded)
    return funded


def place_a_buy(home: Home) -> None:
    """An order that could add risk, from elsewhere."""

    async def work(venue: KrakenSpot) -> None:
        request = OrderRequest(
            symbol=BTC,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            quantity=Decimal("0.01"),
            limit_price=Decimal("30000.0"),
            purpose="entry",
        )
        stranger = ClientOrderId("7a3bd7c4-3c71-4f64-9a0e-3b1f3c1d9a77")
        deadline = await venue.server_time() + timedelta(seconds=30)
        await venue.place(request, client_order_id=stranger, deadline=deadline)

    home.at_the_venue(work)


def cancel_the_stop(home: Home) -> None:
    """Behind our back."""

    async def work(venue: KrakenSpot) -> None:
        for order in await venue.open_orders():
            if order.order_type is OrderType.STOP_LOSS:
                await venue.cancel(order.venue_order_id)

    home.at_the_venue(work)


def demand_a_dry_run(home: Home, *words: str) -> int:
    """Run it without `--execute`: the world stays; returns how many steps it shows."""
    before = world_of(home)
    ran = home.here("--json", *words)

    assert world_of(home) == before
    steps = len(result_of(ran)["plan"]["steps"])
    assert ran.code == (3 if steps else 0), ran.err
    return steps


def demand_execution(home: Home, *words: str) -> None:
    """Carry it out: as many steps as the dry run showed, all done; then nothing is left to do."""
    shown = demand_a_dry_run(home, *words)
    assert shown > 0
    before = world_of(home)
    ran = home.here("--json", *words, "--execute")
    told = result_of(ran)

    assert ran.code == 0, ran.err
    assert world_of(home) != before
    assert [outcome["state"] for outcome in told["outcomes"]] == ["done"] * shown
    assert demand_a_dry_run(home, *words) == 0


@pytest.mark.parametrize(
    "words",
    [
        ("sync-positions",),
        ("sync-positions", "--adopt", "BTC/USD=0.1"),
        ("recover-sl",),
        ("backfill", "--symbol", "BTC/USD", "--tf", "1m"),
        ("kill", "--level", "pause-entries"),
        ("kill", "--level", "cancel-open"),
        ("kill", "--level", "reduce-only"),
        ("kill", "--level", "flatten"),
        ("resume",),
    ],
    ids=" ".join,
)
def test_a_dry_run_leaves_the_world_as_it_was(words: tuple[str, ...], busy: Home) -> None:
    """With a position, its stop and somebody's order on the account."""
    demand_a_dry_run(busy, *words)


def test_adoption_is_carried_out_as_planned(funded: Home) -> None:
    """The position is in the books, its stop at the venue, and a second run has nothing to do."""
    demand_execution(funded, *ADOPT)
    (position,) = funded.in_the_books(lambda tx: tx.positions(open_only=True))
    (stop,) = funded.at_the_venue(lambda venue: venue.open_orders())

    assert (position.quantity, stop.quantity, stop.order_type) == (
        Decimal("0.5"),
        Decimal("0.5"),
        OrderType.STOP_LOSS,
    )
    assert position.stop_venue_order_id == stop.venue_order_id
    assert funded.here("--json", "reconcile").code == 0


def test_a_lost_stop_is_put_back_as_planned(busy: Home) -> None:
    """`recover-sl` shows it, places it, and is content."""
    cancel_the_stop(busy)
    demand_execution(busy, "recover-sl")


@pytest.mark.parametrize("level", ["pause-entries", "cancel-open", "reduce-only", "flatten"])
def test_a_kill_and_the_way_back_are_carried_out_as_planned(level: str, busy: Home) -> None:
    """Each level, and `resume` after it."""
    demand_execution(busy, "kill", "--level", level)
    demand_execution(busy, "resume")


def test_reconcile_books_what_the_venue_proves_only_when_told(busy: Home) -> None:
    """Dry: 3, and nothing changed. Executed: the cancelled stop is booked; its lack remains."""
    cancel_the_stop(busy)
    before = world_of(busy)
    dry = busy.here("--json", "reconcile")
    assert world_of(busy) == before
    assert {each["kind"] for each in result_of(dry)["findings"]} == {
        "ORDER_MISMATCH", "STOP_MISSING", "UNKNOWN_ORDER",
    }  # fmt: skip

    done = busy.here("--json", "reconcile", "--execute")
    assert (dry.code, done.code) == (3, 3)
    assert world_of(busy).venue == before.venue
    assert {each["kind"] for each in result_of(done)["findings"]} == {
        "STOP_MISSING", "UNKNOWN_ORDER",
    }  # fmt: skip


def test_a_pair_comes_into_focus_only_when_told(funded: Home) -> None:
    """`markets focus` is no plan, and a dry run all the same: 3, then 0, then nothing to do."""

    def claimed() -> list[str]:
        claims = funded.in_the_books(lambda tx: tx.market.watch.claims())
        return [each.symbol for each in claims]

    for change, after in (("--add", ["BTC/USD"]), ("--remove", [])):
        words = ("--json", "markets", "focus", change, "BTC-USD")
        before, kept = world_of(funded), claimed()
        dry = funded.here(*words)
        assert (dry.code, len(result_of(dry)["changes"])) == (3, 1)
        assert (world_of(funded), claimed()) == (before, kept)

        assert funded.here(*words, "--execute").code == 0
        assert (world_of(funded), claimed()) == (before, after)
        again = funded.here(*words)
        assert (again.code, result_of(again)["changes"]) == (0, [])


def test_candles_are_filled_in_as_planned(home: Home) -> None:
    """What the venue has and the store lacks; a running candle, which would change, is left out."""
    home.serve("--speed", "60")

    def offered() -> tuple[Candle, ...]:
        return home.at_the_venue(lambda venue: venue.candles(BTC, Timeframe.M1))

    words = ("--json", "backfill", "--symbol", "BTC/USD", "--tf", "1m")
    before = home.in_the_books(lambda tx: tx.business_fingerprint())
    wait_until(lambda: len(offered()) > 1)
    assert home.here(*words).code == 3
    assert home.in_the_books(lambda tx: tx.business_fingerprint()) == before

    assert home.here(*words, "--execute").code == 0
    stored = home.in_the_books(lambda tx: tx.candles(BTC, Timeframe.M1))
    wait_until(lambda: len(offered()) > len(stored) + 1)
    final = [each for each in offered() if each.is_final]
    assert list(stored) == final[: len(stored)]
    assert len(stored) >= 1
