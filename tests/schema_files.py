"""The published JSON Schemas: of plan files, and of what every command prints with `--json`.

`RESULTS` says what a command's `result` is, from the program's own types where it is made of them;
a new command gets its line there. Run as a program (`make docs`) this rewrites the files.

Published, the schemas of answers are open: fields may be added. Tests close them (`closed`), so
that a field nobody told about is found.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

import house_rules as house
from zoe_tools.commands.config_check import Lint
from zoe_tools.commands.fills import FillSum
from zoe_tools.commands.pnl_basis import Effect
from zoe_tools.commands.reconcile import Settled
from zoe_tools.config import KNOBS
from zoe_tools.core.audit_verify import AuditReport
from zoe_tools.core.candle_needs import InstrumentNeed
from zoe_tools.core.check_tp_coverage import AbsentHolding, PositionCoverage
from zoe_tools.core.codes import Meaning, Retry
from zoe_tools.core.control_drill import Proof
from zoe_tools.core.escalation import REPORT_FIELDS
from zoe_tools.core.explain import Line
from zoe_tools.core.ledger import AssetProof
from zoe_tools.core.left_behind import LeftBehind
from zoe_tools.core.markets import MarketLine
from zoe_tools.core.markets_focus import FocusChange
from zoe_tools.core.markets_history import History
from zoe_tools.core.monitor_trade_execution import ExecutionReport
from zoe_tools.core.orders import OrderLine
from zoe_tools.core.performance import CurvePoint, Performance
from zoe_tools.core.pnl import PnlReport
from zoe_tools.core.pnl_basis import CameIn
from zoe_tools.core.positions import AssetShare, PositionLine, PositionStory
from zoe_tools.core.pre_flight import Check, Verdict
from zoe_tools.core.risk import Refusal
from zoe_tools.core.run_report import RunResult
from zoe_tools.core.trade_costs import TradeCost
from zoe_tools.domain.breaker import Breaker
from zoe_tools.domain.candle import Candle
from zoe_tools.domain.candle_reads import OhlcRead, TradesRead
from zoe_tools.domain.discrepancy import Discrepancy, ReconciliationState
from zoe_tools.domain.equity import PnlDay
from zoe_tools.domain.export_report import ExportReport
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.journal import Intent, OrderRecord
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.lot import CostBasis
from zoe_tools.domain.market_watch import FocusClaim, Mover
from zoe_tools.domain.observation import Heartbeat, Lease
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.plan import Plan, StepOutcome
from zoe_tools.domain.plan_file import plan_file_schema
from zoe_tools.domain.position import GonePosition, Position
from zoe_tools.domain.rehearsal import Rehearsal
from zoe_tools.domain.store_health import StoreHealth
from zoe_tools.domain.story import SubjectKind
from zoe_tools.domain.stream import ChecksumTally
from zoe_tools.domain.trading_state import KillLevel, KillScope
from zoe_tools.domain.typed_json import Schema, schema_of
from zoe_tools.errors import Moved
from zoe_tools.paper.exchange.faults import FaultRule
from zoe_tools.runtime.candle_export import Exported
from zoe_tools.runtime.candle_import import TableTold
from zoe_tools.runtime.ledger_evidence import Evidence
from zoe_tools.runtime.ledger_import import Preview
from zoe_tools.runtime.market_record import Recording
from zoe_tools.store.prune import Prunable

FOLDER = Path(__file__).parents[1] / "docs" / "reference" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

Known = dict[str, Schema]
Result = Callable[[Known], Schema]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
NOTHING: Schema = {"type": "null"}
EXIT_CODES = [0, 1, 2, 3, 4, 5, 6, 7, 130]


# --- words to describe answers with --------------------------------------------------------------


def a(wanted: Any) -> Result:
    """A value of one of the program's types."""
    return lambda known: schema_of(wanted, known)


def is_(schema: Schema) -> Result:
    """Exactly this schema."""
    return lambda _: schema


def rows(each: Result) -> Result:
    """A list of them."""
    return lambda known: {"type": "array", "items": each(known)}


def either(*choices: Result) -> Result:
    """One of them."""
    return lambda known: {"anyOf": [each(known) for each in choices]}


def an_object(*alike: Mapping[str, Result], **more: Result) -> Result:
    """An object with these fields."""
    return perhaps_with({}, *alike, **more)


def perhaps_with(
    optional: Mapping[str, Result], *alike: Mapping[str, Result], **more: Result
) -> Result:
    """An object with these fields, and perhaps the optional ones."""
    required: dict[str, Result] = {}
    for each in (*alike, more):
        required |= each

    def schema(known: Known) -> Schema:
        return {
            "type": "object",
            "properties": {name: each(known) for name, each in {**required, **optional}.items()},
            "required": sorted(required),
            "additionalProperties": False,
        }

    return schema


def table(each: Result) -> Result:
    """An object whose keys are data."""
    return lambda known: {"type": "object", "additionalProperties": each(known)}


def bare(wanted: Any) -> dict[str, Result]:
    """The fields of a class, for an object that does not say its kind."""
    hints = get_type_hints(wanted)
    return {each.name: a(hints[each.name]) for each in fields(wanted)}


text, flag, whole = is_(TEXT), is_(FLAG), is_(WHOLE)
maybe_text = either(text, is_(NOTHING))
level = is_({"enum": [each.label for each in KillLevel]})

# --- what each command answers -------------------------------------------------------------------

A_PLAN = {
    "plan": a(Plan),
    "plan_hash": is_({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
    "is_executed": flag,
    "outcomes": rows(a(StepOutcome)),
    "refusals": rows(a(Refusal)),
}
planned = an_object(A_PLAN)
SETTINGS = ("ZOE_HOME", "I_UNDERSTAND_LIVE", *(each.name for each in KNOBS))
TRADING = {
    "level": level,
    "scope": is_({"enum": [each.value for each in KillScope]}),
    "reason": text,
    "since": a(datetime | None),
    "by": text,
    "may_enter": flag,
    "instruments": rows(
        an_object(symbol=text, level=level, reason=text, since=a(datetime | None), by=text)
    ),
}
STOPPED = {
    **TRADING,
    "waiting": rows(
        an_object(symbol=maybe_text, level=level, reason=text, since=a(datetime | None), by=text)
    ),
}
A_KEY = {
    **dict.fromkeys(("name", "account_id", "account", "tier", "api_key"), text),
    **dict.fromkeys(("valid_until", "query_from", "query_to", "last_used", "locked_until"), text),
    "rest_calls": text,
    "permissions": rows(text),
    "addresses": rows(text),
    "nonce_window": whole,
    "second_factor": is_({"enum": ["", "password", "code"]}),
}
killed = perhaps_with(
    {
        **A_PLAN,
        "error": text,
        "note": text,
        "cancelled": rows(a(VenueOrder)),
        "still_open": either(rows(a(VenueOrder)), is_(NOTHING)),
        "is_journaled": flag,
    },
    account=text,
    exit_code=is_({"enum": EXIT_CODES}),
)
finding = an_object(kind=text, subject=text, evidence=text, at_stake=a(Decimal))
money_row = an_object(asset=text, balance=a(Decimal), held=a(Decimal))
moving_row = an_object(
    ref_id=text, kind=text, asset=text, amount=a(Decimal), status=text, ends_at=text
)
change = an_object(asset=text, before=a(Decimal), after=a(Decimal))


def armed(_: Known) -> Schema:
    """A fault as it was written, and how it does."""
    rule = msgspec.json.schema(FaultRule)["$defs"]["FaultRule"]["properties"]
    own: dict[str, Schema] = {
        "number": WHOLE,
        "struck": WHOLE,
        "starts_at": TEXT,
        "ends_at": {"anyOf": [TEXT, NOTHING]},
    }
    properties = {
        **{name: {k: v for k, v in each.items() if k != "default"} for name, each in rule.items()},
        **own,
    }
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


RESULTS: dict[str, Result] = {
    "run": either(
        an_object(mode=is_({"const": "disabled"})),
        an_object(
            result=an_object(
                {
                    **bare(RunResult),
                    "checksums": an_object(bare(ChecksumTally)),
                    "left": an_object(bare(LeftBehind)),
                    "performance": either(
                        an_object(
                            {**bare(Performance), "curve": rows(an_object(bare(CurvePoint)))}
                        ),
                        is_(NOTHING),
                    ),
                },
                discrepancies=either(whole, is_(NOTHING)),
                findings=rows(finding),
            ),
            result_sha256=text,
            environment=an_object(zoe=text, python=text, host=text),
        ),
    ),
    "init": an_object(
        home=text,
        home_created=flag,
        settings_created=flag,
        migration_before=maybe_text,
        migration=text,
    ),
    "pre-flight": either(
        an_object(verdict=a(Verdict), checks=rows(a(Check))), an_object(controls=rows(a(Proof)))
    ),
    "check-db-health": an_object(verdict=a(Verdict), checks=rows(a(Check)), facts=a(StoreHealth)),
    "check-live-readiness": an_object(verdict=a(Verdict), checks=rows(a(Check))),
    "status": an_object(
        loop_mode=text,
        trading_state=level,
        trading_reason=text,
        stopped_instruments=rows(an_object(symbol=text, level=level, reason=text)),
        is_loop_running=flag,
        lease=a(Lease | None),
        heartbeats=rows(a(Heartbeat)),
        positions=rows(a(Position)),
        orders=rows(a(OrderRecord)),
        unresolved_intents=rows(a(Intent)),
        last_reconcile=a(Heartbeat | None),
        last_compare=a(Heartbeat | None),
        countdown_s=whole,
        open_findings=rows(a(Discrepancy)),
        reconciliation=a(ReconciliationState),
        as_of=a(datetime),
    ),
    "health": an_object(
        is_healthy=flag,
        mode=is_({"enum": ["SHADOW", "PAPER", "LIVE"]}),
        phase=text,
        state=text,
        findings=rows(text),
        why_no_entries=text,
        last_stage=text,
        work_age_s=either(whole, is_(NOTHING)),
        beat_age_s=either(whole, is_(NOTHING)),
        stage_ages_s=table(whole),
        as_of=a(datetime),
    ),
    "sync-positions": planned,
    "recover-sl": planned,
    "check-tp-coverage": an_object(
        loop_is_running=flag,
        positions=rows(a(PositionCoverage)),
        gone=rows(a(GonePosition)),
        absent=rows(a(AbsentHolding)),
    ),
    "repair-tp": planned,
    "reconcile": either(
        an_object(
            taken_at=a(datetime),
            discrepancies=whole,
            findings=rows(a(Discrepancy)),
            settled=rows(a(Discrepancy)),
            state=a(ReconciliationState),
            report=an_object(dict.fromkeys(REPORT_FIELDS, whole)),
            resolutions=rows(a(Settled)),
            notes=rows(text),
            is_executed=flag,
        ),
        planned,
    ),
    "backfill": either(
        planned,
        an_object(
            instruments=rows(a(InstrumentNeed)),
            is_executed=flag,
            ohlc=rows(a(OhlcRead)),
            trades=rows(a(TradesRead)),
        ),
        an_object(
            file=text,
            is_executed=flag,
            tables=rows(a(TableTold)),
            left_out=rows(text),
            rows_read=whole,
            rows_written=whole,
        ),
        a(Exported),
    ),
    "markets history": an_object(history=a(History | None), candles=rows(a(Candle))),
    "orders": an_object(orders=rows(a(OrderLine)), since=a(datetime | None), as_of=a(datetime)),
    "orders cancel": planned,
    "fills": an_object(
        fills=rows(a(Fill)),
        sums=rows(a(FillSum)),
        since=a(datetime | None),
        as_of=a(datetime),
    ),
    "monitor-trade-execution": an_object(
        report=a(ExecutionReport),
        groups=rows(a(TradeCost)),
        since=a(datetime | None),
        as_of=a(datetime),
    ),
    "markets": an_object(
        markets=rows(a(MarketLine)),
        counts=table(whole),
        movers=rows(a(Mover)),
        is_watched=flag,
        source=text,
        as_of=a(datetime),
    ),
    "markets focus": an_object(
        focus=rows(a(FocusClaim)),
        changes=rows(a(FocusChange)),
        is_executed=flag,
        as_of=a(datetime),
    ),
    "markets record": an_object(files=rows(a(Recording))),
    "ledger": either(
        an_object(rows=rows(a(LedgerEntry)), since=a(datetime | None), as_of=a(datetime)),
        an_object(proof=rows(a(AssetProof)), as_of=a(datetime)),
    ),
    "ledger import": an_object(
        imports=rows(a(Preview)),
        trades=rows(a(Evidence)),
        report=a(ExportReport | None),
        proof=rows(a(AssetProof)),
        is_executed=flag,
        rows_booked=whole,
    ),
    "pnl": an_object(
        report=a(PnlReport),
        total_realised=a(Decimal),
        net_deposits=a(Decimal),
        gross_equity=a(Decimal | None),
        net_equity=a(Decimal | None),
        days=rows(a(PnlDay)),
        is_executed=flag,
    ),
    "pnl basis": an_object(
        came_in=rows(a(CameIn)),
        declared=a(CostBasis | None),
        effect=a(Effect | None),
        is_executed=flag,
    ),
    "positions": an_object(
        positions=rows(a(PositionLine)),
        gone=rows(a(GonePosition)),
        given_up=rows(a(OrderRecord)),
        assets=either(rows(a(AssetShare)), is_(NOTHING)),
        story=a(PositionStory | None),
        audit=an_object(
            phase=text,
            active_positions=whole,
            closed_positions=whole,
            duplicate_active_symbol_keys=whole,
            non_terminal_in_closed_history=whole,
            remaining_qty_violations=whole,
            violations=rows(text),
            violations_total=whole,
        ),
        as_of=a(datetime),
    ),
    "apply": planned,
    "kill": either(planned, an_object(accounts=rows(killed)), a(Rehearsal)),
    "kill status": either(
        an_object(STOPPED), an_object(accounts=rows(an_object(STOPPED, account=text)))
    ),
    "resume": planned,
    "breaker": an_object(breaker=a(Breaker), is_executed=flag),
    "config check": an_object(findings=rows(a(Lint))),
    "config set": an_object(
        setting=text, before=text, after=text, configured=text, is_executed=flag
    ),
    "config show": an_object(
        {name: an_object(value=text, source=text) for name in SETTINGS},
    ),
    "db upgrade": an_object(before=maybe_text, after=text),
    "db status": an_object(
        database=text, migration=maybe_text, newest=text, state=text, next_step=text
    ),
    "db backup": an_object(database=text, file=text, size=a(int), migration=text, sha256=text),
    "db prune": an_object(found=a(Prunable), is_executed=flag),
    "explain": either(
        a(Meaning),
        an_object(
            kind=a(SubjectKind),
            id=text,
            title=text,
            lines=rows(a(Line)),
            retry=a(Retry),
            why=text,
            next=rows(text),
        ),
    ),
    "audit init": an_object(
        key_id=text,
        public_key=text,
        is_new=flag,
        key_file=text,
        trusted_keys_file=text,
        accounts=rows(text),
    ),
    "audit verify": an_object(accounts=rows(a(AuditReport))),
    "paper serve": an_object(
        rest_url=text,
        ws_url=text,
        ws_auth_url=text,
        ws_l3_url=text,
        api_key=text,
        api_secret=text,
    ),
    "paper reset": an_object(files=rows(text), is_executed=flag),
    "paper fund": either(
        an_object(
            accounts=rows(
                an_object(
                    account_id=text,
                    name=text,
                    balances=rows(money_row),
                    moving=rows(moving_row),
                )
            )
        ),
        perhaps_with(
            {"ref_id": text}, account_id=text, name=text, changes=rows(change), is_executed=flag
        ),
    ),
    "paper key": either(
        an_object(keys=rows(an_object(A_KEY))),
        perhaps_with({"api_secret": text, "totp": text}, A_KEY),
    ),
    "paper fault": an_object(
        armed=rows(armed), log=rows(an_object(name=text, where=text, at=text, delay_s=is_(NUMBER)))
    ),
}
"""Command -> what its `result` is."""


# --- the files -----------------------------------------------------------------------------------


def answer_schema(command: str) -> Schema:
    """The whole object that the command prints with `--json`, closed."""
    known: Known = {}
    properties: dict[str, Schema] = {
        "command": {"const": command},
        "account": {
            "anyOf": [{"type": "string", "pattern": "^[a-z]+-(paper|live)-[0-9a-f]{8}$"}, NOTHING]
        },
        "mode": {"enum": ["paper", "live", None]},
        "warnings": {"type": "array", "items": TEXT},
        "exit_code": {"enum": EXIT_CODES},
        "result": RESULTS[command](known),
        "error": error_schema(known),
    }
    return {
        "$schema": DIALECT,
        "title": f"zoe {command} --json",
        "type": "object",
        "properties": properties,
        "required": ["account", "command", "exit_code", "mode", "warnings"],
        "oneOf": [{"required": ["result"]}, {"required": ["error"]}],
        "additionalProperties": False,
        "$defs": dict(sorted(known.items())),
    }


def error_schema(known: Known) -> Schema:
    """What stands in the place of a result when there is none."""
    error = perhaps_with({"moved": rows(a(Moved))}, kind=text, message=text, hint=text, code=text)
    return error(known)


def closed(schema: Any) -> Any:
    """Without the bounds of files; objects have no fields but those that are told."""
    return _walk(schema, is_open=False)


def opened(schema: Any) -> Any:
    """The same, but fields may be added."""
    return _walk(schema, is_open=True)


def _walk(schema: Any, *, is_open: bool) -> Any:
    if isinstance(schema, list):
        return [_walk(each, is_open=is_open) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _walk(value, is_open=is_open)
        for key, value in schema.items()
        if not (key == "maxLength" and schema.get("type") == "string")
        and not (key == "additionalProperties" and value is False and is_open)
    }


def generated() -> dict[str, Schema]:
    """File name -> schema."""
    answers = {
        f"{house.page_of(name)}.json": opened(answer_schema(name)) for name in sorted(RESULTS)
    }
    return {"plan.json": plan_file_schema(), **answers}


def text_of(schema: Schema) -> str:
    """As it stands in the file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Rewrite the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, schema in generated().items():
        (FOLDER / name).write_text(text_of(schema), "utf-8")


if __name__ == "__main__":
    main()
