"""What came in without a cost, and of which nobody has told it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import NOON, d, make_cost_basis
from zoe_tools.core.lot_history import Records
from zoe_tools.core.marks import MarkBook
from zoe_tools.core.pnl_basis import demand_row, pending, what_came_in
from zoe_tools.domain.discrepancy import Adjustment
from zoe_tools.domain.equity import Mark
from zoe_tools.domain.identifiers import LedgerId
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.errors import ConfigError


def row(name: str, kind: str, asset: str, amount: str, **more: Any) -> LedgerEntry:
    """A ledger row at noon."""
    values: dict[str, Any] = {"subtype": "", "fee": d("0"), "balance": d("0"), **more}
    return LedgerEntry(
        ledger_id=LedgerId(name),
        refid=f"R-{name}",
        booked_at=NOON,
        kind=kind,
        asset=asset,
        amount=d(amount),
        **values,
    )


ROWS = (
    row("deposit", "deposit", "BTC", "0.5", fee=d("0.1")),
    row("dollars", "deposit", "USD", "100"),
    row("euros", "deposit", "EUR", "100"),
    row("out", "withdrawal", "BTC", "-0.1"),
    row("bought", "receive", "BTC", "1"),
    row("reward", "staking", "DOT", "1"),
    row("airdrop", "transfer", "FLR", "7"),
    row("mystery", "mystery", "ABC", "2"),
)
BASIS = make_cost_basis(
    ledger_id="deposit", quantity=d("0.4"), unit_cost=d("30000"), declared_by="tester", reason=""
)
MARKS = MarkBook(
    [Mark(asset="BTC", currency="USD", price=d("60000"), marked_at=NOON, source="test")]
)


def test_only_what_came_from_outside_needs_a_cost() -> None:
    """Deposits, airdrops and what nobody can explain; with what they were worth, if it is known."""
    rows = what_came_in(Records(entries=ROWS), MARKS, "USD")

    assert [each.ledger_id for each in rows] == ["deposit", "euros", "airdrop", "mystery"]
    assert [each.ledger_id for each in pending(rows)] == ["deposit", "airdrop", "mystery"]
    assert (rows[0].quantity, rows[0].worth, rows[2].worth) == (d("0.4"), d("24000"), None)


def test_what_was_told_is_pending_no_more() -> None:
    """And says who told it."""
    rows = what_came_in(Records(entries=ROWS, costs=(BASIS,)), MARKS, "USD")

    assert [each.ledger_id for each in pending(rows)] == ["airdrop", "mystery"]
    assert (rows[0].unit_cost, rows[0].declared_by) == (d("30000"), "tester")


@pytest.mark.parametrize("name", ["dollars", "bought", "reward", "nothing"])
def test_what_has_a_cost_or_is_not_there_cannot_be_told(name: str) -> None:
    """The hint says how to see what can."""
    rows = what_came_in(Records(entries=ROWS), MARKS, "USD")

    assert demand_row(rows, "deposit").asset == "BTC"
    with pytest.raises(ConfigError, match=f"ledger id {name}"):
        demand_row(rows, name)


def posted(name: str, asset: str, quantity: str, price: str | None = None) -> Adjustment:
    """An adjustment of the account, at noon."""
    return Adjustment(
        adjustment_id=name,
        asset=asset,
        quantity=d(quantity),
        author="tester",
        reason="a test",
        adjusted_at=NOON,
        unit_price=None if price is None else d(price),
    )


def test_an_adjustment_without_a_price_waits_for_one_whichever_way_it_goes() -> None:
    """One with a price does not, and one of the report's own money has no lots."""
    adjustments = (
        posted("A-in", "BTC", "0.5"),
        posted("A-out", "BTC", "-0.1"),
        posted("A-sold", "BTC", "-0.1", "70000"),
        posted("A-cash", "USD", "5"),
    )
    rows = what_came_in(Records(adjustments=adjustments), MARKS, "USD")

    assert [(each.ledger_id, each.quantity) for each in rows] == [
        ("A-in", d("0.5")),
        ("A-out", d("-0.1")),
        ("A-sold", d("-0.1")),
    ]
    assert [each.ledger_id for each in pending(rows)] == ["A-in", "A-out"]
    priced = replace(BASIS, ledger_id="A-out")
    rows = what_came_in(Records(adjustments=adjustments, costs=(priced,)), MARKS, "USD")
    assert [each.ledger_id for each in pending(rows)] == ["A-in"]
