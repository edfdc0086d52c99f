"""What lies in the account's wallets, as the balances stream last told it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.stream import BalancesSnapshot, BalanceUpdate
from zoe_tools.domain.wallet import MAIN


class StreamedWallets:
    """Totals by asset and wallet; empty until the stream has told them."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, str], Decimal] = {}

    def heed(self, event: BalancesSnapshot | BalanceUpdate) -> None:
        """Take over what the stream tells."""
        match event:
            case BalancesSnapshot(holdings=holdings):
                self._totals = {(asset, wallet): total for asset, wallet, total in holdings}
            case BalanceUpdate(entry=entry):
                self._totals[entry.asset, entry.wallet] = entry.balance

    @property
    def is_known(self) -> bool:
        """Whether the stream has told anything."""
        return bool(self._totals)

    def trading(self) -> tuple[Balance, ...]:
        """What lies in the wallet that trades."""
        return tuple(
            Balance(asset=asset, total=total)
            for asset, wallet, total in self._sorted()
            if wallet == MAIN
        )

    def over_all(self) -> tuple[Balance, ...]:
        """The same over all wallets: what staked coins are worth counts too."""
        found: dict[str, Decimal] = {}
        for asset, _, total in self._sorted():
            found[asset] = found.get(asset, ZERO) + total
        return tuple(Balance(asset=asset, total=total) for asset, total in found.items())

    def _sorted(self) -> Iterator[tuple[str, str, Decimal]]:
        for (asset, wallet), total in sorted(self._totals.items()):
            yield asset, wallet, total
