"""`zoe reconcile` over a venue in memory: clean, with findings, mended, and with the venue down."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import d, make_discrepancy, make_position, make_request, make_venue_order, place
from command_line import LIVE_KEYS, migrated, zoe
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.reconcile import _reconcile
from zoe_tools.commands.recover_sl import _recover
from zoe_tools.core.escalation import REPORT_FIELDS
from zoe_tools.domain.discrepancy import NEVER_COMPARED
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import IntentState
from zoe_tools.errors import ConfigError, VenueUnavailable
from zoe_tools.gate.journal import Author, journal, mark


async def reconcile(desk: Desk, *, execute: bool = False) -> tuple[int, dict[str, Any]]:
    """Run the command with --json; its exit code and its result."""
    context, invocation, out = command_io(desk, "reconcile", json=True)
    code = await _reconcile(context, invocation, execute=execute)
    return code, json.loads(out.getvalue())["result"]


async def protected_position(desk: Desk) -> None:
    """A filled entry with its stop."""
    await desk.do(place(make_request(limit_price=d("60000.1"))))
    context, invocation, _ = command_io(desk, "recover-sl")
    await _recover(context, invocation, execute=True)


def kinds(result: dict[str, Any]) -> set[str]:
    """The classes found."""
    return {finding["kind"] for finding in result["findings"]}


def test_a_flat_account_is_clean_twice(tmp_path: Path) -> None:
    """The same answer twice."""

    async def story(desk: Desk) -> None:
        assert (await reconcile(desk))[0] == 0
        assert (await reconcile(desk))[0] == 0

    at_the_desk(tmp_path, story)


def test_a_fill_that_happened_while_nobody_looked_is_found_and_booked(tmp_path: Path) -> None:
    """Dry: exit 3 and nothing changed. Executed: booked. Again: clean of it."""

    async def story(desk: Desk) -> None:
        await protected_position(desk)
        stop = desk.venue.resting[0]
        desk.venue.trade(VenueOrderId(stop.venue_order_id), d("0.0004"), d("58700.0"))
        before = await desk.read(lambda tx: tx.business_fingerprint())
        code, result = await reconcile(desk)
        assert code == 3
        assert "MISSING_FILL" in kinds(result)
        assert await desk.read(lambda tx: tx.business_fingerprint()) == before

        await reconcile(desk, execute=True)
        assert "MISSING_FILL" not in kinds((await reconcile(desk))[1])
        assert await desk.read(lambda tx: tx.positions(open_only=True)) == ()

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("reached", "state", "evidence"),
    [
        ("journaled", "denied", "it was never sent"),
        ("sent", "rejected", "it never happened"),
        ("arrived", "confirmed", "is filled"),
    ],
)
def test_what_was_open_is_settled_with_its_evidence_printed(
    tmp_path: Path, reached: str, state: str, evidence: str
) -> None:
    """Each intent, what became of it, and how we know; in the answer to a program as well."""

    async def story(desk: Desk) -> None:
        plan = desk.plan(place(make_request(limit_price=d("60000.1"))))
        author = Author(account=desk.account, command="run", operator="o", host="h")
        now = desk.clock.now()
        entry = await desk.read(
            lambda tx: journal(tx, plan, 0, author=author, policy=desk.policy, now=now)
        )
        assert entry.intent.client_order_id is not None
        if reached != "journaled":
            await desk.read(lambda tx: mark(tx, entry, IntentState.SENT, at=now))
        if reached == "arrived":
            await desk.venue.place(
                make_request(limit_price=d("60000.1")),
                client_order_id=entry.intent.client_order_id,
                deadline=entry.intent.deadline,
            )
        context, invocation, out = command_io(desk, "reconcile")
        await _reconcile(context, invocation, execute=True)
        told = " ".join(out.getvalue().split())
        assert f"{state} place entry on BTC/USD: " in told
        assert evidence in told
        assert entry.intent.intent_id in told

    at_the_desk(tmp_path, story)


def test_a_program_is_told_what_was_settled(tmp_path: Path) -> None:
    """In `resolutions`; a second run has settled nothing."""

    async def story(desk: Desk) -> None:
        plan = desk.plan(place(make_request(limit_price=d("60000.1"))))
        author = Author(account=desk.account, command="run", operator="o", host="h")
        now = desk.clock.now()
        await desk.read(lambda tx: journal(tx, plan, 0, author=author, policy=desk.policy, now=now))
        (told,) = (await reconcile(desk, execute=True))[1]["resolutions"]
        assert told["state"] == "denied"
        assert told["evidence"].startswith("it was never sent")
        assert (await reconcile(desk, execute=True))[1]["resolutions"] == []

    at_the_desk(tmp_path, story)


def test_an_order_that_nobody_here_placed_is_reported_and_left_alone(tmp_path: Path) -> None:
    """Never destroy what you do not understand."""

    async def story(desk: Desk) -> None:
        foreign = make_venue_order(
            venue_order_id=VenueOrderId("OFOREI-AAAAA-AAAAA1"), client_order_id=None
        )
        desk.venue.insert(foreign)
        code, result = await reconcile(desk, execute=True)
        assert code == 3
        assert "UNKNOWN_ORDER" in kinds(result)
        assert desk.venue.writes == []
        known = await desk.read(lambda tx: tx.reconciliation.active())
        assert [each.kind.value for each in known] == ["UNKNOWN_ORDER"]

    at_the_desk(tmp_path, story)


def test_a_venue_that_is_down_is_no_clean_account(tmp_path: Path) -> None:
    """Exit 5, never 0."""

    async def story(desk: Desk) -> None:
        desk.venue.cue("closed_orders", VenueUnavailable("down"), times=9)
        with pytest.raises(VenueUnavailable, match="closed orders"):
            await reconcile(desk)

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--explain D-1", "needs --reason"),
        ("--reason x", "belongs to --explain, --waive or --adjust"),
        ("--waive D-1 --reason x", "belong together"),
        ("--explain D-1 --until 3d --reason x", "belong together"),
        ("--position P1 --explain D-1 --reason x", "are about an adjustment"),
        ("--adjust BTC --reason x", "not ASSET=QUANTITY"),
        ("--adjust BTC=many --reason x", "not a number"),
        ("--adjust USD=1E300 --reason x", "--adjust: 1E+300 is no amount"),
        ("--adjust BTC=-0.0000000000001 --reason x", "is no amount"),
        ("--adjust BTC=1 --price 1E40 --reason x", "--price: 1E+40 is no amount"),
        ("--adjust BTC=1 --price dear --reason x", "--price: 'dear' is not a number"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_opened(
    tmp_path: Path, line: str, told: str
) -> None:
    """Exit 2, and no store is made."""
    ran = zoe(f"reconcile {line}", home=tmp_path)

    assert ran.code == 2
    assert told in " ".join(ran.err.split())
    assert not (tmp_path / "zoe.db").exists()


STATEMENTS: list[tuple[dict[str, str], str]] = [
    ({"explain": "D-none"}, "no open discrepancy D-none"),
    ({"adjust": "BTC=0"}, "an adjustment of nothing"),
    ({"adjust": "BTC=1", "position": "P-none"}, "no open position P-none"),
    ({"adjust": "ETH=-1", "position": "P1"}, "holds no eth"),
    ({"adjust": "BTC=-1", "position": "P1"}, "cannot lose 1"),
    ({"adjust": "NOPE=1"}, "lists no such asset"),
    ({"adjust": "BTC=-999999"}, "cannot lose 999999"),
    ({"adjust": "BTC=0.1", "position": "P1", "price": "-5"}, "less than nothing"),
]


@pytest.mark.parametrize(("said", "told"), STATEMENTS, ids=[told for _, told in STATEMENTS])
def test_what_cannot_be_said_of_these_books_is_refused(
    tmp_path: Path, said: dict[str, str], told: str
) -> None:
    """Nothing is posted."""

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.record_position(make_position()))
        context, invocation, _ = command_io(desk, "reconcile", json=True)
        words = (*said.items(), ("reason", "r"))
        with pytest.raises(ConfigError) as caught:
            await _reconcile(context, invocation, words, execute=True)
        assert told in caught.value.message.lower() or told in caught.value.message
        assert await desk.read(lambda tx: tx.reconciliation.adjustments()) == ()

    at_the_desk(tmp_path, story)


async def take(desk: Desk, reason: str) -> None:
    """Post that 600 USD are gone."""
    context, invocation, _ = command_io(desk, "reconcile", json=True)
    words = (("adjust", "USD=-600"), ("reason", reason))
    assert await _reconcile(context, invocation, words, execute=True) == 0


def test_what_was_posted_before_counts_as_gone(tmp_path: Path) -> None:
    """Twice 600 of 1000 is more than there is; the same said again is nothing to do."""

    async def story(desk: Desk) -> None:
        for _ in range(2):
            await take(desk, "a")
        with pytest.raises(ConfigError, match="hold 400 USD; they cannot lose 600"):
            await take(desk, "b")
        (posted,) = await desk.read(lambda tx: tx.reconciliation.adjustments())
        assert posted.quantity == d("-600")

    at_the_desk(tmp_path, story, balances={"USD": d("1000")})


def test_a_statement_without_an_author_is_refused(tmp_path: Path) -> None:
    """Whoever says it has to be named."""

    async def story(desk: Desk) -> None:
        context, invocation, _ = command_io(desk, "reconcile", json=True)
        nobody = replace(invocation, environ={})
        words = (("adjust", "USD=1"), ("reason", "r"))
        with pytest.raises(ConfigError, match="Nobody can be named"):
            await _reconcile(context, nobody, words, execute=True)

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("until", ["3w", "yesterday", "0d"])
def test_a_time_that_is_none_is_refused(tmp_path: Path, until: str) -> None:
    """And so is one that is over, or beyond ninety days."""

    async def story(desk: Desk) -> None:
        context, invocation, _ = command_io(desk, "reconcile", json=True)
        words = (("waive", "D-1"), ("until", until), ("reason", "r"))
        with pytest.raises(ConfigError, match="no time"):
            await _reconcile(context, invocation, words, execute=True)

    at_the_desk(tmp_path, story)


def test_the_venues_silence_leaves_the_account_where_it_was(tmp_path: Path) -> None:
    """No row, no state: what was not compared did not agree."""

    async def story(desk: Desk) -> None:
        desk.venue.cue("ledger", VenueUnavailable("down"), times=9)
        with pytest.raises(VenueUnavailable):
            await reconcile(desk)
        assert await desk.read(lambda tx: tx.reconciliation.runs()) == ()
        assert await desk.read(lambda tx: tx.reconciliation.state()) == NEVER_COMPARED

    at_the_desk(tmp_path, story)


def test_the_report_is_an_event_with_exactly_the_runbooks_fields(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One each run; a change of level is told besides."""

    async def story(desk: Desk) -> None:
        desk.venue.insert(make_venue_order(client_order_id=None))
        with caplog.at_level("INFO", logger="zoe_tools"):
            await reconcile(desk)

    at_the_desk(tmp_path, story)
    told = {
        getattr(each, "zoe_event", ""): getattr(each, "zoe_fields", {}) for each in caplog.records
    }
    assert tuple(told["RECONCILIATION_REPORT"]) == REPORT_FIELDS
    assert told["RECONCILIATION_REPORT"]["issues_total"] == 1
    risen = told["RECONCILIATION_ESCALATED"]
    assert (risen["before"], risen["level"]) == ("ok", "warn")
    assert told["DISCREPANCY_CONFIRMED"]["kind"] == "UNKNOWN_ORDER"


def test_a_store_that_is_not_there_exits_7(tmp_path: Path) -> None:
    """With the way out."""
    ran = zoe("reconcile", LIVE_KEYS, home=tmp_path)

    assert ran.code == 7
    assert "zoe init" in ran.err


@pytest.mark.usefixtures("in_no_time")
def test_a_venue_that_is_not_there_exits_5(tmp_path: Path) -> None:
    """And is no clean account."""
    ran = zoe("reconcile", LIVE_KEYS, home=migrated(tmp_path))

    assert ran.code == 5


def test_what_a_waiver_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    """A time that is over, and one beyond ninety days."""

    async def story(desk: Desk) -> None:
        known = make_discrepancy()
        await desk.read(lambda tx: tx.reconciliation.record((known,)))
        context, invocation, _ = command_io(desk, "reconcile", json=True)
        for until in ("2026-01-05", "2027-01-05"):
            words = (("waive", known.discrepancy_id), ("until", until), ("reason", "r"))
            with pytest.raises(ConfigError, match="within the next 90 days"):
                await _reconcile(context, invocation, words, execute=True)

    at_the_desk(tmp_path, story)
