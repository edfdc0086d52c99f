"""Whatever happens, money is conserved: properties over random sequences of commands and prints."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from paper_desk import Desk, ask_for, change, d, snapshot, stop, traded
from zoe_tools.paper.engine.account import Account, reserve_for
from zoe_tools.paper.values.order import ConditionalClose, PlaceOrder, RelativePrice
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.rounding import half_up

CENT = Decimal("0.0001")
_prices = st.integers(695, 705).map(lambda hundreds: f"{hundreds}00.0")
_sizes = st.integers(1, 300).map(lambda thousandths: f"0.{thousandths:03d}00001")
_sides = st.sampled_from(["buy", "sell"])
_orders: st.SearchStrategy[PlaceOrder] = st.one_of(
    st.builds(ask_for, _sides, _sizes, st.one_of(st.none(), _prices)),
    st.builds(lambda *args: ask_for(*args, time_in_force="ioc"), _sides, _sizes, _prices),
    st.builds(
        lambda side, size, price, kind: stop(side, size, price, order_type=kind),
        _sides,
        _sizes,
        _prices,
        st.sampled_from(["stop-loss", "take-profit"]),
    ),
    st.builds(
        lambda side, size, price, limit: stop(
            side, size, price, order_type="stop-loss-limit", limit_price=d(limit)
        ),
        _sides,
        _sizes,
        _prices,
        _prices,
    ),
    st.builds(
        lambda side, size, price, asset: ask_for(side, size, price, fee_asset=asset),
        _sides,
        _sizes,
        st.one_of(st.none(), _prices),
        st.sampled_from(["base", "quote"]),
    ),
    st.builds(
        lambda side, size, price: ask_for(
            side,
            size,
            price,
            order_type="iceberg",
            display_quantity=max(d("0.0005"), d(size) - d("0.0005")),
        ),
        _sides,
        _sizes,
        _prices,
    ),
    st.builds(lambda *args: ask_for(*args, time_in_force="fok"), _sides, _sizes, _prices),
    st.builds(
        lambda side, size, away, kind: ask_for(
            side,
            size,
            order_type="trailing-stop" if kind is None else "trailing-stop-limit",
            trigger_price=RelativePrice(value=Decimal(away)),
            limit_price=kind,
        ),
        _sides,
        _sizes,
        st.integers(50, 400),
        st.sampled_from([None, RelativePrice(value=Decimal(30), is_unsigned=True)]),
    ),
    st.builds(
        lambda cost: ask_for("buy", "0", quote_quantity=Decimal(cost)), st.integers(1, 30000)
    ),
    st.builds(
        lambda side, size, price, closing: ask_for(
            side,
            size,
            price,
            close=ConditionalClose(order_type="limit", limit_price=d(closing)),
        ),
        _sides,
        _sizes,
        _prices,
        _prices,
    ),
)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.integers(0, 1), _orders),
        st.tuples(st.just("print"), _prices, _sizes),
        st.tuples(st.just("book"), _prices, _sizes),
        st.tuples(st.just("cancel"), st.integers(0, 50), st.none()),
        st.tuples(st.just("amend"), st.integers(0, 50), st.one_of(_prices, _sizes)),
    ),
    max_size=40,
)


def _play(desk: Desk, other: str, step: tuple[str, object, object]) -> None:
    match step:
        case ("place", int(who), PlaceOrder() as request):
            desk.place(request, other if who else desk.account_id)
        case ("print", str(price), str(size)):
            desk.hear(traded(price, size))
        case ("book", str(price), str(size)):
            below = f"{Decimal(price) - 1} {size}"
            desk.hear(change(bids=[below], asks=[f"{price} {size}"]))
        case (_, int(index), value):
            _change_one(desk, index, value)
        case _:
            raise AssertionError(step)


def _change_one(desk: Desk, index: int, value: object) -> None:
    """Amend an open order to a price or a quantity; cancel it without either."""
    working = [order for account in desk.floor.accounts.values() for order in account.open.values()]
    if not working:
        return
    order = working[index % len(working)]
    if value is None:
        desk.cancel(order)
        return
    number = d(str(value))
    key = "limit_price" if number > 1 else "quantity"
    desk.amend(order, **{key: number})


@settings(max_examples=400, deadline=None)
@given(steps=_steps, holds=st.booleans())
def test_money_holds_and_fills_always_add_up(
    steps: list[tuple[str, object, object]],
    holds: bool,  # noqa: FBT001 - hypothesis hands arguments over by name
) -> None:
    """After any sequence: ledgers chain, balances are never negative, holds equal needs, the sum of
    an order's fills is its filled quantity, and the books balance to the rounding of the ledger.
    """  # noqa: D205 - one rule, five parts
    desk = Desk(usd="60000", btc="1", holds_before_trigger=holds)
    other = desk.open_account("other", usd="40000", btc="0.5")
    desk.hear(snapshot(["69900.0 0.3"], ["70100.0 0.3"]), traded("70000.0", "0.1"))
    for step in steps:
        try:
            _play(desk, other, step)
        except Refusal:
            continue

    for account in desk.floor.accounts.values():
        _assert_ledger_chains(account)
        _assert_orders_add_up(desk, account)
        _assert_holds_equal_needs(desk, account)
    _assert_nothing_appears_from_nowhere(desk)


def _assert_ledger_chains(account: Account) -> None:
    running: dict[str, Decimal] = {}
    for row in account.ledger.values():
        running[row.asset] = running.get(row.asset, Decimal(0)) + row.amount - row.fee
        assert row.balance == running[row.asset]
        assert row.balance >= 0
    assert running == account.balances


def _assert_orders_add_up(desk: Desk, account: Account) -> None:
    for order in [*account.open.values(), *account.closed.values()]:
        trades = [account.trades[trade_id] for trade_id in order.trade_ids]
        assert order.filled == sum(trade.quantity for trade in trades)
        assert order.cost == sum(trade.cost for trade in trades)
        assert order.fee == sum(trade.fee for trade in trades)
        assert order.fee_base == sum(trade.fee_base for trade in trades)
        assert order.filled <= order.quantity
        assert order.status != "closed" or order.remaining == 0
    for trade in account.trades.values():
        spec = desk.floor.pairs[trade.symbol]
        placed = account.open.get(trade.order_id) or account.closed[trade.order_id]
        if placed.quote_quantity is not None:
            assert placed.cost <= placed.quote_quantity
            continue
        assert trade.cost == half_up(trade.price * trade.quantity, spec.cost_decimals)


def _assert_holds_equal_needs(desk: Desk, account: Account) -> None:
    for asset in desk.floor.assets:
        needs = [
            reserve_for(order, desk.floor.pairs[order.symbol])
            for order in account.open.values()
            if order.order_id in account.reserves
        ]
        assert account.held(asset) == sum(amount for name, amount in needs if name == asset)
    if not account.open:
        assert account.reserves == {}


def _assert_nothing_appears_from_nowhere(desk: Desk) -> None:
    """Per account: deposits plus signed fills minus fees, up to half a cent of a cent a row."""
    for account in desk.floor.accounts.values():
        rows = account.ledger.values()
        dollars = sum(row.amount for row in rows if row.asset == "USD" and row.type == "deposit")
        bitcoin = sum(row.amount for row in rows if row.asset == "BTC" and row.type == "deposit")
        for trade in account.trades.values():
            sign = 1 if trade.side == "sell" else -1
            dollars += sign * trade.cost - trade.fee
            bitcoin -= sign * trade.quantity + trade.fee_base
        assert abs(account.balance("USD") - dollars) <= CENT * len(account.trades)
        assert account.balance("BTC") == bitcoin
