"""`zoe fills` over books in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builders import ETH, d, make_request, place
from command_line import LIVE_KEYS, migrated, zoe
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.fills import _fills
from zoe_tools.errors import ConfigError


async def listed(desk: Desk, **options: str) -> str:
    """Run the command; what it printed."""
    context, invocation, out = command_io(desk, "fills")
    assert await _fills(context, invocation.printer(), **options) == 0
    return out.getvalue()


def test_fills_are_listed_and_summed_without_asking_the_venue(tmp_path: Path) -> None:
    """Quantity, price, cost and fee; then what they come to."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"), quantity=d("0.0002"))))
        await desk.do(place(make_request(limit_price=d("60000.1"), quantity=d("0.0001"))))
        desk.venue.calls.clear()
        text = await listed(desk)

        assert "BTC/USD: bought 0.0003 for 18.00 in 2 fills" in text
        assert text.index("0.0001") < text.index("0.0002")
        assert desk.venue.calls == []
        assert "No fills" in await listed(desk, symbol="eth-usd")
        await desk.clock.sleep(3600)
        assert "No fills since" in await listed(desk, since="30m")

    at_the_desk(tmp_path, story)


def test_the_json_holds_the_fills_and_their_sums(tmp_path: Path) -> None:
    """Money as text."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(symbol=ETH, limit_price=d("3000.1"), quantity=d("0.005"))))
        context, invocation, out = command_io(desk, "fills", json=True)
        await _fills(context, invocation.printer())
        told = json.loads(out.getvalue())["result"]

        assert [each["quantity"] for each in told["fills"]] == ["0.005"]
        (total,) = told["sums"]
        assert (total["symbol"], total["side"], total["fills"]) == ("ETH/USD", "buy", 1)

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("spelling", ["XBTUSD", "btc", "nonsense", "/USD", "BTC/"])
def test_a_spelling_that_only_the_venue_could_resolve_is_no_empty_answer(
    tmp_path: Path, spelling: str
) -> None:
    """Exit 2: to say that there are no fills would be wrong."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"), quantity=d("0.0002"))))
        assert "No fills of ETH/USD since" in await listed(desk, symbol="eth-usd")
        with pytest.raises(ConfigError, match="which instrument"):
            await listed(desk, symbol=spelling)

    at_the_desk(tmp_path, story)


def test_an_empty_store_has_no_fills(tmp_path: Path) -> None:
    """Exit 0, and it says since when."""
    ran = zoe("fills", LIVE_KEYS, home=migrated(tmp_path / "home"))

    assert ran.code == 0
    assert "No fills since" in ran.out
