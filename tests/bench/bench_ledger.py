"""What a million ledger rows cost: read, proved, written through triggers and chain, proved again.

The limits hold on an idle machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import ledger_rows
from zoe_tools.store import schema

ROWS = 1_000_000
LIMIT_S = 60.0
LIMIT_MB = 600.0
CHILD = Path(__file__).with_name("ledger_child.py")


def bench_an_import_of_a_million_rows(tmp_path: Path) -> None:
    """Printed: seconds for each part and the memory at its highest; failed: over a minute, 600 MB.

    The whole file is read and proved before a row is written; the store is SQLite with its
    triggers, its audit log and synchronous=FULL; and the proof reads back what was written.
    """
    url = f"sqlite:///{tmp_path / 'zoe.db'}"
    schema.upgrade(url)
    path = ledger_rows.write(tmp_path / "ledgers.csv", ROWS)
    ran = subprocess.run(
        [sys.executable, CHILD, url, path],
        check=True,
        capture_output=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    told = json.loads(ran.stdout)
    read_s, write_s, prove_s = told["parts_s"]

    sys.stdout.write(
        f"\n{told['rows']:,} ledger rows in {told['total_s']:.1f} s (limit {LIMIT_S:.0f}): read and"
        f" proved {read_s:.1f}, written {write_s:.1f}, books proved {prove_s:.1f};"
        f" {told['cpu_s']:.1f} s of CPU, {told['peak_mb']:.0f} MB (limit {LIMIT_MB:.0f})"
    )
    assert told["is_sound"]
    assert told["rows"] == told["proved_rows"] == ROWS
    assert told["total_s"] <= LIMIT_S
    assert told["peak_mb"] <= LIMIT_MB
