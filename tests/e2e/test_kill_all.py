"""`zoe kill` over every account known here: all latched first, none keeps the others from it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from program import Home, result_of
from zoe_tools.domain.account import Account
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.home import read_endpoint
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.store.store import Store

CONSENT = {"I_UNDERSTAND_LIVE": "1"}
ADOPT = ("sync-positions", "--adopt", "BTC/USD=0.01", "--execute")
KILL = ("--json", "kill", "--reason", "drill")


class TwoAccounts:
    """One home with a live and a paper account; `venue` is the live one's exchange."""

    def __init__(self, folder: Path) -> None:
        self.venue = Home(folder=folder / "venue", pretends_live=True)
        self.home = Home(folder=folder / "home")
        for each in (self.venue, self.home):
            each.folder.mkdir(mode=0o700)
            each.fund({"USD": "10000", "BTC": "0.5"})
        self.venue.serve("--pretend-live")
        self.home.serve()
        endpoint = read_endpoint(self.venue.folder / "paper")
        assert endpoint is not None
        keys = {
            "KRAKEN_API_KEY": self.venue.keys.api_key,
            "KRAKEN_API_SECRET": self.venue.keys.api_secret,
            "KRAKEN_BASE_URL": endpoint.rest_url,
            "KRAKEN_WS_PUBLIC_URL": endpoint.ws_url,
            "KRAKEN_WS_PRIVATE_URL": endpoint.ws_private_url,
        }
        self.live = replace(self.home, environ={"EDGE_FACTORY_MODE": "live", **keys})
        self.home.init()
        assert self.home.here(*ADOPT).code == 0
        assert self.live.here(*ADOPT, environ=CONSENT).code == 0

    def stop(self) -> None:
        """Both exchanges end."""
        self.venue.stop_exchange()
        self.home.stop_exchange()

    def accounts(self) -> tuple[Account, ...]:
        """What the store remembers."""
        return Store.remembered(f"sqlite:///{self.home.folder / 'zoe.db'}")

    def levels(self) -> dict[str, KillLevel]:
        """What is latched, by mode."""
        return {each.mode: self.level(each) for each in self.accounts()}

    def level(self, account: Account) -> KillLevel:
        """What is latched of one account."""
        url = f"sqlite:///{self.home.folder / 'zoe.db'}"
        store = Store.open(url, account, clock_now=SystemClock().now())
        try:
            with store.transaction() as transaction:
                return transaction.trading_state().level
        finally:
            store.close()


@pytest.fixture
def both(tmp_path: Path) -> Iterator[TwoAccounts]:
    """A managed position with its stop on either account."""
    made = TwoAccounts(tmp_path)
    try:
        yield made
    finally:
        made.stop()


def open_orders(home: Home) -> int:
    """How many orders rest at the home's exchange."""

    async def read(venue: KrakenSpot) -> int:
        return len(await venue.open_orders())

    return home.at_the_venue(read)


def test_every_account_is_stopped_and_one_without_consent_is_not_sold(both: TwoAccounts) -> None:
    """Paper is flattened, live goes to reduce-only and says why; whatever the mode says."""
    dry = both.live.here(*KILL, "--level", "flatten")
    assert (dry.code, both.levels()["live"], both.levels()["paper"]) == (
        3,
        KillLevel.NONE,
        KillLevel.NONE,
    )
    assert len(result_of(dry)["accounts"]) == 2

    done = both.live.here(*KILL, "--level", "flatten", "--execute")
    codes = {
        each["account"].split("-")[1]: each["exit_code"] for each in result_of(done)["accounts"]
    }
    assert (done.code, codes) == (4, {"live": 4, "paper": 0})
    assert both.levels() == {"live": KillLevel.REDUCE_ONLY, "paper": KillLevel.FLATTEN}
    assert (open_orders(both.venue), open_orders(both.home)) == (1, 0)


@pytest.mark.slow  # a venue that is away is asked again and again, for the better part of a minute
def test_a_dead_venue_does_not_keep_the_others_from_being_stopped(both: TwoAccounts) -> None:
    """Both are latched; what cannot be proved is exit 6."""
    both.venue.stop_exchange()
    done = both.live.here(*KILL, "--execute")

    codes = {
        each["account"].split("-")[1]: each["exit_code"] for each in result_of(done)["accounts"]
    }
    assert (done.code, codes) == (6, {"live": 6, "paper": 0})
    assert set(both.levels().values()) == {KillLevel.CANCEL_OPEN}


def test_a_named_account_is_the_only_one(both: TwoAccounts) -> None:
    """As before, with the plan in the answer."""
    done = both.live.here(*KILL, "--account", "paper", "--execute")

    assert (done.code, "plan" in result_of(done)) == (0, True)
    assert both.levels() == {"live": KillLevel.NONE, "paper": KillLevel.CANCEL_OPEN}


def test_an_account_whose_key_is_gone_is_latched_and_named(both: TwoAccounts) -> None:
    """Its books hold a position: nobody can say what its venue holds."""
    done = both.home.here("kill", "--execute")

    assert done.code == 6
    assert "Its key is not here" in done.out
    assert set(both.levels().values()) == {KillLevel.CANCEL_OPEN}


def test_a_remembered_live_account_is_never_missed(both: TwoAccounts) -> None:
    """Its key is gone and there is no paper exchange: latched all the same, and exit 6."""
    both.stop()
    shutil.rmtree(both.home.folder / "paper")
    live = [each for each in both.accounts() if each.mode == "live"]
    dry = both.home.here("kill")
    done = both.home.here("kill", "--execute")

    assert (dry.code, done.code) == (3, 6)
    assert dry.out.splitlines()[-2:] == [
        "NOTHING HAS BEEN STOPPED",
        "To carry it out: zoe kill --level cancel-open --execute",
    ]
    assert both.level(live[0]) is KillLevel.CANCEL_OPEN
    assert not (both.home.folder / "paper").exists()


def test_the_state_of_every_account_is_shown_and_resume_names_the_others(
    both: TwoAccounts,
) -> None:
    """Both are stopped; one is re-armed."""
    assert both.live.here("kill", "--level", "pause-entries", "--execute").code == 0
    told = result_of(both.live.here("--json", "kill", "status"))["accounts"]
    resumed = both.live.here("--account", "paper", "resume", "--execute")

    assert [each["level"] for each in told] == ["pause-entries", "pause-entries"]
    assert resumed.code == 0, resumed.err
    assert "LIVE" in resumed.err
    assert "stays at pause-entries." in resumed.err


def test_without_a_store_every_account_s_entries_are_cancelled(both: TwoAccounts) -> None:
    """Nothing can be latched: exit 7, and both venues are clear of entries."""
    (both.home.folder / "zoe.db").write_bytes(b"no database")
    done = both.live.here("--json", "kill", "--execute")

    assert done.code == 7
    assert [each["exit_code"] for each in result_of(done)["accounts"]] == [7, 7]


def test_no_exchange_is_started_only_to_stop_it(tmp_path: Path) -> None:
    """What has nothing is latched, and that is all; a dry run says that it would be."""
    home = Home(folder=tmp_path)
    home.init()
    dry, done = home.here("kill"), home.here("kill", "--execute")

    assert (dry.code, done.code) == (3, 0)
    assert "NOTHING HAS BEEN STOPPED" in dry.out
    assert home.in_the_books(lambda tx: tx.trading_state()).level is KillLevel.CANCEL_OPEN
    assert not (tmp_path / "paper" / "port.json").exists()


def test_where_no_account_is_known_there_is_nothing_to_stop(tmp_path: Path) -> None:
    """Neither books nor keys."""
    home = Home(folder=tmp_path)
    assert home.here("db", "upgrade").code == 0
    ran = home.here("kill", "--execute")

    assert (ran.code, "Nothing to stop" in ran.out) == (0, True)
