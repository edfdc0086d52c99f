"""`zoe health`: one line and an exit code for cron, from the store alone. Asks no venue."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.config import Settings
from zoe_tools.core.health import LOOP, HealthFacts, assess_health
from zoe_tools.domain.observation import Lease
from zoe_tools.gather import effective_trading_state
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.loop_lock import is_running, is_silent
from zoe_tools.runtime.unheard_loops import told_unheard, unheard_loop
from zoe_tools.store.store import Transaction

_FINDINGS = 3


def health(ctx: typer.Context) -> int:
    """Say in one line whether the loop is well, for cron and monitors.

    Reads what the loop last wrote of itself, the kill level and the books, and asks
    no venue. Exits 0 if all is well, 3 with findings, 7 if the store cannot be read.

    Examples:
      zoe health
      zoe health --json
      * * * * * zoe --account live health || page-somebody
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings(lenient=True)
    printer = invocation.printer()

    async def work(context: Context) -> int:
        facts = await context.store.read(lambda tx: _read(tx, context, settings))
        answer = assess_health(facts)
        if not facts.is_running and facts.silent is None and (pid := await unheard_loop(context)):
            others = (each for each in answer.findings if not each.startswith("no loop runs"))
            answer = replace(answer, findings=(told_unheard(pid), *others))
        printer.account(context.account, answer.line)
        code = 0 if answer.is_healthy else _FINDINGS
        printer.result(
            {
                "is_healthy": answer.is_healthy,
                "mode": answer.mode,
                "phase": answer.phase,
                "state": answer.state,
                "findings": answer.findings,
                "why_no_entries": answer.why_no_entries,
                "last_stage": answer.last_stage,
                "work_age_s": answer.work_age_s,
                "beat_age_s": answer.beat_age_s,
                "stage_ages_s": dict(answer.stage_ages_s),
                "as_of": facts.now,
            },
            exit_code=code,
        )
        return code

    return run_with_context(settings, work, needs_venue=False)


def _read(transaction: Transaction, context: Context, settings: Settings) -> HealthFacts:
    now = context.clock.now()
    held = transaction.positions(open_only=True)
    lease, lease_now = transaction.lease(), transaction.lease_time(now)
    return HealthFacts(
        now=now,
        account=context.account,
        is_wanted=settings.loop_mode != "disabled",
        is_running=is_running(lease, lease_now),
        beat=next((each for each in transaction.heartbeats() if each.component == LOOP), None),
        last_boot=next(iter(reversed(transaction.boots())), None),
        trading_state=effective_trading_state(transaction),
        reconciliation=transaction.reconciliation.state(),
        unresolved=len(transaction.unresolved_intents()),
        naked=sum(each.stop_venue_order_id is None for each in held),
        silent=_silent(lease, lease_now),
    )


def _silent(lease: Lease | None, now: datetime) -> tuple[Lease, int] | None:
    if lease is None or not is_silent(lease, now):
        return None
    return lease, round((now - lease.renewed_at).total_seconds())
