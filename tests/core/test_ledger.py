"""The proof of balance: chains, journal and venue, per asset at its own precision."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from builders import d, make_ledger_entry
from zoe_tools.core.ledger import ProofState, prove
from zoe_tools.core.ledger_chain import ChainEnd, Chains, chain_row
from zoe_tools.core.ledger_journal import JournalSums, postings_of
from zoe_tools.domain.instrument import Asset, InstrumentCatalogue
from zoe_tools.domain.ledger import AccountSums, Balance, LedgerEntry

CATALOGUE = InstrumentCatalogue(
    (),
    (
        Asset(name="USD", venue_id="ZUSD", altname="USD", decimals=4, display_decimals=2),
        Asset(name="BTC", venue_id="XXBT", altname="XBT", decimals=10, display_decimals=5),
    ),
)
EARNING = make_ledger_entry(
    asset="BTC", wallet="earn / flexible", kind="deposit", amount=d("2"), fee=d("0"), balance=d("2")
)
SPOT = make_ledger_entry(asset="BTC", kind="deposit", amount=d("1"), fee=d("0"), balance=d("1"))
CASH = make_ledger_entry(kind="deposit", amount=d("100"), fee=d("0"), balance=d("100"))


def looked_at(entries: Iterable[LedgerEntry]) -> tuple[tuple[ChainEnd, ...], AccountSums]:
    """Chains and journal of these rows."""
    chains, sums = Chains(), JournalSums()
    for entry in entries:
        chains.add(chain_row(entry))
        sums.add(postings_of(entry))
    return chains.ends(), sums.held


def held(asset: str, total: str, hold: str = "0") -> Balance:
    """What the venue says."""
    return Balance(asset=asset, total=d(total), hold=d(hold))


@pytest.mark.parametrize(
    ("balances", "expected"),
    [
        ((held("BTC", "1"), held("BTC.F", "2")), (ProofState.PROVED, "0")),
        ((held("BTC", "1"), held("BTC.F", "2.00000000001")), (ProofState.PROVED, "0")),
        ((held("BTC", "1"), held("BTC.F", "2.0000000001")), (ProofState.DIFFERS, "0.0000000001")),
        ((held("BTC", "1"),), (ProofState.DIFFERS, "-2")),
        ((), (ProofState.DIFFERS, "-3")),
    ],
)
def test_an_asset_is_proved_over_all_its_wallets_at_its_precision(
    balances: tuple[Balance, ...], expected: tuple[ProofState, str]
) -> None:
    """Ten decimals of bitcoin: the eleventh is no difference."""
    ends, journal = looked_at((EARNING, SPOT))
    (proof,) = prove(ends, journal, balances, CATALOGUE)

    assert (proof.state, proof.difference) == (expected[0], d(expected[1]))
    assert (proof.closing, proof.rows) == (d("3"), 2)


def test_what_is_held_in_orders_is_told_beside_the_balance() -> None:
    """A hold moves nothing: it is part of what is owned."""
    ends, journal = looked_at((CASH,))
    (proof,) = prove(ends, journal, (held("USD", "100", "40"),), CATALOGUE)

    assert (proof.state, proof.hold, proof.difference) == (ProofState.PROVED, d("40"), d("0"))


def test_an_asset_without_rows_that_the_venue_holds_differs() -> None:
    """All of it is unexplained; one of which nothing is held says nothing."""
    proofs = prove((), {}, (held("USD", "5"), held("BTC", "0")), CATALOGUE)

    assert [(each.asset, each.state, each.difference) for each in proofs] == [
        ("USD", ProofState.DIFFERS, d("5"))
    ]


def test_a_journal_that_comes_to_something_else_is_told() -> None:
    """It was made of the same rows, and must hold what they moved."""
    ends, journal = looked_at((CASH,))
    (proof,) = prove(
        ends, {**journal, ("USD", "wallet:spot / main"): d("99")}, (held("USD", "100"),)
    )

    assert proof.state is ProofState.JOURNAL_DIFFERS


def test_a_ledger_that_begins_in_the_middle_is_proved_from_there() -> None:
    """What was there before its first row is told as the opening."""
    late = make_ledger_entry(amount=d("-5"), fee=d("0"), balance=d("95"))
    ends, journal = looked_at((late,))
    (proof,) = prove(ends, journal, (held("USD", "95"),), CATALOGUE)

    assert (proof.state, proof.opening, proof.closing) == (ProofState.PROVED, d("100"), d("95"))


def test_without_the_venue_the_rows_are_only_chained() -> None:
    """No difference is told where nothing was compared."""
    ends, journal = looked_at((CASH,))
    (proof,) = prove(ends, journal)

    assert (proof.state, proof.venue, proof.difference) == (ProofState.NOT_COMPARED, None, None)
    assert proof.is_sound


def test_a_broken_chain_comes_before_everything_else() -> None:
    """The venue may agree all the same: the history does not."""
    late = make_ledger_entry(ledger_id="L2", amount=d("-5"), fee=d("0"), balance=d("90"))
    chains = Chains()
    chains.add(chain_row(CASH))
    chains.add(chain_row(late)._replace(second="2099-01-01T00:00:00", place=7))
    (proof,) = prove(chains.ends(), None, (held("USD", "90"),), CATALOGUE)

    assert proof.state is ProofState.BROKEN
    assert proof.broken is not None
    assert (proof.broken.ledger_id, proof.broken.place) == ("L2", 7)
    assert not proof.is_sound
