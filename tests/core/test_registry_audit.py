"""The audit works on raw rows, can fail, and its repairs leave nothing to find."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.core.registry_audit import audit_registry, repairs_for
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.position import PositionStatus, RawPosition

ROW = RawPosition(
    position_id=PositionId("P1"),
    symbol="BTC/USD",
    status="open",
    quantity="0.4",
    entry_quantity="0.5",
    exit_quantity="0.1",
    is_closed=False,
    updated_at="2026-01-05T12:00:00",
)


def row(number: int = 2, **changes: Any) -> RawPosition:
    """Another row."""
    return replace(ROW, position_id=PositionId(f"P{number}"), **changes)


SPELLINGS = {"XBT/USD": "BTC/USD", "BTC-USD": "BTC/USD"}


def key_of(symbol: str) -> str:
    """The canonical name."""
    return SPELLINGS.get(symbol, symbol)


FINDINGS: tuple[tuple[tuple[RawPosition, ...], tuple[str, ...]], ...] = (
    ((), ()),
    ((ROW,), ()),
    ((ROW, row(symbol="ETH/USD")), ()),
    ((ROW, row(status="closed", quantity="0", exit_quantity="0.5", is_closed=True)), ()),
    ((ROW, row(status="cancelled", is_closed=True, quantity="0", exit_quantity="0.5")), ()),
    ((row(entry_quantity=None, exit_quantity=None),), ()),
    ((row(status="error", quantity="x"),), ()),
    ((ROW, row(symbol="XBT/USD")), ("duplicate_active_symbol_key:BTC/USD:2",)),
    (
        (ROW, row(), row(3, status="pending", quantity="0", entry_quantity="0", exit_quantity="0")),
        ("duplicate_active_symbol_key:BTC/USD:3",),
    ),
    (
        (row(status="protected", is_closed=True),),
        ("non_terminal_in_closed_history:P2:BTC/USD:protected",),
    ),
    (
        (row(quantity="-0.1", exit_quantity="0.6"),),
        ("remaining_qty_violation:P2:BTC/USD:NEGATIVE:entry 0.5, exit 0.6, remaining -0.1",),
    ),
    (
        (row(quantity="5"),),
        (
            (
                "remaining_qty_violation:P2:BTC/USD:UNEQUAL:"
                "entry 0.5, exit 0.1, remaining 0.4, quantity 5"
            ),
        ),
    ),
    (
        (row(entry_quantity="much"),),
        ("remaining_qty_violation:P2:BTC/USD:UNREADABLE:quantity 0.4, entry much, exit 0.1",),
    ),
    (
        (row(status="closed", is_closed=True),),
        (
            (
                "remaining_qty_violation:P2:BTC/USD:CLOSED_WITH_REMAINDER:"
                "entry 0.5, exit 0.1, remaining 0.4"
            ),
        ),
    ),
)


@pytest.mark.parametrize(("rows", "expected"), FINDINGS)
def test_each_contradiction_has_the_runbook_s_string(
    rows: tuple[RawPosition, ...], expected: tuple[str, ...]
) -> None:
    """And the counts add up to as many."""
    report = audit_registry(rows, phase="runtime", key_of=key_of)

    assert report.violations == expected
    assert report.violations_total == len(expected)
    assert report.active_positions + report.closed_positions == len(rows)
    assert report.violations_total == (
        report.duplicate_active_symbol_keys
        + report.non_terminal_in_closed_history
        + report.remaining_qty_violations
    )


def test_the_report_has_exactly_the_runbook_s_fields() -> None:
    """By their names."""
    assert set(audit_registry((ROW,), phase="startup").told()) == {
        "phase",
        "active_positions",
        "closed_positions",
        "duplicate_active_symbol_keys",
        "non_terminal_in_closed_history",
        "remaining_qty_violations",
        "violations",
        "violations_total",
    }


@pytest.mark.parametrize(
    ("rows", "kept", "reason"),
    [
        ((ROW, row(entry_quantity="0.7", quantity="0.6")), "P2", "larger_entry"),
        ((row(updated_at="2026-01-05T11:00:00"), ROW), "P1", "newer_update"),
        ((ROW, row()), "P2", "same_in_all"),
    ],
)
def test_of_two_in_an_instrument_one_stays(
    rows: tuple[RawPosition, ...], kept: str, reason: str
) -> None:
    """The larger entry, then the newer; and the event has the runbook's fields."""
    (repair,) = repairs_for(rows)
    told = dict(repair.details)

    assert (repair.event, repair.status) == (
        "RECOVERY_MERGE_COLLISION",
        PositionStatus.ORPHANED,
    )
    assert (told["kept_id"], told["reason"], told["symbol_key"]) == (kept, reason, "BTC/USD")
    assert told["dropped_id"] == repair.position_id != kept


def test_a_corrupted_row_is_told_with_its_own_words() -> None:
    """Symbol, entry, exit, remaining: nothing it said is lost."""
    (repair,) = repairs_for((row(quantity="-0.1", exit_quantity="0.6"),))

    assert (repair.event, repair.status) == ("CORRUPTED_POSITION", PositionStatus.ERROR)
    assert dict(repair.details) == {
        "position_id": "P2",
        "symbol": "BTC/USD",
        "entry": "0.5",
        "exit": "0.6",
        "remaining": "-0.1",
        "quantity": "-0.1",
        "state": "open",
    }


def test_what_is_unequal_is_left_to_people() -> None:
    """Which of the two figures is true the rows do not tell: it stays a finding."""
    rows = (row(quantity="5"),)

    assert repairs_for(rows) == ()
    assert audit_registry(rows, phase="startup").violations_total == 1


def repaired(rows: tuple[RawPosition, ...]) -> tuple[RawPosition, ...]:
    """The rows as the repairs leave them."""
    by_id = {each.position_id: each for each in repairs_for(rows)}
    return tuple(_repaired(each, by_id.get(each.position_id)) for each in rows)


def _repaired(each: RawPosition, repair: Any) -> RawPosition:
    if repair is None:
        return each
    return replace(each, status=repair.status.value, is_closed=not repair.is_unclosed)


QUANTITIES = st.sampled_from(["0", "0.1", "0.5", "-1", "x", "NaN"])
RAW = st.builds(
    RawPosition,
    position_id=st.just(PositionId("P")),
    symbol=st.sampled_from(["BTC/USD", "XBT/USD", "ETH/USD"]),
    status=st.sampled_from([*(each.value for each in PositionStatus), "held"]),
    quantity=QUANTITIES,
    entry_quantity=st.one_of(st.none(), QUANTITIES),
    exit_quantity=st.one_of(st.none(), QUANTITIES),
    is_closed=st.booleans(),
    updated_at=st.sampled_from(["", "2026-01-05"]),
)


@given(st.lists(RAW, max_size=6))
def test_repairs_bring_a_registry_to_rest(rows: list[RawPosition]) -> None:
    """Whatever is stored: afterwards nothing is planned again, and no instrument has two."""
    named = tuple(replace(each, position_id=PositionId(f"P{i}")) for i, each in enumerate(rows))
    after = repaired(named)

    assert [each for each in repairs_for(after, key_of=key_of) if each.event[0] == "C"] == []
    report = audit_registry(repaired(repaired(after)), phase="startup")
    assert report.duplicate_active_symbol_keys == 0
    assert report.non_terminal_in_closed_history == 0
