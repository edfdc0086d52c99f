"""Kraken's request signature (kraken-spot section 2.1), over the exact text that is sent.

Pure: the nonce is handed in, nothing is sent, and no secret ever reaches a message or a log.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from urllib.parse import urlencode

from zoe_tools.errors import ConfigError

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

Params = Mapping[str, object]
"""Request parameters besides the nonce: texts, or whatever JSON has in a batch."""


def secret_bytes(api_secret: str) -> bytes:
    """The key of the signature: what the base64 text of an API secret stands for.

    Raises:
        ConfigError: the text is not base64.
    """
    try:
        decoded = base64.b64decode(api_secret.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad_secret() from error
    if not decoded:
        raise _bad_secret()
    return decoded


def _bad_secret() -> ConfigError:
    return ConfigError(
        "KRAKEN_API_SECRET is not a Kraken API secret: it is not base64 text.",
        hint="Copy the private key whole, including a closing `=`, from where the key was made.",
    )


def signature(*, path: str, nonce: str, body: str, secret: bytes) -> str:
    """The `API-Sign` header: 88 base64 characters.

    `path` starts at `/0/private/`; `nonce` is the decimal text that `body` contains; `body` is the
    exact text of the POST body, form-encoded or JSON.
    """
    digest = hashlib.sha256((nonce + body).encode()).digest()
    return base64.b64encode(
        hmac.new(secret, path.encode() + digest, hashlib.sha512).digest()
    ).decode()


def encoded(nonce: str, params: Params) -> tuple[str, str]:
    """The body to sign and send, nonce first, and its content type.

    Form-encoded; as JSON where a parameter is no text, because the batch methods are documented
    with JSON bodies only.
    """
    if any(not isinstance(value, str) for value in params.values()):
        return json.dumps({"nonce": nonce, **params}, separators=(",", ":")), JSON
    return urlencode({"nonce": nonce, **params}), FORM
