"""The accounts of the exchange: who they are, what they own, and how their calls are known."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal

from zoe_tools.paper.engine.rate_counters import CALL, TierName, charge_rest, rest_cost
from zoe_tools.paper.exchange.commands import Commands
from zoe_tools.paper.exchange.keys import ApiKey, KeyRing, SignedCall
from zoe_tools.paper.exchange.lockouts import Lockouts
from zoe_tools.paper.exchange.tokens import TokenBook
from zoe_tools.paper.values.key_terms import NO_TERMS, KeyTerms
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import PERMISSIONS, Principal

_FAILURES = frozenset({"EAPI:Invalid key", "EAPI:Invalid signature", "EAPI:Invalid nonce"})
"""Who hears these too often is locked out."""


class AccountCommands(Commands):
    """Accounts, their API keys and their WebSocket tokens."""

    tokens: TokenBook
    _keys: KeyRing
    _lockouts: Lockouts

    @abstractmethod
    def _used(self, key: ApiKey) -> None:
        """A key's nonce and counters have changed; on disk before its call is answered."""

    @abstractmethod
    def _forget_key(self, api_key: str) -> None:
        """A key is no more; on disk before this returns."""

    def create_account(
        self,
        name: str,
        api_key: str,
        api_secret: str,
        permissions: frozenset[str] = frozenset(PERMISSIONS),
        balances: Mapping[str, Decimal] | None = None,
        *,
        has_margin: bool = False,
        tier: TierName | None = None,
        terms: KeyTerms = NO_TERMS,
    ) -> str:
        """A new account with one key; balances by v2 asset name. Returns the account's id.

        Only an account with `has_margin` may use leverage. `tier` is None for the exchange's own.

        Raises:
            ConfigError: the key exists already, or the secret is not base64.
            Refusal: an unknown asset or an impossible amount, or terms that make no sense.
        """
        self._keys.check_new(api_key, api_secret)
        terms.check()
        account_id, events = self._engine.create_account(
            name, balances or {}, self.now(), has_margin=has_margin
        )
        self._floor.account(account_id).tier = tier
        key = self._new_key(account_id, api_key, api_secret, permissions, terms)
        self._tell(events, (key,))
        return account_id

    def add_key(
        self,
        account_id: str,
        api_key: str,
        api_secret: str,
        permissions: frozenset[str] = frozenset(PERMISSIONS),
        terms: KeyTerms = NO_TERMS,
    ) -> Principal:
        """One more key of an account; it has a nonce and a REST counter of its own.

        Raises:
            ConfigError: the key exists already, or the secret is not base64.
            Refusal: its terms make no sense.
        """
        self._keys.check_new(api_key, api_secret)
        terms.check()
        key = self._new_key(account_id, api_key, api_secret, permissions, terms)
        self._tell([], (key,))
        return key.principal

    def _new_key(
        self,
        account_id: str,
        api_key: str,
        api_secret: str,
        permissions: frozenset[str],
        terms: KeyTerms,
    ) -> ApiKey:
        principal = Principal(
            account_id=account_id,
            name=self._floor.account(account_id).name,
            api_key=api_key,
            permissions=permissions,
            created_at=self.now(),
            terms=terms,
        )
        key = ApiKey(principal, api_secret)
        self._keys.add(key)
        return key

    def remove_key(self, api_key: str) -> None:
        """Forget a key; the tokens that were given for it are of no use any more.

        Raises:
            Refusal: `EAPI:Invalid key`.
        """
        if self._keys.keys.pop(api_key, None) is None:
            raise Refusal("EAPI:Invalid key")
        self._forget_key(api_key)

    @property
    def api_keys(self) -> tuple[ApiKey, ...]:
        """All keys, oldest first."""
        return tuple(self._keys.keys.values())

    @property
    def principals(self) -> tuple[Principal, ...]:
        """All keys with their accounts, oldest first."""
        return tuple(key.principal for key in self._keys.keys.values())

    def authenticate(self, call: SignedCall) -> Principal:
        """Who signed a REST request; its nonce is spent, and on disk, before this returns.

        Raises:
            Refusal: as `KeyRing.signed_by` and `KeyRing.spend`; `EAPI:Rate limit exceeded`, with
                the nonce spent; `EGeneral:Temporary lockout` after too many failures.
        """
        now = self.now()
        name = call.api_key if call.api_key in self._keys.keys else f"at {call.client}"
        if self._lockouts.is_locked(name, now):
            raise Refusal("EGeneral:Temporary lockout")
        try:
            key = self._keys.signed_by(call, now)
            self._admit(key, call, now)
        except Refusal as refusal:
            if refusal.error in _FAILURES:
                self._count_failure(name, now)
            raise
        return key.principal

    def _admit(self, key: ApiKey, call: SignedCall, now: int) -> None:
        key.used_at = now
        try:
            self._spend_and_count(key, call, now)
        finally:
            self._used(key)

    def _spend_and_count(self, key: ApiKey, call: SignedCall, now: int) -> None:
        """A bad nonce is the first thing that is told."""
        key.asked += rest_cost(call.method)
        tier = self.tier_of(key.principal.account_id)
        try:
            self._keys.spend(key, call.nonce)
        except Refusal:
            if tier is not None and self.quirks.counts_bad_nonces:
                with suppress(Refusal):
                    charge_rest(key.calls, call.method, now, tier)
            raise
        if tier is not None:
            charge_rest(key.calls, call.method, now, tier)

    def _count_failure(self, name: str, now: int) -> None:
        """Of a key, or of an address that knows none; with limits only."""
        most = self.quirks.lockout_failures
        if self.tier is None or most is None:
            return
        window = self.quirks.lockout_s * NS
        until = self._lockouts.failed(name, now, most=most, window=window)
        key = self._keys.keys.get(name)
        if until is not None and key is not None:
            key.locked_until = until
            self._used(key)

    def rest_count(self, api_key: str) -> Decimal:
        """The REST counter of a key now, in calls."""
        key = self._keys.keys[api_key]
        tier = self.tier_of(key.principal.account_id)
        if tier is None:
            return Decimal(0)
        return Decimal(key.calls.decayed(self.now(), tier.rest_decay)) / CALL

    def rest_asked(self, api_key: str) -> Decimal:
        """What all calls of a key since the start would have added to its counter, in calls."""
        return Decimal(self._keys.keys[api_key].asked) / CALL

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
        principal = self.tokens.principal(token, self.now())
        if principal.api_key not in self._keys.keys:
            raise Refusal("ESession:Invalid session")
        return principal
