"""What is taken for booked too late."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from builders import NOON, PAPER, d, make_fill
from chaos_bookings import Bookings
from chaos_judge import late_fills
from chaos_world import Chronicle
from fakes import fresh_store
from zoe_tools.domain.identifiers import FillId
from zoe_tools.paper.values.events import OrderEvent
from zoe_tools.paper.values.ledger import TradeView
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.times import NS, ns_of
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

ORDER = OrderView(
    order_id="O1",
    account_id="A1",
    symbol="BTC/USD",
    side="buy",
    order_type="limit",
    quantity=d("1"),
    opened_at=0,
    queue_number=1,
    maker_pct=d("0.2"),
    taker_pct=d("0.4"),
)
TRADE = TradeView(
    trade_id="T1",
    public_id=1,
    account_id="A1",
    order_id="O1",
    symbol="BTC/USD",
    side="buy",
    order_type="limit",
    executed_as="limit",
    price=d("100"),
    quantity=d("1"),
    cost=d("100"),
    fee=d("0"),
    is_maker=True,
    at=10 * NS,
)


@pytest.mark.parametrize(
    ("booked_s", "dead_s", "count"),
    [(20, 0, 0), (21, 0, 1), (24, 4, 0), (26, 4, 1), (None, 0, 1), (None, 80, 0)],
)
def test_an_execution_is_booked_within_ten_seconds_of_an_engine_s_life(
    booked_s: int | None, dead_s: int, count: int
) -> None:
    """It happened at ten seconds, and nobody lived for some; the last engine ends after a hundred.

    The second in which an engine begins is counted to its death.
    """
    lives = [(0, 12 * NS, "killed"), ((12 + dead_s) * NS, 100 * NS, "stopped")]
    chronicle = Chronicle(
        events=[OrderEvent(kind="trade", account_id="A1", order=ORDER, trade=TRADE, at=10 * NS)],
        lives=lives if dead_s else [(0, 100 * NS, "stopped")],
        booked={} if booked_s is None else {"T1": booked_s * NS},
    )

    assert len(list(late_fills(chronicle))) == count


def test_what_stands_in_the_books_is_seen_within_a_second(tmp_path: Path) -> None:
    """And what does not is looked for until it does."""

    async def watch() -> dict[str, int]:
        clock, booked = VirtualClock(NOON), dict[str, int]()
        bookings = Bookings(tmp_path / "zoe.db", clock, booked)
        watching = asyncio.create_task(bookings.keep())
        for name in ("T1", "T2"):
            bookings.expect(name)
        await clock.sleep(4.5)
        with store.transaction() as transaction:
            transaction.record_fill(make_fill(fill_id=FillId("T2")))
        await clock.sleep(4.5)
        watching.cancel()
        return booked

    with closing(fresh_store(tmp_path, PAPER)) as store:
        booked = run_virtual(watch())

    assert booked == {"T2": ns_of(NOON) + 5 * NS}
