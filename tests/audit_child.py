"""A process that trades into a store until it is killed: `python audit_child.py URL HOME SEED`."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from audit_rig import filled, opened, trade
from zoe_tools.runtime.audit_home import AuditHome


def main(url: str, home: str, seed: str) -> None:
    """One intent and its fill a transaction; a line on stdout after each commit."""
    signer = AuditHome(Path(home)).signer()
    with closing(opened(url, signer)) as store:
        for number in range(int(seed) * 100_000, int(seed) * 100_000 + 100_000):
            with store.transaction() as books:
                trade(books, number)
                filled(books, number)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
