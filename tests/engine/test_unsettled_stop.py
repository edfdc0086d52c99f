"""An orderly stop that does not come to its end is told: by event, row and tally."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loop_rig import LoopRig, run_loop, with_rig
from zoe_tools.core.left_behind import LeftBehind
from zoe_tools.domain.observation import Boot
from zoe_tools.domain.order import OrderRequest, Side
from zoe_tools.errors import StoreUnavailable, VenueUnavailable
from zoe_tools.observe import alerts

Told = Callable[[str], list[dict[str, Any]]]


class Listening:
    """A service manager that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, state: str) -> None:
        """See `ServiceManager`."""
        self.told.append(state)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    """The fields of each event of that name, with its severity, and whether it is an alert."""
    caplog.set_level(logging.INFO)

    def of(name: str) -> list[dict[str, Any]]:
        return [
            {
                **record.__dict__["zoe_fields"],
                "severity": record.levelname.lower(),
                "is_alert": alerts.alert_of(record) is not None,
            }
            for record in caplog.records
            if record.__dict__.get("zoe_event") == name
        ]

    return of


def stopped(
    folder: Path, story: Callable[[LoopRig], Awaitable[None]], *, manager: Listening | None = None
) -> tuple[LoopRig, Boot, LeftBehind]:
    """A loop that was told to stop after the story: the rig, its row, and what it says is left."""

    async def whole(rig: LoopRig) -> tuple[LoopRig, Boot, LeftBehind]:
        make = rig._parts
        service = manager or Listening()
        rig._parts = lambda: replace(make(), service=service)  # type: ignore[method-assign]
        rig.come_up()
        rig.quote()
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(1)
        await story(rig)
        rig.stop.set()
        _, tally = await running
        return rig, (await rig.read(lambda tx: tx.boots()))[-1], tally.left

    return with_rig(folder, whole)


async def with_an_entry(rig: LoopRig) -> None:
    """One rests, and the venue takes no cancel."""
    await rig.enter(rests=True)

    async def refuse(*_: object, **__: object) -> int:
        raise VenueUnavailable("down")

    rig.venue.cancel = refuse  # type: ignore[method-assign]
    rig.venue.cancel_batch = refuse  # type: ignore[method-assign]


async def with_a_bare_position(rig: LoopRig) -> None:
    """What is bought gets no stop: the venue takes no sale."""
    place = rig.venue.place

    async def no_sales(request: OrderRequest, **more: Any) -> Any:
        if request.side is Side.SELL:
            raise VenueUnavailable("down")
        return await place(request, **more)

    rig.venue.place = no_sales  # type: ignore[method-assign]
    await rig.enter()


def test_an_entry_that_cannot_be_cancelled_is_told(tmp_path: Path, told: Told) -> None:
    """By event, alert, row, tally, and to the service manager; it was in order until yesterday."""
    manager = Listening()
    rig, boot, left = stopped(tmp_path, with_an_entry, manager=manager)
    (order,) = rig.resting(Side.BUY)
    (event,) = told("STOP_UNSETTLED")
    (ended,) = told("LOOP_ENDED")

    assert (event["severity"], event["is_alert"], event["bare"]) == ("critical", True, "")
    assert event["orders"] == left.what
    assert str(order.venue_order_id) in left.what
    assert f"zoe orders cancel {order.venue_order_id} --execute" in event["by_hand"]
    assert (ended["severity"], ended["is_alert"], ended["reason"]) == ("error", True, left.what)
    assert ended["exit_code"] == left.exit_code != 0
    assert (boot.status, boot.details["reason"]) == ("unsettled", left.what)
    assert boot.finished_at is not None
    assert f"STATUS=ended, and left: {left.what}" in manager.told


def test_a_position_that_stands_bare_is_told(tmp_path: Path, told: Told) -> None:
    """With the command that places its stop."""
    rig, boot, left = stopped(tmp_path, with_a_bare_position)

    assert rig.resting(Side.SELL) == []
    assert len(left.bare) == 1
    assert left.bare[0].endswith("BTC/USD has NO STOP")
    assert told("STOP_UNSETTLED")[0]["bare"] == left.bare[0]
    assert "zoe recover-sl --execute" in left.by_hand
    assert boot.status == "unsettled"


def test_a_store_that_is_away_at_the_end_hides_nothing_that_is_left(
    tmp_path: Path, told: Told
) -> None:
    """Both are said: what the books lack, and what stands bare."""

    async def story(rig: LoopRig) -> None:
        await with_a_bare_position(rig)
        rig.disk.is_away = True

    with pytest.raises(StoreUnavailable, match=r"Left undone: .*BTC/USD has NO STOP\.$"):
        run_loop(tmp_path, story, has_spare=True)
    assert [each["severity"] for each in told("STOP_UNSETTLED")] == ["critical"]
    assert told("LOOP_ENDED")[0]["exit_code"] == StoreUnavailable.exit_code


def test_a_stop_that_is_done_says_nothing(tmp_path: Path, told: Told) -> None:
    """The entry is cancelled, or what it bought has its stop."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()

    rig, boot, left = stopped(tmp_path, story)

    assert len(rig.resting(Side.SELL)) == 1
    assert (left, told("STOP_UNSETTLED")) == (LeftBehind(), [])
    assert (told("LOOP_ENDED")[0]["severity"], boot.status) == ("info", "ok")


def test_what_is_left_is_tried_for_as_long_as_before(tmp_path: Path) -> None:
    """The venue takes stops again before the stop gives up: then nothing is left."""

    async def story(rig: LoopRig) -> None:
        place = rig.venue.place
        await with_a_bare_position(rig)

        async def mend() -> None:
            await rig.clock.sleep(60)
            rig.venue.place = place  # type: ignore[method-assign]

        rig.mending = asyncio.create_task(mend())  # type: ignore[attr-defined]

    rig, _, left = stopped(tmp_path, story)

    assert left.is_empty
    assert len(rig.resting(Side.SELL)) == 1
