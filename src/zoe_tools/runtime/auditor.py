"""The auditor: a process of its own that knows nothing of the run but its folder.

It starts the exchange from its saved state, reads ClosedOrders, TradesHistory, Ledgers and
BalanceEx over HTTP, compares them with the store, and counts what disagrees.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoe_tools.errors import VenueMisbehaved
from zoe_tools.runtime.paper_process import end_paper

TIMEOUT_S = 300.0

_CLEAN, _FINDINGS = 0, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the auditor found."""

    discrepancies: int
    findings: tuple[dict[str, str], ...]


def audit_blocking(home: Path, environ: Mapping[str, str], *, is_replay: bool) -> Audit:
    """Audit the paper account of that home, from another process.

    A replay's home is all there is to know, and the exchange that the auditor starts there ends
    with the audit; otherwise the settings in `environ` hold.

    Raises:
        VenueMisbehaved: the auditor could not do its work; an audit that did not happen is no
            clean audit.
    """
    if not is_replay:
        return _audit(home, environ)
    try:
        return _audit(home, {})
    finally:
        end_paper(home)


def _audit(home: Path, environ: Mapping[str, str]) -> Audit:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "zoe_tools", "--json", "--account", "paper", "reconcile"],
            env={"PATH": os.defpath, **environ, "ZOE_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise VenueMisbehaved("The auditor did not finish.") from error
    if done.returncode not in (_CLEAN, _FINDINGS):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-2:]
        raise VenueMisbehaved(
            f"The auditor failed with exit code {done.returncode}: {' '.join(last)}",
            hint=f"Look for yourself: ZOE_HOME={home} zoe reconcile",
        )
    try:
        findings = tuple(json.loads(done.stdout)["result"]["findings"])
    except (ValueError, KeyError, TypeError) as error:
        raise VenueMisbehaved("The auditor's answer cannot be read.") from error
    return Audit(discrepancies=len(findings), findings=findings)
