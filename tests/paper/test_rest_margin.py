"""Margin over REST and the socket: TradeBalance, OpenPositions, trades, ledgers, a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from paper_desk import (
    API_KEY,
    START,
    RestDesk,
    ScriptedSource,
    StandingClock,
    ask_for,
    d,
    snapshot,
    traded,
)
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.events import EngineEvent, LedgerEvent, OrderEvent
from zoe_tools.paper.values.ledger import NO_POSITION
from zoe_tools.paper.values.quirks import quirks_in
from zoe_tools.paper.values.times import NS, moment_of
from zoe_tools.paper.ws.balances import ledger_row
from zoe_tools.paper.ws.orders import place_request
from zoe_tools.paper.ws.reports import update_row
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

MARKET = (snapshot(["70000.0 10"], ["70001.0 10"]), traded("70000.0", "0.5"))
OPEN = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "leverage": "5"}
CLOSE = {**OPEN, "type": "sell"}
FOUR_HOURS = 4 * 3600 * NS


@pytest.fixture
def desk() -> RestDesk:
    """100,000 USD and 2 BTC, a market at 70000, and leave to trade on margin."""
    made = RestDesk(*MARKET)
    made.exchange.allow_margin(made.account_id, has_margin=True)
    made.play()
    return made


def opened(desk: RestDesk, volume: str = "0.5", **more: str) -> str:
    """A position of that size; its order's id."""
    return str(desk.private("AddOrder", volume=volume, **{**OPEN, **more})["txid"][0])


def test_without_leave_nothing_is_opened() -> None:
    """An account has it only when it is given."""
    desk = RestDesk(*MARKET)
    desk.play()

    assert desk.refusal("AddOrder", volume="0.1", **OPEN) == "EOrder:Cannot open position"
    assert desk.private("OpenPositions") == []


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({**OPEN, "volume": "0.1"}, "buy 0.10000000 XBTUSD @ market with 5:1 leverage"),
        (
            {**OPEN, "volume": "0.1", "ordertype": "limit", "price": "60000", "leverage": "3:1"},
            "buy 0.10000000 XBTUSD @ limit 60000.0 with 3:1 leverage",
        ),
    ],
)
def test_an_order_tells_its_leverage(desk: RestDesk, fields: dict[str, str], text: str) -> None:
    """Sections 7.1 and 17.2."""
    result = desk.private("AddOrder", **fields)
    (order,) = desk.private("QueryOrders", txid=result["txid"][0]).values()

    assert result["descr"]["order"] == order["descr"]["order"] == text
    assert order["descr"]["leverage"] in ("5:1", "3:1")
    assert order["margin"] is True


def test_a_settlement_reads_as_it_was_asked_for(desk: RestDesk) -> None:
    """Section 17.2: the text has the volume that was sent, the order what it came to."""
    opened(desk, "0.1")
    fields = {"pair": "XBTUSD", "type": "sell", "ordertype": "settle-position", "leverage": "2"}
    result = desk.private("AddOrder", volume="0", **fields)
    (order,) = desk.private("QueryOrders", txid=result["txid"][0]).values()

    assert result["descr"]["order"] == "sell 0.00000000 XBTUSD @ settle position"
    assert (order["status"], order["vol_exec"], order["fee"]) == ("closed", "0.10000000", "0.00000")


def test_the_trade_balance_follows_its_formulas(desk: RestDesk) -> None:
    """Section 6: e = tb + n, mf = e - m, ml = e / m * 100; 0.5 from 70001, last 71000."""
    opened(desk)
    desk.private("AddOrder", **{**OPEN, "ordertype": "limit", "price": "60000", "volume": "0.1"})
    desk.exchange.hear(snapshot(["71000.0 10"], ["71001.0 10"]))
    desk.exchange.hear(traded("71000.0", "0.1"))

    assert desk.private("TradeBalance") == {
        "eb": "241852.9979",
        "tb": "241852.9979",
        "m": "7000.1000",
        "uv": "6000.0000",
        "n": "499.5000",
        "c": "35000.5000",
        "v": "35500.0000",
        "e": "242352.4979",
        "mf": "235352.3979",
        "mfo": "234152.3979",
        "ml": "3462.13",
    }
    assert desk.private("TradeBalance", asset="XXBT")["m"] == "0.0985929577"


def test_an_open_position_has_the_fields_of_the_sheet(desk: RestDesk) -> None:
    """Section 7.3: `class`, `rollovertm` as text, and value and net only when asked for."""
    order_id = opened(desk)
    ((position_id, row),) = desk.private("OpenPositions").items()

    assert row == {
        "ordertxid": order_id,
        "posstatus": "open",
        "pair": "XXBTZUSD",
        "class": "forex",
        "time": d("1767600000.000000"),
        "type": "buy",
        "ordertype": "market",
        "cost": "35000.50000",
        "fee": "147.00210",
        "vol": "0.50000000",
        "vol_closed": "0.00000000",
        "margin": "7000.10000",
        "terms": "0.0200% per 4 hours",
        "rollovertm": "1767614400",
        "misc": "",
        "oflags": "",
    }
    told = desk.private("OpenPositions", docalcs="true", txid=position_id)[position_id]
    assert (told["value"], told["net"]) == ("35000.5", "+0.0000")
    assert desk.private("OpenPositions", txid="TAAAAA-BBBBB-CCCCCC") == []


def test_positions_of_a_market_can_be_summed(desk: RestDesk) -> None:
    """`consolidation=market`: one row a pair and side."""
    opened(desk, "0.3")
    desk.clock.ns += NS
    opened(desk, "0.2", leverage="10")
    (row,) = desk.private("OpenPositions", consolidation="market", docalcs="true")

    assert (row["positions"], row["pair"], row["type"]) == ("2", "XXBTZUSD", "buy")
    assert (row["vol"], row["cost"], row["margin"]) == ("0.50000000", "35000.50000", "5600.08000")
    assert (row["leverage"], row["value"], row["net"]) == ("6.25000", "35000.5", "+0.0000")


def test_trades_tell_what_they_did_to_positions(desk: RestDesk) -> None:
    """Section 7.2: margin, leverage, `closing`, and on the opening trade what became of it."""
    opened(desk)
    desk.clock.ns += NS
    desk.private("AddOrder", volume="0.2", **CLOSE)
    closing, opening = desk.private("TradesHistory")["trades"].values()
    ((position_id, _),) = desk.private("OpenPositions").items()

    assert (opening["postxid"], closing["postxid"]) == (position_id, position_id)
    assert (opening["margin"], opening["leverage"], opening["misc"]) == ("7000.10000", "5", "")
    assert (closing["margin"], closing["leverage"], closing["misc"]) == (
        "2800.00000",
        "5",
        "closing",
    )
    outcome = {name: opening[name] for name in ("posstatus", "cprice", "ccost", "cvol", "net")}
    assert outcome == {
        "posstatus": "open",
        "cprice": "70000.00000",
        "ccost": "14000.00000",
        "cvol": "0.20000000",
        "net": "-0.2000",
    }
    assert "posstatus" not in closing


@pytest.mark.parametrize(
    ("kind", "sides"),
    [
        ("all", ["buy", "sell", "buy"]),
        ("any position", ["sell", "buy"]),
        ("closed position", ["buy"]),
        ("closing position", ["sell"]),
        ("no position", ["buy"]),
    ],
)
def test_trades_are_found_by_their_position(desk: RestDesk, kind: str, sides: list[str]) -> None:
    """TradesHistory's `type`: a position opened and closed, and a purchase."""
    opened(desk, "0.1")
    desk.clock.ns += NS
    desk.private("AddOrder", volume="0", **CLOSE)
    desk.clock.ns += NS
    desk.private("AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="0.1")
    rows = list(desk.private("TradesHistory", type=kind)["trades"].values())

    assert [row["type"] for row in rows] == sides
    spot = [row for row in rows if row["postxid"] == NO_POSITION]
    assert len(spot) == (kind in ("all", "no position"))


def test_rollovers_come_with_time_and_are_in_the_ledger(desk: RestDesk) -> None:
    """Amount zero, the charge as fee, the position as reference (section 7.4)."""
    opened(desk)
    desk.clock.ns += FOUR_HOURS
    ((position_id, _),) = desk.private("OpenPositions").items()
    (row,) = desk.private("Ledgers", type="rollover")["ledger"].values()

    assert row == {
        "refid": position_id,
        "time": d("1767614400.000000"),
        "type": "rollover",
        "subtype": "",
        "aclass": "currency",
        "asset": "ZUSD",
        "amount": "0.0000",
        "fee": "7.0001",
        "balance": "99845.9978",
    }


def test_a_rollover_comes_on_time_though_nothing_happens() -> None:
    """The market opened the position and falls silent: a timer of its own, set by the fill."""
    silence = 5 * 3600 * NS
    script = (
        *MARKET,
        traded("65000.0", "1", at=START + 10 * NS),
        traded("65000.0", "1", at=START + silence),
    )

    async def watch() -> list[int]:
        exchange = PaperExchange(ScriptedSource(script), VirtualClock(moment_of(START)))
        balances = {"USD": d("10000")}
        account_id = exchange.create_account(
            "one", "one", "c2VjcmV0", balances=balances, has_margin=True
        )
        running = asyncio.create_task(exchange.run())
        await asyncio.sleep(5)
        exchange.add_order(account_id, ask_for("buy", "0.1", "66000.0", leverage=5))
        await running
        return [row.at for row in exchange.ledger(account_id)]

    times = run_virtual(watch())

    assert times[-2:] == [START + 10 * NS, START + 10 * NS + FOUR_HOURS]


def told_by(desk: RestDesk) -> list[EngineEvent]:
    """What is told from now on."""
    heard: list[EngineEvent] = []
    desk.exchange.add_listener(heard.append)
    return heard


def test_the_socket_tells_of_margin(desk: RestDesk) -> None:
    """Section 11: `margin`, `position_status`, and the categories of the ledger's kinds."""
    heard = told_by(desk)
    opened(desk, "0.1")
    desk.private("AddOrder", volume="0", **{**CLOSE, "reduce_only": "true"})
    opened(desk, "0.1")
    desk.clock.ns += FOUR_HOURS
    desk.private("OpenPositions")
    settle = {"pair": "XBTUSD", "type": "sell", "ordertype": "settle-position", "volume": "0"}
    desk.private("AddOrder", **settle)
    spec = desk.exchange.pair("BTC/USD")
    frames = [update_row(one, spec) for one in heard if isinstance(one, OrderEvent)]
    rows = [ledger_row(one.row, 4) for one in heard if isinstance(one, LedgerEvent)]
    news = [one for one in frames if one["exec_type"] == "pending_new"]
    trades = [one for one in frames if one["exec_type"] == "trade"]

    assert [one["margin"] for one in news] == [True] * 4
    assert [one.get("reduce_only") for one in news] == [None, True, None, True]
    steps = [(one["position_status"], one["margin_borrow"]) for one in trades]
    assert steps == [("opened", True), ("closed", False), ("opened", True)]
    assert [(one["type"], one["category"]) for one in rows] == [
        ("margin", "margin-trade"),
        ("margin", "margin-trade"),
        ("margin", "margin-trade"),
        ("rollover", "marginrollover"),
        ("settled", "margin-settle"),
        ("settled", "margin-settle"),
    ]


def test_a_liquidation_says_so(desk: RestDesk) -> None:
    """`liquidated` in misc (section 7.1) and on the socket."""
    heard = told_by(desk)
    opened(desk, "10", leverage="10")
    desk.exchange.hear(snapshot(["49000.0 20"], ["49001.0 20"]))
    desk.exchange.hear(traded("49000.0", "0.1"))
    newest = next(iter(desk.private("ClosedOrders")["closed"].values()))
    spec = desk.exchange.pair("BTC/USD")
    orders = [one for one in heard if isinstance(one, OrderEvent) and one.kind == "pending_new"]

    assert (newest["misc"], newest["descr"]["ordertype"]) == ("liquidated", "market")
    assert [update_row(one, spec).get("liquidated") for one in orders] == [None, True]
    assert desk.private("OpenPositions") == []


@pytest.mark.parametrize(("symbol", "leverage"), [("BTC/USD", 5), ("SOL/USD", 4), ("ADA/USD", 3)])
def test_margin_over_the_socket_is_the_most_there_is_up_to_five(symbol: str, leverage: int) -> None:
    """Leverage itself cannot be said there (section 11.3)."""
    source = ScriptedSource(pairs=(spec_named(symbol),))
    asked = {"order_type": "market", "side": "buy", "symbol": symbol, "order_qty": 1, "token": ""}
    exchange = PaperExchange(source, StandingClock())

    assert place_request(exchange, {**asked, "margin": True}).leverage == leverage
    assert place_request(exchange, asked).leverage is None


def test_pairs_tell_their_leverages_and_limits(desk: RestDesk) -> None:
    """AssetPairs of section 17.1."""
    row = desk.public("AssetPairs", "pair=XBTUSD")["XXBTZUSD"]

    assert row["leverage_buy"] == row["leverage_sell"] == list(range(2, 11))
    assert (row["margin_call"], row["margin_stop"]) == (80, 40)
    assert (row["long_position_limit"], row["short_position_limit"]) == (250, 200)


def test_positions_outlive_the_exchange(tmp_path: Path) -> None:
    """Killed, not closed: positions, their rollovers, held margin, and who may trade on margin."""
    path, clock = tmp_path / "state.sqlite", StandingClock()
    desk = RestDesk(*MARKET, clock=clock, state=StateFile(path))
    desk.exchange.allow_margin(desk.account_id, has_margin=True)
    desk.play()
    opened(desk)
    desk.private("AddOrder", **{**CLOSE, "ordertype": "limit", "price": "90000", "volume": "0.5"})
    opened(desk, "0.1", type="sell")
    assert desk.exchange.standing(desk.account_id, "USD").orders_margin == d("1800")
    before = memory(desk.exchange, desk.account_id)

    again = PaperExchange(None, clock, state=StateFile(path), seed=7)
    assert memory(again, desk.account_id) == before

    clock.ns = START + FOUR_HOURS
    (position,) = again.positions(desk.account_id)
    assert position.charged == d("5.6001")
    (opening, _) = again.trades(desk.account_id)
    assert again.position(desk.account_id, opening.trade_id) == position
    assert API_KEY in {key.api_key for key in again.principals}


def test_the_terms_of_margin_are_switches() -> None:
    """Another rate and another period, as a position tells them."""
    quirks = quirks_in(b'{"margin": {"rollover_pct": 0.015, "rollover_hours": 8}}')
    exchange = PaperExchange(
        ScriptedSource(MARKET), StandingClock(), options=ExchangeOptions(quirks=quirks)
    )
    account_id = exchange.create_account(
        "one", "one", "c2VjcmV0", balances={"USD": d("10000")}, has_margin=True
    )
    for event in MARKET:
        exchange.hear(event)
    exchange.add_order(account_id, ask_for("buy", "0.1", leverage=5))
    (position,) = exchange.positions(account_id)

    assert (position.rollover_pct, position.rolls_at) == (d("0.015"), START + 2 * FOUR_HOURS)


def memory(exchange: PaperExchange, account_id: str) -> Any:
    """What must be the same after a restart."""
    return (
        exchange.positions(account_id),
        exchange.standing(account_id, "USD"),
        exchange.has_margin(account_id),
        exchange.ledger(account_id),
        exchange.open_orders(account_id),
    )
