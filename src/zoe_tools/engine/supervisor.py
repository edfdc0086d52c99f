"""The life of a run: take the account, look around, start the tasks, stop in order.

One loop an account: the lease comes first, and is given back on every way out. Then `starting`
looks around, and from there on turns protect what is held, while the start is completed beside
them. A start that fails trades nothing: what is held is protected, by REST where the streams are
not there, and where nothing is held the run ends. A task that fails ends the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from functools import partial

from zoe_tools.core.run_report import LoopTally
from zoe_tools.domain.snapshot import Reading
from zoe_tools.engine.alarm import watch_alarm
from zoe_tools.engine.beating import beat_for_ever
from zoe_tools.engine.boot import BootLog
from zoe_tools.engine.breaker_watch import watch_breaker
from zoe_tools.engine.dead_man import DeadMan
from zoe_tools.engine.desk_watch import DeskWatch
from zoe_tools.engine.invariants import watch_invariants
from zoe_tools.engine.leasing import LEASE_BEATS, Holder, IsGone, renew_lease, take_account
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.reconciling import compare_for_ever
from zoe_tools.engine.registry import watch_registry
from zoe_tools.engine.starting import Readiness, Start
from zoe_tools.engine.summary import summarise_for_ever
from zoe_tools.engine.work import Phase
from zoe_tools.engine.worth_watch import WorthWatch
from zoe_tools.errors import StoreUnavailable, VenueError, ZoeError
from zoe_tools.gate.kill_events import tell_kills
from zoe_tools.ports import Clock
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

_SETTLED_S = 1.0
"""So long after a deposit was heard of, all balances tell of it."""

_FLOWS_APART_S = 10.0
"""However many deposits come, the worth is looked at no more often."""

Watcher = Callable[[TradingLoop], Awaitable[None]]
"""Something that looks on while the loop runs, e.g. the live display."""

Farewell = Callable[[], Awaitable[None]]
"""What is done after the last turn, while the streams are still followed and booked."""


async def supervise(
    parts: LoopParts,
    *,
    holder: Holder,
    stop: asyncio.Event,
    is_gone: IsGone,
    readiness: Readiness | None = None,
    watcher: Watcher | None = None,
    farewell: Farewell | None = None,
    is_standby: bool = False,
) -> tuple[TradingLoop, LoopTally]:
    """Run until `stop` is set; returns the loop and what it counted.

    `is_standby`: wait for an account that another loop holds, instead of being refused.

    Raises:
        AccountBusy: another loop holds the account.
        PlanRefused: the account is not ready, and there is nothing to protect.
        VenueUnavailable: the streams did not come up in time, and there is nothing to protect.
        ZoeError: what ended a task; of several, that which must be dealt with first.
    """
    lease = await take_account(parts, holder, is_gone, stop if is_standby else None)
    if lease is None:
        await parts.feed.close()
        loop = TradingLoop(parts)
        return loop, loop.tally()
    parts.gate.trade_under(lease)
    loop = TradingLoop(parts)
    boot = BootLog(parts, holder, loop)
    start = Start(loop=loop, parts=parts, boot=boot, stop=stop, readiness=readiness)
    ended: BaseException | None = None
    await boot.enter(Phase.INITIALIZING)
    try:
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(beat_for_ever(loop, parts, holder))
            await start.look_around()
            await parts.gate.prepare(partial(_write_copy, loop, parts, holder))
            await boot.enter(Phase.RECONCILING)
            keeper.cancel()
        helpers = [*_beside(loop, parts, holder), *_polls(loop, parts), _note_stop(stop, boot)]
        helpers += start.tasks()
        if watcher is not None:
            helpers.append(_look_on(watcher, loop))
        end = partial(_end_at_home, loop, parts, holder, farewell)
        await _run_tasks(loop, parts, stop, helpers, end)
        return loop, loop.tally()
    except ExceptionGroup as group:
        ended = _weightiest(group)
        raise ended from group
    except BaseException as error:
        ended = error
        raise
    finally:
        start.let_go()
        await parts.feed.close()
        await boot.end(ended)
        await parts.store.run(lambda tx: tx.release_lease(holder.run_id))


_WEIGHTS = (1, 6, 7, 5, 4)
"""Exit codes by weight: a bug first, then the outcome nobody knows, the store, the venue."""


def _weightiest(group: ExceptionGroup[Exception]) -> Exception:
    """Of what ended the tasks, that which the operator must deal with first."""

    def weight(error: Exception) -> int:
        code = error.exit_code if isinstance(error, ZoeError) else 1
        return _WEIGHTS.index(code) if code in _WEIGHTS else len(_WEIGHTS)

    return min(_leaves(group), key=weight)


def _leaves(group: ExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _run_tasks(
    loop: TradingLoop,
    parts: LoopParts,
    stop: asyncio.Event,
    beside: Sequence[Coroutine[None, None, None]],
    farewell: Farewell,
) -> None:
    async with asyncio.TaskGroup() as group:
        follower = group.create_task(loop.follow())
        helpers = [group.create_task(each) for each in beside]
        await loop.turn_until(stop)
        await farewell()
        for helper in helpers:
            helper.cancel()
        await parts.feed.close()
        await follower


async def _note_stop(stop: asyncio.Event, boot: BootLog) -> None:
    """An orderly stop takes its time: entries are cancelled, what they bought is protected."""
    await stop.wait()
    await boot.enter(Phase.STOPPING)


async def _look_on(watcher: Watcher, loop: TradingLoop) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await watcher(loop)


def _beside(
    loop: TradingLoop, parts: LoopParts, holder: Holder
) -> list[Coroutine[None, None, None]]:
    return [
        beat_for_ever(loop, parts, holder),
        _watch_store(loop, parts, holder),
        *([summarise_for_ever(loop, parts, holder)] if parts.trace.is_logged else []),
    ]


def _polls(loop: TradingLoop, parts: LoopParts) -> list[Coroutine[None, None, None]]:
    return [
        *((compare_for_ever(loop, parts),) if parts.compares else ()),
        loop.keeper.run(),
        loop.deciding.run(),
        loop.safe_mode.run(),
        watch_invariants(loop, parts),
        *([] if parts.alarm is None else [watch_alarm(parts.alarm, loop, parts)]),
        *_dead_man(loop, parts),
        loop.following.records.chase_for_ever(parts.cadence.health_s),
        _poll_trading_state(loop, parts),
        _poll_instruments(loop, parts),
        _poll_key(loop, parts),
        watch_registry(parts, loop),
        DeskWatch(loop, parts).run(),
        *([] if parts.funding is None else [parts.funding.run()]),
        *([] if parts.breaker is None else [watch_breaker(parts.breaker, loop, parts)]),
        *([] if parts.margin is None else [parts.margin.run()]),
        *([] if parts.worth is None else [_watch_worth(parts.worth, loop, parts)]),
    ]


def _dead_man(loop: TradingLoop, parts: LoopParts) -> list[Coroutine[None, None, None]]:
    if not (parts.dead_man_s or parts.gate.countdown_in_doubt_s) or not parts.gate.has_countdown:
        return []
    return [DeadMan(parts.dead_man_s, loop, parts).run()]


async def _watch_worth(worth: WorthWatch, loop: TradingLoop, parts: LoopParts) -> None:
    """First soon after the start: a loop that never runs for long is measured, too.

    Not while the store is away: what its copy is told of flows would be forgotten with it.
    """
    while True:
        await parts.clock.sleep(_FLOWS_APART_S)
        if not parts.gate.is_store_away:
            await worth.look(tuple(loop.view.quotes.values()), loop.totals())
            parts.work.done("worth", parts.clock.now())
        await _until_flow(worth, parts)


async def _until_flow(worth: WorthWatch, parts: LoopParts) -> None:
    """Until it is time to look again, or money came or went and the balances tell of it."""
    rest_s = parts.cadence.worth_s - _FLOWS_APART_S
    async with asyncio.TaskGroup() as group:
        waits = [
            group.create_task(_slept(parts.clock, rest_s)),
            group.create_task(worth.flowed.wait()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
    if worth.flowed.is_set():
        worth.flowed.clear()
        await parts.clock.sleep(_SETTLED_S)


async def _slept(clock: Clock, seconds: float) -> bool:
    await clock.sleep(seconds)
    return True


async def _poll_trading_state(loop: TradingLoop, parts: LoopParts) -> None:
    """An operator's `kill`, or the runbooks' SQL, is noticed within a second.

    It is told here even where the books read it first, with everything else.
    """
    loop.books.note_told()
    while True:
        if await loop.books.refresh_trading_state(parts.clock.now()):
            loop.wake()
        tell_kills(
            loop.books.trading_state,
            before=loop.books.told_state,
            positions=loop.books.positions,
            orders=loop.books.orders,
        )
        loop.books.note_told()
        await _until_news(parts)


async def _until_news(parts: LoopParts) -> None:
    """Until it is time to ask again, or somebody says that there is something to hear."""
    if parts.news is None:
        await parts.clock.sleep(parts.cadence.state_poll_s)
        return
    async with asyncio.TaskGroup() as group:
        waits = [
            group.create_task(_slept(parts.clock, parts.cadence.state_poll_s)),
            group.create_task(parts.news.wait()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
    parts.news.clear()


async def _poll_instruments(loop: TradingLoop, parts: LoopParts) -> None:
    """What the stream missed of the instruments' statuses, the venue's list tells."""
    while True:
        await parts.clock.sleep(parts.cadence.instruments_s)
        try:
            update = await parts.venue.instrument_statuses()
        except VenueError as error:
            _LOG.warning("The instruments cannot be read: %s", error.message)
        else:
            await loop.following.heed_statuses(update, "list")


async def _poll_key(loop: TradingLoop, parts: LoopParts) -> None:
    """What the key may do can be changed at the venue at any time; nobody tells.

    Until it is known at all, it is asked often: nothing is entered meanwhile.
    """
    cadence = parts.cadence
    while True:
        is_known = isinstance(loop.key, Reading)
        await parts.clock.sleep(cadence.instruments_s if is_known else cadence.health_s)
        try:
            told = await parts.venue.key_info()
        except VenueError as error:
            _LOG.warning("What the key may do cannot be read: %s", error.message)
        else:
            loop.key = Reading(told, parts.clock.now(), "GetApiKeyInfo")


def _write_copy(
    loop: TradingLoop, parts: LoopParts, holder: Holder, transaction: Transaction
) -> None:
    """The books as last read, for the copy that stands in for the store: the account is ours."""
    ttl_s = parts.cadence.health_s * LEASE_BEATS
    now = parts.clock.now()
    transaction.acquire_lease(holder.run_id, holder.host, holder.pid, now, ttl_s, holder.machine)
    loop.books.write_into(transaction)


async def _watch_store(loop: TradingLoop, parts: LoopParts, holder: Holder) -> None:
    """While the store is away, ask for it; when it is back, it is told what it missed."""
    while True:
        await parts.clock.sleep(parts.cadence.state_poll_s)
        await loop.return_to_store(partial(renew_lease, parts, holder, parts.clock.now()))


async def _end_at_home(
    loop: TradingLoop, parts: LoopParts, holder: Holder, farewell: Farewell | None
) -> None:
    """The last that is done; a run does not end well with books that lack what it did.

    Raises:
        StoreUnavailable: the store is still away.
    """
    await loop.return_to_store(partial(renew_lease, parts, holder, parts.clock.now()))
    if parts.gate.is_store_away:
        left = f" Left undone: {loop.left.what}." if loop.left.what else ""
        raise StoreUnavailable(
            "The run ended while its store was away; what it did waits in the emergency journal."
            f"{left}",
            hint="Bring the store back; the next command with --execute books it.",
        )
    if farewell is not None:
        await farewell()
