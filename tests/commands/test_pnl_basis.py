"""`zoe pnl basis` over books in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import NOON, d, make_fill
from command_line import LIVE_KEYS, migrated, zoe
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.pnl_basis import Declaration, _pnl_basis
from zoe_tools.core.ledger_journal import booked as booked_lines
from zoe_tools.domain.discrepancy import Adjustment
from zoe_tools.domain.identifiers import LedgerId, PositionId
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.order import Side
from zoe_tools.errors import ConfigError

DEPOSIT = LedgerEntry(
    ledger_id=LedgerId("L1"),
    refid="R1",
    booked_at=NOON - timedelta(hours=2),
    kind="deposit",
    subtype="",
    asset="BTC",
    amount=d("2"),
    fee=d("0"),
    balance=d("2"),
)
SALE = make_fill(side=Side.SELL, quantity=d("1"), price=d("120"), fee=d("0.5"), filled_at=NOON)
TOLD = Declaration(ledger_id="L1", unit_cost=d("50"), reason="bought elsewhere")


async def booked(desk: Desk) -> None:
    """A deposit of two, of which one was sold."""

    def work(transaction: Any) -> None:
        transaction.ledger_book.record(booked_lines([DEPOSIT]), source="test/1", at=NOON)
        transaction.record_fill(SALE)

    await desk.read(work)


async def ran(
    desk: Desk, told: Declaration, code: int, *, execute: bool = False, json_too: bool = False
) -> str:
    """Run the command; what it printed."""
    context, invocation, out = command_io(desk, "pnl basis", json=json_too)
    assert await _pnl_basis(context, invocation, told, execute=execute) == code
    return out.getvalue()


def test_what_has_no_cost_is_listed(tmp_path: Path) -> None:
    """Exit 3 while there is any; 0 on an account where nothing came in."""

    async def story(desk: Desk) -> None:
        assert "0 without a cost, of 0" in await ran(desk, Declaration(), 0)
        await booked(desk)
        text = await ran(desk, Declaration(), 3)

        assert "1 without a cost, of 1 that came in" in text
        assert "pending" in text
        assert "L1" in text

    at_the_desk(tmp_path, story)


def test_a_dry_run_shows_the_effect_and_writes_nothing(tmp_path: Path) -> None:
    """What was pending would be a result of 120 - 0.5 - 50."""

    async def story(desk: Desk) -> None:
        await booked(desk)
        before = await desk.read(lambda tx: tx.business_fingerprint())
        text = await ran(desk, TOLD, 3)

        assert "+0.00 -> +69.50" in text
        assert "pending -> 50 USD" in text
        assert "zoe pnl basis L1 50 --reason 'bought elsewhere' --execute" in text
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before

    at_the_desk(tmp_path, story)


def test_a_cost_is_written_once_and_is_in_the_audit_log(tmp_path: Path) -> None:
    """Who said it, and why; a second time there is nothing to do."""

    async def story(desk: Desk) -> None:
        await booked(desk)
        assert "Written" in await ran(desk, TOLD, 0, execute=True)
        assert "Nothing to do" in await ran(desk, TOLD, 0, execute=True)
        (basis,) = await desk.read(lambda tx: tx.declared_costs())
        assert (basis.declared_by, basis.reason) == ("tester", "bought elsewhere")
        assert (basis.quantity, basis.unit_cost) == (d("2"), d("50"))
        rows = await desk.read(lambda tx: tuple(tx.audit.rows(["L1"])))

        assert [each.kind for each in rows] == ["statement", "action"]
        assert '"price":"50"' in rows[0].payload
        assert '"unit_cost":"50"' in rows[1].payload

    at_the_desk(tmp_path, story)


def test_a_later_word_replaces_the_one_before_and_both_stay(tmp_path: Path) -> None:
    """The books only grow."""

    async def story(desk: Desk) -> None:
        await booked(desk)
        await ran(desk, TOLD, 0, execute=True)
        better = Declaration(ledger_id="L1", unit_cost=d("0"))
        answer = json.loads(await ran(desk, better, 0, execute=True, json_too=True))["result"]

        assert d(answer["effect"]["realised_before"]) == d("69.5")
        assert d(answer["effect"]["realised_after"]) == d("119.5")
        assert len(await desk.read(lambda tx: tx.declared_costs())) == 2

    at_the_desk(tmp_path, story)


def test_a_currency_goes_by_any_of_its_names(tmp_path: Path) -> None:
    """The books have the canonical one alone."""

    async def story(desk: Desk) -> None:
        await booked(desk)
        await ran(
            desk, Declaration(ledger_id="L1", unit_cost=d("5"), currency="zusd"), 0, execute=True
        )
        (declared,) = await desk.read(lambda books: books.declared_costs())
        assert declared.currency == "USD"

    at_the_desk(tmp_path, story)


def test_a_cost_in_a_currency_without_a_price_is_refused(tmp_path: Path) -> None:
    """It could not be reckoned with."""

    async def story(desk: Desk) -> None:
        await booked(desk)
        with pytest.raises(ConfigError, match="no price of XYZ"):
            await ran(desk, Declaration(ledger_id="L1", unit_cost=d("5"), currency="XYZ"), 2)

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--execute", "Say of which deposit"),
        ("L1", "is no cost of a unit"),
        ("L1 dear", "is no cost of a unit"),
        ("L1 nan", "is no cost of a unit"),
        ("L1 1E400", "is no cost of a unit"),
        ("L1 1E40 --execute", "is no cost of a unit"),
        ("L1 -- -5", "nothing costs less than nothing"),
        ("L9 5", "ledger id L9"),
    ],
)
def test_what_says_nothing_is_refused(tmp_path: Path, words: str, sentence: str) -> None:
    """Exit 2."""
    answer = zoe(f"pnl basis {words}", LIVE_KEYS, home=migrated(tmp_path / "home"))

    assert answer.code == 2
    assert sentence in answer.out + answer.err


def test_an_adjustment_of_the_account_is_priced_by_its_own_id(tmp_path: Path) -> None:
    """One of a position is that position's business, and not listed."""

    async def story(desk: Desk) -> None:
        await booked(desk)
        posted = Adjustment(
            adjustment_id="A-1",
            asset="BTC",
            quantity=d("-0.5"),
            author="tester",
            reason="gone",
            adjusted_at=NOON,
        )
        other = replace(posted, adjustment_id="A-2", position_id=PositionId("P-1"))

        def post(transaction: Any) -> None:
            assert transaction.reconciliation.post(posted)
            assert transaction.reconciliation.post(other)

        await desk.read(post)
        text = await ran(desk, Declaration(), 3)
        assert "A-1" in text
        assert "A-2" not in text
        await ran(desk, TOLD, 0, execute=True)
        lost = Declaration(ledger_id="A-1", unit_cost=d("0"), reason="stolen")
        assert "+69.50 -> +44.50" in await ran(desk, lost, 0, execute=True)
        assert "0 without a cost, of 2" in await ran(desk, Declaration(), 0)

    at_the_desk(tmp_path, story)
