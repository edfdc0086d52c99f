"""A live account trades only with consent from the environment; a shadow never does.

The live venue is zoe's own exchange, which is told to prove nothing: so it counts as live.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from program import PATIENCE_S, Home, result_of, wait_until
from zoe_tools.domain.order import OrderStatus, OrderType, VenueOrder
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.home import read_endpoint
from zoe_tools.runtime.clocks import SystemClock

CONSENT = {"I_UNDERSTAND_LIVE": "1"}
EXPORT = "export I_UNDERSTAND_LIVE=1"
RUN = ("--json", "run", "--strategy", "demo")
BOUGHT = {"USD": "10000", "BTC": "0.5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A home whose account is live, and the home of the exchange behind it."""

    home: Home
    venue: Home

    def orders(self) -> tuple[VenueOrder, ...]:
        """All orders the exchange has ever seen."""

        async def read(venue: KrakenSpot) -> tuple[VenueOrder, ...]:
            return await venue.open_orders() + await venue.closed_orders()

        return self.venue.at_the_venue(read)

    def cancel(self, order: VenueOrder) -> None:
        """Somebody cancels it at the venue, behind zoe's back."""

        async def cancel(venue: KrakenSpot) -> int:
            return await venue.cancel(order.venue_order_id)

        assert self.venue.at_the_venue(cancel) == 1


@contextlib.contextmanager
def live_venue(folder: Path, *, speed: str) -> Iterator[Live]:
    """Ready to trade, were there consent."""
    venue = Home(folder=folder / "venue", pretends_live=True)
    home = Home(folder=folder / "live")
    for each in (venue, home):
        each.folder.mkdir(mode=0o700)
    venue.fund(BOUGHT)
    try:
        venue.serve("--pretend-live", "--speed", speed)
        endpoint = read_endpoint(venue.folder / "paper")
        assert endpoint is not None
        home = replace(
            home,
            environ={
                "EDGE_FACTORY_MODE": "live",
                "KRAKEN_TIER": "pro",
                "KRAKEN_API_KEY": venue.keys.api_key,
                "KRAKEN_API_SECRET": venue.keys.api_secret,
                "KRAKEN_BASE_URL": endpoint.rest_url,
                "KRAKEN_WS_PUBLIC_URL": endpoint.ws_url,
                "KRAKEN_WS_PRIVATE_URL": endpoint.ws_private_url,
                # A live account's clock keeps the world's pace, and falls behind a faster venue's.
                "QUOTE_STALE_SECONDS": str(10 * int(speed)),
            },
        )
        home.init()
        yield Live(home=home, venue=venue)
    finally:
        venue.stop_exchange()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """At the pace of the world."""
    with live_venue(tmp_path, speed="1") as made:
        yield made


@pytest.fixture
def hurried(tmp_path: Path) -> Iterator[Live]:
    """A market sixty times as fast, so that candles close while a test waits for them."""
    with live_venue(tmp_path, speed="60") as made:
        yield made


def stops_of(home: Home) -> set[str]:
    """The stops that rest at the venue, as far as the books know, by our ids."""
    orders = home.in_the_books(lambda tx: tx.orders(open_only=True))
    return {each.client_order_id for each in orders if each.status is OrderStatus.OPEN}


@pytest.mark.parametrize("consent", ["", "0", "true", "yes", " 1"])
def test_without_consent_nothing_runs(consent: str, live: Live) -> None:
    """Exit 4; the message names the account, the venue and the line to export."""
    ran = live.home.here(*RUN, environ={"I_UNDERSTAND_LIVE": consent})

    assert ran.code == 4
    assert EXPORT in ran.err
    assert live.home.account.fingerprint in ran.err
    assert live.home.environ["KRAKEN_BASE_URL"] in ran.err
    assert live.home.environ["KRAKEN_API_SECRET"] not in ran.err + ran.out
    assert live.orders() == ()


def test_consent_in_a_file_is_none(live: Live) -> None:
    """It counts only in the environment of the process."""
    with (live.home.folder / ".env").open("a") as file:
        file.write("\nI_UNDERSTAND_LIVE=1\n")
    ran = live.home.here(*RUN)

    assert ran.code in (2, 4)
    assert "I_UNDERSTAND_LIVE" in ran.err
    assert live.orders() == ()


def test_a_shadow_decides_and_sends_nothing(hurried: Live) -> None:
    """Would-be orders are recorded; the exchange has seen none, and no intent was journaled."""
    ran = hurried.home.zoe(*RUN, "--shadow", "--for", "6s")
    told = result_of(ran)["result"]
    decisions = hurried.home.in_the_books(lambda tx: tx.decisions())

    assert ran.code == 0
    assert told["would_be_orders"] > 0
    recorded = [each for each in decisions if each.kind == "would_place"]
    assert len(recorded) == told["would_be_orders"]
    assert hurried.orders() == ()
    assert hurried.home.in_the_books(lambda tx: (tx.intents(), tx.orders())) == ((), ())


def test_with_consent_a_plan_is_carried_out_and_without_it_is_not(live: Live) -> None:
    """An adopted position gets its stop at the venue only once somebody consented."""
    words = ("--json", "sync-positions", "--adopt", "BTC/USD=0.01", "--execute")
    refused = live.home.here(*words)
    assert (refused.code, EXPORT in refused.err, live.orders()) == (4, True, ())
    assert live.home.in_the_books(lambda tx: tx.positions()) == ()

    done = live.home.here(*words, environ=CONSENT)
    assert done.code == 0
    (stop,) = live.orders()
    assert (stop.order_type, f"{stop.quantity:f}") == (OrderType.STOP_LOSS, "0.01000000")


def test_an_account_that_is_not_ready_is_not_traded(live: Live) -> None:
    """Exit 4 with the reason, the exchange has seen nothing."""
    assert live.home.here("kill", "--level", "pause-entries", "--execute").code == 0
    ran = live.home.here("run", environ=CONSENT)

    assert ran.code == 4
    assert "pre-flight: trading, kill state: pause-entries" in " ".join(ran.err.split())
    assert live.orders() == ()


def said_by(home: Home) -> str:
    """What the loop that was started has printed so far."""
    return (home.folder.parent / f"{home.folder.name}.started").read_text()


def test_a_position_is_protected_though_the_account_is_not_ready(live: Live) -> None:
    """Its missing stop is put back; no entry is made; the report says why."""
    words = ("sync-positions", "--adopt", "BTC/USD=0.01", "--execute")
    assert live.home.here(*words, environ=CONSENT).code == 0
    (stop,) = live.orders()
    live.cancel(stop)
    assert live.home.here("kill", "--level", "pause-entries", "--execute").code == 0
    known = stops_of(live.home)
    with live.home.started("run", "--strategy", "hold", environ=CONSENT) as loop:
        wait_until(lambda: loop.poll() is not None or bool(stops_of(live.home) - known))
        # The account is proved beside the turns: its reasons may be told after the stop.
        wait_until(lambda: loop.poll() is not None or "pre-flight: " in said_by(live.home))
        loop.terminate()
        code = loop.wait(timeout=PATIENCE_S)
    told = said_by(live.home)

    assert code == 0, told
    assert "protect  pre-flight: trading, kill state" in told
    _, replaced = sorted(live.orders(), key=lambda each: each.opened_at)
    assert (replaced.order_type, replaced.status) == (OrderType.STOP_LOSS, OrderStatus.OPEN)


@pytest.mark.parametrize(
    ("key", "secret", "word"),
    [
        ("", "", "KRAKEN_API_KEY"),
        ("a-key", "", "KRAKEN_API_SECRET"),
        ("", "c2VjcmV0", "KRAKEN_API_KEY"),
        ("a-key", "not base64!", "KRAKEN_API_SECRET"),
    ],
)
def test_missing_or_malformed_keys_are_a_configuration_error(
    key: str, secret: str, word: str, tmp_path: Path
) -> None:
    """Exit 2, never paper, and the secret is not repeated."""
    home = Home(
        folder=tmp_path,
        environ={
            "EDGE_FACTORY_MODE": "live",
            "KRAKEN_API_KEY": key,
            "KRAKEN_API_SECRET": secret,
            **CONSENT,
        },
    )
    ran = home.here("run")

    assert ran.code == 2
    assert word in ran.err
    assert not secret or secret not in ran.err
    assert not (tmp_path / "paper").exists()


@pytest.mark.slow
def test_with_consent_the_loop_trades(live: Live) -> None:
    """Real minutes: candles of one minute close at the pace of the world."""
    ran = live.home.zoe(*RUN, "--for", "4m", environ=CONSENT)
    told = result_of(ran)["result"]

    assert ran.code == 0
    assert told["fills"] > 0
    assert len(live.orders()) == told["orders"]


@pytest.mark.parametrize("wrong_s", [3600, -3600])
def test_a_machine_whose_clock_is_wrong_knows_its_own_orders(
    wrong_s: int, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Intents bear the venue's time: one's own order is not taken for an older, foreign one."""
    honest = SystemClock.now
    wrong = timedelta(seconds=wrong_s)
    monkeypatch.setattr(SystemClock, "now", lambda clock: honest(clock) + wrong)
    adopted = live.home.here(
        "sync-positions", "--adopt", "BTC/USD=0.001", "--execute", environ=CONSENT
    )
    checked = live.home.here("--json", "pre-flight", environ=CONSENT)
    monkeypatch.undo()
    (stop,) = live.orders()

    assert adopted.code == 0, adopted.out
    assert f"order {stop.venue_order_id} is open" in " ".join(adopted.out.split())
    (clock,) = [each for each in result_of(checked)["checks"] if each["name"] == "clock"]
    assert clock["verdict"] == "fail"
