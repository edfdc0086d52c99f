"""A trades export is evidence: amounts, costs and fees as the ledger has them, to a unit."""

from __future__ import annotations

from dataclasses import replace

import pytest

import kraken_answers as kraken
from builders import d, make_ledger_entry
from zoe_tools.core.ledger_trades import disagreement
from zoe_tools.domain.identifiers import LedgerId
from zoe_tools.domain.ledger import ExportedTrade, LedgerEntry
from zoe_tools.domain.order import Side

TRADE = ExportedTrade(
    trade_id="T1",
    base="BTC",
    quote="USD",
    side=Side.BUY,
    quantity=d("0.001"),
    cost=d("100.00004"),
    fee=d("0.26004"),
    is_on_margin=False,
    ledger_ids=("L1", "L2"),
)
QUOTE = make_ledger_entry(ledger_id=LedgerId("L1"))
BASE = make_ledger_entry(ledger_id=LedgerId("L2"), asset="BTC", amount=d("0.001"), fee=d("0"))


def told(trade: ExportedTrade, *rows: LedgerEntry) -> str:
    """What these rows tell otherwise."""
    return disagreement(trade, {row.ledger_id: row for row in rows}, kraken.catalogue())


def test_a_trade_agrees_to_a_unit_of_each_asset() -> None:
    """It has five decimals of dollars, the ledger four."""
    assert told(TRADE, QUOTE, BASE) == ""


@pytest.mark.parametrize(
    ("trade", "says"),
    [
        (replace(TRADE, ledger_ids=("L1", "L9")), "row L9 is not in the ledger"),
        (replace(TRADE, fee=d("0.3")), "its fee is 0.3, the ledger's 0.26"),
        (replace(TRADE, quantity=d("0.002")), "it moved 0.002 BTC, the ledger 0.001"),
        (replace(TRADE, cost=d("101")), "it moved -101 USD, the ledger -100"),
        (replace(TRADE, side=Side.SELL), "it moved -0.001 BTC, the ledger 0.001"),
        (replace(TRADE, ledger_ids=("L1",)), "it moved 0.001 BTC, the ledger 0"),
    ],
)
def test_what_the_ledger_tells_otherwise_is_named(trade: ExportedTrade, says: str) -> None:
    """One sentence, of the first thing that differs."""
    assert says in told(trade, QUOTE, BASE)


def test_on_margin_the_fee_alone_is_compared() -> None:
    """Nothing was delivered; a rollover is no fee of the trade."""
    trade = replace(TRADE, is_on_margin=True, ledger_ids=("L1", "L3"))
    opened = replace(QUOTE, kind="margin", amount=d("0"))
    rolled = replace(QUOTE, ledger_id=LedgerId("L3"), kind="rollover", amount=d("0"), fee=d("5"))

    assert told(trade, opened, rolled) == ""
    assert "its fee is 1" in told(replace(trade, fee=d("1")), opened, rolled)


def test_of_an_instrument_that_nobody_knows_the_fee_alone_is_compared() -> None:
    """What it traded cannot be named."""
    assert told(replace(TRADE, base="", quote="", quantity=d("7")), QUOTE, BASE) == ""
