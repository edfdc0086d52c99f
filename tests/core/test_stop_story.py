"""Any course of market and position: the stop covers, never falls, never fires by being moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOON, d, make_instrument, make_order, make_position, make_quote
from zoe_tools.core.protection import GATHER_S, Held, protect
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.domain.plan import AmendOrder, PlaceOrder, Step
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position

POLICY = Policy(trailing_stop_pct=d("2"), break_even_at_pct=d("3"))
LOT = d("0.001")
OPENING = d("60000.0")
TICKS = 25
"""The market moves by so many dollars."""

Event = tuple[str, int]
EVENTS = st.one_of(
    st.tuples(st.just("buys"), st.integers(1, 5)),
    st.tuples(st.just("sells"), st.integers(1, 4)),
    st.tuples(st.just("bid"), st.integers(-30, 40)),
    st.tuples(st.just("time"), st.integers(50, 9000)),
    st.tuples(st.just("silence"), st.integers(0, 1)),
)


@dataclass
class World:
    """A position, its stop at the venue, and a market; time passes in milliseconds."""

    lots: int = 3
    bid: Decimal = OPENING
    now: datetime = NOON
    is_silent: bool = False
    stop: OrderRecord | None = None
    price: Decimal | None = None
    growing_since: datetime | None = None
    uncovered_since: datetime | None = None
    triggers: list[Decimal] = field(default_factory=list)

    @property
    def position(self) -> Position:
        """As the books have it: the price follows the stop that rests."""
        return make_position(quantity=LOT * self.lots, stop_price=self.price)

    def happens(self, event: Event) -> None:
        """Something does, and a turn follows."""
        what, much = event
        match what:
            case "buys":
                self.lots += much
            case "sells":
                self.lots = max(1, self.lots - much)
            case "bid":
                floor = self.price or d("58800.0")
                # At its stop the position would be sold: another story.
                self.bid = max(self.bid + much * TICKS, floor + d("0.1"))
            case "time":
                self.passes(much)
            case _:
                self.is_silent = bool(much)
        self.turn()

    def passes(self, milliseconds: int) -> None:
        """With a turn whenever one was asked for, and one a second."""
        for _ in range(milliseconds // 250):
            self.now += timedelta(milliseconds=250)
            self.turn()

    def turn(self) -> None:
        """What the loop does with it."""
        covered = Decimal(0) if self.stop is None else self.stop.quantity
        is_short = covered < LOT * self.lots
        self.growing_since = (self.growing_since or self.now) if is_short and self.stop else None
        self.uncovered_since = (self.uncovered_since or self.now) if is_short else None
        steps = list(protect(self.held))
        assert len(steps) <= 1
        for step in steps:
            self.does(step)
        if self.uncovered_since is not None:
            assert self.now - self.uncovered_since < timedelta(seconds=GATHER_S)

    @property
    def held(self) -> Held:
        """What its protection sees."""
        stops: Sequence[OrderRecord] = () if self.stop is None else (self.stop,)
        quote = make_quote(bid=self.bid, ask=self.bid + d("0.1"))
        return Held(
            position=self.position,
            instrument=make_instrument(),
            policy=POLICY,
            working=stops,
            quote=None if self.is_silent else quote,
            at=self.now,
            growing_since=self.growing_since,
        )

    def does(self, step: Step) -> None:
        """The venue does as it is asked."""
        if isinstance(step, PlaceOrder):
            assert self.stop is None
            self.stop = make_order(
                side=Side.SELL,
                order_type=OrderType.STOP_LOSS,
                purpose="stop",
                limit_price=None,
                quantity=step.request.quantity,
                trigger_price=step.request.trigger_price,
                position_id=self.position.position_id,
                venue_order_id=VenueOrderId("O1"),
            )
        else:
            assert isinstance(step, AmendOrder)
            assert self.stop is not None
            change = step.amendment
            moved = change.trigger_price or self.stop.trigger_price
            assert change.trigger_price is None or not self.is_silent
            assert change.quantity is not None
            self.stop = replace(self.stop, quantity=change.quantity, trigger_price=moved)
        self.stop = replace(self.stop, updated_at=self.now)
        assert self.stop.trigger_price is not None
        self.price = self.stop.trigger_price
        self.triggers.append(self.price)
        self.growing_since = self.uncovered_since = None
        assert self.stop.quantity == LOT * self.lots
        assert self.price < self.bid


@settings(max_examples=60, deadline=None)
@given(events=st.lists(EVENTS, max_size=40))
def test_a_stop_covers_within_a_second_and_moves_towards_profit_alone(events: list[Event]) -> None:
    """It never exceeds what is held, never fires by being moved, and needs a price to be moved."""
    world = World()
    world.turn()
    for event in events:
        world.happens(event)
        assert world.stop is not None
        assert world.stop.quantity <= LOT * world.lots

    assert world.triggers == sorted(world.triggers)
