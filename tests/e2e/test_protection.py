"""Protection on the paper exchange: stops and targets share what is held, and tools tell the truth.

One account that holds coins of somebody else's buying beside the managed position.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from clock_jumps import waiting_in_no_time
from program import Home, result_of
from zoe_tools.domain.order import OrderType

ADOPT = ("sync-positions", "--adopt", "BTC/USD=0.5", "--price", "65000", "--execute")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Two and a half bitcoins, of which half a one is managed and has its stop."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    home = Home(folder=folder)
    home.fund({"USD": "50000", "BTC": "2.5"})
    home.serve()
    home.init()
    yield home
    home.stop_exchange()


def resting(home: Home) -> list[tuple[str, Decimal]]:
    """What rests at the exchange: type and quantity."""
    orders = home.at_the_venue(lambda venue: venue.open_orders())
    return sorted((each.order_type.value, each.remaining_quantity) for each in orders)


def world(home: Home) -> tuple[str, str]:
    """Books and venue, all of them."""
    return home.in_the_books(lambda tx: tx.business_fingerprint()), home.venue_records()


def test_defect_19_each_tool_tells_what_it_finds_by_its_exit_code(home: Home) -> None:
    """Defects 19 and 20, vector 17: healthy 0, findings 3, venue away 5; and reports write nothing.

    No tool is content because it could do nothing, and none ends badly where all is well.
    """
    tools = ("check-tp-coverage", "recover-sl", "repair-tp", "positions")
    assert [home.here("--json", each).code for each in tools] == [0, 0, 0, 0]

    assert home.here(*ADOPT).code == 0
    _cancel_the_stop(home)
    before = world(home)
    assert [home.here("--json", each).code for each in tools] == [3, 3, 3, 0]
    assert world(home) == before

    assert home.here("paper", "fault", "http-502", "--times", "0").code == 0
    with waiting_in_no_time():
        assert [home.here("--json", each).code for each in tools] == [5, 5, 5, 5]
    assert home.here("paper", "fault", "--clear").code == 0
    assert home.here("--json", "recover-sl", "--execute").code == 0
    assert home.here("--json", "recover-sl").code == 0


def test_a_split_position_rests_at_the_exchange_and_every_tool_agrees(home: Home) -> None:
    """Stop and target hold half a bitcoin together; nothing of the other two is touched."""
    home = replace(home, environ={"ALLOW_TARGETS_WITHOUT_STOP": "true"})
    assert home.here(*ADOPT).code == 0
    before = world(home)
    dry = home.here("--json", "repair-tp", "--mode", "split")
    assert (dry.code, world(home)) == (3, before)

    # The last level needs a loop, and none runs: the target covers half, and the tool says so.
    assert home.here("--json", "repair-tp", "--mode", "split", "--execute").code == 3
    half = Decimal("0.25")
    assert resting(home) == [("limit", half), (OrderType.STOP_LOSS.value, half)]
    for words in (("sync-positions",), ("recover-sl",), ("reconcile",)):
        ran = home.here("--json", *words)
        assert ran.code == 0, (words, ran.out, ran.err)
    told = result_of(home.here("--json", "positions"))
    (asset,) = told["assets"]
    assert (Decimal(asset["managed"]), Decimal(asset["unmanaged"])) == (Decimal("0.5"), Decimal(2))

    home = replace(home, environ={})
    assert home.here("--json", "repair-tp", "--mode", "split", "--execute").code == 2
    assert home.here("--json", "repair-tp", "--execute").code == 3
    assert resting(home) == [(OrderType.STOP_LOSS.value, Decimal("0.5"))]


def _cancel_the_stop(home: Home) -> None:
    """Behind our back."""

    async def work(venue: object) -> None:
        for order in await venue.open_orders():  # type: ignore[attr-defined]
            await venue.cancel(order.venue_order_id)  # type: ignore[attr-defined]

    home.at_the_venue(work)
