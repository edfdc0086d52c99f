"""Runs command lines at the same time, forked from a process that has loaded the program.

Run as a script: each line that comes in is a list of calls (`words`, `environ`, `folder`); what
goes out is a list of `[exit code, output]` in the same order. Most of a start is loading.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import tempfile
from typing import Any

_LOADED = (
    "zoe_tools.cli",
    "zoe_tools.commands.check_tp_coverage",
    "zoe_tools.commands.db_backup",
    "zoe_tools.commands.health",
    "zoe_tools.commands.ledger_import",
    "zoe_tools.commands.pnl",
    "zoe_tools.commands.pre_flight",
    "zoe_tools.commands.reconcile",
    "zoe_tools.runtime.venue",
)


def _begin(call: dict[str, Any], path: str) -> int:
    """The process id of the call; what it says goes into the file."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.chdir(call["folder"])
        written = os.open(path, os.O_WRONLY | os.O_TRUNC)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for old, new in ((nothing, 0), (written, 1), (written, 2)):
            os.dup2(old, new)
        code = importlib.import_module("zoe_tools.cli").main(call["words"], call["environ"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def main() -> None:
    """Until there are no more lines."""
    for each in _LOADED:
        importlib.import_module(each)
    gc.freeze()
    while line := sys.stdin.readline():
        with tempfile.TemporaryDirectory() as folder:
            calls = json.loads(line)
            paths = [os.path.join(folder, f"{number}") for number in range(len(calls))]  # noqa: PTH118 - no other name is used here
            for path in paths:
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            pids = [_begin(call, path) for call, path in zip(calls, paths, strict=True)]
            codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
            texts = []
            for path in paths:
                with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as above
                    texts.append(file.read())
            sys.stdout.write(json.dumps(list(zip(codes, texts, strict=True))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
