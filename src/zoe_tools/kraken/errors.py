"""Kraken's error strings, in one table: what each one proves, and what the operator does next.

Only a row that is not ambiguous is a definite no. On a write everything else (an ambiguous row, a
string the table does not know) is `OutcomeUnknown`. Pure: it neither waits nor reads a clock.
Source: kraken-spot section 9.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from zoe_tools.domain.journal import NO_FUNDS
from zoe_tools.errors import (
    OutcomeUnknown,
    VenueError,
    VenueRejected,
    VenueThrottled,
    VenueUnavailable,
)
from zoe_tools.kraken import strange

ErrorClass = type[VenueRejected] | type[VenueThrottled] | type[VenueUnavailable]
Retry = Literal["never", "later", "read", "new_nonce", "new_token"]
"""Whether the same call may be sent again: never; later, once the stated cause is gone; reads only,
with backoff; with a new nonce; with a new WebSocket token."""

INVALID_NONCE = "EAPI:Invalid nonce"
RATE_LIMIT = "EAPI:Rate limit"
"""How it begins that the REST counter is full."""

_TOO_LATE = "EService:Deadline elapsed"
_AS_ASKED = "EOrder:No amendable parameters specified"
LOCKOUT_S = 15 * 60.0
"""A temporary lockout lasts about this long; asking during it prolongs it."""

LONGEST_PAUSE_S = 3600.0
"""A later end of a pause is not believed."""

_THROTTLED_S = 5.0
_BLANK_AFTER_CATEGORY = re.compile(r"^([EW][A-Za-z]+):\s+")
_WARNING = re.compile(r"^W[A-Za-z]+:")
_DIGITS = re.compile(r"(\d{9,})\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """What one family of error strings means. `ambiguous`: a write may have happened all the same.

    `wait_s` is how long to wait before asking again, where the venue asks us to.
    """

    prefix: str
    error: ErrorClass
    retry: Retry
    ambiguous: bool
    hint: str
    wait_s: float = _THROTTLED_S

    @property
    def is_retryable(self) -> bool:
        """Whether the same read may be sent again by itself."""
        return self.retry in {"later", "read"}


def _no(prefix: str, hint: str, retry: Retry = "never") -> ErrorRow:
    return ErrorRow(prefix=prefix, error=VenueRejected, retry=retry, ambiguous=False, hint=hint)


def _wait(prefix: str, hint: str, wait_s: float = _THROTTLED_S) -> ErrorRow:
    return ErrorRow(
        prefix=prefix,
        error=VenueThrottled,
        retry="later",
        ambiguous=False,
        hint=hint,
        wait_s=wait_s,
    )


def _fault(prefix: str, hint: str, retry: Retry = "read") -> ErrorRow:
    return ErrorRow(prefix=prefix, error=VenueUnavailable, retry=retry, ambiguous=True, hint=hint)


_KEY = "Make a key at kraken.com (Settings > API), put it into the .env file and run the command."
_PERMISSION = "Give the key that permission at kraken.com (Settings > API); never withdrawal."
_ARGUMENT = "The venue did not understand the request; report it with the text above."
_FUNDS = "Compare `zoe status` with the order: lower the quantity, or add funds."
_SIZE = "Raise the quantity, or leave the dust where it is."
_PRICE = "The price does not fit the pair's tick size or decimals, or is nonsense: correct it."
_MARGIN = "Spot margin is not available to this order; trade without leverage."
_LOOK_UP = "It is not open any more and may have filled: run `zoe reconcile` to see."
_SERVER = "The venue is in trouble: see status.kraken.com, then run the command again."
_MODE = "Wait until the venue is online again (`zoe pre-flight` shows its mode)."
_SLOW = "Wait a little, and see whether another program uses the same key."
_REDUCE = "There is no position that this order could make smaller."
_NAME = "Use a name of the venue's own list of pairs, such as BTC/USD."
_FUNDING = "zoe moves no funds: this call should not have been made; report it."
_ACCOUNT = "Sign in at kraken.com and settle the state of the account."
_EARN = "zoe uses no Earn products: this call should not have been made; report it."

TABLE: tuple[ErrorRow, ...] = (
    _no("EAPI:Invalid key", _KEY),
    _no("EAPI:Invalid signature", "KRAKEN_API_SECRET does not belong to KRAKEN_API_KEY: " + _KEY),
    _no(
        INVALID_NONCE,
        "Another program uses the same key, or used a finer nonce once: give zoe a key of its own.",
        "new_nonce",
    ),
    _no("EAPI:Bad request", _ARGUMENT),
    _no("EAPI:Feature disabled", "The venue has switched this feature off for the account."),
    _no("EAPI:Invalid token", "The streams fetch a new token when they reconnect.", "new_token"),
    _no(
        "ESession:Invalid session",
        "The streams fetch a new token when they reconnect.",
        "new_token",
    ),
    _wait("EAPI:Rate limit exceeded", _SLOW),
    _wait("EAuth:Rate limit exceeded", _SLOW, 60.0),
    _wait("EAuth:Too many requests", _SLOW, 60.0),
    _no("EAuth:Account temporary disabled", _ACCOUNT),
    _no("EAuth:Account unconfirmed", _ACCOUNT),
    _no("EAuth:Failed", _KEY),
    _no("EAccount:Invalid permissions", "The account may not trade this product in its region."),
    _no("EGeneral:Permission denied", _PERMISSION),
    _no("EGeneral:Invalid arguments", _ARGUMENT),
    _no("EGeneral:Invalid timeout argument", "The dead-man timeout must be below 86400 seconds."),
    _no("EGeneral:Unknown method", "Check KRAKEN_BASE_URL: that address has no such method."),
    _wait(
        "EGeneral:Temporary lockout",
        "Too many failed signatures or nonces: make no call for 15 minutes, then check the key.",
        LOCKOUT_S,
    ),
    _wait("EGeneral:Too many requests", _SLOW),
    _fault("EGeneral:Internal error", _SERVER),
    _fault("EDatabase:Internal error", _SERVER),
    _fault("EService:Unavailable", _SERVER),
    _fault("EService:Busy", _SERVER),
    _wait("EService:Throttled", "Too many calls at once: wait until the time the venue names."),
    _no("EService:Market in cancel_only mode", _MODE, "later"),
    _no("EService:Market in post_only mode", _MODE, "later"),
    _no("EService:Market in limit_only mode", _MODE, "later"),
    _fault(_TOO_LATE, _SERVER, "never"),
    _fault("EService:Timeout", _SERVER),
    _no("EQuery:Unknown asset pair", _NAME),
    _no("EQuery:Unknown asset", _NAME),
    _no("EQuery:Invalid asset pair", _NAME),
    _no("EOrder:Cannot open position", _MARGIN),
    _no("EOrder:Cannot open opposing position", _MARGIN),
    _no("EOrder:Margin allowance exceeded", _MARGIN),
    _no("EOrder:Margin level too low", _MARGIN),
    _no("EOrder:Margin position size exceeded", _MARGIN),
    _no("EOrder:Positions limit exceeded", _MARGIN),
    _no("EOrder:Insufficient margin", _MARGIN, "later"),
    _no("EOrder:Insufficient initial margin", _MARGIN),
    _no("EOrder:Order cancelled:Account has insufficient initial margin", _MARGIN),
    _no("EOrder:Insufficient funds", _FUNDS),
    _no("EOrder:Order minimum not met", _SIZE),
    _no("EOrder:Cost minimum not met", _SIZE),
    _no("EOrder:Tick size check failed", _PRICE),
    _no("EOrder:Invalid price", _PRICE),
    _no("EOrder:Post only order", "The order would have traded at once: price it further away."),
    _no("EOrder:Orders limit exceeded", "Cancel open orders of this pair first.", "later"),
    _wait("EOrder:Rate limit exceeded", "Too many orders and cancels on this pair: wait."),
    _wait("EOrder:Domain rate limit exceeded", "Too many orders and cancels: wait."),
    _no("EOrder:Scheduled orders limit exceeded", "Cancel scheduled orders first."),
    _no("EOrder:Unknown order action", _ARGUMENT),
    _no("EOrder:Unknown order", _LOOK_UP),
    _no("EOrder:Invalid order", _LOOK_UP),
    _no(_AS_ASKED, "The order already is as asked."),
    _no("EOrder:Unknown position", "Run `zoe sync-positions` and read what it finds."),
    _no("EOrder:Trading agreement required", _ACCOUNT),
    _no("EOrder:Reduce only:Non-PC", _ACCOUNT),
    _no("EOrder:Reduce only:No position exists", _REDUCE),
    # Filled up to the position and the rest cancelled (section 13.7): something did happen.
    ErrorRow(
        prefix="EOrder:Reduce only:Position is closed",
        error=VenueRejected,
        retry="never",
        ambiguous=True,
        hint=_REDUCE,
    ),
    _no("ETrade:Invalid request", _ARGUMENT),
    _no("ETrade:Locked", _ACCOUNT),
    _no("ETrade:User Locked", _ACCOUNT),
    _no("EBM:limit exceeded", "The account's purchase limit is used up."),
    _no("EFunding:Unknown withdraw key", _FUNDING),
    _no("EFunding:Invalid amount", _FUNDING),
    _no("EFunding:No funding method", _FUNDING),
    _no("EFunding:Unknown asset", _FUNDING),
    _no("EFunding:Max fee exceeded", _FUNDING),
    _no("EFunding:Too many addresses", _FUNDING),
    _no("EFunding:Unknown reference id", _FUNDING),
    _no("EFunding:Invalid reference id", _FUNDING),
    _no("EFunding:Invalid staking method", _FUNDING),
    _fault("EEarnings:Busy", _EARN),
    _no("EEarnings:Below min", _EARN),
    _no("EEarnings:Above max", _EARN),
    _no("EEarnings:Insufficient funds", _EARN),
    _no("EEarnings:Permission denied", _EARN),
    # The streaming API answers some requests with its parser's words, without a category. The
    # parser refuses before anything is done, so these are definite.
    _no("Token(s) not found", "The streams fetch a new token when they reconnect.", "new_token"),
    _no("Symbol(s) not found", _ARGUMENT),
    _no("Limit_price(s) not found", _ARGUMENT),
    _no("Limit_price field must be", _ARGUMENT),
    _no("Stop_price(s) not found", _ARGUMENT),
    _no("Price(s) not found", _ARGUMENT),
    _no("Cash_order_qty field must be", _ARGUMENT),
    _no("Unsupported field", _ARGUMENT),
    _no("Unsupported event", _ARGUMENT),
    _no("Currency pair not supported", _NAME),
    _no("Subscription name invalid", _ARGUMENT),
    _no("Subscription depth not supported", _ARGUMENT),
    _no("Subscription ohlc interval not supported", _ARGUMENT),
    _no("Already subscribed", "Nothing to do: the subscription stands."),
    _no("Malformed request", _ARGUMENT),
    _wait("Exceeded msg rate", _SLOW),
)

_FUNDS_MAY_COME = frozenset({NO_FUNDS})
"""What is short now need not be short for ever: another order may hold it."""

_BY_LENGTH = sorted(TABLE, key=lambda row: len(row.prefix), reverse=True)


def normalised(text: str) -> str:
    """The string without the blank that some come with: `EService: Throttled: 1` has one."""
    return _BLANK_AFTER_CATEGORY.sub(r"\1:", text.strip())


def row_for(text: str) -> ErrorRow | None:
    """The most specific row whose prefix starts `text`, in any case; None if there is none."""
    wanted = normalised(text).casefold()
    return next((row for row in _BY_LENGTH if _starts(wanted, row.prefix.casefold())), None)


def _starts(text: str, prefix: str) -> bool:
    """Whole words only: `Invalid ordertype` is not `Invalid order`, and so not a definite no."""
    return text.startswith(prefix) and not text[len(prefix) : len(prefix) + 1].isalnum()


def is_warning(text: str) -> bool:
    """Whether the string is a warning (`WDatabase:No change`), which comes with a valid result."""
    return _WARNING.match(text) is not None


def errors_in(texts: Sequence[str]) -> tuple[str, ...]:
    """The strings that are errors; warnings are left out."""
    return tuple(text for text in texts if not is_warning(text))


def error_for(texts: Sequence[str], *, is_write: bool, now_s: float | None = None) -> VenueError:
    """Our error for an answer's `error` list, warnings left out; not empty.

    Of several strings the gravest counts: one that leaves a write's outcome open, before any other.
    `now_s` (venue time, unix seconds) turns the time in a `Throttled` string into a wait.
    """
    errors = errors_in(texts) or tuple(texts) or ("",)
    sentence = f"Kraken answered: {'; '.join(errors)}."
    judged = [(text, row_for(text)) for text in errors]
    for text, row in judged:
        if row is None:
            strange.noted("an error", normalised(text))
    for text, row in judged:
        if is_write and (row is None or row.ambiguous):
            return OutcomeUnknown(
                f"{sentence} Whether the change happened is not known.",
                code=normalised(text),
                is_late=row is not None and row.prefix == _TOO_LATE,
            )
    text, row = judged[0]
    code = normalised(text)
    if row is None:
        hint = "zoe does not know this answer: nothing was changed, but report the text above."
        return VenueRejected(sentence, hint=hint, code=code)
    return _known(row, sentence=sentence, code=code, now_s=now_s)


def _known(row: ErrorRow, *, sentence: str, code: str, now_s: float | None) -> VenueError:
    if row.error is VenueThrottled:
        wait_s = _wait_until(code, now_s) if now_s is not None else None
        return VenueThrottled(
            sentence,
            hint=row.hint,
            code=code,
            retry_after_s=row.wait_s if wait_s is None else wait_s,
        )
    if row.error is VenueUnavailable:
        return VenueUnavailable(sentence, hint=row.hint)
    is_passing = row.retry != "never" or row.prefix in _FUNDS_MAY_COME
    return VenueRejected(
        sentence,
        hint=row.hint,
        code=code,
        is_passing=is_passing,
        is_as_asked=row.prefix == _AS_ASKED,
    )


def _wait_until(code: str, now_s: float) -> float | None:
    """Seconds until the unix time that ends a `Throttled` string; at least one, at most an hour."""
    found = _DIGITS.search(code)
    return min(max(float(found.group(1)) - now_s, 1.0), LONGEST_PAUSE_S) if found else None
