"""`zoe markets` over what a watch keeps, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builders import BTC, ETH, d, make_row
from command_line import LIVE_KEYS, migrated, zoe
from fakes import Desk, at_the_desk, command_io
from zoe_tools.commands.markets import _answer, _Wanted
from zoe_tools.core.markets import WATCH, MarketOrder
from zoe_tools.domain.market_watch import (
    FocusClaim,
    FocusReason,
    MarketState,
    SparkPoint,
)
from zoe_tools.render.printer import NARROWEST, Printer
from zoe_tools.runtime.market_run import begins, kept_view

ALL = _Wanted(order=MarketOrder.FOCUS, state=None, top=None)


async def _keep(desk: Desk, *, is_watched: bool = True) -> None:
    """What a watch of two pairs has written by now."""
    now = desk.clock.now()
    points = [
        SparkPoint(
            symbol=BTC,
            bucket_at=now - timedelta(minutes=15 * number),
            mid=d(f"{60000 - number}"),
            quote_volume=d("1"),
        )
        for number in range(20)
    ]
    stale = make_row("ETH/USD", state=MarketState.STALE, reason="nothing heard for 60 s")
    favourite = FocusClaim(symbol=BTC, reason=FocusReason.FAVOURITE, since=now)

    def write(tx):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - of the store's own type
        watch = tx.market.watch
        watch.keep_focus([make_row()], {BTC}, now)
        watch.keep_scout([stale], {ETH}, now)
        watch.claim(favourite)
        watch.add_points(points)
        if is_watched:
            tx.beat(WATCH, "ok", now, {})

    await desk.read(write)


@pytest.mark.parametrize("width", [NARROWEST, 80, 120])
def test_a_person_sees_each_pair_on_one_line(width: int, tmp_path: Path) -> None:
    """At every width; focus on top, and why what is stale is so."""

    async def story(desk: Desk) -> None:
        await _keep(desk)
        context, _, out = command_io(desk, "markets")
        await desk.clock.sleep(5)
        printer = Printer(out=out, err=out, width=width)
        assert _answer(context, printer, await kept_view(context), ALL) == 0
        text = out.getvalue()

        assert "kept by a watch: 1 live, 1 stale" in text.replace("\n", " ")
        assert text.index("BTC/USD") < text.index("ETH/USD")
        assert "stale, nothing heard for 60 s: ETH/USD" in text
        assert max(map(len, text.splitlines())) <= max(width, 100)
        assert "595.0k" in text
        assert "+2.00" in text

    at_the_desk(tmp_path, story)


def test_the_json_holds_every_figure(tmp_path: Path) -> None:
    """Money as text, and where it comes from."""

    async def story(desk: Desk) -> None:
        await _keep(desk)
        context, invocation, out = command_io(desk, "markets", json=True)
        _answer(context, invocation.printer(), await kept_view(context), ALL)
        told = json.loads(out.getvalue())["result"]

        assert (told["source"], told["is_watched"]) == ("store", True)
        assert told["counts"] == {"live": 1, "stale": 1, "halted": 0, "delisted": 0}
        btc, eth = told["markets"]
        assert (btc["mid"], btc["change_pct"], btc["quote_volume"]) == ("60000.0", "2.00", "595000")
        assert (btc["reasons"], len(btc["curve"])) == (["favourite"], 20)
        assert (eth["tier"], eth["bid"]) == ("scout", None)

    at_the_desk(tmp_path, story)


def test_all_pairs_are_counted_whatever_is_shown_of_them(tmp_path: Path) -> None:
    """In the line above the table and in the JSON; a state that none is in is said to be so."""

    async def story(desk: Desk) -> None:
        await _keep(desk)
        shown = ""
        for wanted in (
            _Wanted(order=MarketOrder.FOCUS, state=None, top=1),
            _Wanted(order=MarketOrder.FOCUS, state=MarketState.HALTED, top=None),
        ):
            context, invocation, out = command_io(desk, "markets")
            _answer(context, invocation.printer(), await kept_view(context), wanted)
            shown = " ".join(out.getvalue().split())
            assert "kept by a watch: 1 live, 1 stale" in shown
            context, invocation, told = command_io(desk, "markets", json=True)
            _answer(context, invocation.printer(), await kept_view(context), wanted)
            assert sum(json.loads(told.getvalue())["result"]["counts"].values()) == 2
        assert "None of them is in that state." in shown

    at_the_desk(tmp_path, story)


def test_of_two_watches_that_begin_at_once_one_does(tmp_path: Path) -> None:
    """The other one waits until the first has ended, or was not heard of for a while."""

    async def story(desk: Desk) -> None:
        context, _, _ = command_io(desk, "markets")
        assert [await begins(context) for _ in range(3)] == [True, False, False]
        await desk.read(lambda tx: tx.beat(WATCH, "down", desk.clock.now(), {}))
        assert [await begins(context) for _ in range(2)] == [True, False]
        await desk.clock.sleep(16)
        assert [await begins(context) for _ in range(2)] == [True, False]

    at_the_desk(tmp_path, story)


def test_one_look_is_no_watch(tmp_path: Path) -> None:
    """Its prices are live, and nobody brings them up to date."""

    async def story(desk: Desk) -> None:
        await _keep(desk)
        context, invocation, out = command_io(desk, "markets", json=True)
        view = replace(await kept_view(context), source="look", is_watched=True)
        _answer(context, invocation.printer(), view, ALL)
        told = json.loads(out.getvalue())["result"]

        assert (told["source"], told["is_watched"]) == ("look", False)
        assert told["counts"]["live"] == 1

    at_the_desk(tmp_path, story)


def test_what_nobody_brings_up_to_date_is_not_live(tmp_path: Path) -> None:
    """A watch that was killed leaves rows that say live."""

    async def story(desk: Desk) -> None:
        await _keep(desk)
        await desk.clock.sleep(60)
        context, invocation, out = command_io(desk, "markets")
        _answer(context, invocation.printer(), await kept_view(context), ALL)

        assert "kept; nobody watches: 2 stale" in out.getvalue()

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("markets --once --sort luck", "--sort luck: nothing is sorted by that"),
        ("markets --once --state asleep", "--state asleep: there is no such state"),
        ("markets --once --top -1", "--top -1"),
        ("markets --for soon", "--for soon: this is no such time"),
        ("markets --once --for 5s", "--for is about watching"),
    ],
)
def test_what_makes_no_sense_is_refused(line: str, complaint: str, tmp_path: Path) -> None:
    """Before anything is opened."""
    ran = zoe(line, LIVE_KEYS, home=tmp_path)

    assert ran.code == 2
    assert complaint in ran.err


def test_without_watch_and_venue_there_is_nothing_to_show(tmp_path: Path) -> None:
    """The exit code of a venue that cannot be reached."""
    ran = zoe("markets --once", LIVE_KEYS, home=migrated(tmp_path))

    assert ran.code == 5
