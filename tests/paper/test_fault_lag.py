"""What `rest-lag` hides, for how long, and that it forgets what it need not hide any more."""

from __future__ import annotations

from paper_desk import START, Desk, ask_for, d, snapshot, traded
from zoe_tools.paper.exchange.fault_lag import RestLag
from zoe_tools.paper.exchange.faults import FaultDesk, FaultRule
from zoe_tools.paper.values.times import NS

LAG_S, FILLS = 10, 1_500


def _lagging_desk(quantity: str) -> tuple[Desk, RestLag, str]:
    """A desk with one resting order, under a lag that stands for a day."""
    faults = FaultDesk(1)
    faults.arm(FaultRule(name="rest-lag", for_s=86_400, delay_s=LAG_S), START)
    desk = Desk()
    desk.hear(snapshot(["69000.0 1.0"], ["71000.0 1.0"]))
    order = desk.place(ask_for("buy", quantity, "70000.0"))
    return desk, RestLag(faults), order.order_id


def test_every_fill_of_an_order_is_hidden_for_its_seconds() -> None:
    """Also the second, when nobody has asked since the first was to be seen."""
    desk, lag, order_id = _lagging_desk("1")
    seen = []
    for at in (START + 60 * NS, START + 120 * NS):
        for event in desk.hear(traded("70000.0", "0.25", at=at)):
            lag.hear(event)
        told = lag.order(desk.account().open[order_id], at + (LAG_S - 1) * NS)
        seen.append(told.filled if told is not None else None)

    assert seen == [d("0"), d("0.25")]
    now = desk.account().open[order_id]
    assert lag.order(now, START + (120 + LAG_S) * NS) == now


def test_what_changes_again_while_it_is_hidden_is_shown_with_the_first_change() -> None:
    """The exchange tells from when on: what nothing hides, at once."""
    desk, lag, order_id = _lagging_desk("1")
    for at in (START + 60 * NS, START + 64 * NS):
        for event in desk.hear(traded("70000.0", "0.25", at=at)):
            lag.hear(event)
    shown_at = START + (60 + LAG_S) * NS

    assert lag.shown_at(order_id, START + 64 * NS) == shown_at
    assert lag.shown_at(order_id, shown_at + NS) == shown_at + NS
    assert lag.shown_at("another", START + 64 * NS) == START + 64 * NS
    now = desk.account().open[order_id]
    assert lag.order(now, shown_at - 1) != now == lag.order(now, shown_at)


def test_a_lag_that_stands_for_long_does_not_fill_the_memory() -> None:
    """Nobody asks REST anything, and still what is known by now is forgotten."""
    desk, lag, _ = _lagging_desk("4")
    for fill in range(FILLS):
        for event in desk.hear(traded("70000.0", "0.001", at=START + fill * NS)):
            lag.hear(event)

    assert len(desk.trades()) == FILLS
    assert len(lag._trades) + len(lag._orders) <= 1_100
