"""The program, and scripts that use it, forked from a process that has loaded it.

Most of a start is loading. What is started here is a process like any other, with its own session,
environment and streams; it only has not read the program's files itself. Those that start it from
the beginning, as operators do, are `tests/test_cli.py`, `tests/commands/test_paper_serve.py`,
`tests/runtime/test_paper_process.py`, whatever `zoe run` starts by itself, and who asks for a hash
seed.

Run as `python nursery.py paper serve DOOR`: DOOR is the descriptor of a socket. Each message that
comes in is the words of a command line, `zoe` or a script first, its environment and its folder,
with the descriptors of its input, output and errors, and the answer is its process id; or it is
such an id, and the answer the exit code, or null while it lives.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_BESIDE_IT = (
    "alembic.command",
    "alembic.ddl.postgresql",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
)
"""What the program loads when it is needed."""

_LONGEST = 1 << 18
_POLL_S = 0.01
_DYING_S = 30.0


class Running:
    """A started program; as much of `subprocess.Popen` as tests ask for."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._nursery = nursery

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        if self.returncode is None:
            self.returncode = self._nursery.code_of(self.pid)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """The exit code, once there is one.

        Raises:
            TimeoutError: it goes on.
        """
        give_up_at = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() >= give_up_at:
                raise TimeoutError(f"process {self.pid} has not ended in {timeout:g} s")
            time.sleep(_POLL_S)
        return code

    def send_signal(self, number: int) -> None:
        """Unless it has ended, or ends this moment."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end in order."""
        self.send_signal(signal.SIGTERM)

    def kill_all(self) -> None:
        """End it, and what it has started in its session's first group."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ends, or has no group yet
                os.killpg(self.pid, signal.SIGKILL)
            self.send_signal(signal.SIGKILL)


class Talking(Running):
    """One that is spoken to."""

    def __init__(self, nursery: Nursery, pid: int, stdin: IO[str], stdout: IO[str]) -> None:
        super().__init__(nursery, pid)
        self.stdin = stdin
        self.stdout = stdout

    def end(self, last: str, timeout: float) -> str:
        """Say the last words, and hear it out; it is killed when it takes longer than that."""
        timer = threading.Timer(timeout, self.kill_all)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError), self.stdin:
                self.stdin.write(last)
            told = self.stdout.read()
            self.wait(timeout)
        finally:
            timer.cancel()
        return told

    def close(self) -> None:
        """End it, whatever it does."""
        self.kill_all()
        self.wait(_DYING_S)
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        self.stdout.close()


class Nursery:
    """The process that forks; one for each process of tests, ended with it."""

    def __init__(self) -> None:
        self._door, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._turn = threading.Lock()
        with its:
            self._process = subprocess.Popen(
                [sys.executable, __file__, "paper", "serve", str(its.fileno())],
                env={"PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )
        self.pid = self._process.pid
        atexit.register(self._end)

    def start(
        self,
        words: Sequence[str],
        environ: Mapping[str, str],
        *,
        out: IO[Any] | None = None,
        err: IO[Any] | None = None,
        folder: Path | None = None,
    ) -> Running:
        """The command, begun; what it says goes into these files, or nowhere."""
        with Path(os.devnull).open("r+b") as nothing:
            streams = [each.fileno() for each in (nothing, out or nothing, err or nothing)]
            return Running(self, self._born(["zoe", *words], environ, streams, folder))

    def talk(self, script: str, *words: str, err: IO[Any] | None = None) -> Talking:
        """The script, begun, knowing of ours where passing files go; its input is open."""
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        complaints = sys.stderr.fileno() if err is None else err.fileno()
        try:
            streams = [theirs_in, theirs_out, complaints]
            environ = {"PATH": os.defpath, "TMPDIR": tempfile.gettempdir()}
            pid = self._born([script, *words], environ, streams, None)
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        return Talking(self, pid, os.fdopen(ours_out, "w"), os.fdopen(ours_in, "r"))

    def _born(
        self,
        argv: list[str],
        environ: Mapping[str, str],
        streams: list[int],
        folder: Path | None,
    ) -> int:
        pid = self._ask([argv, dict(environ), str(folder or Path.cwd())], streams)
        assert isinstance(pid, int)
        return pid

    def code_of(self, pid: int) -> int | None:
        """The exit code of what was started here, told once; None while it lives."""
        code = self._ask(pid, [])
        assert code is None or isinstance(code, int)
        return code

    def _ask(self, message: object, descriptors: list[int]) -> object:
        with self._turn:
            socket.send_fds(self._door, [json.dumps(message).encode()], descriptors)
            told: object = json.loads(self._door.recv(_LONGEST))
            return told

    def _end(self) -> None:
        self._door.close()
        self._process.wait()


nursery = functools.cache(Nursery)


def _load() -> None:
    """All of the program, and what it would load later."""
    package = importlib.import_module("zoe_tools")
    names = [each.name for each in pkgutil.walk_packages(package.__path__, "zoe_tools.")]
    for each in [*names, *_BESIDE_IT]:
        importlib.import_module(each)


class _Births:
    """Forks, and keeps the exit codes until somebody asks."""

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self._ended: dict[int, int] = {}
        signal.signal(signal.SIGCHLD, self._bury)

    def attend(self) -> tuple[list[str], dict[str, str], str] | None:
        """Answer until nobody asks any more: None. In a new process: what it is to be."""
        while True:
            told, descriptors, _, _ = socket.recv_fds(self._door, _LONGEST, 3)
            if not told:
                return None
            message = json.loads(told)
            if isinstance(message, int):
                self._answer(self._ended.pop(message, None))
                continue
            pid = os.fork()
            if not pid:
                self._leave(descriptors)
                argv, environ, folder = message
                return argv, environ, folder
            for each in descriptors:
                os.close(each)
            self._answer(pid)

    def _answer(self, value: int | None) -> None:
        self._door.send(json.dumps(value).encode())

    def _bury(self, *_: object) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._ended[pid] = os.waitstatus_to_exitcode(status)

    def _leave(self, descriptors: list[int]) -> None:
        """Be nobody's any more, with streams of one's own."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        self._door.close()
        for number, each in enumerate(descriptors):
            os.dup2(each, number)
            os.close(each)


def main() -> None:
    """Fork until there are no more orders; a new process is the program, to its end."""
    _load()
    gc.freeze()
    order = _Births(socket.socket(fileno=int(sys.argv[-1]))).attend()
    if order is None:
        return
    argv, environ, folder = order
    os.environ.clear()  # noqa: TID251 - it is started with another one
    os.environ.update(environ)  # noqa: TID251 - as above
    os.chdir(folder)
    sys.argv = argv
    if argv[0] == "zoe":
        importlib.import_module("zoe_tools.__main__").main()
    else:
        sys.path.insert(0, str(Path(argv[0]).parent))
        runpy.run_path(argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
