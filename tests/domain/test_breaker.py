"""The circuit breaker as a value: when it opens, who probes, how long it stays open."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON
from zoe_tools.domain.breaker import (
    LONGEST_WAIT_S,
    PROBE_S,
    Admission,
    Breaker,
    BreakerState,
    CallResult,
)

FAILED, THROTTLED = CallResult.FAILED, CallResult.THROTTLED
ANSWERED, DECLINED = CallResult.ANSWERED, CallResult.DECLINED
REFUSED = Admission(is_allowed=False)


def after(*results: CallResult) -> Breaker:
    """A fresh breaker that was told these at noon."""
    breaker = Breaker()
    for result in results:
        breaker = breaker.told(result, probe=None, now=NOON)
    return breaker


def later(seconds: float) -> timedelta:
    """So much time."""
    return timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ([FAILED] * 4, BreakerState.CLOSED),
        ([FAILED] * 5, BreakerState.OPEN),
        ([FAILED] * 4 + [ANSWERED, FAILED], BreakerState.CLOSED),
        ([FAILED] * 4 + [DECLINED] * 9, BreakerState.CLOSED),
        ([FAILED] * 4 + [DECLINED, FAILED], BreakerState.OPEN),
        ([DECLINED] * 50, BreakerState.CLOSED),
        ([CallResult.UNSENT] * 50, BreakerState.CLOSED),
        ([THROTTLED], BreakerState.CLOSED),
        ([THROTTLED, THROTTLED], BreakerState.OPEN),
        ([THROTTLED, ANSWERED, THROTTLED], BreakerState.CLOSED),
    ],
)
def test_five_failures_or_two_rate_limits_in_a_row_open_it(
    results: list[CallResult], state: BreakerState
) -> None:
    """A definite no, to the order or to the key, neither counts nor excuses."""
    assert after(*results).state is state


def test_it_stays_open_twice_as_long_each_time_the_probe_fails() -> None:
    """60, 120, 240 ... and never longer than the bound; a probe that succeeds forgets all."""
    breaker, now, waits = after(*[FAILED] * 5), NOON, []
    for _ in range(7):
        waits.append(breaker.wait_s)
        now += later(breaker.wait_s - 1)
        assert breaker.asked(now) == (breaker, REFUSED)
        now += later(1)
        breaker, admission = breaker.asked(now)
        breaker = breaker.told(FAILED, probe=admission.probe, now=now)

    assert waits == [60, 120, 240, 480, 960, LONGEST_WAIT_S, LONGEST_WAIT_S]
    now += later(LONGEST_WAIT_S)
    breaker, admission = breaker.asked(now)
    assert breaker.told(ANSWERED, probe=admission.probe, now=now) == Breaker()


@pytest.mark.parametrize("result", [ANSWERED, DECLINED])
def test_any_answer_to_the_probe_closes_it(result: CallResult) -> None:
    """A refused key is an answer, too."""
    now = NOON + later(60)
    breaker, admission = after(*[FAILED] * 5).asked(now)

    assert breaker.told(result, probe=admission.probe, now=now).is_closed


def test_what_did_not_ask_neither_opens_nor_closes_it_while_it_is_not_closed() -> None:
    """A cancel that goes through proves little of the rest; only the probe is heard."""
    half_open, _ = after(*[FAILED] * 5).asked(NOON + later(60))
    for breaker in (after(*[FAILED] * 5), half_open):
        for result in CallResult:
            assert breaker.told(result, probe=None, now=NOON + later(61)) == breaker


def test_a_probe_that_was_given_up_or_died_makes_room_for_another() -> None:
    """The one who died is not heard any more."""
    now = NOON + later(60)
    breaker, first = after(*[FAILED] * 5).asked(now)
    given_up = breaker.told(CallResult.UNSENT, probe=first.probe, now=now)
    assert given_up.asked(now)[1].is_allowed

    assert breaker.asked(now + later(PROBE_S - 1))[1] == REFUSED
    breaker, second = breaker.asked(now + later(PROBE_S))
    assert second.is_allowed
    assert breaker.told(ANSWERED, probe=first.probe, now=now) == breaker


def test_what_an_operator_opened_waits_for_him() -> None:
    """No probe, however long it takes."""
    breaker = Breaker().forced_open(NOON)

    assert breaker.asked(NOON + timedelta(days=30)) == (breaker, REFUSED)
    assert breaker.probes_at is None


def test_a_clock_that_was_set_back_does_not_keep_it_open() -> None:
    """It opened in a time to come: the probe may go at once."""
    breaker = after(*[FAILED] * 5)

    assert breaker.asked(NOON - timedelta(hours=1))[1].is_allowed
    assert not breaker.asked(NOON - later(1))[1].is_allowed


@given(
    st.lists(
        st.tuples(st.sampled_from(["ask", "wait", *CallResult]), st.integers(0, 3)), max_size=80
    )
)
def test_of_all_who_ask_at_most_one_is_probing(steps: list[tuple[str, int]]) -> None:
    """However calls, answers and time interleave, until a probe has been silent for too long."""
    breaker, now = after(*[FAILED] * 5), NOON
    probing: Admission | None = None
    for step, number in steps:
        if step == "wait":
            now += later(number * 9)
        elif step == "ask":
            breaker, admission = breaker.asked(now)
            if admission.is_allowed and not breaker.is_closed:
                is_silent = probing is not None and probing.probe is not None
                if is_silent and probing is not None and probing.probe is not None:
                    assert now - probing.probe >= later(PROBE_S)
                probing = admission
        else:
            told = None if probing is None else probing.probe
            breaker = breaker.told(CallResult(step), probe=told, now=now)
            probing = None
