"""`zoe apply` over a venue in memory: the same plan or none, each step once, whatever happened."""

from __future__ import annotations

import json
import platform
import re
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, LIVE, d, make_request, place
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.apply import _apply, _demand_account, _percent
from zoe_tools.commands.planning import PLANNERS, keeping, planner_of
from zoe_tools.commands.recover_sl import _recover
from zoe_tools.commands.sync_positions import _sync
from zoe_tools.core.explain import tell
from zoe_tools.domain.audit import AuditKind
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.plan import PlaceOrder, Plan
from zoe_tools.errors import (
    ConfigError,
    ConsentMissing,
    Moved,
    PlanRefused,
    PlanStale,
    VenueRejected,
)
from zoe_tools.gate.journal import Author, Entry, claim, journal
from zoe_tools.runtime.plan_files import read_plan, write_plan
from zoe_tools.store.store import Transaction


@dataclass
class Saved:
    """A desk that holds 0.0004 BTC without a stop, and the plan that was saved for it."""

    desk: Desk
    file: Path

    @property
    def plan(self) -> Plan:
        """What is in the file."""
        return read_plan(self.file)

    async def apply(
        self,
        *,
        execute: bool = True,
        resume: bool = False,
        tolerance: str = "1",
        consent: bool = False,
    ) -> tuple[int, str]:
        """Run the command; its exit code and what it printed."""
        context, invocation, out = command_io(self.desk, "apply", live_consent=consent)
        code = await _apply(
            context,
            invocation,
            self.plan,
            (self.file, Decimal(tolerance)),
            resume=resume,
            execute=execute,
        )
        return code, out.getvalue()

    async def moved(self, **how: Any) -> tuple[Moved, ...]:
        """What an application that is refused for drift says; nothing may have been sent."""
        self.desk.venue.calls.clear()
        with pytest.raises(PlanStale) as stale:
            await self.apply(**how)
        assert self.desk.venue.writes == []
        return stale.value.moved


Story = Callable[[Saved], Awaitable[None]]


def with_saved_plan(folder: Path, story: Story, **setting: Any) -> None:
    """Hold something, plan its stop, save the plan, forget about it for a day."""

    async def main(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1"))), live_consent=True)
        file = folder / "friday.plan"
        context, invocation, out = command_io(desk, "recover-sl")
        kept = keeping(str(file), "3d", force=False, execute=False)
        assert await _recover(context, invocation, execute=False, kept=kept) == 3
        assert f"zoe apply {file} --execute" in " ".join(out.getvalue().split())
        assert desk.venue.resting == []
        await desk.clock.sleep(86_400)
        await story(Saved(desk=desk, file=file))

    at_the_desk(folder, main, **setting)


# --- the same plan -------------------------------------------------------------------------------


def test_a_saved_plan_is_shown_dry_and_then_carried_out(tmp_path: Path) -> None:
    """Dry it changes nothing and exits 3; executed its stop rests, under the plan's own hash."""

    async def story(saved: Saved) -> None:
        before = await saved.desk.read(lambda tx: tx.business_fingerprint())
        saved.desk.venue.calls.clear()
        code, text = await saved.apply(execute=False)
        assert code == 3
        assert "DRY RUN" in text
        assert "friday.plan --execute" in text
        assert saved.desk.venue.writes == []
        assert await saved.desk.read(lambda tx: tx.business_fingerprint()) == before

        code, text = await saved.apply()
        assert (code, len(saved.desk.venue.resting)) == (0, 1), text
        intents = await saved.desk.read(lambda tx: tx.intents())
        assert intents[-1].plan_hash == saved.plan.plan_hash
        assert intents[-1].command == "apply recover-sl"

    with_saved_plan(tmp_path, story)


def test_an_application_leaves_rows_of_its_own(tmp_path: Path) -> None:
    """Who, where, which plan made of what, resumed or not, and how it ended; dry it leaves none."""

    async def story(saved: Saved) -> None:
        told = saved.desk.read

        def rows(tx: Transaction) -> list[dict[str, object]]:
            named = tx.audit.rows((saved.plan.plan_hash,))
            return [each.facts for each in named if each.kind == AuditKind.ACTION]

        await saved.apply(execute=False)
        assert await told(rows) == []
        await saved.apply()
        await saved.apply(resume=True)
        always = {
            "what": "zoe apply recover-sl",
            "operator": "tester",
            "host": platform.node(),
            "plan_hash": saved.plan.plan_hash,
            "snapshot_hash": saved.plan.snapshot_hash,
        }
        assert await told(rows) == [
            {**always, "resumed": word, **ended}
            for word in ("no", "yes")
            for ended in ({"result": "begun"}, {"result": "1 done", "exit_code": "0"})
        ]
        subject = (await told(lambda tx: tx.find(saved.plan.plan_hash)))[0]
        case = await told(lambda tx: tx.case_of(subject))
        assert "result 1 done" in " ".join(each.what for each in tell(case).lines)

    with_saved_plan(tmp_path, story)


def test_the_file_is_its_owner_s_alone_and_no_draft_of_it_is_left(tmp_path: Path) -> None:
    """0600."""
    seen: list[str] = []

    async def story(saved: Saved) -> None:
        seen.append(saved.plan.plan_hash)

    with_saved_plan(tmp_path, story)

    assert seen
    assert stat.S_IMODE((tmp_path / "friday.plan").stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if "plan" in each.name] == ["friday.plan"]


def test_within_the_tolerance_the_price_that_was_saved_is_sent(tmp_path: Path) -> None:
    """What was read on Friday is what is done on Monday."""

    async def story(saved: Saved) -> None:
        saved.desk.venue.set_price(BTC, "59700.0", "59700.2")  # half a percent lower
        assert (await saved.apply())[0] == 0
        (stop,) = saved.desk.venue.resting
        request = saved.plan.steps[0].request  # type: ignore[union-attr]
        assert stop.trigger_price == request.trigger_price == d("58799.9")

    with_saved_plan(tmp_path, story)


# --- drift ---------------------------------------------------------------------------------------


def test_a_price_beyond_the_tolerance_is_a_row_of_what_moved(tmp_path: Path) -> None:
    """With the tolerance; a wider one lets it pass, none at all refuses a cent."""

    async def story(saved: Saved) -> None:
        saved.desk.venue.set_price(BTC, "58900.0", "58900.2")
        moved = await saved.moved()
        prices = [each for each in moved if each.what == "request.trigger_price"]
        assert prices == [
            Moved(
                step=1,
                what="request.trigger_price",
                was="58799.9",
                now="57722.0",
                allowed="+-1 %",
            )
        ]
        assert {each.what for each in moved} == {"request.trigger_price", "notional"}
        assert await saved.moved(tolerance="0") != ()
        assert (await saved.apply(tolerance="5"))[0] == 0

    with_saved_plan(tmp_path, story)


@pytest.mark.parametrize(("bid", "ask"), [("58799.9", "58800.1"), ("58000.0", "58000.2")])
def test_a_stop_that_the_market_went_through_is_never_placed(
    tmp_path: Path, bid: str, ask: str
) -> None:
    """Whatever the tolerance: it would sell at once, and protect nothing."""

    async def story(saved: Saved) -> None:
        saved.desk.venue.set_price(BTC, bid, ask)
        (told,) = await saved.moved(tolerance="99")
        assert (told.step, told.what, told.was) == (1, "request.trigger_price", "58799.9")
        assert (told.now, told.allowed) == (f"bid {bid.removesuffix('.0')}", "below the bid")

    with_saved_plan(tmp_path, story)


def test_the_line_to_carry_it_out_is_the_one_that_was_looked_at(tmp_path: Path) -> None:
    """With its tolerance: without it the plan that was just shown would be refused."""

    async def story(saved: Saved) -> None:
        code, text = await saved.apply(execute=False, tolerance="2.5")
        assert code == 3
        told = " ".join(text.split())
        assert f"zoe apply {saved.file} --price-tolerance 2.5 --execute" in told
        assert f"plan {saved.plan.plan_hash[:12]} of `zoe recover-sl`, made 2026-01-05" in told

    with_saved_plan(tmp_path, story)


def test_a_quantity_may_not_move_at_all(tmp_path: Path) -> None:
    """Whatever the tolerance for prices."""

    async def story(saved: Saved) -> None:
        def grow(tx: Any) -> None:
            (position,) = tx.positions(open_only=True)
            tx.record_position(replace(position, quantity=d("0.0005"), entry_quantity=d("0.0005")))

        await saved.desk.read(grow)
        moved = {each.what: each for each in await saved.moved(tolerance="99")}
        assert moved["request.quantity"].was == "0.0004"
        assert moved["request.quantity"].now == "0.0005"
        assert moved["request.quantity"].allowed == "exactly"

    with_saved_plan(tmp_path, story)


def test_a_step_that_is_not_needed_any_more_is_what_moved(tmp_path: Path) -> None:
    """Somebody protected the position by hand meanwhile."""

    async def story(saved: Saved) -> None:
        context, invocation, _ = command_io(saved.desk, "recover-sl")
        await _recover(context, invocation, execute=True)
        assert await saved.moved() == (
            Moved(
                step=1, what="step", was="PlaceOrder BTC/USD sell stop", now="-", allowed="exactly"
            ),
        )

    with_saved_plan(tmp_path, story)


def test_a_step_that_would_come_on_top_is_what_moved(tmp_path: Path) -> None:
    """A second position needs a stop as well: the saved plan is not the whole of it."""

    async def story(saved: Saved) -> None:
        context, invocation, _ = command_io(saved.desk, "sync-positions")
        saved.desk.venue.totals["ETH"] = d("1")
        saved.desk.venue.totals["BTC"] -= d("0.0001")  # keeps it from placing a stop for BTC
        await _sync(context, invocation, (("adopt", "ETH/USD=1"),), execute=True)
        for order in saved.desk.venue.resting:
            await saved.desk.venue.cancel(order.venue_order_id)
        assert await saved.moved() == (
            Moved(
                step=0, what="step", was="-", now="PlaceOrder ETH/USD sell stop", allowed="exactly"
            ),
        )

    with_saved_plan(tmp_path, story)


def test_an_adoption_is_the_same_although_its_id_is_made_of_the_moment(tmp_path: Path) -> None:
    """Its position is named by its instrument when plans are compared."""

    async def story(desk: Desk) -> None:
        context, invocation, _ = command_io(desk, "sync-positions")
        arguments = (("adopt", "BTC/USD=0.5"), ("price", "60000"))
        kept = keeping(str(tmp_path / "a.plan"), "1h", force=False, execute=False)
        assert await _sync(context, invocation, arguments, execute=False, kept=kept) == 3
        await desk.clock.sleep(600)
        saved = Saved(desk=desk, file=tmp_path / "a.plan")
        assert saved.plan.arguments == arguments
        code, text = await saved.apply()
        assert code == 0, text
        (position,) = await desk.read(lambda tx: tx.positions(open_only=True))
        (stop,) = desk.venue.resting
        assert position.stop_venue_order_id == stop.venue_order_id

    at_the_desk(tmp_path, story, balances={"USD": d("1000"), "BTC": d("2")})


def test_an_expired_plan_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    """Three days were asked for."""

    async def story(saved: Saved) -> None:
        await saved.desk.clock.sleep(timedelta(days=3).total_seconds())
        saved.desk.venue.calls.clear()
        with pytest.raises(PlanStale, match="expired at 2026-01-08 12:00:0"):
            await saved.apply()
        assert saved.desk.venue.calls == []

    with_saved_plan(tmp_path, story)


def test_what_was_begun_of_an_expired_plan_can_still_be_settled(tmp_path: Path) -> None:
    """It is not gone on with; the hint names what settles it, and what plans the rest."""

    async def story(saved: Saved) -> None:
        await saved.desk.clock.sleep(timedelta(days=3).total_seconds())
        with pytest.raises(PlanStale, match="expired") as stale:
            await saved.apply(resume=True)
        assert "zoe reconcile --execute" in stale.value.hint
        assert "zoe recover-sl" in stale.value.hint

    with_saved_plan(tmp_path, story)


@pytest.mark.parametrize(
    ("made_in_s", "life_s", "said"),
    [
        (0, 7 * 86_400, ""),
        (60, 3_600, ""),
        (61, 3_600, "one of the two clocks is wrong"),
        (3_600, 3_600, "one of the two clocks is wrong"),
        (0, 7 * 86_400 + 1, "7 are the most"),
    ],
)
def test_a_plan_of_the_future_or_for_ever_is_not_applied(
    tmp_path: Path, made_in_s: int, life_s: int, said: str
) -> None:
    """A clock that is an hour ahead would keep it alive an hour longer; so would an edited file."""

    async def story(saved: Saved) -> None:
        made = saved.desk.clock.now() + timedelta(seconds=made_in_s)
        plan = replace(saved.plan, created_at=made, expires_at=made + timedelta(seconds=life_s))
        write_plan(saved.file, plan, may_overwrite=True)
        if not said:
            assert (await saved.apply(execute=False))[0] == 3
            return
        saved.desk.venue.calls.clear()
        with pytest.raises(PlanStale, match=said):
            await saved.apply()
        assert saved.desk.venue.calls == []

    with_saved_plan(tmp_path, story)


def test_another_account_s_plan_is_refused_by_name(tmp_path: Path) -> None:
    """The paper plan of a rehearsal never reaches the live account."""

    async def story(saved: Saved) -> None:
        with pytest.raises(PlanStale, match="for PAPER kraken 0badcafe, and this is LIVE") as other:
            _demand_account(saved.plan, LIVE)
        assert other.value.exit_code == 4

    with_saved_plan(tmp_path, story)


def test_a_live_plan_needs_consent_like_its_command(tmp_path: Path) -> None:
    """A file is no consent."""

    async def story(saved: Saved) -> None:
        saved.desk.venue.calls.clear()
        with pytest.raises(ConsentMissing):
            await saved.apply()
        assert saved.desk.venue.writes == []
        assert (await saved.apply(consent=True))[0] == 0

    with_saved_plan(tmp_path, story, account=LIVE)


# --- again, and resumed --------------------------------------------------------------------------


def test_a_plan_is_carried_out_once_and_resuming_it_tells_how_it_went(tmp_path: Path) -> None:
    """Again: 4. With --resume: what the journal knows, exit 0, nothing sent."""

    async def story(saved: Saved) -> None:
        assert (await saved.apply())[0] == 0
        saved.desk.venue.calls.clear()
        with pytest.raises(PlanRefused, match="carried out before"):
            await saved.apply()
        code, text = await saved.apply(resume=True)
        assert code == 0, text
        assert "in the journal since" in text
        assert saved.desk.venue.writes == []

    with_saved_plan(tmp_path, story)


async def journaled(saved: Saved, *, is_claimed: bool) -> Entry:
    """The process dies after the journal, or after it had taken the intent to send it."""
    author = Author(account=saved.desk.account, command="apply", operator="", host="")
    now = saved.desk.clock.now()
    entry = await saved.desk.read(
        lambda tx: journal(tx, saved.plan, 0, author=author, policy=saved.desk.policy, now=now)
    )
    if is_claimed:
        await saved.desk.read(lambda tx: claim(tx, entry, at=now))
    return entry


@pytest.mark.parametrize("is_claimed", [False, True], ids=["journaled", "about to be sent"])
def test_what_provably_never_reached_the_venue_is_sent_as_a_second_attempt(
    tmp_path: Path, *, is_claimed: bool
) -> None:
    """Under a client id of its own; the first attempt stays in the journal, and why it ended."""

    async def story(saved: Saved) -> None:
        await journaled(saved, is_claimed=is_claimed)
        code, text = await saved.apply(resume=True)
        assert code == 0, text
        (stop,) = saved.desk.venue.resting
        intents = (await saved.desk.read(lambda tx: tx.intents()))[-2:]
        first, second = sorted(intents, key=lambda each: each.attempt)
        assert (first.attempt, second.attempt) == (1, 2)
        assert first.state is (IntentState.REJECTED if is_claimed else IntentState.DENIED)
        assert second.state is IntentState.CONFIRMED
        assert second.client_order_id == stop.client_order_id != first.client_order_id

    with_saved_plan(tmp_path, story)


def test_a_lost_answer_is_resolved_before_anything_is_sent(tmp_path: Path) -> None:
    """The order rests: the resumed plan finds it, and places no second one."""

    async def story(saved: Saved) -> None:
        entry = await journaled(saved, is_claimed=True)
        step, client_id = saved.plan.steps[0], entry.intent.client_order_id
        assert isinstance(step, PlaceOrder)
        assert client_id is not None
        await saved.desk.venue.place(
            step.request, client_order_id=client_id, deadline=entry.intent.deadline
        )
        saved.desk.venue.calls.clear()
        code, text = await saved.apply(resume=True)
        assert code == 0, text
        assert "in the journal since" in text
        assert len(saved.desk.venue.resting) == 1
        assert saved.desk.venue.writes == []

    with_saved_plan(tmp_path, story)


def test_a_dry_run_of_a_plan_that_died_in_a_send_says_that_nobody_knows(tmp_path: Path) -> None:
    """Exit 6: looking alone settles nothing, and the sentence does not end in the middle."""

    async def story(saved: Saved) -> None:
        await journaled(saved, is_claimed=True)
        code, text = await saved.apply(resume=True, execute=False)
        assert code == 6, text
        assert "sent, and no word of how it ended (EARLIER)" in " ".join(text.split())

    with_saved_plan(tmp_path, story)


def test_a_step_that_the_venue_refused_stays_refused(tmp_path: Path) -> None:
    """A definite no is an answer: the resumed plan tells it, exit 5, and does not ask again."""

    async def story(saved: Saved) -> None:
        no = VenueRejected("No.", code="EOrder:Insufficient funds")
        saved.desk.venue.cue("place", no)
        assert (await saved.apply())[0] == 5
        saved.desk.venue.calls.clear()
        code, text = await saved.apply(resume=True)
        assert code == 5
        assert "EOrder:Insufficient funds" in text
        assert saved.desk.venue.writes == []

    with_saved_plan(tmp_path, story)


def test_a_resumed_dry_run_says_what_is_settled_and_sends_nothing(tmp_path: Path) -> None:
    """Exit 3 while a step is left."""

    async def story(saved: Saved) -> None:
        await journaled(saved, is_claimed=False)
        await saved.desk.gate().recover()
        saved.desk.venue.calls.clear()
        code, text = await saved.apply(resume=True, execute=False)
        assert code == 3, text
        assert "--resume --execute" in text
        assert saved.desk.venue.writes == []

    with_saved_plan(tmp_path, story)


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["NaN", "-1", "100", "inf", "much", ""])
def test_a_tolerance_is_a_percentage_from_0_to_below_100(text: str) -> None:
    """Anything else is a usage error."""
    with pytest.raises(ConfigError, match="--price-tolerance"):
        _percent(text)


@pytest.mark.parametrize(
    ("out", "valid_for", "force", "execute", "said"),
    [
        ("x.plan", "1h", False, True, "instead of carrying it out"),
        ("", "3d", False, False, "are about the file of --out"),
        ("", "1h", True, False, "are about the file of --out"),
        ("x.plan", "8d", False, False, "--valid-for 8d"),
        ("x.plan", "0h", False, False, "--valid-for 0h"),
        ("x.plan", "soon", False, False, "--valid-for soon"),
        ("nowhere/x.plan", "1h", False, False, "cannot be a file"),
        (".", "1h", False, False, "cannot be a file"),
        ("taken.plan", "1h", False, False, "is there already"),
    ],
)
def test_options_of_keeping_a_plan_that_contradict_are_refused_first(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    out: str,
    valid_for: str,
    force: bool,
    execute: bool,
    said: str,
) -> None:
    """Before anything is looked at."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.plan").write_text("mine")

    with pytest.raises(ConfigError, match=re.escape(said)):
        keeping(out, valid_for, force=force, execute=execute)
    assert (tmp_path / "taken.plan").read_text() == "mine"


def test_every_planning_command_has_its_planner_and_no_other_plans_are_applied() -> None:
    """A plan of the loop is nobody's to apply."""
    assert all(callable(planner_of(name)) for name in PLANNERS)
    with pytest.raises(ConfigError, match="plan of 'run'"):
        planner_of("run")


def test_what_moved_is_in_the_json_too(tmp_path: Path) -> None:
    """Under `error.moved`, one object a row."""

    async def story(saved: Saved) -> None:
        saved.desk.venue.set_price(BTC, "58000.0", "58000.2")
        context, invocation, out = command_io(saved.desk, "apply", json=True)
        with pytest.raises(PlanStale) as stale:
            await _apply(
                context, invocation, saved.plan, (saved.file, d("1")), resume=False, execute=False
            )
        invocation.printer().error(stale.value)
        answer = json.loads(out.getvalue().splitlines()[-1])
        assert answer["exit_code"] == 4
        assert answer["error"]["moved"][1]["what"] == "request.trigger_price"

    with_saved_plan(tmp_path, story)
