"""The worked example of section 17.6, number by number."""

from __future__ import annotations

from paper_desk import Desk, ask_for, d, snapshot, traded


def _desk() -> Desk:
    desk = Desk(usd="100000", btc="0")
    desk.hear(snapshot([], ["70000.1 0.30000000", "70000.4 0.15000000"]))
    return desk


def test_limit_buy_takes_two_levels_rests_and_is_hit_as_maker() -> None:
    """Costs, fees, averages, streams, ledger rows and holds are exactly the published ones."""
    desk = _desk()
    order = desk.place(ask_for("buy", "0.50", "70000.5"))

    taken = [(trade.price, trade.quantity, trade.cost, trade.fee) for trade in desk.trades()]
    assert taken == [
        (d("70000.1"), d("0.3"), d("21000.03000"), d("84.00012")),
        (d("70000.4"), d("0.15"), d("10500.06000"), d("42.00024")),
    ]
    assert (order.cost, order.fee) == (d("31500.09000"), d("126.00036"))
    assert order.average_price == d("70000.2")
    assert desk.account().held("USD") == d("3514.0251")

    desk.hear(traded("70000.5", "0.05"))
    order = desk.order(order)
    last = desk.trades()[-1]

    assert (last.cost, last.fee, last.is_maker) == (d("3500.02500"), d("8.75006"), True)
    assert (order.status, order.filled) == ("closed", d("0.50000000"))
    assert (order.cost, order.fee) == (d("35000.11500"), d("134.75042"))
    assert round(order.average_price, 5) == d("70000.23000")
    assert desk.account().held("USD") == 0
    assert desk.kinds() == ["pending_new", "new", "trade", "trade", "trade", "filled"]


def test_six_ledger_rows_in_pairs_chain_to_the_final_balances() -> None:
    """Each fill gives a quote row with the fee and a base row, sharing the trade's id."""
    desk = _desk()
    desk.place(ask_for("buy", "0.50", "70000.5"))
    desk.hear(traded("70000.5", "0.05"))
    rows = [row for row in desk.rows() if row.type == "trade"]

    assert [(row.asset, row.amount, row.fee, row.balance) for row in rows] == [
        ("USD", d("-21000.0300"), d("84.0001"), d("78915.9699")),
        ("BTC", d("0.3"), d("0"), d("0.3")),
        ("USD", d("-10500.0600"), d("42.0002"), d("68373.9097")),
        ("BTC", d("0.15"), d("0"), d("0.45")),
        ("USD", d("-3500.0250"), d("8.7501"), d("64865.1346")),
        ("BTC", d("0.05"), d("0"), d("0.50")),
    ]
    assert [row.ref_id for row in rows[::2]] == [row.ref_id for row in rows[1::2]]
    assert {row.subtype for row in rows} == {"tradespot"}


def test_the_whole_order_is_reserved_with_the_takers_fee_before_anything_fills() -> None:
    """Section 17.6: the hold starts from 35000.25 and the fee reserve."""
    desk = Desk(usd="100000", btc="0")
    desk.place(ask_for("buy", "0.50", "70000.5"))

    assert desk.account().held("USD") == d("35140.2510")


def test_cancelling_the_remainder_keeps_what_was_filled() -> None:
    """The alternative ending: canceled with 0.45 filled."""
    desk = _desk()
    order = desk.place(ask_for("buy", "0.50", "70000.5"))
    desk.cancel(order)

    assert (desk.order(order).status, desk.order(order).filled) == ("canceled", d("0.45"))
    assert desk.order(order).reason == "User requested"
    assert desk.account().held("USD") == 0
