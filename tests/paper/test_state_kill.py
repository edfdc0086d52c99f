"""SIGKILL under load: whatever was acknowledged is there afterwards."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from paper_load import Child, child, connect, mix, order_message, ws_frame
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.runtime.clocks import SystemClock

_BEFORE_THE_KILL = 300


async def _trade_until_killed(target: Child) -> set[str]:
    """Ids of the orders of two accounts that were acknowledged before the process died."""
    socket = await connect(target.port, "/v2/private")
    for number, (account, *order) in enumerate(mix(1_500)):
        message = order_message(target.keys[account], number, *order)
        socket.writer.write(ws_frame(json.dumps(message)))
    acknowledged: set[str] = set()
    try:
        while True:
            answer = json.loads(await socket.read())
            if answer.get("method") == "add_order":
                acknowledged.add(answer["result"]["order_id"])
            if len(acknowledged) == _BEFORE_THE_KILL:
                target.process.kill()
    except (asyncio.IncompleteReadError, ConnectionError):
        socket.writer.close()
    return acknowledged


def test_every_acknowledged_order_survives_a_kill(tmp_path: Path) -> None:
    """An answer is given only when the order is in the file."""
    with child(tmp_path / "paper.sqlite", own_core=-1) as target:
        acknowledged = asyncio.run(_trade_until_killed(target))

    again = PaperExchange(None, SystemClock(), state=StateFile(tmp_path / "paper.sqlite"))
    accounts = {one.account_id for one in again.principals}
    found = {
        order.order_id
        for account in accounts
        for order in (*again.open_orders(account), *again.closed_orders(account))
    }
    again.close()
    assert len(acknowledged) >= _BEFORE_THE_KILL
    assert acknowledged - found == set()
