"""`zoe reconcile` over a venue in memory: clean, with findings, mended, and with the venue down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders import d, make_request, make_venue_order, place
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.reconcile import _reconcile
from zoe_tools.commands.recover_sl import _recover
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.errors import VenueUnavailable


async def reconcile(desk: Desk, *, execute: bool = False) -> tuple[int, dict[str, Any]]:
    """Run the command with --json; its exit code and its result."""
    context, invocation, out = command_io(desk, "reconcile", json=True)
    code = await _reconcile(context, invocation, execute=execute)
    return code, json.loads(out.getvalue())["result"]


async def protected_position(desk: Desk) -> None:
    """A filled entry with its stop."""
    await desk.do(place(make_request(limit_price=d("60000.1"))))
    context, invocation, _ = command_io(desk, "recover-sl")
    await _recover(context, invocation, execute=True)


def kinds(result: dict[str, Any]) -> set[str]:
    """The classes found."""
    return {finding["kind"] for finding in result["findings"]}


def test_a_flat_account_is_clean_twice(tmp_path: Path) -> None:
    """The same answer twice."""

    async def story(desk: Desk) -> None:
        assert (await reconcile(desk))[0] == 0
        assert (await reconcile(desk))[0] == 0

    at_the_desk(tmp_path, story)


def test_a_fill_that_happened_while_nobody_looked_is_found_and_booked(tmp_path: Path) -> None:
    """Dry: exit 3 and nothing changed. Executed: booked. Again: clean of it."""

    async def story(desk: Desk) -> None:
        await protected_position(desk)
        stop = desk.venue.resting[0]
        desk.venue.trade(VenueOrderId(stop.venue_order_id), d("0.0004"), d("58700.0"))
        before = await desk.read(lambda tx: tx.business_fingerprint())
        code, result = await reconcile(desk)
        assert code == 3
        assert "MISSING_FILL" in kinds(result)
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before

        await reconcile(desk, execute=True)
        assert "MISSING_FILL" not in kinds((await reconcile(desk))[1])
        assert await desk.read(lambda tx: tx.positions(open_only=True)) == ()

    at_the_desk(tmp_path, story)


def test_an_order_that_nobody_here_placed_is_reported_and_left_alone(tmp_path: Path) -> None:
    """Never destroy what you do not understand."""

    async def story(desk: Desk) -> None:
        foreign = make_venue_order(
            venue_order_id=VenueOrderId("OFOREI-AAAAA-AAAAA1"), client_order_id=None
        )
        desk.venue.insert(foreign)
        code, result = await reconcile(desk, execute=True)
        assert code == 3
        assert "UNKNOWN_ORDER" in kinds(result)
        assert desk.venue.writes == []
        notes = await desk.read(lambda tx: tx.reconciliations())
        assert [note.kind for note in notes] == ["UNKNOWN_ORDER"]

    at_the_desk(tmp_path, story)


def test_a_venue_that_is_down_is_no_clean_account(tmp_path: Path) -> None:
    """Exit 5, never 0."""

    async def story(desk: Desk) -> None:
        desk.venue.cue("closed_orders", VenueUnavailable("down"), times=9)
        with pytest.raises(VenueUnavailable, match="closed orders"):
            await reconcile(desk)

    at_the_desk(tmp_path, story)
