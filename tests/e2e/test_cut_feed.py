"""The real loop on the paper exchange, the feed of one pair cut: no entry there, and others go on.

The wire lives, the venue acknowledges and answers; only nothing comes of one pair.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import kraken_answers as kraken
from builders import BTC, ETH, PAPER, d
from loop_rig import RecordingNarrator
from market_rig import CutDuplex, MarketRig
from zoe_tools.core.strategy.protocol import Decision, MarketView
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import Side
from zoe_tools.domain.policy import Policy
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.observe.log import event_of
from zoe_tools.paper.app import create_app
from zoe_tools.ports import FrameDuplex
from zoe_tools.runtime.engine_run import RunPlan, run_engine
from zoe_tools.runtime.market_watch import WatchOrder
from zoe_tools.runtime.venue import Wires, in_process_transport
from zoe_tools.runtime.virtual_loop import run_virtual

KEY = "cut-feed-key"
CUT_AFTER_S, GOES_ON_S = 300, 600
LIMIT_S = 60.0
POLICY = Policy(
    max_notional_per_trade=d("100"),
    max_daily_notional=d("100000"),
    max_open_positions=2,
    allowed_symbols=None,
    duplicate_window_s=0.0,
    max_cancel_ratio_pct=d("100"),
    market_stale_s=LIMIT_S,
)


class InAndOut:
    """Enters when a candle closes, and leaves with the next one, in every pair."""

    name = "in-and-out"
    timeframe = Timeframe.M1
    stop_loss_pct: Decimal | None = d("5")
    take_profit_pct: Decimal | None = d("5")
    history = 1
    absent_features: tuple[str, ...] = ()

    def decide(self, view: MarketView) -> Decision:
        """See the class."""
        action = "enter" if view.position is None else "exit"
        return Decision(symbol=view.symbol, action=action, reason="always")  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of it: orders, and when the feed was cut."""

    orders: tuple[OrderRecord, ...]
    cut_at: datetime
    ended_at: datetime

    def entries(self, symbol: str, since: datetime, until: datetime) -> list[OrderRecord]:
        """Orders that bought."""
        return [
            each
            for each in self.orders
            if each.symbol == symbol and each.side is Side.BUY and since < each.created_at <= until
        ]


async def _market(rig: MarketRig, seconds: int) -> None:
    """Both pairs move and trade, once a second, never in the moment a candle closes."""
    await rig.clock.sleep(0.3)
    for second in range(seconds):
        for symbol, mid in (("BTC/USD", 60000), ("ETH/USD", 3000)):
            price = mid + second % 7
            rig.quote(symbol, f"{price}")
            rig.trade(symbol, f"{price}", "0.01")
        await rig.clock.sleep(1)


async def _run(folder: Path) -> Told:
    rig = MarketRig(folder, WatchOrder(), ("BTC/USD", "ETH/USD"))
    rig.exchange.create_account("loop", KEY, kraken.SECRET, balances={"USD": d("10000")})
    rest = RestClient(
        "http://paper",
        api_key=KEY,
        api_secret=kraken.SECRET,
        clock=rig.clock,
        coordination=NonceSource(rig.clock),
        transport=in_process_transport(create_app(rig.exchange, proof_secret=None)),
        unlimited=True,
    )

    async def connect(url: str) -> FrameDuplex:
        return CutDuplex(await rig.sockets.connect(url), rig.cut)

    plan = RunPlan(
        account=PAPER,
        policy=POLICY,
        strategy=InAndOut(),
        spellings=("BTC/USD", "ETH/USD"),
        cadence=Cadence(),
        clock=rig.clock,
        wires=Wires(public_url="ws://paper/v2", private_url="ws://paper/v2/private", rest=rest),
        connect=connect,
        store=rig.store,
        narrator=RecordingNarrator(),
        run_id="cut-feed",
        seed=1,
    )
    stop = asyncio.Event()
    pump = asyncio.create_task(rig.exchange.run())
    for symbol, mid in (("BTC/USD", "60000"), ("ETH/USD", "3000")):
        rig.quote(symbol, mid)
    running = asyncio.create_task(run_engine(plan, stop))
    try:
        await _market(rig, CUT_AFTER_S)
        rig.cut.add("ETH/USD")
        cut_at = rig.now
        await _market(rig, GOES_ON_S)
        ended_at = rig.now
        stop.set()
        await running
        orders = await rig.store.run(lambda tx: tx.orders())
        return Told(orders=orders, cut_at=cut_at, ended_at=ended_at)
    finally:
        for task in (running, pump):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await rig.sockets.close()
        await rest.aclose()
        await rig.rest.aclose()
        await rig.store.close()


def test_cutting_the_feed_of_one_pair_stops_entries_there_and_nowhere_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From a quote's own limit on nothing is entered; safe mode names the pair at its limit."""
    with caplog.at_level(logging.INFO, logger="zoe_tools.engine.safe_mode"):
        told = run_virtual(_run(tmp_path))
    stale_from = told.cut_at + timedelta(seconds=POLICY.quote_stale_s)
    before = told.cut_at - timedelta(seconds=CUT_AFTER_S)

    assert told.entries(ETH, before, told.cut_at)
    assert told.entries(ETH, stale_from, told.ended_at) == []
    assert len(told.entries(BTC, stale_from, told.ended_at)) >= 3
    named = [
        told_event[1]["symbol"]
        for each in caplog.records
        if (told_event := event_of(each)) and told_event[0] == "SAFE_MODE_ENTERED"
    ]
    assert set(named) == {ETH}
