"""`zoe markets` as a process of its own: it watches, others see it, and it ends when it is told."""

from __future__ import annotations

import signal
from datetime import timedelta

from program import PATIENCE_S, Home, result_of, wait_until
from zoe_tools.core.markets import WATCH
from zoe_tools.domain.observation import Heartbeat


def _beat(home: Home) -> Heartbeat | None:
    beats = home.in_the_books(lambda tx: tx.heartbeats())
    return next((each for each in beats if each.component == WATCH), None)


def _kept(home: Home) -> int:
    return len(home.in_the_books(lambda tx: tx.market.watch.snapshots()))


def test_a_watch_keeps_what_others_see_and_ends_when_told(home: Home) -> None:
    """The table comes from the store while it runs, and from the venue afterwards."""
    home.serve()
    business = home.in_the_books(lambda tx: tx.business_fingerprint())
    with home.started("markets") as watch:
        wait_until(lambda: _beat(home) is not None and _kept(home) >= 3)
        seen = result_of(home.here("--json", "markets"))
        assert (seen["source"], seen["is_watched"]) == ("store", True)
        assert seen["counts"]["live"] >= 3
        second = home.zoe("markets", "--for", "2s")
        assert second.code == 0
        assert "Another watch writes" in second.out
        watch.send_signal(signal.SIGINT)
        assert watch.wait(timeout=PATIENCE_S) == 0
    beat = _beat(home)
    assert beat is not None
    assert beat.status == "down"
    after = result_of(home.here("--json", "markets"))
    assert after["source"] == "look"
    assert home.in_the_books(lambda tx: tx.business_fingerprint()) == business


def test_a_second_watch_goes_on_when_the_first_one_ends(home: Home) -> None:
    """It showed what the first one kept; from then on it keeps that itself."""
    home.serve()
    said = home.folder.parent / f"{home.folder.name}.started"
    with home.started("markets") as first:
        wait_until(lambda: _beat(home) is not None and _kept(home) >= 3)
        with home.started("markets") as second:
            wait_until(lambda: "kept by a watch" in said.read_text())
            first.send_signal(signal.SIGINT)
            assert first.wait(timeout=PATIENCE_S) == 0
            wait_until(lambda: (beat := _beat(home)) is not None and beat.status == "ok")
            assert result_of(home.here("--json", "markets"))["source"] == "store"
            second.send_signal(signal.SIGINT)
            assert second.wait(timeout=PATIENCE_S) == 0
    assert said.read_text().count("messages were heard") == 2


def test_a_watch_that_was_killed_is_told_from_one_that_works(home: Home) -> None:
    """SIGKILL leaves rows that say live; a second watch takes over once it is missed."""
    home.serve()
    with home.started("markets") as watch:
        wait_until(lambda: _beat(home) is not None and _kept(home) >= 3)
        watch.send_signal(signal.SIGKILL)
        watch.wait(timeout=PATIENCE_S)
    assert result_of(home.here("--json", "markets"))["source"] == "store"
    beat = _beat(home)
    assert beat is not None
    missed = beat.beat_at - timedelta(minutes=1)
    home.in_the_books(lambda tx: tx.beat(WATCH, beat.status, missed, {}))
    assert result_of(home.here("--json", "markets"))["source"] == "look"
    again = home.zoe("markets", "--for", "3s")
    assert "messages were heard" in again.out
