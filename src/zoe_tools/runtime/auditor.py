"""The auditor: a process of its own that knows nothing of the run but its folder.

It starts the exchange from its saved state, reads ClosedOrders, TradesHistory, Ledgers and
BalanceEx over HTTP, compares them with the store, and counts what disagrees.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from zoe_tools.errors import VenueMisbehaved

TIMEOUT_S = 300.0

_CLEAN, _FINDINGS = 0, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the auditor found."""

    discrepancies: int
    findings: tuple[dict[str, str], ...]


async def audit(home: Path, environ: dict[str, str]) -> Audit:
    """Audit the account of that home, from another process.

    Raises:
        VenueMisbehaved: the auditor could not do its work; an audit that did not happen is no
            clean audit.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "zoe_tools",
        "--json",
        "reconcile",
        env={**environ, "ZOE_HOME": str(home)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise VenueMisbehaved("The auditor did not finish.") from error
    if process.returncode not in (_CLEAN, _FINDINGS):
        last = err.decode(errors="replace").strip().splitlines()[-2:]
        raise VenueMisbehaved(
            f"The auditor failed with exit code {process.returncode}: {' '.join(last)}",
            hint=f"Look for yourself: ZOE_HOME={home} zoe reconcile",
        )
    result = json.loads(out)["result"]
    return Audit(
        discrepancies=len(result["findings"]),
        findings=tuple(result["findings"]),
    )
