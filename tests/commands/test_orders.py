"""`zoe orders` over a venue in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builders import BTC, d, make_request, make_stop_request, place
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.orders import _orders
from zoe_tools.domain.order import OrderStatus
from zoe_tools.errors import ConfigError, VenueUnavailable

RESTING = make_request(limit_price=d("58000.0"))


async def listed(desk: Desk, *, everything: bool = False, **options: str) -> tuple[int, str]:
    """Run the command; its exit code and what it printed."""
    context, invocation, out = command_io(desk, "orders")
    code = await _orders(context, invocation.printer(), everything=everything, **options)
    return code, out.getvalue()


def test_a_working_order_is_listed_with_its_price_and_what_is_left(tmp_path: Path) -> None:
    """One line an order; nothing is sent."""

    async def story(desk: Desk) -> None:
        await desk.do(place(RESTING))
        desk.venue.calls.clear()
        code, text = await listed(desk)

        assert code == 0
        for word in ("O00001", "BTC/USD", "buy entry", "0.0004", "58000", "open"):
            assert word in text
        assert desk.venue.writes == []
        assert "No orders" in (await listed(desk, symbol="ETH-USD"))[1]

    at_the_desk(tmp_path, story)


def test_a_trigger_without_a_limit_is_a_price_too(tmp_path: Path) -> None:
    """A stop says where it fires."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        await desk.do(place(make_stop_request()))

        assert "sell stop" in (await listed(desk))[1]

    at_the_desk(tmp_path, story)


def test_an_order_that_the_venue_lost_sight_of_is_a_finding(tmp_path: Path) -> None:
    """Exit 3, and the next step."""

    async def story(desk: Desk) -> None:
        await desk.do(place(RESTING))
        desk.venue.end(desk.venue.resting[0].venue_order_id, OrderStatus.CANCELED, "by hand")
        code, text = await listed(desk)

        assert code == 3
        assert "NOT AT VENUE" in text
        assert "zoe reconcile" in text

    at_the_desk(tmp_path, story)


def test_without_the_venue_the_books_speak_alone(tmp_path: Path) -> None:
    """Exit 5 and a warning, and still the list."""

    async def story(desk: Desk) -> None:
        await desk.do(place(RESTING))
        desk.venue.cue("open_orders", VenueUnavailable("The line is dead."))
        desk.venue.cue("catalogue", VenueUnavailable("The line is dead."))
        code, text = await listed(desk, symbol="btc-usd")

        assert code == 5
        assert "The line is dead" in text
        assert "O00001" in text

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("since", "symbol"),
    [
        ("soon", ""),
        ("2100-01-01", ""),
        ("0001-01-01T00:00+23:00", ""),
        ("9999-12-31T23:59-23:00", ""),
        ("", "BTC-XXX"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, since: str, symbol: str) -> None:
    """Exit 2 with the forms there are."""

    async def story(desk: Desk) -> None:
        with pytest.raises(ConfigError):
            await listed(desk, since=since, symbol=symbol)

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(("since", "count"), [("30m", 0), ("2h", 1), ("2026-01-01", 1)])
def test_since_takes_spans_and_dates(tmp_path: Path, since: str, count: int) -> None:
    """An order of an hour ago."""

    async def story(desk: Desk) -> None:
        await desk.do(place(RESTING))
        await desk.clock.sleep(3600)
        context, invocation, out = command_io(desk, "orders", json=True)
        await _orders(context, invocation.printer(), since=since)
        told = json.loads(out.getvalue())["result"]["orders"]

        assert len(told) == count
        assert all(each["symbol"] == BTC and each["seen"] == "both" for each in told)

    at_the_desk(tmp_path, story)
