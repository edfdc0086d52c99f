"""What a reconciliation costs: 10,000 open orders and 1,000 positions, and ten times as many.

Measured is everything that decides: rows against their events, both sides against each other, and
what was found against what was known. The limits are CPU seconds.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

from builders import (
    NOON,
    PAPER,
    d,
    make_catalogue,
    make_fill,
    make_instrument,
    make_ledger_entry,
    make_order,
    make_position,
    make_venue_order,
)
from zoe_tools.core.discrepancies import follow
from zoe_tools.core.order_lifecycle import event_of
from zoe_tools.core.reconcile import Reconciliation, reconcile
from zoe_tools.core.reconcile_store import changed_by_hand
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import (
    ClientOrderId,
    FillId,
    LedgerId,
    PositionId,
    Symbol,
    VenueOrderId,
)
from zoe_tools.domain.journal import OrderEvent, OrderRecord
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.order import OrderStatus, OrderType, Side, VenueOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Reading, Snapshot

ORDERS = 10_000
LIMIT_S = 2.0
TEN_TIMES_LIMIT_S = 25.0
A_POSITION_IN = 10
"""So many open orders for each position; one of them is its stop."""

DIVERGING = 100
"""One order in so many has filled at the venue and not here."""

LATER = NOON + timedelta(minutes=5)


class World:
    """Both sides; every tenth order is a stop of a position that an entry of its own opened."""

    def __init__(self, orders: int) -> None:
        self.own: list[OrderRecord] = []
        self.theirs: list[VenueOrder] = []
        self.closed: list[VenueOrder] = []
        self.fills: list[Fill] = []
        self.ledger: list[LedgerEntry] = []
        self.positions: list[Position] = []
        self.log: dict[ClientOrderId, list[OrderEvent]] = {}
        coins = [f"C{number}" for number in range(orders // A_POSITION_IN)]
        for number in range(orders):
            coin = coins[number // A_POSITION_IN]
            if number % A_POSITION_IN == 0:
                self._position(number, coin)
            else:
                self._order(number, Symbol(f"{coin}/USD"))
        catalogue = make_catalogue(*(make_instrument(f"{coin}/USD") for coin in coins))
        self.snapshot = Snapshot(
            taken_at=LATER,
            account=PAPER,
            policy=Policy(),
            catalogue=Reading(catalogue, LATER, "bench"),
            open_orders=Reading(tuple(self.theirs), LATER, "bench"),
            closed_orders=Reading(tuple(self.closed), LATER, "bench"),
            fills=Reading(tuple(self.fills), LATER, "bench"),
            ledger=Reading(tuple(self.ledger), LATER, "bench"),
            balances=Reading(
                tuple(Balance(asset=coin, total=d("0.0004")) for coin in coins), LATER, "bench"
            ),
            orders=tuple(self.own),
            recorded_fills=tuple(self.fills),
            positions=tuple(self.positions),
        )

    def _order(self, number: int, symbol: Symbol) -> None:
        client, venue = ClientOrderId(f"c{number}"), VenueOrderId(f"O{number}")
        filled = d("0.0001") if number % DIVERGING == 1 else d("0")
        self.own.append(make_order(client_order_id=client, venue_order_id=venue, symbol=symbol))
        self.theirs.append(
            make_venue_order(
                client_order_id=client, venue_order_id=venue, symbol=symbol, filled_quantity=filled
            )
        )
        self._said(client, OrderStatus.OPEN)

    def _position(self, number: int, coin: str) -> None:
        symbol, name = Symbol(f"{coin}/USD"), PositionId(f"P{number}")
        entry, stop = VenueOrderId(f"OE{number}"), VenueOrderId(f"OS{number}")
        ours = make_order(
            client_order_id=ClientOrderId(f"e{number}"),
            venue_order_id=entry,
            symbol=symbol,
            status=OrderStatus.FILLED,
            filled_quantity=d("0.0004"),
            position_id=name,
        )
        resting = make_order(
            client_order_id=ClientOrderId(f"s{number}"),
            venue_order_id=stop,
            symbol=symbol,
            side=Side.SELL,
            order_type=OrderType.STOP_LOSS,
            purpose="stop",
            position_id=name,
        )
        self.own += [ours, resting]
        self._said(ours.client_order_id, OrderStatus.OPEN, OrderStatus.FILLED)
        self._said(resting.client_order_id, OrderStatus.OPEN)
        made = make_venue_order(
            client_order_id=ours.client_order_id, venue_order_id=entry, symbol=symbol
        )
        self.closed.append(replace(made, status=OrderStatus.FILLED, filled_quantity=d("0.0004")))
        self.theirs.append(
            replace(
                made,
                client_order_id=resting.client_order_id,
                venue_order_id=stop,
                side=Side.SELL,
                order_type=OrderType.STOP_LOSS,
            )
        )
        self.fills.append(
            make_fill(
                fill_id=FillId(f"T{number}"),
                venue_order_id=entry,
                symbol=symbol,
                quantity=d("0.0004"),
                price=d("60000"),
            )
        )
        legs = ((coin, "0.0004", "0", "0.0004"), ("USD", "-24", "0.26", "0"))
        self.ledger += [
            make_ledger_entry(
                ledger_id=LedgerId(f"L{number}{asset}"),
                refid=f"T{number}",
                asset=asset,
                amount=d(amount),
                fee=d(fee),
                balance=d(balance),
            )
            for asset, amount, fee, balance in legs
        ]
        self.positions.append(
            make_position(position_id=name, symbol=symbol, average_cost=d("60650"), fees=d("0.26"))
        )

    def _said(self, name: ClientOrderId, *words: OrderStatus) -> None:
        filled = d("0.0004")
        self.log[name] = [
            event_of(
                name,
                word,
                occurred_at=NOON,
                source="bench",
                filled_quantity=filled if word is OrderStatus.FILLED else None,
            )
            for word in words
        ]

    def measured(self) -> tuple[float, Reconciliation]:
        """CPU seconds of one whole comparison, and what it found."""
        began = time.process_time()
        changed = changed_by_hand(self.own, self.log, self.fills)
        result = reconcile(replace(self.snapshot, changed_by_hand=changed))
        known = follow((), result.findings, now=NOON).active
        follow(known, result.findings, now=LATER)
        return time.process_time() - began, result


def bench_reconcile_grows_with_the_orders_and_no_faster() -> None:
    """Linear: ten times the orders take some ten times as long."""
    once, found = World(ORDERS).measured()
    ten_times, more = World(ORDERS * 10).measured()
    kinds = {each.kind.value for each in found.findings}
    print(  # noqa: T201 - the figure is what this is for
        f"\n{ORDERS:,} open orders: {once:.2f} s CPU, {len(found.findings)} findings {kinds}; "
        f"{ORDERS * 10:,}: {ten_times:.2f} s CPU, {len(more.findings)} findings"
    )

    assert len(more.findings) == 10 * len(found.findings)
    assert once <= LIMIT_S
    assert ten_times <= TEN_TIMES_LIMIT_S


def bench_reconcile_of_an_empty_answer_takes_no_longer() -> None:
    """Every position is short then: each asset is looked up, not each fill for each asset."""
    world = World(ORDERS * 10)
    world.snapshot = replace(world.snapshot, balances=Reading((), LATER, "bench"))
    spent, found = world.measured()
    print(f"\n{ORDERS * 10:,} open orders, all short: {spent:.2f} s CPU")  # noqa: T201 - the figure

    assert len(found.findings) >= ORDERS * 10 // A_POSITION_IN
    assert spent <= TEN_TIMES_LIMIT_S
