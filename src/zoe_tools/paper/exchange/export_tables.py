"""The content of a report: Kraken's own columns of 2026, CSV or TSV, in a zip file.

A report is made of what was there when it was done, so that it is the same however often, and
after whatever restart, it is fetched. Only what a position has come to is told as of now.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from decimal import Decimal

from zoe_tools.paper.engine.wallets import parted, wallet_of
from zoe_tools.paper.values.currencies import FIAT, STABLE
from zoe_tools.paper.values.exports import Export, Report
from zoe_tools.paper.values.ledger import LedgerRow, TradeView
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.rounding import fixed
from zoe_tools.paper.values.times import NS, moment_of
from zoe_tools.paper.values.views import AssetSpec

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
_TRADE_NUMBERS = (
    "price",
    "cost",
    "fee",
    "vol",
    "margin",
    "cprice",
    "ccost",
    "cfee",
    "cvol",
    "cmargin",
    "net",
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


def trade_line(trade: TradeView, spec: PairSpec, row: Mapping[str, object]) -> dict[str, str]:
    """One execution, of its REST row: texts quoted, numbers plain, what it has not empty."""
    texts = {
        "txid": trade.trade_id,
        "ordertxid": trade.order_id,
        "pair": spec.wsname,
        "aclass": "forex",
        "subclass": _kind_of(spec.base),
        "time": f"{moment_of(trade.at):%Y-%m-%d %H:%M:%S}.{trade.at % NS // 100_000:04d}",
        "type": trade.side,
        "ordertype": trade.order_type,
        "misc": str(row["misc"]),
        "ledgers": ",".join(trade.ledger_ids),
        "posttxid": str(row["postxid"]),
        "posstatuscode": str(row.get("posstatus", "")),
        "trades": _listed(row.get("trades")),
    }
    numbers = {name: str(row[name]) for name in _TRADE_NUMBERS if name in row}
    line = dict.fromkeys(TRADE_COLUMNS, _quoted(""))
    return line | {name: _quoted(text) for name, text in texts.items()} | numbers


def _listed(names: object) -> str:
    return ",".join(str(name) for name in names) if isinstance(names, list) else ""


def ledger_line(row: LedgerRow, asset: AssetSpec, price: Decimal | None) -> dict[str, str]:
    """One ledger row; in dollars where it is in dollars, or its trade has a `price` in them."""
    name, suffix = parted(row.asset)
    told = asset.altname.removesuffix(suffix)
    wallet = wallet_of(row.asset)
    texts = {
        "txid": row.ledger_id,
        "refid": row.ref_id,
        "time": f"{moment_of(row.at):%Y-%m-%d %H:%M:%S}",
        "type": row.type,
        "subtype": row.subtype,
        "aclass": "currency",
        "subclass": _kind_of(name),
        "asset": told,
        "wallet": f"{wallet.kind} / {wallet.wallet_id}",
        "feecurrency": told if row.fee else "",
    }
    rate = Decimal(1) if name == "USD" else price
    numbers = {}
    for column, value in (("amount", row.amount), ("fee", row.fee), ("balance", row.balance)):
        numbers[column] = fixed(value, asset.decimals)
        dollars = _quoted("") if rate is None else fixed(value * rate, asset.decimals)
        numbers[f"{column}usd"] = dollars
    return {name: _quoted(text) for name, text in texts.items()} | numbers


def _kind_of(asset: str) -> str:
    if asset in STABLE:
        return "stable_coin"
    return "fiat" if asset in FIAT else "crypto"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
