"""What must be true of a trial, by the exchange's own log and by the books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal

from chaos_excuses import excuses, uncovered_s
from chaos_limits import groups_overrun, limits_passed
from chaos_operator import entered_while_stopped
from chaos_world import CRASHED, MONEY, Chronicle, Trial
from crash_judge import Facts
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.journal import IntentKind, IntentState
from zoe_tools.domain.money import ZERO, round_half_up
from zoe_tools.domain.order import Side
from zoe_tools.paper.values.events import LedgerEvent, OrderEvent
from zoe_tools.paper.values.ledger import TradeView
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.times import NS

_LEDGER_DECIMALS = 4
"""Of dollars, in the ledger."""

BOOKED_WITHIN_S = 10.0
"""From an execution to its row in the books, beside what is accounted for: two looks at records."""

OPEN = frozenset({"open", "pending_new", "pending", "partially_filled", "new"})


def trades_of(chronicle: Chronicle) -> dict[str, TradeView]:
    """Every execution of the account, by the exchange's id."""
    return {
        each.trade.trade_id: each.trade
        for each in chronicle.events
        if isinstance(each, OrderEvent) and each.trade is not None
    }


def orders_of(chronicle: Chronicle) -> dict[str, OrderView]:
    """Every order of the account as the exchange last had it."""
    return {
        each.order.order_id: each.order for each in chronicle.events if isinstance(each, OrderEvent)
    }


def late_fills(chronicle: Chronicle) -> Iterator[str]:
    """Every execution that stood in the books too late: lost streams cost two looks, no more."""
    explained = excuses(chronicle)
    for name, trade in trades_of(chronicle).items():
        until = chronicle.booked.get(name, chronicle.lives[-1][1])
        if (until - trade.at) / NS <= BOOKED_WITHIN_S:
            continue
        left_s = uncovered_s(trade.at, until, explained)
        if left_s > BOOKED_WITHIN_S:
            yield (
                f"execution {name} of {trade.symbol} was booked {(until - trade.at) / NS:.1f} s"
                f" later, {left_s:.1f} s of it without a reason"
            )


def judged(trial: Trial, chronicle: Chronicle, facts: Facts) -> Iterator[str]:
    """Every way in which books and exchange differ, or limits were exceeded, in a sentence."""
    orders, trades = orders_of(chronicle), trades_of(chronicle)
    yield from (how for _, _, how in chronicle.lives if how.startswith(CRASHED))
    yield from _no_duplicates(orders, facts)
    yield from _no_lost_fills(trades, facts)
    yield from late_fills(chronicle)
    yield from _books_are_the_exchange(chronicle, orders, facts)
    yield from limits_passed(trial, chronicle)
    yield from groups_overrun(chronicle, facts.groups, facts.orders)
    yield from entered_while_stopped(chronicle.stopped, facts.intents)
    yield from (f"audit: {each.message}" for each in facts.audit.findings)


def _no_duplicates(orders: Mapping[str, OrderView], facts: Facts) -> Iterator[str]:
    names = Counter(each.cl_ord_id for each in orders.values())
    for name, count in names.items():
        if count > 1:
            yield f"the exchange has {count} orders {name}"
    placed = {
        str(each.client_order_id): each for each in facts.intents if each.kind is IntentKind.PLACE
    }
    for order in orders.values():
        intent = placed.get(str(order.cl_ord_id))
        if intent is None:
            yield f"order {order.order_id} was journaled by nobody"
        elif intent.state is not IntentState.CONFIRMED and order.status != "canceled":
            yield f"order {order.order_id} is {order.status}, its intent {intent.state}"
    for intent in facts.intents:
        if not intent.state.is_terminal:
            yield f"intent {intent.intent_id} is {intent.state}: {intent.evidence}"


def _no_lost_fills(trades: Mapping[str, TradeView], facts: Facts) -> Iterator[str]:
    booked = {str(each.fill_id): each for each in facts.fills}
    for name in trades.keys() - booked.keys():
        yield f"execution {name} is not booked"
    for name in booked.keys() - trades.keys():
        yield f"booked execution {name} never happened"
    for name in trades.keys() & booked.keys():
        theirs, ours = trades[name], booked[name]
        if (theirs.quantity, theirs.price, theirs.cost, theirs.fee) != (
            ours.quantity,
            ours.price,
            ours.cost,
            ours.fee,
        ):
            yield f"execution {name} is booked as {ours}, and was {theirs}"


def _books_are_the_exchange(
    chronicle: Chronicle, orders: Mapping[str, OrderView], facts: Facts
) -> Iterator[str]:
    balances = dict(MONEY)
    for each in chronicle.events:
        if isinstance(each, LedgerEvent):
            balances[each.row.asset] = each.row.balance
    for asset, held in balances.items():
        ours = _cash(facts) if asset == "USD" else _managed(facts, asset)
        if ours != held:
            yield f"{held} {asset} at the exchange, {ours} by the books"
    records = {str(each.venue_order_id): each for each in facts.orders}
    for order in orders.values():
        record = records.get(order.order_id)
        if record is None:
            yield f"order {order.order_id} is not in the books"
        elif record.filled_quantity != order.filled:
            yield f"{order.filled} of {order.order_id} filled, {record.filled_quantity} booked"
        elif record.status.is_terminal is (order.status in OPEN):
            yield f"order {order.order_id} is {order.status}, booked as {record.status}"


def _cash(facts: Facts) -> Decimal:
    return sum((_moved(each) for each in facts.fills), MONEY["USD"])


def _managed(facts: Facts, asset: str) -> Decimal:
    return sum(
        (
            each.quantity
            for each in facts.positions
            if each.symbol.startswith(f"{asset}/") and each.status.holds
        ),
        ZERO,
    )


def _moved(fill: Fill) -> Decimal:
    """What a fill moves in dollars: cost and fee stand in the ledger with four decimals each."""
    cost = round_half_up(fill.cost, _LEDGER_DECIMALS)
    fee = round_half_up(fill.fee, _LEDGER_DECIMALS)
    return (-cost if fill.side is Side.BUY else cost) - fee
