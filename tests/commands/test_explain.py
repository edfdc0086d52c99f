"""`zoe explain`: by any id, by its beginning, by a code; and never a guess."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit_rig import filled, trade
from builders import ETH, make_order, make_position
from command_line import LIVE_KEYS, migrated, zoe
from zoe_tools.config import load_settings
from zoe_tools.domain.identifiers import ClientOrderId, PositionId
from zoe_tools.kraken.errors import TABLE
from zoe_tools.store.store import Store

pytestmark = pytest.mark.usefixtures("in_no_time")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A live account with an intent, its order, an execution and two positions."""
    home = migrated(tmp_path_factory.mktemp("home"))
    settings = load_settings(LIVE_KEYS, home=home)
    assert settings.live_account is not None
    now = datetime(2026, 1, 5, tzinfo=UTC)
    with (
        closing(Store.open(settings.database_url, settings.live_account, clock_now=now)) as store,
        store.transaction() as books,
    ):
        trade(books, 1)
        books.record_order(make_order(venue_order_id="OAAAAA-BBBBB-CCCCCC"))
        filled(books, 1)
        books.record_position(make_position(position_id=PositionId("P-one")))
        books.record_position(make_position(position_id=PositionId("P-other"), symbol=ETH))
    return home


ORDER = ClientOrderId(make_order().client_order_id)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (ORDER, "order"),
        (ORDER[:8], "order"),
        ("OAAAAA-BBBBB-CCCCCC", "order"),
        ("oaaaaa-bbb", "order"),
        ("P-one", "position"),
        ("#1", "row"),
    ],
)
def test_an_id_or_its_beginning_is_enough(home: Path, text: str, kind: str) -> None:
    """Ours or the venue's, in any case."""
    shown = zoe(f"explain {text} --json", LIVE_KEYS, home=home)

    assert shown.code == 0
    assert shown.envelope["result"]["kind"] == kind


def test_an_orders_story_says_how_each_thing_is_known(home: Path) -> None:
    """In words, with the row that says so and what to run next."""
    shown = zoe(f"explain {ORDER}", LIVE_KEYS, home=home)

    assert "row 1]" in shown.out
    assert "safe to retry" in shown.out
    assert "Next: zoe" in shown.out


def test_a_beginning_of_two_ids_is_no_id(home: Path) -> None:
    """Exit 2 and both of them: the wrong story would be worse than none."""
    shown = zoe("explain P-o", LIVE_KEYS, home=home)

    assert shown.code == 2
    assert "P-one" in shown.err
    assert "P-other" in shown.err


def test_what_is_neither_is_refused_with_what_it_may_have_meant(home: Path) -> None:
    """Exit 2."""
    shown = zoe("explain STALE_QUOT", LIVE_KEYS, home=home)

    assert shown.code == 2
    assert "STALE_QUOTE" in shown.err


@pytest.mark.parametrize("text", ["#", "#-1", "#999999", f"#{10**18}", f"#{10**30}", "#x"])
def test_a_row_that_no_log_can_have_is_no_id(home: Path, text: str) -> None:
    """Exit 2, however large the number."""
    shown = zoe(f"explain {text}", LIVE_KEYS, home=home)

    assert (shown.code, "no id in the books" in shown.err) == (2, True)


@pytest.mark.parametrize("text", ["6", "stale_quote", "OutcomeUnknown", "TRUNCATED"])
def test_a_code_needs_no_store(tmp_path: Path, text: str) -> None:
    """It must explain exit 7 while the database is down."""
    shown = zoe(f"explain {text}", LIVE_KEYS, home=tmp_path)

    assert shown.code == 0
    assert "safe to retry" in shown.out


def test_every_error_of_krakens_is_explained(tmp_path: Path) -> None:
    """The table of the client is the table of the explanations."""
    shown = [zoe(f"explain {row.prefix} --json", LIVE_KEYS, home=tmp_path) for row in TABLE]

    assert [each.code for each in shown] == [0] * len(TABLE)


@pytest.mark.parametrize(
    ("text", "retry"),
    [
        ("EOrder:Insufficient funds", "no"),
        ("EService:Busy", "after looking"),
        ("EAPI:Rate limit exceeded", "yes"),
    ],
)
def test_an_error_of_krakens_says_whether_a_retry_is_safe(
    tmp_path: Path, text: str, retry: str
) -> None:
    """What may have happened is looked up first."""
    shown = zoe(f"explain {text} --json", LIVE_KEYS, home=tmp_path)

    assert shown.envelope["result"]["retry"] == retry


@pytest.mark.parametrize("payload", ["x", "[1]", '{"step_index": "q", "intent_id": "I1"}', "null"])
def test_a_row_that_was_changed_is_told_as_such(tmp_path: Path, payload: str) -> None:
    """Whatever it says now; and never a traceback."""
    home = migrated(tmp_path)
    zoe("kill --level pause-entries --execute", LIVE_KEYS, home=home)
    whole = zoe("explain #1", LIVE_KEYS, home=home)
    with closing(sqlite3.connect(home / "zoe.db")) as database:
        database.execute("DROP TRIGGER audit_log_no_update")
        database.execute(
            "UPDATE audit_log SET payload = ?, kind = 'intent' WHERE seq = 1", [payload]
        )
        database.commit()
    changed = zoe("explain #1", LIVE_KEYS, home=home)

    assert (whole.code, "THE ROW WAS CHANGED" in whole.out) == (0, False)
    told = " ".join(changed.out.split())
    assert (changed.code, "THE ROW WAS CHANGED" in told) == (0, True)
