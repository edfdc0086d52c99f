"""The accounts of the exchange: who they are, what they own, and how their calls are known."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal

from zoe_tools.paper.exchange_base import Commands
from zoe_tools.paper.keys import ApiKey, KeyRing
from zoe_tools.paper.rate_counters import CALL, Tier, charge_rest
from zoe_tools.paper.refusal import Refusal
from zoe_tools.paper.state import StateFile
from zoe_tools.paper.tokens import TokenBook
from zoe_tools.paper.views import PERMISSIONS, Principal


class AccountCommands(Commands):
    """Accounts, their API keys and their WebSocket tokens."""

    tokens: TokenBook
    _keys: KeyRing
    _state: StateFile | None
    tier: Tier | None

    def create_account(
        self,
        name: str,
        api_key: str,
        api_secret: str,
        permissions: frozenset[str] = frozenset(PERMISSIONS),
        balances: Mapping[str, Decimal] | None = None,
        *,
        has_margin: bool = False,
    ) -> str:
        """A new account with one key; balances by v2 asset name. Returns the account's id.

        Only an account with `has_margin` may use leverage.

        Raises:
            ConfigError: the key exists already, or the secret is not base64.
            Refusal: an unknown asset or an impossible amount.
        """
        self._keys.check_new(api_key, api_secret)
        account_id, events = self._engine.create_account(
            name, balances or {}, self.now(), has_margin=has_margin
        )
        self._tell(events, (self._new_key(account_id, api_key, api_secret, permissions),))
        return account_id

    def add_key(
        self,
        account_id: str,
        api_key: str,
        api_secret: str,
        permissions: frozenset[str] = frozenset(PERMISSIONS),
    ) -> Principal:
        """One more key of an account; it has a nonce and a REST counter of its own.

        Raises:
            ConfigError: the key exists already, or the secret is not base64.
        """
        self._keys.check_new(api_key, api_secret)
        key = self._new_key(account_id, api_key, api_secret, permissions)
        self._tell([], (key,))
        return key.principal

    def _new_key(
        self, account_id: str, api_key: str, api_secret: str, permissions: frozenset[str]
    ) -> ApiKey:
        principal = Principal(
            account_id=account_id,
            name=self._floor.account(account_id).name,
            api_key=api_key,
            permissions=permissions,
            created_at=self.now(),
        )
        key = ApiKey(principal, api_secret)
        self._keys.add(key)
        return key

    @property
    def principals(self) -> tuple[Principal, ...]:
        """All keys with their accounts, oldest first."""
        return tuple(key.principal for key in self._keys.keys.values())

    def authenticate(
        self, *, api_key: str, signature: str, path: str, body: bytes, nonce: str
    ) -> Principal:
        """Who signed a REST request; its nonce is spent, and on disk, before this returns.

        Raises:
            Refusal: as `KeyRing.signed_by` and `KeyRing.spend`; `EAPI:Rate limit exceeded`, with
                the nonce spent.
        """
        key = self._keys.signed_by(
            api_key=api_key, signature=signature, path=path, body=body, nonce=nonce
        )
        key.used_at = self.now()
        try:
            self._admit(key, path.rpartition("/")[2], nonce)
        finally:
            if self._state is not None:
                self._state.save_key(key)
        return key.principal

    def _admit(self, key: ApiKey, method: str, nonce: str) -> None:
        """Spend the nonce and count the call; a bad nonce is the first thing that is told."""
        try:
            self._keys.spend(key, nonce)
        except Refusal:
            if self.tier is not None and self.quirks.counts_bad_nonces:
                with suppress(Refusal):
                    charge_rest(key.calls, method, key.used_at, self.tier)
            raise
        if self.tier is not None:
            charge_rest(key.calls, method, key.used_at, self.tier)

    def rest_count(self, api_key: str) -> Decimal:
        """The REST counter of a key now, in calls."""
        if self.tier is None:
            return Decimal(0)
        calls = self._keys.keys[api_key].calls
        return Decimal(calls.decayed(self.now(), self.tier.rest_decay)) / CALL

    def nonce_of(self, api_key: str) -> int:
        """The highest nonce accepted for the key."""
        return self._keys.keys[api_key].nonce

    def issue_token(self, principal: Principal) -> str:
        """A WebSocket token, good for 900 s and while a private subscription holds it."""
        token = self._floor.mint.token(self._keys.keys[principal.api_key].secret)
        self.tokens.add(token, principal, self.now())
        self.save()
        return token

    def account_by_token(self, token: str) -> Principal:
        """Who was given this token.

        Raises:
            Refusal: `ESession:Invalid session`: a stranger's, or too old.
        """
        return self.tokens.principal(token, self.now())
