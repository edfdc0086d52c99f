"""What the operator may do with the API keys of the exchange: `/zoe/admin/keys/...`."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime
from typing import Any

import msgspec

from zoe_tools.errors import ConfigError
from zoe_tools.paper.admin.funds import owner_of
from zoe_tools.paper.engine.rate_counters import TierName
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.keys import ApiKey
from zoe_tools.paper.values.key_terms import KeyTerms
from zoe_tools.paper.values.refusal import Refusal, invalid
from zoe_tools.paper.values.rounding import plain
from zoe_tools.paper.values.times import NS, iso, ns_of
from zoe_tools.paper.values.views import ALL_PERMISSIONS, PERMISSIONS

_KEY_BYTES, _SECRET_BYTES, _TOTP_BYTES = 42, 64, 20
_MOST_NAME = 64
_LATEST = 2**63
LONGEST_S = 10 * 366 * 86_400


class KeyOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A key to be made for `owner` (an account's id or name, the home's own without).

    With `opens_account` the account is opened under that name, empty, with a tier of its own if one
    is said. Without `permissions` the key
    may trade. `valid_for_s` in venue seconds; the dates as RFC 3339, UTC unless they say otherwise.
    """

    name: str
    owner: str = ""
    opens_account: bool = False
    has_margin: bool = False
    tier: TierName | None = None
    permissions: tuple[str, ...] = ()
    nonce_window: int = 0
    valid_for_s: float | None = None
    query_from: str = ""
    query_to: str = ""
    addresses: tuple[str, ...] = ()
    otp: str = ""
    has_totp: bool = False


class KeyName(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A key, by its name or by itself."""

    name: str


def show_keys(exchange: PaperExchange) -> dict[str, Any]:
    """Every key with all it is limited to, in `keys`; no secret."""
    return {"keys": [_row(exchange, key) for key in exchange.api_keys]}


def add_key(exchange: PaperExchange, body: str) -> dict[str, Any]:
    """Make what a KeyOrder says; its row with `api_secret`, and `totp` where it has one.

    Raises:
        Refusal: it makes no sense; nothing was made.
    """
    try:
        order = msgspec.json.decode(body, type=KeyOrder)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Refusal(f"EGeneral:Invalid arguments:{error}") from error
    _check(exchange, order)
    terms = _terms(exchange, order)
    permissions = frozenset(order.permissions or PERMISSIONS)
    api_key, api_secret = _random(_KEY_BYTES), _random(_SECRET_BYTES)
    try:
        if order.opens_account:
            exchange.create_account(
                order.owner,
                api_key,
                api_secret,
                permissions,
                has_margin=order.has_margin,
                tier=order.tier,
                terms=terms,
            )
        else:
            account_id = owner_of(exchange, order.owner).account_id
            exchange.add_key(account_id, api_key, api_secret, permissions, terms)
    except ConfigError as error:
        raise Refusal(f"EGeneral:Invalid arguments:{error}") from error
    made = next(key for key in exchange.api_keys if key.principal.api_key == api_key)
    return _row(exchange, made) | {"api_secret": api_secret, "totp": terms.totp}


def remove_key(exchange: PaperExchange, body: str) -> dict[str, Any]:
    """Forget a key; its row as it was.

    Raises:
        Refusal: there is no such key.
    """
    try:
        name = msgspec.json.decode(body, type=KeyName).name
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Refusal(f"EGeneral:Invalid arguments:{error}") from error
    for key in exchange.api_keys:
        who = key.principal
        if name in (who.api_key, who.terms.key_name):
            row = _row(exchange, key)
            exchange.remove_key(who.api_key)
            return row
    raise Refusal(f"EGeneral:Invalid arguments:there is no key {name!r}")


def _check(exchange: PaperExchange, order: KeyOrder) -> None:
    if not 0 < len(order.name) <= _MOST_NAME or not order.name.isprintable():
        raise invalid("name")
    known = [key.principal for key in exchange.api_keys]
    if any(order.name == one.terms.key_name for one in known):
        raise Refusal(f"EGeneral:Invalid arguments:there is a key {order.name!r} already")
    unknown = sorted(set(order.permissions) - set(ALL_PERMISSIONS))
    if unknown:
        raise Refusal(f"EGeneral:Invalid arguments:there is no permission {unknown[0]!r}")
    if order.valid_for_s is not None and not 0 < order.valid_for_s <= LONGEST_S:
        raise invalid("valid_for_s")
    if not order.opens_account:
        if order.has_margin or order.tier is not None:
            raise invalid("has_margin" if order.has_margin else "tier")
        return
    if not 0 < len(order.owner) <= _MOST_NAME or not order.owner.isprintable():
        raise invalid("owner")
    if any(order.owner in (one.name, one.account_id) for one in known):
        raise Refusal(f"EGeneral:Invalid arguments:there is an account {order.owner!r} already")


def _terms(exchange: PaperExchange, order: KeyOrder) -> KeyTerms:
    lives = order.valid_for_s
    terms = KeyTerms(
        key_name=order.name,
        nonce_window=order.nonce_window,
        valid_until=None if lives is None else exchange.now() + int(lives * NS),
        query_from=_moment("query_from", order.query_from),
        query_to=_moment("query_to", order.query_to),
        ip_allowlist=order.addresses,
        otp=order.otp,
        totp=base64.b32encode(secrets.token_bytes(_TOTP_BYTES)).decode() if order.has_totp else "",
    )
    terms.check()
    return terms


def _moment(name: str, text: str) -> int | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        at = ns_of(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise invalid(name) from None
    if not 0 < at < _LATEST:
        raise invalid(name)
    return at


def _random(count: int) -> str:
    return base64.b64encode(secrets.token_bytes(count)).decode()


def _row(exchange: PaperExchange, key: ApiKey) -> dict[str, Any]:
    who, terms = key.principal, key.principal.terms
    return {
        "name": terms.key_name or who.name,
        "account_id": who.account_id,
        "account": who.name,
        "tier": exchange.tier_name_of(who.account_id) or "",
        "api_key": who.api_key,
        "permissions": sorted(who.permissions),
        "nonce_window": terms.nonce_window,
        "valid_until": _told(terms.valid_until),
        "query_from": _told(terms.query_from),
        "query_to": _told(terms.query_to),
        "addresses": list(terms.ip_allowlist),
        "second_factor": "password" if terms.otp else "code" if terms.totp else "",
        "last_used": _told(key.used_at or None),
        "rest_calls": plain(exchange.rest_asked(who.api_key)),
        "locked_until": _told(key.locked_until if exchange.now() < key.locked_until else None),
    }


def _told(at: int | None) -> str:
    return "" if at is None else iso(at)
