"""Focus by counting reasons: what is held by one reason stays, whatever others do."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from builders import BTC, ETH, NOON
from zoe_tools.core.market_focus import Focus
from zoe_tools.domain.market_watch import FocusClaim, FocusReason

SOON = NOON + timedelta(minutes=30)
MANUAL, FAVOURITE, POSITION, ORDER, CANDIDATE, MOVER = FocusReason


def _claim(reason: FocusReason, symbol: str = BTC, **changes: object) -> FocusClaim:
    values: dict[str, object] = {"symbol": symbol, "reason": reason, "since": NOON}
    return FocusClaim(**values | changes)  # type: ignore[arg-type]


def test_a_pair_leaves_focus_with_its_last_reason() -> None:
    """Not with the first that goes."""
    focus = Focus().claimed(_claim(MANUAL)).claimed(_claim(POSITION))

    assert focus.released(BTC, MANUAL).symbols == {BTC}
    assert focus.released(BTC, MANUAL).released(BTC, POSITION).symbols == frozenset()


def test_defect_held_coins_were_not_kept_in_focus() -> None:
    """Positions and working orders claim their pairs, and let go of them."""
    focus = Focus().held_by(POSITION, [BTC], NOON).held_by(ORDER, [BTC, ETH], NOON)

    assert focus.reasons(BTC) == (POSITION, ORDER)
    assert focus.held_by(POSITION, [], NOON).reasons(BTC) == (ORDER,)
    assert focus.held_by(ORDER, [], NOON).symbols == {BTC}


def test_a_mover_expires_and_the_others_do_not() -> None:
    """Until the very moment; a permanent reason has no end."""
    focus = Focus().claimed(_claim(MOVER, expires_at=SOON)).claimed(_claim(FAVOURITE, ETH))

    assert focus.at(SOON - timedelta(seconds=1)).symbols == {BTC, ETH}
    assert focus.at(SOON).symbols == {ETH}


def test_the_same_reason_again_keeps_its_beginning() -> None:
    """And has the new end."""
    focus = Focus().claimed(_claim(MOVER, expires_at=SOON))
    again = focus.claimed(_claim(MOVER, since=SOON, expires_at=None))

    assert again.claims == (_claim(MOVER),)


_STEPS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(list(FocusReason)), st.sampled_from([BTC, ETH])),
    max_size=40,
)


@given(_STEPS)
def test_a_pair_is_in_focus_exactly_while_a_reason_is_left(
    steps: list[tuple[bool, FocusReason, str]],
) -> None:
    """Whatever comes and goes in whatever order, as a plain set of reasons says."""
    focus, counted = Focus(), set[tuple[str, FocusReason]]()
    for is_claimed, reason, symbol in steps:
        if is_claimed:
            focus = focus.claimed(_claim(reason, symbol))
            counted.add((symbol, reason))
        else:
            focus = focus.released(_claim(reason, symbol).symbol, reason)
            counted.discard((symbol, reason))

    assert focus.symbols == {symbol for symbol, _ in counted}
    assert {(each.symbol, each.reason) for each in focus.claims} == counted
    assert len(focus.claims) == len(counted)
