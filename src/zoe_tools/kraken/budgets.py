"""What a key may still ask of the venue, agreed between all who share it.

The counters and pauses live in the shared note of `ports.Coordination`; limits.py says what they
mean. Cancels and protection are counted and never held back (kraken-spot section 3).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.plan import Plan, VenueStep
from zoe_tools.domain.rate_cost import VenueRead
from zoe_tools.errors import VenueThrottled, ZoeError
from zoe_tools.kraken import limits, prices
from zoe_tools.kraken.errors import LOCKOUT_S
from zoe_tools.kraken.limits import CallCounter, Counters, Tier, Transaction
from zoe_tools.kraken.prices import Standing
from zoe_tools.ports import Clock, Coordination

T = TypeVar("T")

LONGEST_WAIT_S = 10.0
"""A call that would have to wait longer for a pause or a pair's counter is given up."""

_LOG = logging.getLogger(__name__)
_FREE_REFUSALS = 5
_LONGEST_BACKOFF_S = 120
"""With these a key meets fewer than 20 invalid nonces in a lockout's quarter of an hour."""

_MOST_ORDERS = 2_000
_MICROSECONDS = 1_000_000


class _Note(msgspec.Struct):
    """Counts in 1e-8 calls, moments in microseconds since 1970 (venue time).

    `orders`: pair, and when placed or last amended, of orders that are still dear to cancel.
    """

    rest: tuple[int, int] | None = None
    engine: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    orders: dict[str, tuple[str, int]] = msgspec.field(default_factory=dict)
    paused_until: int = 0
    locked_until: int = 0
    nonce_refusals: list[int] = msgspec.field(default_factory=list)


class Budgets:
    """The budgets of one key. Without a tier nothing is counted; pauses are kept all the same."""

    def __init__(self, coordination: Coordination, clock: Clock, tier: Tier | None) -> None:
        self._coordination = coordination
        self._clock = clock
        self._tier = tier
        self._knows_of_pause = False

    @property
    def is_counted(self) -> bool:
        """Whether the venue counts at all."""
        return self._tier is not None

    async def standing(self) -> Counters | None:
        """Where the counters stand; None where nothing is counted."""
        tier = self._tier
        return None if tier is None else await self._look(lambda note: _counters(note, tier))

    async def priced(
        self,
        plan: Plan,
        *,
        looks: Sequence[VenueRead],
        proofs: Callable[[VenueStep], Sequence[VenueRead]],
    ) -> Plan:
        """See `ports.Pricing`."""
        tier, now = self._tier, self._clock.now()
        if tier is None:
            return plan

        def view(note: _Note) -> Standing:
            return Standing(
                tier=tier,
                counters=_counters(note, tier),
                ages_s={VenueOrderId(each): _age_s(row, now) for each, row in note.orders.items()},
                silent_us=max(0, note.paused_until - limits.microseconds_of(now)),
            )

        try:
            standing = await self._look(view)
        except ZoeError as error:
            _LOG.warning("what the plan costs cannot be told: %s", error.message)
            return plan
        return prices.priced(plan, looks=looks, proofs=proofs, standing=standing, now=now)

    async def take_call(self, cost: int) -> float:
        """Charge a REST call, or say how many seconds to wait before asking again."""
        tier = self._tier
        if tier is None or not cost:
            return 0.0

        def step(note: _Note) -> float:
            now, counter = self._clock.now(), _rest(note, tier)
            wait_s = counter.wait_s(now, cost + limits.REST_MARGIN)
            if not wait_s:
                note.rest = _kept(counter.after(now, cost))
            return wait_s

        return await self._change(step)

    async def settle_call(self, cost: int) -> None:
        """The answer to a charged call is in, or will never be."""
        tier = self._tier
        if tier is None or not cost:
            return

        def step(note: _Note) -> None:
            note.rest = _kept(_rest(note, tier).settled(self._clock.now(), cost))

        await self._change_if_possible(step)

    async def check_pause(self) -> float:
        """Seconds that the venue asked this key to be silent for; 0 most of the time.

        Raises:
            VenueThrottled: the key is locked out; asking would prolong it.
        """
        if self._tier is None and not self._knows_of_pause:
            return 0.0
        now_us = limits.microseconds_of(self._clock.now())
        locked, paused = await self._look(lambda note: (note.locked_until, note.paused_until))
        if now_us < locked:
            raise VenueThrottled(
                "Kraken has locked this key out for a while; nothing was sent.",
                hint="Make no call until then, and see whether another program uses the key.",
                code="EGeneral:Temporary lockout",
                retry_after_s=(locked - now_us) / _MICROSECONDS,
            )
        return max(paused - now_us, 0) / _MICROSECONDS

    async def refused(self, error: VenueThrottled) -> None:
        """Tell all who share the key what the venue answered."""
        until = limits.microseconds_of(self._clock.now()) + round(
            error.retry_after_s * _MICROSECONDS
        )
        tier = self._tier

        def step(note: _Note) -> None:
            if error.code.startswith("EGeneral:Temporary lockout"):
                note.locked_until = max(note.locked_until, until)
            elif error.code.startswith("EService:Throttled"):
                note.paused_until = max(note.paused_until, until)
            elif error.code.startswith("EAPI:Rate limit") and tier is not None:
                # Somebody else uses the key: the venue's counter is full, whatever ours says.
                full = limits.rest_counter(tier).maximum
                note.rest = full, limits.microseconds_of(self._clock.now())

        self._knows_of_pause = True
        await self._change_if_possible(step)

    async def nonce_refused(self) -> None:
        """Count an invalid nonce; many of them make all who share the key wait."""
        now_us = limits.microseconds_of(self._clock.now())
        oldest = now_us - round(LOCKOUT_S) * _MICROSECONDS

        def step(note: _Note) -> None:
            note.nonce_refusals = [*(at for at in note.nonce_refusals if at > oldest), now_us]
            over = len(note.nonce_refusals) - _FREE_REFUSALS
            if over >= 0:
                wait_s = min(2 ** min(over, 10), _LONGEST_BACKOFF_S)
                note.paused_until = max(note.paused_until, now_us + wait_s * _MICROSECONDS)

        self._knows_of_pause = True
        await self._change_if_possible(step)

    # orders

    async def take_transaction(
        self,
        transaction: Transaction,
        *,
        symbol: Symbol | None = None,
        order_id: VenueOrderId | None = None,
        is_urgent: bool,
        deadline: datetime | None = None,
    ) -> None:
        """Charge a transaction to its pair's counter, once there is room.

        New risk leaves the reserved room free and waits; what is urgent is charged and never waits.
        Without `symbol` the pair is that of an order which was placed by those who share the key;
        others cost nothing here.

        Raises:
            VenueThrottled: room comes after the deadline, or too late; nothing was sent.
        """
        tier = self._tier
        if tier is None:
            return

        def step(note: _Note) -> float:
            now = self._clock.now()
            known = note.orders.get(order_id or "")
            name = symbol or (known[0] if known else "")
            if not name:
                return 0.0
            cost = limits.engine_cost(transaction, age_s=_age_s(known, now))
            counter = _engine(note, tier, name)
            wait_s = counter.wait_s(now, cost + limits.reserved_room(tier))
            if wait_s and not is_urgent:
                return wait_s
            note.engine[name] = _kept(counter.after(now, cost))
            return 0.0

        if is_urgent:
            await self._change_if_possible(step)
            return
        while (wait_s := await self._change(step)) > 0:
            left_s = (
                LONGEST_WAIT_S
                if deadline is None
                else (deadline - self._clock.now()).total_seconds()
            )
            if wait_s >= min(left_s, LONGEST_WAIT_S):
                raise VenueThrottled(
                    f"Too many orders and cancels on {symbol}: there is room in {wait_s:.1f} s; "
                    "nothing was sent.",
                    hint="Run the command again then; cancels and stops have room of their own.",
                    retry_after_s=wait_s,
                )
            await self._clock.sleep(wait_s)

    async def changed(self, order_id: VenueOrderId, symbol: Symbol) -> None:
        """An order was placed or amended now: it is dear to change again for some minutes."""
        if self._tier is None:
            return
        now_us = limits.microseconds_of(self._clock.now())
        oldest = now_us - round(limits.FORGOTTEN_AFTER_S) * _MICROSECONDS

        def step(note: _Note) -> None:
            note.orders.pop(order_id, None)
            kept = [row for row in note.orders.items() if row[1][1] > oldest]
            note.orders = {**dict(kept[-_MOST_ORDERS + 1 :]), order_id: (symbol, now_us)}

        await self._change_if_possible(step)

    # the note

    async def _change_if_possible(self, step: Callable[[_Note], object]) -> None:
        """What was sent already, or must be sent in any case, does not fail by being counted."""
        try:
            await self._change(step)
        except ZoeError as error:
            _LOG.warning("the budgets of the key cannot be kept: %s", error.message)

    async def _look(self, view: Callable[[_Note], T]) -> T:
        return await self._coordination.change(lambda text: (text, view(_note_in(text))))

    async def _change(self, step: Callable[[_Note], T]) -> T:
        def stepped(text: bytes) -> tuple[bytes, T]:
            note = _note_in(text)
            result = step(note)
            return msgspec.json.encode(note), result

        return await self._coordination.change(stepped)


def _note_in(text: bytes) -> _Note:
    """A note that cannot be read is as good as none: the venue says when it disagrees."""
    try:
        return msgspec.json.decode(text, type=_Note)
    except msgspec.DecodeError:
        return _Note()


def _counters(note: _Note, tier: Tier) -> Counters:
    return Counters(
        rest=_rest(note, tier),
        engine={Symbol(name): _engine(note, tier, name) for name in note.engine},
    )


def _rest(note: _Note, tier: Tier) -> CallCounter:
    return _standing(limits.rest_counter(tier), note.rest)


def _engine(note: _Note, tier: Tier, name: str) -> CallCounter:
    return _standing(limits.engine_counter(tier), note.engine.get(name))


def _standing(empty: CallCounter, kept: tuple[int, int] | None) -> CallCounter:
    if kept is None:
        return empty
    count, at = kept
    return CallCounter(maximum=empty.maximum, decay=empty.decay, count=count, counted_at=at)


def _kept(counter: CallCounter) -> tuple[int, int]:
    return counter.count, counter.counted_at or 0


def _age_s(known: tuple[str, int] | None, now: datetime) -> float:
    if known is None:
        return limits.FORGOTTEN_AFTER_S
    return max(limits.microseconds_of(now) - known[1], 0) / _MICROSECONDS
