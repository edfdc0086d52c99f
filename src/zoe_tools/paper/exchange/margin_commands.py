"""Margin at the exchange: who may, what is open, how an account stands."""

from __future__ import annotations

from zoe_tools.paper.engine.valuation import standing_of
from zoe_tools.paper.exchange.commands import Commands
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.values.margin import Standing
from zoe_tools.paper.values.positions import Position


class MarginCommands(Commands):
    """Leave to trade on margin, and what came of it."""

    _state: StateFile | None

    def allow_margin(self, account_id: str, *, has_margin: bool) -> None:
        """Let an account open positions, or no more; what is open stays."""
        now = self._catch_up()
        account = self._floor.account(account_id)
        _, events = self._engine.step(
            lambda turn: turn.allow_margin(account, has_margin=has_margin), now
        )
        self._tell(events)

    def has_margin(self, account_id: str) -> bool:
        """Whether the account may open positions."""
        return self._floor.account(account_id).has_margin

    def positions(self, account_id: str) -> tuple[Position, ...]:
        """The open positions, oldest first."""
        self._catch_up()
        return tuple(self._floor.account(account_id).positions.open.values())

    def position(self, account_id: str, position_id: str) -> Position | None:
        """One position of the account, open or closed."""
        self._catch_up()
        shelf = self._floor.account(account_id).positions
        known = shelf.open.get(position_id) or shelf.closed.get(position_id)
        if known is not None or self._state is None:
            return known
        filed = self._state.position(position_id)
        return filed if filed is not None and filed.account_id == account_id else None

    def standing(self, account_id: str, asset: str) -> Standing:
        """How the account stands, in this asset (v2 name)."""
        self._catch_up()
        account = self._floor.account(account_id)
        return standing_of(self._floor, account, asset, has_orders=True)
