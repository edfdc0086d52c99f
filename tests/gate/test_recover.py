"""Start after a crash: every open intent is resolved, everything missed is booked, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import (
    BTC,
    NOON,
    d,
    make_intent,
    make_order,
    make_position,
    make_request,
    make_stop_request,
    make_venue_order,
    place,
)
from fakes import Desk, at_the_desk
from zoe_tools.domain.audit import AuditKind
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import AccountId, ClientOrderId, IntentId, VenueOrderId
from zoe_tools.domain.journal import IntentKind, IntentState
from zoe_tools.domain.order import OrderStatus, OrderType, Side, VenueOrder
from zoe_tools.domain.plan import Plan
from zoe_tools.errors import VenueUnavailable
from zoe_tools.gate.journal import Author, Entry, client_order_id_of, intent_id_of, journal, mark
from zoe_tools.gate.recover import Recovery
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.store.store import Transaction

RESTING = make_request(limit_price=d("59000.0"))
MARKETABLE = make_request(limit_price=d("60000.1"))


async def crash_during(desk: Desk, plan: Plan, *, reached: str) -> Entry:
    """Leave the first step of a plan as a killed process would: after `reached`."""
    author = Author(account=desk.account, command="run", operator="o", host="h")
    now = desk.clock.now()
    entry = await desk.read(
        lambda tx: journal(tx, plan, 0, author=author, policy=desk.policy, now=now)
    )
    if reached == "journaled":
        return entry
    await desk.read(lambda tx: mark(tx, entry, IntentState.SENT, at=now))
    if reached == "arrived":
        step = plan.steps[0]
        assert entry.intent.client_order_id is not None
        await desk.venue.place(
            step.request,  # type: ignore[union-attr]
            client_order_id=entry.intent.client_order_id,
            deadline=entry.intent.deadline,
        )
    return entry


CRASHES = [
    # reached, the intent afterwards, the order afterwards, the position's quantity
    ("journaled", IntentState.DENIED, OrderStatus.REJECTED, []),
    ("sent", IntentState.REJECTED, OrderStatus.REJECTED, []),
    ("arrived", IntentState.CONFIRMED, OrderStatus.FILLED, [d("0.0004")]),
]


@pytest.mark.parametrize(("reached", "intent", "order", "held"), CRASHES)
def test_defect_18_a_crash_at_any_point_is_cleared_up_from_the_venue_s_records(
    tmp_path: Path,
    reached: str,
    intent: IntentState,
    order: OrderStatus,
    held: Sequence[object],
) -> None:
    """Defect 18: afterwards books and venue are equal, and nothing was sent again."""

    async def story(desk: Desk) -> None:
        await crash_during(desk, desk.plan(place(MARKETABLE)), reached=reached)
        sent_before = len(desk.venue.writes)
        recovery = await desk.gate().recover()
        again = await desk.gate().recover()

        assert [each.state for each in recovery.resolutions] == [intent]
        assert [each.status for each in await desk.read(lambda tx: tx.orders())] == [order]
        positions = await desk.read(lambda tx: tx.positions(open_only=True))
        assert [each.quantity for each in positions] == held
        assert len(await desk.read(lambda tx: tx.fills())) == len(desk.venue.executions)
        assert len(desk.venue.writes) == sent_before
        assert again == Recovery()
        (told,) = await desk.read(
            lambda tx: [each for each in tx.audit.rows() if each.kind == AuditKind.ACTION]
        )
        settled = recovery.resolutions[0].intent.intent_id
        assert told.ids == (settled,)
        assert told.facts["settled"] == f"{settled} {intent.value}"
        assert (told.facts["operator"], told.facts["host"]) == ("tester", "testhost")

    at_the_desk(tmp_path, story)


def test_silence_is_no_proof_before_deadline_and_visibility_lag(tmp_path: Path) -> None:
    """Patient recovery waits for them; an order that shows up late is found."""

    async def story(desk: Desk) -> None:
        desk.venue.blind_s = 40
        await crash_during(desk, desk.plan(place(RESTING)), reached="arrived")
        recovery = await desk.gate().recover()

        assert [each.state for each in recovery.resolutions] == [IntentState.CONFIRMED]
        assert (desk.clock.now() - NOON).total_seconds() < 50

    at_the_desk(tmp_path, story)


def test_impatient_recovery_leaves_unknown_what_silence_cannot_prove_yet(tmp_path: Path) -> None:
    """The loop must not stand still; the intent goes on blocking new risk."""

    async def story(desk: Desk) -> None:
        await crash_during(desk, desk.plan(place(RESTING)), reached="sent")
        early = await desk.gate().recover(patient=False)
        assert [each.state for each in early.resolutions] == [IntentState.UNKNOWN]
        assert not early.is_clean

        await desk.clock.sleep(65)
        late = await desk.gate().recover(patient=False)
        assert [each.state for each in late.resolutions] == [IntentState.REJECTED]
        assert late.is_clean

    at_the_desk(tmp_path, story)


def test_a_stop_that_filled_while_nobody_looked_closes_its_position(tmp_path: Path) -> None:
    """Order, fill and position in one go; a second run finds nothing."""

    async def story(desk: Desk) -> None:
        await desk.do(place(MARKETABLE))
        position = await desk.read(lambda tx: tx.positions(open_only=True)[0])
        await desk.do(place(make_stop_request(), position_id=position.position_id))
        desk.venue.trade(VenueOrderId("O00002"), d("0.0004"), d("58700.0"))
        recovery = await desk.gate().recover()

        closed = await desk.read(lambda tx: tx.position(position.position_id))
        assert closed is not None
        assert (recovery.orders_updated, recovery.fills_booked) == (1, 1)
        assert (closed.status.value, closed.quantity) == ("closed", d("0"))
        assert closed.stop_venue_order_id is None
        # (58700 - 60000.1) x 0.0004 - fees 0.09600 - 0.09392
        assert round(closed.realised_pnl, 5) == d("-0.70996")
        assert (await desk.gate().recover()).fills_booked == 0

    at_the_desk(tmp_path, story)


def test_somebody_else_s_orders_and_fills_are_not_booked(tmp_path: Path) -> None:
    """The account may be used by hand as well."""

    async def story(desk: Desk) -> None:
        await desk.do(place(RESTING))
        foreign = make_request(order_type=OrderType.MARKET, limit_price=None, side=Side.BUY)
        await desk.venue.place(
            foreign,
            client_order_id=ClientOrderId("99999999-2222-4333-8444-555555555555"),
            deadline=desk.clock.now() + timedelta(seconds=5),
        )
        recovery = await desk.gate().recover()

        assert recovery.fills_booked == 0
        assert await desk.read(lambda tx: tx.positions(open_only=True)) == ()
        assert [each.symbol for each in await desk.read(lambda tx: tx.orders())] == [BTC]

    at_the_desk(tmp_path, story)


def test_ids_are_derived_and_depend_on_account_epoch_intent_and_attempt() -> None:
    """The same step has the same id; a restored store, another account, another try has not."""
    here, there = AccountId("a"), AccountId("b")
    first, second = intent_id_of(here, "plan", 0), intent_id_of(here, "plan", 1)
    base = client_order_id_of(here, "epoch", first, 1)
    others = {
        client_order_id_of(there, "epoch", first, 1),
        client_order_id_of(here, "restored", first, 1),
        client_order_id_of(here, "epoch", second, 1),
        client_order_id_of(here, "epoch", first, 2),
    }

    assert client_order_id_of(here, "epoch", intent_id_of(here, "plan", 0), 1) == base
    assert len(others | {base}) == 5
    assert len(base) == 36


def test_each_look_that_settles_nothing_is_told_with_its_age(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An alert can be made of it; once it is settled, it falls silent."""

    async def story(desk: Desk) -> None:
        await crash_during(desk, desk.plan(place(RESTING)), reached="sent")
        await desk.clock.sleep(3)
        await desk.gate().recover(patient=False)
        (told,) = [each for each in caplog.records if each.message == "OUTCOME_UNKNOWN"]
        assert vars(told)["zoe_fields"]["age_s"] == 3
        caplog.clear()
        await desk.gate().recover()
        await desk.gate().recover()
        assert [each for each in caplog.records if each.message == "OUTCOME_UNKNOWN"] == []

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("failures", "state"),
    [(0, IntentState.REJECTED), (1, IntentState.REJECTED), (2, IntentState.UNKNOWN)],
)
def test_a_look_that_failed_is_no_look(tmp_path: Path, failures: int, state: IntentState) -> None:
    """Two empty answers after the wait are needed; who could not ask has heard none."""

    async def story(desk: Desk) -> None:
        await crash_during(desk, desk.plan(place(RESTING)), reached="sent")
        await desk.clock.sleep(70)
        desk.venue.cue("closed_orders", VenueUnavailable("down"), times=failures)
        recovery = await desk.gate().recover(patient=False)
        asked = [method for method, _ in desk.venue.calls].count("closed_orders")

        assert [each.state for each in recovery.resolutions] == [state]
        assert asked - failures == min(2, 3 - failures)

    at_the_desk(tmp_path, story)


def test_a_clock_that_was_set_forward_does_not_make_silence_count(tmp_path: Path) -> None:
    """Intent, crash, an hour set forward, the next start: by the venue it was a moment ago."""

    async def story(desk: Desk) -> None:
        await crash_during(desk, desk.plan(place(RESTING)), reached="sent")
        venue_clock, desk.clock = desk.clock, VirtualClock(NOON + timedelta(hours=1))
        early = await desk.gate().recover()
        await venue_clock.sleep(65)
        late = await desk.gate().recover()

        assert [each.state for each in early.resolutions] == [IntentState.UNKNOWN]
        assert [each.state for each in late.resolutions] == [IntentState.REJECTED]

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("hours", "holds", "asked"),
    [
        pytest.param(1, False, ["orders O-old", "fills"], id="made lately"),
        pytest.param(7, False, ["fills"], id="made long ago"),
        pytest.param(700, True, ["orders O-old", "fills"], id="of what is still held"),
    ],
)
def test_of_a_long_history_only_what_may_be_missed_is_looked_through(
    tmp_path: Path, hours: int, asked: list[str], *, holds: bool
) -> None:
    """An order whose fills do not add up is asked for; however long the books, they stay quick."""
    held = make_position()
    old = make_order(
        venue_order_id=VenueOrderId("O-old"),
        client_order_id=ClientOrderId("old"),
        status=OrderStatus.FILLED,
        filled_quantity=d("0.0004"),
        created_at=NOON - timedelta(hours=hours),
        updated_at=NOON - timedelta(hours=1),
        position_id=held.position_id,
        side=Side.SELL,
        purpose="stop",
    )
    newest = make_order(status=OrderStatus.CANCELED, created_at=NOON, updated_at=NOON)

    async def story(desk: Desk) -> None:
        if holds:
            await desk.read(lambda tx: tx.record_position(held))
        await desk.read(lambda tx: tx.record_order(old))
        await desk.read(lambda tx: tx.record_order(newest))
        await desk.gate().recover(patient=False)

        assert [f"{method} {what}".strip() for method, what in desk.venue.calls] == asked

    at_the_desk(tmp_path, story)


def test_one_question_tells_of_all_orders_that_have_a_name(tmp_path: Path) -> None:
    """Of three cancels in doubt; an order that nobody has seen is looked for after them."""
    unseen = make_order(venue_order_id=None, status=OrderStatus.UNKNOWN, intent_id=IntentId("I1"))
    cancels = [
        make_intent(
            intent_id=IntentId(f"I-{each}"),
            kind=IntentKind.CANCEL,
            state=IntentState.UNKNOWN,
            venue_order_id=VenueOrderId(f"O-{each}"),
            client_order_id=None,
        )
        for each in "aab"
    ]

    def write(transaction: Transaction) -> None:
        transaction.record_order(unseen)
        transaction.record_intent(make_intent(state=IntentState.UNKNOWN))
        for number, each in enumerate(cancels):
            own = replace(each, intent_id=IntentId(f"{each.intent_id}{number}"))
            transaction.record_intent(own)

    async def story(desk: Desk) -> None:
        for name in {each.venue_order_id for each in cancels}:
            assert name is not None
            theirs = make_venue_order(venue_order_id=name, client_order_id=None)
            desk.venue.book_of_orders[name] = theirs
        await desk.read(write)
        await desk.gate().recover(patient=False, reads_trades=False)
        asked = [f"{method} {what}".strip() for method, what in desk.venue.calls]
        assert [each.partition(" ")[0] for each in asked] == SEARCHED
        assert asked[0] == "orders O-a,O-b"

    at_the_desk(tmp_path, story)


SEARCHED = ["orders", "open_orders", "closed_orders", "fills"]


@pytest.mark.parametrize(
    ("filled", "asked_back"),
    [("0", timedelta(hours=1, seconds=5)), ("0.0002", timedelta(days=30, seconds=5))],
)
def test_a_stop_that_has_rested_for_weeks_asks_for_no_weeks_of_trades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filled: str, asked_back: timedelta
) -> None:
    """Unless it shows more than is booked of it: a page of trades costs as much as an order."""
    made = NOON - timedelta(days=30)
    stop = make_order(purpose="stop", created_at=made, updated_at=NOON)
    shown = make_venue_order(opened_at=made, filled_quantity=d(filled))
    assert shown.venue_order_id == stop.venue_order_id
    asked: list[datetime | None] = []

    async def story(desk: Desk) -> None:
        async def fills(*, since: datetime | None = None) -> tuple[Fill, ...]:
            asked.append(since)
            return ()

        monkeypatch.setattr(desk.venue, "fills", fills)
        desk.venue.book_of_orders[shown.venue_order_id] = shown
        await desk.read(lambda tx: tx.record_order(stop))
        await desk.gate().recover(patient=False)

    at_the_desk(tmp_path, story)
    assert asked == [NOON - asked_back]


@pytest.mark.parametrize(
    ("filled", "status"), [("0", OrderStatus.CANCELED), ("0.0002", OrderStatus.OPEN)]
)
def test_what_ended_with_nothing_missing_is_told_before_trades_are_read(
    tmp_path: Path, filled: str, status: OrderStatus
) -> None:
    """Trades may be long in coming; of one that executed nobody hears before they have come."""
    stop = make_order(purpose="stop", status=OrderStatus.OPEN)
    shown = make_venue_order(filled_quantity=d(filled), status=OrderStatus.CANCELED, closed_at=NOON)
    heard: list[OrderStatus] = []

    async def story(desk: Desk) -> None:
        async def hear() -> None:
            heard.extend(each.status for each in await desk.read(lambda tx: tx.orders()))

        desk.venue.cue("fills", VenueUnavailable("too many requests"))
        desk.venue.book_of_orders[shown.venue_order_id] = shown
        await desk.read(lambda tx: tx.record_order(stop))
        with pytest.raises(VenueUnavailable):
            await desk.gate().recover(patient=False, heard=hear)
        (after,) = await desk.read(lambda tx: tx.orders())
        assert after.status is status

    at_the_desk(tmp_path, story)
    assert heard == ([OrderStatus.CANCELED] if status is OrderStatus.CANCELED else [])


@pytest.mark.parametrize(
    ("filled", "asked"),
    [("0", ["orders"]), ("0.0002", ["orders", "fills", "fills"])],
    ids=["nothing", "a part"],
)
def test_a_chase_asks_once_about_an_order_and_reads_trades_where_some_are_missing(
    tmp_path: Path, filled: str, asked: list[str]
) -> None:
    """A cancel is in doubt, its order ended: what it takes is one call, and each one counts."""
    stop = make_order(purpose="stop", status=OrderStatus.OPEN)
    shown = make_venue_order(filled_quantity=d(filled), status=OrderStatus.CANCELED, closed_at=NOON)
    doubt = make_intent(kind=IntentKind.CANCEL, venue_order_id=stop.venue_order_id, purpose="stop")
    heard: list[bool] = []

    async def story(desk: Desk) -> None:
        async def hear() -> None:
            heard.append(not await desk.read(lambda tx: tx.unresolved_intents()))

        desk.venue.book_of_orders[shown.venue_order_id] = shown
        await desk.read(lambda tx: tx.record_order(stop))
        await desk.read(lambda tx: tx.record_intent(doubt))
        desk.venue.calls.clear()
        found = await desk.gate().recover(patient=False, heard=hear, reads_trades=False)
        calls = [method for method, _ in desk.venue.calls]

        assert [each.state for each in found.resolutions] == [IntentState.CONFIRMED]
        assert sorted({*calls}) == sorted({*asked})
        assert calls.count("orders") == 1
        (after,) = await desk.read(lambda tx: tx.orders())
        assert after.status is OrderStatus.CANCELED

    at_the_desk(tmp_path, story)
    assert heard[0]


def test_one_call_resolves_all_changes_that_are_in_doubt(tmp_path: Path) -> None:
    """Where nothing else is asked, too: each call counts."""
    names = (VenueOrderId("O-one"), VenueOrderId("O-two"))

    async def story(desk: Desk) -> None:
        for name in names:
            over = make_venue_order(venue_order_id=name, status=OrderStatus.CANCELED)
            desk.venue.book_of_orders[name] = over
            cancel: dict[str, Any] = {"kind": IntentKind.CANCEL, "purpose": "stop"}
            doubt = make_intent(intent_id=IntentId(name), venue_order_id=name, **cancel)
            await desk.read(lambda tx, doubt=doubt: tx.record_intent(doubt))  # type: ignore[misc]
        desk.venue.calls.clear()
        found = await desk.gate().resolve(lambda _: True)

        assert [each.state for each in found.resolutions] == [IntentState.CONFIRMED] * 2
        assert [method for method, _ in desk.venue.calls] == ["orders"]

    at_the_desk(tmp_path, story)


def test_what_was_seen_before_a_long_wait_is_asked_again(tmp_path: Path) -> None:
    """A place that nobody shows is waited for; meanwhile the stop beside it is over."""
    stop = make_order(purpose="stop", status=OrderStatus.OPEN)
    doubt = make_intent(kind=IntentKind.CANCEL, venue_order_id=stop.venue_order_id, purpose="stop")

    async def story(desk: Desk) -> None:
        await crash_during(desk, desk.plan(place(RESTING)), reached="sent")
        shown = make_venue_order()
        assert shown.venue_order_id == stop.venue_order_id
        desk.venue.book_of_orders[shown.venue_order_id] = shown
        await desk.read(lambda tx: tx.record_order(stop))
        await desk.read(lambda tx: tx.record_intent(doubt))
        real = desk.venue.open_orders

        async def open_orders(
            client_order_id: ClientOrderId | None = None,
        ) -> tuple[VenueOrder, ...]:
            over = make_venue_order(status=OrderStatus.CANCELED, closed_at=desk.clock.now())
            desk.venue.book_of_orders[over.venue_order_id] = over
            return await real(client_order_id)

        desk.venue.open_orders = open_orders  # type: ignore[method-assign] # the stop ends in between
        await desk.gate().recover()
        after = await desk.read(lambda tx: tx.order(stop.client_order_id))
        assert after is not None
        assert after.status is OrderStatus.CANCELED

    at_the_desk(tmp_path, story)


def test_who_was_told_of_an_end_need_not_wait_for_orders_that_cannot_be_read(
    tmp_path: Path,
) -> None:
    """A doubt is over, and the question about all others is refused: what is known is told."""
    stop = make_order(purpose="stop", status=OrderStatus.OPEN)
    other = make_order(
        client_order_id=ClientOrderId("other"), venue_order_id=VenueOrderId("O-other")
    )
    shown = make_venue_order(status=OrderStatus.CANCELED, closed_at=NOON)
    doubt = make_intent(kind=IntentKind.CANCEL, venue_order_id=stop.venue_order_id, purpose="stop")
    heard: list[OrderStatus] = []

    async def story(desk: Desk) -> None:
        real = desk.venue.orders

        async def orders(names: Sequence[VenueOrderId]) -> tuple[VenueOrder, ...]:
            if names != (stop.venue_order_id,):
                raise VenueUnavailable("too many requests")
            return await real(names)

        async def hear() -> None:
            kept = await desk.read(lambda tx: tx.order(stop.client_order_id))
            assert kept is not None
            heard.append(kept.status)

        desk.venue.book_of_orders[shown.venue_order_id] = shown
        for each in (stop, other):
            await desk.read(lambda tx, order=each: tx.record_order(order))  # type: ignore[misc]
        await desk.read(lambda tx: tx.record_intent(doubt))
        desk.venue.orders = orders  # type: ignore[method-assign, assignment] # refused for the others
        with pytest.raises(VenueUnavailable):
            await desk.gate().recover(patient=False, heard=hear)

    at_the_desk(tmp_path, story)
    assert heard == [OrderStatus.CANCELED]
