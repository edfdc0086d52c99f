"""Every kind of order that clients by others are to place, in the words of REST and of the sockets.

Prices keep a tenth of the market's away from it, so that what is to rest does rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from conformance_venue import SYMBOL, Venue

QUANTITY = "0.01"
MORE = "0.012"
"""What an amendment makes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What QueryOrders tells of an order of this kind, once it is placed."""

    order_type: str
    status: str = "open"
    flags: str = "fciq"
    time_in_force: str = "gtc"
    leverage: str = "none"

    @property
    def rests(self) -> bool:
        """Whether there is something to amend and to cancel."""
        return self.status != "closed"


KINDS: Mapping[str, Kind] = {
    "market": Kind(order_type="market", status="closed"),
    "market, sized in quote": Kind(order_type="market", status="closed", flags="fciq,viqc"),
    "limit": Kind(order_type="limit"),
    "post-only": Kind(order_type="limit", flags="post,fciq"),
    "immediate or cancel": Kind(order_type="limit", status="closed", time_in_force="ioc"),
    "fill or kill": Kind(order_type="limit", status="closed", time_in_force="fok"),
    "good till date": Kind(order_type="limit", time_in_force="gtd"),
    "iceberg": Kind(order_type="iceberg"),
    "stop-loss": Kind(order_type="stop-loss"),
    "stop-loss-limit": Kind(order_type="stop-loss-limit"),
    "take-profit": Kind(order_type="take-profit"),
    "take-profit-limit": Kind(order_type="take-profit-limit"),
    "trailing-stop": Kind(order_type="trailing-stop"),
    "trailing-stop-limit": Kind(order_type="trailing-stop-limit"),
    "trailing-stop by an amount": Kind(order_type="trailing-stop"),
    "conditional close": Kind(order_type="limit"),
    "scheduled": Kind(order_type="limit", status="pending"),
    "self-trade rule": Kind(order_type="limit"),
    "own id": Kind(order_type="limit"),
    "user reference": Kind(order_type="limit"),
    "fee in base": Kind(order_type="limit", flags="fcib"),
    "with a deadline": Kind(order_type="limit"),
    "on margin": Kind(order_type="limit", leverage="2:1"),
}
SOCKET_KINDS: Mapping[str, Kind] = {
    **KINDS,
    "on margin": Kind(order_type="limit", leverage="5:1"),
}
"""The socket knows margin only as a yes: it is the most that Kraken lends this way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices around the market's, on the tick of BTC/USD, and times around the venue's."""

    last: float
    now: datetime

    def at(self, percent: float) -> float:
        """So many percent of the last price."""
        return round(self.last * percent / 100, 1)

    @property
    def soon(self) -> str:
        """A deadline that both dialects take."""
        return _told(self.now + timedelta(seconds=20))

    @property
    def later(self) -> str:
        """When an order may expire."""
        return _told(self.now + timedelta(minutes=10))


def _told(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def prices_of(venue: Venue) -> Prices:
    """As the venue has them now."""
    now = datetime.fromisoformat(venue.public("SystemStatus")["timestamp"])
    return Prices(last=venue.last_price(), now=now)


def rest_fields(row: str, prices: Prices) -> dict[str, str]:
    """AddOrder's parameters without the pair."""
    below, above = str(prices.at(90)), str(prices.at(110))
    limit_buy = {"type": "buy", "ordertype": "limit", "volume": QUANTITY, "price": below}
    crossing = {**limit_buy, "price": str(prices.at(101))}
    market = {"type": "buy", "ordertype": "market", "volume": QUANTITY}
    sell = {"type": "sell", "volume": QUANTITY, "ordertype": row}
    fields = {
        "market": market,
        "market, sized in quote": {**market, "volume": "100", "oflags": "viqc"},
        "limit": limit_buy,
        "post-only": {**limit_buy, "oflags": "post"},
        "immediate or cancel": {**crossing, "timeinforce": "IOC"},
        "fill or kill": {**crossing, "timeinforce": "FOK"},
        "good till date": {**limit_buy, "timeinforce": "GTD", "expiretm": "+600"},
        "iceberg": {**limit_buy, "ordertype": "iceberg", "displayvol": "0.002"},
        "stop-loss": {**sell, "price": below},
        "stop-loss-limit": {**sell, "price": below, "price2": str(prices.at(89))},
        "take-profit": {**sell, "price": above},
        "take-profit-limit": {**sell, "price": above, "price2": str(prices.at(109))},
        "trailing-stop": {**sell, "price": "+5%"},
        "trailing-stop-limit": {**sell, "price": "+500", "price2": "-10"},
        "trailing-stop by an amount": {**sell, "ordertype": "trailing-stop", "price": "+500"},
        "scheduled": {**limit_buy, "starttm": "+600"},
        "self-trade rule": {**limit_buy, "stptype": "cancel-both"},
        "conditional close": {
            **limit_buy,
            "close[ordertype]": "stop-loss-limit",
            "close[price]": str(prices.at(80)),
            "close[price2]": str(prices.at(79)),
        },
        "own id": {**limit_buy, "cl_ord_id": "conformance-1"},
        "user reference": {**limit_buy, "userref": "-7"},
        "fee in base": {**limit_buy, "oflags": "fcib"},
        "with a deadline": {**limit_buy, "deadline": prices.soon},
        "on margin": {**limit_buy, "leverage": "2"},
    }
    return fields[row]


def socket_fields(row: str, prices: Prices) -> dict[str, Any]:
    """add_order's parameters."""
    quantity, below, above = float(QUANTITY), prices.at(90), prices.at(110)
    limit_buy = {
        "side": "buy",
        "order_type": "limit",
        "order_qty": quantity,
        "limit_price": below,
    }
    crossing = {**limit_buy, "limit_price": prices.at(101)}
    sell = {"side": "sell", "order_type": row, "order_qty": quantity}
    low = {"triggers": {"reference": "last", "price": below}}
    high = {"triggers": {"reference": "last", "price": above}}
    fields: dict[str, dict[str, Any]] = {
        "market": {"side": "buy", "order_type": "market", "order_qty": quantity},
        "market, sized in quote": {"side": "buy", "order_type": "market", "cash_order_qty": 100},
        "limit": limit_buy,
        "post-only": {**limit_buy, "post_only": True},
        "immediate or cancel": {**crossing, "time_in_force": "ioc"},
        "fill or kill": {**crossing, "time_in_force": "fok"},
        "good till date": {
            **limit_buy,
            "time_in_force": "gtd",
            "expire_time": prices.later,
        },
        "iceberg": {**limit_buy, "order_type": "iceberg", "display_qty": 0.002},
        "stop-loss": {**sell, **low},
        "stop-loss-limit": {**sell, **low, "limit_price": prices.at(89)},
        "take-profit": {**sell, **high},
        "take-profit-limit": {**sell, **high, "limit_price": prices.at(109)},
        "trailing-stop": {
            **sell,
            "triggers": {"reference": "last", "price": 5, "price_type": "pct"},
        },
        "trailing-stop-limit": {
            **sell,
            "triggers": {"reference": "last", "price": 500, "price_type": "quote"},
            "limit_price": -10,
            "limit_price_type": "quote",
        },
        "trailing-stop by an amount": {
            **sell,
            "order_type": "trailing-stop",
            "triggers": {"reference": "last", "price": 500, "price_type": "quote"},
        },
        "scheduled": {**limit_buy, "effective_time": prices.later},
        "self-trade rule": {**limit_buy, "stp_type": "cancel_both"},
        "conditional close": {
            **limit_buy,
            "conditional": {
                "order_type": "stop-loss-limit",
                "trigger_price": prices.at(80),
                "limit_price": prices.at(79),
            },
        },
        "own id": {**limit_buy, "cl_ord_id": "conformance-1"},
        "user reference": {**limit_buy, "order_userref": -7},
        "fee in base": {**limit_buy, "fee_preference": "base"},
        "with a deadline": {**limit_buy, "deadline": prices.soon},
        "on margin": {**limit_buy, "margin": True},
    }
    return {"symbol": SYMBOL, **fields[row]}


def told_of(order: Mapping[str, Any]) -> Kind:
    """The kind that a row of QueryOrders tells."""
    return Kind(
        order_type=order["descr"]["ordertype"],
        status=order["status"],
        flags=order["oflags"],
        time_in_force=order["time_in_force"],
        leverage=order["descr"]["leverage"],
    )
