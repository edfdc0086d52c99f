"""The journal: each line balances by its shape, and all of them come to the balances."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import d, make_ledger_entry
from zoe_tools.core.ledger_journal import JournalSums, postings_of
from zoe_tools.core.ledger_kinds import BY_SUBTYPE, BY_TYPE
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.wallet import MAIN

SPOT = f"wallet:{MAIN}"
AMOUNTS = st.decimals(-1000, 1000, places=8, allow_nan=False)
KINDS = (
    *((kind, "") for kind in BY_TYPE),
    *BY_SUBTYPE,
    ("lottery", ""),
    ("none", ""),
    ("earn", ""),
)


def test_a_leg_of_a_trade_and_its_fee_are_two_lines() -> None:
    """Into `conversion`, where the other leg comes from; and to the fees."""
    lines = postings_of(make_ledger_entry(amount=d("-100"), fee=d("0.26")))

    assert [tuple(each) for each in lines] == [
        ("USD", d("100"), SPOT, "conversion"),
        ("USD", d("0.26"), SPOT, "fees"),
    ]


@pytest.mark.parametrize(
    ("kind", "amount", "fee", "expected"),
    [
        ("deposit", "5", "0", ["5 USD external > spot"]),
        ("withdrawal", "-5", "1", ["5 USD spot > external", "1 USD spot > fees"]),
        ("rollover", "0", "0.02", ["0.02 USD spot > fees"]),
        ("margin", "-3", "0", ["3 USD spot > realised_pnl"]),
        ("staking", "2", "0", ["2 USD rewards > spot"]),
        ("trade", "1", "-0.1", ["1 USD conversion > spot", "0.1 USD fees > spot"]),
        ("trade", "1", "2 KFEE", ["1 USD conversion > spot", "2 KFEE spot > fees"]),
        ("lottery", "1", "0", ["1 USD unclassified > spot"]),
        ("trade", "0", "0", []),
        ("transfer spottofutures", "-5", "0", ["5 USD spot > wallet:futures / main"]),
        ("earn allocation", "-5", "0", ["5 USD spot > transit"]),
    ],
)
def test_what_a_row_posts(kind: str, amount: str, fee: str, expected: list[str]) -> None:
    """A fee below zero is a rebate; a fee in a third asset is that asset's."""
    name, _, subtype = kind.partition(" ")
    charged, _, fee_asset = fee.partition(" ")
    entry = make_ledger_entry(
        kind=name, subtype=subtype, amount=d(amount), fee=d(charged), fee_asset=fee_asset
    )

    assert expected == [
        f"{line.amount} {line.asset} {line.from_account} > {line.to_account}".replace(SPOT, "spot")
        for line in postings_of(entry)
    ]


@given(
    rows=st.lists(
        st.tuples(st.sampled_from(KINDS), AMOUNTS, AMOUNTS, st.sampled_from(("", "EUR")))
    ),
    balance=AMOUNTS,
)
def test_every_journal_balances_and_comes_to_the_ledgers_changes(
    rows: list[tuple[tuple[str, str], Decimal, Decimal, str]], balance: Decimal
) -> None:
    """Whatever the types, signs and assets: nothing is dropped, nothing is made."""
    sums, changes = JournalSums(), {"USD": ZERO, "EUR": ZERO}
    for (kind, subtype), amount, fee, fee_asset in rows:
        entry = make_ledger_entry(
            kind=kind, subtype=subtype, amount=amount, fee=fee, fee_asset=fee_asset, balance=balance
        )
        lines = postings_of(entry)
        assert all(line.amount > ZERO and line.from_account != line.to_account for line in lines)
        sums.add(lines)
        changes["USD"] += entry.change
        changes["EUR"] -= fee if fee_asset else ZERO

    for asset, change in changes.items():
        held = {key[1]: value for key, value in sums.held.items() if key[0] == asset}
        assert sum(held.values(), ZERO) == ZERO
        assert held.get(SPOT, ZERO) == change
