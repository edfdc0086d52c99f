"""The exchange machine, called over REST while faults strike.

What a client was told must be true, and what it was not told must have happened once or never.
"""

from __future__ import annotations

import json
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from exchange_machine import ExchangeMachine, accounts, picks, prices, sides, sizes
from zoe_tools.paper.exchange.faults import (
    CATALOGUE,
    ConnectionDropped,
    FaultName,
    FaultRule,
    Stage,
)
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.paper.rest import fault_answers
from zoe_tools.paper.rest.dialect import RestDialect, RestRequest
from zoe_tools.paper.rest.fault_answers import Reply
from zoe_tools.paper.values.order import OrderView

SECRET = "c2VjcmV0"
"""Of both accounts' keys."""
_STAGES = (Stage.REQUEST, Stage.REST, Stage.ANSWER, Stage.EXCHANGE)
NAMES: tuple[FaultName, ...] = tuple(
    name for name, kind in CATALOGUE.items() if kind.stage in _STAGES and name != "clock-skew"
)
_LOST_ON_THE_WAY_BACK = {"accept-then-drop", "reply-lost-after"}
_READS = ("OpenOrders", "ClosedOrders", "TradesHistory", "Ledgers")
_ROWS = {"OpenOrders": "open", "ClosedOrders": "closed", "TradesHistory": "trades"}
strikes = st.builds(
    FaultRule,
    name=st.sampled_from([name for name in NAMES if CATALOGUE[name].stage is not Stage.EXCHANGE]),
    executes=st.sampled_from([None, True, False]),
)
"""A fault that strikes once."""
chances = st.one_of(st.none(), strikes, strikes, strikes)


def _run(coroutine: Coroutine[Any, Any, Reply]) -> Reply:
    """A coroutine that never has to wait: the clock stands, and a client gives up at once."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waited")


async def _gone() -> None:
    """The client has given up."""


class FaultyMachine(ExchangeMachine):
    """Everything the machine does, and calls that go wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.nonce = 0
        self.asked: dict[str, bool | None] = {}
        """Of each client order id sent: it must be there, must not, or may be (None)."""

    @rule(
        name=st.sampled_from(NAMES),
        times=st.sampled_from([1, 1, 2, None]),
        probability=st.sampled_from([1.0, 0.5]),
        seconds=st.integers(0, 60),
        executes=st.sampled_from([None, True, False]),
    )
    def arm(
        self,
        name: FaultName,
        times: int | None,
        probability: float,
        seconds: int,
        *,
        executes: bool | None,
    ) -> None:
        """One more fault; none stands for more than two minutes."""
        rule_of = FaultRule(
            name=name,
            times=times,
            probability=probability,
            for_s=None if name == "maintenance" else 120.0,
            delay_s=float(seconds),
            executes=executes,
        )
        self._try(lambda: self.exchange.arm_fault(rule_of))

    @rule()
    def clear(self) -> None:
        """The exchange is well again."""
        self._try(self.exchange.clear_faults)

    def _call(self, who: int, method: str, fields: dict[str, str], fault: FaultRule | None) -> Any:
        """The parsed answer; None where there was none to be read."""
        type(self).steps += 1
        if fault is not None:
            self.exchange.arm_fault(msgspec.structs.replace(fault, where=method))
        self.nonce += 1
        nonce, path = str(self.nonce), f"/0/private/{method}"
        body = urlencode({"nonce": nonce, **fields}).encode()
        request = RestRequest(
            method="POST",
            path=path,
            query="",
            headers={
                "api-key": ("one", "two")[who],
                "api-sign": sign(secret=SECRET, path=path, body=body, nonce=nonce),
            },
            body=body,
        )
        dialect = RestDialect(self.exchange)
        try:
            reply = _run(
                fault_answers.answer(self.exchange, method, lambda: dialect.answer(request), _gone)
            )
        except ConnectionDropped:
            return None
        return None if reply.body.startswith(b"<html") else json.loads(reply.body)

    def _may_be_done(self, since: int) -> bool:
        """Whether a call that was not answered well may have been done, by what struck it."""
        strikes = list(self.exchange.faults._log)[since:]
        return any(
            strike.name in _LOST_ON_THE_WAY_BACK
            or (strike.executes and strike.name != "reply-lost-before")
            for strike in strikes
            if CATALOGUE[strike.name].stage in (Stage.REQUEST, Stage.REST)
        )

    @rule(who=accounts, side=sides, size=sizes, price=prices, fault=chances)
    def add_over_rest(
        self, who: int, side: str, size: Decimal, price: Decimal, fault: FaultRule | None
    ) -> None:
        """An order by its client's own id."""
        cl_ord_id = f"c{len(self.asked)}"
        since = len(self.exchange.faults._log)
        fields = {
            "pair": "XBTUSD",
            "type": side,
            "ordertype": "limit",
            "volume": str(size),
            "price": str(price),
            "cl_ord_id": cl_ord_id,
        }
        answer = self._call(who, "AddOrder", fields, fault)
        is_done = answer is not None and answer["error"] == []
        if is_done:
            self.told.update(answer["result"]["txid"])
        self.asked[cl_ord_id] = is_done or (None if self._may_be_done(since) else False)

    @rule(pick=picks, fault=chances)
    def cancel_over_rest(self, pick: int, fault: FaultRule | None) -> None:
        """One that is told to be canceled is."""
        order = self._working(pick)
        if order is None:
            return
        who = self.account_ids.index(order.account_id)
        answer = self._call(who, "CancelOrder", {"txid": order.order_id}, fault)
        if answer is not None and answer["error"] == []:
            found = self.exchange._floor.account(order.account_id).closed[order.order_id]
            assert found.status == "canceled"

    @rule(who=accounts, method=st.sampled_from(_READS), fault=chances)
    def read_over_rest(self, who: int, method: str, fault: FaultRule | None) -> None:
        """An answer may be late or short; it never tells of what is not there."""
        answer = self._call(who, method, {}, fault)
        if answer is None or answer["error"] or not answer["result"]:
            return
        account = self.exchange._floor.account(self.account_ids[who])
        known = {*account.open, *account.closed, *account.trades, *account.ledger}
        assert set(answer["result"][_ROWS.get(method, "ledger")]) <= known

    def _orders(self) -> list[OrderView]:
        return [
            order
            for account in self._accounts()
            for order in (*account.open.values(), *account.closed.values())
        ]

    @invariant()
    def what_was_sent_is_there_once_or_never(self) -> None:
        """Acknowledged orders are there; what never arrived is not; nothing is there twice."""
        found = [order.cl_ord_id for order in self._orders() if order.cl_ord_id is not None]
        assert len(found) == len(set(found))
        for cl_ord_id, is_there in self.asked.items():
            assert is_there is None or (cl_ord_id in found) == is_there
