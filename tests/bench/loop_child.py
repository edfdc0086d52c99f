"""A trading loop for a measurement: each frame that comes or goes is timed at its socket.

Run as `python loop_child.py HOME SECONDS TRADED FOLLOWED`, beside an exchange that is served from
HOME; SECONDS are the venue's, the others instruments, separated by commas. Prints one JSON line:
`frames` a second, `cpu` of a core, `reactions`, milliseconds by kind from the frame received to
the bytes written that answer it, and `alone`, those of them beside which no other went on.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

from typing_extensions import override

from loop_rig import RecordingNarrator
from zoe_tools.config import load_settings
from zoe_tools.core.strategy.protocol import Action, Decision, MarketView
from zoe_tools.domain.candle import Timeframe
from zoe_tools.runtime import duplex
from zoe_tools.runtime.live_run import RunOrder, run_live

TAKE_PROFIT_PCT = Decimal("0.08")


class Recorder:
    """What came and what went, as it did; looked at once it is over."""

    def __init__(self) -> None:
        self.came: list[tuple[float, float, bytes]] = []
        self.went: list[tuple[float, str]] = []

    def install(self) -> None:
        """Listen at the client's sockets."""
        recorder = self

        class Timed(duplex._Connection):
            @override
            def process_event(self, event: Any) -> None:
                recorder.came.append(
                    (time.perf_counter(), time.process_time(), bytes(getattr(event, "data", b"")))
                )
                super().process_event(event)

            @override
            def send_now(self, frame: str) -> bool:
                is_sent = super().send_now(frame)
                recorder.went.append((time.perf_counter(), frame))
                return is_sent

        duplex._Connection = Timed  # type: ignore[misc]


class Restless:
    """Enters at a close where nothing is held, and leaves at the target or after three minutes."""

    name = "restless"
    timeframe = Timeframe.M1
    history = 2
    stop_loss_pct: Decimal | None = Decimal(5)
    take_profit_pct: Decimal | None = TAKE_PROFIT_PCT
    absent_features: tuple[str, ...] = ()

    def __init__(self, traded: frozenset[str]) -> None:
        self._traded = traded

    def decide(self, view: MarketView) -> Decision:
        """See the class."""
        action: Action = "hold"
        if view.position is not None:
            held = view.now - view.position.opened_at
            action = "exit" if held > 3 * self.timeframe.length else "hold"
        elif view.symbol in self._traded:
            action = "enter"
        return Decision(symbol=view.symbol, action=action, reason="restless")


def _target(row: dict[str, Any]) -> Decimal:
    """Where an entry that filled at once takes its profit: above the cost with its fee, on tick."""
    fees = sum((Decimal(fee["qty"]) for fee in row["fees"]), Decimal(0))
    cost = (Decimal(row["cost"]) + fees) / Decimal(row["last_qty"])
    target = cost * (100 + TAKE_PROFIT_PCT) / 100
    return target.quantize(Decimal(row["last_price"]), ROUND_CEILING)


class Reactions:
    """Pairs each order written with the frame that it answers."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = defaultdict(list)
        self._spans: list[tuple[float, float]] = []
        self._bought: dict[str, float] = {}
        self._target: dict[str, Decimal] = {}
        self._reached: dict[str, float] = {}
        self._free: dict[str, float] = {}
        self._symbols: dict[str, str] = {}

    def came(self, at: float, frame: dict[str, Any]) -> None:
        """A frame of the venue."""
        for row in frame.get("data", ()) if frame.get("channel") == "executions" else ():
            symbol = self._symbols.setdefault(row["order_id"], row.get("symbol", ""))
            if row.get("exec_type") == "trade" and row.get("side") == "buy":
                self._bought.setdefault(symbol, at)
                self._target[symbol] = _target(row)
            elif row.get("exec_type") == "canceled":
                self._free.setdefault(symbol, at)
        if frame.get("channel") == "ticker":
            for row in frame["data"]:
                aim = self._target.get(row["symbol"])
                if aim is not None and Decimal(row["bid"]) >= aim:
                    self._reached.setdefault(row["symbol"], at)

    def went(self, at: float, frame: dict[str, Any]) -> None:
        """A request of the loop."""
        params = frame.get("params", {})
        symbol = params.get("symbol", "")
        if frame["method"] == "add_order" and params.get("side") == "sell":
            is_stop = params["order_type"] == "stop-loss"
            kind, since = ("stop", self._bought) if is_stop else ("sale", self._free)
            self._note(kind, since.pop(symbol, None), at)
            if not is_stop:
                self._bought.pop(symbol, None)
        elif frame["method"] == "add_order":
            self._free.pop(symbol, None)
            self._reached.pop(symbol, None)
            self._target.pop(symbol, None)
        elif frame["method"] == "cancel_order":
            for name in params.get("order_id", ()):
                known = self._symbols.get(name, "")
                self._free.pop(known, None)
                self._note("exit", self._reached.pop(known, None), at)
                self._target.pop(known, None)

    def _note(self, kind: str, since: float | None, at: float) -> None:
        if since is not None:
            self.found[kind].append((at - since) * 1000)
            self._spans.append((since, at))

    def alone(self) -> list[float]:
        """Milliseconds of those that no other one overlaps."""
        spans = self._spans
        return [
            (at - since) * 1000
            for since, at in spans
            if sum(begun < at and since < over for begun, over in spans) == 1
        ]


def reactions(recorder: Recorder) -> Reactions:
    """From what was heard to what was sent, by kind.

    `stop`: from a fill to its stop; `exit`: from a tick at the target to the cancel of the stop;
    `sale`: from the word that the stop is gone to the order that sells.
    """
    pairing = Reactions()
    told = [(at, 0, data) for at, _, data in recorder.came if data[:1] == b"{"]
    told += [(at, 1, text.encode()) for at, text in recorder.went]
    for at, is_ours, data in sorted(told, key=lambda each: each[0]):
        frame = json.loads(data, parse_float=Decimal)
        (pairing.went if is_ours else pairing.came)(at, frame)
    return pairing


def main() -> None:
    """Run the loop, and tell."""
    home, seconds = Path(sys.argv[1]), float(sys.argv[2])
    recorder = Recorder()
    recorder.install()
    traded, followed = sys.argv[3], sys.argv[4]
    options = {
        "EDGE_FACTORY_SYMBOLS": f"{traded},{followed}",
        "MAX_NOTIONAL_PER_TRADE": "200",
        "MAX_DAILY_NOTIONAL": "10000000",
        "MAX_OPEN_POSITIONS": "10",
        "MAX_ORDERS_PER_MINUTE": "600",
        "MAX_OPEN_ORDERS": "60",
        "DUPLICATE_WINDOW_SECONDS": "0",
    }
    settings = load_settings({"ZOE_HOME": str(home)}, options=options)
    order = RunOrder(strategy=Restless(frozenset(traded.split(","))), duration_s=seconds)
    run_live(settings, order, RecordingNarrator())
    began, ended = recorder.came[0], recorder.came[-1]
    took, found = ended[0] - began[0], reactions(recorder)
    told = {
        "frames": len(recorder.came) / took,
        "cpu": (ended[1] - began[1]) / took,
        "reactions": found.found,
        "alone": found.alone(),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
