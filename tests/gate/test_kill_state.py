"""The trading state under two writers: who stops is never undone by who did not look."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

import builders
from builders import NOON, PAPER, make_intent, make_order, make_position
from templates import put_migrated
from zoe_tools.core.resume import plan_resume
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.plan import OutcomeState, SetTradingState, StepOutcome
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Reading, Snapshot
from zoe_tools.domain.trading_state import (
    ARMED,
    RESTORED,
    KillLevel,
    KillReason,
    TradingState,
    raised,
)
from zoe_tools.engine.books import Books
from zoe_tools.gate.fence import Withheld
from zoe_tools.gate.journal import Author, Entry, journal
from zoe_tools.gate.latch import latch_level
from zoe_tools.gate.margin_rearm import take_back
from zoe_tools.gate.preconditions import HALTED
from zoe_tools.gate.store_steps import STOPPED_AGAIN, apply_store_steps
from zoe_tools.gather import effective_trading_state, gather_store
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.store.database import engine_for
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")

PATIENCE_S = 20.0
LOOP = "run"
MARGINS = TradingState(
    level=KillLevel.PAUSE_ENTRIES,
    reason=KillReason.MARGIN_CRITICAL.worded("94 %"),
    changed_at=NOON - timedelta(hours=1),
    changed_by=LOOP,
)
"""What stands at first: a resume and the margin rule may both take it back."""


@pytest.fixture(params=("sqlite", "postgresql"))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_url"))
    put_migrated(tmp_path / "zoe.db")
    return f"sqlite:///{tmp_path / 'zoe.db'}"


@pytest.fixture
def stores(url: str) -> Iterator[tuple[Store, Store]]:
    """Two processes of one account."""
    both = tuple(Store.open(url, PAPER, clock_now=NOON) for _ in range(2))
    yield both[0], both[1]
    for each in both:
        each.close()


class Held:
    """A runner that does something just before it commits for the first time."""

    def __init__(self, store: Store, before_commit: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._before_commit = before_commit

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        del is_urgent
        with self._store.transaction() as transaction:
            found = work(transaction)
            first, self._before_commit = self._before_commit, lambda: None
            first()
        return found

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        return await InlineRunner(self._store).read(work, is_urgent=is_urgent)

    async def close(self) -> None:
        """See `StoreRunner`."""


def author(operator: str = "", command: str = LOOP) -> Author:
    """Who stops, or arms."""
    return Author(account=PAPER, command=command, operator=operator, host="here")


async def kill(runner: Held | InlineRunner, level: KillLevel, who: str) -> None:
    """`zoe kill`, or a loop's own halt."""
    await latch_level(
        store=runner,
        clock=VirtualClock(NOON),
        account=PAPER,
        policy=Policy(),
        level=level,
        reason=f"{who} says so",
        author=author(who, "kill"),
    )


async def looked(store: Store) -> Snapshot:
    """A look at a venue with which nothing is wrong."""
    snapshot = await gather_store(
        store=InlineRunner(store), clock=VirtualClock(NOON), account=PAPER, policy=Policy()
    )
    return replace(
        snapshot,
        venue_mode=Reading(VenueMode.ONLINE, NOON, "t"),
        open_orders=Reading((), NOON, "t"),
        balances=Reading((), NOON, "t"),
    )


async def step_of(runner: Held, step: SetTradingState) -> tuple[StepOutcome, ...]:
    """What a plan does that is applied now."""
    return await runner.run(lambda tx: apply_store_steps(tx, (step,), now=NOON, changed_by="ada"))


@dataclass(frozen=True, slots=True)
class Writer:
    """One way to write the state; `level` is what it stops at, none where it arms again."""

    level: KillLevel
    write: Callable[[Held, Snapshot], Awaitable[object]]


def resumed(snapshot: Snapshot) -> SetTradingState:
    """What was looked at, armed again."""
    state = snapshot.trading_state
    return SetTradingState(
        level=KillLevel.NONE,
        reason="lunch is over",
        before=state.level,
        stopped_at=state.changed_at,
        times_stopped=dict(snapshot.times_stopped).get(None, 0),
    )


WRITERS = {
    "kill as high": Writer(
        KillLevel.PAUSE_ENTRIES, lambda held, _: kill(held, KillLevel.PAUSE_ENTRIES, "ann")
    ),
    "kill": Writer(KillLevel.REDUCE_ONLY, lambda held, _: kill(held, KillLevel.REDUCE_ONLY, "bob")),
    "flatten": Writer(KillLevel.FLATTEN, lambda held, _: kill(held, KillLevel.FLATTEN, "cy")),
    "saved kill": Writer(
        KillLevel.CANCEL_OPEN,
        lambda held, _: step_of(held, SetTradingState(level=KillLevel.CANCEL_OPEN, reason="file")),
    ),
    "loop's": Writer(KillLevel.CANCEL_OPEN, lambda held, _: kill(held, KillLevel.CANCEL_OPEN, "")),
    "resume": Writer(KillLevel.NONE, lambda held, seen: step_of(held, resumed(seen))),
    "margin rule": Writer(
        KillLevel.NONE, lambda held, seen: take_back(held, seen, "over", author=author(), now=NOON)
    ),
}


def until_it_waits(url: str, writer: threading.Thread) -> None:
    """Until the server says that somebody waits for a lock, or the writer is through."""
    if not url.startswith("postgres"):
        return  # the first transaction has the whole file
    asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with psycopg.connect(url, autocommit=True) as connection:
        pause = threading.Event()
        while writer.is_alive():
            (waiting,) = connection.execute(asked).fetchone() or (0,)
            if waiting:
                return
            pause.wait(0.01)


def state_in(store: Store) -> TradingState:
    """What is in force."""
    with store.transaction() as transaction:
        return effective_trading_state(transaction)


@pytest.mark.parametrize("second", WRITERS)
@pytest.mark.parametrize("first", WRITERS)
def test_of_two_that_write_at_once_the_harder_one_stands(
    url: str, stores: tuple[Store, Store], first: str, second: str
) -> None:
    """Whichever commits first; and who arms again arms what was looked at, and nothing else."""
    one, other = stores
    with one.transaction() as transaction:
        transaction.latch(MARGINS)
    seen = asyncio.run(looked(one))
    wanted = max(WRITERS[first].level, WRITERS[second].level)

    def come_second() -> None:
        asyncio.run(WRITERS[second].write(Held(other), seen))  # type: ignore[arg-type]

    writer = threading.Thread(target=come_second)

    def meanwhile() -> None:
        writer.start()
        until_it_waits(url, writer)

    asyncio.run(WRITERS[first].write(Held(one, meanwhile), seen))  # type: ignore[arg-type]
    writer.join(PATIENCE_S)

    assert not writer.is_alive()
    assert state_in(one).level is wanted


def test_of_two_the_higher_one_keeps_its_words(stores: tuple[Store, Store]) -> None:
    """Who, when and why of what is in force; a lower one, or one as high, takes none of it."""
    one, other = stores
    asyncio.run(kill(InlineRunner(one), KillLevel.REDUCE_ONLY, "bob"))
    before = state_in(one)
    asyncio.run(kill(InlineRunner(other), KillLevel.PAUSE_ENTRIES, "ann"))
    asyncio.run(kill(InlineRunner(other), KillLevel.REDUCE_ONLY, "ann"))

    assert state_in(one) == before
    assert (before.changed_by, before.reason) == ("bob", "bob says so")


@pytest.mark.parametrize("level", list(KillLevel)[1:])
def test_a_kill_beside_a_resume_is_counted_however_high_it_is(
    stores: tuple[Store, Store], level: KillLevel
) -> None:
    """The state looks the same where the second is no harder: it was ordered all the same."""
    one, other = stores
    asyncio.run(kill(InlineRunner(one), KillLevel.CANCEL_OPEN, "ann"))
    seen = asyncio.run(looked(one))
    (step,) = plan_resume(seen, "lunch is over").steps
    assert isinstance(step, SetTradingState)
    asyncio.run(kill(InlineRunner(other), level, "bob"))
    (outcome,) = asyncio.run(step_of(Held(one), step))

    assert (outcome.state, outcome.code) == (OutcomeState.DENIED, STOPPED_AGAIN)
    assert state_in(one).level is max(level, KillLevel.CANCEL_OPEN)


def test_the_row_that_stops_all_stands_in_the_way_of_a_resume_that_did_not_see_it(
    stores: tuple[Store, Store],
) -> None:
    """It was set after the look; a loop may not have latched it yet."""
    one, other = stores
    asyncio.run(kill(InlineRunner(one), KillLevel.CANCEL_OPEN, "ann"))
    seen = asyncio.run(looked(one))
    with other.transaction() as transaction:
        transaction.set_config("kill_switch", "true", NOON)
    (outcome,) = asyncio.run(step_of(Held(one), resumed(seen)))

    assert outcome.code == STOPPED_AGAIN
    assert "kill_switch" in outcome.evidence


def test_the_row_that_stops_all_is_latched_beside_a_flatten(
    url: str, stores: tuple[Store, Store]
) -> None:
    """The loop read that nothing was latched, and a person flattens before it has written."""
    one, other = stores
    with one.transaction() as transaction:
        transaction.set_config("kill_switch", "true", NOON)
    writer = threading.Thread(
        target=lambda: asyncio.run(kill(InlineRunner(other), KillLevel.FLATTEN, "bob"))
    )

    def meanwhile() -> None:
        writer.start()
        until_it_waits(url, writer)

    asyncio.run(Books(Held(one, meanwhile)).refresh_trading_state(NOON))
    writer.join(PATIENCE_S)
    asyncio.run(Books(InlineRunner(one)).refresh_trading_state(NOON))

    with one.transaction() as transaction:
        own = transaction.trading_state()
    assert (own.level, own.changed_by) == (KillLevel.FLATTEN, "bob")


def test_a_pause_is_latched_though_the_row_demands_more_at_the_moment(
    stores: tuple[Store, Store],
) -> None:
    """The row goes, and the order stays."""
    store, _ = stores
    with store.transaction() as transaction:
        transaction.set_config("kill_switch", "true", NOON)
    asyncio.run(kill(InlineRunner(store), KillLevel.PAUSE_ENTRIES, "ann"))
    with store.transaction() as transaction:
        transaction.set_config("kill_switch", "false", NOON)

    assert state_in(store).level is KillLevel.PAUSE_ENTRIES


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE crypto_orders SET status = 'cancelled'",
        "UPDATE crypto_positions SET status = 'opne'",
        "UPDATE order_intents SET status = 'snet'",
    ],
)
def test_a_kill_is_latched_whatever_else_the_books_hold(
    url: str, stores: tuple[Store, Store], damage: str
) -> None:
    """It reads nothing but the state: what cannot be read beside it keeps nobody from stopping."""
    with stores[0].transaction() as transaction:
        transaction.record_order(make_order())
        transaction.record_position(make_position())
        transaction.record_intent(make_intent())
    engine = engine_for(url)
    with engine.begin() as connection:
        assert connection.execute(text(damage)).rowcount == 1
    engine.dispose()
    asyncio.run(kill(InlineRunner(stores[0]), KillLevel.FLATTEN, "ann"))

    assert state_in(stores[0]).level is KillLevel.FLATTEN


# --- what is journaled beside it -----------------------------------------------------------------


def journaled(transaction: Transaction) -> Entry:
    """An entry that nobody has refused yet."""
    plan = builders.plan_with(builders.place(), created_at=NOON)
    return journal(transaction, plan, 0, author=author(), policy=Policy(), now=NOON)


def entered(store: Store, before_commit: Callable[[], None] = lambda: None) -> bool:
    """Whether a loop's entry came into the journal."""
    try:
        asyncio.run(Held(store, before_commit).run(journaled))
    except Withheld as refused:
        return refused.code != HALTED
    return True


@pytest.mark.parametrize("first", ["kill", "entry"])
def test_an_entry_is_in_the_books_when_a_kill_is_latched_or_never(
    url: str, stores: tuple[Store, Store], first: str
) -> None:
    """The kill's proof reads the books after it: what it does not find there cannot come."""
    one, other = stores
    is_kill_first = first == "kill"
    found: list[object] = []

    def stop() -> None:
        asyncio.run(kill(InlineRunner(other), KillLevel.CANCEL_OPEN, "ann"))
        with other.transaction() as transaction:
            found.append(len(transaction.unresolved_intents()))

    def enter() -> None:
        found.append(entered(other))

    second = threading.Thread(target=enter if is_kill_first else stop)

    def meanwhile() -> None:
        second.start()
        until_it_waits(url, second)

    if is_kill_first:
        asyncio.run(kill(Held(one, meanwhile), KillLevel.CANCEL_OPEN, "ann"))
    else:
        assert entered(one, meanwhile)
    second.join(PATIENCE_S)

    assert found == [False if is_kill_first else 1]


# --- what is latched of two ----------------------------------------------------------------------

HELD = TradingState(
    level=KillLevel.CANCEL_OPEN, reason="ann says so", changed_at=NOON, changed_by="ann"
)


def test_margin_that_raises_a_person_s_level_does_not_make_it_its_own() -> None:
    """It would pass by itself, and the person's with it."""
    margins = replace(MARGINS, level=KillLevel.REDUCE_ONLY)
    after = raised(HELD, margins)

    assert (after.level, after.cause) == (KillLevel.REDUCE_ONLY, KillReason.MANUAL)
    assert after.reason == "ann says so; then margin_critical: 94 %"


def test_a_restored_store_stays_one_whatever_is_latched_on_it_or_was() -> None:
    """Its books have to be compared before anything is armed."""
    restored = replace(HELD, level=KillLevel.PAUSE_ENTRIES, changed_by=RESTORED)
    both = (raised(restored, HELD), raised(HELD, restored))

    assert {(each.level, each.changed_by) for each in both} == {(KillLevel.CANCEL_OPEN, RESTORED)}
    assert raised(ARMED, restored) == restored


def test_to_arm_is_no_kill() -> None:
    """There is one way down, and it is another one."""
    with pytest.raises(ValueError, match="level none"):
        raised(HELD, ARMED)


# --- any order of any of them --------------------------------------------------------------------

_LEVELS = st.sampled_from(list(KillLevel)[1:])
_DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("kill"), _LEVELS),
        st.just(("look", None)),
        st.tuples(st.just("resume"), st.integers(0, 5)),
    ),
    max_size=14,
)
_NUMBERS = count()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=_DEEDS)
def test_nothing_ends_lower_than_the_highest_kill_that_nobody_looked_at(
    stores: tuple[Store, Store], deeds: list[tuple[str, KillLevel | int | None]]
) -> None:
    """Looks are kept, and used late, by either of two processes; kills come in between."""
    symbol = Symbol(f"N{next(_NUMBERS)}/USD")
    looks: list[tuple[SetTradingState, int]] = []
    ordered: list[KillLevel] = []
    floor_from = 0
    for number, (deed, what) in enumerate(deeds):
        store = stores[number % 2]
        with store.transaction() as tx:
            if deed == "kill" and isinstance(what, KillLevel):
                wanted = SetTradingState(level=what, reason=f"{number}", symbol=symbol)
                apply_store_steps(tx, (wanted,), now=NOON, changed_by="any")
                ordered.append(what)
            elif deed == "look":
                counted, state = dict(tx.times_stopped()), tx.trading_state().of(symbol)
                step = SetTradingState(
                    level=KillLevel.NONE,
                    reason=f"{number}",
                    before=state.level,
                    symbol=symbol,
                    stopped_at=state.changed_at,
                    times_stopped=counted.get(symbol, 0),
                )
                looks.append((step, len(ordered)))
            elif deed == "resume" and looks and isinstance(what, int):
                step, seen = looks[what % len(looks)]
                (outcome,) = apply_store_steps(tx, (step,), now=NOON, changed_by="any")
                if outcome.state is OutcomeState.DONE:
                    floor_from = max(floor_from, seen)
        with store.transaction() as tx:
            unseen = max(ordered[floor_from:], default=KillLevel.NONE)
            assert tx.trading_state().of(symbol).level >= unseen
