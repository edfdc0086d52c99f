"""Whether the books agree with the venue well enough to risk money on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import d, make_request, make_venue_order, place
from fakes import Desk, at_the_desk, command_io
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.errors import VenueUnavailable
from zoe_tools.runtime.readiness import disagreements


async def told(desk: Desk) -> tuple[str, ...]:
    """What is found now."""
    context, _, _ = command_io(desk, "run")
    return await disagreements(context)


def test_equal_books_are_no_reason(tmp_path: Path) -> None:
    """Nothing held, nothing found."""

    async def story(desk: Desk) -> None:
        assert await told(desk) == ()

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("client_order_id", "count"),
    [(None, 0), (ClientOrderId("6f3c8f0e-0000-4000-8000-000000000001"), 1)],
)
def test_an_order_without_a_client_id_is_somebodys_own(
    client_order_id: ClientOrderId | None, count: int, tmp_path: Path
) -> None:
    """An operator's own order keeps nobody from trading; one that our books may have lost does."""

    async def story(desk: Desk) -> None:
        order_id = VenueOrderId("OFOREI-AAAAA-AAAAA1")
        desk.venue.insert(
            make_venue_order(venue_order_id=order_id, client_order_id=client_order_id)
        )
        found = await told(desk)
        assert len(found) == count
        assert all(each.startswith(f"reconcile: UNKNOWN_ORDER {order_id}") for each in found)

    at_the_desk(tmp_path, story)


def test_a_position_without_its_stop_is_a_reason(tmp_path: Path) -> None:
    """The loop that starts mends it, and asks again."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))))
        assert "STOP_MISSING" in [each.split()[1] for each in await told(desk)]

    at_the_desk(tmp_path, story)


def test_a_venue_that_cannot_be_read_is_a_reason(tmp_path: Path) -> None:
    """Not knowing is not agreeing."""

    async def story(desk: Desk) -> None:
        desk.venue.cue("fills", VenueUnavailable("Nobody answers."))
        assert [each.split(":")[0] for each in await told(desk)] == ["reconcile"]

    at_the_desk(tmp_path, story)
