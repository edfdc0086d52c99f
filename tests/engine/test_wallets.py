"""What the balances stream tells of an account's wallets."""

from __future__ import annotations

from builders import d
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.stream import BalancesSnapshot
from zoe_tools.domain.wallet import MAIN
from zoe_tools.engine.wallets import StreamedWallets


def test_what_is_staked_is_worth_something_and_cannot_be_traded() -> None:
    """The wallet that trades alone for orders, all of them for the account's worth."""
    wallets = StreamedWallets()
    wallets.heed(
        BalancesSnapshot(
            holdings=(("DOT", "earn", d("12")), ("DOT", MAIN, d("3")), ("USD", MAIN, d("1000")))
        )
    )
    assert wallets.is_known
    assert wallets.trading() == (
        Balance(asset="DOT", total=d("3")),
        Balance(asset="USD", total=d("1000")),
    )
    assert wallets.over_all() == (
        Balance(asset="DOT", total=d("15")),
        Balance(asset="USD", total=d("1000")),
    )


def test_a_new_snapshot_replaces_what_was_known() -> None:
    """What it does not name is gone."""
    wallets = StreamedWallets()
    wallets.heed(BalancesSnapshot(holdings=(("DOT", MAIN, d("3")),)))
    wallets.heed(BalancesSnapshot(holdings=(("USD", MAIN, d("5")),)))
    assert wallets.over_all() == (Balance(asset="USD", total=d("5")),)


def test_before_the_stream_has_spoken_nothing_is_known() -> None:
    """No balances are not the same as empty wallets."""
    assert not StreamedWallets().is_known
