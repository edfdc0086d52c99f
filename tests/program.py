"""The real program in a home of its own: its processes, its exchange, its database.

Whatever a test starts here is ended here, by its own process id.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from command_line import Ran
from nursery import Running, nursery
from templates import put_migrated
from zoe_tools.cli import main
from zoe_tools.domain.account import Account, fingerprint_of
from zoe_tools.domain.plan import canonical_json
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.home import Keys, PaperHome, read_endpoint
from zoe_tools.paper.markets.synthetic import SyntheticMarket
from zoe_tools.paper.values.times import ns_of
from zoe_tools.ports import Clock
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.paper_process import ensure_paper
from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
"""Recorded markets beside the checkout; tests that want them skip when they are not there."""

PATIENCE_S = 60.0
LONGEST_S = 15 * PATIENCE_S
_POLL_S = 0.02
_ROOM = {"MAX_DAILY_NOTIONAL": "100000"}
"""The default day would be over after two round trips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One `ZOE_HOME`, and how to run the program in it."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    pretends_live: bool = False
    served: list[int] = field(default_factory=list)

    def surroundings(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment of the program; nothing of the tests' own gets in."""
        given = {**_ROOM, **self.environ, **(environ or {})}
        return {"PATH": os.defpath, "ZOE_HOME": str(self.folder), **given}

    def zoe(self, *words: str, environ: Mapping[str, str] | None = None) -> Ran:
        """Run a command in a process of its own, to its end; with a hash seed, from scratch."""
        surroundings = self.surroundings(environ)
        if "PYTHONHASHSEED" in surroundings:
            return _from_the_beginning(words, surroundings)
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = nursery().start(words, surroundings, out=out, err=err)
            try:
                code = process.wait(timeout=LONGEST_S)
            finally:
                process.kill_all()
            out.seek(0)
            err.seek(0)
            return Ran(code=code, out=out.read(), err=err.read())

    def here(self, *words: str, environ: Mapping[str, str] | None = None) -> Ran:
        """Run a command in this process: quicker, and every warning is an error.

        An exchange that it needs must be running already: this process would be its parent.
        """
        out, err = io.StringIO(), io.StringIO()
        code = main(words, self.surroundings(environ), out=out, err=err)
        return Ran(code=code, out=out.getvalue(), err=err.getvalue())

    def init(self) -> None:
        """`zoe init`; a database of the home's own is migrated already."""
        if "DATABASE_URL" not in self.environ:
            put_migrated(self.folder / "zoe.db")
        assert self.here("init").code == 0

    def serve(self, *options: str) -> None:
        """Have the exchange run; until `stop_exchange`."""
        words = ("paper", "serve", "--no-limits", *options)
        self.served.append(nursery().start(words, self.surroundings()).pid)
        wait_until(lambda: read_endpoint(self.folder / "paper") is not None)

    @contextlib.contextmanager
    def started(self, *words: str, environ: Mapping[str, str] | None = None) -> Iterator[Running]:
        """A running command; it is killed at the end if it still runs."""
        with (self.folder.parent / f"{self.folder.name}.started").open("a") as output:
            process = nursery().start(words, self.surroundings(environ), out=output, err=output)
            try:
                yield process
            finally:
                process.kill_all()  # with its auditor, should it have one
                process.wait(timeout=PATIENCE_S)

    # --- the exchange and the books --------------------------------------------------------------

    @property
    def keys(self) -> Keys:
        """The keys of the home's exchange."""
        return PaperHome(self.folder / "paper").keys()

    @property
    def account(self) -> Account:
        """The home's account: paper, or live with the key in its environment."""
        if self.environ.get("EDGE_FACTORY_MODE") == "live":
            fingerprint = fingerprint_of(self.environ["KRAKEN_API_KEY"])
            return Account(venue="kraken", mode="live", fingerprint=fingerprint)
        fingerprint = fingerprint_of(self.keys.api_key)
        return Account(venue="kraken", mode="paper", fingerprint=fingerprint)

    def fund(self, balances: Mapping[str, str]) -> None:
        """Make the exchange's account with these balances; before it is first served."""
        keys = self.keys  # makes the folder
        state = StateFile(PaperHome(self.folder / "paper").state_path)

        async def make() -> None:
            clock = SystemClock()
            market = SyntheticMarket("1", starts_at=ns_of(clock.now()))
            exchange = PaperExchange(market, clock, state=state, seed=1)
            amounts = {asset: Decimal(amount) for asset, amount in balances.items()}
            exchange.create_account("paper", keys.api_key, keys.api_secret, balances=amounts)
            exchange.close()

        asyncio.run(make())

    def at_the_venue(self, work: Callable[[KrakenSpot], Awaitable[T]]) -> T:
        """Ask or tell the exchange over REST, past zoe's gate and books."""

        async def visit() -> T:
            url, clock = await self._way_to_the_venue()
            rest = RestClient(
                url,
                api_key=self.keys.api_key,
                api_secret=self.keys.api_secret,
                clock=clock,
                coordination=NonceSource(clock),
                unlimited=True,
            )
            venue = KrakenSpot(rest, clock)
            try:
                if isinstance(clock, SystemClock):
                    # As zoe itself does: nonces of the same key follow the venue's time.
                    await venue.server_time()
                    clock.correct(venue.time.offset)
                return await work(venue)
            finally:
                await rest.aclose()

        return asyncio.run(visit())

    async def _way_to_the_venue(self) -> tuple[str, Clock]:
        """One that pretends to be live proves nothing and hands out no time."""
        endpoint = read_endpoint(self.folder / "paper")
        if self.pretends_live:
            assert endpoint is not None
            return endpoint.rest_url, SystemClock()
        paper = await ensure_paper(self.folder)
        return paper.rest_url, paper.clock

    def venue_records(self) -> str:
        """Orders, trades, ledger and balances as the venue shows them, as one text."""

        async def read(venue: KrakenSpot) -> str:
            return canonical_json(
                {
                    "open": await venue.open_orders(),
                    "closed": await venue.closed_orders(),
                    "fills": await venue.fills(),
                    "ledger": await venue.ledger(),
                    "balances": await venue.balances(),
                }
            )

        return self.at_the_venue(read)

    def in_the_books(self, work: Callable[[Transaction], T]) -> T:
        """Read (or spoil) the store."""
        url = self.surroundings().get("DATABASE_URL", f"sqlite:///{self.folder / 'zoe.db'}")
        store = Store.open(url, self.account, clock_now=SystemClock().now())
        try:
            with store.transaction() as transaction:
                return work(transaction)
        finally:
            store.close()

    def stop_exchange(self) -> None:
        """End the exchange that serves this home, and wait until it is gone."""
        endpoint = read_endpoint(self.folder / "paper")
        pids = set(self.served) if endpoint is None else {*self.served, endpoint.pid}
        self.served.clear()
        living = {each for each in pids if _is_exchange(each)}
        for each in living:
            os.kill(each, signal.SIGTERM)
        wait_until(lambda: not any(_is_exchange(each) for each in living))


def _from_the_beginning(words: Sequence[str], environ: Mapping[str, str]) -> Ran:
    """As operators start it."""
    done = subprocess.run(
        [sys.executable, "-m", "zoe_tools", *words],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=LONGEST_S,
    )
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


def wait_until(is_so: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Poll a condition of another process; fails loudly when it does not come."""
    give_up_at = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < give_up_at, "it did not come about in time"
        let_time_pass(_POLL_S)


def let_time_pass(seconds: float) -> None:
    """Real processes need real time; nothing is decided by it."""
    time.sleep(seconds)


def result_of(ran: Ran) -> dict[str, Any]:
    """The result in a command's JSON; says what went wrong otherwise."""
    assert ran.out, ran.err
    told: dict[str, Any] = ran.envelope["result"]
    return told


def _is_exchange(pid: int) -> bool:
    """Whether that process lives and serves a paper exchange; process ids are used again."""
    try:
        return b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
