"""The gate from plan to proof, over a venue that fails on cue and a real store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import builders
from builders import BTC, ETH, d, make_request, make_stop_request, place
from fakes import Desk, at_the_desk
from zoe_tools.domain.audit import AuditKind
from zoe_tools.domain.identifiers import PositionId, VenueOrderId
from zoe_tools.domain.journal import Intent, IntentState, ProofKind
from zoe_tools.domain.order import OrderAmendment, OrderStatus, OrderType, Side
from zoe_tools.domain.plan import (
    ORDER_GONE,
    AdoptPosition,
    AmendOrder,
    CancelOrder,
    OrderStillOpen,
    OutcomeState,
    Plan,
    PositionStill,
    SetTradingState,
    Step,
)
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import ConsentMissing, PlanStale, VenueRejected, VenueUnavailable
from zoe_tools.gate.consent import needs_consent
from zoe_tools.gate.receipt import Receipt

RESTING = make_request(limit_price=d("59000.0"))
"""An entry that does not fill at once."""


def states(receipt: Receipt) -> list[OutcomeState]:
    """The outcomes, in order."""
    return [outcome.state for outcome in receipt.outcomes]


def codes(receipt: Receipt) -> list[str]:
    """Why, in the venue's words or ours."""
    return [outcome.code for outcome in receipt.outcomes]


async def intents(desk: Desk) -> list[IntentState]:
    """The journal's states, oldest first."""
    return [each.state for each in await desk.read(lambda tx: tx.intents())]


async def proofs(desk: Desk) -> list[ProofKind]:
    """How the ends of the journal's intents are known, oldest first."""
    return [each.proof for each in await desk.read(lambda tx: tx.intents())]


async def hold(desk: Desk, quantity: str = "0.5") -> PositionId:
    """Put a managed BTC position into venue and registry."""
    desk.venue.totals["BTC"] = d(quantity)
    position = builders.make_position(quantity=d(quantity))
    await desk.do(AdoptPosition(position=position, reason="test"))
    return position.position_id


def moved_stop(held: PositionId) -> AmendOrder:
    """The first order, a stop, is to trigger elsewhere."""
    name = VenueOrderId("O00001")
    change = OrderAmendment(venue_order_id=name, symbol=BTC, trigger_price=d("59100.0"))
    return AmendOrder(amendment=change, reason="r", position_id=held)


# --- dry runs ------------------------------------------------------------------------------------


def test_a_dry_run_changes_nothing_and_exits_three(tmp_path: Path) -> None:
    """No write at the venue, no business row, and the plan is shown."""

    async def story(desk: Desk) -> tuple[Receipt, bool]:
        before = await desk.read(lambda tx: tx.business_fingerprint())
        snapshot = await desk.look()
        receipt = await desk.gate().carry_out(desk.plan(place()), snapshot=snapshot, execute=False)
        after = await desk.read(lambda tx: tx.business_fingerprint())
        assert desk.venue.writes == []
        assert len(desk.approver.plans) == 1
        return receipt, before == after

    receipt, is_same = at_the_desk(tmp_path, story)

    assert (receipt.exit_code, receipt.is_executed, is_same) == (3, False, True)


def test_an_empty_plan_exits_zero_either_way(tmp_path: Path) -> None:
    """Nothing to do is not a finding."""

    async def story(desk: Desk) -> list[int]:
        snapshot = await desk.look()
        return [
            (await desk.gate().carry_out(desk.plan(), snapshot=snapshot, execute=execute)).exit_code
            for execute in (False, True)
        ]

    assert at_the_desk(tmp_path, story) == [0, 0]


# --- the good path -------------------------------------------------------------------------------


def test_an_order_is_journaled_sent_proved_and_booked(tmp_path: Path) -> None:
    """The outcome names what the venue's records show; fill and position are in the books."""

    async def story(desk: Desk) -> None:
        receipt = await desk.do(place(make_request(limit_price=d("60000.1"))))

        outcome = receipt.outcomes[0]
        order = await desk.read(lambda tx: tx.orders()[0])
        position = await desk.read(lambda tx: tx.positions(open_only=True)[0])
        assert (outcome.state, receipt.exit_code) == (OutcomeState.DONE, 0)
        assert outcome.evidence.startswith("venue records: order O00001 is filled")
        assert await intents(desk) == [IntentState.CONFIRMED]
        assert (order.status, order.venue_order_id) == (OrderStatus.FILLED, "O00001")
        assert (
            order.client_order_id
            == desk.venue.book_of_orders[VenueOrderId("O00001")].client_order_id
        )
        assert (position.quantity, order.position_id) == (d("0.0004"), position.position_id)
        # 0.0004 x 60000.1 = 24.00004, and 0.4 percent of it as the fee
        assert position.fees == d("0.09600")

    at_the_desk(tmp_path, story)


def test_the_intent_is_committed_as_sent_before_the_first_byte(tmp_path: Path) -> None:
    """Whoever kills the process during the send finds the intent in the journal."""

    async def story(desk: Desk) -> None:
        seen: list[list[Intent]] = []

        async def note() -> None:
            seen.append(list(await desk.read(lambda tx: tx.intents())))

        desk.venue.before_place = note
        await desk.do(place(RESTING))

        assert [each.state for each in seen[0]] == [IntentState.SENT]
        assert (seen[0][0].operator, seen[0][0].host) == ("tester", "testhost")
        assert seen[0][0].deadline == seen[0][0].created_at + timedelta(seconds=5)
        (told,) = await desk.read(
            lambda tx: [row.facts for row in tx.audit.rows() if row.kind == AuditKind.INTENT]
        )
        assert len(seen[0][0].snapshot_hash) == 64
        assert told["snapshot_hash"] == seen[0][0].snapshot_hash

    at_the_desk(tmp_path, story)


def test_a_resting_stop_is_linked_to_its_position(tmp_path: Path) -> None:
    """Client id, venue id and trigger price stand on the position; a cancel unlinks."""

    async def story(desk: Desk) -> None:
        held = await hold(desk)
        receipt = await desk.do(place(make_stop_request(quantity=d("0.5")), position_id=held))

        linked = await desk.read(lambda tx: tx.position(held))
        assert states(receipt) == [OutcomeState.DONE]
        assert linked is not None
        assert (linked.stop_venue_order_id, linked.stop_price) == ("O00001", d("58800.0"))

        await desk.do(
            CancelOrder(
                venue_order_id=VenueOrderId("O00001"), symbol=BTC, reason="r", purpose="stop"
            )
        )
        unlinked = await desk.read(lambda tx: tx.position(held))
        assert unlinked is not None
        assert unlinked.stop_venue_order_id is None

    at_the_desk(tmp_path, story)


def test_an_amendment_is_proved_by_the_order_s_new_values(tmp_path: Path) -> None:
    """The record follows what the venue shows."""

    async def story(desk: Desk) -> None:
        held = await hold(desk)
        await desk.do(place(make_stop_request(quantity=d("0.5")), position_id=held))
        receipt = await desk.do(
            AmendOrder(
                amendment=OrderAmendment(
                    venue_order_id=VenueOrderId("O00001"),
                    symbol=BTC,
                    trigger_price=d("59000.0"),
                ),
                reason="r",
                position_id=held,
            )
        )

        record = await desk.read(lambda tx: tx.orders()[0])
        position = await desk.read(lambda tx: tx.position(held))
        assert states(receipt) == [OutcomeState.DONE]
        assert record.trigger_price == d("59000.0")
        assert position is not None
        assert position.stop_price == d("59000.0")

    at_the_desk(tmp_path, story)


def test_a_stream_s_evidence_spares_the_question_to_rest(tmp_path: Path) -> None:
    """The loop's executions stream is proof; the outcome names it."""

    async def story(desk: Desk) -> None:
        async def proof(intent: Intent, order_id: VenueOrderId) -> str | None:
            assert intent.client_order_id is not None
            return f"executions stream: {order_id} is open"

        snapshot = await desk.look()
        desk.venue.calls.clear()
        receipt = await desk.gate(proof=proof).carry_out(
            desk.plan(place(RESTING)), snapshot=snapshot, execute=True
        )

        assert [outcome.evidence for outcome in receipt.outcomes] == [
            "executions stream: O00001 is open"
        ]
        assert [method for method, _ in desk.venue.calls] == ["place"]

    at_the_desk(tmp_path, story)


# --- definite noes -------------------------------------------------------------------------------


def test_a_rejection_is_a_definite_no_with_the_venue_s_code(tmp_path: Path) -> None:
    """Intent and order end; exit 5."""

    async def story(desk: Desk) -> None:
        no = VenueRejected("Not enough money.", code="EOrder:Insufficient funds")
        desk.venue.cue("place", no)
        receipt = await desk.do(place(RESTING))

        order = await desk.read(lambda tx: tx.orders()[0])
        assert states(receipt) == [OutcomeState.REJECTED]
        assert receipt.outcomes[0].code == "EOrder:Insufficient funds"
        assert receipt.exit_code == 5
        assert await intents(desk) == [IntentState.REJECTED]
        assert await proofs(desk) == [ProofKind.ANSWER]
        assert order.status is OrderStatus.REJECTED

    at_the_desk(tmp_path, story)


def test_what_provably_never_left_is_not_unknown(tmp_path: Path) -> None:
    """No connection: nothing may have happened, and nothing blocks the instrument."""

    async def story(desk: Desk) -> None:
        desk.venue.cue("place", VenueUnavailable("no route"))
        receipt = await desk.do(place(RESTING))

        assert (states(receipt), receipt.exit_code) == ([OutcomeState.REJECTED], 5)
        assert await desk.read(lambda tx: tx.unresolved_intents()) == ()
        assert await proofs(desk) == [ProofKind.NOT_SENT]

    at_the_desk(tmp_path, story)


def test_a_cancel_of_an_order_that_is_gone_is_looked_up_and_its_fill_booked(
    tmp_path: Path,
) -> None:
    """`Unknown order` is not success: here the stop had filled, and the position is closed."""

    async def story(desk: Desk) -> None:
        held = await hold(desk)
        await desk.do(place(make_stop_request(quantity=d("0.5")), position_id=held))
        desk.venue.trade(VenueOrderId("O00001"), d("0.5"), d("58790.0"))
        receipt = await desk.do(
            CancelOrder(
                venue_order_id=VenueOrderId("O00001"),
                symbol=BTC,
                reason="r",
                purpose="stop",
                position_id=held,
            )
        )

        position = await desk.read(lambda tx: tx.position(held))
        assert states(receipt) == [OutcomeState.DONE]
        assert "is filled" in receipt.outcomes[0].evidence
        assert position is not None
        assert (position.quantity, position.status.value) == (d("0"), "closed")

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("code", ["EOrder:Unknown order", "EOrder:Invalid order"])
def test_a_stop_that_cannot_be_moved_is_looked_up_and_its_fill_booked(
    tmp_path: Path, code: str
) -> None:
    """The stream may tell of its end seconds later: the position would be taken for stopped."""

    async def story(desk: Desk) -> None:
        held = await hold(desk)
        await desk.do(place(make_stop_request(quantity=d("0.3")), position_id=held))
        desk.venue.trade(VenueOrderId("O00001"), d("0.3"), d("58790.0"))
        desk.venue.cue("amend", VenueRejected("gone", code=code))
        receipt = await desk.do(moved_stop(held))

        position = await desk.read(lambda tx: tx.position(held))
        assert (states(receipt), codes(receipt)) == ([OutcomeState.REJECTED], [ORDER_GONE])
        assert "is filled" in receipt.outcomes[0].evidence
        assert await intents(desk) == [IntentState.CONFIRMED, IntentState.REJECTED]
        assert position is not None
        assert position.quantity == d("0.2")

    at_the_desk(tmp_path, story)


def test_a_stop_that_rests_and_cannot_be_moved_is_as_it_was(tmp_path: Path) -> None:
    """The venue refuses a price, say: one look, and its own words stay the reason."""

    async def story(desk: Desk) -> None:
        held = await hold(desk)
        await desk.do(place(make_stop_request(quantity=d("0.3")), position_id=held))
        desk.venue.cue("amend", VenueRejected("no", code="EOrder:Invalid price"))
        receipt = await desk.do(moved_stop(held))

        (order,) = await desk.read(lambda tx: tx.orders(open_only=True))
        assert (states(receipt), codes(receipt)) == (
            [OutcomeState.REJECTED],
            ["EOrder:Invalid price"],
        )
        assert order.quantity == d("0.3")
        assert await desk.read(lambda tx: tx.unresolved_intents()) == ()

    at_the_desk(tmp_path, story)


# --- lost answers --------------------------------------------------------------------------------


def test_a_lost_answer_is_cleared_up_when_the_venue_shows_the_order(tmp_path: Path) -> None:
    """Found by client id: done, and sent exactly once."""

    async def story(desk: Desk) -> None:
        desk.venue.cue("place", "lost answer")
        receipt = await desk.do(place(RESTING))

        assert states(receipt) == [OutcomeState.DONE]
        assert await intents(desk) == [IntentState.CONFIRMED]
        assert len(desk.venue.writes) == 1

    at_the_desk(tmp_path, story)


def test_defect_1_an_entry_that_cannot_be_found_stays_unknown_and_is_not_sent_again(
    tmp_path: Path,
) -> None:
    """Silence before deadline and visibility lag proves nothing: exit 6, instrument blocked."""

    async def story(desk: Desk) -> None:
        desk.venue.cue("place", "lost request")
        receipt = await desk.do(place(RESTING))
        again = await desk.do(place(make_request(limit_price=d("59500.0"))))

        assert (states(receipt), receipt.exit_code) == ([OutcomeState.UNKNOWN], 6)
        assert await intents(desk) == [IntentState.UNKNOWN]
        assert [refusal.code for refusal in again.refusals] == ["UNRESOLVED_INTENT"]
        assert len(desk.venue.writes) == 1

    at_the_desk(tmp_path, story)


def test_a_protective_stop_is_sent_again_under_its_own_id_after_its_deadline(
    tmp_path: Path,
) -> None:
    """The one order that may: the position must not stay naked for a lost packet."""

    async def story(desk: Desk) -> None:
        held = await hold(desk)
        desk.venue.cue("place", "lost request")
        receipt = await desk.do(place(make_stop_request(quantity=d("0.5")), position_id=held))

        places = [about for method, about in desk.venue.writes if method == "place"]
        assert len(places) == 2
        assert places[0] == places[1]
        assert states(receipt) == [OutcomeState.DONE]
        assert len(desk.venue.resting) == 1

    at_the_desk(tmp_path, story)


def test_a_cancel_is_sent_again_at_once(tmp_path: Path) -> None:
    """Cancelling twice costs nothing."""

    async def story(desk: Desk) -> None:
        await desk.do(place(RESTING))
        desk.venue.cue("cancel", "lost request")
        receipt = await desk.do(
            CancelOrder(venue_order_id=VenueOrderId("O00001"), symbol=BTC, reason="r")
        )

        assert states(receipt) == [OutcomeState.DONE]
        assert desk.venue.resting == []

    at_the_desk(tmp_path, story)


def test_defect_2_after_an_unknown_outcome_risk_and_what_depends_on_it_stop_and_reductions_go_on(
    tmp_path: Path,
) -> None:
    """Unknown entry on BTC: no more entries, nothing more on BTC, but a cancel and ETH's stop."""

    async def story(desk: Desk) -> None:
        desk.venue.totals["ETH"] = d("1")
        eth = builders.make_position(
            position_id=PositionId("E"), symbol=ETH, quantity=d("1"), origin="adopted"
        )
        await desk.do(AdoptPosition(position=eth, reason="test"))
        await desk.do(place(make_request(symbol=ETH, limit_price=d("2900.0"), quantity=d("0.005"))))
        desk.venue.cue("place", "lost request")
        eth_stop = make_stop_request(symbol=ETH, quantity=d("1"), trigger_price=d("2800.0"))
        receipt = await desk.do(
            place(RESTING),
            CancelOrder(venue_order_id=VenueOrderId("O00001"), symbol=ETH, reason="r"),
            place(make_request(symbol=ETH, limit_price=d("2950.0"), quantity=d("0.004"))),
            place(eth_stop, position_id=PositionId("E")),
        )

        assert states(receipt) == [
            OutcomeState.UNKNOWN,
            OutcomeState.DONE,
            OutcomeState.SKIPPED,
            OutcomeState.DONE,
        ]
        assert receipt.exit_code == 6

    at_the_desk(tmp_path, story)


def test_an_order_that_bears_our_id_and_disagrees_is_a_foreign_match(tmp_path: Path) -> None:
    """It is not taken for ours, and the instrument stays blocked."""

    async def story(desk: Desk) -> None:
        desk.venue.mangle = lambda order: replace(order, quantity=d("7"))
        desk.venue.cue("place", "lost answer")
        receipt = await desk.do(place(RESTING))

        assert (states(receipt), receipt.outcomes[0].code) == (
            [OutcomeState.UNKNOWN],
            "FOREIGN_MATCH",
        )
        assert await intents(desk) == [IntentState.UNKNOWN]

    at_the_desk(tmp_path, story)


def test_an_order_that_is_accepted_and_never_seen_is_unknown(tmp_path: Path) -> None:
    """The reply alone is no proof; looking goes on for the visibility lag and not longer."""

    async def story(desk: Desk) -> None:
        desk.venue.blind_s = 100_000
        began = desk.clock.now()
        receipt = await desk.do(place(RESTING))

        assert states(receipt) == [OutcomeState.UNKNOWN]
        assert 60 <= (desk.clock.now() - began).total_seconds() <= 70

    at_the_desk(tmp_path, story)


# --- preconditions, re-check, consent ------------------------------------------------------------


def test_a_step_whose_position_moved_is_withheld(tmp_path: Path) -> None:
    """The journaling transaction looks once more; nothing is journaled, nothing is sent."""

    async def story(desk: Desk) -> None:
        held = await hold(desk)
        step = place(
            make_request(
                side=Side.SELL,
                order_type=OrderType.MARKET,
                quantity=d("0.4"),
                limit_price=None,
                purpose="exit",
            ),
            position_id=held,
            preconditions=(PositionStill(position_id=held, quantity=d("0.4")),),
        )
        receipt = await desk.do(step)

        assert states(receipt) == [OutcomeState.SKIPPED]
        assert "holds 0.5" in receipt.outcomes[0].evidence
        assert await intents(desk) == []
        assert desk.venue.writes == []

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("counted_on", "state", "evidence"),
    [
        ("0.5", OutcomeState.DONE, ""),
        ("0.4", OutcomeState.SKIPPED, "0.5 of the order is left, the plan counted on 0.4"),
    ],
)
def test_defect_3_an_amendment_is_withheld_where_the_order_has_traded_meanwhile(
    tmp_path: Path, counted_on: str, state: OutcomeState, evidence: str
) -> None:
    """A quantity that fits what was left fits nothing else."""

    async def story(desk: Desk) -> None:
        held = await hold(desk)
        await desk.do(place(make_stop_request(quantity=d("0.5")), position_id=held))
        stop = VenueOrderId("O00001")
        left = OrderStillOpen(venue_order_id=stop, remaining_quantity=d(counted_on))
        change = OrderAmendment(venue_order_id=stop, symbol=BTC, trigger_price=d("59000.0"))
        receipt = await desk.do(
            AmendOrder(amendment=change, reason="r", position_id=held, preconditions=(left,))
        )

        assert states(receipt) == [state]
        assert evidence in receipt.outcomes[0].evidence

    at_the_desk(tmp_path, story)


def test_a_cancel_goes_out_whatever_has_traded_meanwhile(tmp_path: Path) -> None:
    """What is left of the order is not wanted, however much it is."""

    async def story(desk: Desk) -> None:
        await desk.do(place(RESTING))
        order = VenueOrderId("O00001")
        left = OrderStillOpen(venue_order_id=order, remaining_quantity=d("0.000001"))
        receipt = await desk.do(
            CancelOrder(venue_order_id=order, symbol=BTC, reason="r", preconditions=(left,))
        )

        assert states(receipt) == [OutcomeState.DONE]

    at_the_desk(tmp_path, story)


def test_two_exits_never_sell_a_position_twice(tmp_path: Path) -> None:
    """What is sold and being sold together stays within the position: unmanaged coins are safe."""

    async def story(desk: Desk) -> None:
        held = await hold(desk)
        desk.venue.totals["BTC"] = d("2")
        exit_request = make_request(
            side=Side.SELL, quantity=d("0.5"), limit_price=d("70000.0"), purpose="exit"
        )
        receipt = await desk.do(
            place(exit_request, position_id=held), place(exit_request, position_id=held)
        )

        assert states(receipt) == [OutcomeState.DONE, OutcomeState.SKIPPED]
        assert len(desk.venue.resting) == 1

    at_the_desk(tmp_path, story)


def test_a_plan_that_would_be_another_one_now_is_stale(tmp_path: Path) -> None:
    """Planning again gives another quantity: exit 4, the sentence says what moved."""

    async def story(desk: Desk) -> None:
        snapshot = await desk.look()

        async def regather() -> tuple[Snapshot, Plan]:
            return snapshot, desk.plan(place(make_request(quantity=d("0.0003"))))

        with pytest.raises(PlanStale, match=r"request\.quantity was 0\.0004 and is 0\.0003"):
            await desk.gate().carry_out(
                desk.plan(place()), snapshot=snapshot, execute=True, regather=regather
            )
        assert desk.venue.writes == []

    at_the_desk(tmp_path, story)


def test_a_price_that_moved_a_little_is_no_other_plan(tmp_path: Path) -> None:
    """Prices always move; the fresh plan's price is the one that goes out."""

    async def story(desk: Desk) -> None:
        snapshot = await desk.look()

        async def regather() -> tuple[Snapshot, Plan]:
            return snapshot, desk.plan(place(make_request(limit_price=d("59500.0"))))

        receipt = await desk.gate().carry_out(
            desk.plan(place(make_request(limit_price=d("59400.0")))),
            snapshot=snapshot,
            execute=True,
            regather=regather,
        )

        assert states(receipt) == [OutcomeState.DONE]
        assert desk.venue.resting[0].limit_price == d("59500.0")

    at_the_desk(tmp_path, story)


def test_an_expired_plan_is_stale(tmp_path: Path) -> None:
    """A plan lives five minutes."""

    async def story(desk: Desk) -> None:
        plan, snapshot = desk.plan(place()), await desk.look()
        await desk.clock.sleep(301)
        with pytest.raises(PlanStale, match="expired"):
            await desk.gate().carry_out(plan, snapshot=snapshot, execute=True)

    at_the_desk(tmp_path, story)


def test_the_same_plan_is_never_carried_out_twice(tmp_path: Path) -> None:
    """Its intents are in the journal already: withheld."""

    async def story(desk: Desk) -> None:
        plan, snapshot = desk.plan(place(RESTING)), await desk.look()
        first = await desk.gate().carry_out(plan, snapshot=snapshot, execute=True)
        second = await desk.gate().carry_out(plan, snapshot=snapshot, execute=True)

        assert states(first) == [OutcomeState.DONE]
        assert states(second) == [OutcomeState.SKIPPED]
        assert len(desk.venue.writes) == 1

    at_the_desk(tmp_path, story)


def test_a_live_account_needs_consent_before_the_venue_changes(tmp_path: Path) -> None:
    """The message names the account, the venue and the line to export."""

    async def story(desk: Desk) -> None:
        with pytest.raises(ConsentMissing) as caught:
            await desk.do(place(RESTING))
        assert "LIVE kraken 3f9a12c4" in caught.value.message
        assert caught.value.hint == "If you mean it: export I_UNDERSTAND_LIVE=1"
        assert desk.venue.writes == []
        assert await intents(desk) == []

        receipt = await desk.do(place(RESTING), live_consent=True)
        assert states(receipt) == [OutcomeState.DONE]

    at_the_desk(tmp_path, story, account=builders.LIVE)


CANCEL_ENTRY = CancelOrder(venue_order_id=VenueOrderId("O1"), symbol=BTC, reason="r")
CANCEL_STOP = CancelOrder(venue_order_id=VenueOrderId("O1"), symbol=BTC, reason="r", purpose="stop")
LATCH = SetTradingState(level=KillLevel.REDUCE_ONLY, reason="r")
CONSENT_CASES: list[tuple[str, tuple[Step, ...], bool]] = [
    ("kill", (LATCH, CANCEL_ENTRY), False),
    ("kill", (LATCH, CANCEL_STOP), True),
    ("kill", (LATCH, place(make_stop_request())), True),
    ("recover-sl", (place(make_stop_request()),), True),
    ("orders", (CANCEL_ENTRY,), True),
    ("resume", (LATCH,), False),
]


@pytest.mark.parametrize(("command", "steps", "expected"), CONSENT_CASES)
def test_only_kill_may_cancel_entries_without_consent(
    command: str, steps: tuple[Step, ...], *, expected: bool
) -> None:
    """Cancelling a stop and selling are flattening; flattening asks."""
    plan = builders.plan_with(*steps, command=command, account=builders.LIVE)

    assert needs_consent(plan) == expected


def test_a_refused_step_is_denied_and_the_others_go_on(tmp_path: Path) -> None:
    """Exit 4; the reduction in the same plan is carried out."""

    async def story(desk: Desk) -> None:
        held = await hold(desk)
        receipt = await desk.do(
            place(make_request(quantity=d("1"))),
            place(make_stop_request(quantity=d("0.5")), position_id=held),
        )

        assert states(receipt) == [OutcomeState.DENIED, OutcomeState.DONE]
        assert receipt.exit_code == 4

    at_the_desk(tmp_path, story)
