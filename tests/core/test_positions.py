"""The lines of `zoe positions`: figures by a quote, and what is not zoe's."""

from __future__ import annotations

from datetime import timedelta

from builders import ETH, NOON, d, make_position, make_quote, snapshot_with
from zoe_tools.core.positions import list_positions, shares_of
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.position import PositionStatus
from zoe_tools.domain.snapshot import Missing

HELD = make_position()
OVER = make_position(
    position_id=PositionId("P0"),
    status=PositionStatus.CLOSED,
    quantity=d("0"),
    exit_quantity=d("1"),
    realised_pnl=d("3"),
    closed_at=NOON - timedelta(days=2),
)


def test_a_position_is_worth_what_the_bid_pays() -> None:
    """Its result is unrealised until it is sold, and stands beside the quote's time."""
    snapshot = snapshot_with(quotes=(make_quote(bid=d("61000"), ask=d("61001")),))
    (line,) = list_positions((HELD,), snapshot)

    assert (line.worth, line.unrealised_pnl) == (d("24.4000"), d("0.4000"))
    assert line.unrealised_pct == d("1.6667")
    assert line.quoted_at == NOON


def test_without_a_quote_there_is_no_figure() -> None:
    """Neither cost nor zero stands in for it."""
    for quotes in ((), Missing("the venue is away")):
        (line,) = list_positions((HELD,), snapshot_with(quotes=quotes))
        assert (line.bid, line.worth, line.unrealised_pnl, line.quoted_at) == (None,) * 4


def test_active_ones_come_first_and_old_ends_can_be_left_out() -> None:
    """`since` is about what is over; what is open is always told."""
    lines = list_positions((OVER, HELD), snapshot_with())
    assert [each.position_id for each in lines] == ["P1", "P0"]
    recent = list_positions((OVER, HELD), snapshot_with(), since=NOON - timedelta(days=1))
    assert [each.position_id for each in recent] == ["P1"]
    assert list_positions((OVER, HELD), snapshot_with(), symbol=ETH) == ()


def test_each_asset_is_told_as_managed_and_unmanaged() -> None:
    """Money is no asset here; a shortage is below zero, and a pending position manages nothing."""
    pending = make_position(
        position_id=PositionId("P3"), symbol=ETH, status=PositionStatus.PENDING, quantity=d("0")
    )
    balances = (
        Balance(asset="USD", total=d("1000")),
        Balance(asset="BTC", total=d("0.5")),
        Balance(asset="ETH", total=d("2")),
    )
    shares = shares_of((HELD, pending, OVER), snapshot_with(balances=balances))
    assert shares is not None
    assert [(each.asset, each.managed, each.unmanaged) for each in shares] == [
        ("BTC", d("0.0004"), d("0.4996")),
        ("ETH", d("0"), d("2")),
    ]
    short = shares_of((HELD,), snapshot_with())
    assert short is not None
    assert short[0].unmanaged == d("-0.0004")
    assert shares_of((HELD,), snapshot_with(balances=Missing("away"))) is None
