"""How long a WebSocket token is good, and what it opens (section 2.6)."""

from __future__ import annotations

from typing import Any

import pytest

from paper_desk import snapshot
from paper_socket import SocketDesk, Wire, at_desk
from zoe_tools.paper.values.times import NS

Frame = dict[str, Any]
LATER = 901 * NS
LEVEL3: Frame = {"channel": "level3", "symbol": ["BTC/USD"]}


async def subscribed(desk: SocketDesk, **params: Any) -> Wire:
    """A private connection with one subscription."""
    desk.hear(snapshot(["69999.0 1.0"], ["70000.1 0.3"]))
    wire = await desk.connect(is_private=True)
    await wire.ask("subscribe", token=desk.token, **params)
    return wire


def told(answers: list[Frame]) -> object:
    """The result of the first answer, or its error."""
    return answers[0].get("result", answers[0].get("error"))


@pytest.mark.parametrize("params", [{"channel": "executions"}, {"channel": "balances"}, LEVEL3])
def test_a_token_stays_good_while_a_private_subscription_lives(params: Frame) -> None:
    """On any connection; when the last subscription has ended, its age counts again."""

    async def story(desk: SocketDesk) -> list[object]:
        token: Frame = {"token": desk.token}
        wire = await subscribed(desk, **params)
        other = await desk.connect(is_private=True)
        desk.exchange._floor.now += LATER
        heard = [told(await one.ask("cancel_all", **token)) for one in (wire, other)]
        await wire.ask("unsubscribe", **params, **token)
        return [*heard, told(await wire.ask("cancel_all", **token))]

    assert at_desk(story) == [{"count": 0}, {"count": 0}, "ESession:Invalid session"]


def test_a_token_dies_with_the_connection_that_held_it() -> None:
    """A reconnect after a quarter of an hour needs a new one; before, the old one will do."""

    async def story(desk: SocketDesk) -> list[object]:
        token: Frame = {"token": desk.token}
        first = await subscribed(desk, channel="executions")
        await first.close()
        again = await subscribed(desk, channel="executions")
        soon = told(await again.ask("cancel_all", **token))
        desk.exchange._floor.now += LATER
        await again.close()
        late = await desk.connect(is_private=True)
        return [soon, told(await late.ask("cancel_all", **token))]

    assert at_desk(story) == [{"count": 0}, "ESession:Invalid session"]


def test_a_token_that_only_traded_grows_old() -> None:
    """An order is no subscription."""

    async def story(desk: SocketDesk) -> list[object]:
        token: Frame = {"token": desk.token}
        wire = await desk.connect(is_private=True)
        first = told(await wire.ask("cancel_all", **token))
        desk.exchange._floor.now += LATER
        return [first, told(await wire.ask("cancel_all", **token))]

    assert at_desk(story) == [{"count": 0}, "ESession:Invalid session"]


def test_old_tokens_are_forgotten() -> None:
    """Whoever asks for one a minute for half a day leaves a few dozen of them."""

    async def story(desk: SocketDesk) -> int:
        for _ in range(1_000):
            desk.exchange._floor.now += 60 * NS
            desk.exchange.issue_token(desk.exchange.principals[0])
        return len(desk.exchange.tokens._tokens)

    assert at_desk(story) <= 64


def test_a_connection_hears_one_account() -> None:
    """A second account's token subscribes to nothing there, but it may trade."""

    async def story(desk: SocketDesk) -> list[object]:
        desk.exchange.create_account("other", "key2", "c2VjcmV0")
        other = desk.exchange.issue_token(desk.exchange.principals[1])
        wire = await subscribed(desk, channel="executions")
        return [
            told(await wire.ask("subscribe", channel="balances", token=other)),
            told(await wire.ask("cancel_all", token=other)),
        ]

    assert at_desk(story) == ["ESession:Invalid session", {"count": 0}]
