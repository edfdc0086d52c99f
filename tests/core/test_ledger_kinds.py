"""What each type of ledger row means, and in which wallet its money lies."""

from __future__ import annotations

import pytest

import kraken_answers as kraken
from builders import d, make_ledger_entry
from zoe_tools.core.ledger_kinds import Book, Role, is_known, movement_of
from zoe_tools.domain.instrument import Asset, InstrumentCatalogue
from zoe_tools.domain.wallet import FUTURES, MAIN, holding_of

TYPES = (
    # type, subtype, what comes, what goes, the other side
    ("trade", "tradespot", Role.ACQUISITION, Role.DISPOSAL, Book.CONVERSION),
    ("trade", "", Role.ACQUISITION, Role.DISPOSAL, Book.CONVERSION),
    ("spend", "dustsweeping", Role.ACQUISITION, Role.DISPOSAL, Book.CONVERSION),
    ("receive", "", Role.ACQUISITION, Role.DISPOSAL, Book.CONVERSION),
    ("conversion", "", Role.ACQUISITION, Role.DISPOSAL, Book.CONVERSION),
    ("collateralconversion", "", Role.ACQUISITION, Role.DISPOSAL, Book.CONVERSION),
    ("settled", "", Role.ACQUISITION, Role.DISPOSAL, Book.CONVERSION),
    ("sale", "", Role.ACQUISITION, Role.DISPOSAL, Book.CONVERSION),
    ("nfttrade", "", Role.ACQUISITION, Role.DISPOSAL, Book.CONVERSION),
    ("deposit", "", Role.DEPOSIT, Role.WITHDRAWAL, Book.EXTERNAL),
    ("withdrawal", "", Role.DEPOSIT, Role.WITHDRAWAL, Book.EXTERNAL),
    ("credit", "", Role.DEPOSIT, Role.WITHDRAWAL, Book.EXTERNAL),
    ("custodytransfer", "", Role.DEPOSIT, Role.WITHDRAWAL, Book.EXTERNAL),
    ("transfer", "", Role.DEPOSIT, Role.WITHDRAWAL, Book.EXTERNAL),
    ("transfer", "spottofutures", Role.MOVE, Role.MOVE, f"wallet:{FUTURES}"),
    ("transfer", "spotfromfutures", Role.MOVE, Role.MOVE, f"wallet:{FUTURES}"),
    ("transfer", "spottostaking", Role.MOVE, Role.MOVE, Book.TRANSIT),
    ("transfer", "stakingfromspot", Role.MOVE, Role.MOVE, Book.TRANSIT),
    ("transfer", "stakingtospot", Role.MOVE, Role.MOVE, Book.TRANSIT),
    ("transfer", "spotfromstaking", Role.MOVE, Role.MOVE, Book.TRANSIT),
    ("earn", "allocation", Role.MOVE, Role.MOVE, Book.TRANSIT),
    ("earn", "reward", Role.INCOME, Role.INCOME, Book.REWARDS),
    ("staking", "", Role.INCOME, Role.INCOME, Book.REWARDS),
    ("reward", "", Role.INCOME, Role.INCOME, Book.REWARDS),
    ("dividend", "", Role.INCOME, Role.INCOME, Book.REWARDS),
    ("nftrebate", "", Role.INCOME, Role.INCOME, Book.REWARDS),
    ("nftcreatorfee", "", Role.FEE, Role.FEE, Book.FEES),
    ("margin", "", Role.PROFIT, Role.PROFIT, Book.REALISED_PNL),
    ("rollover", "", Role.FEE, Role.FEE, Book.FEES),
    ("adjustment", "", Role.ADJUSTMENT, Role.ADJUSTMENT, Book.ADJUSTMENT),
    ("reserve", "", Role.MOVE, Role.MOVE, Book.HOLD),
    ("lottery", "", Role.UNKNOWN, Role.UNKNOWN, Book.UNCLASSIFIED),
    ("earn", "lottery", Role.UNKNOWN, Role.UNKNOWN, Book.UNCLASSIFIED),
    ("transfer", "lottery", Role.UNKNOWN, Role.UNKNOWN, Book.UNCLASSIFIED),
)


@pytest.mark.parametrize(("kind", "subtype", "comes", "goes", "counter"), TYPES)
def test_every_type_of_row_has_its_meaning(
    kind: str, subtype: str, comes: Role, goes: Role, counter: str
) -> None:
    """By its sign; what nobody knows yet is kept, and posted against `unclassified`."""
    received = movement_of(make_ledger_entry(kind=kind, subtype=subtype, amount=d("3")))
    given = movement_of(make_ledger_entry(kind=kind, subtype=subtype, amount=d("-3")))

    assert (comes, goes) == (received.role, given.role)
    assert (counter, counter) == (received.counter, given.counter)
    assert (Role.UNKNOWN not in (comes, goes)) is is_known(kind, subtype)


@pytest.mark.parametrize("kind", ["margin", "rollover", "trade", "lottery"])
def test_a_row_of_no_amount_is_its_fee_alone(kind: str) -> None:
    """As a rollover is; without a fee it moved nothing."""
    charged = movement_of(make_ledger_entry(kind=kind, amount=d("0"), fee=d("0.02")))
    empty = movement_of(make_ledger_entry(kind=kind, amount=d("0"), fee=d("0")))

    assert (Role.FEE, d("0.02"), "USD") == (charged.role, charged.fee, charged.fee_asset)
    assert Role.NOTHING is empty.role


def test_a_fee_in_a_third_asset_is_none_of_the_rows_own_balance() -> None:
    """The row says in which asset it was paid."""
    entry = make_ledger_entry(amount=d("-100"), fee=d("7"), fee_asset="KFEE")

    assert ("KFEE", d("7")) == (movement_of(entry).fee_asset, movement_of(entry).fee)
    assert (d("-100"), d("0")) == (entry.change, entry.own_fee)


@pytest.mark.parametrize(
    ("name", "wallet", "expected"),
    [
        ("XXBT", "", ("BTC", MAIN)),
        ("ZUSD", "", ("USD", MAIN)),
        ("XBT.F", "", ("BTC", "earn / flexible")),
        ("DOT.S", "", ("DOT", "earn / locked")),
        ("DOT.P", "", ("DOT", "earn / closed")),
        ("DOT.B", MAIN, ("DOT", "earn / bonded")),
        ("XBT.M", "", ("BTC", "earn / liquid")),
        ("DOT28.S", "", ("DOT", "earn / locked 28")),
        ("DOT28.S", "earn / locked", ("DOT", "earn / locked")),
        ("USD.HOLD", "", ("USD", "spot / hold")),
        ("ETH2.S", "", ("ETH2", "earn / locked")),
        ("XBT", "earn / bonded", ("BTC", "earn / bonded")),
        ("NEW.S", "", ("NEW.S", MAIN)),
        ("NEW28.S", "", ("NEW28.S", MAIN)),
        ("XBT.Q", "", ("XBT.Q", MAIN)),
        ("AAPL.T", "", ("AAPL.T", MAIN)),
        ("NEW", "earn / locked", ("NEW", "earn / locked")),
    ],
)
def test_a_suffix_is_a_wallet_of_an_asset_that_the_venue_lists(
    name: str, wallet: str, expected: tuple[str, str]
) -> None:
    """By the venue's list of assets, not by the shape of the name: ETH2 is one of its own."""
    listed = kraken.catalogue().assets + tuple(
        Asset(name=each, venue_id=each, altname=each, decimals=8, display_decimals=5)
        for each in ("DOT", "ETH2")
    )

    assert expected == holding_of(name, InstrumentCatalogue((), listed), wallet=wallet)
