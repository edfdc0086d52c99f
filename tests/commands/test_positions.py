"""`zoe positions` over a venue in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from builders import BTC, d, make_position, make_request, make_stop_request, place
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.positions import _Asked, _positions
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.position import PositionStatus
from zoe_tools.errors import ConfigError, VenueUnavailable


async def listed(desk: Desk, *, as_json: bool = False, **asked: Any) -> tuple[int, str]:
    """Run the command; its exit code and what it printed."""
    context, invocation, out = command_io(desk, "positions", json=as_json)
    code = await _positions(context, invocation.printer(), _Asked(**asked))
    return code, out.getvalue()


async def bought(desk: Desk) -> None:
    """A position with its stop, and coins of somebody else."""
    await desk.do(place(make_request(limit_price=d("60000.1"))))
    (position,) = await desk.read(lambda tx: tx.positions())
    stop = place(make_stop_request())
    await desk.do(type(stop)(request=stop.request, reason="r", position_id=position.position_id))
    desk.venue.totals["BTC"] += d("0.5")


def test_positions_are_listed_with_their_result_and_what_is_not_zoe_s(tmp_path: Path) -> None:
    """Nothing is changed; the unmanaged half of a coin is told as such."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        desk.venue.prices[BTC] = (d("61000"), d("61000.1"))
        before = await desk.read(lambda tx: tx.business_fingerprint())
        desk.venue.calls.clear()
        code, text = await listed(desk)

        assert code == 0
        for word in ("BTC/USD", "0.0004", "61000", "protected", "%)", "58800", "0.5", "0 s old"):
            assert word in text
        assert "with their fees, results before that of a sale." in " ".join(text.split())
        assert desk.venue.writes == []
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before

    at_the_desk(tmp_path, story)


def test_a_position_s_story_is_told_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    """Events, orders, fills; what was planned; nothing of the others."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        (position,) = await desk.read(lambda tx: tx.positions())
        code, text = await listed(desk, position_id=position.position_id[:9])
        assert code == 0
        for word in ("entered", "stop_linked", "its orders", "sell 0.0004 at 58800", "its fills"):
            assert word in text
        told = json.loads((await listed(desk, as_json=True, position_id="P-"))[1])["result"]
        assert [each["what"] for each in told["story"]["events"]][:2] == ["begun", "entered"]
        assert len(told["story"]["fills"]) == 1
        with pytest.raises(ConfigError, match="No positions are called"):
            await listed(desk, position_id="nobody")

    at_the_desk(tmp_path, story)


def test_less_at_the_venue_than_managed_is_a_finding(tmp_path: Path) -> None:
    """Exit 3, and nothing is written off."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        desk.venue.totals["BTC"] = d("0.0001")
        code, text = await listed(desk)
        assert code == 3
        assert "Nothing was written off" in text
        assert len(await desk.read(lambda tx: tx.positions(open_only=True))) == 1

    at_the_desk(tmp_path, story)


def test_a_venue_that_is_away_leaves_the_books_to_speak_alone(tmp_path: Path) -> None:
    """Exit 5: no balance, no figure, and no wrong one."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        for name in ("balances", "quotes", "catalogue"):
            desk.venue.cue(name, VenueUnavailable("down"))
        code, text = await listed(desk)
        assert code == 5
        assert "BTC/USD" in text
        assert "held at the venue" not in text
        assert "The venue could not be asked" in text

    at_the_desk(tmp_path, story)


def test_what_is_over_is_told_when_asked_for(tmp_path: Path) -> None:
    """With `--all`; a flat account says so."""

    async def story(desk: Desk) -> None:
        assert "No positions" in (await listed(desk))[1]
        await bought(desk)
        stop = next(each for each in desk.venue.resting)
        desk.venue.trade(stop.venue_order_id, d("0.0004"), d("58800"))
        await desk.gate().recover()
        assert "No positions" in (await listed(desk))[1]
        code, text = await listed(desk, everything=True)
        assert (code, "closed" in text) == (0, True)

    at_the_desk(tmp_path, story)


def test_a_position_whose_row_is_gone_is_a_finding(tmp_path: Path) -> None:
    """Its story and its orders know what it was; what is sold leaves nothing to find."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        (position,) = await desk.read(lambda tx: tx.positions())
        await desk.read(lambda tx: tx._connection.execute(text("DELETE FROM crypto_positions")))
        code, told = await listed(desk)
        words = " ".join(told.split())
        assert code == 3
        assert f"The row of {position.position_id} is gone" in words
        assert "holds 0.0004 BTC/USD" in words
        assert "Next: zoe reconcile --execute" in words
        (gone,) = json.loads((await listed(desk, as_json=True))[1])["result"]["gone"]
        assert gone["position_id"] == position.position_id

        await desk.read(lambda tx: tx.copy_position(position))
        assert (await listed(desk))[0] == 0

    at_the_desk(tmp_path, story)


def test_a_registry_that_contradicts_itself_is_a_finding(tmp_path: Path) -> None:
    """With the runbook's string, on demand, and as it is stored."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        over = make_position(position_id=PositionId("P-over"), status=PositionStatus.CLOSED)
        await desk.read(lambda tx: tx.copy_position(over))
        code, text = await listed(desk, everything=True)
        assert code == 3
        assert "remaining_qty_violation:P-over:BTC/USD" in text
        told = json.loads((await listed(desk, as_json=True))[1])["result"]["audit"]
        assert (told["phase"], told["violations_total"]) == ("on_demand", 1)

    at_the_desk(tmp_path, story)


def test_a_stop_that_rests_for_a_position_that_was_given_up_is_told(tmp_path: Path) -> None:
    """Exit 3, and the command that takes over the coins; "No positions." alone would hide them."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        (position,) = await desk.read(lambda tx: tx.positions())
        await desk.read(
            lambda tx: tx.end_position(
                position.position_id, PositionStatus.ERROR, reason="corrupted", at=desk.clock.now()
            )
        )
        code, text = await listed(desk)
        told = " ".join(text.split())

        assert code == 3
        assert "No positions." in told
        assert "still rests, 0.0004 BTC/USD at 58800" in told
        assert "zoe sync-positions --adopt BTC/USD=0.0004" in told

    at_the_desk(tmp_path, story)


def test_a_bid_through_a_stop_that_is_gone_is_told(tmp_path: Path) -> None:
    """Exit 3, whatever the row says; and how to get out."""

    async def story(desk: Desk) -> None:
        await bought(desk)
        stop = next(each for each in desk.venue.resting)
        await desk.venue.cancel(stop.venue_order_id)
        desk.venue.prices[BTC] = (d("58700"), d("58700.1"))
        code, text = await listed(desk)
        told = " ".join(text.split())

        assert code == 3
        assert "PASSED 58800" in told
        assert "UNPROTECTED. The bid, 58700, is through its stop at 58800" in told
        assert "zoe kill --level flatten --execute" in told

    at_the_desk(tmp_path, story)
