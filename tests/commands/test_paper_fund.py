"""`zoe paper fund` against a running exchange: look, dry run, move; and its refusals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from program import Home, result_of
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.wallet import MAIN
from zoe_tools.kraken.spot import KrakenSpot


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose exchange runs."""
    made = Home(folder=tmp_path_factory.mktemp("funds"))
    try:
        made.serve()
        yield made
    finally:
        made.stop_exchange()


def owned(home: Home) -> dict[str, Decimal]:
    """What the home's own account has, as the command shows it."""
    (account, *_) = result_of(home.here("--json", "paper", "fund"))["accounts"]
    return {row["asset"]: Decimal(row["balance"]) for row in account["balances"]}


def rows_at_the_venue(home: Home) -> list[tuple[str, str, Decimal]]:
    """(kind, asset and wallet, amount) of the ledger, as zoe reads it over REST; sorted."""

    async def read(venue: KrakenSpot) -> Sequence[LedgerEntry]:
        return await venue.ledger()

    return sorted(
        (row.kind, row.asset if row.wallet == MAIN else f"{row.asset}, {row.wallet}", row.amount)
        for row in home.at_the_venue(read)
    )


def test_a_dry_run_says_what_would_be_and_changes_nothing(home: Home) -> None:
    """Exit 3, and the line that does it."""
    before = owned(home)
    ran = home.here("paper", "fund", "USD", "5000", "--fee", "1")

    assert ran.code == 3
    assert f"USD: {before['USD']} -> {before['USD'] + 4999}" in ran.out
    assert ran.out.endswith(
        "DRY RUN: nothing was changed.\n"
        "To carry it out: zoe paper fund USD 5000 --fee 1 --execute\n"
    )
    assert owned(home) == before


def test_small_letters_are_good_enough_for_the_operator(home: Home) -> None:
    """Of the asset, in any of its spellings."""
    ran = home.here("paper", "fund", "xbt", "1")

    assert ran.code == 3
    assert "  - BTC: " in ran.out


def test_money_comes_and_goes_and_the_venue_tells_it(home: Home) -> None:
    """A deposit with its fee, a withdrawal, a move that earns and a move back."""
    before, known = owned(home), rows_at_the_venue(home)
    for words in (
        ("BTC", "0.5", "--fee", "0.001"),
        ("XBT", "0.2", "--withdraw"),
        ("BTC", "0.1", "--to", "f"),
        ("BTC", "0.04", "--from", ".F"),
    ):
        ran = home.here("--json", "paper", "fund", *words, "--execute")
        assert result_of(ran)["is_executed"] is True

    after = owned(home)
    assert after["BTC"] - before.get("BTC", Decimal(0)) == Decimal("0.239")
    assert after["BTC.F"] == Decimal("0.06")
    assert [row for row in rows_at_the_venue(home) if row not in known] == [
        ("deposit", "BTC", Decimal("0.5")),
        ("transfer", "BTC", Decimal("-0.1")),
        ("transfer", "BTC", Decimal("0.04")),
        ("transfer", "BTC, earn / flexible", Decimal("-0.04")),
        ("transfer", "BTC, earn / flexible", Decimal("0.1")),
        ("withdrawal", "BTC", Decimal("-0.2")),
    ]


def test_money_can_take_its_time(home: Home) -> None:
    """It is on its way and not yet owned."""
    before = owned(home)
    ran = home.here("paper", "fund", "ETH", "7", "--after", "3600", "--execute")
    (account, *_) = result_of(home.here("--json", "paper", "fund"))["accounts"]

    assert ran.code == 0
    (moving,) = account["moving"]
    assert (moving["asset"], moving["status"]) == ("ETH", "Pending")
    assert owned(home) == before


def test_money_goes_to_another_account_and_stays_when_the_exchange_has_rested(
    tmp_path: Path,
) -> None:
    """The command starts an exchange that rests; what it did is there after the next start."""
    home = Home(folder=tmp_path)
    try:
        made = home.zoe("paper", "key", "other", "--owner", "second", "--new-account")
        assert made.code == 0, made.err
        paid = home.here("paper", "fund", "BTC", "2", "--owner", "second", "--execute")
        assert paid.code == 0, paid.err
        home.stop_exchange()
        accounts = result_of(home.zoe("--json", "paper", "fund"))["accounts"]
    finally:
        home.stop_exchange()

    owned = {"asset": "BTC", "balance": "2.0000000000", "held": "0.0000000000"}
    assert [one["name"] for one in accounts] == ["paper", "second"]
    assert accounts[1]["balances"] == [owned]
    assert all(row["asset"] != "BTC" for row in accounts[0]["balances"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("USD",), "How much USD?"),
        (("--withdraw",), "What, and how much"),
        (("USD", "many"), "no number"),
        (("USD", "0"), "EFunding:Invalid amount"),
        (("USD", "0.00001"), "EFunding:Invalid amount"),
        (("NOPE", "1"), "EQuery:Unknown asset"),
        (("USD", "1000000000", "--withdraw"), "EFunding:Insufficient funds"),
        (("USD", "1", "--to", "Q"), "no wallet 'Q'"),
        (("USD", "1", "--to", "F", "--withdraw"), "exclude each other"),
        (("USD", "1", "--to", "F", "--fee", "1"), "--fee"),
        (("USD", "1", "--withdraw", "--after", "5"), "--after"),
        (("USD", "1", "--owner", "nobody"), "no account 'nobody'"),
    ],
)
def test_nonsense_is_refused_and_nothing_moves(
    home: Home, words: tuple[str, ...], told: str
) -> None:
    """Exit 2, in a dry run as when it is meant."""
    before = owned(home)
    for more in ((), ("--execute",)):
        ran = home.here("paper", "fund", *words, *more)
        assert (ran.code, told in ran.err) == (2, True)

    assert owned(home) == before
