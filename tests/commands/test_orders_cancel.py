"""`zoe orders cancel` over a venue in memory: dry, executed, executed again."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import LIVE, d, make_request, make_stop_request, place
from command_line import LIVE_KEYS, zoe
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.orders_cancel import _arguments, _cancel
from zoe_tools.domain.order import OrderStatus, OrderType
from zoe_tools.errors import ConfigError, ConsentMissing

RESTING = make_request(limit_price=d("58000.0"), quantity=d("0.0003"))
ALL = _arguments((), "", ["all"])


async def cancel(
    desk: Desk, arguments: tuple[tuple[str, str], ...], *, execute: bool
) -> tuple[int, str]:
    """Run the command; its exit code and what it printed."""
    context, invocation, out = command_io(desk, "orders cancel")
    code = await _cancel(context, invocation, arguments, execute=execute)
    return code, out.getvalue()


def test_a_dry_run_says_what_would_go_and_changes_nothing(tmp_path: Path) -> None:
    """Exit 3 with the line to run; executed it goes; again there is nothing to do."""

    async def story(desk: Desk) -> None:
        await desk.do(place(RESTING))
        before = await desk.read(lambda tx: tx.business_fingerprint())
        desk.venue.calls.clear()
        code, text = await cancel(desk, ALL, execute=False)
        assert code == 3
        assert "zoe orders cancel --all --execute" in text
        assert desk.venue.writes == []
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before

        assert (await cancel(desk, ALL, execute=True))[0] == 0
        assert desk.venue.resting == []
        (order,) = await desk.read(lambda tx: tx.orders())
        assert order.status is OrderStatus.CANCELED

        desk.venue.calls.clear()
        assert (await cancel(desk, ALL, execute=True))[0] == 0
        assert desk.venue.writes == []

    at_the_desk(tmp_path, story)


def test_the_protective_stop_stays_unless_it_is_asked_for(tmp_path: Path) -> None:
    """All of them, and the stop only with its own word."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"), quantity=d("0.0004"))))
        await desk.do(place(make_stop_request()))
        code, text = await cancel(desk, ALL, execute=True)
        assert code == 0
        assert "--include-protection" in text
        assert [each.order_type for each in desk.venue.resting] == [OrderType.STOP_LOSS]

        wanted = _arguments((), "BTC-USD", ["include-protection"])
        assert (await cancel(desk, wanted, execute=True))[0] == 0
        assert desk.venue.resting == []

    at_the_desk(tmp_path, story)


def test_a_live_account_is_not_changed_without_consent(tmp_path: Path) -> None:
    """As every command that changes the venue."""

    async def story(desk: Desk) -> None:
        await desk.do(place(RESTING), live_consent=True)
        with pytest.raises(ConsentMissing):
            await cancel(desk, ALL, execute=True)
        assert len(desk.venue.resting) == 1

    at_the_desk(tmp_path, story, account=LIVE)


@pytest.mark.parametrize(
    ("ids", "symbol", "flags"),
    [
        ((), "", []),
        (("O1",), "", ["all"]),
        ((), "BTC-USD", ["all"]),
        ((), "", ["include-protection"]),
    ],
)
def test_one_way_of_choosing_must_be_named(
    ids: tuple[str, ...], symbol: str, flags: list[str]
) -> None:
    """Nothing at all does not mean everything."""
    with pytest.raises(ConfigError, match="Say which orders"):
        _arguments(ids, symbol, flags)


def test_the_command_line_says_so_too(tmp_path: Path) -> None:
    """Exit 2 before anybody is asked."""
    ran = zoe("orders cancel", LIVE_KEYS, home=tmp_path)

    assert ran.code == 2
    assert "Say which orders" in ran.err
