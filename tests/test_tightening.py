"""What the store says of limits: the tighter of the two is in force, whatever it says."""

from __future__ import annotations

from decimal import Decimal

import pytest

from zoe_tools.config import KNOBS
from zoe_tools.config.tightening import (
    LIMITS,
    demand_limit,
    in_force,
    is_looser,
    spelled_limit,
    tightened,
)
from zoe_tools.domain.policy import Policy
from zoe_tools.errors import ConfigError

POLICY = Policy(allowed_symbols=("BTC-USD", "ETH-USD"))

ROWS = [
    ("MAX_DAILY_NOTIONAL", "20", "20", False),
    ("MAX_DAILY_NOTIONAL", "50", "50", False),
    ("MAX_DAILY_NOTIONAL", "51", "50", True),
    ("MAX_DAILY_NOTIONAL", "0", "0", False),
    ("MAX_DAILY_NOTIONAL", "ten", "0", False),
    ("MAX_OPEN_POSITIONS", "2", "2", False),
    ("MAX_OPEN_POSITIONS", "4", "3", True),
    ("MAX_OPEN_POSITIONS", "2.5", "0", False),
    ("MAX_EXPOSURE_NOTIONAL", "100", "100", False),
    ("MAX_EXPOSURE_NOTIONAL", "151", "150", True),
    ("MAX_CANCEL_RATIO_PCT", "50", "50", False),
    ("DUPLICATE_WINDOW_SECONDS", "60", "60", False),
    ("DUPLICATE_WINDOW_SECONDS", "5", "10", True),
    ("ALLOWED_SYMBOLS", "btc/usd", "BTC-USD", False),
    ("ALLOWED_SYMBOLS", "SOL-USD", "none", True),
    ("ALLOW_WITHDRAWAL_KEY", "true", "false", True),
    ("ALLOW_WITHDRAWAL_KEY", "maybe", "false", False),
]


@pytest.mark.parametrize(("name", "text", "expected", "loosens"), ROWS)
def test_the_tighter_of_setting_and_row_is_in_force(
    name: str,
    text: str,
    expected: str,
    loosens: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """A row never loosens; one that cannot be read allows nothing."""
    assert spelled_limit(in_force(tightened(POLICY, {name: text}), name)) == expected
    assert is_looser(POLICY, name, text) is loosens


def test_without_rows_nothing_changes() -> None:
    """An empty text is a row that was taken back; strange rows are others' business."""
    assert tightened(POLICY, {}) == POLICY
    assert tightened(POLICY, {"MAX_DAILY_NOTIONAL": "", "STRANGE": "1"}) == POLICY


def test_caps_that_follow_from_a_tightened_limit_follow_it() -> None:
    """Half the trade is half the position."""
    policy = tightened(POLICY, {"MAX_NOTIONAL_PER_TRADE": "12.5"})

    assert (policy.position_cap, policy.exposure_cap) == (Decimal(25), Decimal(75))


def test_every_limit_is_a_setting_and_stands_in_the_policy() -> None:
    """No name that nobody can set, no field that is not there."""
    assert set(LIMITS) <= {knob.name for knob in KNOBS}
    assert all(hasattr(POLICY, each.field) for each in LIMITS.values())


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("MAX_DAILY_NOTIONL", "1", "Did you mean MAX_DAILY_NOTIONAL"),
        ("KRAKEN_API_KEY", "x", "These can"),
        ("MAX_DAILY_NOTIONAL", "-1", "is negative"),
    ],
)
def test_what_the_store_cannot_hold_is_refused(name: str, text: str, told: str) -> None:
    """Secrets and addresses are no limits."""
    with pytest.raises(ConfigError) as caught:
        demand_limit(name, text)
    assert told in f"{caught.value.message} {caught.value.hint}"
