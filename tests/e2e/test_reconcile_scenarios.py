"""Divergences between store and venue, made on the paper exchange: each class, alone and combined.

For each: found and classified, twice the same; the dry runs change no business row; what the policy
mends is mended by `--execute`, the rest is left alone and stays listed; no money moves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, d, make_request, place
from reconcile_rig import Told, World, told_by
from zoe_tools.domain.discrepancy import FindingKind
from zoe_tools.domain.identifiers import FillId
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.order import OrderAmendment, OrderType, Side
from zoe_tools.gate.journal import Author, journal, mark

Diverge = Callable[[World], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is done to a protected position, what is found, and what is left after --execute."""

    diverge: Diverge
    found: tuple[str, ...]
    left: tuple[str, ...] = ()
    managed: str = "0.0004"
    begins: bool = True
    """Whether there is a protected position to begin with."""
    keeps_back: bool = False
    """Whether it was critical: mended, it keeps entries back for some comparisons more."""


# --- what a person does to the store -------------------------------------------------------------

STOPS = "WHERE account_id = :me AND purpose = 'stop'"
ENTRIES = "WHERE account_id = :me AND purpose = 'entry'"
MINE = "WHERE account_id = :me"


def sql(*lines: str, of: str = MINE) -> Diverge:
    """Lines at a database prompt, each about this account's rows or, `of` them, its stop's."""

    async def diverge(world: World) -> None:
        for line in lines:
            await world.sql(f"{line} {of}")

    return diverge


async def same_fill_again(world: World) -> None:
    """The one fill is booked under another name as well."""
    (fill,) = await world.read(lambda tx: tx.fills())
    again = replace(fill, fill_id=FillId(f"X{fill.fill_id[1:]}"))
    await world.read(lambda tx: tx.record_fill(again))


async def invented_fill(world: World) -> None:
    """An execution that never was."""
    (fill,) = await world.read(lambda tx: tx.fills())
    made_up = replace(fill, fill_id=FillId("TMADE-UPPPP-AAAAAA"), price=d("1"), cost=d("0.0004"))
    await world.read(lambda tx: tx.record_fill(made_up))


async def sold(world: World) -> None:
    """The stop sells the position, and that is booked."""
    await world.market("68000.0", "68000.1")
    await world.reconcile(execute=True)


async def reopened(world: World) -> None:
    """A position that was sold is open again, by hand."""
    await sold(world)
    await world.sql("UPDATE crypto_positions SET status = 'open', closed_at = NULL")


# --- what happens at the venue -------------------------------------------------------------------


async def foreign_order(world: World) -> None:
    """Somebody places an order with the same key."""
    await world.place_by_hand()


async def stop_on_its_own_side(world: World) -> None:
    """A stop that buys is written into the position's row, and takes the place of its own."""
    await stop_cancelled(world)
    name = await world.place_by_hand(
        order_type=OrderType.STOP_LOSS, limit_price=None, trigger_price=d("75000.0")
    )
    (position,) = await world.read(lambda tx: tx.positions())
    turned = replace(position, stop_venue_order_id=name, stop_client_order_id=None)
    await world.read(lambda tx: tx.copy_position(turned))


async def stop_cancelled(world: World) -> None:
    """Somebody cancels the stop."""
    await world.spot.cancel((await world.stop()).venue_order_id)


async def stop_halved(world: World) -> None:
    """Somebody halves the stop."""
    stop = await world.stop()
    change = OrderAmendment(venue_order_id=stop.venue_order_id, symbol=BTC, quantity=d("0.0002"))
    await world.spot.amend(change, deadline=world.clock.now().replace(year=2099))


async def stop_fired(world: World) -> None:
    """The market goes through the stop while nobody looks."""
    await world.market("68000.0", "68000.1")


async def entry_filled(world: World) -> None:
    """A resting entry fills while nobody looks."""
    await world.enter(limit="69500.0")
    await world.market("69400.0", "69500.0")


async def entry_filled_in_part(world: World) -> None:
    """Half of a resting entry fills while nobody looks."""
    await world.enter(limit="69500.0")
    await world.market("69500.0", "69500.1", size="0.0002")


async def entry_rests(world: World) -> None:
    """A resting entry that does nothing."""
    await world.enter(limit="69000.0")


async def entry_cancelled(world: World) -> None:
    """A resting entry that somebody cancels."""
    order = await world.enter(limit="69000.0")
    await world.spot.cancel(order.venue_order_id)


def taken_out(asset: str, amount: str) -> Diverge:
    """Coins leave the account, and the ledger tells."""

    async def diverge(world: World) -> None:
        world.take_out(asset, amount)

    return diverge


def vanished(asset: str, amount: str) -> Diverge:
    """Money is gone and no ledger row tells."""

    async def diverge(world: World) -> None:
        world.vanish(asset, amount)

    return diverge


def lying(*reads: tuple[str, str]) -> Diverge:
    """These reads tell nothing, or half, for as long as the scenario lasts."""

    async def diverge(world: World) -> None:
        for fault, where in reads:
            world.lie(fault, where)

    return diverge


# --- what zoe itself left open -------------------------------------------------------------------


async def journaled_only(world: World) -> None:
    """An intent that was journaled and never sent."""
    desk = world.desk
    plan = desk.plan(place(make_request(limit_price=d("60000.0"))))
    author = Author(account=desk.account, command="run", operator="o", host="h")
    now = desk.clock.now()
    await world.read(lambda tx: journal(tx, plan, 0, author=author, policy=desk.policy, now=now))


async def sent_and_lost(world: World) -> None:
    """An intent that was sent, and nothing was heard."""
    desk = world.desk
    plan = desk.plan(place(make_request(limit_price=d("60000.0"))))
    author = Author(account=desk.account, command="run", operator="o", host="h")
    now = desk.clock.now()
    entry = await world.read(
        lambda tx: journal(tx, plan, 0, author=author, policy=desk.policy, now=now)
    )
    await world.read(lambda tx: mark(tx, entry, IntentState.SENT, at=now))


async def wrong_price(world: World) -> None:
    """The sale by the stop is booked at an invented price."""
    await stop_fired(world)
    await world.clock.sleep(1)
    sale = next(each for each in await world.spot.fills() if each.side is Side.SELL)
    wrong = replace(sale, price=d("90000"), cost=d("36"))
    await world.read(lambda tx: tx.record_fill(wrong))


async def wrong_fee(world: World) -> None:
    """The sale by the stop is booked without its fee."""
    await stop_fired(world)
    await world.clock.sleep(1)
    sale = next(each for each in await world.spot.fills() if each.side is Side.SELL)
    await world.read(lambda tx: tx.record_fill(replace(sale, fee=d("0"))))


async def nothing(_world: World) -> None:
    """All stays as it is."""


def both(*stories: Diverge) -> Diverge:
    """One after the other."""

    async def diverge(world: World) -> None:
        for story in stories:
            await story(world)

    return diverge


CANCELED_BY_SQL = sql("UPDATE crypto_orders SET status = 'canceled'", of=STOPS)
DOUBLED = sql("UPDATE crypto_positions SET quantity = '0.0008'")
CLOSED_BY_SQL = sql("UPDATE crypto_positions SET status = 'closed'")


async def learned(world: World) -> None:
    """Our own ledger has every row of the venue's."""
    await world.learn_the_ledger()


def denied(*reads: tuple[str, str], first: Diverge = nothing) -> Case:
    """Short answers that another endpoint denies: told as such, and left alone."""
    kinds = ("VENUE_CONTRADICTION",)
    return Case(diverge=both(first, lying(*reads)), found=kinds, left=kinds)


CASES: dict[str, Case] = {
    # rows of orders that a person changed
    "the runbook's canceled": Case(diverge=CANCELED_BY_SQL, found=("STORE_TAMPERED",)),
    "a stop called filled": Case(
        diverge=sql("UPDATE crypto_orders SET status = 'filled'", of=STOPS),
        found=("STORE_TAMPERED",),
    ),
    "a stop called expired": Case(
        diverge=sql("UPDATE crypto_orders SET status = 'expired'", of=STOPS),
        found=("STORE_TAMPERED",),
    ),
    "a stop with another filled quantity": Case(
        diverge=sql("UPDATE crypto_orders SET filled_quantity = '0.0001'", of=STOPS),
        found=("STORE_TAMPERED",),
    ),
    "a filled entry called open": Case(
        diverge=sql("UPDATE crypto_orders SET status = 'open'", of=ENTRIES),
        found=("STORE_TAMPERED",),
    ),
    "every order canceled, without a WHERE": Case(
        diverge=sql("UPDATE crypto_orders SET status = 'canceled'"),
        found=("STORE_TAMPERED", "STORE_TAMPERED"),
    ),
    "a stop with another quantity": Case(
        diverge=sql("UPDATE crypto_orders SET quantity = '0.0009'", of=STOPS),
        found=("ORDER_MISMATCH",),
    ),
    "a stop on the other side": Case(
        diverge=sql("UPDATE crypto_orders SET side = 'buy'", of=STOPS),
        found=("FOREIGN_MATCH",),
        left=("FOREIGN_MATCH",),
    ),
    "a stop of another instrument": Case(
        diverge=sql("UPDATE crypto_orders SET symbol = 'ETH/USD'", of=STOPS),
        found=("FOREIGN_MATCH",),
        left=("FOREIGN_MATCH",),
    ),
    "a stop with another id": Case(
        diverge=sql("UPDATE crypto_orders SET venue_order_id = 'OOTHER-AAAAA-AAAAAA'", of=STOPS),
        found=("FOREIGN_MATCH",),
        left=("FOREIGN_MATCH",),
    ),
    # The intent says what it was, the events what became of it.
    "a stop's row deleted": Case(
        diverge=sql("DELETE FROM crypto_orders", of=STOPS), found=("STORE_TAMPERED",)
    ),
    "an entry's row deleted": Case(
        diverge=sql("DELETE FROM crypto_orders", of=ENTRIES), found=("STORE_TAMPERED",)
    ),
    "orders and position deleted": Case(
        diverge=sql("DELETE FROM crypto_orders", "DELETE FROM crypto_positions"),
        found=("PHANTOM", "STORE_TAMPERED", "STORE_TAMPERED"),
    ),
    # rows of positions that a person changed
    "a position doubled": Case(diverge=DOUBLED, found=("QTY_SYNCED",)),
    "a position halved": Case(
        diverge=sql("UPDATE crypto_positions SET quantity = '0.0002'"),
        found=("QTY_SYNCED",),
    ),
    "a position emptied": Case(
        diverge=sql("UPDATE crypto_positions SET quantity = '0'"),
        found=("QTY_SYNCED",),
    ),
    "a position called closed": Case(diverge=CLOSED_BY_SQL, found=("PHANTOM",)),
    "a position called pending": Case(
        diverge=sql("UPDATE crypto_positions SET status = 'pending'"),
        found=("PHANTOM",),
    ),
    "a position deleted": Case(diverge=sql("DELETE FROM crypto_positions"), found=("PHANTOM",)),
    "a position on the other side": Case(
        diverge=sql("UPDATE crypto_positions SET side = 'sell'"),
        found=("SIDE_FLIP",),
        keeps_back=True,
    ),
    "a stop on the position's own side": Case(
        diverge=stop_on_its_own_side,
        found=("ORDER_MISMATCH", "STOP_SIDE"),
        left=("STOP_SIDE",),
    ),
    "a position's figures changed": Case(
        diverge=sql("UPDATE crypto_positions SET realised_pnl = '99999', average_cost = '7'"),
        found=("STORE_TAMPERED",),
    ),
    "a sold position's result changed": Case(
        diverge=both(sold, sql("UPDATE crypto_positions SET realised_pnl = '99999'")),
        found=("STORE_TAMPERED",),
        managed="0",
    ),
    "a position's stop price changed": Case(
        diverge=sql("UPDATE crypto_positions SET stop_price = '70500'"),
        found=("STORE_TAMPERED",),
    ),
    "a position's prices and beginning changed": Case(
        diverge=sql(
            "UPDATE crypto_positions SET take_profit_price = '70001', initial_stop_price = '1'"
        ),
        found=("STORE_TAMPERED",),
    ),
    "a position's figures and prices changed": Case(
        diverge=sql(
            "UPDATE crypto_positions SET average_cost = '7', realised_pnl = '9',"
            " stop_price = '70500'"
        ),
        found=("STORE_TAMPERED",),
    ),
    "a sold position's reason changed": Case(
        diverge=both(sold, sql("UPDATE crypto_positions SET exit_reason = 'take_profit'")),
        found=("STORE_TAMPERED",),
        managed="0",
    ),
    "a sold position called open": Case(diverge=reopened, found=("STALE",), managed="0"),
    # fills that only our books have
    "one fill under two names": Case(
        diverge=same_fill_again, found=("DUPLICATE_FILL",), left=("DUPLICATE_FILL",)
    ),
    "an invented fill": Case(
        diverge=invented_fill, found=("PHANTOM_FILL",), left=("PHANTOM_FILL",)
    ),
    "a sale at an invented price": Case(
        diverge=wrong_price,
        found=("FILL_MISMATCH", "ORDER_MISMATCH", "QTY_SYNCED", "STORE_TAMPERED"),
        left=("FILL_MISMATCH",),
        managed="0",
    ),
    "a sale without its fee": Case(
        diverge=wrong_fee,
        found=("FEE_MISMATCH", "ORDER_MISMATCH", "QTY_SYNCED", "STORE_TAMPERED"),
        left=("FEE_MISMATCH",),
        managed="0",
    ),
    # orders and fills at the venue that our books lack
    "an order of somebody else": Case(
        diverge=foreign_order, found=("UNKNOWN_ORDER",), left=("UNKNOWN_ORDER",)
    ),
    "a stop cancelled at the venue": Case(
        diverge=stop_cancelled, found=("ORDER_MISMATCH", "STOP_MISSING"), left=("STOP_MISSING",)
    ),
    "a stop halved at the venue": Case(
        diverge=stop_halved, found=("ORDER_MISMATCH", "STOP_QTY"), left=("STOP_QTY",)
    ),
    "a stop that fired unseen": Case(
        diverge=stop_fired, found=("MISSING_FILL", "ORDER_MISMATCH"), managed="0"
    ),
    "an entry that filled unseen": Case(
        diverge=entry_filled,
        found=("ORDER_MISMATCH", "PENDING_ADOPTED", "STOP_MISSING"),
        left=("STOP_MISSING",),
        begins=False,
    ),
    "an entry that filled in part unseen": Case(
        diverge=entry_filled_in_part,
        found=("ORDER_MISMATCH", "PENDING_ADOPTED", "STOP_MISSING"),
        left=("STOP_MISSING",),
        managed="0.0002",
        begins=False,
    ),
    "an entry cancelled at the venue": Case(
        diverge=entry_cancelled, found=("ORDER_MISMATCH",), managed="0", begins=False
    ),
    # holdings
    "all coins withdrawn": Case(
        diverge=both(stop_cancelled, taken_out("BTC", "2.0004")),
        found=("ORDER_MISMATCH", "ORPHANED", "STOP_MISSING"),
        left=("ORPHANED", "STOP_MISSING"),
    ),
    "all coins vanished": Case(
        diverge=vanished("BTC", "2.0004"),
        found=("BALANCE_DRIFT", "ORPHANED"),
        left=("BALANCE_DRIFT", "ORPHANED"),
    ),
    "coins withdrawn below what is managed": Case(
        diverge=both(stop_cancelled, taken_out("BTC", "2.0002")),
        found=("ORDER_MISMATCH", "QTY_MISMATCH", "STOP_MISSING"),
        left=("QTY_MISMATCH", "STOP_MISSING"),
    ),
    "dollars vanished": Case(
        diverge=vanished("USD", "2.01"), found=("BALANCE_DRIFT",), left=("BALANCE_DRIFT",)
    ),
    "other coins vanished": Case(
        diverge=vanished("ETH", "1"), found=("BALANCE_DRIFT",), left=("BALANCE_DRIFT",)
    ),
    "managed coins vanished": Case(
        diverge=vanished("BTC", "2.0002"),
        found=("BALANCE_DRIFT", "QTY_MISMATCH"),
        left=("BALANCE_DRIFT", "QTY_MISMATCH"),
    ),
    # answers that are short
    "balances that stay empty": Case(
        diverge=lying(("empty-answer", "BalanceEx"), ("empty-answer", "Balance")),
        found=("BALANCE_DRIFT", "BALANCE_DRIFT", "BALANCE_DRIFT", "ORPHANED"),
        left=("BALANCE_DRIFT", "BALANCE_DRIFT", "BALANCE_DRIFT", "ORPHANED"),
    ),
    "orders that no read shows": Case(
        diverge=lying(("empty-answer", "OpenOrders"), ("empty-answer", "QueryOrders")),
        found=("LOST_ORDER", "STOP_MISSING"),
        left=("LOST_ORDER", "STOP_MISSING"),
    ),
    "trades that no read shows": Case(
        diverge=lying(
            ("empty-answer", "TradesHistory"),
            ("empty-answer", "ClosedOrders"),
            ("empty-answer", "QueryTrades"),
        ),
        found=("PHANTOM_FILL",),
        left=("PHANTOM_FILL",),
    ),
    "a ledger and balances that stay empty": Case(
        diverge=lying(
            ("empty-answer", "Ledgers"), ("empty-answer", "BalanceEx"), ("empty-answer", "Balance")
        ),
        found=("LEDGER_MISMATCH", "ORPHANED"),
        left=("LEDGER_MISMATCH", "ORPHANED"),
    ),
    # answers that are short, which a second endpoint denies
    "balances that one read lacks": denied(("empty-answer", "BalanceEx")),
    "balances that one read lacks in part": denied(("shrunken-answer", "BalanceEx")),
    "trades that the orders know": denied(("empty-answer", "TradesHistory")),
    "trades that are found by id": denied(
        ("empty-answer", "TradesHistory"), ("empty-answer", "ClosedOrders")
    ),
    "a ledger that stays empty": denied(("empty-answer", "Ledgers")),
    "a ledger that stays short": replace(
        denied(("shrunken-answer", "Ledgers"), first=sold), managed="0"
    ),
    "a ledger whose rows are found by id": denied(("empty-answer", "Ledgers"), first=learned),
    # what zoe left open
    "an intent that was never sent": Case(diverge=journaled_only, found=("UNRESOLVED_INTENT",)),
    "an intent whose answer was lost": Case(diverge=sent_and_lost, found=("UNRESOLVED_INTENT",)),
    # several at once
    "a canceled row and a foreign order": Case(
        diverge=both(CANCELED_BY_SQL, foreign_order),
        found=("STORE_TAMPERED", "UNKNOWN_ORDER"),
        left=("UNKNOWN_ORDER",),
    ),
    "a canceled row of a stop that fired": Case(
        diverge=both(CANCELED_BY_SQL, stop_fired),
        found=("MISSING_FILL", "ORDER_MISMATCH", "STORE_TAMPERED"),
        managed="0",
    ),
    "a doubled position whose stop fired": Case(
        diverge=both(DOUBLED, stop_fired),
        found=("MISSING_FILL", "ORDER_MISMATCH", "QTY_SYNCED"),
        managed="0",
    ),
    "a closed row, a foreign order and vanished coins": Case(
        diverge=both(CLOSED_BY_SQL, foreign_order, vanished("BTC", "2.0002")),
        found=("BALANCE_DRIFT", "PHANTOM", "QTY_MISMATCH", "UNKNOWN_ORDER"),
        left=("BALANCE_DRIFT", "QTY_MISMATCH", "UNKNOWN_ORDER"),
    ),
    "a stop cancelled, a doubled position and a foreign order": Case(
        diverge=both(stop_cancelled, DOUBLED, foreign_order),
        found=("ORDER_MISMATCH", "QTY_SYNCED", "STOP_MISSING", "UNKNOWN_ORDER"),
        left=("STOP_MISSING", "UNKNOWN_ORDER"),
    ),
    "an invented fill and vanished dollars": Case(
        diverge=both(invented_fill, vanished("USD", "50")),
        found=("BALANCE_DRIFT", "PHANTOM_FILL"),
        left=("BALANCE_DRIFT", "PHANTOM_FILL"),
    ),
    "an entry that filled beside a foreign order": Case(
        diverge=both(entry_filled, foreign_order),
        found=("ORDER_MISMATCH", "PENDING_ADOPTED", "STOP_MISSING", "UNKNOWN_ORDER"),
        left=("STOP_MISSING", "UNKNOWN_ORDER"),
        begins=False,
    ),
    # no divergence at all
    "nothing": Case(diverge=sql(), found=()),
    "an entry that rests": Case(diverge=entry_rests, found=(), managed="0", begins=False),
    "earlier coins withdrawn": Case(diverge=taken_out("BTC", "2"), found=()),
    "dollars withdrawn": Case(diverge=taken_out("USD", "500"), found=()),
    "a list of open orders that stays empty": Case(
        diverge=lying(("empty-answer", "OpenOrders")), found=()
    ),
    "two dollars vanished": Case(diverge=vanished("USD", "2.00"), found=()),
}
"""Sixty divergences and six that are none, each of an account with earlier holdings."""


ON_POSTGRESQL = (
    "one fill under two names",
    "orders and position deleted",
    "a sale at an invented price",
    "a canceled row of a stop that fired",
    "a closed row, a foreign order and vanished coins",
    "a stop cancelled, a doubled position and a foreign order",
    "an intent whose answer was lost",
)
MANY = 12
"""So many classes at least are made there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a scenario came to."""

    looks: tuple[Told, Told]
    executed: Told
    after: Told
    dry_changed: bool
    money: tuple[dict[str, Decimal], dict[str, Decimal]]
    managed: Decimal
    results: tuple[Decimal, Decimal]


def story_of(case: Case) -> Callable[[World], Awaitable[Course]]:
    """The whole course of one scenario."""

    async def story(world: World) -> Course:
        if case.begins:
            await world.enter()
            await world.protect()
        await case.diverge(world)
        await world.clock.sleep(90)  # what is young may not be shown yet
        money = world.money()
        before = await world.read(lambda tx: tx.business_fingerprint())
        looks = (await world.reconcile(), await world.reconcile())
        dry_changed = before != await world.read(lambda tx: tx.business_fingerprint())
        executed = await world.reconcile(execute=True)
        return Course(
            looks=looks,
            executed=executed,
            after=await world.reconcile(),
            dry_changed=dry_changed,
            money=(money, world.money()),
            managed=await world.managed(),
            results=await results(world),
        )

    return story


async def results(world: World) -> tuple[Decimal, Decimal]:
    """What the registry calls the result, and what the venue's own fills make it."""
    positions = await world.read(lambda tx: tx.positions())
    fills = await world.spot.fills()
    open_ones = [each for each in positions if each.status.holds]
    if open_ones:
        return Decimal(0), sum((each.realised_pnl for each in open_ones), Decimal(0))
    booked = sum((each.realised_pnl for each in positions), Decimal(0))
    signs = {Side.BUY: -1, Side.SELL: 1}
    real = sum((signs[each.side] * each.cost - each.fee for each in fills), Decimal(0))
    return booked, real


@pytest.fixture(scope="module")
def courses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All scenarios, played once."""
    home = tmp_path_factory.mktemp("floor")
    return told_by(home, {name: story_of(case) for name, case in CASES.items()})


def course(courses: dict[str, Any], name: str) -> Course:
    """One of them; what ended it is raised."""
    found = courses[name]
    if isinstance(found, Exception):
        raise found
    assert isinstance(found, Course)
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_divergence_is_found_classified_and_mended_or_left_alone(
    courses: dict[str, Any], name: str
) -> None:
    """Twice the same; after --execute only what is left on purpose."""
    check(CASES[name], course(courses, name))


def test_on_postgresql_the_same_is_found_and_mended(tmp_path: Path, migrated_url: str) -> None:
    """Several accounts in one database, each with several classes at once."""
    stories = {name: story_of(CASES[name]) for name in ON_POSTGRESQL}
    told = told_by(tmp_path, stories, migrated_url)

    for name in ON_POSTGRESQL:
        found = course(told, name)
        check(CASES[name], found)
        assert not found.dry_changed
        assert found.money[0] == found.money[1]
        assert found.managed == d(CASES[name].managed)
    assert len({kind for name in ON_POSTGRESQL for kind in CASES[name].found}) >= MANY


def check(case: Case, told: Course) -> None:
    """What was found, twice, and what `--execute` left."""
    first, second = told.looks
    assert first.kinds == second.kinds == case.found
    assert (first.code, second.code) == ((3, 3) if case.found else (0, 0))
    assert told.after.kinds == tuple(sorted(case.left))
    assert told.after.code == (3 if case.left or case.keeps_back else 0)


def test_defect_20_a_dry_run_writes_no_business_row(courses: dict[str, Any]) -> None:
    """Whatever it finds."""
    assert [name for name in CASES if course(courses, name).dry_changed] == []


@pytest.mark.parametrize("name", CASES)
def test_a_reconciliation_conserves_money(courses: dict[str, Any], name: str) -> None:
    """Not a cent moves at the exchange, and the registry holds what real fills left."""
    case, told = CASES[name], course(courses, name)

    assert told.money[0] == told.money[1]
    assert told.managed == d(case.managed)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if d(case.managed) == 0])
def test_defect_16_a_result_is_what_the_venue_s_own_fills_make_it(
    courses: dict[str, Any], name: str
) -> None:
    """No invented price ever becomes profit or loss."""
    booked, real = course(courses, name).results

    assert abs(booked - real) < d("0.00001")


def test_every_class_of_the_venue_and_the_books_is_made_here() -> None:
    """None is left out."""
    made = {kind for case in CASES.values() for kind in case.found}

    assert {each.value for each in FindingKind} == made


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if case.found == ("VENUE_CONTRADICTION",)]
)
def test_what_a_second_endpoint_denies_is_never_confirmed(
    courses: dict[str, Any], name: str
) -> None:
    """However often it is seen: no warning, no pause, nothing for --adjust."""
    told = course(courses, name)

    for times, look in enumerate((*told.looks, told.executed, told.after), 1):
        (found,) = look.result["findings"]
        assert found["times_seen"] == times
        assert (found["state"], found["severity"]) == ("detected", "info")
        assert (look.result["state"]["level"], look.result["state"]["paused"]) == ("ok", [])
