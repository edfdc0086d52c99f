"""`zoe config set`: tightens in the store, dry by default, and never loosens."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import d, make_request, place
from command_line import LIVE_KEYS, migrated, zoe
from fakes import Desk, at_the_desk
from zoe_tools.engine.books import Books
from zoe_tools.store.settings import limit_key

CONSENT = {"I_UNDERSTAND_LIVE": "1"}


def limit(home: Path, name: str = "MAX_DAILY_NOTIONAL") -> str:
    """What is in force, as the command tells it."""
    ran = zoe(f"config set {name} --clear --json", LIVE_KEYS, home=home)
    before: str = ran.envelope["result"]["before"]
    return before


def test_a_dry_run_shows_what_would_be_and_writes_nothing(tmp_path: Path) -> None:
    """Exit 3 with the line; executed it is in force; again there is nothing to do."""
    home = migrated(tmp_path / "home")
    line = "config set MAX_DAILY_NOTIONAL 30"

    ran = zoe(line, LIVE_KEYS, home=home)
    assert ran.code == 3
    assert f"zoe {line} --execute" in ran.out
    assert limit(home) == "50"
    assert zoe(f"{line} --execute", LIVE_KEYS, home=home).code == 0
    assert limit(home) == "30"
    assert "so already" in zoe(f"{line} --execute", LIVE_KEYS, home=home).out


def test_the_line_to_run_names_the_account_that_was_looked_at(tmp_path: Path) -> None:
    """A line that was shown for one account may not act on another."""
    home = migrated(tmp_path / "home")
    keys = LIVE_KEYS | {"EDGE_FACTORY_MODE": "paper"}

    ran = zoe("config set MAX_DAILY_NOTIONAL 30 --account live", keys, home=home)

    assert ran.code == 3
    assert ran.out.startswith("LIVE kraken")
    assert "To carry it out: zoe --account live config set MAX_DAILY_NOTIONAL 30" in ran.out


REFUSED = [
    ("config set MAX_DAILY_NOTIONAL 60 --execute", 4, "would loosen it"),
    ("config set ALLOWED_SYMBOLS DOGE-USD --execute", 4, "would loosen it"),
    ("config set MAX_DAILY_NOTIONAL 20 --execute", 2, "THRESHOLD_MISMATCH"),
    ("config set MAX_DAILY_NOTIONAL ten --execute", 2, "is not a number"),
    ("config set KRAKEN_API_KEY x --execute", 2, "no limit that the store can tighten"),
    ("config set MAX_DAILY_NOTIONAL", 2, "Give a value"),
    ("config set MAX_DAILY_NOTIONAL 5 --clear", 2, "Give a value"),
]


@pytest.mark.parametrize(("line", "code", "told"), REFUSED)
def test_what_would_loosen_or_contradict_is_refused(
    tmp_path: Path, line: str, code: int, told: str
) -> None:
    """And the limit stays as it was."""
    home = migrated(tmp_path / "home")
    ran = zoe(line, LIVE_KEYS, home=home)

    assert (ran.code, told in ran.err) == (code, True)
    assert limit(home) == "50"


def test_to_take_a_tightening_back_on_a_live_account_needs_consent(tmp_path: Path) -> None:
    """Tightening asks nobody; what makes room asks, be it by a value or by --clear."""
    home = migrated(tmp_path / "home")
    assert zoe("config set MAX_DAILY_NOTIONAL 30 --execute", LIVE_KEYS, home=home).code == 0

    for line in (
        "config set MAX_DAILY_NOTIONAL 40 --execute",
        "config set MAX_DAILY_NOTIONAL --clear --execute",
    ):
        ran = zoe(line, LIVE_KEYS, home=home)
        assert (ran.code, "nobody has consented" in ran.err) == (4, True)
    assert limit(home) == "30"
    assert zoe(line, LIVE_KEYS | CONSENT, home=home).code == 0
    assert limit(home) == "50"


def test_a_tightened_limit_stops_an_entry_and_a_running_loop_hears_of_it(tmp_path: Path) -> None:
    """The gate's own snapshot has it, and the loop's books by the next poll."""

    async def story(desk: Desk) -> None:
        books = Books(desk.store, desk.policy)
        await books.refresh(desk.clock.now())
        key = limit_key(desk.account.account_id, "MAX_NOTIONAL_PER_TRADE")
        other = limit_key("kraken-live-12345678", "MAX_OPEN_POSITIONS")  # type: ignore[arg-type]
        now = desk.clock.now()
        await desk.read(lambda tx: tx.set_config(key, "10", now))
        await desk.read(lambda tx: tx.set_config(other, "0", now))

        assert await books.refresh_trading_state(now)
        assert books.policy.max_notional_per_trade == d("10")
        assert books.policy.max_open_positions == desk.policy.max_open_positions
        receipt = await desk.do(place(make_request()))
        assert [each.code for each in receipt.outcomes] == ["MAX_NOTIONAL_PER_TRADE"]
        assert desk.venue.writes == []

    at_the_desk(tmp_path, story)


def test_the_audit_log_tells_who_tightened_what(tmp_path: Path) -> None:
    """The row is in the chain."""
    home = migrated(tmp_path / "home")
    zoe("config set MAX_OPEN_ORDERS 5 --execute", LIVE_KEYS, home=home)

    assert zoe("audit verify", LIVE_KEYS, home=home).code in {0, 3}
    assert "MAX_OPEN_ORDERS" in zoe("config check", LIVE_KEYS, home=home).out
