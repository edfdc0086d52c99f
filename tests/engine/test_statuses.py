"""The venue changes what one may do with an instrument: told once, and heeded from then on."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, ETH, NOON, make_catalogue
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.order import Side
from zoe_tools.domain.stream import InstrumentsUpdate
from zoe_tools.engine.statuses import StatusChange, StatusWatch
from zoe_tools.errors import VenueUnavailable

ONLINE, CANCEL_ONLY = InstrumentStatus.ONLINE, InstrumentStatus.CANCEL_ONLY
CLOSED = [each for each in InstrumentStatus if each not in (ONLINE, InstrumentStatus.LIMIT_ONLY)]
MINUTE = timedelta(minutes=1)


def update(*statuses: tuple[Symbol, InstrumentStatus]) -> InstrumentsUpdate:
    """What the venue says."""
    return InstrumentsUpdate(statuses=statuses)


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    """(severity, fields) of each event of this kind."""
    return [
        (record.levelname.lower(), getattr(record, "zoe_fields", {}))
        for record in caplog.records
        if getattr(record, "zoe_event", "") == "INSTRUMENT_STATUS"
    ]


def test_only_what_changed_of_what_is_followed_is_told() -> None:
    """The first snapshot repeats what the list said; strangers pass by."""
    watch = StatusWatch(make_catalogue(), trust_s=300)
    whole = update((BTC, ONLINE), (ETH, CANCEL_ONLY), (Symbol("NEW/USD"), ONLINE))

    changes = [watch.heed(whole, "stream", NOON) for _ in range(2)]

    assert changes == [
        (StatusChange(symbol=ETH, status=CANCEL_ONLY, before=ONLINE, source="stream"),),
        (),
    ]
    assert watch.catalogue.resolve("ETH/USD").status is CANCEL_ONLY
    assert watch.catalogue.find("NEW/USD") is None


def test_an_old_list_does_not_undo_what_was_just_streamed() -> None:
    """A list on its way while the stream speaks is older; five minutes later it is not."""
    watch = StatusWatch(make_catalogue(), trust_s=300)
    watch.heed(update((BTC, CANCEL_ONLY)), "stream", NOON)
    listed = update((BTC, ONLINE), (ETH, CANCEL_ONLY))

    soon = watch.heed(listed, "list", NOON + MINUTE)
    later = watch.heed(listed, "list", NOON + 5 * MINUTE)

    assert [(each.symbol, each.status) for each in soon] == [(ETH, CANCEL_ONLY)]
    assert [(each.symbol, each.status) for each in later] == [(BTC, ONLINE)]


@pytest.mark.parametrize("status", CLOSED)
def test_nothing_is_entered_where_the_venue_takes_no_entries(
    status: InstrumentStatus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at cancel_only, nor at anything unknown; told, traced, and over when it is online."""
    caplog.set_level(logging.INFO)

    async def story(rig: LoopRig) -> None:
        rig.feed.tell(update((BTC, status)))
        await rig.pass_time(1)
        await rig.enter()
        assert rig.writes == []
        rig.feed.tell(update((BTC, ONLINE)))
        await rig.pass_time(1)
        await rig.enter()
        assert rig.writes[:1] == ["place"]
        traces = [
            dict(each.details)
            for each in await rig.read(lambda tx: tx.decisions())
            if each.kind == "instrument_status"
        ]
        assert traces == [
            {"status": status.value, "before": "online", "source": "stream"},
            {"status": "online", "before": status.value, "source": "stream"},
        ]

    rig, _ = run_loop(tmp_path, story)

    assert [note for _, note in rig.narrator.notes][:3] == [
        f"BTC/USD is {status.value} at the venue, and was online.",
        f"BTC/USD: the venue has it at {status.value}",
        f"BTC/USD is online at the venue, and was {status.value}.",
    ]
    assert events(caplog) == [
        (
            "warning",
            {"symbol": BTC, "status": status.value, "before": "online", "source": "stream"},
        ),
        ("info", {"symbol": BTC, "status": "online", "before": status.value, "source": "stream"}),
    ]


def test_a_working_entry_is_cancelled_where_one_may_only_cancel(tmp_path: Path) -> None:
    """It would wait for a market that nobody knows yet; what is held keeps its stop."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.enter(ETH, rests=True)
        assert [each.symbol for each in rig.resting(Side.BUY)] == [ETH]
        rig.feed.tell(update((BTC, CANCEL_ONLY), (ETH, CANCEL_ONLY)))
        await rig.pass_time(3)
        assert rig.resting(Side.BUY) == []
        assert [each.symbol for each in rig.resting(Side.SELL)] == [BTC]

    run_loop(tmp_path, story)


def test_what_the_stream_missed_the_list_tells_within_five_minutes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Asked every five minutes; a list that cannot be read is asked for again."""
    caplog.set_level(logging.INFO)

    async def story(rig: LoopRig) -> None:
        rig.venue.statuses[BTC] = CANCEL_ONLY
        rig.venue.cue("instrument_statuses", VenueUnavailable("away"))
        await rig.pass_time(301)
        assert events(caplog) == []
        await rig.pass_time(300)
        await rig.enter()
        assert rig.writes == []

    run_loop(tmp_path, story)

    assert [fields["source"] for _, fields in events(caplog)] == ["list"]
    assert "The instruments cannot be read" in caplog.text
