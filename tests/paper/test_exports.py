"""Reports as files over REST: stages in venue time, columns, filters, restart, refusals."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from paper_desk import API_KEY, API_SECRET, START, RestDesk, ScriptedSource, ask_for, d, snapshot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.engine.funding import Transfer
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.rest.dialect import RestDialect, RestRequest
from zoe_tools.paper.values.times import NS
from zoe_tools.runtime.virtual_loop import run_virtual

BOOK = snapshot(["69999.0 1.00000000"], ["70000.1 0.30000000", "70000.4 0.15000000"])
SECOND = START // NS
DONE_S = 5
DATA = Path(__file__).parents[2] / "../shared/data/zcrypto-kraken"


def open_desk(state: StateFile | None = None) -> RestDesk:
    """A minute after the account was opened it buys 0.4 bitcoin, which are two executions."""
    desk = RestDesk(state=state)
    desk.exchange.hear(BOOK)
    pass_time(desk, 60)
    desk.exchange.add_order(desk.account_id, ask_for("buy", "0.4", "70000.4"))
    return desk


def pass_time(desk: RestDesk, seconds: int) -> None:
    """Venue time goes by."""
    desk.clock.ns += seconds * NS


def order(desk: RestDesk, report: str, **fields: str) -> str:
    """Order a report from the beginning of time; its id."""
    fields = {"starttm": "0", **fields}
    return str(desk.private("AddExport", report=report, description="mine", **fields)["id"])


def content(desk: RestDesk, export_id: str) -> bytes:
    """What RetrieveExport sends: not JSON."""
    desk.nonce += 1
    body = urlencode({"nonce": str(desk.nonce), "id": export_id})
    path = "/0/private/RetrieveExport"
    signature = sign(secret=API_SECRET, path=path, body=body.encode(), nonce=str(desk.nonce))
    headers = {"api-key": API_KEY, "api-sign": signature}
    request = RestRequest(method="POST", path=path, query="", headers=headers, body=body.encode())
    return desk.dialect.answer(request)


def unpacked(file: bytes) -> tuple[str, str]:
    """Name and text of the one table in the zip."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert archive.testzip() is None
        (name,) = archive.namelist()
        return name, archive.read(name).decode()


def table(desk: RestDesk, export_id: str) -> list[dict[str, str]]:
    """The rows of a CSV report."""
    _, text = unpacked(content(desk, export_id))
    return list(csv.DictReader(io.StringIO(text)))


def test_a_report_is_queued_then_processing_then_processed() -> None:
    """In venue time; the status is text in every field, and times not yet known are "0"."""
    desk = open_desk()
    export_id = order(desk, "trades")
    seen = []
    for seconds in (0, 2, 3):
        pass_time(desk, seconds)
        (row,) = desk.private("ExportStatus", report="trades")
        seen.append((row["status"], row["starttm"], row["completedtm"]))

    made = SECOND + 60
    assert seen == [
        ("Queued", "0", "0"),
        ("Processing", str(made + 2), "0"),
        ("Processed", str(made + 2), str(made + 5)),
    ]
    assert desk.private("ExportStatus", report="trades") == [
        {
            "id": export_id,
            "descr": "mine",
            "format": "CSV",
            "report": "trades",
            "subtype": "all",
            "status": "Processed",
            "flags": "0",
            "fields": "all",
            "createdtm": str(made),
            "expiretm": str(made + 14 * 86_400),
            "starttm": str(made + 2),
            "completedtm": str(made + 5),
            "datastarttm": "0",
            "dataendtm": str(made),
            "aclass": "forex",
            "asset": "all",
        }
    ]
    assert desk.private("ExportStatus", report="ledgers") == []


def test_a_trades_report_has_a_line_for_each_execution() -> None:
    """Kraken's columns of 2026; texts quoted, numbers plain; each with the rows of its ledger."""
    desk = open_desk()
    export_id = order(desk, "trades")
    pass_time(desk, DONE_S)
    name, text = unpacked(content(desk, export_id))
    lines = text.splitlines()
    (first, second) = table(desk, export_id)

    assert name == "trades.csv"
    assert lines[0] == (
        '"txid","ordertxid","pair","aclass","subclass","time","type","ordertype","price","cost",'
        '"fee","vol","margin","misc","ledgers","posttxid","posstatuscode","cprice","ccost","cfee",'
        '"cvol","cmargin","net","trades"'
    )
    assert lines[1].split(",")[8:12] == ["70000.10000", "21000.03000", "84.00012", "0.30000000"]
    assert (first["pair"], first["time"]) == ("XBT/USD", "2026-01-05 08:01:00.0000")
    assert (first["type"], first["ordertype"], first["aclass"]) == ("buy", "limit", "forex")
    assert first["posttxid"] == "TKH2SE-M7IF5-CFI7LT"
    assert (second["price"], second["vol"]) == ("70000.40000", "0.10000000")
    known = desk.private("QueryLedgers", id=first["ledgers"])
    assert {row["refid"] for row in known.values()} == {first["txid"]}


def test_a_trades_report_says_what_became_of_a_position() -> None:
    """The opening trade has the columns that are empty for others; a stable table all the same."""
    desk = open_desk()
    desk.exchange.allow_margin(desk.account_id, has_margin=True)
    desk.exchange.hear(snapshot(["70000.0 10"], ["70001.0 10"], at=desk.clock.ns))
    for side, volume in (("buy", "0.5"), ("sell", "0.2")):
        desk.private(
            "AddOrder", pair="XBTUSD", type=side, ordertype="market", volume=volume, leverage="5"
        )
    export_id = order(desk, "trades")
    pass_time(desk, DONE_S)
    plain, _, opening, closing = table(desk, export_id)
    names = ("margin", "misc", "posstatuscode", "ccost", "cvol", "net", "trades")

    assert [plain[name] for name in names] == ["0.00000", "", "", "", "", "", ""]
    assert [opening[name] for name in names] == [
        "7000.10000",
        "",
        "open",
        "14000.00000",
        "0.20000000",
        "-0.2000",
        closing["txid"],
    ]
    assert (closing["misc"], closing["posttxid"]) == ("closing", opening["txid"])


def test_a_ledgers_report_chains_and_names_the_wallets() -> None:
    """Every row of every wallet: the balance of one follows from the one before."""
    desk = open_desk()
    desk.exchange.transfer(desk.account_id, Transfer(asset="BTC", amount=d("0.5"), target=".F"))
    export_id = order(desk, "ledgers")
    pass_time(desk, DONE_S)
    name, text = unpacked(content(desk, export_id))
    rows = table(desk, export_id)

    assert name == "ledgers.csv"
    assert text.splitlines()[0] == (
        '"txid","refid","time","type","subtype","aclass","subclass","asset","wallet","amount",'
        '"fee","balance","amountusd","feeusd","balanceusd","feecurrency"'
    )
    assert [row["type"] for row in rows] == ["deposit"] * 2 + ["trade"] * 4 + ["transfer"] * 2
    running: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        place = (row["asset"], row["wallet"])
        change = Decimal(row["amount"]) - Decimal(row["fee"])
        running[place] = running.get(place, Decimal(0)) + change
        assert Decimal(row["balance"]) == running[place]
    assert running == {
        ("USD", "spot / main"): d("71887.9297"),
        ("XBT", "spot / main"): d("1.9"),
        ("XBT", "earn / flexible"): d("0.5"),
    }
    bought = [row for row in rows if row["type"] == "trade"]
    assert [(row["asset"], row["amountusd"], row["feecurrency"]) for row in bought[:2]] == [
        ("USD", "-21000.0300", "USD"),
        ("XBT", "21000.0300000000", ""),
    ]


def test_a_report_in_tabs_has_the_fields_that_were_asked_for() -> None:
    """In the report's own order."""
    desk = open_desk()
    export_id = order(desk, "trades", format="TSV", fields="vol,ordertxid,price")
    pass_time(desk, DONE_S)
    name, text = unpacked(content(desk, export_id))
    (placed,) = desk.exchange.closed_orders(desk.account_id)

    assert name == "trades.tsv"
    assert text.splitlines() == [
        '"ordertxid"\t"price"\t"vol"',
        f'"{placed.order_id}"\t70000.10000\t0.30000000',
        f'"{placed.order_id}"\t70000.40000\t0.10000000',
    ]


@pytest.mark.parametrize(
    ("fields", "types"),
    [
        ({}, ["deposit", "deposit", "trade", "trade", "trade", "trade"]),
        ({"starttm": str(SECOND + 1)}, ["trade"] * 4),
        ({"endtm": str(SECOND + 59)}, ["deposit", "deposit"]),
        ({"starttm": str(SECOND), "endtm": str(SECOND)}, ["deposit", "deposit"]),
        ({"starttm": str(SECOND + 61)}, []),
    ],
)
def test_a_report_holds_what_happened_between_its_times(
    fields: Mapping[str, str], types: list[str]
) -> None:
    """Both ends inclusive, in seconds."""
    desk = open_desk()
    export_id = order(desk, "ledgers", **fields)
    pass_time(desk, DONE_S)

    assert [row["type"] for row in table(desk, export_id)] == types


def test_without_times_a_report_is_of_this_month_until_now() -> None:
    """From the first of the month, 2026-01-01; what happens after it was ordered is not in it."""
    desk = open_desk()
    export_id = desk.private("AddExport", report="ledgers", description="mine")["id"]
    pass_time(desk, 1)
    desk.exchange.deposit(desk.account_id, "USD", d("1"))
    pass_time(desk, DONE_S)

    assert len(table(desk, export_id)) == 6
    (row,) = desk.private("ExportStatus", report="ledgers")
    assert row["datastarttm"] == "1767225600"


def test_a_report_ends_when_it_is_done_though_it_was_asked_for_longer() -> None:
    """What happens while it is made is in it, what happens after is not."""
    desk = open_desk()
    export_id = order(desk, "ledgers", endtm=str(SECOND + 86_400))
    pass_time(desk, 1)
    desk.exchange.deposit(desk.account_id, "USD", d("1"))
    pass_time(desk, DONE_S)
    desk.exchange.deposit(desk.account_id, "USD", d("2"))

    assert [row["amount"] for row in table(desk, export_id)][6:] == ["1.0000"]


def test_a_report_is_cancelled_while_it_is_made_and_deleted_when_it_is_done() -> None:
    """Each by its own word; then it is gone."""
    desk = open_desk()
    first, second = order(desk, "trades"), order(desk, "trades")
    wrong = "EGeneral:Invalid arguments:type"
    assert desk.refusal("RemoveExport", id=first, type="delete") == wrong
    assert desk.private("RemoveExport", id=first, type="cancel") == {"cancel": True}
    pass_time(desk, DONE_S)
    assert desk.refusal("RemoveExport", id=second, type="cancel") == wrong
    assert desk.private("RemoveExport", id=second, type="delete") == {"delete": True}

    assert desk.private("ExportStatus", report="trades") == []
    assert desk.refusal("RemoveExport", id=second, type="delete") == (
        "EGeneral:Invalid arguments:id"
    )


def test_a_report_is_kept_for_two_weeks() -> None:
    """Then nobody knows it."""
    desk = open_desk()
    export_id = order(desk, "trades")
    pass_time(desk, 14 * 86_400 - 1)
    assert len(table(desk, export_id)) == 2
    pass_time(desk, 1)

    assert desk.private("ExportStatus", report="trades") == []
    assert desk.refusal("RetrieveExport", id=export_id) == "EGeneral:Invalid arguments:id"


def test_a_report_survives_a_restart_and_is_the_same(tmp_path: Path) -> None:
    """Killed while it is queued: the exchange that follows makes it, the same to the byte."""
    path = tmp_path / "state.sqlite"
    desk = open_desk(StateFile(path))
    export_id = order(desk, "ledgers")
    desk.exchange = again = PaperExchange(
        ScriptedSource(), desk.clock, state=StateFile(path), seed=7
    )
    desk.dialect = RestDialect(again)
    assert desk.private("ExportStatus", report="ledgers")[0]["status"] == "Queued"
    pass_time(desk, DONE_S)
    made = content(desk, export_id)
    pass_time(desk, 3600)
    again.deposit(desk.account_id, "USD", d("1"))

    assert len(table(desk, export_id)) == 6
    assert content(desk, export_id) == made
    again.close()


@pytest.mark.parametrize(
    ("endpoint", "fields", "error"),
    [
        ("AddExport", {"description": "x"}, "report"),
        ("AddExport", {"report": "orders", "description": "x"}, "report"),
        ("AddExport", {"report": "trades"}, "description"),
        ("AddExport", {"report": "trades", "description": "x", "format": "XML"}, "format"),
        ("AddExport", {"report": "trades", "description": "x", "fields": "refid"}, "fields"),
        ("AddExport", {"report": "trades", "description": "x", "starttm": "now"}, "starttm"),
        ("ExportStatus", {}, "report"),
        ("RetrieveExport", {}, "id"),
        ("RetrieveExport", {"id": "NONE"}, "id"),
        ("RemoveExport", {"id": "NONE", "type": "cancel"}, "id"),
        ("RemoveExport", {"id": "NONE"}, "type"),
    ],
)
def test_nonsense_is_refused(endpoint: str, fields: Mapping[str, str], error: str) -> None:
    """The argument is named."""
    assert open_desk().refusal(endpoint, **fields) == f"EGeneral:Invalid arguments:{error}"


def test_a_report_that_is_not_done_cannot_be_fetched() -> None:
    """It is refused in words, as JSON."""
    desk = open_desk()

    assert desk.refusal("RetrieveExport", id=order(desk, "trades")) == (
        "EGeneral:Invalid arguments:id"
    )


def test_over_http_a_report_is_a_file_and_a_refusal_is_not() -> None:
    """The one endpoint whose body is no JSON (section 1)."""
    desk = open_desk()
    export_id = order(desk, "trades")
    app = create_app(desk.exchange, proof_secret=None)

    async def asked() -> httpx.Response:
        desk.nonce += 1
        body = urlencode({"nonce": str(desk.nonce), "id": export_id}).encode()
        path = "/0/private/RetrieveExport"
        signature = sign(secret=API_SECRET, path=path, body=body, nonce=str(desk.nonce))
        headers = {"API-Key": API_KEY, "API-Sign": signature}
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://paper") as client:
            return await client.post(path, content=body, headers=headers)

    refused = run_virtual(asked())
    pass_time(desk, DONE_S)
    file = run_virtual(asked())

    assert refused.headers["content-type"] == "application/json"
    assert refused.json() == {"error": ["EGeneral:Invalid arguments:id"]}
    assert file.headers["content-type"] == "application/octet-stream"
    assert unpacked(file.content)[0] == "trades.csv"


@pytest.mark.parametrize("report", ["trades", "ledgers"])
def test_the_columns_are_those_of_kraken_to_the_letter(report: str) -> None:
    """The first line of an export of 2026, quotes and order."""
    file = DATA / f"window-1-{report}.csv"
    if not file.exists():
        pytest.skip("the exports are not on this machine (../shared/data/zcrypto-kraken)")
    desk = open_desk()
    export_id = order(desk, report)
    pass_time(desk, DONE_S)
    _, text = unpacked(content(desk, export_id))

    assert text.splitlines()[0] == file.read_text().splitlines()[0]


def test_exports_need_their_permission() -> None:
    """Section 2.4: `export-data`."""
    desk = RestDesk(permissions=frozenset({"query-ledger", "query-funds"}))

    for endpoint in ("AddExport", "ExportStatus", "RetrieveExport", "RemoveExport"):
        assert desk.refusal(endpoint) == "EGeneral:Permission denied"
