"""The order desk: what becomes of the orders of an intent group, and of a group that has none left.

An order whose time is over is repriced by an amendment; where the venue amends nothing it is
cancelled and, once that is proved with what it filled, replaced by one for the rest. Entries give
up in the end; exits go on to the market.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.position_orders import can_be_canceled
from zoe_tools.core.reprice import (
    Ladder,
    attempts_used,
    collared,
    crossed,
    first_price,
    is_left_behind,
    ladder_of,
    next_price,
    rounded,
    ttl_of,
    worst_of,
)
from zoe_tools.domain.instrument import Instrument, InstrumentStatus
from zoe_tools.domain.intent_group import GroupEnd, IntentGroup, Style, Ticket
from zoe_tools.domain.journal import FOR_NOW, Intent, IntentKind, OrderRecord
from zoe_tools.domain.market import Quote, VenueMode
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import OrderAmendment, OrderRequest, OrderStatus, OrderType, Side
from zoe_tools.domain.plan import AmendOrder, CancelOrder, EndGroup, PlaceOrder, values_of
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Missing, Snapshot

PATIENT_SPREAD_BPS = Decimal(30)
"""In a wider market nobody waits at the own side: what fills there was left by who knows more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A group, its orders of any age, and the market it is in; `quote` is fresh, or None.

    `takes_market`: whether the venue takes an order without a limit now.
    """

    group: IntentGroup
    orders: Sequence[OrderRecord]
    instrument: Instrument
    policy: Policy
    now: datetime
    quote: Quote | None = None
    refusals: Sequence[Intent] = ()
    unresolved: Sequence[Intent] = ()
    takes_market: bool = True

    @property
    def ladder(self) -> Ladder:
        """The knobs for its style."""
        return ladder_of(self.policy, self.group.style)

    @property
    def working(self) -> list[OrderRecord]:
        """Its orders that may still fill, those of unknown fate included."""
        return [each for each in self.orders if not each.status.is_terminal]

    @property
    def last(self) -> OrderRecord | None:
        """The order that was placed last."""
        ordered = sorted(self.orders, key=lambda each: (each.replace_count, each.created_at))
        return ordered[-1] if ordered else None

    def is_refused_an_amendment(self, order: OrderRecord) -> bool:
        """Whether the venue said no, and not for now, to amending it."""
        return any(
            each.kind is IntentKind.AMEND
            and each.venue_order_id == order.venue_order_id
            and not each.is_refused_for_now
            for each in self.refusals
        )

    def doubts(self, order: OrderRecord) -> list[Intent]:
        """The changes to it of which nobody knows yet what became."""
        return [
            each
            for each in self.unresolved
            if each.venue_order_id is not None and each.venue_order_id == order.venue_order_id
        ]


def desk_of(
    group: IntentGroup, snapshot: Snapshot, instrument: Instrument, quote: Quote | None
) -> Desk:
    """What a snapshot says of a group."""
    return Desk(
        group=group,
        orders=orders_of(group, snapshot),
        instrument=instrument,
        policy=snapshot.policy,
        now=snapshot.taken_at,
        quote=quote,
        refusals=snapshot.refusals,
        unresolved=[each for each in snapshot.unresolved_intents if each.symbol == group.symbol],
        takes_market=takes_market(snapshot, instrument),
    )


def takes_market(snapshot: Snapshot, instrument: Instrument) -> bool:
    """Whether the venue takes more than limits there now, as far as anybody was told."""
    mode = snapshot.venue_mode
    is_limited = not isinstance(mode, Missing) and mode.value is VenueMode.LIMIT_ONLY
    return not is_limited and instrument.status is not InstrumentStatus.LIMIT_ONLY


def orders_of(group: IntentGroup, snapshot: Snapshot) -> tuple[OrderRecord, ...]:
    """The group's orders, each once; what is at work is told last."""
    found = {
        each.client_order_id: each
        for each in (*snapshot.recent_orders, *snapshot.orders)
        if each.group_id == group.group_id
    }
    return tuple(found.values())


# --- the target ----------------------------------------------------------------------------------


def filled_of(orders: Iterable[OrderRecord]) -> Decimal:
    """What these orders have filled together, in base."""
    return sum((each.filled_quantity for each in orders), ZERO)


def room_for(target: Decimal, orders: Sequence[OrderRecord]) -> Decimal:
    """What may still be sent: the target less what filled and what still may; below zero: too much.

    What an order of unknown fate may fill counts as if it worked.
    """
    working = (each.remaining_quantity for each in orders if not each.status.is_terminal)
    return target - filled_of(orders) - sum(working, ZERO)


def settled(group: IntentGroup, orders: Sequence[OrderRecord]) -> IntentGroup:
    """The group as its orders leave it: over, once none works and nothing more will be sent.

    An entry that the desk did not cancel itself was cancelled by somebody: that is respected.
    """
    if group.ended_at is not None or not orders or any(not o.status.is_terminal for o in orders):
        return group
    last = max(orders, key=lambda each: (each.replace_count, each.created_at))
    ending = group.ending
    if filled_of(orders) >= group.target_quantity:
        ending = GroupEnd.FILLED
    elif ending is None and group.purpose == "entry":
        if last.status is OrderStatus.REJECTED:
            ending = GroupEnd.REJECTED
        elif last.client_order_id != group.renews:
            ending = GroupEnd.STOPPED
    if ending is None:
        return group
    return replace(group, ending=ending, ended_at=max(each.updated_at for each in orders))


# --- entries -------------------------------------------------------------------------------------


def entry_style(quote: Quote, *, is_patient: bool) -> Style:
    """Who can wait does so where the spread is small; everybody else reaches for the market."""
    is_tight = quote.spread_bps < PATIENT_SPREAD_BPS
    return Style.PASSIVE if is_patient and is_tight else Style.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a group begins: its limit on tick, and the worst price of all that follows."""

    style: Style
    limit: Decimal
    worst: Decimal


def opening_of(style: Style, quote: Quote, instrument: Instrument, policy: Policy) -> Opening:
    """Where an entry begins; its quantity belongs to the worst price."""
    ladder = ladder_of(policy, style)
    first = min(first_price(style, Side.BUY, quote), crossed(Side.BUY, quote, ladder))
    worst = worst_of(first, quote, ladder)
    return Opening(
        style=style,
        limit=rounded(Side.BUY, first, instrument),
        worst=rounded(Side.BUY, worst, instrument),
    )


def ticket_of(opening: Opening, quantity: Decimal, quote: Quote, policy: Policy) -> Ticket:
    """What the desk wants with an entry's first order."""
    return Ticket(
        style=opening.style,
        target_quantity=quantity,
        ttl_s=ttl_of(opening.style, Side.BUY, policy),
        arrival_bid=quote.bid,
        arrival_ask=quote.ask,
        worst_price=opening.worst,
    )


def tend_entry(
    desk: Desk, order: OrderRecord, *, may_enter: bool
) -> AmendOrder | CancelOrder | None:
    """What a working entry needs now, besides being stopped; None: nothing.

    Where none may be made (`may_enter`), a working one is not repriced either.
    """
    if desk.doubts(order) or not can_be_canceled(order):
        return _out_of_doubt(desk, order)
    ending = desk.group.ending
    if ending is not None:
        return cancel_of(order, f"its group ended: {ending.value}", ending)
    if room_for(desk.group.target_quantity, desk.orders) < ZERO:
        return cancel_of(order, "together with late fills it would buy too much")
    used = attempts_used(order, desk.now)
    return None if used is None else _time_is_over(desk, order, used, may_enter=may_enter)


def _time_is_over(
    desk: Desk, order: OrderRecord, used: int, *, may_enter: bool
) -> AmendOrder | CancelOrder | None:
    """The guard comes first, then the last attempt; where the price stays, so does the order."""
    if desk.quote is not None and desk.ladder.trips_guard(desk.quote):
        return cancel_of(order, "the spread is too wide", GroupEnd.LIQUIDITY_GUARD)
    if used >= desk.ladder.max_attempts:
        return cancel_of(order, f"{used} repricings did not fill it", GroupEnd.EXHAUSTED)
    price = _entry_price(desk, order, used)
    if price is None or price == order.limit_price or not may_enter:
        return None
    if desk.is_refused_an_amendment(order):
        return cancel_of(order, "the venue does not amend it: another one takes its place")
    return _amend(desk, order, price, used + 1, post_only=_waits(desk, used + 1))


def renew_entry(desk: Desk) -> PlaceOrder | EndGroup | None:
    """What an entry group without a working order needs: an order for the rest, its end, or time.

    What the gate proved of the cancelled order is in the books: the rest is exact.
    """
    last = desk.last
    if desk.working or last is None or desk.unresolved:
        return None
    group, rest = desk.group, room_for(desk.group.target_quantity, desk.orders)
    used = attempts_used(last, desk.now)
    used = last.replace_count if used is None else used
    if group.ending is not None:
        return _ended(group, group.ending)
    if used >= desk.ladder.max_attempts:
        return _ended(group, GroupEnd.EXHAUSTED)
    if desk.quote is None:
        return None
    if desk.ladder.trips_guard(desk.quote):
        return _ended(group, GroupEnd.LIQUIDITY_GUARD)
    price = _entry_price(desk, last, used)
    quantity = desk.instrument.floor_quantity(rest)
    if price is None or not desk.instrument.is_tradable_quantity(quantity, price=price):
        return _ended(group, GroupEnd.TOO_SMALL)
    return PlaceOrder(
        request=OrderRequest(
            symbol=group.symbol,
            side=group.side,
            order_type=OrderType.LIMIT,
            quantity=quantity,
            limit_price=price,
            post_only=_waits(desk, used + 1),
            purpose=group.purpose,
        ),
        reason=f"{short(quantity)} of {short(group.target_quantity)} are left to buy",
        notional=(group.worst_price or price) * quantity,
        ticket=_ticket_again(group, used + 1),
    )


def _out_of_doubt(desk: Desk, order: OrderRecord) -> CancelOrder | None:
    """A working order whose time is over goes, if nobody knows what became of its last change.

    Not before the venue can make that change no more. A cancel settles both: what the records show
    of an order that is over does not change again.
    """
    is_alive = any(desk.now < each.deadline for each in desk.doubts(order))
    if is_alive or not can_be_canceled(order) or attempts_used(order, desk.now) is None:
        return None
    return cancel_of(order, "nobody knows what became of its last change")


def end_of(desk: Desk, ending: GroupEnd) -> EndGroup | None:
    """Give a group up that has no order at work; None while one is."""
    return None if desk.working else _ended(desk.group, ending)


def cancel_of(order: OrderRecord, reason: str, ending: GroupEnd | None = None) -> CancelOrder:
    """Cancel an order of a group; without an `ending` the group goes on with what is left.

    Raises:
        ValueError: the venue has not named it yet; ask `can_be_canceled` first.
    """
    if order.venue_order_id is None:
        raise ValueError(f"order {order.client_order_id} has no name at the venue")
    return CancelOrder(
        venue_order_id=order.venue_order_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        purpose=order.purpose,
        position_id=order.position_id,
        reason=reason,
        ends_group=ending,
        is_renewal=ending is None,
    )


def _entry_price(desk: Desk, order: OrderRecord, used: int) -> Decimal | None:
    """The next limit of a buy, on tick: by the ladder, in the collar, and never too dear."""
    quote, limit = desk.quote, order.limit_price
    if quote is None or limit is None:
        return None
    price = next_price(Side.BUY, limit, quote, attempt=used, ladder=desk.ladder)
    price = min(price, collared(Side.BUY, quote, desk.ladder))
    if desk.group.worst_price is not None:
        price = min(price, desk.group.worst_price)
    if _waits(desk, used + 1):
        price = min(price, quote.ask - desk.instrument.tick_size)
    price = rounded(Side.BUY, price, desk.instrument)
    return price if price > ZERO else None


def _waits(desk: Desk, attempt: int) -> bool:
    """Whether this attempt may not take: a passive group's, but for its last."""
    return desk.group.style is Style.PASSIVE and attempt < desk.ladder.max_attempts


# --- exits ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sale:
    """The next try at a sale; without a limit it goes to the market."""

    attempt: int
    limit: Decimal | None


def tend_exit(
    desk: Desk, order: OrderRecord, *, is_urgent: bool
) -> AmendOrder | CancelOrder | None:
    """What a working exit needs now; None: nothing. It is never given up.

    Urgent is one whose market is through the position's stop: its time is over.
    """
    if desk.doubts(order) or not can_be_canceled(order):
        return _out_of_doubt(desk, order)
    if room_for(desk.group.target_quantity, desk.orders) < ZERO:
        return cancel_of(order, "together with late fills it would sell too much")
    if order.order_type is not OrderType.LIMIT:
        return None
    used = attempts_used(order, desk.now)
    is_left = used is None and is_left_behind(desk.group.style, order, desk.quote)
    is_last = order.replace_count > desk.ladder.max_attempts or desk.group.style is Style.PANIC
    if used is None and not is_left and (is_last or not is_urgent):
        return None
    sale = _Sale(attempt=1, limit=_edge(desk))
    if not is_left:
        sale = _next_sale(desk, order, used, is_urgent=is_urgent)
    if sale.limit is None:
        return cancel_of(order, f"{sale.attempt} attempts did not fill it: it goes to the market")
    if sale.limit == order.limit_price:
        return None
    if desk.is_refused_an_amendment(order):
        return cancel_of(order, "the venue does not amend it: another one takes its place")
    return _amend(desk, order, sale.limit, sale.attempt)


def sale_of(desk: Desk, *, is_urgent: bool) -> tuple[Decimal | None, Ticket]:
    """Limit and ticket of the next order of an exit group that has none at work.

    A limit of None is the market. Every attempt that came to nothing is one step towards it.
    """
    last = desk.last
    if last is None:
        limit = opening_sale(desk.group.style, desk.quote, desk.instrument, desk.policy)
        return limit, _ticket_again(desk.group, 0)
    if last.order_type is not OrderType.LIMIT:
        # Where only limits are taken, the market it was meant for is as far as the collar goes.
        limit = None if desk.takes_market else _edge(desk)
        return limit, _ticket_again(desk.group, last.replace_count + 1)
    if last.status is OrderStatus.REJECTED and last.reason.startswith(FOR_NOW):
        # What the venue refuses for a cause that passes was no attempt: the same again.
        limit = opening_sale(desk.group.style, desk.quote, desk.instrument, desk.policy)
        return limit, _ticket_again(desk.group, last.replace_count)
    used = attempts_used(last, desk.now)
    sale = _next_sale(desk, last, used, is_urgent=is_urgent)
    return sale.limit, _ticket_again(desk.group, sale.attempt)


def opening_sale(
    style: Style, quote: Quote | None, instrument: Instrument, policy: Policy
) -> Decimal | None:
    """Where an exit begins, on tick and in the collar; without a quote: None, the market."""
    if quote is None:
        return None
    edge = collared(Side.SELL, quote, ladder_of(policy))
    return rounded(Side.SELL, max(first_price(style, Side.SELL, quote), edge), instrument)


def exit_ticket(style: Style, quantity: Decimal, quote: Quote | None, policy: Policy) -> Ticket:
    """What the desk wants with an exit's first order."""
    return Ticket(
        style=style,
        target_quantity=quantity,
        ttl_s=ttl_of(style, Side.SELL, policy),
        arrival_bid=None if quote is None else quote.bid,
        arrival_ask=None if quote is None else quote.ask,
    )


def _next_sale(desk: Desk, order: OrderRecord, used: int | None, *, is_urgent: bool) -> _Sale:
    """By the ladder, then marketable in the collar, then the market.

    A spread that is too wide for entries skips the ladder; panic goes from its limit to the market.
    """
    last = desk.ladder.max_attempts
    used = order.replace_count if used is None else used
    if desk.quote is not None and (is_urgent or desk.ladder.trips_guard(desk.quote)):
        used = max(used, last)
    is_over = used > last or desk.group.style is Style.PANIC
    limit = order.limit_price
    if desk.quote is None and not desk.takes_market:
        return _Sale(attempt=used + 1, limit=limit)  # it stays, until there is a price to go to
    if desk.quote is None or limit is None or (is_over and desk.takes_market):
        return _Sale(attempt=used + 1, limit=None)
    edge = collared(Side.SELL, desk.quote, desk.ladder)
    price = edge
    if used < last:
        price = next_price(Side.SELL, limit, desk.quote, attempt=used, ladder=desk.ladder)
    return _Sale(attempt=used + 1, limit=rounded(Side.SELL, max(price, edge), desk.instrument))


def _edge(desk: Desk) -> Decimal | None:
    """The furthest that a sale may go, on tick; None without a quote."""
    if desk.quote is None:
        return None
    edge = collared(Side.SELL, desk.quote, desk.ladder)
    return rounded(Side.SELL, edge, desk.instrument)


# --- steps ---------------------------------------------------------------------------------------


def _amend(
    desk: Desk, order: OrderRecord, price: Decimal, attempt: int, *, post_only: bool = False
) -> AmendOrder | None:
    if order.venue_order_id is None:
        return None
    was = short(order.limit_price or ZERO)
    return AmendOrder(
        amendment=OrderAmendment(
            venue_order_id=order.venue_order_id,
            symbol=order.symbol,
            limit_price=price,
            post_only=post_only,
            ends_risk=order.purpose != "entry",
        ),
        reason=f"repricing {attempt} of {desk.ladder.max_attempts}, from {was}",
        before=values_of(order),
        purpose=order.purpose,
        position_id=order.position_id,
        attempt=attempt,
    )


def _ticket_again(group: IntentGroup, attempt: int) -> Ticket:
    return Ticket(
        style=group.style,
        target_quantity=group.target_quantity,
        ttl_s=group.ttl_s,
        group_id=group.group_id,
        attempt=attempt,
        arrival_bid=group.arrival_bid,
        arrival_ask=group.arrival_ask,
        worst_price=group.worst_price,
    )


def _ended(group: IntentGroup, ending: GroupEnd) -> EndGroup:
    return EndGroup(
        group_id=group.group_id,
        symbol=group.symbol,
        ending=ending,
        reason=f"nothing more is sent for it: {ending.value}",
    )
