"""History over REST: pages, counts, windows by time and by id, every filter (section 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from paper_desk import START, RestDesk, ask_for, change, d, snapshot
from zoe_tools.paper.engine.funding import Transfer
from zoe_tools.paper.exchange.exchange import ExchangeOptions
from zoe_tools.paper.exchange.faults import FaultRule
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.values.times import NS

SECOND = START // NS
CLIENT_ID = "6d1b345e-2821-40e2-ad83-4ecb18a06876"
MANY = 120


@pytest.fixture(scope="module", params=["in memory", "on disk"])
def busy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RestDesk]:
    """A hundred and twenty purchases of two executions, one a second from the first second on.

    On disk, but for the last two rows of everything, the answers are the same as in memory.
    """
    options, state = None, None
    if request.param == "on disk":
        state = StateFile(tmp_path_factory.mktemp("busy") / "state.sqlite", synchronous="OFF")
        options = ExchangeOptions(history_in_memory=2)
    desk = RestDesk(snapshot(["60000.0 9"], ["70000.5 500"]), state=state, options=options)
    desk.play()
    for _ in range(MANY):
        desk.clock.ns += NS
        desk.exchange.hear(change(asks=["70000.0 0.0005"], at=desk.clock.ns))
        desk.exchange.add_order(desk.account_id, ask_for("buy", "0.001"))
    yield desk
    desk.exchange.close()


@pytest.fixture
def told() -> RestDesk:
    """Four orders of ten seconds each, ten seconds apart: at 10, 20, 30, 40; and what they left.

    0: buys 0.4 in two executions. 1: rests for ten seconds, cancelled. 2: as 1 with a client id.
    3: as 1 with a userref. Then a second later money moves.
    """
    desk = RestDesk()
    desk.exchange.hear(snapshot(["60000.0 9"], ["70000.1 0.30000000", "70000.4 0.15000000"]))
    more: Sequence[Mapping[str, Any]] = ({}, {"cl_ord_id": CLIENT_ID}, {"userref": -7})
    desk.clock.ns += 10 * NS
    desk.exchange.add_order(desk.account_id, ask_for("buy", "0.4", "70000.4"))
    for fields in more:
        desk.clock.ns += 10 * NS
        order = desk.exchange.add_order(desk.account_id, ask_for("buy", "0.1", "50000.0", **fields))
        desk.clock.ns += 5 * NS
        desk.exchange.cancel_order(desk.account_id, order_id=order.order_id)
        desk.clock.ns -= 5 * NS
    desk.clock.ns += 6 * NS
    desk.exchange.deposit(desk.account_id, "BTC", d("-0.5"))
    desk.exchange.transfer(desk.account_id, Transfer(asset="BTC", amount=d("0.25"), target=".F"))
    return desk


def opened(desk: RestDesk) -> list[str]:
    """The ids of all closed orders, the first first."""
    orders = desk.exchange.closed_orders(desk.account_id)
    return [order.order_id for order in sorted(orders, key=lambda one: one.opened_at)]


@pytest.mark.parametrize(
    ("endpoint", "rows", "total"),
    [
        ("ClosedOrders", "closed", MANY),
        ("TradesHistory", "trades", MANY),
        ("Ledgers", "ledger", 4 * MANY + 2),
    ],
)
def test_the_pages_are_the_whole_history_newest_first(
    busy: RestDesk, endpoint: str, rows: str, total: int
) -> None:
    """Fifty a page; `ofs` goes on; the count is the grand total on every page and can be left out.

    Behind the last page there is nothing.
    """
    offsets = range(0, total + 50, 50)
    pages = [busy.private(endpoint, ofs=str(offset)) for offset in offsets]
    seen = [(name, row) for page in pages for name, row in page[rows].items()]
    times = [row.get("time", row.get("opentm")) for _, row in seen]

    assert [len(page[rows]) for page in pages[:-1]] == [50] * (total // 50) + [total % 50]
    assert pages[-1] == {rows: {}, "count": total}
    assert {page["count"] for page in pages} == {total}
    assert len({name for name, _ in seen}) == total
    assert times == sorted(times, reverse=True)
    without = busy.private(endpoint, ofs="50", without_count="true")
    assert without == {rows: pages[1][rows]}


def test_executions_are_counted_singly_and_by_taker(busy: RestDesk) -> None:
    """Two executions are one row, unless they are wanted singly (section 13.2)."""
    joined = busy.private("TradesHistory", ofs="100")
    singly = busy.private("TradesHistory", ofs="200", consolidate_taker="false")

    assert (joined["count"], len(joined["trades"])) == (MANY, 20)
    assert (singly["count"], len(singly["trades"])) == (2 * MANY, 40)
    assert {row["vol"] for row in joined["trades"].values()} == {"0.00100000"}
    assert {row["vol"] for row in singly["trades"].values()} == {"0.00050000"}


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"start": SECOND + 118}, [120, 119]),
        ({"start": SECOND + 10, "end": SECOND + 13}, [13, 12, 11]),
        ({"end": SECOND + 2}, [2, 1]),
        ({"start": f"{SECOND + 10}.5", "end": f"{SECOND + 11}.5"}, [11]),
        ({"start": SECOND + 20, "end": SECOND + 10}, []),
        ({"start": SECOND + 500}, []),
    ],
)
@pytest.mark.parametrize(
    ("endpoint", "rows", "when"),
    [("ClosedOrders", "closed", "closetm"), ("TradesHistory", "trades", "time")],
)
def test_a_window_excludes_its_start_and_includes_its_end(
    busy: RestDesk,
    endpoint: str,
    rows: str,
    when: str,
    fields: Mapping[str, object],
    seconds: list[int],
) -> None:
    """Unix seconds, with fractions too."""
    texts = {name: str(value) for name, value in fields.items()}
    page = busy.private(endpoint, **texts)

    assert [int(row[when]) - SECOND for row in page[rows].values()] == seconds
    assert page["count"] == len(seconds)


@pytest.mark.parametrize("endpoint", ["ClosedOrders", "TradesHistory", "Ledgers"])
@pytest.mark.parametrize("kind", ["ClosedOrders", "TradesHistory", "Ledgers"])
def test_a_window_may_be_bounded_by_any_id_whose_time_is_meant(
    busy: RestDesk, endpoint: str, kind: str
) -> None:
    """The id of an order stands for when it was opened."""
    rows = {"ClosedOrders": "closed", "TradesHistory": "trades", "Ledgers": "ledger"}
    of_second_11 = busy.private(kind, start=str(SECOND + 10), end=str(SECOND + 11))[rows[kind]]
    name = next(iter(of_second_11))
    per_second = 4 if endpoint == "Ledgers" else 1

    later = busy.private(endpoint, start=name)
    earlier = busy.private(endpoint, end=name)
    assert later["count"] == (MANY - 11) * per_second
    assert earlier["count"] == 11 * per_second + (2 if endpoint == "Ledgers" else 0)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, [3, 2, 1, 0]),
        ({"closetime": "open", "start": SECOND + 20}, [3, 2]),
        ({"closetime": "close", "start": SECOND + 20}, [3, 2, 1]),
        ({"closetime": "both", "start": SECOND + 20}, [3, 2, 1]),
        ({"closetime": "open", "end": SECOND + 30}, [2, 1, 0]),
        ({"closetime": "close", "end": SECOND + 30}, [1, 0]),
        ({"closetime": "both", "end": SECOND + 30}, [2, 1, 0]),
        ({"userref": -7}, [3]),
        ({"userref": 8}, []),
        ({"cl_ord_id": CLIENT_ID}, [2]),
    ],
)
def test_closed_orders_are_found_by_time_and_by_the_clients_ids(
    told: RestDesk, fields: Mapping[str, object], found: list[int]
) -> None:
    """`closetime` says which of an order's two times is meant; either will do without."""
    texts = {name: str(value) for name, value in fields.items()}
    ids = opened(told)
    page = told.private("ClosedOrders", **texts)

    assert [ids.index(name) for name in page["closed"]] == found
    assert page["count"] == len(found)


def test_the_executions_of_an_order_are_named_on_request(told: RestDesk) -> None:
    """One row for a taker unless they are wanted singly; only where there are any."""
    first, second = opened(told)[:2]
    both = f"{first},{second}"
    singles = told.private("TradesHistory", consolidate_taker="false")["trades"]
    (joined,) = told.private("TradesHistory")["trades"]

    assert "trades" not in told.private("QueryOrders", txid=first)[first]
    asked = told.private("QueryOrders", txid=both, trades="true")
    assert (asked[first]["trades"], "trades" in asked[second]) == ([joined], False)
    singly = told.private("QueryOrders", txid=both, trades="true", consolidate_taker="false")
    assert singly[first]["trades"] == list(singles)[::-1]
    closed = told.private("ClosedOrders", trades="true")["closed"]
    assert closed[first]["trades"] == [joined]


def test_a_takers_executions_are_one_row_with_their_average(told: RestDesk) -> None:
    """Two prices: 0.3 at 70000.1 and 0.1 at 70000.4 (section 13.2); five decimals."""
    page = told.private("TradesHistory", ledgers="true")
    ((_, row),) = page["trades"].items()
    singles = told.private("TradesHistory", consolidate_taker="false", ledgers="true")

    assert (page["count"], singles["count"]) == (1, 2)
    assert (row["price"], row["vol"], row["cost"]) == (
        "70000.17500",
        "0.40000000",
        "28000.07000",
    )
    assert row["fee"] == "112.00028"
    parts = [name for each in reversed(singles["trades"].values()) for name in each["ledgers"]]
    assert row["ledgers"] == parts
    rows = told.private("QueryLedgers", id=",".join(parts))
    assert {each["refid"] for each in rows.values()} == set(singles["trades"])


def test_single_rows_are_asked_for_by_id_in_the_callers_order(told: RestDesk) -> None:
    """What nobody knows is left out."""
    trades = list(told.private("TradesHistory", consolidate_taker="false")["trades"])
    rows = list(told.private("Ledgers")["ledger"])
    orders = opened(told)
    nobody = "XXXXX-XXXXX-XXXXXX"

    asked = told.private("QueryTrades", txid=",".join([*trades, f"T{nobody}"]), ledgers="true")
    assert list(asked) == trades
    assert all(len(row["ledgers"]) == 2 for row in asked.values())
    assert list(told.private("QueryLedgers", id=",".join(rows[::-1]))) == rows[::-1]
    assert list(told.private("QueryOrders", txid=",".join([*orders, f"O{nobody}"]))) == orders


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"type": "deposit"}, ["deposit", "deposit"]),
        ({"type": "withdrawal"}, ["withdrawal"]),
        ({"type": "transfer"}, ["transfer", "transfer"]),
        ({"type": "trade", "asset": "ZUSD"}, ["trade", "trade"]),
        ({"type": "rollover"}, []),
        ({"asset": "XBT.F"}, ["transfer"]),
        ({"asset": "XBT.F,USD", "type": "all"}, ["transfer", "trade", "trade", "deposit"]),
        ({"asset": "all", "start": str(SECOND + 45)}, ["transfer", "transfer", "withdrawal"]),
        ({"aclass": "currency", "type": "transfer"}, ["transfer", "transfer"]),
        ({"aclass": "tokenized_asset"}, []),
    ],
)
def test_the_ledger_is_filtered_by_asset_class_and_type(
    told: RestDesk, fields: Mapping[str, str], found: list[str]
) -> None:
    """In any spelling of the asset; newest first."""
    page = told.private("Ledgers", **fields)

    assert [row["type"] for row in page["ledger"].values()] == found
    assert page["count"] == len(found)


def test_rows_that_rest_does_not_know_yet_are_not_found_by_id_either(told: RestDesk) -> None:
    """Under the fault `rest-lag` a fill is hidden from lists and look-ups alike."""
    told.exchange.arm_fault(FaultRule(name="rest-lag", for_s=5, delay_s=60))
    told.exchange.add_order(told.account_id, ask_for("buy", "0.01"))
    newest = told.exchange.trades(told.account_id)[-1]
    ids = ",".join(newest.ledger_ids)

    def seen() -> tuple[int, int, int]:
        rows, page = told.private("QueryLedgers", id=ids), told.private("Ledgers", type="trade")
        return len(rows), page["count"], len(told.private("QueryTrades", txid=newest.trade_id))

    before = seen()
    told.clock.ns += 61 * NS
    assert (before, seen()) == ((0, 4, 0), (2, 6, 1))


@pytest.mark.parametrize(
    "endpoint",
    ["Balance", "BalanceEx", "OpenOrders", "ClosedOrders", "TradesHistory", "Ledgers"],
)
def test_the_switch_for_stock_tokens_changes_nothing_here(told: RestDesk, endpoint: str) -> None:
    """`rebase_multiplier` is rebased or base."""
    plain = told.private(endpoint)

    assert told.private(endpoint, rebase_multiplier="base") == plain
    assert told.private(endpoint, rebase_multiplier="rebased") == plain
    refused = told.refusal(endpoint, rebase_multiplier="twice")
    assert refused == "EGeneral:Invalid arguments:rebase_multiplier"
