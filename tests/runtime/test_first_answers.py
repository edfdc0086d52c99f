"""The first questions of a start: asked again soon, and not for ever in a hurry."""

from __future__ import annotations

import asyncio

import pytest

from zoe_tools.errors import VenueUnavailable
from zoe_tools.runtime.first_answers import HASTY_TRIES, TIME_S, answer_soon
from zoe_tools.runtime.virtual_loop import run_virtual


class Slow:
    """A question; each time it takes as long as is said."""

    def __init__(self, *take_s: float) -> None:
        self.take_s = list(take_s)
        self.given_up = 0

    async def __call__(self) -> str:
        """Ask it."""
        try:
            await asyncio.sleep(self.take_s.pop(0))
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return "told"


@pytest.mark.parametrize(
    ("take_s", "expected_s", "given_up"),
    [
        ((0.3,), 0.3, 0),
        ((60, 0.3), TIME_S + 0.3, 1),
        ((60, 60, 9), 2 * TIME_S + 9, HASTY_TRIES),
    ],
)
def test_a_question_that_hangs_is_asked_again(
    take_s: tuple[float, ...], expected_s: float, given_up: int
) -> None:
    """The last one is waited for: a venue may be slow for everybody."""

    async def story() -> None:
        ask, began = Slow(*take_s), asyncio.get_running_loop().time()
        assert await answer_soon(ask, TIME_S) == "told"
        took_s = asyncio.get_running_loop().time() - began
        assert (round(took_s, 3), ask.given_up, ask.take_s) == (expected_s, given_up, [])

    run_virtual(story())


def test_a_no_is_a_no() -> None:
    """What the question itself raises is not asked again."""
    asked = []

    async def refused() -> str:
        asked.append(1)
        raise VenueUnavailable("no")

    async def story() -> None:
        with pytest.raises(VenueUnavailable):
            await answer_soon(refused, TIME_S)

    run_virtual(story())
    assert len(asked) == 1
