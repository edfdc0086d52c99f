"""The error table: every row of the venue's, on a read and on a write."""

from __future__ import annotations

import pytest

from zoe_tools.errors import (
    OutcomeUnknown,
    VenueError,
    VenueRejected,
    VenueThrottled,
    VenueUnavailable,
)
from zoe_tools.kraken import strange
from zoe_tools.kraken.errors import LOCKOUT_S, TABLE, error_for, errors_in, is_warning, row_for

NO = """
EAPI:Invalid key | EAPI:Invalid signature | EAPI:Invalid nonce | EAPI:Bad request
EAPI:Feature disabled | EAPI:Invalid token | ESession:Invalid session
EAuth:Account temporary disabled | EAuth:Account unconfirmed | EAuth:Failed
EAccount:Invalid permissions | EGeneral:Permission denied | EGeneral:Invalid arguments
EGeneral:Invalid arguments:volume | EGeneral:Invalid arguments:Index unavailable
EGeneral:Invalid arguments:no_mpp order option is only available when ordertype = market
EGeneral:Invalid timeout argument:above max | EGeneral:Unknown method | EGeneral:Unknown Method
EService:Market in cancel_only mode | EService:Market in post_only mode
EService:Market in limit_only mode | EQuery:Unknown asset pair | EQuery:Unknown asset
EQuery:Invalid asset pair | EOrder:Cannot open position | EOrder:Cannot open opposing position
EOrder:Margin allowance exceeded | EOrder:Margin level too low
EOrder:Margin position size exceeded | EOrder:Positions limit exceeded
EOrder:Insufficient margin | EOrder:Insufficient initial margin
EOrder:Order cancelled:Account has insufficient initial margin to support this resting order
EOrder:Insufficient funds | EOrder:Order minimum not met | EOrder:Cost minimum not met
EOrder:Tick size check failed | EOrder:Invalid price | EOrder:Post only order
EOrder:Invalid price:Invalid price argument. | EOrder:Orders limit exceeded
EOrder:Scheduled orders limit exceeded | EOrder:Unknown order | EOrder:Invalid order
EOrder:Unknown order action. | EOrder:No amendable parameters specified | EOrder:Unknown position
EOrder:Trading agreement required | EOrder:Reduce only:Non-PC
EOrder:Reduce only:No position exists | ETrade:Invalid request | ETrade:Locked
ETrade:User Locked | EBM:limit exceeded:CAL | EFunding:Unknown withdraw key
EFunding:Invalid amount | EFunding:No funding method | EFunding:Unknown asset
EFunding:Max fee exceeded | EFunding:Too many addresses | EFunding:Unknown reference id
EFunding:Invalid reference id | EFunding:Invalid staking method | EEarnings:Below min
EEarnings:Above max | EEarnings:Insufficient funds | EEarnings:Permission denied
Token(s) not found | Symbol(s) not found | Limit_price(s) not found | Stop_price(s) not found
Price(s) not found | Limit_price field must be a number_float
Cash_order_qty field must be a number_float | Unsupported field: 'leverage' | Unsupported event
Unsupported field: 'params' for the given msg type: ping | Subscription name invalid
Currency pair not supported XBT/USD | Subscription depth not supported | Already subscribed
Subscription ohlc interval not supported | Malformed request
"""
WAIT = """
EAPI:Rate limit exceeded | EAuth:Rate limit exceeded | EAuth:Too many requests
EGeneral:Temporary lockout | EGeneral:Too many requests | EService: Throttled: 1767614460
EService:Throttled:1767614460 | EOrder:Rate limit exceeded | EOrder:Domain rate limit exceeded
Exceeded msg rate
"""
OPEN = """
EGeneral:Internal error | EGeneral:Internal error:7 | EDatabase:Internal error
EService:Unavailable | EService:Busy | EService:Deadline elapsed | EService:Timeout
EEarnings:Busy
"""


def listed(text: str) -> list[str]:
    """The entries of a block above."""
    return [each.strip() for line in text.strip().splitlines() for each in line.split("|")]


@pytest.mark.parametrize("text", listed(NO))
def test_a_definite_no_is_a_rejection_even_of_a_write(text: str) -> None:
    """Rows that are not ambiguous prove that nothing happened; the venue's words are kept."""
    for is_write in (True, False):
        error = error_for([text], is_write=is_write)

        assert type(error) is VenueRejected
        assert error.code == text
        assert text in error.message
        assert error.hint


@pytest.mark.parametrize("text", listed(WAIT))
def test_being_asked_to_wait_is_a_no_for_now(text: str) -> None:
    """Throttled calls did not happen, writes included."""
    for is_write in (True, False):
        error = error_for([text], is_write=is_write)

        assert type(error) is VenueThrottled
        assert error.retry_after_s >= 1
        assert error.hint


@pytest.mark.parametrize("text", listed(OPEN))
def test_trouble_at_the_venue_leaves_a_write_open(text: str) -> None:
    """The order may exist; a read of the same may be repeated."""
    assert type(error_for([text], is_write=True)) is OutcomeUnknown
    assert type(error_for([text], is_write=False)) is VenueUnavailable


def test_a_position_that_closed_under_the_order_leaves_the_write_open() -> None:
    """The order is filled up to the position and the rest cancelled: something happened."""
    text = "EOrder:Reduce only:Position is closed"

    assert type(error_for([text], is_write=True)) is OutcomeUnknown


def test_every_row_is_met_by_a_scenario() -> None:
    """A row without a scenario above could say anything."""
    scenarios = [*listed(NO), *listed(WAIT), *listed(OPEN), "EOrder:Reduce only:Position is closed"]

    met = {row_for(text) for text in scenarios}

    assert {row.prefix for row in TABLE} == {row.prefix for row in met if row is not None}
    assert len({row.prefix.casefold() for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize(
    "text",
    ["EOrder:Something new", "EOrder:Invalid ordertype", "EService:Busybody", "nonsense", ""],
)
def test_what_the_table_does_not_list_is_no_proof(text: str) -> None:
    """An unlisted string leaves a write open, a near miss of a listed one included."""
    assert type(error_for([text], is_write=True)) is OutcomeUnknown
    assert type(error_for([text], is_write=False)) is VenueRejected


def test_of_several_errors_the_one_that_leaves_it_open_counts() -> None:
    """A definite no beside an ambiguous string proves nothing."""
    texts = ["EOrder:Insufficient funds", "EService:Busy"]

    error = error_for(texts, is_write=True)

    assert isinstance(error, OutcomeUnknown)
    assert error.code == "EService:Busy"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EService: Throttled: 1767614460", 60.0),
        ("EService:Throttled:1767614460", 60.0),
        ("EService:Throttled: 1767614000", 1.0),
        ("EService:Throttled: 99999999999", 3600.0),
        ("EService:Throttled", 5.0),
        ("EGeneral:Temporary lockout", LOCKOUT_S),
    ],
)
def test_the_wait_is_what_the_venue_names(text: str, expected: float) -> None:
    """A throttle names a unix time; it is turned into seconds from now, within reason."""
    error = error_for([text], is_write=False, now_s=1767614400.0)

    assert isinstance(error, VenueThrottled)
    assert expected == error.retry_after_s


def test_a_warning_is_no_error() -> None:
    """`W...` strings come beside a valid result."""
    assert errors_in(["WDatabase:No change"]) == ()
    assert errors_in(["WDatabase:No change", "EAPI:Bad request"]) == ("EAPI:Bad request",)
    assert not is_warning("EService:Busy")


def test_no_definite_no_is_called_retryable_by_itself() -> None:
    """What may be asked again is either a fault, a wait, or a mode that passes."""
    for row in TABLE:
        error: type[VenueError] = row.error
        if row.ambiguous and row.is_retryable:
            assert error is VenueUnavailable


LATER = """
EAPI:Rate limit exceeded | EAuth:Rate limit exceeded | EAuth:Too many requests
EGeneral:Temporary lockout | EGeneral:Too many requests | EService: Throttled: 1767614460
EService:Market in cancel_only mode | EService:Market in post_only mode
EService:Market in limit_only mode | EOrder:Insufficient margin | EOrder:Orders limit exceeded
EOrder:Rate limit exceeded | EOrder:Domain rate limit exceeded | Exceeded msg rate
"""
READS = """
EGeneral:Internal error | EGeneral:Internal error:7 | EDatabase:Internal error
EService:Unavailable | EService:Busy | EService:Timeout | EEarnings:Busy | EEarnings:Busy:later
"""
AFTER_A_NEW = {
    "EAPI:Invalid nonce": "new_nonce",
    "EAPI:Invalid token": "new_token",
    "ESession:Invalid session": "new_token",
    "Token(s) not found": "new_token",
}
NEVER_BUT_OPEN = ("EService:Deadline elapsed", "EOrder:Reduce only:Position is closed")


def flags_of(text: str) -> tuple[str, bool]:
    """When the venue's table lets the same call be sent again, and whether an order may exist."""
    if text in listed(LATER):
        return "later", False
    if text in listed(READS):
        return "read", True
    return AFTER_A_NEW.get(text, "never"), text in NEVER_BUT_OPEN


def test_what_came_too_late_and_what_changes_nothing_are_told_apart_from_the_rest() -> None:
    """The first is dead though its outcome is unknown, the second a no that says: it is so."""
    late = error_for(["EService:Deadline elapsed"], is_write=True)
    lost = error_for(["EService:Unavailable"], is_write=True)
    same = error_for(["EOrder:No amendable parameters specified"], is_write=True)
    gone = error_for(["EOrder:Unknown order"], is_write=True)

    assert [isinstance(each, OutcomeUnknown) and each.is_late for each in (late, lost)] == [
        True,
        False,
    ]
    assert [isinstance(each, VenueRejected) and each.is_as_asked for each in (same, gone)] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    "text", sorted({*listed(NO), *listed(WAIT), *listed(OPEN), *listed(LATER), *listed(READS)})
)
def test_every_string_has_the_flags_of_the_venues_table(text: str) -> None:
    """Retryable and ambiguous, string by string (kraken-spot section 9)."""
    row = row_for(text)
    retry, is_ambiguous = ("later", False) if text.startswith("EService:Thr") else flags_of(text)

    assert row is not None
    assert (retry, is_ambiguous) == (row.retry, row.ambiguous)
    assert row.is_retryable is (retry in {"later", "read"})


def test_a_strange_error_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Verbatim, the first time; a known one is not."""
    strange.forget()
    for _ in range(3):
        error_for(["EOrder:Something new", "EService:Busy"], is_write=True)

    assert ["EOrder:Something new" in each.getMessage() for each in caplog.records] == [True]
