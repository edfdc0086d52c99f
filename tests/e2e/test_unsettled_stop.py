"""A stop that cannot be done: the exit code says so, and the last words name the way on."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from program import PATIENCE_S, Home, wait_until
from zoe_tools.core.health import LOOP
from zoe_tools.kraken.spot import KrakenSpot

ADOPT = ("sync-positions", "--adopt", "BTC/USD=0.5", "--price", "65000", "--execute")
RUN = ("run", "--strategy", "hold", "--speed", "60")


@pytest.fixture
def home(home: Home) -> Home:
    """Half a bitcoin is managed and has its stop."""
    home.fund({"USD": "50000", "BTC": "2.5"})
    home.serve("--speed", "60")
    assert home.here(*ADOPT).code == 0
    return home


def beats(home: Home) -> int:
    """How many turns the loop has told of."""
    told = home.in_the_books(lambda tx: tx.heartbeats())
    return next((int(each.details["cycles"]) for each in told if each.component == LOOP), 0)


async def cancel_all(venue: KrakenSpot) -> None:
    """Behind zoe's back."""
    for order in await venue.open_orders():
        await venue.cancel(order.venue_order_id)


def said(home: Home) -> list[str]:
    """What the loop printed."""
    return Path(f"{home.folder}.started").read_text().splitlines()


def test_a_position_that_is_left_bare_ends_the_run_with_its_name_and_the_next_command(
    home: Home,
) -> None:
    """The venue takes no order: the stop of the position cannot be placed again."""
    with home.started(*RUN, "--report", str(home.folder / "report.json")) as process:
        wait_until(lambda: beats(home) > 0)
        for where in ("add_order", "AddOrder"):
            armed = home.here("paper", "fault", "unavailable", "--where", where, "--times", "0")
            assert armed.code == 0
        home.at_the_venue(cancel_all)
        before = beats(home)
        wait_until(lambda: beats(home) > before + 5)
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=PATIENCE_S)

    left = json.loads((home.folder / "report.json").read_text())["result"]["left"]
    assert "0.5 BTC/USD has NO STOP" in left["bare"]
    assert code == (6 if left["is_unproved"] else 5)
    *_, error, hint = said(home)
    assert error.startswith("error: The loop has ended, and left undone: ")
    assert "0.5 BTC/USD has NO STOP" in error
    assert hint.startswith("hint: Start it again, and it does what is left; or by hand: ")
    assert hint.endswith("`zoe recover-sl --execute`.")
    health = home.here("health")
    assert (health.code, "0.5 BTC/USD has NO STOP" in health.out) == (3, True)

    assert home.here("paper", "fault", "--clear").code == 0
    assert home.here("recover-sl", "--execute").code == 0
    with home.started(*RUN, "--for", "60s") as process:
        assert process.wait(timeout=PATIENCE_S) == 0
