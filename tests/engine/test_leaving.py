"""Who is on the way out, from turn to turn and over a restart."""

from __future__ import annotations

from dataclasses import replace

from builders import BTC, ETH, d, make_group, make_instrument, make_position, make_quote
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.intent_group import Style
from zoe_tools.domain.order import Side
from zoe_tools.domain.policy import Policy
from zoe_tools.engine.leaving import Leaving

HELD = make_position()
OTHER = make_position(position_id=PositionId("P2"), symbol=ETH)
EXIT = make_group(purpose="exit", side=Side.SELL, position_id=HELD.position_id)


def test_who_leaves_goes_on_leaving_until_nothing_is_held() -> None:
    """The strategy says it once."""
    leaving = Leaving()
    leaving.note_decisions((HELD, OTHER), (Decision(symbol=BTC, action="exit", reason="t"),))
    leaving.note_books((HELD, OTHER), (), is_stopping=False)
    assert leaving.exiting == {HELD.position_id}

    leaving.note_decisions((HELD, OTHER), (Decision(symbol=BTC, action="hold", reason="t"),))
    leaving.note_books((HELD, OTHER), (), is_stopping=False)
    assert leaving.exiting == {HELD.position_id}

    leaving.note_books((OTHER,), (), is_stopping=False)
    assert leaving.exiting == frozenset()


def test_panic_is_remembered_with_the_exit() -> None:
    """Until the position is gone."""
    leaving = Leaving()
    wish = Decision(symbol=BTC, action="exit", reason="crash", urgency="panic")
    leaving.note_decisions((HELD,), (wish,))
    leaving.note_books((HELD,), (), is_stopping=False)
    assert leaving.urgent == {HELD.position_id}

    leaving.note_books((), (), is_stopping=False)
    assert leaving.urgent == frozenset()


def test_an_exit_in_the_books_is_one_after_a_restart_too() -> None:
    """Between the cancel of one order and the next nothing at the venue tells of it."""
    leaving = Leaving()
    leaving.note_books((HELD, OTHER), (EXIT, make_group()), is_stopping=False)
    assert leaving.exiting == {HELD.position_id}
    assert leaving.urgent == frozenset()

    leaving.note_books((HELD,), (replace(EXIT, style=Style.PANIC),), is_stopping=False)
    assert leaving.urgent == {HELD.position_id}


def test_a_loop_that_is_to_end_sells_in_a_hurry_what_is_on_its_way_out() -> None:
    """And nothing else."""
    leaving = Leaving()
    leaving.note_books((HELD, OTHER), (EXIT,), is_stopping=True)

    assert leaving.urgent == {HELD.position_id}


def test_a_target_that_is_reached_begins_an_exit_by_a_fresh_quote_alone() -> None:
    """A price that stands still decides nothing."""
    leaving, instruments = Leaving(), {BTC: make_instrument()}
    far = make_quote(bid=d("90000"), ask=d("90001"))
    leaving.note_targets((HELD,), {}, instruments, Policy(), ())
    assert leaving.exiting == frozenset()

    leaving.note_targets((HELD,), {BTC: far}, instruments, Policy(), ())
    assert leaving.exiting == {HELD.position_id}
