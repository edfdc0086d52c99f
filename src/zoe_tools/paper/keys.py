"""API keys and their nonces; checks signatures."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field

from zoe_tools.errors import ConfigError
from zoe_tools.paper.rate_counters import Meter
from zoe_tools.paper.refusal import Refusal
from zoe_tools.paper.views import Principal

_NONCE_LIMIT = 2**64


@dataclass(slots=True)
class ApiKey:
    """A key; `nonce` is the highest accepted, at the exchange's time `used_at` in ns.

    `calls` is its REST counter.
    """

    principal: Principal
    secret: str
    nonce: int = 0
    used_at: int = 0
    calls: Meter = field(default_factory=Meter)


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

    def signed_by(
        self, *, api_key: str, signature: str, path: str, body: bytes, nonce: str
    ) -> ApiKey:
        """Who signed this request (section 2.1).

        Raises:
            Refusal: `EAPI:Invalid key`, `EAPI:Invalid signature`.
        """
        key = self.keys.get(api_key)
        if key is None:
            raise Refusal("EAPI:Invalid key")
        expected = sign(secret=key.secret, path=path, body=body, nonce=nonce)
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
            raise Refusal("EAPI:Invalid signature")
        return key

    def spend(self, key: ApiKey, nonce: str) -> None:
        """Accept a nonce, and remember it (section 2.2).

        Raises:
            Refusal: `EAPI:Invalid nonce`.
        """
        if not (nonce.isascii() and nonce.isdigit()) or len(nonce) > len(str(_NONCE_LIMIT)):
            raise Refusal("EAPI:Invalid nonce")
        number = int(nonce)
        if not key.nonce < number < _NONCE_LIMIT:
            raise Refusal("EAPI:Invalid nonce")
        key.nonce = number


def sign(*, secret: str, path: str, body: bytes, nonce: str) -> str:
    """API-Sign of a body: base64 HMAC-SHA512 over path and SHA-256 of nonce and body."""
    digest = hashlib.sha256(nonce.encode(errors="replace") + body).digest()
    key = base64.b64decode(secret)
    mac = hmac.new(key, path.encode(errors="replace") + digest, hashlib.sha512)
    return base64.b64encode(mac.digest()).decode()
