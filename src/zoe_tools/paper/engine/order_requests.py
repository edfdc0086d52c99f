"""What a client spelled becomes a request to the engine, here alone, whichever dialect it spoke.

The dialects read their fields and have names of their own for them; which words there are, what
does not go together and what is meant where nothing is said is decided here. Sections 8.1 and 11.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar, get_args

from zoe_tools.paper.values.order import (
    LIMIT_PRICED,
    ORDER_TYPES,
    TRIGGERED_TYPES,
    ZERO,
    ConditionalClose,
    FeeAsset,
    OrderType,
    PlaceOrder,
    Price,
    SelfTrade,
    Side,
    TimeInForce,
    TriggerReference,
)
from zoe_tools.paper.values.quirks import Quirks
from zoe_tools.paper.values.refusal import Refusal, invalid
from zoe_tools.paper.values.times import NS, iso_seconds

_LONGEST_LIFE_NS = 31 * 86_400 * NS
T = TypeVar("T", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseWords:
    """The conditional close as it was spelled."""

    order_type: str | None
    limit_price: Price | None = None
    trigger_price: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderWords:
    """An order as it was spelled: numbers and times are read, words are not judged yet.

    Words are REST's in lower case (`cancel-newest`, `gtc`); None is what was not said.
    """

    symbol: str
    side: str | None
    order_type: str | None
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    limit_price: Price | None = None
    trigger_price: Price | None = None
    display_quantity: Decimal | None = None
    time_in_force: str | None = None
    is_post_only: bool = False
    fee_asset: str | None = None
    trigger_reference: str | None = None
    leverage: int | None = None
    is_reduce_only: bool = False
    starts_at: int | None = None
    expire_at: int | None = None
    deadline: int | None = None
    cl_ord_id: str | None = None
    userref: int | None = None
    self_trade: str | None = None
    close: CloseWords | None = None
    is_validate: bool = False
    sender_sub_id: str | None = None


class Wording:
    """How one dialect names the fields of `OrderWords` when it complains of them."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def name(self, field: str) -> str:
        """The dialect's own name of a field."""
        return self._names.get(field, field)

    def wrong(self, field: str) -> Refusal:
        """What it says has no place there."""
        return invalid(self.name(field))

    def missing(self, field: str) -> Refusal:
        """It must be said."""
        return self.wrong(field)

    def one_of(
        self, field: str, word: str | None, allowed: tuple[T, ...], default: T | None = None
    ) -> T:
        """One of the words; without a default it must be there.

        Raises:
            Refusal: it is none of them.
        """
        if word is None:
            if default is None:
                raise self.missing(field)
            return default
        for each in allowed:
            if each == word:
                return each
        raise self.wrong(field)


_SIDES: tuple[Side, ...] = get_args(Side)
_FORCES: tuple[TimeInForce, ...] = get_args(TimeInForce)
_SELF_TRADES: tuple[SelfTrade, ...] = get_args(SelfTrade)
_FEE_ASSETS: tuple[FeeAsset, ...] = get_args(FeeAsset)
_REFERENCES: tuple[TriggerReference, ...] = get_args(TriggerReference)


def placed_from(words: OrderWords, wording: Wording, now: int, quirks: Quirks) -> PlaceOrder:
    """The request that these words make; `now` in ns bounds its times, `quirks` are the exchange's.

    Raises:
        Refusal: a word that is none, something missing, or what does not go together.
    """
    order_type = wording.one_of("order_type", words.order_type, ORDER_TYPES)
    side = wording.one_of("side", words.side, _SIDES)
    if words.quantity is None and words.quote_quantity is None:
        raise wording.missing("quantity")
    if words.quantity is not None and words.quote_quantity is not None:
        raise wording.wrong("quote_quantity")
    _check_prices(words, order_type, wording)
    for field, at in (("starts_at", words.starts_at), ("expire_at", words.expire_at)):
        if at is not None and at > now + _LONGEST_LIFE_NS:
            raise wording.wrong(field)
    return PlaceOrder(
        symbol=words.symbol,
        side=side,
        order_type=order_type,
        quantity=ZERO if words.quantity is None else words.quantity,
        quote_quantity=words.quote_quantity,
        limit_price=words.limit_price,
        trigger_price=words.trigger_price,
        display_quantity=words.display_quantity,
        time_in_force=_in_force(words, wording),
        is_post_only=words.is_post_only,
        fee_asset=_fee_asset(words, wording, quirks),
        trigger_reference=_reference(words.trigger_reference, wording),
        leverage=words.leverage,
        is_reduce_only=words.is_reduce_only,
        starts_at=words.starts_at,
        expire_at=words.expire_at,
        deadline=words.deadline,
        cl_ord_id=words.cl_ord_id,
        userref=words.userref,
        self_trade=wording.one_of("self_trade", words.self_trade, _SELF_TRADES, "cancel-newest"),
        close=None if words.close is None else _close(words, words.close, wording, quirks),
        is_validate=words.is_validate,
        sender_sub_id=words.sender_sub_id,
    )


def _check_prices(words: OrderWords, order_type: OrderType, wording: Wording) -> None:
    if words.limit_price is None and order_type in LIMIT_PRICED:
        raise wording.missing("limit_price")
    if words.trigger_price is None and order_type in TRIGGERED_TYPES:
        raise wording.missing("trigger_price")


def _in_force(words: OrderWords, wording: Wording) -> TimeInForce:
    """An order with an end is good till then, even if it does not say so."""
    default: TimeInForce = "gtc" if words.expire_at is None else "gtd"
    return wording.one_of("time_in_force", words.time_in_force, _FORCES, default)


def _fee_asset(words: OrderWords, wording: Wording, quirks: Quirks) -> FeeAsset | None:
    if words.fee_asset is None:
        return "base" if quirks.sells_pay_in_base and words.side == "sell" else None
    return wording.one_of("fee_asset", words.fee_asset, _FEE_ASSETS)


def _reference(word: str | None, wording: Wording) -> TriggerReference:
    """There is no index here, which Kraken says of many a pair too."""
    if wording.one_of("trigger_reference", word, _REFERENCES, "last") == "index":
        raise invalid("Index unavailable")
    return "last"


def _close(
    words: OrderWords, close: CloseWords, wording: Wording, quirks: Quirks
) -> ConditionalClose:
    """The order that each fill opens on the other side (section 8.2)."""
    if words.cl_ord_id is not None and not quirks.closes_with_client_id:
        raise wording.wrong("cl_ord_id")
    order_type = wording.one_of("close_type", close.order_type, ORDER_TYPES)
    return ConditionalClose(
        order_type=order_type, limit_price=close.limit_price, trigger_price=close.trigger_price
    )


def countdown_row(now: int, at: int | None) -> dict[str, str]:
    """What both dialects answer of a dead man's switch; disarmed, it triggers at "0"."""
    return {
        "currentTime": iso_seconds(now),
        "triggerTime": "0" if at is None else iso_seconds(at),
    }
