"""Money in and out of the exchange's accounts, and between their wallets."""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.paper.engine import funding
from zoe_tools.paper.engine.funding import FundingOptions, Transfer
from zoe_tools.paper.engine.funding_methods import address, method_of, withdrawal_key
from zoe_tools.paper.exchange.commands import Commands
from zoe_tools.paper.values.events import LedgerEvent
from zoe_tools.paper.values.ledger import LedgerRow
from zoe_tools.paper.values.movements import Movement, MovementKind
from zoe_tools.paper.values.order import ZERO
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.views import AssetSpec

_MOST_ADDRESSES = 5


class FundingCommands(Commands):
    """Deposits, withdrawals, transfers. Assets by v2 name; every command is on disk on return."""

    funding_options: FundingOptions

    def deposit(self, account_id: str, asset: str, amount: Decimal) -> LedgerRow:
        """Fund an account at once (negative: take out); returns the ledger row."""
        events = self._engine.deposit(account_id, asset, amount, self.now())
        self._tell(events)
        return next(event.row for event in events if isinstance(event, LedgerEvent))

    def check_receipt(self, asset: str, amount: Decimal, fee: Decimal = ZERO) -> None:
        """Whether such a deposit can come.

        Raises:
            Refusal: an unknown asset or an impossible amount.
        """
        funding.check_deposit(self._floor, asset, amount, fee)

    def receive(
        self,
        account_id: str,
        asset: str,
        amount: Decimal,
        *,
        fee: Decimal = ZERO,
        takes_s: float = 0.0,
    ) -> Movement:
        """A deposit, credited after `takes_s` venue seconds.

        Raises:
            Refusal: as `check_receipt`.
        """
        now = self._catch_up()
        self.check_receipt(asset, amount, fee)
        account = self._floor.account(account_id)
        movement, events = self._engine.step(
            lambda turn: funding.deposit(turn, account, asset, amount, fee=fee, takes_s=takes_s),
            now,
        )
        self._said(events)
        return movement

    def check_payment(
        self, account_id: str, asset: str, amount: Decimal, fee: Decimal = ZERO
    ) -> None:
        """Whether so much, the fee inside, can be taken out.

        Raises:
            Refusal: an unknown asset, an impossible amount, or more than is free.
        """
        self._catch_up()
        funding.check_withdrawal(self._floor, self._floor.account(account_id), asset, amount)
        if not ZERO <= fee < amount:
            raise Refusal("EFunding:Invalid amount")

    def pay_out(
        self,
        account_id: str,
        asset: str,
        amount: Decimal,
        *,
        fee: Decimal = ZERO,
        options: FundingOptions | None = None,
    ) -> Movement:
        """A withdrawal, the fee inside the amount; at once without options.

        Raises:
            Refusal: as `check_payment`.
        """
        self.check_payment(account_id, asset, amount, fee)
        account = self._floor.account(account_id)
        movement, events = self._engine.step(
            lambda turn: funding.withdraw(turn, account, asset, amount, fee=fee, options=options),
            self.now(),
        )
        self._said(events)
        return movement

    def withdraw(
        self, account_id: str, asset: AssetSpec, key: str, amount: Decimal, max_fee: Decimal | None
    ) -> Movement:
        """What a client asks for: to a named address, at the method's fee and in its own time.

        Raises:
            Refusal: no such key, less than the method takes, a fee above `max_fee`, no funds.
        """
        method = method_of(asset)
        if key != withdrawal_key(asset):
            raise Refusal("EFunding:Unknown withdraw key")
        funding.check_amount(asset, amount, least=method.least_out)
        if max_fee is not None and method.fee > max_fee:
            raise Refusal("EFunding:Max fee exceeded")
        return self.pay_out(
            account_id, asset.name, amount, fee=method.fee, options=self.funding_options
        )

    def cancel_withdrawal(self, account_id: str, ref_id: str) -> bool:
        """Call a withdrawal back; False once it has left.

        Raises:
            Refusal: `EFunding:Unknown reference id`.
        """
        now = self._catch_up()
        account = self._floor.account(account_id)
        known = account.movements.get(ref_id)
        if known is None or known.kind != "withdrawal":
            raise Refusal("EFunding:Unknown reference id")
        is_done, events = self._engine.step(lambda turn: funding.cancel(turn, account, ref_id), now)
        self._said(events)
        return is_done

    def check_transfer(self, account_id: str, order: Transfer) -> None:
        """Whether money can change its wallet so.

        Raises:
            Refusal: an unknown asset or wallet, an impossible amount, or more than is free.
        """
        self._catch_up()
        funding.check_transfer(self._floor, self._floor.account(account_id), order)

    def transfer(self, account_id: str, order: Transfer) -> str:
        """Between wallets; returns the reference of its ledger rows.

        Raises:
            Refusal: as `check_transfer`.
        """
        self.check_transfer(account_id, order)
        account = self._floor.account(account_id)
        ref_id, events = self._engine.step(
            lambda turn: funding.transfer(turn, account, order), self.now()
        )
        self._said(events)
        return ref_id

    def movements(self, account_id: str, kind: MovementKind) -> tuple[Movement, ...]:
        """Deposits or withdrawals, oldest first."""
        self._catch_up()
        known = self._floor.account(account_id).movements.values()
        return tuple(movement for movement in known if movement.kind == kind)

    def addresses(self, account_id: str, asset: AssetSpec) -> tuple[str, ...]:
        """The account's deposit addresses for the asset, newest first; there is always one."""
        account = self._floor.account(account_id)
        counters = self._floor.mint.counters
        newest = counters.get(funding.address_counter(account, asset), 1)
        return tuple(address(account_id, asset, number) for number in range(newest, 0, -1))

    def new_address(self, account_id: str, asset: AssetSpec) -> None:
        """One more deposit address.

        Raises:
            Refusal: `EFunding:Too many addresses`.
        """
        known = len(self.addresses(account_id, asset))
        if known >= _MOST_ADDRESSES:
            raise Refusal("EFunding:Too many addresses")
        counter = funding.address_counter(self._floor.account(account_id), asset)
        self._floor.mint.counters[counter] = known + 1
        self.save()
