"""Values for tests, with one obvious default each: say only what the test is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from zoe_tools.core.ledger_journal import booked
from zoe_tools.domain.account import Account
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.discrepancy import (
    Discrepancy,
    DiscrepancyId,
    DiscrepancyState,
    FindingKind,
    ReconciliationRun,
    Response,
    Severity,
)
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import (
    ClientOrderId,
    FillId,
    GroupId,
    IntentId,
    LedgerId,
    PositionId,
    Symbol,
    VenueOrderId,
)
from zoe_tools.domain.instrument import Asset, FeeTier, Instrument, InstrumentCatalogue
from zoe_tools.domain.intent_group import IntentGroup, Style
from zoe_tools.domain.journal import Intent, IntentKind, IntentState, OrderRecord
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.lot import CostBasis
from zoe_tools.domain.market import Quote, VenueMode
from zoe_tools.domain.market_watch import MarketRow, MarketState, Mover, MoverKind, Ticker
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderRequest, OrderStatus, OrderType, Side, VenueOrder
from zoe_tools.domain.plan import PlaceOrder, Plan, Step
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.snapshot import Missing, Reading, Snapshot

if TYPE_CHECKING:  # tests of the pure core need no store
    from zoe_tools.store.store import Transaction

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
BTC = Symbol("BTC/USD")
ETH = Symbol("ETH/USD")
PAPER = Account(venue="kraken", mode="paper", fingerprint="0badcafe")
LIVE = Account(venue="kraken", mode="live", fingerprint="3f9a12c4")


def d(text: str) -> Decimal:
    """A short way to write an exact decimal."""
    return Decimal(text)


def make_instrument(symbol: str = "BTC/USD", **changes: Any) -> Instrument:
    """A pair with tick 0.1, eight lot decimals, minimum 0.0001, fees 0.40/0.25 percent."""
    base, quote = symbol.split("/")
    values: dict[str, Any] = {
        "symbol": Symbol(symbol),
        "venue_id": f"X{base}Z{quote}",
        "altname": f"{base}{quote}",
        "base": base,
        "quote": quote,
        "price_decimals": 1,
        "quantity_decimals": 8,
        "cost_decimals": 5,
        "tick_size": d("0.1"),
        "min_quantity": d("0.0001"),
        "min_cost": d("0.5"),
        "fee_tiers": (FeeTier(volume_from=d("0"), taker_pct=d("0.40"), maker_pct=d("0.25")),),
    }
    return Instrument(**{**values, **changes})


def make_catalogue(*instruments: Instrument) -> InstrumentCatalogue:
    """A catalogue of these, or of BTC/USD and ETH/USD."""
    listed = instruments or (make_instrument(), make_instrument("ETH/USD"))
    names = sorted({name for each in listed for name in (each.base, each.quote)})
    assets = tuple(
        Asset(name=name, venue_id=f"X{name}", altname=name, decimals=10, display_decimals=5)
        for name in names
    )
    return InstrumentCatalogue(listed, assets)


def make_quote(symbol: Symbol = BTC, **changes: Any) -> Quote:
    """Bid 59999.9, ask 60000.1, last 60000.0, at noon."""
    values: dict[str, Any] = {
        "symbol": symbol,
        "bid": d("59999.9"),
        "bid_quantity": d("1"),
        "ask": d("60000.1"),
        "ask_quantity": d("1"),
        "last": d("60000.0"),
        "as_of": NOON,
    }
    return Quote(**{**values, **changes})


def make_request(**changes: Any) -> OrderRequest:
    """A limit entry: buy 0.0004 BTC at 60000.0 (24 USD)."""
    values: dict[str, Any] = {
        "symbol": BTC,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "quantity": d("0.0004"),
        "limit_price": d("60000.0"),
    }
    return OrderRequest(**{**values, **changes})


def make_stop_request(**changes: Any) -> OrderRequest:
    """A protective stop: sell 0.0004 BTC when 58800.0 is reached."""
    values: dict[str, Any] = {
        "symbol": BTC,
        "side": Side.SELL,
        "order_type": OrderType.STOP_LOSS,
        "quantity": d("0.0004"),
        "trigger_price": d("58800.0"),
        "purpose": "stop",
    }
    return OrderRequest(**{**values, **changes})


def make_group(**changes: Any) -> IntentGroup:
    """The group of the limit entry, at noon, with no worst price."""
    values: dict[str, Any] = {
        "group_id": GroupId("G-1"),
        "symbol": BTC,
        "side": Side.BUY,
        "purpose": "entry",
        "style": Style.NORMAL,
        "target_quantity": d("0.0004"),
        "created_at": NOON,
        "ttl_s": d("60"),
        "arrival_bid": d("59999.9"),
        "arrival_ask": d("60000.1"),
    }
    return IntentGroup(**{**values, **changes})


def make_order(**changes: Any) -> OrderRecord:
    """Our record of the limit entry, open."""
    values: dict[str, Any] = {
        "client_order_id": ClientOrderId("11111111-2222-4333-8444-555555555555"),
        "venue_order_id": VenueOrderId("OAAAAA-AAAAA-AAAAA1"),
        "intent_id": None,
        "symbol": BTC,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "purpose": "entry",
        "status": OrderStatus.OPEN,
        "quantity": d("0.0004"),
        "created_at": NOON,
        "updated_at": NOON,
        "limit_price": d("60000.0"),
    }
    return OrderRecord(**{**values, **changes})


def make_stop(position: Position, **changes: Any) -> OrderRecord:
    """Our record of the position's stop, for all of it, resting at 58800.0 since noon."""
    values: dict[str, Any] = {
        "side": position.side.opposite,
        "order_type": OrderType.STOP_LOSS,
        "purpose": "stop",
        "quantity": position.quantity,
        "limit_price": None,
        "trigger_price": d("58800.0"),
        "position_id": position.position_id,
    }
    return make_order(**{**values, **changes})


def make_venue_order(**changes: Any) -> VenueOrder:
    """The same order as the venue shows it."""
    values: dict[str, Any] = {
        "venue_order_id": VenueOrderId("OAAAAA-AAAAA-AAAAA1"),
        "client_order_id": ClientOrderId("11111111-2222-4333-8444-555555555555"),
        "symbol": BTC,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "status": OrderStatus.OPEN,
        "quantity": d("0.0004"),
        "filled_quantity": d("0"),
        "opened_at": NOON,
        "limit_price": d("60000.0"),
    }
    return VenueOrder(**{**values, **changes})


def make_fill(**changes: Any) -> Fill:
    """A buy of 1 BTC at 100 with a fee of 0.26 USD; `cost` follows price and quantity."""
    values: dict[str, Any] = {
        "fill_id": FillId("TAAAAA-AAAAA-AAAAA1"),
        "venue_order_id": VenueOrderId("OAAAAA-AAAAA-AAAAA1"),
        "symbol": BTC,
        "side": Side.BUY,
        "quantity": d("1"),
        "price": d("100"),
        "fee": d("0.26"),
        "fee_asset": "USD",
        "filled_at": NOON,
    }
    values.update(changes)
    values.setdefault("cost", values["quantity"] * values["price"])
    return Fill(**values)


def make_position(**changes: Any) -> Position:
    """An open position of 0.0004 BTC at 60000; what was bought is what is held and was sold."""
    values: dict[str, Any] = {
        "position_id": PositionId("P1"),
        "symbol": BTC,
        "side": Side.BUY,
        "status": PositionStatus.OPEN,
        "quantity": d("0.0004"),
        "average_cost": d("60000"),
        "opened_at": NOON,
    }
    values.update(changes)
    left = values.get("exit_quantity", ZERO)
    values.setdefault("entry_quantity", values["quantity"] + left)
    return Position(**values)


def make_ledger_entry(**changes: Any) -> LedgerEntry:
    """The cash half of a trade: 100 USD out at noon, 0.26 USD fee, 899.74 USD left."""
    values: dict[str, Any] = {
        "ledger_id": LedgerId("LAAAAA-AAAAA-AAAAA1"),
        "refid": "TAAAAA-AAAAA-AAAAA1",
        "booked_at": NOON,
        "kind": "trade",
        "subtype": "",
        "asset": "USD",
        "amount": d("-100"),
        "fee": d("0.26"),
        "balance": d("899.74"),
    }
    return LedgerEntry(**{**values, **changes})


def book_ledger(transaction: Transaction, *entries: LedgerEntry, source: str = "test/0") -> int:
    """Book ledger rows with their journal; returns how many were new."""
    return transaction.ledger_book.record(booked(entries), source=source, at=NOON)


def make_discrepancy(**changes: Any) -> Discrepancy:
    """A balance that differs by 2.01 USD, confirmed at noon."""
    values: dict[str, Any] = {
        "discrepancy_id": DiscrepancyId("D-0123456789"),
        "kind": FindingKind.BALANCE_DRIFT,
        "subject": "USD",
        "symbol": "",
        "state": DiscrepancyState.CONFIRMED,
        "severity": Severity.WARNING,
        "policy": Response.PAUSE_ACCOUNT,
        "evidence": "the ledger ends at 1000; held are 997.99",
        "at_stake": d("2.01"),
        "currency": "USD",
        "first_seen_at": NOON,
        "last_seen_at": NOON,
        "confirmed_at": NOON,
    }
    return Discrepancy(**{**values, **changes})


def make_cost_basis(**changes: Any) -> CostBasis:
    """Two bitcoins that came in with ledger row L1 had cost 31250.50 USD each."""
    values: dict[str, Any] = {
        "ledger_id": "L1",
        "asset": "BTC",
        "quantity": d("2"),
        "unit_cost": d("31250.50"),
        "currency": "USD",
        "declared_at": NOON,
        "declared_by": "ada",
        "reason": "another venue",
    }
    return CostBasis(**{**values, **changes})


def make_run(**changes: Any) -> ReconciliationRun:
    """A comparison at noon that found nothing: 1000 USD and half a coin on both sides."""
    values: dict[str, Any] = {
        "run_id": "R-1",
        "taken_at": NOON,
        "status": "ok",
        "reason": "",
        "local_cash": d("1000"),
        "venue_cash": d("1000"),
        "local_holdings": (("BTC", d("0.5")),),
        "venue_holdings": (("BTC", d("0.5")),),
        "counts": (("issues_total", 0),),
    }
    return ReconciliationRun(**{**values, **changes})


def make_candle(**changes: Any) -> Candle:
    """A finished hour of BTC/USD from noon: 100 to 102, between 99 and 103."""
    values: dict[str, Any] = {
        "symbol": BTC,
        "timeframe": Timeframe.H1,
        "opened_at": NOON,
        "open": d("100.0"),
        "high": d("103.0"),
        "low": d("99.0"),
        "close": d("102.0"),
        "vwap": d("101.3"),
        "volume": d("12.34567890"),
        "count": 42,
    }
    return Candle(**{**values, **changes})


def make_intent(**changes: Any) -> Intent:
    """A place intent of the limit entry, sent at noon with five seconds to live."""
    values: dict[str, Any] = {
        "intent_id": IntentId("I1"),
        "account_id": PAPER.account_id,
        "kind": IntentKind.PLACE,
        "state": IntentState.SENT,
        "command": "run",
        "plan_hash": "00",
        "step_index": 0,
        "symbol": BTC,
        "side": Side.BUY,
        "purpose": "entry",
        "payload": "{}",
        "deadline": NOON + timedelta(seconds=5),
        "created_at": NOON,
        "updated_at": NOON,
        "client_order_id": ClientOrderId("11111111-2222-4333-8444-555555555555"),
    }
    return Intent(**{**values, **changes})


def reading(value: Any, as_of: datetime = NOON) -> Reading[Any]:
    """A part that was read."""
    return Reading(value, as_of, "test")


def snapshot_with(**changes: Any) -> Snapshot:
    """A calm noon: online, two instruments, fresh quotes, 1000 USD, nothing held.

    Bare values become readings; `Missing` stays.
    """
    values: dict[str, Any] = {
        "taken_at": NOON,
        "account": PAPER,
        "policy": Policy(),
        "venue_mode": VenueMode.ONLINE,
        "catalogue": make_catalogue(),
        "balances": (Balance(asset="USD", total=d("1000")),),
        "open_orders": (),
        "closed_orders": (),
        "fills": (),
        "quotes": (make_quote(), make_quote(ETH, bid=d("2999.9"), ask=d("3000.1"))),
    }
    values.update(changes)
    for name in ("venue_mode", "catalogue", "balances", "open_orders", "closed_orders", "fills"):
        values[name] = _as_part(values[name])
    values["quotes"] = _as_part(values["quotes"])
    return Snapshot(**values)


def _as_part(value: Any) -> Any:
    return value if isinstance(value, Missing | Reading) else reading(value)


def place(request: OrderRequest | None = None, **changes: Any) -> PlaceOrder:
    """A step that places the limit entry, or that request."""
    return PlaceOrder(request=request or make_request(), reason="because", **changes)


def plan_with(*steps: Step, **changes: Any) -> Plan:
    """A plan of these steps, made at noon, good for five minutes."""
    values: dict[str, Any] = {
        "command": "run",
        "account": PAPER,
        "created_at": NOON,
        "expires_at": NOON + timedelta(minutes=5),
        "steps": steps,
    }
    return Plan(**{**values, **changes})


def make_ticker(symbol: str = "BTC/USD", **changes: Any) -> Ticker:
    """Around 60,000 with a spread of 0.2; ten traded within a day, up 2 percent; heard at noon."""
    values: dict[str, Any] = {
        "symbol": Symbol(symbol),
        "bid": d("59999.9"),
        "ask": d("60000.1"),
        "last": d("60000.0"),
        "volume": d("10"),
        "vwap": d("59500"),
        "low": d("58000"),
        "high": d("61000"),
        "change_pct": d("2.00"),
        "as_of": NOON,
        "heard_at": NOON,
    }
    return Ticker(**values | changes)


def make_row(symbol: str = "BTC/USD", **changes: Any) -> MarketRow:
    """A live pair as a watch sees it; what is said of its price goes to its ticker."""
    own = {name: changes.pop(name) for name in ("state", "reason", "gaps") if name in changes}
    values: dict[str, Any] = {
        "symbol": Symbol(symbol),
        "state": MarketState.LIVE,
        "reason": "",
        "ticker": make_ticker(symbol, **changes),
    }
    return MarketRow(**values | own)


def make_mover(**changes: Any) -> Mover:
    """BTC at 60000 is 3.4 % above where it was an hour before noon."""
    values: dict[str, Any] = {
        "symbol": BTC,
        "kind": MoverKind.MOMENTUM,
        "detected_at": NOON,
        "mid": d("60000"),
        "reference": d("58000"),
        "reference_at": NOON - timedelta(hours=1),
        "change_pct": d("3.4"),
        "acceleration": None,
        "spread_pct": d("0.01"),
    }
    return Mover(**{**values, **changes})
