"""The WebSocket tokens of one exchange: good for a quarter of an hour, and for longer while used.

A private subscription holds its token; when the last one that did has ended, its age counts again.
Times are given, in ns. Source: kraken-spot section 2.6.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import Principal

TOKEN_LIFE_S = 900
_ROOM = 64


@dataclass(slots=True)
class _Token:
    principal: Principal
    issued_at: int
    holders: int = 0

    def is_good(self, now: int) -> bool:
        return self.holders > 0 or now <= self.issued_at + TOKEN_LIFE_S * NS


class TokenBook:
    """Who was given which token, and which of them are in use."""

    def __init__(self) -> None:
        self._tokens: dict[str, _Token] = {}
        self._room = _ROOM

    def add(self, token: str, principal: Principal, now: int) -> None:
        """One more token. Now and then those that can be of no use any more are forgotten."""
        if len(self._tokens) >= self._room:
            self._tokens = {text: one for text, one in self._tokens.items() if one.is_good(now)}
            self._room = max(_ROOM, 2 * len(self._tokens))
        self._tokens[token] = _Token(principal, now)

    def principal(self, token: str, now: int) -> Principal:
        """Who was given the token.

        Raises:
            Refusal: `ESession:Invalid session`.
        """
        known = self._tokens.get(token)
        if known is None or not known.is_good(now):
            raise Refusal("ESession:Invalid session")
        return known.principal

    def hold(self, token: str) -> None:
        """A private subscription was made with it."""
        self._tokens[token].holders += 1

    def release(self, token: str) -> None:
        """That subscription has ended."""
        self._tokens[token].holders -= 1


class TokenHolds:
    """The tokens that one connection's private subscriptions hold, each by what it is for."""

    def __init__(self, tokens: TokenBook) -> None:
        self._tokens = tokens
        self._held: dict[Hashable, str] = {}

    def hold(self, subscription: Hashable, token: str) -> None:
        """The token stays good while this subscription lives."""
        self._held[subscription] = token
        self._tokens.hold(token)

    def release(self, subscription: Hashable) -> None:
        """This subscription has ended; one that held nothing releases nothing."""
        token = self._held.pop(subscription, None)
        if token is not None:
            self._tokens.release(token)

    def release_all(self) -> None:
        """The connection has ended."""
        for subscription in tuple(self._held):
            self.release(subscription)
