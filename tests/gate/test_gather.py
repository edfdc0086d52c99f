"""One snapshot of venue and store: what cannot be read is missing, with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import BTC, ETH, NOON, d, make_order, make_position, make_venue_order
from fakes import Desk, at_the_desk
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.plan import AdoptPosition
from zoe_tools.domain.rate_cost import VenueRead
from zoe_tools.domain.snapshot import NOT_GATHERED, Missing, Reading, reads_in
from zoe_tools.domain.trading_state import (
    CONFIG_SWITCH,
    CONFIG_SWITCH_TOO,
    KillLevel,
    TradingState,
)
from zoe_tools.errors import VenueUnavailable
from zoe_tools.gather import EVERYTHING, Need, gather

METHODS = {
    Need.MODE: ("mode", "venue_mode"),
    Need.CATALOGUE: ("catalogue", "catalogue"),
    Need.BALANCES: ("balances", "balances"),
    Need.OPEN_ORDERS: ("open_orders", "open_orders"),
    Need.CLOSED_ORDERS: ("closed_orders", "closed_orders"),
    Need.FILLS: ("fills", "fills"),
    Need.LEDGER: ("ledger", "ledger"),
    Need.QUOTES: ("quotes", "quotes"),
    Need.KEY: ("key_info", "key"),
}


@pytest.mark.parametrize("need", list(METHODS))
def test_a_part_that_fails_is_missing_and_the_others_are_there(tmp_path: Path, need: Need) -> None:
    """Never zero, never empty; one failure hides nothing else."""
    method, part = METHODS[need]

    async def story(desk: Desk) -> None:
        desk.venue.cue(method, VenueUnavailable("The line is dead."))
        snapshot = await desk.look()

        assert getattr(snapshot, part) == Missing("The line is dead")
        others = [getattr(snapshot, name) for _, name in METHODS.values() if name != part]
        assert [type(each) for each in others] == [Reading] * 8

    at_the_desk(tmp_path, story)


def test_only_what_is_needed_is_asked_for(tmp_path: Path) -> None:
    """The rest is explicitly not gathered."""

    async def story(desk: Desk) -> None:
        snapshot = await desk.look(needs=frozenset({Need.BALANCES}))

        assert [method for method, _ in desk.venue.calls] == ["balances"]
        assert snapshot.quotes == NOT_GATHERED
        assert snapshot.taken_at == NOON

    at_the_desk(tmp_path, story)


def test_the_ledger_is_read_after_the_balances(tmp_path: Path) -> None:
    """Its pages take minutes; a balance read after them would know what they lack."""

    async def story(desk: Desk) -> None:
        await desk.look(needs=frozenset({Need.BALANCES, Need.LEDGER}))

        assert [method for method, _ in desk.venue.calls] == ["balances", "ledger"]

    at_the_desk(tmp_path, story)


HALF: dict[str, object] = {"filled_quantity": d("0.0002")}
DOUBTS: dict[str, tuple[dict[str, object], dict[str, object] | None, bool]] = {
    "it rests as we know it": ({}, {}, False),
    "more of it has filled at the venue": ({}, HALF, True),
    "we know of more than is booked": (HALF, HALF, True),
    "it is not open there any more": ({}, None, True),
    "it never got an id": ({"venue_order_id": None}, None, True),
    "it is over, and all of it is booked": ({"status": OrderStatus.CANCELED}, None, False),
    "it is over, and not all of it is booked": (
        {"status": OrderStatus.CANCELED, **HALF},
        None,
        True,
    ),
    "it was refused": ({"status": OrderStatus.REJECTED, "venue_order_id": None}, None, False),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_the_history_is_asked_only_if_an_order_of_ours_may_have_traded_unseen(
    tmp_path: Path, name: str
) -> None:
    """It is dear. Our order, the venue's, and whether to ask."""
    ours, theirs, is_asked = DOUBTS[name]

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.record_order(make_order(**ours)))
        if theirs is not None:
            desk.venue.insert(make_venue_order(**theirs))
        needs = frozenset({Need.OPEN_ORDERS, Need.NEW_FILLS})
        snapshot = await desk.look(needs=needs)

        asked = ["open_orders", "fills"] if is_asked else ["open_orders"]
        assert [method for method, _ in desk.venue.calls] == asked
        assert isinstance(snapshot.fills, Reading)
        assert (VenueRead.FILLS in reads_in(snapshot)) == is_asked

        desk.venue.cue("open_orders", VenueUnavailable("The line is dead."))
        assert (await desk.look(needs=needs)).fills == Missing("The line is dead")

    at_the_desk(tmp_path, story)


def test_a_position_in_what_the_venue_does_not_list_keeps_no_price_back(tmp_path: Path) -> None:
    """A crumb of a coin that left the list would have kept `zoe kill` from cancelling anything."""
    gone = make_position(position_id=PositionId("P-gone"), symbol=Symbol("OLD/USD"))

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.record_position(make_position()))
        await desk.read(lambda tx: tx.record_position(gone))
        snapshot = await desk.look(needs=frozenset({Need.CATALOGUE, Need.QUOTES}))

        assert isinstance(snapshot.quotes, Reading)
        assert [each.symbol for each in snapshot.quotes.value] == [BTC, ETH]

    at_the_desk(tmp_path, story)


def test_a_market_without_buyers_has_no_price(tmp_path: Path) -> None:
    """By a bid of 0 what is held would be worth nothing, and too little to be sold."""

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.record_position(make_position()))
        desk.venue.set_price(BTC, "0", "60000.1")
        snapshot = await desk.look(needs=frozenset({Need.QUOTES}))

        assert isinstance(snapshot.quotes, Reading)
        assert [each.symbol for each in snapshot.quotes.value] == [ETH]

    at_the_desk(tmp_path, story)


def test_open_positions_and_adoptions_are_quoted_without_being_named(tmp_path: Path) -> None:
    """A decision about them needs their price."""

    async def story(desk: Desk) -> None:
        await desk.do(AdoptPosition(position=make_position(), reason="test"))
        desk.venue.calls.clear()
        await gather(
            venue=desk.venue,
            store=desk.store,
            clock=desk.clock,
            account=desk.account,
            policy=desk.policy,
            needs=EVERYTHING,
        )

        assert ("quotes", BTC) in desk.venue.calls

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("false", KillLevel.NONE),
        ("true", KillLevel.REDUCE_ONLY),
        ("flase", KillLevel.REDUCE_ONLY),
        ("", KillLevel.REDUCE_ONLY),
    ],
)
def test_anything_but_false_in_the_kill_switch_reads_as_reduce_only(
    tmp_path: Path, value: str, level: KillLevel
) -> None:
    """A misspelling must never mean "go on"."""

    async def story(desk: Desk) -> None:
        now = desk.clock.now()
        await desk.read(lambda tx: tx.set_config("kill_switch", value, now))
        state = (await desk.look()).trading_state

        assert state.level is level
        assert (state.changed_by == CONFIG_SWITCH) == (level is not KillLevel.NONE)

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("latched", "level", "author"),
    [
        (KillLevel.PAUSE_ENTRIES, KillLevel.REDUCE_ONLY, CONFIG_SWITCH),
        (KillLevel.REDUCE_ONLY, KillLevel.REDUCE_ONLY, CONFIG_SWITCH_TOO),
        (KillLevel.FLATTEN, KillLevel.FLATTEN, CONFIG_SWITCH_TOO),
    ],
)
def test_the_switch_only_raises_a_latched_level(
    tmp_path: Path, latched: KillLevel, level: KillLevel, author: str
) -> None:
    """And says that it stands in the way of lowering it."""

    async def story(desk: Desk) -> None:
        state = TradingState(level=latched, reason="drill", changed_at=desk.clock.now())
        await desk.read(lambda tx: tx.latch(state))
        await desk.read(lambda tx: tx.set_config("kill_switch", "true", desk.clock.now()))
        found = (await desk.look()).trading_state

        assert (found.level, found.changed_by) == (level, author)

    at_the_desk(tmp_path, story)


def test_the_store_s_part_is_what_the_store_holds(tmp_path: Path) -> None:
    """Positions, orders, fills, intents, the day's notional."""

    async def story(desk: Desk) -> None:
        await desk.do(AdoptPosition(position=make_position(quantity=d("0.5")), reason="test"))
        snapshot = await desk.look()

        assert [each.quantity for each in snapshot.positions] == [d("0.5")]
        assert (snapshot.orders, snapshot.recorded_fills, snapshot.unresolved_intents) == (
            (),
            (),
            (),
        )
        assert snapshot.daily_notional == d("0")

    at_the_desk(tmp_path, story)
