"""A saved plan is killed in its midst and resumed by two processes at once: each step once.

Real processes, a real paper exchange, both databases.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from program import PATIENCE_S, Home, let_time_pass, wait_until
from zoe_tools.domain.journal import Intent, IntentState
from zoe_tools.domain.order import VenueOrder
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.runtime.plan_files import read_plan

ADOPTED = ("BTC/USD=0.5", "ETH/USD=2", "SOL/USD=20")
COST = "100"
"""Far below the market: every stop is at 98, however the market moves."""


def saved(home: Home, file: Path) -> None:
    """A plan of three adoptions and three stops."""
    words = [word for each in ADOPTED for word in ("--adopt", each)]
    ran = home.here("sync-positions", *words, "--price", COST, "--out", str(file))
    assert ran.code == 3, ran.err
    assert len(read_plan(file).steps) == 2 * len(ADOPTED)


def killed_after(home: Home, file: Path, count: int, seconds: float) -> None:
    """Apply it, and kill the process when so many intents are in the journal and a moment later."""
    with home.started("apply", str(file), "--execute") as process:
        wait_until(lambda: process.poll() is not None or len(intents_of(home, file)) >= count)
        let_time_pass(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=PATIENCE_S)


def intents_of(home: Home, file: Path) -> list[Intent]:
    """What the journal has of the plan."""
    plan_hash = read_plan(file).plan_hash
    return [
        each for each in home.in_the_books(lambda tx: tx.intents()) if each.plan_hash == plan_hash
    ]


def stops_at(home: Home) -> tuple[VenueOrder, ...]:
    """Every order that ever was at the venue."""

    async def read(venue: KrakenSpot) -> tuple[VenueOrder, ...]:
        return await venue.open_orders() + await venue.closed_orders()

    return home.at_the_venue(read)


def resumed_twice_at_once(home: Home, file: Path) -> None:
    """Two processes at the same time; what each of them says is its own business."""
    words = ("apply", str(file), "--resume", "--execute")
    with home.started(*words) as first, home.started(*words) as second:
        codes = {first.wait(timeout=PATIENCE_S), second.wait(timeout=PATIENCE_S)}
    assert codes <= {0, 4, 5, 6}, codes


def demand_each_once(home: Home, file: Path) -> None:
    """The venue holds exactly the plan; every attempt but the last left nothing there."""
    at_venue = stops_at(home)
    wanted = Counter(each.split("=")[0] for each in ADOPTED)
    assert Counter(each.symbol for each in at_venue) == wanted
    intents = intents_of(home, file)
    assert all(each.state.is_terminal for each in intents)
    confirmed = [each for each in intents if each.state is IntentState.CONFIRMED]
    assert Counter(each.symbol for each in confirmed) == wanted
    assert {each.client_order_id for each in confirmed} == {
        each.client_order_id for each in at_venue
    }


def interrupt_and_resume(home: Home, file: Path, *, count: int, seconds: float) -> None:
    """The whole story."""
    home.fund({"USD": "10000", "BTC": "2", "ETH": "10", "SOL": "100"})
    home.serve("--speed", "30")
    home.init()
    saved(home, file)
    killed_after(home, file, count, seconds)
    resumed_twice_at_once(home, file)

    last = home.here("apply", str(file), "--resume", "--execute", "--json")
    assert last.code == 0, last.out + last.err
    states = [each["state"] for each in json.loads(last.out)["result"]["outcomes"]]
    assert states == ["done"] * 2 * len(ADOPTED)
    demand_each_once(home, file)
    before = home.venue_records()
    assert home.here("apply", str(file), "--resume", "--execute").code == 0
    assert home.here("apply", str(file), "--execute").code == 4
    assert home.venue_records() == before


@pytest.mark.parametrize(
    ("count", "seconds"),
    [
        (1, 0.0),
        pytest.param(2, 0.02, marks=pytest.mark.slow),
        pytest.param(3, 0.01, marks=pytest.mark.slow),
    ],
)
def test_two_processes_resume_a_killed_plan_and_place_nothing_twice(
    tmp_path: Path, count: int, seconds: float
) -> None:
    """On SQLite, killed after each of its sends."""
    home = Home(folder=tmp_path / "home")
    try:
        interrupt_and_resume(home, tmp_path / "a.plan", count=count, seconds=seconds)
    finally:
        home.stop_exchange()


def test_two_hosts_resume_a_killed_plan_over_one_postgresql(
    tmp_path: Path, migrated_url: str
) -> None:
    """Where both of them can see at once that a step is free."""
    home = Home(folder=tmp_path / "home", environ={"DATABASE_URL": migrated_url})
    try:
        interrupt_and_resume(home, tmp_path / "a.plan", count=1, seconds=0.0)
    finally:
        home.stop_exchange()
