"""Alerts: which events somebody hears of, once, by a command that cannot hold anything up."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from builders import NOON
from zoe_tools.domain.alert import Alert, NotDelivered
from zoe_tools.observe import log
from zoe_tools.observe.alert_exec import AlertExec
from zoe_tools.observe.alert_log import LARGEST, AlertLog
from zoe_tools.observe.alerts import ALSO, WAITING, AlertDesk, set_up
from zoe_tools.observe.events import EVENTS
from zoe_tools.observe.redaction import REDACTOR

LOGGER = logging.getLogger("zoe_tools.somewhere")
QUARTER = timedelta(minutes=15)


class Told:
    """A notifier that keeps what it is told, after failing so many times."""

    def __init__(self, failures: int = 0) -> None:
        self.alerts: list[Alert] = []
        self.tries = 0
        self._failures = failures

    def notify(self, alert: Alert) -> None:
        """See `Notifier`."""
        self.tries += 1
        if self.tries <= self._failures:
            raise NotDelivered("the network is away")
        self.alerts.append(alert)


class Clocked(logging.Filter):
    """Dates the lines of the log."""

    at = 1_700_000_000.0

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        record.created = self.at
        return True


@pytest.fixture(autouse=True)
def _quiet_afterwards() -> Iterator[None]:
    yield
    log.tear_down()


def listen(home: Path, notifier: object) -> Clocked:
    """A process of that home begins."""
    log.set_up(home)
    desk = AlertDesk(
        AlertLog(home / "logs" / "alerts.log", QUARTER),
        notifier,  # type: ignore[arg-type]
        pauses_s=(0.001, 0.001),
    )
    clock = Clocked()
    desk.addFilter(clock)
    logging.getLogger(log.ROOT).addHandler(desk)
    return clock


@pytest.mark.parametrize(
    ("tell", "alerts"),
    [
        (lambda: log.event(LOGGER, "STORE_AWAY", "error", reason="x"), True),
        (lambda: log.event(LOGGER, "DISCREPANCY_CONFIRMED", "warning", subject="x"), True),
        (lambda: log.event(LOGGER, "KEY_ALONE", "warning", message="x"), False),
        (lambda: log.event(LOGGER, "CYCLE_SUMMARY", "info", cycle=1), False),
        (lambda: LOGGER.error("INVARIANT_VIOLATION BTC/USD: sold"), True),
        (lambda: LOGGER.error("something without a name"), False),
    ],
)
def test_events_of_severity_error_and_a_short_list_alert(
    tmp_path: Path, tell: Callable[[], None], *, alerts: bool
) -> None:
    """Whatever part wrote the line, with fields or as a sentence."""
    told = Told()
    listen(tmp_path, told)
    tell()
    log.tear_down()

    assert bool(told.alerts) is alerts


def test_the_short_list_is_of_events_and_documented() -> None:
    """Each of them is in the catalogue, and named in the page of events."""
    page = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    section = page.partition("## Alerts")[2]

    assert set(EVENTS) >= ALSO
    assert [name for name in ALSO if f"`{name}`" not in section] == []


def test_the_same_is_told_once_within_the_window_also_after_a_restart(tmp_path: Path) -> None:
    """The same event about another thing is another alert; after the window it is told again."""
    told = Told()
    for late_s, symbol in [(0, "BTC/USD"), (60, "BTC/USD"), (61, "ETH/USD"), (960, "BTC/USD")]:
        listen(tmp_path, told).at += late_s
        log.event(LOGGER, "STRATEGY_FAILED", "error", symbol=symbol, reason=f"{late_s}")
        log.tear_down()

    assert [each.entity for each in told.alerts] == ["BTC/USD", "ETH/USD", "BTC/USD"]
    kept = (tmp_path / "logs" / "alerts.log").read_text().splitlines()
    assert [json.loads(line)["entity"] for line in kept] == ["BTC/USD", "ETH/USD", "BTC/USD"]


def test_a_second_stop_of_trading_is_another_alert(tmp_path: Path) -> None:
    """The loop and the command both tell of the first one: it is the same."""
    told = Told()
    listen(tmp_path, told)
    for stopped_at in ("2026-01-05T03:00:00+00:00", "2026-01-05T03:00:00+00:00", NOON):
        log.event(
            LOGGER, "KILL_SWITCH_ACTIVATED", "critical", level="flatten", stopped_at=stopped_at
        )
    log.tear_down()

    assert [each.entity for each in told.alerts] == [
        "flatten since 2026-01-05T03:00:00+00:00",
        f"flatten since {NOON.isoformat()}",
    ]


def test_a_sentence_whose_figures_move_is_the_same_alert(tmp_path: Path) -> None:
    """A price changes with each turn; a position's id makes another thing of it."""
    told = Told()
    listen(tmp_path, told)
    for name, price in [("P-1a", "100.5"), ("P-1a", "99"), ("P-2a", "99")]:
        LOGGER.error("INVARIANT_VIOLATION position %s: no stop at %s.", name, price)
    log.tear_down()

    assert [each.entity for each in told.alerts] == [
        "INVARIANT_VIOLATION position P-1a: no stop at #.",
        "INVARIANT_VIOLATION position P-2a: no stop at #.",
    ]
    assert told.alerts[0].fields["message"].endswith("at 100.5.")  # type: ignore[attr-defined]


def test_an_alert_that_fails_is_tried_again_and_then_told_as_failed(tmp_path: Path) -> None:
    """Three times; that it failed is in the log, and no alert of its own."""
    told = Told(failures=2)
    listen(tmp_path, told)
    log.event(LOGGER, "STORE_AWAY", "error", reason="disk")
    wait_until(lambda: bool(told.alerts))
    log.event(LOGGER, "LOOP_ENDED", "error", reason="disk")
    told._failures = 99
    log.event(LOGGER, "CYCLE_SUMMARY_FAILED", "error", reason="disk")
    wait_until(lambda: "ALERT_FAILED" in log.log_file(tmp_path).read_text())

    assert told.tries >= 3
    assert all(each.event != "ALERT_FAILED" for each in told.alerts)


def test_an_alert_that_fails_while_a_process_ends_is_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not a bare line on the terminal of a command that took no second."""
    listen(tmp_path, Told(failures=99))
    log.event(LOGGER, "STORE_AWAY", "error", reason="disk")
    log.tear_down()

    assert "ALERT_FAILED" in log.log_file(tmp_path).read_text()
    assert capsys.readouterr().err == ""


def test_a_notifier_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    """What does not fit is dropped, and counted; whoever logs goes on."""
    gate = threading.Event()

    class Hanging(Told):
        @override
        def notify(self, alert: Alert) -> None:
            gate.wait(20)
            super().notify(alert)

    told = Hanging()
    listen(tmp_path, told)
    for number in range(WAITING + 50):
        log.event(LOGGER, "STRATEGY_FAILED", "error", symbol=f"{number}")
    assert told.alerts == []
    gate.set()
    log.tear_down()

    assert WAITING <= len(told.alerts) <= WAITING + 1


def test_a_file_of_alerts_that_cannot_be_written_silences_nothing(tmp_path: Path) -> None:
    """It is told, though it may be told twice."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "alerts.log").mkdir()
    told = Told()
    listen(tmp_path, told)
    log.event(LOGGER, "STORE_AWAY", "error", reason="x")
    log.tear_down()

    assert len(told.alerts) == 1


def test_the_file_of_alerts_stays_small_and_remembers(tmp_path: Path) -> None:
    """It is put aside at a megabyte; the end of it is kept."""
    path = tmp_path / "alerts.log"
    path.write_text("x" * 99 + "\n" + ("y" * 999 + "\n") * (LARGEST // 1000 + 2))
    memory = AlertLog(path, QUARTER)
    alert = Alert(at="2026-01-05T00:00:00+00:00", event="E", severity="error", entity="", fields={})
    assert (memory.note(alert), path.stat().st_size < LARGEST) == (True, True)
    assert path.with_suffix(".log.1").stat().st_size > LARGEST

    assert memory.note(alert) is False


# --- the command ---------------------------------------------------------------------------------

ALERT = Alert(
    at="2026-01-05T12:00:00+00:00",
    event="STORE_AWAY",
    severity="error",
    entity="disk",
    fields={"reason": "no room"},
)


def script(folder: Path, text: str) -> tuple[str, ...]:
    """A command of the operator's."""
    path = folder / "alert.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return (str(path),)


def wait_until(done: Callable[[], bool]) -> None:
    """Until another thread or process has come so far."""
    until = time.monotonic() + 20
    while not done():
        assert time.monotonic() < until
        threading.Event().wait(0.01)


def test_the_command_gets_the_event_and_nothing_else_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As JSON on its standard input; no secret of our environment, a PATH, and a folder."""
    monkeypatch.setenv("KRAKEN_API_SECRET", "very-secret")
    AlertExec(script(tmp_path, "cat > told.json; env > env.txt"), tmp_path).notify(ALERT)

    told: dict[str, Any] = json.loads((tmp_path / "told.json").read_text())
    assert told == ALERT.told()
    names = {line.split("=")[0] for line in (tmp_path / "env.txt").read_text().splitlines()}
    assert names - {"PWD", "_", "SHLVL", "OLDPWD"} == {
        "PATH",
        "LANG",
        "ZOE_EVENT",
        "ZOE_SEVERITY",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo away; exit 7", "it ended with 7: away"),
        ("exec < /dev/null; exit 1", "it ended with 1"),
        ("echo it is very-secret; exit 1", r"it ended with 1: it is \*\*\*"),
    ],
)
def test_a_command_that_fails_is_not_delivered(tmp_path: Path, text: str, said: str) -> None:
    """With what it said, masked."""
    REDACTOR.remember(["very-secret"])
    with pytest.raises(NotDelivered, match=said):
        AlertExec(script(tmp_path, text), tmp_path).notify(ALERT)


def test_a_command_that_cannot_be_started_is_not_delivered(tmp_path: Path) -> None:
    """Neither a file that is not there nor one that cannot be run."""
    (tmp_path / "text").write_text("no program")
    for name in ("nowhere", "text"):
        with pytest.raises(NotDelivered, match="cannot be started"):
            AlertExec((str(tmp_path / name),), tmp_path).notify(ALERT)


@pytest.mark.parametrize("started", ["sleep 600", "yes"])
def test_a_command_that_hangs_or_babbles_is_killed_with_all_that_it_started(
    tmp_path: Path, started: str
) -> None:
    """Its own group of processes, and no other."""
    command = script(tmp_path, f"{started} & echo $! > child; wait")
    with pytest.raises(NotDelivered, match=r"did not end within 0\.4 s"):
        AlertExec(command, tmp_path, timeout_s=0.4).notify(ALERT)

    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not is_alive(child))


def is_alive(pid: int) -> bool:
    """Whether the process still runs; one that only waits to be buried does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_home_without_a_command_still_notes_its_alerts(tmp_path: Path) -> None:
    """`logs/alerts.log` is there to be looked at."""
    log.set_up(tmp_path)
    set_up(tmp_path, QUARTER, None)
    log.event(LOGGER, "STORE_AWAY", "error", reason="disk")
    log.tear_down()

    assert '"STORE_AWAY"' in (tmp_path / "logs" / "alerts.log").read_text()
