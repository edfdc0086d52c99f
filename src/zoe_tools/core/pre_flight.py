"""Judges every precondition of going live: facts in, a grouped report out.

It asks nobody: what could not be read arrives as `Unread` and is judged as such. It changes
nothing, and knows no limit of its own but how far two clocks may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from zoe_tools.core.risk_orders import allowed_check
from zoe_tools.domain.account import Account, KeyInfo
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue, InstrumentStatus
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.market import Quote, VenueMode
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.observation import Lease
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.trading_state import TradingState

REQUIRED_PERMISSIONS: Mapping[str, str] = {
    "query-funds": "Funds - Query",
    "query-open-trades": "Orders - Query open",
    "query-closed-trades": "Orders - Query closed",
    "modify-trades": "Orders - Create & modify",
    "query-ledger": "Data - Query ledger",
    "create-ws-token": "WebSocket interface",
}
"""What zoe calls, by Kraken's token and by its name on the key's page (kraken-spot section 2.4)."""

FORBIDDEN_PERMISSIONS: Mapping[str, str] = {
    "withdraw-funds": "Funds - Withdraw",
    "add-withdraw-address": "withdrawal addresses: add",
    "update-withdraw-address": "withdrawal addresses: update",
}
"""What a trading key must not be able to do: whoever steals it could take the money."""

SKEW_WARN_S = 1.0
VENUE_TIME_STEP_S = 1.0
"""Kraken tells its time in whole seconds (kraken-spot section 5)."""

_DAY_S, _SOON_DAYS = 86_400, 7
_FAILED, _VENUE, _STORE = 3, 5, 7
_PRECEDENCE = (_STORE, _VENUE, _FAILED)


class Verdict(StrEnum):
    """How one check came out."""

    PASS = "pass"  # noqa: S105 - a verdict
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the report; `next_step` says what to do unless it passed."""

    group: str
    name: str
    verdict: Verdict
    detail: str
    next_step: str = ""
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PreFlightReport:
    """All checks, in the order of their groups."""

    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        found = {check.verdict for check in self.checks}
        return next(each for each in reversed(Verdict) if each in found or each is Verdict.PASS)

    @property
    def exit_code(self) -> int:
        """0 unless something failed: 7 the store, 5 the venue, 3 anything else, in that order."""
        codes = {check.exit_code for check in self.checks if check.verdict is Verdict.FAIL}
        return next((code for code in _PRECEDENCE if code in codes), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A fact that could not be had: why, what to do, and the exit code of that error."""

    reason: str
    hint: str
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFact:
    """The venue's time and ours, asked together; `skew_s` is positive where ours is behind.

    It is taken from the middle of the venue's second and of the round trip.
    """

    skew_s: float
    round_trip_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFacts:
    """What the venue said."""

    clock: ClockFact | Unread
    mode: VenueMode | Unread
    catalogue: InstrumentCatalogue | Unread
    quotes: tuple[Quote, ...] | Unread
    key: KeyInfo | Unread
    balances: tuple[Balance, ...] | Unread

    @classmethod
    def unread(cls, why: Unread) -> VenueFacts:
        """Nothing could be asked."""
        return cls(clock=why, mode=why, catalogue=why, quotes=why, key=why, balances=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What the store holds of the account; `lease` only while somebody holds it."""

    revision: str
    trading_state: TradingState
    unresolved_intents: int
    lease: Lease | None
    daily_notional: Decimal = ZERO
    limits: Mapping[str, str] = field(default_factory=dict)
    """Limits that the store tightens, setting -> text; the policy has them already."""
    unprotected: tuple[str, ...] = ()
    """Instruments of which a position is open and no stop is linked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreFlightFacts:
    """Everything that is judged. `absent` names features that configuration leaves out."""

    taken_at: datetime
    account: Account
    policy: Policy
    symbols: tuple[str, ...]
    live_consent: bool
    venue: VenueFacts
    store: StoreFacts | Unread
    warnings: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    audit_key: tuple[str, str] | None = None
    """What is wrong with the key that signs the audit log, and what to do; None: nothing is."""


def assess_pre_flight(facts: PreFlightFacts) -> PreFlightReport:
    """The report, grouped; the same facts give the same report."""
    groups = (_configuration, _venue, _key, _instruments, _money, _limits, _store, _trading)
    return PreFlightReport(checks=tuple(check for group in groups for check in group(facts)))


def _passed(group: str, name: str, detail: str) -> Check:
    return Check(group=group, name=name, verdict=Verdict.PASS, detail=detail)


def _warned(group: str, name: str, detail: str, next_step: str) -> Check:
    return Check(group=group, name=name, verdict=Verdict.WARN, detail=detail, next_step=next_step)


def _failed(
    group: str, name: str, detail: str, next_step: str, *, exit_code: int = _FAILED
) -> Check:
    return Check(
        group=group,
        name=name,
        verdict=Verdict.FAIL,
        detail=detail,
        next_step=next_step,
        exit_code=exit_code,
    )


def _unread(group: str, name: str, why: Unread) -> Check:
    return _failed(group, name, why.reason, why.hint, exit_code=why.exit_code)


def _configuration(facts: PreFlightFacts) -> Iterator[Check]:
    group = "configuration"
    for warning in facts.warnings:
        yield _warned(group, "settings", warning, "Run `zoe config show`.")
    if not facts.warnings:
        yield _passed(group, "settings", "every setting is known and fits the others")
    if facts.account.mode == "live" and not facts.live_consent:
        yield _warned(
            group,
            "consent",
            "the account is live, and nobody has consented",
            "When you mean it: export I_UNDERSTAND_LIVE=1",
        )
    elif facts.account.mode == "live":
        yield _passed(group, "consent", "I_UNDERSTAND_LIVE=1 is in the environment")
    else:
        yield _passed(group, "consent", "not needed: the account is paper")
    if facts.policy.allow_targets_without_stop:
        yield _warned(
            group,
            "targets",
            "they may rest in place of a stop, and while no loop runs nothing stops what they hold",
            "ALLOW_TARGETS_WITHOUT_STOP allows it: better not.",
        )
    for feature, setting in facts.absent.items():
        yield _passed(
            group, feature, f"absent by configuration: {setting} is empty; its rule is off"
        )


def _venue(facts: PreFlightFacts) -> Iterator[Check]:
    group = "venue"
    clock, mode = facts.venue.clock, facts.venue.mode
    if isinstance(clock, Unread):
        yield _unread(group, "reachable", clock)
    else:
        yield _passed(group, "reachable", f"answered in {clock.round_trip_s * 1000:.0f} ms")
        yield _clock(group, clock, facts.policy.order_deadline_s)
    if isinstance(mode, Unread):
        yield _unread(group, "mode", mode)
    elif mode is VenueMode.ONLINE:
        yield _passed(group, "mode", "online")
    elif mode in {VenueMode.POST_ONLY, VenueMode.LIMIT_ONLY}:
        yield _warned(group, "mode", mode.value, "Market orders and stops will not fill: wait.")
    else:
        yield _failed(group, "mode", mode.value, "Wait until the venue is online.")


def _clock(group: str, clock: ClockFact, deadline_s: float) -> Check:
    skew = abs(clock.skew_s)
    told = f"{clock.skew_s:+.1f} s against the venue"
    repair = "Switch on time synchronisation (chrony or systemd-timesyncd) on this host."
    # Half of the round trip and of the venue's second are doubts of the measure, not the clock's.
    certain = skew - clock.round_trip_s / 2 - VENUE_TIME_STEP_S / 2
    if certain >= deadline_s:
        return _failed(group, "clock", f"{told}: orders would expire before they arrive", repair)
    if certain > SKEW_WARN_S:
        return _warned(group, "clock", told, repair)
    return _passed(group, "clock", told)


def _key(facts: PreFlightFacts) -> Iterator[Check]:
    group = "key"
    key = facts.venue.key
    if isinstance(key, Unread):
        yield _unread(group, "authentication", key)
        return
    name = f"{key.name!r}" if key.name else "the key"
    yield _passed(group, "authentication", f"{name} is accepted")
    missing = [what for token, what in REQUIRED_PERMISSIONS.items() if token not in key.permissions]
    if missing:
        yield _failed(
            group,
            "permissions",
            f"missing: {'; '.join(missing)}",
            "Grant them on the key's page at Kraken.",
        )
    else:
        yield _passed(group, "permissions", "trade and query present")
    excess = [what for token, what in FORBIDDEN_PERMISSIONS.items() if token in key.permissions]
    told = f"the key may: {'; '.join(excess)}"
    if excess and facts.policy.allow_withdrawal_key:
        yield _warned(group, "withdrawal", told, "ALLOW_WITHDRAWAL_KEY allows it: better not.")
    elif excess:
        yield _failed(
            group,
            "withdrawal",
            told,
            "Take that away on the key's page: whoever steals the key could take the money.",
        )
    else:
        yield _passed(group, "withdrawal", "the key cannot withdraw")
    yield _expiry(group, key.valid_until, facts.taken_at)


def _expiry(group: str, valid_until: datetime | None, now: datetime) -> Check:
    """A key that dies overnight leaves positions that nobody can close."""
    if valid_until is None:
        return _passed(group, "expiry", "the key does not expire")
    days = (valid_until - now).total_seconds() / _DAY_S
    told = f"the key expires at {valid_until:%Y-%m-%d %H:%M} UTC"
    renew = "Make a new key at Kraken and put it into place."
    if days <= 1:
        return _failed(group, "expiry", told, renew)
    if days <= _SOON_DAYS:
        return _warned(group, "expiry", told, renew)
    return _passed(group, "expiry", told)


def _instruments(facts: PreFlightFacts) -> Iterator[Check]:
    group = "instruments"
    catalogue = facts.venue.catalogue
    if isinstance(catalogue, Unread):
        yield _unread(group, "catalogue", catalogue)
        return
    quotes = facts.venue.quotes
    asks = {} if isinstance(quotes, Unread) else {each.symbol: each.ask for each in quotes}
    for symbol in facts.symbols:
        found = catalogue.find(symbol)
        if found is None:
            yield _failed(
                group,
                symbol,
                "the venue knows no such instrument",
                "Correct EDGE_FACTORY_SYMBOLS.",
            )
            continue
        refusal = allowed_check(found.symbol, catalogue, facts.policy)
        if refusal is not None:
            yield _failed(group, found.symbol, refusal[1], "Correct ALLOWED_SYMBOLS.")
            continue
        yield _instrument(group, found, asks.get(found.symbol), facts.policy)


def _instrument(group: str, found: Instrument, ask: Decimal | None, policy: Policy) -> Check:
    if found.status is not InstrumentStatus.ONLINE:
        return _failed(
            group,
            found.symbol,
            f"{found.status.value}: entries would be refused",
            "Take it out of EDGE_FACTORY_SYMBOLS, or wait.",
        )
    if ask is None:
        return _warned(group, found.symbol, "online, but nobody quotes it", "Look at the market.")
    smallest = max(found.min_cost, found.cost(price=ask, quantity=found.min_quantity))
    cap = policy.max_notional_per_trade
    told = f"online; the smallest order costs {short(smallest)} {found.quote}"
    if cap == ZERO:
        return _warned(group, found.symbol, f"{told}; MAX_NOTIONAL_PER_TRADE is 0", "No entries.")
    if smallest > cap:
        return _failed(
            group,
            found.symbol,
            f"{told}, and one trade may cost {short(cap)}",
            "Raise MAX_NOTIONAL_PER_TRADE or take the instrument out of EDGE_FACTORY_SYMBOLS.",
        )
    return _passed(group, found.symbol, f"{told}, allowed are {short(cap)}")


def _money(facts: PreFlightFacts) -> Iterator[Check]:
    group = "balances"
    balances, catalogue = facts.venue.balances, facts.venue.catalogue
    if isinstance(balances, Unread):
        yield _unread(group, "balances", balances)
        return
    if isinstance(catalogue, Unread):
        return
    found = [catalogue.find(symbol) for symbol in facts.symbols]
    needed = facts.policy.max_notional_per_trade
    for quote in sorted({each.quote for each in found if each is not None}):
        free = sum((each.available for each in balances if each.asset == quote), ZERO)
        if free < needed:
            yield _warned(
                group,
                quote,
                f"{short(free)} free; one trade may cost {short(needed)}",
                f"Deposit {quote}, or lower MAX_NOTIONAL_PER_TRADE.",
            )
        else:
            yield _passed(group, quote, f"{short(free)} free")


def _limits(facts: PreFlightFacts) -> Iterator[Check]:
    group = "limits"
    store, policy = facts.store, facts.policy
    if isinstance(store, Unread):
        return
    left = policy.max_daily_notional - store.daily_notional
    told = f"{short(max(left, ZERO))} of {short(policy.max_daily_notional)} are left today"
    if left <= ZERO:
        yield _warned(group, "today", told, "No entries until the next UTC day.")
    else:
        yield _passed(group, "today", told)
    yield _passed(
        group,
        "exposure",
        f"at most {short(policy.exposure_cap)}, {short(policy.position_cap)} an instrument, in"
        f" {policy.max_open_positions} positions",
    )
    if store.limits:
        named = ", ".join(f"{name} {text}" for name, text in sorted(store.limits.items()))
        yield _passed(group, "tightened", f"in the store: {named}")


def _store(facts: PreFlightFacts) -> Iterator[Check]:
    store = facts.store
    if isinstance(store, Unread):
        yield _unread("store", "database", store)
    else:
        yield _passed("store", "database", f"at migration {store.revision}, writable")
    if facts.audit_key is not None:
        yield _warned("store", "audit key", *facts.audit_key)


def _trading(facts: PreFlightFacts) -> Iterator[Check]:
    group = "trading"
    store = facts.store
    if isinstance(store, Unread):
        yield _unread(group, "kill state", store)
        return
    state = store.trading_state
    if not state.may_enter:
        told = f"{state.level.label}: {state.reason}" if state.reason else state.level.label
        yield _failed(group, "kill state", told, "Find out why, then run `zoe resume`.")
    else:
        yield _passed(group, "kill state", "armed")
    if state.stopped:
        told = ", ".join(f"{name} at {each.level.label}" for name, each in state.stopped)
        yield _warned(
            group, "instruments", f"stopped: {told}", "`zoe resume --instrument NAME` re-arms one."
        )
    if store.unresolved_intents:
        yield _failed(
            group,
            "intents",
            f"{store.unresolved_intents} with an unknown outcome",
            "Run `zoe reconcile --execute`.",
        )
    else:
        yield _passed(group, "intents", "none unresolved")
    if store.unprotected:
        yield _warned(
            group,
            "stops",
            f"positions without a stop: {', '.join(store.unprotected)}",
            "Run `zoe recover-sl`.",
        )
    else:
        yield _passed(group, "stops", "every open position has its stop")
    lease = store.lease
    if lease is None:
        yield _passed(group, "loop", "no loop runs on this account")
    else:
        held_s = (facts.taken_at - lease.acquired_at).total_seconds()
        yield _warned(
            group,
            "loop",
            f"a loop runs on {lease.host}, pid {lease.pid}, since {held_s:.0f} s",
            "A second one will be refused; watch this one with `zoe status`.",
        )
