"""What is unsure of Kraken is a switch, and each of them does something."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from paper_desk import snapshot, stop, traded
from paper_socket import SocketDesk, at_desk, settle
from zoe_tools.errors import ConfigError
from zoe_tools.paper.exchange.exchange import ExchangeOptions
from zoe_tools.paper.values.quirks import Quirks, quirks_in
from zoe_tools.runtime.paper_serving import quirks_of

Frame = dict[str, Any]
SELL: Frame = {"order_type": "limit", "side": "sell", "symbol": "BTC/USD", "order_qty": 0.01}
LIMIT: Frame = SELL | {"limit_price": 70000.0}
CLOSE: Frame = {"conditional": {"order_type": "stop-loss", "trigger_price": 80000}}


def answered(quirks: Quirks, method: str, **params: Any) -> Frame:
    """The answer to one request at an exchange with these quirks."""

    async def story(desk: SocketDesk) -> Frame:
        desk.hear(snapshot(["69999.0 1.0"], ["70000.1 1.0"]), traded("70000.0", "0.1"))
        wire = await desk.connect(is_private=True)
        (answer,) = await wire.ask(method, token=desk.token, **params)
        return answer

    return at_desk(story, options=ExchangeOptions(quirks=quirks))


@pytest.mark.parametrize(
    ("quirks", "method", "params", "errors"),
    [
        (
            Quirks(unknown_order="EOrder:Unknown order"),
            "cancel_order",
            {"order_id": ["O"]},
            ("EOrder:Invalid order", "EOrder:Unknown order"),
        ),
        (
            Quirks(unknown_order="EOrder:Unknown order"),
            "batch_cancel",
            {"orders": ["O", "P"]},
            ("EOrder:Invalid order", "EOrder:Unknown order"),
        ),
        (
            Quirks(closes_with_client_id=True),
            "add_order",
            LIMIT | CLOSE | {"cl_ord_id": "a"},
            ("EGeneral:Invalid arguments:cl_ord_id", None),
        ),
        (
            Quirks(socket_takes_fok=False),
            "add_order",
            LIMIT | {"time_in_force": "fok"},
            (None, "EGeneral:Invalid arguments:time_in_force"),
        ),
    ],
)
def test_a_quirk_changes_an_answer(
    quirks: Quirks, method: str, params: Frame, errors: tuple[str | None, str | None]
) -> None:
    """As usual, and with the quirk."""
    told = [answered(each, method, **params).get("error") for each in (Quirks(), quirks)]

    assert tuple(told) == errors


@pytest.mark.parametrize("pays_in_base", [False, True])
def test_whether_a_sell_pays_in_base_by_itself(*, pays_in_base: bool) -> None:
    """Unless it says what it prefers."""

    async def story(desk: SocketDesk) -> list[bool]:
        wire = await desk.connect(is_private=True)
        token: Frame = {"token": desk.token}
        for more in ({}, {"fee_preference": "quote"}, {"side": "buy", "limit_price": 60000}):
            await wire.ask("add_order", None, **(LIMIT | more), **token)
        return [one.is_fee_in_base for one in desk.exchange.open_orders(desk.account_id)]

    options = ExchangeOptions(quirks=Quirks(sells_pay_in_base=pays_in_base))

    assert at_desk(story, options=options) == [pays_in_base, False, False]


def test_what_the_rate_counter_is_called() -> None:
    """No source names the field."""

    async def story(desk: SocketDesk) -> Frame:
        desk.hear(snapshot(["69999.0 1.0"], ["70000.1 1.0"]), traded("70000.0", "0.1"))
        wire = await desk.connect(is_private=True)
        ask: Frame = {"channel": "executions", "ratecounter": True}
        await wire.ask("subscribe", token=desk.token, **ask)
        desk.exchange.add_order(desk.account_id, stop("sell", "0.01", "69500.0"))
        await settle()
        row: Frame = wire.frames()[0]["data"][0]
        return row

    options = ExchangeOptions(tier="pro", quirks=Quirks(rate_count_field="rate_count"))

    assert at_desk(story, options=options)["rate_count"] == "1.00"


@pytest.mark.parametrize(
    ("is_first", "expected"),
    [
        (False, ["1", "executions", "executions", "2", "executions", "executions"]),
        (True, ["executions", "executions", "1", "executions", "executions", "2"]),
    ],
)
def test_an_answer_comes_before_or_after_what_the_account_hears_of_it(
    *, is_first: bool, expected: list[str]
) -> None:
    """Kraken leaves it open; two requests in one packet keep the order of each."""

    async def story(desk: SocketDesk) -> list[str]:
        desk.hear(snapshot(["69999.0 1.0"], ["70000.1 1.0"]), traded("70000.0", "0.1"))
        wire = await desk.connect(is_private=True)
        await wire.ask("subscribe", channel="executions", token=desk.token)
        for number in (1, 2):
            params = LIMIT | {"token": desk.token}
            request = {"method": "add_order", "params": params, "req_id": number}
            await wire.client.send(json.dumps(request))
        await settle()
        return [str(frame.get("channel") or frame["req_id"]) for frame in wire.frames()]

    told = at_desk(story, options=ExchangeOptions(quirks=Quirks(reports_first=is_first)))

    assert [each for each in told if each != "heartbeat"] == expected


def test_what_a_fired_trigger_is_called() -> None:
    """`status` or `new`."""

    async def story(desk: SocketDesk) -> list[str]:
        desk.hear(snapshot(["69999.0 1.0"], ["70000.1 1.0"]), traded("70000.0", "0.1"))
        wire = await desk.connect(is_private=True)
        await wire.ask("subscribe", channel="executions", token=desk.token)
        desk.exchange.add_order(desk.account_id, stop("sell", "0.01", "69500.0"))
        desk.hear(traded("69400.0", "0.1"))
        await settle()
        return [frame["data"][0]["exec_type"] for frame in wire.frames()]

    kinds = [
        at_desk(story, options=ExchangeOptions(quirks=Quirks(trigger_report=name)))[2]
        for name in ("status", "new")
    ]

    assert kinds == ["status", "new"]


def test_the_status_may_be_told_again_and_again() -> None:
    """Once a second, as some have seen it."""

    async def story(desk: SocketDesk) -> int:
        wire = await desk.connect()
        await asyncio.sleep(3.5)
        return sum(frame.get("channel") == "status" for frame in wire.frames())

    assert at_desk(story) == 1
    assert at_desk(story, options=ExchangeOptions(quirks=Quirks(status_every_s=1.0))) == 4


def test_a_file_of_quirks_names_what_is_unusual(tmp_path: Path) -> None:
    """What it does not name is as usual; no file, everything is."""
    file = tmp_path / "quirks.json"
    file.write_text(json.dumps({"socket_takes_fok": False}))

    assert quirks_of(file) == Quirks(socket_takes_fok=False)
    assert quirks_of(None) == quirks_in(b"{}") == Quirks()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"moon": 1}',
        '{"status_every_s": 0}',
        '{"margin": {"moon": 1}}',
        '{"margin": {"rollover_pct": -1}}',
        '{"margin": {"opening_pct": "NaN"}}',
        '{"margin": {"call_pct": 30}}',
        '{"margin": {"rollover_hours": 0}}',
        '{"margin": {"pools": {"BTC": -1}}}',
        '{"lockout_failures": 0}',
        '{"lockout_s": -1}',
        '{"public_calls_per_s": 0}',
        '{"a',
    ],
)
def test_a_file_that_is_none_is_refused_with_its_name(text: str, tmp_path: Path) -> None:
    """And the page that shows one."""
    file = tmp_path / "quirks.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match="is no quirks file") as refused:
        quirks_of(file)

    assert refused.value.hint == "docs/paper.md shows one."
    with pytest.raises(ConfigError, match="cannot be read"):
        quirks_of(tmp_path / "none")
