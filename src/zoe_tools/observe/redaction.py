"""Keeps secrets out of everything that is written: known values anywhere, and exact names.

Never by pattern: a field such as `duplicate_active_symbol_keys` is operational and stays readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

MASK = "********"
SECRET_NAMES = frozenset(
    {
        "api-key",
        "api-sign",
        "api_key",
        "api_secret",
        "authorization",
        "kraken_api_key",
        "kraken_api_secret",
        "otp",
        "password",
        "secret",
        "supabase_key",
        "supabase_service_role_key",
        "token",
    }
)
"""Fields whose value is always masked; compared whole, in lower case."""

_SHORTEST = 6
"""Values shorter than this occur in ordinary text; masking them would garble it."""


class Redactor:
    """Masks the secret values it was told of, and the fields that are secret by name."""

    def __init__(self) -> None:
        self._values: tuple[str, ...] = ()

    def remember(self, secrets: Iterable[str]) -> None:
        """Mask these values from now on, as they are and as they stand in a URL."""
        spellings = {
            spelling
            for secret in secrets
            if len(secret) >= _SHORTEST
            for spelling in (secret, quote(secret, safe=""), quote(secret))
        }
        # The longest first: one secret may begin with another.
        self._values = tuple(sorted({*self._values, *spellings}, key=len, reverse=True))

    def text(self, text: str) -> str:
        """The text without any known secret value."""
        for value in self._values:
            if value in text:
                text = text.replace(value, MASK)
        return text

    def field(self, name: str, value: object) -> object:
        """The value of a field as it may be written; containers are walked."""
        if name.lower() in SECRET_NAMES:
            return MASK if value else value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {str(key): self.field(str(key), each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.field(name, each) for each in value]
        return value


REDACTOR = Redactor()
"""The one of this process: whatever one command learned is masked everywhere."""
