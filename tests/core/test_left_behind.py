"""What an orderly stop leaves undone: told by order and position, with the way on."""

from __future__ import annotations

from builders import BTC, d, make_instrument, make_intent, make_order, make_position, make_stop
from zoe_tools.core.left_behind import NOTHING, left_behind
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import OrderStatus, OrderType, Side

HELD = make_position()
STOP = make_stop(HELD)
ENTRY = make_order()
EXIT = make_order(
    venue_order_id=VenueOrderId("OEXIT"),
    side=Side.SELL,
    order_type=OrderType.MARKET,
    purpose="exit",
    position_id=HELD.position_id,
)
INSTRUMENTS = {BTC: make_instrument()}


def test_a_position_with_its_stop_is_a_stop_that_is_done() -> None:
    """A target that rests may stay, too, and an outcome nobody knows is no work of the stop's."""
    left = left_behind((HELD,), (STOP,), INSTRUMENTS, (make_intent(),))

    assert left == NOTHING
    assert (left.is_empty, left.exit_code) == (True, 0)


def test_an_entry_that_still_works_is_told_by_its_id() -> None:
    """It may fill with nobody to place its stop."""
    left = left_behind((), (ENTRY,), INSTRUMENTS, ())

    assert left.what == "entry buy 0.0004 BTC/USD is open (OAAAAA-AAAAA-AAAAA1)"
    assert left.by_hand == ("zoe orders cancel OAAAAA-AAAAA-AAAAA1 --execute",)
    assert left.exit_code == 5


def test_an_order_that_nobody_knows_of_is_told_by_our_id_and_comes_first() -> None:
    """Unknown outcomes are settled before anything else: exit code 6."""
    sent = make_order(venue_order_id=None, status=OrderStatus.PENDING_NEW)
    left = left_behind((), (sent,), INSTRUMENTS, (make_intent(),))

    assert sent.client_order_id in left.what
    assert left.by_hand[0] == "zoe reconcile --execute"
    assert left.exit_code == 6


def test_a_position_without_all_of_its_stop_is_told() -> None:
    """None, or one for a part of it."""
    part = make_stop(HELD, quantity=d("0.0003"))
    bare = left_behind((HELD,), (), INSTRUMENTS, ())

    assert bare.what == "0.0004 BTC/USD has NO STOP"
    assert bare.by_hand == ("zoe recover-sl --execute",)
    assert left_behind((HELD,), (part,), INSTRUMENTS, ()).what == (
        "0.0004 BTC/USD has a stop for 0.0003"
    )


def test_a_sale_under_way_leaves_a_bare_position_behind_it() -> None:
    """Both are told; taken back by hand, it needs its stop again."""
    left = left_behind((HELD,), (EXIT,), INSTRUMENTS, ())

    assert left.orders == ("exit sell 0.0004 BTC/USD is open (OEXIT)",)
    assert left.bare == ("0.0004 BTC/USD has NO STOP",)
    assert left.by_hand == ("zoe orders cancel OEXIT --execute", "zoe recover-sl --execute")


def test_many_orders_are_cancelled_together() -> None:
    """A line to copy has its end."""
    many = tuple(
        make_order(client_order_id=ClientOrderId(f"c{n}"), venue_order_id=VenueOrderId(f"O{n}"))
        for n in range(6)
    )

    assert left_behind((), many, INSTRUMENTS, ()).by_hand == ("zoe orders cancel --all --execute",)
    assert left_behind((), many[:5], INSTRUMENTS, ()).by_hand == (
        "zoe orders cancel O0 O1 O2 O3 O4 --execute",
    )
