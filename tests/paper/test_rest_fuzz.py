"""Ten thousand requests that nobody should send: each is answered in Kraken's shape, none breaks.

Seeded; two thirds are signed, so that what is inside meets them too.
"""

from __future__ import annotations

import json
import logging
import random
import time
from decimal import Decimal
from urllib.parse import quote_from_bytes, urlencode

import pytest

from paper_asgi import Call, asked
from paper_desk import API_KEY, API_SECRET, START, RestDesk, snapshot, traded
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import ALL_PERMISSIONS
from zoe_tools.runtime.virtual_loop import run_virtual

REQUESTS = 10_000
SECONDS = 60.0
"""What all of them together may take, on a busy machine."""


def words(*lines: str) -> tuple[str, ...]:
    """What stands between blanks."""
    return tuple(word for line in lines for word in line.split())


PUBLIC = words(
    "Time SystemStatus Assets AssetPairs Ticker OHLC Depth GroupedBook Trades Spread PreTrade time"
)
PRIVATE = words(
    "Balance BalanceEx CreditLines TradeBalance OpenOrders ClosedOrders QueryOrders OrderAmends",
    "TradesHistory QueryTrades OpenPositions Ledgers QueryLedgers TradeVolume Level3 AddOrder",
    "AddOrderBatch AmendOrder EditOrder CancelOrder CancelOrderBatch CancelAll",
    "CancelAllOrdersAfter GetWebSocketsToken GetApiKeyInfo Nonsense DepositMethods",
    "DepositAddresses DepositStatus WithdrawMethods WithdrawAddresses WithdrawInfo Withdraw",
    "WithdrawStatus WithdrawCancel WalletTransfer AddExport ExportStatus RetrieveExport",
    "RemoveExport",
)
FIELDS = words(
    "pair asset info interval since count depth grouping type ordertype volume price price2 txid",
    "cl_ord_id userref orders cl_ord_ids close close[ordertype] close[price] close[price2] oflags",
    "timeinforce starttm expiretm deadline displayvol leverage reduce_only validate trigger",
    "stptype ofs start end closetime consolidate_taker without_count trades ledgers id timeout",
    "order_id order_qty limit_price trigger_price display_qty post_only aclass orders[0][type]",
    "orders[1][price] consolidation docalcs nonce otp key amount max_fee address method network",
    "refid cursor limit new from to report description format fields endtm rebase_multiplier",
)
WORDS: tuple[object, ...] = (
    *words(
        "XBTUSD BTC/USD NOPE buy sell limit market stop-loss trailing-stop iceberg settle-position",
        "true false all open close post viqc,post fcib,fciq GTD IOC FOK GTC index last cancel-both",
        "0 -0 1 -1 0.5 70000 69999.99999 +1% -5 #2% % + - # 1e400 -1e400 1E-400 NaN sNaN inf",
        "0x10 1_000 \u0661\u0662 1,2,3 ,,, None null OXXXXX-XXXXX-XXXXXX T L O",
        "2026-01-05T08:00:30Z 0001-01-01T00:00:00+23:59 9999-12-31T23:59:59Z",
        "+0 +3600 +1e9 31536000000 86400 XBT.F ZUSD paper-xbt Bitcoin ledgers trades TSV delete",
    ),
    "",
    " ",
    "\x00",
    "a\x00b",
    "'; DROP TABLE orders;--",
    "\ud800",
    "é" * 40,
    "9" * 400,
    "9" * 5000,
    "[" * 3000,
    '[{"ordertype":"limit"},{"close":{"price":[[]]}}]',
    "[[1],[2]]",
    None,
    True,
    -1,
    2**31,
    10**30,
    1e300,
    Decimal("0.1"),
    [],
    {},
    [1, None, "x"],
    [{"type": "buy"}, 7],
    [[[[[[[1]]]]]]],
    {"ordertype": "limit", "price": {"a": 1}},
    {"": ""},
)
KINDS = (
    b"application/x-www-form-urlencoded",
    b"application/json",
    b"application/json; charset=latin-1",
    b"multipart/form-data; boundary=x",
    b"text/html",
    b"\xff\xfe",
    b"",
)
BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'"nonce"',
    b"{}",
    b"{" * 5000,
    b"[" * 200_000,
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
    b"\xff\xfe\x00",
    b"%",
    b"%zz=%f&&&==",
    b"&" * 3000,
    b"\x00" * 100,
    b'{"nonce":1,"nonce":2,"pair":"XBTUSD","pair":["XBTUSD"]}',
    b'{"nonce":NaN,"volume":Infinity}',
    b'{"volume":' + b"9" * 5000 + b"}",
    b'{"volume":1e999999999999}',
    b"nonce=1&nonce=2&nonce[]=3",
    b"x" * 1_100_000,
)
METHODS = ("GET", "POST", "POST", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "brew")


BUY: dict[str, object] = {"type": "buy", "ordertype": "limit", "volume": "0.001", "price": "60000"}
STOP: dict[str, object] = {"type": "sell", "ordertype": "stop-loss-limit", "volume": "0.001"}
SPOT_TO_FUTURES: dict[str, object] = {"from": "Spot Wallet", "to": "Futures Wallet"}
GOOD: tuple[tuple[str, dict[str, object]], ...] = (
    ("AddOrder", {**BUY, "close[ordertype]": "stop-loss", "close[price]": "-5%"}),
    ("AddOrder", {**BUY, "timeinforce": "GTD", "expiretm": "+60", "oflags": "post"}),
    ("AddOrder", {**BUY, "cl_ord_id": "one", "stptype": "cancel-both"}),
    ("AddOrder", {**BUY, "ordertype": "market", "volume": "70", "oflags": "viqc"}),
    ("AddOrder", {**BUY, "ordertype": "iceberg", "volume": "0.01", "displayvol": "0.001"}),
    ("AddOrder", {**STOP, "price": "#1%", "price2": "-2%", "userref": "-7", "trigger": "last"}),
    ("AddOrder", {**STOP, "ordertype": "trailing-stop", "price": "+1%", "starttm": "+5"}),
    ("AddOrder", {**BUY, "leverage": "5", "price": "75000"}),
    ("AddOrder", {**STOP, "ordertype": "market", "volume": "0", "leverage": "5"}),
    ("AddOrder", {**STOP, "ordertype": "settle-position", "volume": "0.0001"}),
    ("AddOrder", {**BUY, "type": "sell", "leverage": "3:1", "reduce_only": "true"}),
    ("OpenPositions", {"docalcs": "true", "consolidation": "market"}),
    ("TradeBalance", {"asset": "XBT"}),
    ("AddOrderBatch", {"orders": [BUY, {**STOP, "price": "60000", "price2": "59000"}]}),
    ("AmendOrder", {"order_qty": "0.002", "limit_price": "59000.5"}),
    ("EditOrder", {"volume": "0.003", "price": "58000"}),
    ("CancelOrder", {}),
    ("CancelOrderBatch", {"orders": ["-7"], "cl_ord_ids": ["one"]}),
    ("CancelAllOrdersAfter", {"timeout": "60"}),
    ("QueryOrders", {"trades": "true", "userref": "-7"}),
    ("OrderAmends", {}),
    ("Withdraw", {"asset": "XBT", "key": "paper-xbt", "amount": "0.01", "max_fee": "1"}),
    ("WithdrawStatus", {"asset": "XBT", "cursor": "true", "limit": "2", "start": "1"}),
    ("DepositAddresses", {"asset": "XBT", "method": "Bitcoin", "new": "true"}),
    ("WalletTransfer", {"asset": "XBT", "amount": "0.01", **SPOT_TO_FUTURES}),
    ("AddExport", {"report": "ledgers", "description": "all", "fields": "txid,fee"}),
    ("Ledgers", {"asset": "XBT,ZUSD", "type": "trade", "ofs": "1"}),
    ("ClosedOrders", {"closetime": "open", "start": "1", "end": "2000000000"}),
)
"""Requests that are as they should be, until one or two of their fields are spoilt."""


class Monkey:
    """Makes requests from a seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._nonce = 10
        self._known: list[str] = ["OXXXXX-XXXXX-XXXXXX"]

    def hear(self, result: object) -> None:
        """What a call gave: the ids in it are used again."""
        if isinstance(result, dict) and isinstance(result.get("txid"), list):
            self._known = [*self._known[-20:], *result["txid"]]

    def call(self) -> Call:
        """The next request."""
        dice = self._dice
        if dice.random() < 0.7:
            return self._signed()
        if dice.random() < 0.6:
            method = dice.choice(("GET", "GET", "GET", "POST"))
            fields = urlencode(self._texts(), errors="replace").encode()
            path = f"/0/public/{dice.choice(PUBLIC)}"
            if method == "GET":
                return Call(method=method, path=path, query=fields, headers=self._headers(KINDS[0]))
            return Call(path=path, headers=self._headers(KINDS[0]), body=(fields,))
        return self._broken()

    def _fields(self) -> dict[str, object]:
        names = self._dice.choices(FIELDS, k=self._dice.randint(0, 7))
        words = (*WORDS, *self._known)
        fields = {name: self._dice.choice(words) for name in names}
        if self._dice.random() < 0.7:
            fields["pair"] = "XBTUSD"
        return fields

    def _spoilt(self) -> tuple[str, dict[str, object]]:
        """A good request with none, one or two fields that are not."""
        name, good = self._dice.choice(GOOD)
        known = self._dice.choice(self._known)
        fields = {"pair": "XBTUSD", "txid": known, "order_id": known, **good}
        for _ in range(self._dice.choice((0, 1, 1, 2))):
            spoilt = self._dice.choice((self._dice.choice(FIELDS), self._dice.choice([*fields])))
            fields[spoilt] = self._dice.choice((*WORDS, *self._known))
        return name, fields

    def _texts(self) -> dict[str, str]:
        return {name: str(value) for name, value in self._fields().items()}

    def _signed(self) -> Call:
        dice = self._dice
        self._nonce += 1
        name, fields = dice.choice(PRIVATE), self._fields()
        if dice.random() < 0.6:
            name, fields = self._spoilt()
        path = f"/0/private/{name}"
        fields["nonce"] = self._nonce
        if dice.random() < 0.5 or name == "AddOrderBatch":
            kind, body = KINDS[1], json.dumps(fields, default=str).encode()
        else:
            told = {key: str(value) for key, value in fields.items()}
            kind, body = KINDS[0], urlencode(told, errors="replace").encode()
        signature = sign(secret=API_SECRET, path=path, body=body, nonce=str(self._nonce))
        headers = (*self._headers(kind), (b"api-sign", signature.encode()))
        if dice.random() < 0.05:
            body = body[: dice.randint(0, len(body))]
        return Call(path=path, headers=headers, body=(body[:7], body[7:]))

    def _broken(self) -> Call:
        dice = self._dice
        names = (*PUBLIC, *PRIVATE, "", "..", "%2e", "\x00", "é", "a" * 3000, "0/0/0", "Ticker/")
        prefix = dice.choice(("/0/public/", "/0/private/", "/1/public/", "/", "", "//", "/0/"))
        body = BODIES[dice.randrange(len(BODIES) - (dice.random() > 0.02))]
        if dice.random() < 0.2:
            body = dice.randbytes(dice.randint(0, 200))
        return Call(
            method=dice.choice(METHODS),
            path=prefix + dice.choice(names),
            query=quote_from_bytes(dice.randbytes(dice.randint(0, 30))).encode()
            if dice.random() < 0.5
            else dice.randbytes(dice.randint(0, 30)),
            headers=self._headers(dice.choice(KINDS)),
            body=(body,),
        )

    def _headers(self, kind: bytes) -> list[tuple[bytes, bytes]]:
        dice = self._dice
        headers = [(b"content-type", kind)] if kind and dice.random() < 0.95 else []
        headers.append((b"host", dice.choice((b"paper", b"[", b"", b"\xff", b"a:b:c"))))
        if dice.random() < 0.97:
            headers.append((b"api-key", API_KEY.encode()))
        if dice.random() < 0.1:
            headers.append((b"api-sign", dice.choice((b"", b"\xff", b"x" * 88, b"A" * 9000))))
        return headers


def test_ten_thousand_fuzzed_requests_are_all_answered(caplog: pytest.LogCaptureFixture) -> None:
    """Status 200, an `error` list of Kraken's grammar, nothing logged, the money still there."""
    caplog.set_level(logging.WARNING)
    desk = RestDesk(
        snapshot(["69999.0 5.0"], ["70001.0 5.0"]),
        traded("70000.0", "0.5", at=START + NS),
        permissions=frozenset(ALL_PERMISSIONS),
    )
    desk.exchange.allow_margin(desk.account_id, has_margin=True)
    desk.play()
    monkey = Monkey(20260105)
    app = create_app(desk.exchange, proof_secret=b"x")
    good = 0

    async def run() -> None:
        nonlocal good
        for _ in range(REQUESTS):
            call = monkey.call()
            status, body = await asked(app, call)
            answer = json.loads(body)
            errors = answer["error"]
            assert status == 200, call
            assert isinstance(errors, list), call
            assert all(one[0] in "EW" and ":" in one for one in errors), call
            assert errors or "result" in answer, call
            assert "EGeneral:Internal error" not in errors, call
            monkey.hear(answer.get("result"))
            good += not errors

    began = time.perf_counter()
    run_virtual(run())
    took = time.perf_counter() - began

    assert [record.getMessage() for record in caplog.records] == []
    assert good > REQUESTS // 10
    assert {"margin", "settled"} <= {row.type for row in desk.exchange.ledger(desk.account_id)}
    assert took < SECONDS
    _is_sound(desk)


def _is_sound(desk: RestDesk) -> None:
    """What the exchange says of the account still adds up."""
    account = desk.account_id
    for view in desk.exchange.balances(account):
        rows = [row for row in desk.exchange.ledger(account) if row.asset == view.asset.name]
        assert view.balance == sum((row.amount - row.fee for row in rows), Decimal(0))
        assert Decimal(0) <= view.hold <= view.balance
