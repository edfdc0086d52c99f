"""The export endpoints of private REST (section 6): reports as files, made in venue time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast, get_args

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.export_tables import COLUMNS, archive, ledger_line, trade_line
from zoe_tools.paper.rest.format import Json
from zoe_tools.paper.rest.margin import trade_row
from zoe_tools.paper.rest.params import Params, invalid
from zoe_tools.paper.values.exports import Export, ExportFormat, Report
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS, moment_of, ns_of
from zoe_tools.paper.values.views import Principal

_LONGEST_DESCRIPTION = 256
_ACLASS = {"trades": "forex", "ledgers": "currency"}
_REMOVALS = {"cancel": False, "delete": True}


def _report(params: Params) -> Report:
    text = params.text("report")
    if text not in get_args(Report):
        raise invalid("report")
    return cast("Report", text)


def add_export(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """AddExport: from the first of this month until now, unless told otherwise."""
    report = _report(params)
    description = params.text("description") or ""
    if not 0 < len(description) <= _LONGEST_DESCRIPTION:
        raise invalid("description")
    form = (params.text("format") or "CSV").upper()
    if form not in get_args(ExportFormat):
        raise invalid("format")
    month = moment_of(exchange.now()).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    bounds = params.seconds("starttm"), params.seconds("endtm")
    from_at, to_at = who.terms.window(*bounds)
    export = exchange.order_export(
        who.account_id,
        report,
        description=description,
        form=cast("ExportFormat", form),
        fields=_fields(report, params),
        from_at=ns_of(month) if from_at is None else from_at,
        to_at=to_at,
    )
    return {"id": export.export_id}


def _fields(report: Report, params: Params) -> tuple[str, ...]:
    """The columns asked for, in the report's own order; none for all."""
    asked = set(params.names("fields")) - {"all"}
    if not asked <= set(COLUMNS[report]):
        raise invalid("fields")
    return tuple(name for name in COLUMNS[report] if name in asked)


def export_status(exchange: PaperExchange, who: Principal, params: Params) -> list[Json]:
    """ExportStatus: newest first; every value is text, a time not yet known is "0"."""
    now = exchange.now()
    return [_row(one, now) for one in exchange.exports(who.account_id, _report(params))]


def _row(export: Export, now: int) -> Json:
    return {
        "id": export.export_id,
        "descr": export.description,
        "format": export.format,
        "report": export.report,
        "subtype": "all",
        "status": export.status(now),
        "flags": "0",
        "fields": ",".join(export.fields) or "all",
        "createdtm": _second(export.created_at),
        "expiretm": _second(export.expires_at),
        "starttm": _second(export.started_at) if now >= export.started_at else "0",
        "completedtm": _second(export.completed_at) if now >= export.completed_at else "0",
        "datastarttm": _second(export.from_at),
        "dataendtm": _second(export.to_at),
        "aclass": _ACLASS[export.report],
        "asset": "all",
    }


def _second(at: int) -> str:
    return str(at // NS)


def retrieve_export(exchange: PaperExchange, who: Principal, params: Params) -> bytes:
    """RetrieveExport: the zip file itself, not JSON."""
    export = exchange.finished_export(who.account_id, params.text("id") or "")
    lines = _trade_lines if export.report == "trades" else _ledger_lines
    return archive(export, lines(exchange, who, export))


def _is_in(export: Export, who: Principal, at: int) -> bool:
    return export.holds(at) and who.terms.shows(at)


def _trade_lines(
    exchange: PaperExchange, who: Principal, export: Export
) -> Iterator[dict[str, str]]:
    for trade in exchange.trades(who.account_id, export.from_at - 1):
        if _is_in(export, who, trade.at):
            spec = exchange.pair(trade.symbol)
            row = trade_row(exchange, who, [trade], has_ledgers=True)
            yield trade_line(trade, spec, row)


def _ledger_lines(
    exchange: PaperExchange, who: Principal, export: Export
) -> Iterator[dict[str, str]]:
    since = export.from_at - 1
    prices = {
        trade.trade_id: trade.price
        for trade in exchange.trades(who.account_id, since)
        if exchange.pair(trade.symbol).quote == "USD"
    }
    for row in exchange.ledger(who.account_id, since):
        if _is_in(export, who, row.at):
            yield ledger_line(row, exchange.asset(row.asset), prices.get(row.ref_id))


def remove_export(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """RemoveExport: `cancel` what is being made, `delete` what is done."""
    kind = params.text("type") or ""
    if kind not in _REMOVALS:
        raise Refusal("EGeneral:Invalid arguments:type")
    exchange.remove_export(who.account_id, params.text("id") or "", is_done=_REMOVALS[kind])
    return {kind: True}
