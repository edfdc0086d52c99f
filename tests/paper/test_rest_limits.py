"""Limits as clients meet them: which key and which account pays, over REST and over the socket."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from paper_desk import API_KEY, RestDesk, ScriptedSource, ask_for, d
from paper_socket import SocketDesk, at_desk
from zoe_tools.paper.engine.rate_counters import TierName
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.exchange.keys import SignedCall, sign
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.rest.dialect import RestDialect, RestRequest
from zoe_tools.paper.values.order import AmendOrder, EditOrder
from zoe_tools.paper.values.quirks import Quirks
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS

TOO_MANY = "EGeneral:Too many requests"
OVER = "EAPI:Rate limit exceeded"
ORDERS_OVER = "EOrder:Rate limit exceeded"
STARTER = ExchangeOptions(tier="starter")
BUY = {
    "pair": "XBTUSD",
    "type": "buy",
    "ordertype": "limit",
    "price": "60000",
    "volume": "0.0001",
}


def limited(tier: TierName = "starter", state: StateFile | None = None) -> RestDesk:
    """A desk whose calls are counted."""
    return RestDesk(options=ExchangeOptions(tier=tier), state=state)


def rate(desk: RestDesk, symbol: str = "BTC/USD") -> Decimal:
    """The engine's counter of the desk's account."""
    return desk.exchange.rate_count(desk.account_id, symbol)


def buy(desk: RestDesk, **more: str) -> str:
    """Place an order; its id."""
    return str(desk.private("AddOrder", **BUY, **more)["txid"][0])


# REST
@pytest.mark.parametrize(("tier", "burst"), [("starter", 15), ("intermediate", 20), ("pro", 20)])
def test_a_burst_of_calls_ends_at_the_tiers_maximum(tier: TierName, burst: int) -> None:
    """Section 3.1; HTTP 200 all the same."""
    desk = limited(tier)
    for _ in range(burst):
        desk.private("Balance")

    assert desk.refusal("Balance") == OVER


def test_who_keeps_hammering_stays_refused_until_a_pause() -> None:
    """Section 3.1: it continues for as long as the caller goes on."""
    desk = limited()
    for _ in range(15):
        desk.private("Balance")
    answers = set()
    for _ in range(100):
        desk.clock.ns += NS
        answers.add(desk.refusal("Balance"))
    desk.clock.ns += 4 * NS

    assert answers == {OVER}
    assert desk.answer("Balance")["error"] == []


def test_history_costs_two_points_and_orders_none() -> None:
    """Seven histories leave one point, with which orders have nothing to do."""
    desk = limited()
    for name in ("Ledgers", "TradesHistory", "Ledgers", "TradesHistory") * 2:
        desk.answer(name)
    buy(desk)
    desk.private("CancelAll")

    assert desk.exchange.rest_count(API_KEY) == 15
    assert desk.refusal("Balance") == OVER
    assert desk.private("CancelAll") == {"count": 0}


def test_a_call_with_a_spent_nonce_counts_unless_told_otherwise() -> None:
    """A support note of old; unsure, so it is a setting."""
    counts = []
    for is_counted in (True, False):
        rules = Quirks(counts_bad_nonces=is_counted)
        desk = RestDesk(options=ExchangeOptions(tier="starter", quirks=rules))
        desk.private("Balance")
        desk.nonce -= 1
        assert desk.refusal("Balance") == "EAPI:Invalid nonce"
        counts.append(desk.exchange.rest_count(API_KEY))

    assert counts == [2, 1]


def test_a_forged_call_costs_its_victim_nothing() -> None:
    """Without the secret nobody fills another's counter."""
    desk = limited()
    for _ in range(15):
        desk.raw("POST", "/0/private/Balance", body="nonce=9", api_key=API_KEY, api_sign="forged")

    assert desk.exchange.rest_count(API_KEY) == 0


def test_without_limits_nothing_is_counted() -> None:
    """The default of an exchange in process."""
    desk = RestDesk()
    for _ in range(100):
        desk.private("Ledgers")
    for number in range(100):
        desk.private("CancelOrder", txid=buy(desk, userref=str(number)))

    assert desk.exchange.rest_count(API_KEY) == rate(desk) == 0


# public
def _public(desk: RestDesk, path: str, client: str = "", pair: str = "XBTUSD") -> str:
    request = RestRequest(
        method="GET", path=f"/0/public/{path}", query=f"pair={pair}", headers={}, body=b""
    )
    answer = json.loads(desk.dialect.answer(replace(request, client=client)))
    return "".join(answer["error"])


def test_public_calls_are_free_unless_a_number_is_set() -> None:
    """Kraken publishes none: by address and endpoint, and for some endpoints by pair."""
    free, desk = (
        RestDesk(options=ExchangeOptions(quirks=Quirks(public_calls_per_s=number)))
        for number in (None, 2)
    )
    assert {_public(free, "Depth") for _ in range(50)} == {""}
    asked = [_public(desk, "Depth", pair=pair) for pair in ("XBTUSD", "XXBTZUSD", "BTC/USD")]
    others = [_public(desk, "Ticker"), _public(desk, "Depth", client="10.0.0.1")]
    desk.clock.ns += NS // 2
    later = [_public(desk, "Depth") for _ in range(2)]

    assert asked == ["", "", TOO_MANY]
    assert others == ["", ""]
    assert later == ["", TOO_MANY]


# the engine
def test_the_figures_of_seven_orders_and_seven_cancels_at_the_venue() -> None:
    """Section 17.7: 61, the last cancel is let through, and no order is until 60 are left."""
    desk = limited()
    names = [buy(desk) for _ in range(7)]
    assert rate(desk) == 7
    desk.clock.ns += 2 * NS
    for name in names:
        desk.private("CancelOrder", txid=name)

    assert rate(desk) == 61
    assert desk.refusal("AddOrder", **BUY) == ORDERS_OVER
    desk.clock.ns += NS
    assert rate(desk) == 60
    assert desk.refusal("AddOrder", **BUY) == ORDERS_OVER
    desk.clock.ns += NS
    buy(desk)
    assert rate(desk) == 60


def test_single_cancels_are_refused_above_the_limit_where_that_is_set() -> None:
    """Unsure, so it is a setting; a batch is never refused."""
    desk = RestDesk(options=replace(STARTER, quirks=Quirks(refuses_cancels=True)))
    names = [buy(desk) for _ in range(8)]
    for name in names[:6]:
        desk.private("CancelOrder", txid=name)

    assert rate(desk) == 56
    assert desk.refusal("CancelOrder", txid=names[6]) == ORDERS_OVER
    assert desk.private("CancelOrderBatch", orders=",".join(names[6:])) == {"count": 2}
    assert rate(desk) == 72


def _amend_nothing(exchange: PaperExchange, account_id: str, order_id: str) -> None:
    exchange.amend_order(account_id, AmendOrder(order_id=order_id, limit_price=d("60000")))


def _amend_down(exchange: PaperExchange, account_id: str, order_id: str) -> None:
    exchange.amend_order(account_id, AmendOrder(order_id=order_id, quantity=d("0.00009")))


def _edit(exchange: PaperExchange, account_id: str, order_id: str) -> None:
    exchange.edit_order(
        account_id, EditOrder(symbol="BTC/USD", order_id=order_id, limit_price=d("60001"))
    )


def _edit_by_userref(exchange: PaperExchange, account_id: str, _: str) -> None:
    exchange.add_order(account_id, ask_for("buy", "0.0001", "60000", userref=5))
    exchange.edit_order(account_id, EditOrder(symbol="BTC/USD", userref=5, limit_price=d("60001")))


def _edit_another(exchange: PaperExchange, account_id: str, order_id: str) -> None:
    exchange.edit_order(account_id, EditOrder(symbol="BTC/USD", order_id=f"{order_id}?"))


def _cancel_another(exchange: PaperExchange, account_id: str, order_id: str) -> None:
    exchange.cancel_order(account_id, order_id=f"{order_id}?")


def _add_for_nothing(exchange: PaperExchange, account_id: str, _: str) -> None:
    exchange.add_order(account_id, ask_for("buy", "10", "60000"))


def _add_batch(exchange: PaperExchange, account_id: str, _: str) -> None:
    exchange.add_batch(account_id, [ask_for("buy", "0.0001", "60000")] * 5)


def _cancel_all(exchange: PaperExchange, account_id: str, _: str) -> None:
    exchange.cancel_all(account_id)


@pytest.mark.parametrize(
    ("do", "after_s", "added"),
    [
        (_amend_down, 6, "3"),
        (_amend_nothing, 6, "1"),
        (_edit, 4, "7"),
        (_edit, 12, "5"),
        (_edit, 100, "1"),
        (_edit_by_userref, 4, "8"),
        (_edit_another, 4, "1"),
        (_cancel_another, 4, "0"),
        (_add_for_nothing, 4, "1"),
        (_add_batch, 4, "2.5"),
        (_cancel_all, 4, "1"),
    ],
)
def test_a_transaction_adds_its_points_and_a_failed_one_its_fixed_part(
    do: Callable[[PaperExchange, str, str], None], after_s: int, added: str
) -> None:
    """The table of section 3.2, by the order's age."""
    desk = limited("pro")
    name = buy(desk)
    desk.clock.ns += after_s * NS
    before = rate(desk)
    with suppress(Refusal):
        do(desk.exchange, desk.account_id, name)

    assert rate(desk) - before == d(added)


def test_an_order_that_an_amendment_ends_pays_for_its_age_before() -> None:
    """Section 3.2: 1 for the amendment, and the cancel of an order of 20 s: 4."""
    desk = limited("pro")
    desk.exchange.add_order(desk.account_id, ask_for("sell", "0.0001", "60000"))
    other = desk.exchange.create_account(
        "other", "other", base64.b64encode(b"x").decode(), balances={"USD": d("1000")}
    )
    order = desk.exchange.add_order(other, ask_for("buy", "0.0002", "60000"))
    assert order.filled == d("0.0001")
    desk.clock.ns += 20 * NS
    _, after = desk.exchange.amend_order(
        other, AmendOrder(order_id=order.order_id, quantity=d("0.00005"))
    )

    assert after.status == "canceled"
    assert desk.exchange.rate_count(other, "BTC/USD") == 1 + 4


def test_an_amended_order_is_young_again_though_its_trail_is_on_disk(tmp_path: Path) -> None:
    """The age counts from the last amendment, before and after a restart."""
    desk = limited("pro", StateFile(tmp_path / "state.sqlite"))
    name = buy(desk)
    desk.clock.ns += 400 * NS
    desk.private("AmendOrder", txid=name, limit_price="60001")
    desk.exchange.close()
    state = StateFile(tmp_path / "state.sqlite")
    options = ExchangeOptions(tier="pro")
    exchange = PaperExchange(ScriptedSource(), desk.clock, state=state, options=options)
    before = exchange.rate_count(desk.account_id, "BTC/USD")
    exchange.cancel_order(desk.account_id, order_id=name)

    assert exchange.rate_count(desk.account_id, "BTC/USD") - before == 8
    exchange.close()


def test_a_refused_transaction_changes_neither_orders_nor_the_counter() -> None:
    """Above the threshold: amend and edit too, and nothing is added by asking."""
    desk = limited()
    names = [buy(desk) for _ in range(8)]
    desk.private("CancelOrderBatch", orders=",".join(names[1:]))
    before = desk.private("OpenOrders")
    refusals = {
        desk.refusal("AddOrder", **BUY),
        desk.refusal("AmendOrder", txid=names[0], limit_price="60001"),
        desk.refusal("EditOrder", pair="XBTUSD", txid=names[0], price="60001"),
    }

    assert refusals == {ORDERS_OVER}
    assert rate(desk) == 8 + 7 * 8
    assert desk.private("OpenOrders") == before


def test_the_dead_mans_switch_is_charged_to_no_pair_and_has_a_limit_of_its_own() -> None:
    """+1 on the account (section 3.2), refused as `EOrder:Domain rate limit exceeded`."""
    desk = limited()
    for _ in range(60):
        desk.private("CancelAllOrdersAfter", timeout="60")

    assert rate(desk) == 0
    refused = desk.refusal("CancelAllOrdersAfter", timeout="60")
    assert refused == "EOrder:Domain rate limit exceeded"


# who shares what
@pytest.mark.parametrize(
    ("options", "most", "calls", "open_orders"),
    [
        (ExchangeOptions(tier="pro"), 60, "15", 60),
        (ExchangeOptions(), 125, "0", 70),
    ],
)
def test_an_account_may_have_a_tier_of_its_own(
    options: ExchangeOptions, most: int, calls: str, open_orders: int, tmp_path: Path
) -> None:
    """A starter among pros, after a restart too; without limits it counts nothing."""
    desk = RestDesk(options=options, state=StateFile(tmp_path / "state.sqlite"))
    secret = base64.b64encode(b"small").decode()
    small = desk.exchange.create_account(
        "small", "small", secret, balances={"USD": d("1000")}, tier="starter"
    )
    exchange = PaperExchange(
        ScriptedSource(),
        desk.clock,
        state=StateFile(tmp_path / "state.sqlite"),
        seed=7,
        options=options,
    )
    path = "/0/private/Balance"
    for nonce in map(str, range(1, 17)):
        body = f"nonce={nonce}".encode()
        signature = sign(secret=secret, path=path, body=body, nonce=nonce)
        with suppress(Refusal):
            exchange.authenticate(
                SignedCall(api_key="small", signature=signature, path=path, body=body, nonce=nonce)
            )
    counted = exchange.rest_count("small")
    for _ in range(70):
        with suppress(Refusal):
            exchange.add_order(small, ask_for("buy", "0.0001", "60000"))
        desk.clock.ns += 2 * NS

    assert exchange.most_rate_count(small) == most
    assert exchange.most_rate_count(desk.account_id) == (180 if options.tier else 125)
    assert len(exchange.open_orders(small)) == open_orders
    assert counted == d(calls)


def test_two_keys_of_one_account_share_the_engines_counter_alone() -> None:
    """The REST counter is the key's, the engine's is the account's."""
    desk = limited()
    secret = base64.b64encode(b"second").decode()
    desk.exchange.add_key(desk.account_id, "second", secret)
    for _ in range(15):
        desk.private("Balance")
    buy(desk)

    def ask(name: str, nonce: str, **fields: str) -> list[str]:
        path, body = f"/0/private/{name}", urlencode({"nonce": nonce, **fields})
        signed = sign(secret=secret, path=path, body=body.encode(), nonce=nonce)
        answer = desk.raw("POST", path, body=body, api_key="second", api_sign=signed)
        return list(answer["error"])

    assert (desk.refusal("Balance"), ask("Balance", "1")) == (OVER, [])
    assert ask("AddOrder", "2", **BUY) == []
    assert rate(desk) == 2


def test_rest_and_the_socket_fill_the_same_counter() -> None:
    """Per account and pair, whatever the protocol; another pair has its own."""

    async def story(desk: SocketDesk) -> tuple[list[Decimal], str]:
        wire = await desk.connect(is_private=True)
        order: dict[str, Any] = {
            "order_type": "limit",
            "side": "buy",
            "symbol": "BTC/USD",
            "order_qty": 0.0001,
            "limit_price": 60000.0,
            "token": desk.token,
        }
        (answer,) = (
            one for one in await wire.ask("add_order", **order) if one.get("method") == "add_order"
        )
        counts = [desk.exchange.rate_count(desk.account_id, "BTC/USD")]
        for _ in range(59):
            desk.exchange.add_order(desk.account_id, ask_for("buy", "0.0001", "60000"))
        counts.append(desk.exchange.rate_count(desk.account_id, "BTC/USD"))
        frames = await wire.ask("add_order", **order)
        assert answer["success"]
        return counts, next(one["error"] for one in frames if one.get("method") == "add_order")

    counts, error = at_desk(story, options=STARTER)

    assert counts == [d("1"), d("60")]
    assert error == ORDERS_OVER


def test_a_restart_keeps_every_counter(tmp_path: Path) -> None:
    """Whoever was refused before is refused after."""
    desk = limited(state=StateFile(tmp_path / "state.sqlite"))
    for _ in range(15):
        desk.private("Balance")
    for _ in range(59):
        buy(desk)
    assert desk.refusal("AddOrder", **BUY | {"volume": "100"}) == "EOrder:Insufficient funds"
    before = (desk.exchange.rest_count(API_KEY), rate(desk))
    state = StateFile(tmp_path / "state.sqlite")  # as after SIGKILL: nothing was closed
    desk.exchange = PaperExchange(
        ScriptedSource(), desk.clock, state=state, seed=7, options=STARTER
    )
    desk.dialect = RestDialect(desk.exchange)

    assert before == (d("15"), d("60"))
    assert (desk.exchange.rest_count(API_KEY), rate(desk)) == before
    assert (desk.refusal("Balance"), desk.refusal("AddOrder", **BUY)) == (OVER, ORDERS_OVER)
