"""Trades replayed through the exchange come back over REST as the candles Kraken made of them."""

from __future__ import annotations

import json
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any

import pytest

from paper_desk import StandingClock
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.markets.trades import read_trades
from zoe_tools.paper.rest.dialect import RestDialect, RestRequest
from zoe_tools.runtime.virtual_loop import run_virtual

DATA = Path(__file__).parents[2] / "../shared/data/nautilus"


class Replay:
    """An exchange after all the trades of a text have happened."""

    def __init__(self, text: str) -> None:
        source = read_trades(Path("trades.json"), text)
        exchange = PaperExchange(source, StandingClock(source.starts_at), seed=7)
        self._dialect = RestDialect(exchange)
        run_virtual(exchange.run())

    def public(self, name: str, query: str) -> Any:
        """The result of a public call."""
        request = RestRequest(
            method="GET", path=f"/0/public/{name}", query=query, headers={}, body=b""
        )
        answer = json.loads(self._dialect.answer(request), parse_float=Decimal)
        assert answer["error"] == []
        return answer["result"]


def test_the_real_trades_rebuild_the_real_candles() -> None:
    """143 full minutes with trades, and every empty one between them, text for text."""
    if not DATA.exists():
        pytest.skip("the real trades are not on this machine (../shared/data/nautilus)")
    text = (DATA / "xbtusdt_trades_first_half.json").read_text()
    recorded = json.loads((DATA / "xbtusdt_ohlc_1m_first_half.json").read_text())["candles"]
    told = Replay(text).public("OHLC", "pair=XBTUSDT&interval=1")["XBTUSDT"]

    first = told[0][0]
    window = [row for row in recorded if first < row[0] < told[-1][0]]
    assert told[1:-1] == window
    assert sum(1 for row in window if row[7]) == 143
    assert all(row[5:] == ["0.0", "0.00000000", 0] for row in window if not row[7])


def test_the_real_trades_come_back_as_they_were() -> None:
    """Price, volume, time, side and type, page by page."""
    if not DATA.exists():
        pytest.skip("the real trades are not on this machine (../shared/data/nautilus)")
    text = (DATA / "xbtusdt_trades_first_half.json").read_text()
    rows = json.loads(text, parse_float=Decimal)["trades"]
    told = Replay(text).public("Trades", "pair=XBTUSDT&since=0")

    assert [row[:5] for row in told["XBTUSDT"]] == [row[:5] for row in rows]


MINUTE = 1_767_600_000


def made_up(*rows: tuple[str, str, int]) -> str:
    """Trades (price, volume, second) as a file."""
    trades = [
        [price, volume, MINUTE + second, "b", "m", "", number]
        for number, (price, volume, second) in enumerate(rows, 1)
    ]
    return json.dumps({"pair": "XBTUSD", "trades": trades})


def test_a_vwap_is_cut_off_and_an_empty_minute_repeats_the_close() -> None:
    """(1 x 70000.0 + 2 x 70000.1) / 3 = 70000.0666... is not 70000.1."""
    text = made_up(
        ("70000.0", "1", 0), ("70000.1", "2", 59), ("69999.9", "0.5", 180), ("1", "1", 240)
    )
    result = Replay(text).public("OHLC", "pair=XBTUSD")
    exact = (Decimal("70000.0") + 2 * Decimal("70000.1")) / 3
    cut = str(exact.quantize(Decimal("0.1"), ROUND_DOWN))

    assert cut == "70000.0"
    assert result["XXBTZUSD"][:4] == [
        [MINUTE, "70000.0", "70000.1", "70000.0", "70000.1", cut, "3.00000000", 2],
        [MINUTE + 60, "70000.1", "70000.1", "70000.1", "70000.1", "0.0", "0.00000000", 0],
        [MINUTE + 120, "70000.1", "70000.1", "70000.1", "70000.1", "0.0", "0.00000000", 0],
        [MINUTE + 180, "69999.9", "69999.9", "69999.9", "69999.9", "69999.9", "0.50000000", 1],
    ]
    assert result["last"] == MINUTE + 180


def test_all_of_a_replay_can_be_paged_from_its_first_trade() -> None:
    """`since=0` begins at the beginning, `last` goes on, and nothing is told twice or left out."""
    text = made_up(*((f"{70000 + number % 7}.0", "0.1", number) for number in range(2500)))
    replay = Replay(text)
    since, pages = "0", 0
    numbers: list[int] = []
    result: Any = {}
    for _ in range(9):
        result = replay.public("Trades", f"pair=XBTUSD&since={since}")
        if not result["XXBTZUSD"]:
            break
        pages += 1
        numbers += [row[6] for row in result["XXBTZUSD"]]
        since = result["last"]

    assert (pages, numbers) == (3, list(range(1, 2501)))
    assert result["last"] == since
