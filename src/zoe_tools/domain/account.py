"""Which account a command works on: venue, paper or live, and the fingerprint of its key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from zoe_tools.domain.identifiers import AccountId

AccountMode = Literal["paper", "live"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account; rows of different accounts never mix."""

    venue: str
    mode: AccountMode
    fingerprint: str

    @property
    def account_id(self) -> AccountId:
        """The owner of every row in the store."""
        return AccountId(f"{self.venue}-{self.mode}-{self.fingerprint}")

    @property
    def title(self) -> str:
        """What every command prints first, e.g. `LIVE kraken 3f9a12c4`."""
        return f"{self.mode.upper()} {self.venue} {self.fingerprint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """What the venue says about the API key in use (kraken-spot section 2.5); None is no limit.

    `permissions` holds Kraken's tokens, e.g. `modify-trades` (section 2.4). `nonce` is the highest
    accepted so far; one may come up to `nonce_window` late. Records are shown from `query_from` to
    `query_to`. `allowed_addresses` are IP addresses and networks; none at all allows every one.
    """

    name: str
    permissions: frozenset[str]
    nonce: int | None = None
    nonce_window: int = 0
    valid_until: datetime | None = None
    query_from: datetime | None = None
    query_to: datetime | None = None
    allowed_addresses: tuple[str, ...] = ()
    created_at: datetime | None = None
    modified_at: datetime | None = None
    last_used_at: datetime | None = None
    iban: str = ""


def fingerprint_of(api_key: str) -> str:
    """Eight hex digits of a hash of the public key: names it, and gives no part of it away."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:8]
