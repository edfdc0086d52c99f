"""A paper exchange for clients by others: served by the program itself, on real sockets, funded.

Every client gets an exchange of its own, because each counts its nonces on a scale of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from nursery import nursery
from program import wait_until
from zoe_tools.paper.admin.door import SEAL, seal
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.home import PaperHome
from zoe_tools.paper.markets.synthetic import SyntheticMarket
from zoe_tools.paper.values.times import ns_of
from zoe_tools.paper.values.views import PERMISSIONS
from zoe_tools.runtime.clocks import SystemClock

PATIENCE_S = 30.0
PAIR, SYMBOL = "XBTUSD", "BTC/USD"
FUNDS = {"USD": Decimal(1_000_000), "BTC": Decimal(50), "ETH": Decimal(50)}
_SERVE = ("--json", "paper", "serve")
_MONEY = ("add-funds", "withdraw-funds", "earn-funds")
"""What a demo key may not do by itself."""

READER_KEY, READER_SECRET = "reader-of-funds", "cmVhZHMgbm90aGluZyBidXQgZnVuZHM="
"""A key that may do nothing but read balances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """Where the exchange is, its demo key, and the way to make it fail."""

    rest_url: str
    ws_url: str
    ws_auth_url: str
    ws_l3_url: str
    api_key: str
    api_secret: str
    secret: bytes

    @property
    def ws_bases(self) -> tuple[str, str, str]:
        """Public, private and level3 sockets without the `/v2` that python-kraken-sdk adds."""
        public, private, level3 = (
            url.removesuffix("/v2") for url in (self.ws_url, self.ws_auth_url, self.ws_l3_url)
        )
        return public, private, level3

    def public(self, method: str, query: str = "") -> Any:
        """The result of a public REST call, asked without any client."""
        opener = build_opener(ProxyHandler({}))
        with opener.open(f"{self.rest_url}/0/public/{method}?{query}", timeout=PATIENCE_S) as told:
            return json.loads(told.read())["result"]

    def last_price(self) -> float:
        """What BTC/USD was traded at last."""
        return float(self.public("Ticker", f"pair={PAIR}")["XXBTZUSD"]["c"][0])

    @contextmanager
    def failing(self, name: str, **rule: Any) -> Iterator[None]:
        """A fault, armed until the end of the block; once unless told otherwise."""
        self._admin("faults/arm", json.dumps({"faults": [{"name": name, **rule}]}))
        try:
            yield
        finally:
            self._admin("faults/clear", "")

    def _admin(self, path: str, body: str) -> None:
        path = f"/zoe/admin/{path}"
        headers = {SEAL: seal(self.secret, path, body.encode())}
        request = Request(self.rest_url + path, body.encode(), headers)  # noqa: S310 - loopback
        build_opener(ProxyHandler({})).open(request, timeout=PATIENCE_S).close()


async def until(is_so: Callable[[], bool]) -> None:
    """Let a client go on until a condition holds; the test's time-out ends it."""
    while not is_so():  # noqa: ASYNC110 - a client by others sets no event
        await asyncio.sleep(0.01)


def _make_accounts(home: PaperHome, funds: Mapping[str, Decimal]) -> None:
    """The demo account with money, and one whose key may only look at balances."""
    keys = home.keys()
    state = StateFile(home.state_path)

    async def make() -> None:
        clock = SystemClock()
        market = SyntheticMarket("1", starts_at=ns_of(clock.now()))
        exchange = PaperExchange(market, clock, state=state, seed=1)
        exchange.create_account(
            *("paper", keys.api_key, keys.api_secret, frozenset({*PERMISSIONS, *_MONEY})),
            balances=funds,
            has_margin=True,
        )
        exchange.create_account("reader", READER_KEY, READER_SECRET, frozenset({"query-funds"}))
        exchange.close()

    asyncio.run(make())
    state.close()


@contextmanager
def served(
    folder: Path, *options: str, funds: Mapping[str, Decimal] = FUNDS, limits: str = "--no-limits"
) -> Iterator[Venue]:
    """`zoe paper serve` in a process of its own; without funds, a fresh home's own account."""
    home = PaperHome(folder / "paper")
    if funds:
        _make_accounts(home, funds)
    environ = {"ZOE_HOME": str(folder), "PATH": os.defpath}
    told = folder / "served"
    with told.open("w") as out, (folder / "stderr").open("w") as errors:
        words = (*_SERVE, *limits.split(), *options)
        process = nursery().start(words, environ, out=out, err=errors)
        try:
            wait_until(lambda: process.poll() is not None or "\n" in told.read_text())
            line = told.read_text()
            assert line, (folder / "stderr").read_text()
            venue = Venue(**json.loads(line)["result"], secret=home.keys().proof_secret)
            if funds:
                wait_until(lambda: len(venue.public("Trades", f"pair={PAIR}")["XXBTZUSD"]) > 1)
            yield venue
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_S)
