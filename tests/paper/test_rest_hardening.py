"""Bad input over REST, kind by kind: words of Kraken's, status 200, and the next call is served."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import urlencode

import pytest

from paper_asgi import Call, asked
from paper_desk import API_KEY, API_SECRET, RestDesk, snapshot, traded
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.runtime.virtual_loop import run_virtual

FORM = b"application/x-www-form-urlencoded"
JSON = b"application/json"
BALANCE = "/0/private/Balance"


def told(call: Call) -> list[str]:
    """The errors of the answer; the server stays up and logs no failure."""
    desk = RestDesk(snapshot(["69999.0 1.0"], ["70001.0 1.0"]), traded("70000.0", "0.5"))
    desk.play()
    app = create_app(desk.exchange, proof_secret=None)

    async def run() -> tuple[tuple[int, bytes], tuple[int, bytes]]:
        first = await asked(app, call)
        return first, await asked(app, Call(method="GET", path="/0/public/Time"))

    (status, body), (_, later) = run_virtual(run())
    assert status == 200
    assert json.loads(later)["error"] == []
    errors: list[str] = json.loads(body)["error"]
    return errors


def signed(body: bytes, kind: bytes = FORM, nonce: str = "1", path: str = BALANCE) -> Call:
    """A call with this body, signed over this nonce."""
    signature = sign(secret=API_SECRET, path=path, body=body, nonce=nonce)
    headers = [(b"api-key", API_KEY.encode()), (b"api-sign", signature.encode())]
    return Call(path=path, headers=[*headers, (b"content-type", kind)], body=(body,))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (signed(b'{"nonce":1', JSON), "EAPI:Bad request"),
        (signed(b"[1]", JSON), "EAPI:Bad request"),
        (signed(b'"nonce"', JSON), "EAPI:Bad request"),
        (signed(b"", JSON), "EAPI:Bad request"),
        (signed(b'{"nonce":1,"a":NaN}', JSON), "EAPI:Bad request"),
        (signed(b'{"nonce":1,"a":' + b"9" * 5000 + b"}", JSON), "EAPI:Bad request"),
        (signed(b"[" * 200_000, JSON), "EAPI:Bad request"),
        (signed(b'{"a":' * 900 + b"1" + b"}" * 900, JSON), "EAPI:Bad request"),
        (signed(b'{"nonce":1,"a":' + b"[" * 900 + b"]" * 900 + b"}", JSON), "EAPI:Bad request"),
        (signed(b"nonce=1\xff\xfe"), "EAPI:Bad request"),
        (signed(b"&" * 3000), "EAPI:Bad request"),
        (signed(b"nonce=1&pad=" + b"x" * 1024 * 1024), "EAPI:Bad request"),
        (signed(b"", nonce=""), "EAPI:Invalid nonce"),
        (signed(b"pair=XBTUSD", nonce="7"), "EAPI:Invalid nonce"),
        (signed(b"nonce=-1", nonce="-1"), "EAPI:Invalid nonce"),
        (signed(b"nonce=1.5", nonce="1.5"), "EAPI:Invalid nonce"),
        (signed(b"nonce=18446744073709551616", nonce=str(2**64)), "EAPI:Invalid nonce"),
        (signed(b"nonce=1\x00", nonce="1\x00"), "EAPI:Invalid nonce"),
        (signed(b'{"nonce":1}', FORM), "EAPI:Invalid nonce"),
        (signed(b"nonce=1", nonce="2"), "EAPI:Invalid signature"),
        (Call(path=BALANCE, body=(b"nonce=1",)), "EAPI:Invalid key"),
        (Call(path="/0/private/balance"), "EGeneral:Unknown method"),
        (Call(path="/0/private/Balance/"), "EGeneral:Unknown method"),
        (Call(path="/0/public/"), "EGeneral:Unknown method"),
        (Call(path="*", method="OPTIONS"), "EGeneral:Unknown method"),
        (Call(path=""), "EGeneral:Unknown method"),
        (Call(path="/0/public/Time", method="PUT"), "EGeneral:Unknown method"),
        (
            Call(path="/0/public/Ticker", method="GET", query=b"pair=\xff"),
            "EQuery:Unknown asset pair",
        ),
        (Call(path="/x", method="GET", headers=[(b"host", b"[")]), "EGeneral:Unknown method"),
    ],
)
def test_it_is_refused_in_words(call: Call, error: str, caplog: pytest.LogCaptureFixture) -> None:
    """And nothing is logged as a failure."""
    caplog.set_level(logging.WARNING)

    assert told(call) == [error]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("method", "fields", "error"),
    [
        ("ClosedOrders", {"ofs": "-1"}, "EGeneral:Invalid arguments:ofs"),
        ("ClosedOrders", {"start": "1e400"}, "EGeneral:Invalid arguments:start"),
        ("ClosedOrders", {"start": "OXXXXX-XXXXX-XXXXXX"}, "EGeneral:Invalid arguments:start"),
        ("ClosedOrders", {"closetime": "never"}, "EGeneral:Invalid arguments:closetime"),
        ("OpenOrders", {"userref": "9" * 30}, "EGeneral:Invalid arguments:userref"),
        ("QueryOrders", {"txid": ",".join(["O"] * 51)}, "EGeneral:Invalid arguments:txid"),
        ("QueryTrades", {"txid": ",".join(["T"] * 21)}, "EGeneral:Invalid arguments:txid"),
        ("QueryLedgers", {"id": ""}, "EGeneral:Invalid arguments:id"),
        ("TradesHistory", {"type": "lost"}, "EGeneral:Invalid arguments:type"),
        ("Ledgers", {"type": "lost"}, "EGeneral:Invalid arguments:type"),
        ("OpenPositions", {"consolidation": "moon"}, "EGeneral:Invalid arguments:consolidation"),
        ("Level3", {"pair": "XBTUSD", "depth": "5"}, "EGeneral:Invalid arguments:depth"),
        ("OrderAmends", {}, "EOrder:Unknown order"),
        ("CancelOrder", {"txid": "O", "cl_ord_id": "x"}, "EGeneral:Invalid arguments:txid"),
        ("CancelOrder", {"txid": "-0"}, "EOrder:Invalid order"),
        ("CancelOrderBatch", {"orders": ",".join("O" * 51)}, "EGeneral:Invalid arguments:orders"),
        ("CancelAllOrdersAfter", {"timeout": "1e3"}, "EGeneral:Invalid arguments:timeout"),
        ("AddOrderBatch", {"pair": "XBTUSD", "orders": "[{"}, "EGeneral:Invalid arguments:orders"),
    ],
)
def test_values_out_of_range_are_named(method: str, fields: dict[str, str], error: str) -> None:
    """`EGeneral:Invalid arguments:<name>` (section 9)."""
    assert RestDesk().refusal(method, **fields) == error


@pytest.mark.parametrize(
    "number",
    ["1_0", " 1", "1 ", "\u0661", "0x1", "NaN", "Infinity", "1e", "--1", "1e99999", "1" * 101],
)
def test_only_plain_numbers_are_numbers(number: str) -> None:
    """What a parser would kindly take for one is refused."""
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "60000"}

    assert RestDesk().refusal("AddOrder", **order, volume=number) == (
        "EGeneral:Invalid arguments:volume"
    )


def test_of_a_key_that_comes_twice_the_last_one_counts() -> None:
    """In forms and in JSON alike."""
    desk = RestDesk()
    answers = [
        desk.signed("/0/private/TradeBalance", body, nonce, content_type=kind)
        for nonce, kind, body in (
            ("1", FORM.decode(), "nonce=1&asset=NOPE&asset=ZUSD"),
            ("2", JSON.decode(), '{"nonce":2,"asset":"NOPE","asset":"ZUSD"}'),
        )
    ]

    assert [answer["error"] for answer in answers] == [[], []]


def test_unknown_fields_are_ignored() -> None:
    """Captured: leftovers of clients do not stop an order (section 17.2)."""
    desk = RestDesk()
    fields = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "60000"}

    assert desk.private("AddOrder", **fields, volume="0.01", position="0", moon="1")["txid"]


def test_the_word_none_cancels_nothing() -> None:
    """An order without a user reference is not called by that word."""
    desk = RestDesk()
    fields = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "60000"}
    desk.private("AddOrder", **fields, volume="0.01")

    assert desk.private("CancelOrderBatch", orders="None,null,0") == {"count": 0}


def test_a_batch_may_come_as_a_form() -> None:
    """Members by number, nested like a single order's."""
    desk = RestDesk()
    fields: dict[str, Any] = {"pair": "XBTUSD"}
    for number, price in enumerate(("60000", "59000")):
        member = {"type": "buy", "ordertype": "limit", "volume": "0.01", "price": price}
        fields |= {f"orders[{number}][{name}]": value for name, value in member.items()}
    fields |= {"orders[1][close][ordertype]": "limit", "orders[1][close][price]": "61000"}
    first, second = desk.private("AddOrderBatch", **fields)["orders"]

    assert first["descr"] == {"order": "buy 0.01000000 XBTUSD @ limit 60000.0"}
    assert second["descr"]["close"] == "close position @ limit 61000.0"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"timeinforce": "GTD", "expiretm": "+4"}, "EGeneral:Invalid arguments:expiretm"),
        (
            {"cl_ord_id": "a", "close[ordertype]": "limit", "close[price]": "61000"},
            "EGeneral:Invalid arguments:cl_ord_id",
        ),
        ({"cl_ord_id": "a", "userref": "1"}, "EGeneral:Invalid arguments:cl_ord_id"),
    ],
)
def test_what_does_not_go_together_is_refused(fields: dict[str, str], error: str) -> None:
    """Section 8.1."""
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "60000"}

    assert RestDesk().refusal("AddOrder", **order, volume="0.01", **fields) == error


def test_a_signed_body_is_read_byte_for_byte() -> None:
    """Escapes stay as they came when the signature is checked."""
    body = urlencode({"nonce": "1", "asset": "ZUSD", "note": "+%&="}).encode()

    assert told(signed(body)) == []
