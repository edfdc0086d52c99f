"""Exchanges that are forked from a process that has loaded the program: most of a start is loading.

Run as `python nursery.py paper serve`: each line that comes in is an environment and the words of
one `zoe paper serve`; what goes out is the process id of the exchange that they became.
`tests/commands/test_paper_serve.py` and `tests/runtime/test_paper_process.py` start theirs from the
beginning, as operators do.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

_LOADED = (
    "zoe_tools.cli",
    "zoe_tools.commands.paper_serve",
    "zoe_tools.runtime.paper_serving",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
)


class Nursery:
    """The process that forks; one for each process of tests, ended with it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "paper", "serve"],
            env={"PATH": os.defpath},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        atexit.register(self._end)

    def serve(self, words: Sequence[str], environ: Mapping[str, str]) -> int:
        """The process id of a new exchange."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([list(words), dict(environ)]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def _end(self) -> None:
        self._process.communicate()


nursery = functools.cache(Nursery)


def _live(words: list[str], environ: dict[str, str]) -> None:
    """Be `zoe paper serve`, and nothing else any more."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        code = importlib.import_module("zoe_tools.cli").main(words, environ)
    finally:
        os._exit(code)


def main() -> None:
    """Fork for each line, until there are no more."""
    for each in _LOADED:
        importlib.import_module(each)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are nobody's business
    while line := sys.stdin.readline():
        pid = os.fork()
        if not pid:
            _live(*json.loads(line))
        print(pid, flush=True)  # noqa: T201 - spoken to the tests


if __name__ == "__main__":
    main()
