"""API keys and their nonces; checks signatures."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from bisect import insort
from dataclasses import dataclass, field

from zoe_tools.errors import ConfigError
from zoe_tools.paper.engine.rate_counters import Meter
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.views import Principal

_NONCE_LIMIT = 2**64


_NONCES_KEPT = 1_000
_BAD_NONCE = "EAPI:Invalid nonce"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCall:
    """A private REST call as it came: `client` is its address, `otp` the second factor."""

    api_key: str
    signature: str
    path: str
    body: bytes
    nonce: str
    otp: str | None = None
    client: str = ""

    @property
    def method(self) -> str:
        """What is called, e.g. `AddOrder`."""
        return self.path.rpartition("/")[2]


@dataclass(slots=True)
class ApiKey:
    """A key; `nonce` is the highest accepted, at the exchange's time `used_at` in ns.

    `calls` is its REST counter, `locked_until` when it is listened to again. With a nonce window
    `nonces` are those accepted inside of it, ascending.
    """

    principal: Principal
    secret: str
    nonce: int = 0
    used_at: int = 0
    calls: Meter = field(default_factory=Meter)
    asked: int = 0
    locked_until: int = 0
    nonces: list[int] = field(default_factory=list)


class KeyRing:
    """All keys of one exchange."""

    def __init__(self) -> None:
        self.keys: dict[str, ApiKey] = {}

    def check_new(self, api_key: str, secret: str) -> None:
        """Whether such a key can be added.

        Raises:
            ConfigError: the key exists, or its secret is not base64.
        """
        if api_key in self.keys:
            raise ConfigError(f"The paper exchange already has the key {api_key}.")
        try:
            base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ConfigError("A paper secret must be base64 text.") from error

    def add(self, key: ApiKey) -> None:
        """Know a key."""
        self.keys[key.principal.api_key] = key

    def signed_by(self, call: SignedCall, now: int) -> ApiKey:
        """Who signed this call (section 2.1), from where he may and with the second factor.

        Raises:
            Refusal: `EAPI:Invalid key`, also of one that has expired; `EAPI:Invalid signature`;
                `EGeneral:Permission denied` from another address, or without the second factor.
        """
        key = self.keys.get(call.api_key)
        if key is None or not key.principal.terms.is_valid(now):
            raise Refusal("EAPI:Invalid key")
        terms = key.principal.terms
        if not terms.admits(call.client):
            raise Refusal("EGeneral:Permission denied")
        expected = sign(secret=key.secret, path=call.path, body=call.body, nonce=call.nonce)
        if not hmac.compare_digest(expected.encode(), call.signature.encode(errors="replace")):
            raise Refusal("EAPI:Invalid signature")
        terms.check_otp(call.otp, now)
        return key

    def spend(self, key: ApiKey, nonce: str) -> None:
        """Accept a nonce, and remember it (section 2.2).

        Raises:
            Refusal: `EAPI:Invalid nonce`.
        """
        if not (nonce.isascii() and nonce.isdigit()) or len(nonce) > len(str(_NONCE_LIMIT)):
            raise Refusal(_BAD_NONCE)
        number = int(nonce)
        if number >= _NONCE_LIMIT:
            raise Refusal(_BAD_NONCE)
        window = key.principal.terms.nonce_window
        if window:
            _spend_in_window(key, number, window)
        elif number <= key.nonce:
            raise Refusal(_BAD_NONCE)
        key.nonce = max(key.nonce, number)


def _spend_in_window(key: ApiKey, number: int, window: int) -> None:
    """One that comes late is good, unless it is too far below the highest, or came before."""
    is_full = len(key.nonces) >= _NONCES_KEPT
    floor = max(key.nonce - window, key.nonces[0] if is_full else 0)
    if number <= floor or number in key.nonces:
        raise Refusal(_BAD_NONCE)
    insort(key.nonces, number)
    lowest = key.nonces[-1] - window
    key.nonces = [each for each in key.nonces if each > lowest][-_NONCES_KEPT:]


def sign(*, secret: str, path: str, body: bytes, nonce: str) -> str:
    """API-Sign of a body: base64 HMAC-SHA512 over path and SHA-256 of nonce and body."""
    digest = hashlib.sha256(nonce.encode(errors="replace") + body).digest()
    key = base64.b64decode(secret)
    mac = hmac.new(key, path.encode(errors="replace") + digest, hashlib.sha512)
    return base64.b64encode(mac.digest()).decode()
