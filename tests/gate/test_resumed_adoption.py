"""A plan that was interrupted after it adopted a position, and is held to the world again."""

from __future__ import annotations

from builders import make_position, make_stop_request, place, plan_with
from zoe_tools.domain.plan import AdoptPosition
from zoe_tools.gate.recheck import moved_since

ADOPTED = make_position()
ADOPT = AdoptPosition(position=ADOPTED, reason="because")
STOP = place(make_stop_request(), position_id=ADOPTED.position_id)


def test_what_was_adopted_already_bears_its_own_name_in_either_plan() -> None:
    """The stop of a settled adoption is the same stop, though nothing is adopted any more."""
    assert moved_since(plan_with(ADOPT, STOP), plan_with(STOP), settled=frozenset({0})) == ()


def test_an_adoption_yet_to_come_goes_by_its_instrument() -> None:
    """Its id is made of the moment of planning, and is another one in the next plan."""
    other = make_position(position_id="P2")
    fresh = plan_with(
        AdoptPosition(position=other, reason="because"),
        place(make_stop_request(), position_id=other.position_id),
    )
    assert moved_since(plan_with(ADOPT, STOP), fresh) == ()
