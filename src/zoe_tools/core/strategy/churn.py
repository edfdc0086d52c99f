"""What keeps `edge` from trading too often or too much: rules on the account, not on the market."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.core.strategy.edge_rules import EdgeRules
from zoe_tools.core.strategy.protocol import AccountView, ClosedTrade
from zoe_tools.domain.money import ZERO

LOSSES_COUNT_FOR = timedelta(hours=24)
"""A row of losses is forgotten a day after its last one: else none could ever end it."""


def consecutive_losses(closed: Sequence[ClosedTrade], now: datetime) -> int:
    """How many of the latest trades in a row lost; none if the last of them is a day ago."""
    if not closed or now - closed[-1].closed_at > LOSSES_COUNT_FOR:
        return 0
    count = 0
    for trade in reversed(closed):
        if trade.result >= ZERO:
            break
        count += 1
    return count


def churn_refusal(account: AccountView, now: datetime, rules: EdgeRules) -> str:
    """Why the account should not trade this instrument now; empty where nothing speaks against it.

    Without a known equity nothing can be weighed, and nothing is entered.
    """
    return next(_refusals(account, now, rules), "")


def _refusals(account: AccountView, now: datetime, rules: EdgeRules) -> Iterator[str]:
    equity = account.equity
    if equity is None or equity <= ZERO:
        yield "the account's equity is not known"
        return
    if account.open_notional >= equity * Decimal(str(rules.heat_max)):
        yield f"{account.open_notional / equity:.0%} of the equity is at risk already"
    losses = consecutive_losses(account.closed, now)
    if losses >= rules.losses_max:
        yield f"the last {losses} trades lost"
    last, rest = account.last_fill_at, timedelta(hours=rules.cooldown_h)
    if last is not None and now - last < rest:
        yield f"it was traded at {last:%H:%M}, and rests for {rules.cooldown_h:g} hours"
    if account.daily_notional >= equity * Decimal(str(rules.turnover_cap)):
        yield f"the day's entries come to {account.daily_notional / equity:.1f} times the equity"
