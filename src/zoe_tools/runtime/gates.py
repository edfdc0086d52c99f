"""Builds the gate of one command from its context."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.journal import Author
from zoe_tools.gate.looks import Proof
from zoe_tools.ports import Approver
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.loop_lock import PROCESS
from zoe_tools.store.emergency_file import EmergencyFile


def open_gate(
    context: Context,
    *,
    approver: Approver,
    command: str,
    environ: Mapping[str, str],
    proof: Proof | None = None,
    looks_again: bool = False,
) -> Gate:
    """The one door for this command; `environ` names the operator; for the rest see `Gate`."""
    return Gate(
        venue=context.venue,
        store=context.store,
        clock=context.clock,
        approver=approver,
        account=context.account,
        policy=context.policy,
        command=command,
        operator=operator_of(environ),
        host=platform.node(),
        pid=os.getpid(),
        process=PROCESS,
        live_consent=context.settings.live_consent,
        proof=proof,
        looks_again=looks_again,
        pricing=None if context.wires is None else context.wires.rest.budgets,
        emergency=emergency_journal(context),
    )


def emergency_journal(context: Context) -> EmergencyJournal:
    """Where reductions are journaled while the store is gone."""
    return EmergencyJournal(EmergencyFile(context.home), context.account)


def author_of(context: Context, *, command: str, environ: Mapping[str, str]) -> Author:
    """Who asks, for what is journaled without a gate."""
    return Author(
        account=context.account,
        command=command,
        operator=operator_of(environ),
        host=platform.node(),
        pid=os.getpid(),
        process=PROCESS,
    )


def operator_of(environ: Mapping[str, str]) -> str:
    """Who ordered it: the person behind sudo, if there is one."""
    return environ.get("SUDO_USER") or environ.get("USER", "")
