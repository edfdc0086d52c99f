"""The fee tier: thirty days of volume in dollars, converted by last prices, told by TradeVolume."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from paper_desk import START, RestDesk, ScriptedSource, d, levels
from zoe_tools.paper.engine.fees import VolumeWindow
from zoe_tools.paper.engine.rates import volume_in_dollars
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.market import BookSnapshot, PairSpec, Print
from zoe_tools.paper.values.times import NS

HOUR, DAY = 3_600 * NS, 86_400 * NS
SYMBOLS = ("BTC/USD", "BTC/EUR", "BTC/USDT", "ETH/USD", "ETH/EUR", "EUR/USD", "USDT/USD")
PAIRS: tuple[PairSpec, ...] = tuple(spec_named(symbol) for symbol in SYMBOLS)


def open_desk(prices: Mapping[str, str], state: StateFile | None = None) -> RestDesk:
    """Seven pairs, of which these have traded; deep books around 100."""
    desk = RestDesk(pairs=PAIRS, state=state)
    for symbol, price in prices.items():
        desk.exchange.hear(
            Print(at=START, symbol=symbol, side="buy", price=d(price), quantity=d("1"))
        )
    for asset in ("EUR", "USDT"):
        desk.exchange.deposit(desk.account_id, asset, d("100000"))
    return desk


def offer(desk: RestDesk, symbol: str, price: str, quantity: str = "1000") -> None:
    """Others sell at this price."""
    spec = desk.exchange.pair(symbol)
    assert spec.symbol == symbol
    asks = levels(f"{price} {quantity}")
    at = desk.clock.ns
    desk.exchange.hear(BookSnapshot(at=at, symbol=symbol, bids=(), asks=asks))


def buy(desk: RestDesk, pair: str, volume: str) -> dict[str, str]:
    """A market order; the one trade it made."""
    (txid,) = desk.private("AddOrder", pair=pair, type="buy", ordertype="market", volume=volume)[
        "txid"
    ]
    (trade,) = [
        row for row in desk.private("TradesHistory")["trades"].values() if row["ordertxid"] == txid
    ]
    return dict(trade)


def volume(desk: RestDesk) -> str:
    """What TradeVolume says."""
    return str(desk.private("TradeVolume")["volume"])


@pytest.mark.parametrize(
    ("symbol", "prices", "dollars"),
    [
        ("BTC/USD", {}, "100.00000"),
        ("BTC/EUR", {"EUR/USD": "1.25"}, "125.0000"),
        ("BTC/EUR", {"BTC/USD": "80", "BTC/EUR": "100"}, "80.0000"),
        ("BTC/EUR", {"ETH/USD": "60", "ETH/EUR": "50"}, "120.0000"),
        ("BTC/EUR", {"EUR/USD": "1.25", "BTC/USD": "80", "BTC/EUR": "100"}, "125.0000"),
        ("BTC/EUR", {}, "0.0000"),
        ("BTC/USDT", {"USDT/USD": "0.99"}, "99.0000"),
        ("BTC/USDT", {}, "100.0000"),
        ("EUR/USD", {"EUR/USD": "1.25"}, "0"),
        ("USDT/USD", {"USDT/USD": "1.01"}, "0"),
    ],
)
def test_a_fill_counts_what_its_cost_is_worth_in_dollars(
    symbol: str, prices: Mapping[str, str], dollars: str
) -> None:
    """Own pair, then the traded base, then any other; unknown: a dollar's stablecoin one to one.

    Stablecoins and currencies as base do not count.
    """
    desk = open_desk(prices)
    spec = desk.exchange.pair(symbol)

    assert str(volume_in_dollars(desk.exchange._floor, spec, d("100.00000"))) == dollars


def test_volume_counts_at_once_for_the_next_order() -> None:
    """The order that reaches the tier pays the old rate, the next one the new (section 12)."""
    desk = open_desk({"EUR/USD": "1.25"})
    offer(desk, "BTC/EUR", "100.0")
    first, second = buy(desk, "XBTEUR", "80"), buy(desk, "XBTEUR", "1")

    assert (first["cost"], first["fee"]) == ("8000.00000", "32.00000")
    assert (second["cost"], second["fee"]) == ("100.00000", "0.35000")
    assert volume(desk) == "10125.0000"


def test_trade_volume_tells_the_tier_of_the_named_pairs() -> None:
    """Rates in percent with four decimals; the next tier is null on the last one."""
    desk = open_desk({})
    offer(desk, "BTC/USD", "12000.5")
    assert "fees" not in desk.private("TradeVolume")
    buy(desk, "XBTUSD", "1")
    told = desk.private("TradeVolume", pair="XBTUSD,USDTUSD")

    assert (told["currency"], told["volume"]) == ("ZUSD", "12000.5000")
    assert told["fees"] == {
        "XXBTZUSD": {
            "fee": "0.3500",
            "minfee": "0.1000",
            "maxfee": "0.4000",
            "nextfee": "0.2400",
            "nextvolume": "50000.0000",
            "tiervolume": "10000.0000",
        },
        "USDTZUSD": {
            "fee": "0.2000",
            "minfee": "0.0000",
            "maxfee": "0.2000",
            "nextfee": "0.1600",
            "nextvolume": "50000.0000",
            "tiervolume": "0.0000",
        },
    }
    assert told["fees_maker"]["XXBTZUSD"]["fee"] == "0.2000"
    assert told["fees_maker"]["USDTZUSD"] == told["fees"]["USDTZUSD"]
    desk.exchange._floor.account(desk.account_id).volume.add(desk.clock.ns, d("10000000"))
    last = desk.private("TradeVolume", pair="XBTUSD")["fees_maker"]["XXBTZUSD"]
    assert (last["fee"], last["nextfee"], last["nextvolume"]) == ("0.0000", None, None)
    assert desk.refusal("TradeVolume", pair="NOPE") == "EQuery:Unknown asset pair"


def test_volume_drops_out_after_thirty_days_and_the_rate_with_it() -> None:
    """Within an hour of it (section 12: every few hours)."""
    desk = open_desk({})
    offer(desk, "BTC/USD", "10000.0")
    buy(desk, "XBTUSD", "1")
    desk.clock.ns += DAY
    buy(desk, "XBTUSD", "0.5")
    seen = []
    for wait in (0, 29 * DAY, HOUR, DAY - HOUR, HOUR):
        desk.clock.ns += wait
        seen.append(volume(desk))

    assert seen == ["15000.0000", "15000.0000", "5000.0000", "5000.0000", "0.0000"]
    assert buy(desk, "XBTUSD", "0.1")["fee"] == "4.00000"


def test_the_volume_survives_a_restart_in_dollars(tmp_path: Path) -> None:
    """As it counted when it traded, whatever the rate is now."""
    path = tmp_path / "state.sqlite"
    desk = open_desk({"EUR/USD": "1.25"}, StateFile(path))
    offer(desk, "BTC/EUR", "100.0")
    buy(desk, "XBTEUR", "10")
    desk.exchange.hear(
        Print(at=desk.clock.ns, symbol="EUR/USD", side="buy", price=d("2"), quantity=d("1"))
    )
    source = ScriptedSource(pairs=PAIRS)
    again = PaperExchange(source, desk.clock, state=StateFile(path), seed=7)

    assert again.volume(desk.account_id) == d("1250")
    again.close()


def test_a_month_of_trades_takes_little_room() -> None:
    """The window keeps hours and not trades."""
    window = VolumeWindow()
    for minute in range(60 * 24 * 40):
        window.add(minute * 60 * NS, Decimal(1))
        window.total(minute * 60 * NS)

    assert len(window._hours) == 721
    assert window.total(40 * DAY) == 30 * 24 * 60
