"""One JSON object a line, secrets masked, and a log that never stops a command."""

from __future__ import annotations

import errno
import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from zoe_tools.observe import log
from zoe_tools.observe.events import EVENTS, event_in
from zoe_tools.observe.redaction import REDACTOR, Redactor

ROOT = Path(__file__).parents[2]
LOGGER = logging.getLogger("zoe_tools.somewhere")


@pytest.fixture(autouse=True)
def _quiet_afterwards() -> Iterator[None]:
    yield
    log.tear_down()


def lines(home: Path) -> list[dict[str, Any]]:
    """The log as objects."""
    return [json.loads(line) for line in log.log_file(home).read_text().splitlines()]


def test_an_event_is_one_line_with_its_fields(tmp_path: Path) -> None:
    """Money as text; the line's own keys cannot be overwritten by a field."""
    log.set_up(tmp_path)
    log.event(
        LOGGER,
        "CYCLE_SUMMARY",
        "warning",
        equity=Decimal("1E+2"),
        at=datetime(2026, 1, 5, tzinfo=UTC),
        cycle_id=7,
    )

    [line] = lines(tmp_path)
    assert line.pop("at") != "2026-01-05T00:00:00+00:00"
    assert line == {
        "severity": "warning",
        "logger": "zoe_tools.somewhere",
        "event": "CYCLE_SUMMARY",
        "equity": "100",
        "cycle_id": 7,
    }


def test_a_plain_line_that_names_an_event_is_that_event(tmp_path: Path) -> None:
    """Parts that know of no fields still reach the dashboards."""
    log.set_up(tmp_path)
    LOGGER.error("INVARIANT_VIOLATION %s", "cumulative quantity fell")

    [line] = lines(tmp_path)
    assert line["event"] == "INVARIANT_VIOLATION"
    assert line["message"] == "INVARIANT_VIOLATION cumulative quantity fell"


def test_defect_24_secrets_are_masked_by_value_and_by_exact_name(tmp_path: Path) -> None:
    """Wherever they appear, tracebacks included; operational fields stay readable."""
    REDACTOR.remember(["sup3r-s3cret/value"])
    log.set_up(tmp_path)
    log.event(
        LOGGER,
        "CYCLE_SUMMARY",
        "error",
        url="https://x/?k=sup3r-s3cret%2Fvalue",
        API_Key="another",
        password="short",
        nested={"token": "t", "note": "sup3r-s3cret/value"},
        duplicate_active_symbol_keys=["BTC/USD"],
    )
    try:
        int("sup3r-s3cret/value")
    except ValueError:
        LOGGER.exception("failed")

    text = log.log_file(tmp_path).read_text()
    first = lines(tmp_path)[0]
    assert "sup3r" not in text
    assert first["password"] == "********"
    assert first["nested"] == {"token": "********", "note": "********"}
    assert first["API_Key"] == "********"
    assert first["duplicate_active_symbol_keys"] == ["BTC/USD"]


@pytest.mark.parametrize(
    "name",
    [
        "duplicate_active_symbol_keys",
        "symbol_key",
        "keys",
        "idempotency_key",
        "tokens",
        "fencing_token",
        "secret_age_days",
        "author",
        "authorised_by",
        "passed",
        "public_key_id",
    ],
)
def test_defect_24_a_field_that_operates_is_readable_whatever_its_name_resembles(
    name: str,
) -> None:
    """Names are compared whole: a part of one that is secret makes no other one so."""
    assert Redactor().field(name, "BTC/USD") == "BTC/USD"


def test_short_secrets_do_not_garble_ordinary_text() -> None:
    """A five-letter value occurs in words."""
    redactor = Redactor()
    redactor.remember(["order", "order-of-secrets"])

    assert redactor.text("order by order-of-secrets") == "order by ********"


def test_nothing_said_leaves_nothing_behind(tmp_path: Path) -> None:
    """A command that only looks creates no folder."""
    log.set_up(tmp_path / "home")
    LOGGER.debug("too quiet")

    assert not (tmp_path / "home").exists()


def test_the_folders_of_the_log_are_private(tmp_path: Path) -> None:
    """Made by the log if need be."""
    home = tmp_path / "home"
    log.set_up(home)
    LOGGER.info("hello")

    assert [folder.stat().st_mode & 0o777 for folder in (home, home / "logs")] == [0o700, 0o700]


def test_a_log_that_cannot_be_written_warns_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command goes on."""
    (tmp_path / "logs").write_text("not a folder")
    log.set_up(tmp_path)
    LOGGER.info("one")
    LOGGER.info("two")

    assert capsys.readouterr().err.count("warning: no log") == 1


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [(0, ""), (1, "info: seen a=1\n"), (2, "debug: all\ninfo: seen a=1\n")],
)
def test_verbosity_shows_the_log(tmp_path: Path, verbosity: int, expected: str) -> None:
    """-v and -vv, in words for a person."""
    err = io.StringIO()
    log.set_up(tmp_path, verbosity=verbosity, stderr=err)
    LOGGER.debug("all")
    LOGGER.info("seen", extra={"zoe_fields": {"a": 1}})

    assert err.getvalue() == expected


def test_the_page_lists_exactly_the_events_that_are_written() -> None:
    """docs/events.md is what dashboards are built from."""
    page = (ROOT / "docs" / "events.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `([^`]+)`", page, re.MULTILINE))
    source = "\n".join(
        path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py") if path.name != "events.py"
    )
    written = {name for name in EVENTS if f'"{name}' in source}

    assert written == listed


def test_an_event_is_recognised_only_at_the_beginning() -> None:
    """A sentence that mentions one is not one."""
    assert event_in("API circuit breaker OPENED for 5 s") == "API circuit breaker OPENED"
    assert event_in("after a CYCLE_SUMMARY") is None


def test_a_full_disk_does_not_stop_the_log_from_being_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is still in the buffer cannot be written; the command's own end stands."""
    log.set_up(tmp_path)
    LOGGER.warning("first")
    (handler,) = logging.getLogger(log.ROOT).handlers

    closes = handler._file.close  # type: ignore[attr-defined]

    def full() -> None:
        closes()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(handler._file, "close", full)  # type: ignore[attr-defined]
    log.tear_down()

    assert not log.is_set_up()
