"""What an API key is limited to besides its permissions (kraken-spot sections 2.2 to 2.5).

Values and checks over a `now` in ns that is given.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS

_TOTP_S, _TOTP_DIGITS, _TOTP_DRIFT = 30, 6, 1
_NONCES = 2**63
_OUTSIDE = "EGeneral:Invalid arguments"
"""What a live key with a query range answers to a time outside of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTerms:
    """None and empty stand for no limit; times in ns.

    `key_name` is what its owner calls it. A nonce may be `nonce_window` below the highest, if it is
    new. The key dies at `valid_until`; records are shown from `query_from` to `query_to`, both
    included. `ip_allowlist` holds addresses and networks. `otp` is a static second password,
    `totp` the base32 secret of one that changes every 30 s.
    """

    key_name: str = ""
    nonce_window: int = 0
    valid_until: int | None = None
    query_from: int | None = None
    query_to: int | None = None
    ip_allowlist: tuple[str, ...] = ()
    otp: str = ""
    totp: str = ""

    def check(self) -> None:
        """Whether they make sense.

        Raises:
            Refusal: `EGeneral:Invalid arguments:<which>`.
        """
        if not 0 <= self.nonce_window < _NONCES:
            raise Refusal(f"{_OUTSIDE}:nonce_window")
        if self.otp and self.totp:
            raise Refusal(f"{_OUTSIDE}:otp")
        if None not in (self.query_from, self.query_to) and self.first >= self.last:
            raise Refusal(f"{_OUTSIDE}:query_to")
        for each in self.ip_allowlist:
            try:
                ip_network(each)
            except ValueError:
                raise Refusal(f"{_OUTSIDE}:ip_allowlist") from None
        try:
            _secret(self.totp)
        except (binascii.Error, ValueError):
            raise Refusal(f"{_OUTSIDE}:totp") from None

    # who asks
    def is_valid(self, now: int) -> bool:
        """Whether the key has not expired."""
        return self.valid_until is None or now < self.valid_until

    def admits(self, client: str) -> bool:
        """Whether it may be used from this address."""
        if not self.ip_allowlist:
            return True
        try:
            address = ip_address(client)
        except ValueError:
            return False
        return any(address in ip_network(each) for each in self.ip_allowlist)

    def check_otp(self, told: str | None, now: int) -> None:
        """The second factor, where there is one.

        Raises:
            Refusal: `EGeneral:Permission denied` without one, `EAPI:Invalid signature` for a wrong
                one.
        """
        if not (self.otp or self.totp):
            return
        if told is None:
            raise Refusal("EGeneral:Permission denied")
        known = (self.otp,) if self.otp else totp_codes(self.totp, now)
        said = told.encode(errors="replace")
        if not any(hmac.compare_digest(each.encode(), said) for each in known):
            raise Refusal("EAPI:Invalid signature")

    # what is shown
    @property
    def first(self) -> int:
        """Nothing before this time is shown."""
        return -1 if self.query_from is None else self.query_from

    @property
    def last(self) -> int:
        """Nothing after this time is shown."""
        return 2**63 - 1 if self.query_to is None else self.query_to

    def shows(self, at: int) -> bool:
        """Whether a record of this time may be seen."""
        return self.first <= at <= self.last

    def window(self, start: int | None, end: int | None) -> tuple[int | None, int | None]:
        """A window (`start` exclusive) as far as the key may see; None takes all it may.

        Raises:
            Refusal: `EGeneral:Invalid arguments`: a bound is where the key may not look.
        """
        for bound in (start, end):
            if bound is not None and not self.shows(bound):
                raise Refusal(_OUTSIDE)
        if start is None and self.query_from is not None:
            start = self.query_from - 1
        return start, self.query_to if end is None else end


NO_TERMS = KeyTerms()


def totp_codes(secret: str, now: int) -> tuple[str, ...]:
    """The codes that are good at a time, RFC 6238: the last step's, this one's and the next one's.

    `secret` is base32.
    """
    step = now // NS // _TOTP_S
    return tuple(
        _code(_secret(secret), each) for each in range(step - _TOTP_DRIFT, step + _TOTP_DRIFT + 1)
    )


def _secret(text: str) -> bytes:
    plain = text.replace(" ", "").upper()
    return base64.b32decode(plain + "=" * (-len(plain) % 8))


def _code(secret: bytes, step: int) -> str:
    mac = hmac.new(secret, step.to_bytes(8, "big", signed=True), hashlib.sha1).digest()
    offset = mac[-1] & 15
    number = int.from_bytes(mac[offset : offset + 4], "big") & (2**31 - 1)
    return str(number % 10**_TOTP_DIGITS).zfill(_TOTP_DIGITS)
