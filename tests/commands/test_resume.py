"""`zoe resume`: the only way down, after a checklist."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from builders import ETH, PAPER, d, make_position, make_stop_request, place
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.resume import _resume, planner
from zoe_tools.core.resume import CauseFacts
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.margin import MarginStanding
from zoe_tools.domain.plan import AdoptPosition, SetTradingState
from zoe_tools.domain.trading_state import KillLevel, KillReason
from zoe_tools.errors import PlanRefused, PlanStale, UnknownInstrument, VenueUnavailable
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.recheck import demand_unchanged
from zoe_tools.gate.store_steps import apply_store_step
from zoe_tools.kraken.wire_account import TradeBalanceRow
from zoe_tools.runtime.cause_facts import cause_facts
from zoe_tools.store.emergency_file import EmergencyFile


async def resume(desk: Desk, *, execute: bool) -> int:
    """Run the command."""
    context, invocation, _ = command_io(desk, "resume")
    return await _resume(context, invocation, "fixed", execute=execute)


async def level(desk: Desk, symbol: Symbol | None = None) -> KillLevel:
    """What is latched; of the instrument alone, where one is named."""
    return (await desk.read(lambda tx: tx.trading_state())).of(symbol).level


def test_an_armed_account_has_nothing_to_resume(tmp_path: Path) -> None:
    """Exit 0."""
    assert at_the_desk(tmp_path, lambda desk: resume(desk, execute=True)) == 0


def test_a_dry_run_leaves_the_latch_and_execute_re_arms(tmp_path: Path) -> None:
    """Exit 3, then 0."""

    async def story(desk: Desk) -> None:
        await desk.do(SetTradingState(level=KillLevel.FLATTEN, reason="drill"), command="kill")
        assert await resume(desk, execute=False) == 3
        assert await level(desk) is KillLevel.FLATTEN
        assert await resume(desk, execute=True) == 0
        assert await level(desk) is KillLevel.NONE

    at_the_desk(tmp_path, story)


def test_a_venue_that_cannot_be_read_is_no_list_to_clear(tmp_path: Path) -> None:
    """Exit 5, dry as well: nobody could look, and to try again is all that can be done."""

    async def story(desk: Desk) -> None:
        await desk.do(SetTradingState(level=KillLevel.FLATTEN, reason="drill"), command="kill")
        desk.venue.cue("balances", VenueUnavailable("down"), times=5)
        with pytest.raises(VenueUnavailable, match=r"stays at flatten: The balances are missing"):
            await resume(desk, execute=False)
        assert await level(desk) is KillLevel.FLATTEN

    at_the_desk(tmp_path, story)


def test_a_naked_position_keeps_the_latch_until_it_has_its_stop(tmp_path: Path) -> None:
    """Refused with the sentence that says what to run."""

    async def story(desk: Desk) -> None:
        desk.venue.totals["BTC"] = d("0.5")
        position = make_position(quantity=d("0.5"))
        await desk.do(AdoptPosition(position=position, reason="test"))
        await desk.do(SetTradingState(level=KillLevel.REDUCE_ONLY, reason="drill"), command="kill")
        with pytest.raises(PlanRefused, match="zoe recover-sl"):
            await resume(desk, execute=True)
        assert await level(desk) is KillLevel.REDUCE_ONLY

        stop = make_stop_request(quantity=d("0.5"))
        await desk.do(place(stop, position_id=PositionId("P1")))
        assert await resume(desk, execute=True) == 0

    at_the_desk(tmp_path, story)


def test_an_instrument_is_re_armed_by_its_name_alone(tmp_path: Path) -> None:
    """The account's resume names it and leaves it; its own leaves the account."""

    async def story(desk: Desk) -> None:
        for symbol in (None, ETH):
            halt = SetTradingState(level=KillLevel.REDUCE_ONLY, reason="drill", symbol=symbol)
            await desk.do(halt, command="kill")
        context, invocation, out = command_io(desk, "resume")
        assert await _resume(context, invocation, "fixed", execute=True) == 0
        assert "ETH/USD stays at reduce-only: `zoe resume --instrument ETH/USD`" in out.getvalue()
        assert (await level(desk), await level(desk, ETH)) == (
            KillLevel.NONE,
            KillLevel.REDUCE_ONLY,
        )

        again = command_io(desk, "resume")
        assert await _resume(*again[:2], "fixed", instrument="eth/usd", execute=False) == 3
        line = "zoe resume --instrument ETH/USD --reason fixed --execute"
        assert again[2].getvalue().splitlines()[-1] == f"To carry it out: {line}"
        assert await _resume(*again[:2], "fixed", instrument="eth/usd", execute=True) == 0
        assert await level(desk, ETH) is KillLevel.NONE
        with pytest.raises(UnknownInstrument):
            await _resume(*again[:2], "fixed", instrument="ETG/USD", execute=True)

    at_the_desk(tmp_path, story)


def test_what_was_stopped_again_is_not_re_armed_by_the_plan_for_the_first_time(
    tmp_path: Path,
) -> None:
    """A plan that was saved for one kill would take back another one, at the same level."""

    async def story(desk: Desk) -> None:
        halt = SetTradingState(level=KillLevel.REDUCE_ONLY, reason="the first")
        await desk.do(halt, command="kill")
        context, _, _ = command_io(desk, "resume")
        look = planner(context, (("reason", "mended"),))
        _, saved = await look()
        assert await resume(desk, execute=True) == 0
        await desk.clock.sleep(1)
        await desk.do(replace(halt, reason="quite another"), command="kill")

        _, fresh = await look()
        with pytest.raises(PlanStale, match="stopped_at was"):
            demand_unchanged(saved, fresh, now=desk.clock.now())

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("rises_to", list(KillLevel)[1:])
def test_a_kill_that_comes_while_the_venue_is_looked_at_stands(
    tmp_path: Path, rises_to: KillLevel
) -> None:
    """Exit 4: what is armed is what was looked at, and this one nobody has looked at."""

    async def story(desk: Desk) -> tuple[PlanStale, KillLevel]:
        paused = SetTradingState(level=KillLevel.PAUSE_ENTRIES, reason="lunch")
        await desk.do(paused, command="kill")
        balances, looks = desk.venue.balances, []

        async def watched() -> tuple[Balance, ...]:
            looks.append(desk.clock.now())
            if len(looks) == 2:
                order = SetTradingState(level=rises_to, reason="strange fills")
                now = desk.clock.now()
                await desk.read(lambda tx: apply_store_step(tx, order, now=now, changed_by="bob"))
            return await balances()

        desk.venue.balances = watched  # type: ignore[method-assign]
        with pytest.raises(PlanStale) as refused:
            await resume(desk, execute=True)
        return refused.value, await level(desk)

    refused, stands = at_the_desk(tmp_path, story)

    assert stands is rises_to
    assert refused.exit_code == 4
    assert f"stays at {rises_to.label}: " in refused.message
    assert "zoe kill status" in refused.hint


@pytest.mark.parametrize("stands", [KillLevel.PAUSE_ENTRIES, KillLevel.FLATTEN, KillLevel.NONE])
def test_a_kill_that_waited_for_the_store_is_latched_and_not_armed(
    tmp_path: Path, stands: KillLevel
) -> None:
    """Nobody who resumes has looked at it: the dry run names it, the next resume arms it."""

    async def story(desk: Desk) -> None:
        journal = EmergencyJournal(EmergencyFile(desk.home), PAPER)
        journal.prepare()
        if stands is not KillLevel.NONE:
            await desk.do(SetTradingState(level=stands, reason="drill"), command="kill")
        journal.latch(KillLevel.FLATTEN, "strange fills", by="bob", at=desk.clock.now())
        with pytest.raises(PlanRefused, match=r"flatten \(.*strange fills\)"):
            await resume(desk, execute=False)
        with pytest.raises(PlanStale, match=r"waited in emergency\.jnl"):
            await resume(desk, execute=True)
        assert await level(desk) is KillLevel.FLATTEN
        assert await resume(desk, execute=True) == 0
        assert await level(desk) is KillLevel.NONE

    at_the_desk(tmp_path, story)


def test_the_runbook_s_switch_has_to_be_set_to_false_first(tmp_path: Path) -> None:
    """A row in the table `config` outranks the latch."""

    async def story(desk: Desk) -> None:
        now = desk.clock.now()
        await desk.read(lambda tx: tx.set_config("kill_switch", "true", now))
        with pytest.raises(PlanRefused, match="kill_switch"):
            await resume(desk, execute=True)

    at_the_desk(tmp_path, story)


def test_data_that_is_still_stale_keeps_the_latch(tmp_path: Path) -> None:
    """A running loop one of whose wires is down would stop trading again."""

    async def story(desk: Desk) -> None:
        reason = KillReason.DATA_FAILURE.worded("blind_s 3600 is beyond 3600")
        halt = SetTradingState(level=KillLevel.CANCEL_OPEN, reason=reason)
        await desk.do(halt, command="kill")
        now = desk.clock.now()
        await desk.read(lambda tx: tx.acquire_lease("r", "h", 1, now, 3600))
        heard_at = (now - timedelta(seconds=90)).isoformat()

        async def beat(*, is_live: int) -> None:
            told: dict[str, str | int] = {"is_live": is_live, "last_event_at": heard_at}
            await desk.read(lambda tx: tx.beat("loop", "ok", now, told))

        await beat(is_live=0)
        with pytest.raises(PlanRefused, match="the last that it heard is 90 s old"):
            await resume(desk, execute=True)
        await beat(is_live=1)
        assert await resume(desk, execute=True) == 0

    at_the_desk(tmp_path, story)


def test_a_clock_that_is_still_wrong_keeps_the_latch(tmp_path: Path) -> None:
    """Orders by it would end before they arrive, and a loop would stop trading again."""

    async def story(desk: Desk) -> None:
        reason = KillReason.DATA_FAILURE.worded("clock_skew_s 300 is beyond 300")
        halt = SetTradingState(level=KillLevel.CANCEL_OPEN, reason=reason)
        await desk.do(halt, command="kill")

        async def far_ahead() -> datetime:
            return desk.clock.now() + timedelta(minutes=6)

        asked = desk.venue.server_time
        desk.venue.server_time = far_ahead  # type: ignore[method-assign]
        with pytest.raises(PlanRefused, match="clock_skew_s is 360"):
            await resume(desk, execute=True)
        desk.venue.server_time = asked  # type: ignore[method-assign]
        assert await resume(desk, execute=True) == 0

    at_the_desk(tmp_path, story)


def test_margin_that_nobody_can_tell_keeps_the_latch(tmp_path: Path) -> None:
    """What is missing is never taken for none."""

    async def story(desk: Desk) -> None:
        reason = KillReason.MARGIN_CRITICAL.worded("margin_pct 93 is beyond 92")
        halt = SetTradingState(level=KillLevel.CANCEL_OPEN, reason=reason)
        await desk.do(halt, command="kill")
        with pytest.raises(PlanRefused, match="How much margin is in use cannot be told"):
            await resume(desk, execute=True)
        assert await level(desk) is KillLevel.CANCEL_OPEN

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("used", ["900", "1250"])
def test_margin_in_use_is_asked_of_the_venue(tmp_path: Path, used: str) -> None:
    """By TradeBalance, and only for what was latched because of it."""

    async def story(desk: Desk) -> None:
        asked: list[str] = []

        class Rest:
            breaker = None

            async def private(self, method: str, *_: object, **__: object) -> TradeBalanceRow:
                asked.append(method)
                told = dict.fromkeys(("eb", "tb", "e"), d("1000"))
                nothing = dict.fromkeys(("n", "c", "v", "mf"), d("0"))
                return TradeBalanceRow(**told, **nothing, m=d(used))

        context, _, _ = command_io(desk, "resume")
        wired = replace(context, wires=SimpleNamespace(rest=Rest()))  # type: ignore[arg-type]
        facts = await cause_facts(wired, KillReason.LIQUIDATION_BREACH)
        assert isinstance(facts.margin, MarginStanding)
        assert facts.margin.used_pct == d(used) / 10
        assert asked == ["TradeBalance"]
        assert await cause_facts(wired, KillReason.MANUAL) == CauseFacts()
        assert asked == ["TradeBalance"]

    at_the_desk(tmp_path, story)
