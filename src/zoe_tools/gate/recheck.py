"""The second look: is the plan that was shown still the plan one would make now?

Quantities, ids, sides and levels must be equal exactly. Prices that follow the market may have
moved a little; reasons and times are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.money import HUNDRED
from zoe_tools.domain.plan import Plan, Step, jsonable
from zoe_tools.errors import PlanStale

PRICE_TOLERANCE_PCT = Decimal(1)
"""How far a price may have moved between showing and doing."""

_PRICES = frozenset(
    {"limit_price", "trigger_price", "stop_price", "take_profit_price", "average_cost", "notional"}
)
_NOT_COMPARED = frozenset(
    {"reason", "evidence", "opened_at", "closed_at", "position_id", "rate_cost"}
)


def demand_unchanged(shown: Plan, fresh: Plan, *, now: datetime) -> None:
    """Pass, or list what moved.

    Raises:
        PlanStale: the plan has expired, or planning again gives other steps.
    """
    if now > shown.expires_at:
        raise PlanStale(f"The plan expired at {shown.expires_at:%Y-%m-%d %H:%M:%S} UTC.")
    moved = tuple(differences(shown, fresh))
    if moved:
        raise PlanStale("The world moved since the plan: " + "; ".join(moved) + ".")


def differences(shown: Plan, fresh: Plan) -> Iterator[str]:
    """One sentence for everything that is no longer as it was shown."""
    if shown.account != fresh.account:
        yield f"the account was {shown.account.title} and is {fresh.account.title}"
    if len(shown.steps) != len(fresh.steps):
        yield f"there were {len(shown.steps)} steps and are {len(fresh.steps)}"
        return
    for number, (before, after) in enumerate(zip(shown.steps, fresh.steps, strict=True), start=1):
        yield from (f"step {number}: {each}" for each in _step_differences(before, after))


def _step_differences(before: Step, after: Step) -> Iterator[str]:
    old, new = dict(_leaves(jsonable(before))), dict(_leaves(jsonable(after)))
    for path in sorted(old.keys() | new.keys()):
        was, now = old.get(path), new.get(path)
        if was == now:
            continue
        name = path.rpartition(".")[2]
        if name in _PRICES and _is_near(was, now):
            continue
        yield f"{path.lstrip('.')} was {was} and is {now}"


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key not in _NOT_COMPARED:
                yield from _leaves(each, f"{path}.{key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, f"{path}.{index}")
    else:
        yield path, value


def _is_near(was: object, now: object) -> bool:
    if not isinstance(was, str) or not isinstance(now, str):
        return False
    old, new = Decimal(was), Decimal(now)
    return abs(new - old) * HUNDRED <= PRICE_TOLERANCE_PCT * abs(old)
