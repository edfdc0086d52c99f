"""Another process that holds an account's lock, as a loop does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builders import PAPER
from zoe_tools.domain.account import Account

HOLD = """
import sys
from pathlib import Path
from zoe_tools.domain.account import Account
from zoe_tools.runtime.loop_lock import hold_account
account = Account(venue="kraken", mode=sys.argv[2], fingerprint=sys.argv[3])
with hold_account(Path(sys.argv[1]), account):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(home: Path, account: Account = PAPER) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the account's lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home), account.mode, account.fingerprint],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait(timeout=30)
        process.stdin.close()
        process.stdout.close()
