"""The state file: what was told is there, and a reopened exchange is the same exchange."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from paper_desk import (
    API_KEY,
    START,
    Desk,
    RestDesk,
    ScriptedSource,
    StandingClock,
    ask_for,
    change,
    d,
    snapshot,
    stop,
    traded,
)
from zoe_tools.errors import ConfigError
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.faults import FaultRule
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.values.events import EngineEvent
from zoe_tools.paper.values.market import MarketEvent
from zoe_tools.paper.values.order import AmendOrder, PlaceOrder
from zoe_tools.paper.values.times import NS
from zoe_tools.runtime.virtual_loop import run_virtual

SCRIPT: tuple[MarketEvent, ...] = (
    snapshot(["69999.9 1.00000000", "69999.0 3.00000000"], ["70000.1 1.00000000"]),
    traded("70000.0", "0.10000000", at=START + NS),
    change(bids=["69999.9 0.80000000"], at=START + 2 * NS),
)
LATER: tuple[MarketEvent, ...] = (
    traded("69999.0", "3.20000000", at=START + 3 * NS),
    traded("68000.0", "0.10000000", at=START + 4 * NS),
)


def _busy_desk(path: Path) -> RestDesk:
    """A desk with fills, a queued order, a waiting stop, a canceled order and a spent nonce."""
    desk = RestDesk(*SCRIPT, state=StateFile(path))
    desk.play()
    exchange, account = desk.exchange, desk.account_id
    exchange.add_order(account, ask_for("buy", "0.3"))
    exchange.add_order(account, ask_for("buy", "0.5", "69999.0", cl_ord_id="queued"))
    exchange.add_order(account, stop("sell", "0.2", "68500.0"))
    gone = exchange.add_order(account, ask_for("sell", "0.1", "71000.0"))
    exchange.cancel_order(account, order_id=gone.order_id)
    exchange.amend_order(account, AmendOrder(cl_ord_id="queued", quantity=d("0.45")))
    exchange.cancel_after(account, 3600)
    desk.private("Balance")
    return desk


def _all_of(exchange: PaperExchange, account: str) -> dict[str, Any]:
    floor = exchange._floor
    book = floor.books["BTC/USD"]
    return {
        "open": exchange.open_orders(account),
        "closed": exchange.closed_orders(account),
        "trades": exchange.trades(account),
        "ledger": exchange.ledger(account),
        "balances": exchange.balances(account),
        "volume": exchange.volume(account),
        "book": exchange.book("BTC/USD", 10),
        "ticker": exchange.ticker("BTC/USD"),
        "bars": exchange.bars("BTC/USD", 5),
        "prints": exchange.prints("BTC/USD"),
        "queue": [(one.order_id, one.ahead) for one in book.resting["buy"]],
        "waiting": dict(book.waiting),
        "counters": dict(floor.mint.counters),
        "nonce": exchange.nonce_of(API_KEY),
        "principals": exchange.principals,
        "mode": exchange.mode,
        "amends": [
            exchange.amends_of(account, order.order_id)
            for order in (*exchange.open_orders(account), *exchange.closed_orders(account))
        ],
        "dead men": floor.dead_men,
    }


def test_a_killed_exchange_comes_back_as_it_was(tmp_path: Path) -> None:
    """No close, no save: everything that was told is in the file."""
    desk = _busy_desk(tmp_path / "state.sqlite")
    before = _all_of(desk.exchange, desk.account_id)
    again = PaperExchange(
        ScriptedSource(SCRIPT), desk.clock, state=StateFile(tmp_path / "state.sqlite"), seed=7
    )

    assert _all_of(again, desk.account_id) == before


@pytest.mark.parametrize(
    "happening",
    [
        (),
        (change(bids=["69999.9 0.40000000"], asks=["70000.1 0.20000000"]),),
        (snapshot(["69999.9 0.10000000"], ["70003.0 1.00000000"]),),
        (traded("69999.9", "0.30000000"),),
        (ask_for("buy", "0.2", "69999.9"),),
        (ask_for("buy", "0.2", "70000.1"),),
        (ask_for("sell", "0.2", "69999.9"),),
    ],
    ids=["nothing", "levels", "book", "print", "joins", "takes", "takes from the queue's level"],
)
def test_what_changed_in_a_market_since_the_last_order_is_in_the_file(
    tmp_path: Path, happening: tuple[MarketEvent | PlaceOrder, ...]
) -> None:
    """Levels, places in the queue, prices: after a kill the market stands as it stood."""
    desk = RestDesk(SCRIPT[0], state=StateFile(tmp_path / "state.sqlite"))
    desk.play()
    desk.exchange.add_order(desk.account_id, ask_for("buy", "0.1", "69999.9"))
    for each in happening:
        if isinstance(each, PlaceOrder):
            desk.exchange.add_order(desk.account_id, each)
        else:
            desk.exchange.hear(each)
    desk.exchange.add_order(desk.account_id, ask_for("sell", "0.1", "80000.0"))
    before = _all_of(desk.exchange, desk.account_id)
    again = PaperExchange(None, desk.clock, state=StateFile(tmp_path / "state.sqlite"))

    assert _all_of(again, desk.account_id) == before


def test_an_exchange_without_a_source_serves_what_was_last_known(tmp_path: Path) -> None:
    """For an auditor that only reads."""
    desk = _busy_desk(tmp_path / "state.sqlite")
    desk.exchange.close()
    frozen = PaperExchange(None, desk.clock, state=StateFile(tmp_path / "state.sqlite"))

    assert frozen.ticker("BTC/USD").last == d("70000.1")
    assert frozen.pair("XXBTZUSD").symbol == "BTC/USD"
    run_virtual(frozen.run())
    assert frozen.finished.is_set()


def test_a_reopened_exchange_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    """The rest of the market gives the same fills, ids and balances with and without a restart."""
    script = (*SCRIPT, *LATER)

    def go_on(desk: RestDesk, state: StateFile) -> dict[str, Any]:
        exchange = PaperExchange(ScriptedSource(script), desk.clock, state=state, seed=7)
        run_virtual(exchange.run())
        return _all_of(exchange, desk.account_id)

    once = _busy_desk(tmp_path / "a.sqlite")
    restarted = go_on(once, StateFile(tmp_path / "a.sqlite"))
    straight = _busy_desk(tmp_path / "b.sqlite")
    for event in LATER:
        straight.clock.ns = event.at
        straight.exchange._tell(straight.exchange._engine.market(event))

    assert restarted == _all_of(straight.exchange, straight.account_id)
    assert [order.filled for order in restarted["open"]] == [d("0.3")]
    assert [order.order_type for order in restarted["closed"]] == ["market", "limit", "stop-loss"]


def test_every_event_is_in_the_file_before_it_is_told(tmp_path: Path) -> None:
    """A listener that reads the file finds the order it hears of."""
    path = tmp_path / "state.sqlite"
    desk = RestDesk(*SCRIPT, state=StateFile(path))
    desk.play()
    counts: list[tuple[int, int]] = []

    def listen(_: EngineEvent) -> None:
        with sqlite3.connect(path) as reader:
            (orders,) = reader.execute("SELECT count(*) FROM orders").fetchone()
            (trades,) = reader.execute("SELECT count(*) FROM trades").fetchone()
        reader.close()
        counts.append((orders, trades))

    desk.exchange.add_listener(listen)
    desk.exchange.add_order(desk.account_id, ask_for("buy", "0.3"))

    assert set(counts) == {(1, 1)}


def test_ids_go_on_and_never_repeat_after_a_restart(tmp_path: Path) -> None:
    """Counters are part of the state."""
    desk = _busy_desk(tmp_path / "state.sqlite")
    old = {order.order_id for order in desk.exchange.closed_orders(desk.account_id)}
    old |= {order.order_id for order in desk.exchange.open_orders(desk.account_id)}
    again = PaperExchange(
        ScriptedSource(SCRIPT), desk.clock, state=StateFile(tmp_path / "state.sqlite"), seed=99
    )
    new = again.add_order(desk.account_id, ask_for("buy", "0.01", "60000.0"))

    assert new.order_id not in old


def test_a_file_that_cannot_be_opened_is_a_clear_error(tmp_path: Path) -> None:
    """With a hint, exit code 2."""
    (tmp_path / "state.sqlite").write_text("this is no database, and long enough to show it" * 50)
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        StateFile(tmp_path / "state.sqlite")

    assert caught.value.hint


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE meta SET value = '{}' WHERE name = 'situation'",
        "UPDATE meta SET value = x'ff00' WHERE name = 'situation'",
        "UPDATE keys SET value = 'null'",
        "UPDATE markets SET last = 'much'",
        "UPDATE markets SET value = '[]'",
        "UPDATE orders SET value = '{}', ended = NULL",
        "UPDATE ledger SET value = x'ff'",
    ],
)
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, damage: str) -> None:
    """With a hint, exit code 2; never a bug of zoe."""
    path = tmp_path / "state.sqlite"
    _busy_desk(path).exchange.close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(damage)

    def reopened(state: StateFile) -> None:
        state.last_prices()
        PaperExchange(None, StandingClock(), state=state)

    with (
        closing(StateFile(path)) as state,
        pytest.raises(ConfigError, match="is damaged") as caught,
    ):
        reopened(state)

    assert caught.value.hint


def test_the_same_seed_gives_the_same_ids() -> None:
    """And another seed others."""
    ids = [
        PaperExchange(ScriptedSource(), StandingClock(), seed=seed)._floor.mint.order()
        for seed in (1, 1, 2)
    ]

    assert ids[0] == ids[1] != ids[2]


def test_two_desks_play_the_same_script_to_the_same_events() -> None:
    """The engine throws no dice."""
    said = []
    for _ in range(2):
        desk = Desk()
        desk.hear(*SCRIPT)
        desk.place(ask_for("buy", "0.4"))
        desk.place(stop("sell", "0.2", "69999.0"))
        desk.hear(*LATER)
        said.append(desk.events)

    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("minutes_later", "expected"),
    [(0, "maintenance"), (1, "cancel_only"), (2, "post_only"), (3, "online"), (600, "online")],
)
def test_a_maintenance_outlives_the_exchange_and_ends(
    tmp_path: Path, minutes_later: int, expected: str
) -> None:
    """A kill in the middle of one leaves nobody shut out for good: the modes are on disk."""
    path = tmp_path / "paper.sqlite"
    desk = RestDesk(*SCRIPT, state=StateFile(path))
    desk.play()
    desk.exchange.arm_fault(FaultRule(name="maintenance", delay_s=60))
    assert desk.exchange.mode == "maintenance"
    began = desk.exchange.now()
    desk.exchange.close()

    again = PaperExchange(
        None, StandingClock(began + minutes_later * 60 * NS), state=StateFile(path)
    )
    assert again.mode == expected
    again.close()
