"""Own books against the venue: each class of disagreement alone, and none on agreement."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    NOON,
    PAPER,
    d,
    make_catalogue,
    make_fill,
    make_instrument,
    make_intent,
    make_order,
    make_position,
    make_venue_order,
)
from zoe_tools.core.accounting import fold_fills
from zoe_tools.core.adjustments import made_by
from zoe_tools.core.position_rows import figures_changed
from zoe_tools.core.reconcile import is_own_story, reconcile
from zoe_tools.domain.discrepancy import Adjustment, FindingKind
from zoe_tools.domain.identifiers import (
    ClientOrderId,
    FillId,
    LedgerId,
    PositionId,
    Symbol,
    VenueOrderId,
)
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.level_story import RetoldLevels
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.plan import (
    AdjustPosition,
    RecordFill,
    RecordOrder,
    SetTargets,
    canonical_json,
)
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import NOT_GATHERED, Reading, Snapshot
from zoe_tools.domain.take_profit import LevelStatus, TakeProfitLevel, TargetMode
from zoe_tools.errors import VenueUnavailable

FILL = make_fill(quantity=d("0.0004"), price=d("60000"), fee=d("0.096"))
ENTRY = make_order(
    status=OrderStatus.FILLED, filled_quantity=d("0.0004"), position_id=PositionId("P1")
)
STOP = make_order(
    client_order_id=ClientOrderId("99999999-2222-4333-8444-555555555555"),
    venue_order_id=VenueOrderId("OSTOPS-AAAAA-AAAAA1"),
    side=Side.SELL,
    order_type=OrderType.STOP_LOSS,
    purpose="stop",
    limit_price=None,
    trigger_price=d("58800"),
    position_id=PositionId("P1"),
)
VENUE_ENTRY = make_venue_order(status=OrderStatus.FILLED, filled_quantity=d("0.0004"))
VENUE_STOP = make_venue_order(
    venue_order_id=STOP.venue_order_id,
    client_order_id=STOP.client_order_id,
    side=Side.SELL,
    order_type=OrderType.STOP_LOSS,
    limit_price=None,
    trigger_price=d("58800"),
)


HELD = make_position(average_cost=d("60240"), fees=d("0.096"))


def leg(number: int, asset: str, amount: str, fee: str, balance: str) -> LedgerEntry:
    """One ledger row of the fill."""
    return LedgerEntry(
        ledger_id=LedgerId(f"L{number}"),
        refid=FILL.fill_id,
        booked_at=NOON,
        kind="trade",
        subtype="tradespot",
        asset=asset,
        amount=d(amount),
        fee=d(fee),
        balance=d(balance),
    )


LEDGER = (leg(2, "BTC", "0.0004", "0", "0.0004"), leg(1, "USD", "-24", "0.096", "975.904"))
BALANCES = (Balance(asset="BTC", total=d("0.0004")), Balance(asset="USD", total=d("975.904")))


def read(value: Any) -> Reading[Any]:
    """A part read five minutes past noon: nothing is too young to be shown."""
    return Reading(value, NOON + timedelta(minutes=5), "test")


def agreeing(**changes: Any) -> Snapshot:
    """One filled entry, its position and its stop, equal on both sides."""
    values: dict[str, Any] = {
        "taken_at": NOON,
        "account": PAPER,
        "policy": Policy(),
        "catalogue": read(make_catalogue()),
        "open_orders": read((VENUE_STOP,)),
        "closed_orders": read((VENUE_ENTRY,)),
        "fills": read((FILL,)),
        "ledger": read(LEDGER),
        "balances": read(BALANCES),
        "orders": (ENTRY, STOP),
        "recorded_fills": (FILL,),
        "positions": (HELD,),
    }
    return Snapshot(**{**values, **changes})


def test_agreement_has_no_findings_and_nothing_to_do() -> None:
    """The normal answer."""
    result = reconcile(agreeing())

    assert result.findings == ()
    assert result.steps == ()


FOREIGN = make_venue_order(venue_order_id=VenueOrderId("OFOREI-AAAAA-AAAAA1"), client_order_id=None)
SCENARIOS: list[tuple[str, dict[str, Any], set[FindingKind]]] = [
    (
        "all fills of an entry are missing from our books",
        {"recorded_fills": (), "positions": ()},
        {FindingKind.PENDING_ADOPTED},
    ),
    (
        "our price is wrong",
        {"recorded_fills": (replace(FILL, price=d("60001")),)},
        {FindingKind.FILL_MISMATCH},
    ),
    (
        "our fee is missing",
        {"recorded_fills": (replace(FILL, fee=d("0")),)},
        {FindingKind.FEE_MISMATCH},
    ),
    (
        "the venue holds an order that nobody here placed",
        {"open_orders": read((VENUE_STOP, FOREIGN))},
        {FindingKind.UNKNOWN_ORDER},
    ),
    (
        "the stop was cancelled behind our back",
        {
            "open_orders": read(()),
            "closed_orders": read((VENUE_ENTRY, replace(VENUE_STOP, status=OrderStatus.CANCELED))),
        },
        {FindingKind.STOP_MISSING, FindingKind.ORDER_MISMATCH},
    ),
    (
        "the stop vanished without a trace",
        {"open_orders": read(())},
        {FindingKind.STOP_MISSING, FindingKind.LOST_ORDER},
    ),
    (
        "the stop covers half",
        {"open_orders": read((replace(VENUE_STOP, quantity=d("0.0002")),))},
        {FindingKind.STOP_QTY, FindingKind.ORDER_MISMATCH},
    ),
    (
        "the stop is on the position's own side",
        {"open_orders": read((replace(VENUE_STOP, side=Side.BUY),))},
        {FindingKind.STOP_SIDE, FindingKind.FOREIGN_MATCH},
    ),
    (
        "we hold a fill that the venue does not know",
        {
            "recorded_fills": (
                FILL,
                replace(FILL, fill_id=FillId("TPHANT-AAAAA-AAAAA1"), price=d("1")),
            )
        },
        {FindingKind.PHANTOM_FILL},
    ),
    (
        "we hold one fill twice, under two names",
        {"recorded_fills": (FILL, replace(FILL, fill_id=FillId("TPHANT-AAAAA-AAAAA1")))},
        {FindingKind.DUPLICATE_FILL},
    ),
    (
        "the venue holds less than is managed",
        {"balances": read((Balance(asset="BTC", total=d("0.0003")), BALANCES[1]))},
        {FindingKind.QTY_MISMATCH, FindingKind.BALANCE_DRIFT},
    ),
    (
        "the ledger lacks a leg, and the balance as well",
        {"ledger": read((LEDGER[0],)), "balances": read((BALANCES[0],))},
        {FindingKind.LEDGER_MISMATCH},
    ),
    (
        "the ledger lacks a leg that the balance has",
        {"ledger": read((LEDGER[0],))},
        {FindingKind.VENUE_CONTRADICTION},
    ),
    (
        "the ledger charged another fee",
        {"ledger": read((LEDGER[0], replace(LEDGER[1], fee=d("0.2"))))},
        {FindingKind.LEDGER_MISMATCH},
    ),
    (
        "an intent is open",
        {"unresolved_intents": (make_intent(state=IntentState.UNKNOWN),)},
        {FindingKind.UNRESOLVED_INTENT},
    ),
]


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [(changes, kinds) for _, changes, kinds in SCENARIOS],
    ids=[name for name, _, _ in SCENARIOS],
)
def test_each_disagreement_is_named(changes: dict[str, Any], kinds: set[FindingKind]) -> None:
    """One fault gives its own class, and no other."""
    result = reconcile(agreeing(**changes))

    assert {finding.kind for finding in result.findings} == kinds
    assert all(finding.evidence for finding in result.findings)


def test_only_what_the_venue_proves_is_mended() -> None:
    """A missing fill of our own order is booked; an unknown order is left alone."""
    missing = reconcile(agreeing(recorded_fills=(), positions=()))
    unknown = reconcile(agreeing(open_orders=read((VENUE_STOP, FOREIGN))))
    changed = reconcile(agreeing(orders=(replace(ENTRY, status=OrderStatus.OPEN), STOP)))

    assert [type(step) for step in missing.steps] == [RecordFill]
    assert unknown.steps == ()
    assert [type(step) for step in changed.steps] == [RecordOrder]


def test_what_a_row_in_error_held_is_told_and_adopted_by_nobody_but_a_person() -> None:
    """Nothing may follow an error; adopted by name the coins are counted once, and all is well."""
    given_up = frozenset({PositionId("P1")})
    told = reconcile(agreeing(positions=(), given_up=given_up))
    (finding,) = told.findings
    assert finding.kind is FindingKind.PHANTOM
    assert "zoe sync-positions --adopt BTC/USD=0.0004" in finding.evidence
    assert told.steps == ()
    sold = (Balance(asset="BTC", total=d("0")), BALANCES[1])
    gone = reconcile(agreeing(positions=(), given_up=given_up, balances=read(sold)))
    assert FindingKind.PHANTOM not in {each.kind for each in gone.findings}

    by_name = make_position(
        position_id=PositionId("P2"),
        origin="adopted",
        stop_venue_order_id=VENUE_STOP.venue_order_id,
    )
    mended = reconcile(agreeing(positions=(by_name,), given_up=given_up))
    assert {FindingKind.PHANTOM, FindingKind.QTY_MISMATCH} & {
        each.kind for each in mended.findings
    } == set()


def test_closed_orders_of_others_are_a_note() -> None:
    """What somebody else did on the account is not our finding."""
    theirs = replace(FOREIGN, status=OrderStatus.FILLED, filled_quantity=d("0.0004"))
    result = reconcile(agreeing(closed_orders=read((VENUE_ENTRY, theirs))))

    assert result.findings == ()
    assert result.notes == ("1 closed order at the venue was not placed here; left alone.",)


def test_an_account_with_earlier_holdings_of_the_asset_is_clean() -> None:
    """Two coins bought elsewhere are nobody's position."""
    ledger = (
        replace(LEDGER[0], balance=d("2.0004")),
        LEDGER[1],
    )
    balances = (Balance(asset="BTC", total=d("2.0004")), BALANCES[1])

    assert reconcile(agreeing(ledger=read(ledger), balances=read(balances))).findings == ()


@pytest.mark.parametrize("part", ["open_orders", "closed_orders", "fills", "ledger", "balances"])
def test_a_missing_part_is_an_error_never_an_all_clear(part: str) -> None:
    """Silence of the venue is not agreement."""
    with pytest.raises(VenueUnavailable):
        reconcile(agreeing(**{part: NOT_GATHERED}))


@given(st.randoms(use_true_random=False), st.integers(min_value=0, max_value=len(SCENARIOS) - 1))
def test_what_is_found_does_not_hang_on_the_order_of_what_is_told(
    chance: Random, number: int
) -> None:
    """The venue's lists and our rows may come in any order, but for the ledger's own."""
    snapshot = agreeing(**SCENARIOS[number][1])
    mixed = replace(
        snapshot,
        open_orders=shuffled(snapshot.open_orders, chance),
        closed_orders=shuffled(snapshot.closed_orders, chance),
        fills=shuffled(snapshot.fills, chance),
        balances=shuffled(snapshot.balances, chance),
        orders=tuple(chance.sample(snapshot.orders, len(snapshot.orders))),
        recorded_fills=tuple(chance.sample(snapshot.recorded_fills, len(snapshot.recorded_fills))),
    )

    first, second = reconcile(snapshot), reconcile(mixed)
    assert set(first.findings) == set(second.findings)
    assert {canonical_json(each) for each in first.steps} == {
        canonical_json(each) for each in second.steps
    }


def shuffled(part: Any, chance: Random) -> Reading[Any]:
    """The same part in another order."""
    return replace(part, value=tuple(chance.sample(part.value, len(part.value))))


def test_an_answer_older_than_what_we_know_is_no_evidence() -> None:
    """Our stop was told of after the venue's list was made, and coins bought after its balances."""
    later = NOON + timedelta(minutes=10)
    younger = replace(STOP, updated_at=later, created_at=later)
    bought = replace(FILL, fill_id=FillId("TLATER-AAAAA-AAAAA1"), filled_at=later)
    short = (Balance(asset="BTC", total=d("0.0003")), BALANCES[1])

    lost = reconcile(agreeing(open_orders=read(()), orders=(ENTRY, younger)))
    poor = reconcile(agreeing(balances=read(short), recorded_fills=(FILL, bought)))
    assert FindingKind.LOST_ORDER not in {each.kind for each in lost.findings}
    assert FindingKind.QTY_MISMATCH not in {each.kind for each in poor.findings}


SOLD = replace(
    leg(3, "USD", "10", "0", "985.904"), refid="TFOREI", booked_at=NOON + timedelta(minutes=6)
)


@pytest.mark.parametrize(
    ("held", "is_told"), [("975.904", False), ("985.904", False), ("980", True), ("999", True)]
)
def test_two_answers_are_never_of_one_moment(held: str, *, is_told: bool) -> None:
    """The balances, read at five past, may know of a row from then on or not; of no other sum."""
    first = replace(
        leg(0, "USD", "999", "0", "999"), refid="RFIRST", booked_at=NOON - timedelta(days=1)
    )
    ledger = read((SOLD, *LEDGER, first))
    balances = read((BALANCES[0], Balance(asset="USD", total=d(held))))
    found = reconcile(agreeing(ledger=ledger, balances=balances)).findings

    assert [each.kind for each in found] == [FindingKind.BALANCE_DRIFT] * is_told


def test_a_balance_that_its_ledger_does_not_explain_has_to_be_seen_again() -> None:
    """The one may be told before the other: one look degrades nothing."""
    balances = read((BALANCES[0], Balance(asset="USD", total=d("900"))))
    (drift,) = reconcile(agreeing(balances=balances)).findings

    assert (drift.kind, drift.is_absence) == (FindingKind.BALANCE_DRIFT, True)


def test_defect_10_a_row_shows_what_was_measured_and_nothing_else() -> None:
    """Defect 10: no second source, no agreement; and what is held, not what is managed of it."""
    more = (Balance(asset="BTC", total=d("2")), Balance(asset="USD", total=d("900")))
    live = agreeing(ledger=NOT_GATHERED, balances=read(more))
    streamed = replace(live, streamed_balances=read((Balance(asset="USD", total=d("950")),)))
    alone, two = (reconcile(each, is_whole=False).figures for each in (live, streamed))

    assert (alone.local_cash, alone.venue_cash) == (None, d("900"))
    assert two.local_cash == d("950")
    assert two.local_holdings == (("BTC", d("0.0004")),)
    assert two.venue_holdings == (("BTC", d("2")),)
    assert reconcile(agreeing()).figures.local_cash is None  # the venue's ledger is the venue's
    assert reconcile(agreeing(own_ledger=LEDGER)).figures.local_cash == d("975.904")
    behind = reconcile(agreeing(own_ledger=LEDGER[1:]))
    assert behind.figures.local_cash is None
    assert any("lacks 1 row of the venue's" in note for note in behind.notes)


def test_what_was_posted_is_part_of_our_own_cash() -> None:
    """The ledger never told of it; a person did."""
    posted = Adjustment(
        adjustment_id="A1",
        asset="USD",
        quantity=d("-5"),
        author="tester",
        reason="a fee by hand",
        adjusted_at=NOON,
    )
    figures = reconcile(agreeing(own_ledger=LEDGER, adjustments=(posted,))).figures

    assert figures.local_cash == d("970.904")


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_row_of_our_ledger_that_the_venue_tells_otherwise_was_changed_by_hand(
    *, is_whole: bool
) -> None:
    """It is named with both contents; nothing is planned, because such rows are append-only."""
    wrong = tuple(
        replace(each, amount=d("-14"), balance=d("985.904")) if each.asset == "USD" else each
        for each in LEDGER
    )
    found = reconcile(agreeing(own_ledger=wrong), is_whole=is_whole)

    (tampered,) = found.findings
    assert (tampered.kind, tampered.is_absence) == (FindingKind.STORE_TAMPERED, False)
    assert tampered.subject.endswith(" in our ledger")
    assert "balance 985.904" in tampered.evidence
    assert "balance 975.904" in tampered.evidence
    assert found.steps == ()


def test_a_row_that_the_venue_s_whole_ledger_lacks_was_made_up() -> None:
    """Only between rows that it tells, and only of the whole: a page lacks what is older."""
    older = tuple(
        replace(
            each,
            ledger_id=LedgerId(f"{each.ledger_id}OLD"),
            refid="REARLY",
            booked_at=NOON - timedelta(days=2),
        )
        for each in LEDGER
    )
    invented = replace(LEDGER[0], ledger_id=LedgerId("LMADEUP"), booked_at=NOON - timedelta(days=1))
    ancient = replace(invented, ledger_id=LedgerId("LANC"), booked_at=NOON - timedelta(days=9))
    snapshot = agreeing(
        ledger=read((*LEDGER, *older)), own_ledger=(*LEDGER, invented, *older, ancient)
    )

    (found,) = [
        each for each in reconcile(snapshot).findings if each.kind is FindingKind.STORE_TAMPERED
    ]
    assert (found.subject, found.is_absence) == ("LMADEUP in our ledger", True)
    assert reconcile(snapshot, is_whole=False).findings == ()
    assert reconcile(replace(snapshot, ledger=read(()))).findings != ()  # told as what it is:
    empty = {each.kind for each in reconcile(replace(snapshot, ledger=read(()))).findings}
    assert FindingKind.STORE_TAMPERED not in empty


def test_an_answer_that_contradicts_itself_is_told() -> None:
    """The same execution twice, at two prices; twice the same is one."""
    other = replace(FILL, price=d("61000"), cost=d("24.4"))
    said = reconcile(agreeing(fills=read((FILL, other))))
    same = reconcile(agreeing(fills=read((FILL, FILL))))

    assert FindingKind.VENUE_CONTRADICTION in {each.kind for each in said.findings}
    assert same.findings == ()


def test_positions_of_one_coin_share_what_is_held() -> None:
    """Half a coin in dollars and half in euros are a coin; no less may be held."""
    euro = make_instrument("BTC/EUR")
    second = make_position(position_id=PositionId("P2"), symbol=Symbol("BTC/EUR"))
    short = reconcile(
        agreeing(
            catalogue=read(make_catalogue(make_instrument(), euro)),
            positions=(HELD, second),
        )
    )

    (found,) = [each for each in short.findings if each.kind is FindingKind.QTY_MISMATCH]
    assert (found.subject, found.at_stake) == ("BTC", d("24.096"))


@pytest.mark.parametrize(
    ("changes", "is_over"),
    [
        ({"average_cost": d("7")}, False),
        ({"realised_pnl": d("99999")}, False),
        ({"fees": d("0")}, False),
        ({"realised_pnl": d("99999")}, True),
        ({"fees": d("0")}, True),
    ],
)
def test_figures_that_no_fill_explains_were_changed_by_hand(
    changes: dict[str, Any], *, is_over: bool
) -> None:
    """Found on what is held and on what is over, and brought back to what the fills make."""
    sold = replace(
        FILL,
        fill_id=FillId("TSOLDD-AAAAA-AAAAA1"),
        side=Side.SELL,
        fee=d("0"),
        filled_at=NOON + timedelta(seconds=1),
    )
    fills = (FILL, sold) if is_over else (FILL,)
    right = made_by(PositionId("P1"), fills, ())
    assert right is not None
    wrong = replace(right, **changes)
    where: dict[str, Any] = {"positions": (wrong,)}
    if is_over:
        where = {"positions": (), "closed_positions": (wrong,), "open_orders": read(())}
    both = {"fills": read(fills), "recorded_fills": fills, **where}
    result = reconcile(agreeing(**both))

    (found,) = [each for each in result.findings if each.kind is FindingKind.STORE_TAMPERED]
    assert (found.subject, found.is_absence) == ("P1", False)
    (step,) = [each for each in result.steps if isinstance(each, AdjustPosition)]
    for name in ("average_cost", "realised_pnl", "fees", "quantity"):
        assert getattr(step.after, name) == getattr(right, name)


def test_the_order_in_which_fills_were_booked_is_no_change_by_hand() -> None:
    """Average cost and result share out one sum: bought, sold, bought, in either order."""
    first = replace(FILL, fee=d("0"))
    more = replace(first, fill_id=FillId("T2"), price=d("61000"), cost=d("24.4"))
    sold = replace(first, fill_id=FillId("T3"), side=Side.SELL, price=d("62000"), cost=d("24.8"))
    late = [
        replace(each, filled_at=NOON + timedelta(seconds=number))
        for number, each in enumerate((first, sold, more))
    ]
    position = fold_fills((late[0], late[2], late[1]), position_id=PositionId("P1"))
    assert position is not None
    made = made_by(PositionId("P1"), late, ())
    assert made is not None
    assert made.average_cost != position.average_cost

    assert list(figures_changed(agreeing(), position, made, made)) == []


def test_a_tolerance_is_never_finer_than_the_step() -> None:
    """A coin that trades in tenths may differ by a tenth; the next digit counts."""
    coarse = make_catalogue(make_instrument(quantity_decimals=1))
    held = (Balance(asset="BTC", total=d("0.9")), BALANCES[1])
    position = make_position(quantity=d("1"), entry_quantity=d("1"))
    base = {
        "catalogue": read(coarse),
        "positions": (position,),
        "recorded_fills": (),
        "fills": read(()),
        "orders": (),
        "closed_orders": read(()),
        "open_orders": read(()),
    }
    inside = reconcile(agreeing(**base, balances=read(held)))
    outside = reconcile(
        agreeing(**base, balances=read((Balance(asset="BTC", total=d("0.89")), BALANCES[1])))
    )
    assert FindingKind.QTY_MISMATCH not in {each.kind for each in inside.findings}
    assert FindingKind.QTY_MISMATCH in {each.kind for each in outside.findings}


TARGET = make_order(
    client_order_id=ClientOrderId("77777777-2222-4333-8444-555555555555"),
    venue_order_id=VenueOrderId("OTARGE-AAAAA-AAAAA1"),
    side=Side.SELL,
    purpose="take_profit",
    quantity=d("0.0002"),
    limit_price=d("62400"),
    position_id=PositionId("P1"),
)
RESTING = make_venue_order(
    venue_order_id=TARGET.venue_order_id,
    client_order_id=TARGET.client_order_id,
    side=Side.SELL,
    quantity=d("0.0002"),
    limit_price=d("62400"),
)
HALF_STOP = replace(STOP, quantity=d("0.0002")), replace(VENUE_STOP, quantity=d("0.0002"))


def levels(mode: TargetMode) -> tuple[TakeProfitLevel, ...]:
    """Half of the position at each of two prices, the first one in that mode."""
    return tuple(
        TakeProfitLevel(
            position_id=PositionId("P1"),
            level=number,
            price=d(price),
            quantity=d("0.0002"),
            status=LevelStatus.WORKING,
            mode=each,
            updated_at=NOON,
        )
        for number, price, each in ((1, "62400", mode), (2, "63000", TargetMode.MANAGED))
    )


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [(TargetMode.RESTING, set()), (TargetMode.MANAGED, {FindingKind.STOP_QTY})],
)
def test_what_rests_in_a_target_as_planned_needs_no_stop(
    mode: TargetMode, kinds: set[FindingKind]
) -> None:
    """Half in the stop and half in a target; a target that nobody planned takes stop away."""
    own, theirs = HALF_STOP
    found = reconcile(
        agreeing(
            orders=(ENTRY, own, TARGET),
            open_orders=read((theirs, RESTING)),
            targets=levels(mode),
            policy=Policy(allow_targets_without_stop=True),
        )
    )

    assert {each.kind for each in found.findings} == kinds


def test_a_stop_that_somebody_placed_and_zoe_linked_is_its_stop() -> None:
    """It has no row of ours, and is no unknown order."""
    theirs = replace(VENUE_STOP, client_order_id=None, venue_order_id=VenueOrderId("OHAND"))
    held = replace(HELD, stop_venue_order_id=theirs.venue_order_id, stop_price=d("58800"))
    found = reconcile(agreeing(orders=(ENTRY,), open_orders=read((theirs,)), positions=(held,)))

    assert found.findings == ()


def test_a_stop_of_a_position_that_was_given_up_is_told_beside_another() -> None:
    """Together they cover more than is managed; alone in its instrument it is not too much."""
    names: dict[str, Any] = {
        "client_order_id": ClientOrderId("77777777-2222-4333-8444-555555555555"),
        "venue_order_id": VenueOrderId("OOLDST-AAAAA-AAAAA1"),
    }
    old = replace(STOP, **names, position_id=PositionId("P0"))
    found = reconcile(
        agreeing(
            orders=(ENTRY, STOP, old),
            open_orders=read((VENUE_STOP, replace(VENUE_STOP, **names))),
            given_up=frozenset({PositionId("P0")}),
        )
    )

    (finding,) = found.findings
    assert (finding.kind, finding.subject) == (FindingKind.STOP_QTY, "P1")
    assert "0.0004 more would be sold by OOLDST-AAAAA-AAAAA1 (0.0004) of P0" in finding.evidence


def test_levels_that_a_prompt_wrote_are_told_and_put_back() -> None:
    """What the position's story sets is the step; the loop takes it by itself."""
    told = levels(TargetMode.MANAGED)
    rows = (replace(told[0], price=d("1")), told[1])
    retold = RetoldLevels(position_id=PositionId("P1"), rows=rows, told=told)
    found = reconcile(agreeing(targets=told, targets_retold=(retold,)))

    (finding,), (step,) = found.findings, found.steps
    assert (finding.kind, finding.subject) == (FindingKind.STORE_TAMPERED, "levels of P1")
    assert "1: 0.0002 at 62400 (managed)" in finding.evidence
    assert isinstance(step, SetTargets)
    assert step.levels == told
    assert is_own_story(step)


def test_a_row_that_contradicts_itself_is_put_back_to_what_its_fills_say() -> None:
    """Its quantity agrees, what came in and went out does not: the next start would give it up."""
    found = reconcile(agreeing(positions=(replace(HELD, exit_quantity=d("9")),)))

    (finding,), (step,) = found.findings, found.steps
    assert finding.kind is FindingKind.STORE_TAMPERED
    assert "0.0004 in, 9 out instead of 0.0004 and 0" in finding.evidence
    assert isinstance(step, AdjustPosition)
    assert step.after.exit_quantity == d("0")
