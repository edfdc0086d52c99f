"""What the exchange's own log accounts for, and no more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from builders import NOON, d
from chaos_excuses import excuses, left_s, unseen
from chaos_world import Chronicle
from zoe_tools.paper.values.events import OrderEvent
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.times import NS, ns_of

STOP = OrderView(
    order_id="O1",
    account_id="A1",
    symbol="BTC/USD",
    side="sell",
    order_type="stop-loss",
    quantity=d("1"),
    opened_at=0,
    queue_number=1,
    maker_pct=d("0.2"),
    taker_pct=d("0.4"),
    status="canceled",
)


@pytest.mark.parametrize(
    ("seen_s", "shown_s", "excused_s"),
    [(12, 15, 2), (None, 15, 5), (20, 15, 5), (10, 15, 0), (None, 10, 0)],
)
def test_a_cancel_counts_from_when_it_is_told_or_could_be_read(
    seen_s: int | None, shown_s: int, excused_s: int
) -> None:
    """Cancelled at ten seconds; who does not look at records that show it has no excuse."""
    chronicle = Chronicle(
        events=[OrderEvent(kind="canceled", account_id="A1", order=STOP, at=10 * NS)],
        seen={} if seen_s is None else {"O1": seen_s * NS},
        shown={"O1": shown_s * NS},
    )

    excused = unseen(chronicle, "BTC/USD")
    assert sum(until - since for since, until in excused) == excused_s * NS
    assert left_s(10 * NS, 20 * NS, excused) == 10 - excused_s
    assert unseen(chronicle, "ETH/USD") == []


@pytest.mark.parametrize(
    ("cut", "where", "excused_s"),
    [
        ("reply-lost-before", "amend_order", 3),
        ("ws-close-1006", "executions", 3),
        ("reply-lost-before", "OpenOrders", 0),
        ("busy", "amend_order", 0),
    ],
)
def test_a_silence_over_rest_accounts_for_nothing_while_the_socket_is_up(
    cut: str, where: str, excused_s: int
) -> None:
    """Asked for at noon, for four seconds; the socket goes one second later, or does not."""
    chronicle = Chronicle(
        strikes=[
            {"name": name, "where": at, "at": f"2026-01-05T12:00:0{second}Z", "delay_s": 4.0}
            for second, (name, at) in enumerate((("throttled", "OpenOrders"), (cut, where)))
        ]
    )

    longest = max((until - since for since, until in excuses(chronicle)), default=0)
    assert longest == excused_s * NS


@pytest.mark.parametrize(("began_before_s", "excused_s"), [(0, 4), (0.9, 4), (1, 0), (-1, 0)])
def test_a_silence_over_rest_accounts_for_an_engine_that_has_just_begun(
    began_before_s: float, excused_s: int
) -> None:
    """The token of its socket comes by REST; one that had a second for that has the socket."""
    begun = ns_of(NOON - timedelta(seconds=began_before_s))
    chronicle = Chronicle(
        lives=[(begun, begun + 60 * NS, "killed")],
        strikes=[
            {"name": "throttled", "where": "OpenOrders", "at": NOON.isoformat(), "delay_s": 4.0}
        ],
    )

    longest = max((until - since for since, until in excuses(chronicle)), default=0)
    assert longest == excused_s * NS


@pytest.mark.parametrize(
    ("name", "where", "seen_s", "excused_s"),
    [
        ("throttled", "OpenOrders", None, 4),
        ("throttled", "OpenOrders", 2, 2),
        ("throttled", "add_order", None, 0),
        ("rate-limit", "OpenOrders", None, 0),
    ],
)
def test_nobody_can_read_of_a_cancel_while_the_venue_asks_for_silence(
    name: str, where: str, seen_s: int | None, excused_s: int
) -> None:
    """Cancelled at noon, when a silence of four seconds over REST begins, or no silence at all."""
    noon = ns_of(NOON)
    chronicle = Chronicle(
        events=[OrderEvent(kind="canceled", account_id="A1", order=STOP, at=noon)],
        seen={} if seen_s is None else {"O1": noon + seen_s * NS},
        shown={"O1": noon},
        strikes=[{"name": name, "where": where, "at": NOON.isoformat(), "delay_s": 4.0}],
    )

    excused = unseen(chronicle, "BTC/USD")
    assert sum(until - since for since, until in excused) == excused_s * NS


@pytest.mark.parametrize(
    ("name", "where", "after_s", "seen_s", "excused_s"),
    [
        ("rate-limit", "QueryOrders", 0.3, None, 1),
        ("rate-limit", "QueryOrders", 0.3, 0.2, 0),
        ("rate-limit", "QueryOrders", -0.1, None, 0),
        ("rate-limit", "OpenOrders", 0.3, None, 0),
        ("http-520", "QueryOrders", 0.3, None, 0),
        ("empty-answer", "QueryOrders", 0.3, None, 0),
    ],
)
def test_nobody_can_read_of_a_cancel_in_the_second_after_a_refusal(
    name: str, where: str, after_s: float, seen_s: float | None, excused_s: int
) -> None:
    """Its frame was lost, and the counter is full, the venue says; other blows excuse nothing."""
    noon = ns_of(NOON)
    struck_at = NOON + timedelta(seconds=after_s)
    chronicle = Chronicle(
        events=[OrderEvent(kind="canceled", account_id="A1", order=STOP, at=noon)],
        seen={} if seen_s is None else {"O1": noon + int(seen_s * NS)},
        shown={"O1": noon},
        strikes=[{"name": name, "where": where, "at": struck_at.isoformat(), "delay_s": 4.0}],
    )

    excused = unseen(chronicle, "BTC/USD")
    assert sum(until - since for since, until in excused if since > noon) == excused_s * NS
    left = 5 if not excused_s else 5 - after_s - excused_s
    assert left_s(noon, noon + 5 * NS, excused) == pytest.approx(left)
