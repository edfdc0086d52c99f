"""The content of a report: Kraken's own columns of 2026, CSV or TSV, in a zip file.

A report is made of what was there when it was done, so that it is the same however often, and
after whatever restart, it is fetched.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from zoe_tools.paper.currencies import FIAT, STABLE
from zoe_tools.paper.exports import Export, Report
from zoe_tools.paper.ledger import LedgerRow, TradeView
from zoe_tools.paper.market import PairSpec
from zoe_tools.paper.rest_format import NO_POSITION, wide
from zoe_tools.paper.rounding import fixed
from zoe_tools.paper.times import NS, moment_of
from zoe_tools.paper.views import AssetSpec
from zoe_tools.paper.wallets import parted, wallet_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What the names in rows stand for."""

    pair: Callable[[str], PairSpec]
    asset: Callable[[str], AssetSpec]


TRADE_COLUMNS = (
    "txid",
    "ordertxid",
    "pair",
    "aclass",
    "subclass",
    "time",
    "type",
    "ordertype",
    "price",
    "cost",
    "fee",
    "vol",
    "margin",
    "misc",
    "ledgers",
    "posttxid",
    "posstatuscode",
    "cprice",
    "ccost",
    "cfee",
    "cvol",
    "cmargin",
    "net",
    "trades",
)
LEDGER_COLUMNS = (
    "txid",
    "refid",
    "time",
    "type",
    "subtype",
    "aclass",
    "subclass",
    "asset",
    "wallet",
    "amount",
    "fee",
    "balance",
    "amountusd",
    "feeusd",
    "balanceusd",
    "feecurrency",
)
COLUMNS: Mapping[Report, tuple[str, ...]] = {"trades": TRADE_COLUMNS, "ledgers": LEDGER_COLUMNS}


def archive(export: Export, lines: Iterable[Mapping[str, str]]) -> bytes:
    """The report as a zip file with one table in it."""
    separator = "," if export.format == "CSV" else "\t"
    columns = export.fields or COLUMNS[export.report]
    table = [separator.join(_quoted(name) for name in columns)]
    table += [separator.join(line[name] for name in columns) for line in lines]
    moment = moment_of(export.completed_at)
    name = zipfile.ZipInfo(f"{export.report}.{export.format.lower()}", moment.timetuple()[:6])
    name.compress_type = zipfile.ZIP_DEFLATED
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(name, "\n".join(table) + "\n")
    return content.getvalue()


def trade_line(trade: TradeView, known: Catalogue) -> dict[str, str]:
    """One execution: texts quoted, numbers plain, what only margin has empty."""
    spec = known.pair(trade.symbol)
    texts = {
        "txid": trade.trade_id,
        "ordertxid": trade.order_id,
        "pair": spec.wsname,
        "aclass": "forex",
        "subclass": _kind_of(known.asset(spec.base)),
        "time": f"{moment_of(trade.at):%Y-%m-%d %H:%M:%S}.{trade.at % NS // 100_000:04d}",
        "type": trade.side,
        "ordertype": trade.order_type,
        "misc": "",
        "ledgers": ",".join(trade.ledger_ids),
        "posttxid": NO_POSITION,
    }
    numbers = {
        "price": fixed(trade.price, wide(spec)),
        "cost": fixed(trade.cost, spec.cost_decimals),
        "fee": fixed(trade.fee + trade.fee_base, spec.cost_decimals),
        "vol": fixed(trade.quantity, spec.lot_decimals),
        "margin": fixed(Decimal(0), spec.cost_decimals),
    }
    line = dict.fromkeys(TRADE_COLUMNS, _quoted(""))
    return line | {name: _quoted(text) for name, text in texts.items()} | numbers


def ledger_line(row: LedgerRow, known: Catalogue, trade: TradeView | None) -> dict[str, str]:
    """One ledger row; in dollars where the row itself says what it was worth."""
    asset = known.asset(row.asset)
    base = known.asset(parted(row.asset)[0])
    wallet = wallet_of(row.asset)
    texts = {
        "txid": row.ledger_id,
        "refid": row.ref_id,
        "time": f"{moment_of(row.at):%Y-%m-%d %H:%M:%S}",
        "type": row.type,
        "subtype": row.subtype,
        "aclass": "currency",
        "subclass": _kind_of(base),
        "asset": base.altname,
        "wallet": f"{wallet.kind} / {wallet.wallet_id}",
        "feecurrency": base.altname if row.fee else "",
    }
    rate = _dollars(base, known, trade)
    numbers = {}
    for name, value in (("amount", row.amount), ("fee", row.fee), ("balance", row.balance)):
        numbers[name] = fixed(value, asset.decimals)
        numbers[f"{name}usd"] = _quoted("") if rate is None else fixed(value * rate, asset.decimals)
    return {name: _quoted(text) for name, text in texts.items()} | numbers


def _dollars(asset: AssetSpec, known: Catalogue, trade: TradeView | None) -> Decimal | None:
    if asset.name == "USD":
        return Decimal(1)
    is_priced = trade is not None and known.pair(trade.symbol).quote == "USD"
    return trade.price if trade is not None and is_priced else None


def _kind_of(asset: AssetSpec) -> str:
    if asset.name in STABLE:
        return "stable_coin"
    return "fiat" if asset.name in FIAT else "crypto"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
